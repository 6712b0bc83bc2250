//! One value in many spellings: wherever it is found plain, it goes out in none, and the text around it stays.

use std::io::{Read as _, Write as _};

use bolero::check;
use certus_sanitizer::{Format, Learnt, Policy, Profile, PseudonymKey, SanitizeError, Sanitizer};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

#[path = "made/token.rs"]
mod made;

use made::token as secret;

fn sanitizer() -> &'static Sanitizer {
    static ONCE: std::sync::OnceLock<Sanitizer> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        let policy = Policy::from(Profile::Balanced);
        Sanitizer::new(&policy, PseudonymKey::from_bytes([7; 32])).expect("the tables are right")
    })
}

fn text(seed: u64) -> String {
    format!("# a comment that is kept\ntoken = \"{}\"\nother = \"words that stay\"\n", secret(seed))
}

fn clean(bytes: &[u8], format: Format) -> Vec<u8> {
    let made = sanitizer().document(bytes, format, &Learnt::default()).expect("can be made clean");
    let once = made.into_inner().bytes;
    let twice = sanitizer().document(&once, format, &Learnt::default()).expect("can be made clean");
    assert_eq!(twice.into_inner().bytes, once, "a second time changes nothing");
    once
}

/// One way to spell bytes.
type Spell<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("packs");
    encoder.finish().expect("packs")
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).expect("unpacks");
    plain
}

fn assert_redacted(said: &str, seed: u64) {
    assert!(!said.contains(&secret(seed)), "{said}");
    assert!(said.contains("REDACTED_GITHUB_TOKEN_"), "{said}");
    assert!(said.contains("a comment that is kept") && said.contains("words that stay"), "{said}");
}

#[test]
fn base64_and_hex_are_spelt_again_around_the_value() {
    for seed in 0..12 {
        let plain = text(seed);
        let bytes = plain.as_bytes();
        let decoded = |spelt: &str, decode: &dyn Fn(&[u8]) -> Vec<u8>, lead: &str| {
            let out = utf8(clean(format!("{lead}{spelt}\n").as_bytes(), Format::Text));
            let blob = out.strip_prefix(lead).expect("what stands before stays").trim_end();
            assert_redacted(&utf8(decode(blob.as_bytes())), seed);
        };
        decoded(&BASE64.encode(bytes), &|b| BASE64.decode(b).expect("base64"), "payload: ");
        // Without a sign of its own it may be either alphabet, so padding may have been added.
        let url = |b: &[u8]| BASE64URL_NOPAD.decode(b.trim_ascii_end().strip_suffix(b"=").unwrap_or(b));
        let url = |b: &[u8]| url(b.strip_suffix(b"==").unwrap_or(b)).expect("base64");
        decoded(&BASE64URL_NOPAD.encode(bytes), &url, "p=");
        decoded(&HEXLOWER.encode(bytes), &|b| HEXLOWER.decode(b).expect("hex"), "0x");
        decoded(&HEXUPPER.encode(bytes), &|b| HEXUPPER.decode(b).expect("hex"), "blob: ");
        let twice = BASE64.encode(BASE64.encode(bytes).as_bytes());
        let undo = |b: &[u8]| BASE64.decode(&BASE64.decode(b).expect("base64")).expect("base64");
        decoded(&twice, &undo, "p=");
        let wide: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let narrow = |b: &[u8]| {
            let wide = BASE64.decode(b).expect("base64");
            wide.chunks_exact(2).map(|unit| unit[0]).collect()
        };
        decoded(&BASE64.encode(&wide), &narrow, "powershell -enc ");
        let packed = BASE64.encode(&gzip(bytes));
        decoded(&packed, &|b| gunzip(&BASE64.decode(b).expect("base64")), "data: ");
    }
}

#[test]
fn base64_is_found_at_any_offset_of_a_run_and_over_lines() {
    for seed in 0..4 {
        let spelt = BASE64.encode(text(seed).as_bytes());
        for glued in ["", "x", "xY", "xYz", "data_"] {
            let out = utf8(clean(format!("v {glued}{spelt}").as_bytes(), Format::Text));
            let blob = out.strip_prefix(&format!("v {glued}")).expect("what stands before stays");
            assert_redacted(&utf8(BASE64.decode(blob.as_bytes()).expect("base64")), seed);
        }
        for (columns, gap) in [(64, "\n"), (76, "\r\n"), (48, "\n    ")] {
            let lines: Vec<&str> = spelt
                .as_bytes()
                .chunks(columns)
                .map(|line| std::str::from_utf8(line).expect("ASCII"))
                .collect();
            let out = utf8(clean(format!("b: |\n    {}\nend", lines.join(gap)).as_bytes(), Format::Text));
            let blob =
                out.strip_prefix("b: |\n    ").and_then(|out| out.strip_suffix("\nend")).expect("stays");
            assert!(blob.split(gap).all(|line| line.len() <= columns), "{out}");
            assert_redacted(&utf8(BASE64.decode(blob.replace(gap, "").as_bytes()).expect("base64")), seed);
        }
    }
}

#[test]
fn pairs_with_signs_between_are_read_and_spelt_again() {
    for seed in 0..6 {
        let plain = text(seed);
        for (sign, spell) in
            [(":", HEXLOWER), (" ", HEXUPPER), ("-", HEXLOWER), (":\n    ", HEXLOWER), ("\n", HEXUPPER)]
        {
            let pairs: Vec<String> = plain.bytes().map(|byte| spell.encode(&[byte])).collect();
            // Longer signs stand at a line's end: sixteen pairs each.
            let spelt = match sign {
                ":\n    " => pairs.chunks(16).map(|line| line.join(":")).collect::<Vec<_>>().join(sign),
                "\n" => pairs.chunks(16).map(|line| line.join(" ")).collect::<Vec<_>>().join(sign),
                _ => pairs.join(sign),
            };
            let out = utf8(clean(format!("data: {spelt}\n").as_bytes(), Format::Text));
            let said = out.strip_prefix("data: ").expect("what stands before stays");
            let digits: String = said.chars().filter(char::is_ascii_hexdigit).collect();
            let said = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).expect("pairs");
            assert_redacted(&utf8(said), seed);
        }
        let json = serde_json::json!({"b": plain.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")});
        let out: serde_json::Value =
            serde_json::from_slice(&clean(json.to_string().as_bytes(), Format::Json)).expect("JSON");
        let digits: String = out["b"].as_str().expect("a string").split(':').collect();
        assert_redacted(&utf8(HEXLOWER.decode(digits.as_bytes()).expect("pairs")), seed);
    }
}

#[test]
fn lines_of_base64_are_read_together_and_each_by_itself() {
    for seed in 0..4 {
        // As long as whole groups, so that neither padding nor a blank tells where a value ends.
        let values: Vec<String> = (0..5).map(|n| format!("k:{}", secret(seed * 8 + n))).collect();
        let lines: Vec<String> = values.iter().map(|value| BASE64.encode(value.as_bytes())).collect();
        assert!(lines.iter().all(|line| line.len() == 56 && !line.ends_with('=')));
        // As long as whole lines, so that what follows might be taken for the last one.
        let mut long = text(seed).repeat(6);
        long.push_str(&" ".repeat(48 - long.len() % 48));
        let folded = BASE64.encode(long.as_bytes());
        let folded: Vec<&str> = (0..folded.len() / 64).map(|line| &folded[line * 64..][..64]).collect();
        for (before, gap, behind) in [
            ("k: |\n  ", "\n  ", "\nend: 1\n"),
            ("x = <<EOT\n", "\n", "\nEOT\n"),
            ("cat <<EOF\n", "\n", "\nEOF\n"),
        ] {
            let list = utf8(clean(format!("{before}{}{behind}", lines.join(gap)).as_bytes(), Format::Text));
            let block = utf8(clean(format!("{before}{}{behind}", folded.join(gap)).as_bytes(), Format::Text));
            for (out, all) in [(&list, &values[..]), (&block, &[text(seed)])] {
                let inner = out
                    .strip_prefix(before)
                    .and_then(|out| out.strip_suffix(behind))
                    .expect("what stands around stays");
                let said =
                    BASE64.decode(inner.replace(gap, "").as_bytes()).unwrap_or_else(|e| panic!("{e}: {out}"));
                let said = utf8(said);
                assert!(said.contains("REDACTED_GITHUB_TOKEN_"), "{said}");
                for value in all {
                    assert!(!said.contains(value), "{said}");
                }
            }
        }
    }
}

#[test]
fn of_escaped_characters_only_those_of_the_value_are_replaced() {
    let all = |text: &str, spell: &dyn Fn(char) -> String| text.chars().map(spell).collect::<String>();
    for seed in 0..6 {
        let plain = text(seed);
        let value = secret(seed);
        let percent = |c: char| format!("%{:02X}", u32::from(c));
        for (spell, expected) in [
            (&percent as &dyn Fn(char) -> String, "%"),
            (&|c| format!("\\u{:04x}", u32::from(c)), "\\u"),
            (&|c| format!("\\x{:02x}", u32::from(c)), "\\x"),
            (&|c| format!("&#{};", u32::from(c)), "&#"),
            (&|c| format!("&#x{:X};", u32::from(c)), "&#x"),
        ] {
            let whole = utf8(clean(format!("<p>{}</p>", all(&plain, spell)).as_bytes(), Format::Text));
            assert!(whole.starts_with(&format!("<p>{}", spell('#'))) && whole.ends_with("</p>"), "{whole}");
            assert!(
                whole.contains("REDACTED_GITHUB_TOKEN_") && !whole.contains(&all(&value, spell)),
                "{whole}"
            );
            let alone = plain.replace(&value, &all(&value, spell));
            let alone = utf8(clean(alone.as_bytes(), Format::Text));
            assert_redacted(&alone, seed);
            assert!(!alone.contains(expected), "{alone}");
        }
        let named = plain.replace('"', "&quot;");
        assert_redacted(&utf8(clean(named.as_bytes(), Format::Text)), seed);
        let mail =
            format!("note=3Dof a comment that is kept\n{}=\n{} words that stay", &value[..20], &value[20..]);
        assert_redacted(&utf8(clean(mail.as_bytes(), Format::Text)), seed);
    }
}

#[test]
fn packed_documents_are_packed_again() {
    for seed in 0..3 {
        let plain = text(seed);
        let out = clean(&gzip(plain.as_bytes()), Format::Text);
        assert_redacted(&utf8(gunzip(&out)), seed);
        let zstd = zstd::bulk::compress(plain.as_bytes(), 3).expect("packs");
        let out = clean(&zstd, Format::Text);
        assert_redacted(&utf8(zstd::bulk::decompress(&out, 1 << 20).expect("unpacks")), seed);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(plain.as_bytes()).expect("packs");
        let out = clean(&zlib.finish().expect("packs"), Format::Text);
        let mut said = String::new();
        flate2::read::ZlibDecoder::new(&out[..]).read_to_string(&mut said).expect("unpacks");
        assert_redacted(&said, seed);
    }
    let nothing = gzip(b"plain words");
    assert_eq!(clean(&nothing, Format::Text), nothing, "what holds nothing is not packed anew");
}

#[test]
fn what_unpacks_to_too_much_or_breaks_off_is_held_back() {
    let result = |bytes: &[u8]| sanitizer().document(bytes, Format::Text, &Learnt::default()).map(|_| ());
    let bomb = gzip(&vec![b'a'; 32 << 20]);
    assert_eq!(result(&bomb), Err(SanitizeError::TooLarge));
    assert_eq!(result(format!("x: {}", BASE64.encode(&bomb)).as_bytes()), Err(SanitizeError::TooLarge));
    let filling: String =
        (0..2_000).map(|n: u64| format!("{:x} ", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    let whole = gzip(format!("{}{filling}", text(1)).as_bytes());
    assert_eq!(result(&whole[..whole.len() - 9]), Err(SanitizeError::Broken));
}

#[test]
fn values_over_joined_literals_go() {
    let value = secret(3);
    let (a, b) = value.split_at(17);
    for joint in ["\" + \"", "\" +\n    \"", "\"\n    \"", "\" \\\n  \"", "\" . \"", "\" & \"", "\" ++ \""] {
        let source = format!("let kept = \"words\";\ntoken = \"{a}{joint}{b}\";\n");
        let out = utf8(clean(source.as_bytes(), Format::Text));
        assert!(!out.contains(a) && !out.contains(b) && out.contains("REDACTED_GITHUB_TOKEN_"), "{out}");
        assert!(out.starts_with("let kept = \"words\";\ntoken = \"") && out.ends_with("\";\n"), "{out}");
    }
}

#[test]
fn what_mail_spells_is_read_in_a_string_of_json() {
    for seed in 0..4 {
        let spelt: String = secret(seed).bytes().map(|byte| format!("={byte:02X}")).collect();
        let json =
            serde_json::json!({"body": format!("note=3Dof words that stay {spelt} a comment that is kept")});
        let out: serde_json::Value =
            serde_json::from_slice(&clean(json.to_string().as_bytes(), Format::Json)).expect("JSON");
        let said = out["body"].as_str().expect("a string").replace("=3D", "=").replace("=5F", "_");
        assert!(!said.contains(&spelt.replace("=5F", "_")), "{said}");
        assert_redacted(&said, seed);
    }
}

#[test]
fn json_in_json_in_json_stays_json() {
    let nested = |inner: &str| serde_json::json!({"log": inner, "n": 4.0}).to_string();
    let inner = serde_json::json!({"card": 4_111_111_111_111_111_u64, "text": text(2)}).to_string();
    let out = clean(nested(&nested(&inner)).as_bytes(), Format::Json);
    let mut value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    for _ in 0..2 {
        value = serde_json::from_str(value["log"].as_str().expect("text")).expect("JSON inside");
    }
    assert_redacted(value["text"].as_str().expect("text"), 2);
    let blob = serde_json::json!({"b": BASE64.encode(text(4).as_bytes())}).to_string();
    let out: serde_json::Value = serde_json::from_slice(&clean(blob.as_bytes(), Format::Json)).expect("JSON");
    let said = BASE64.decode(out["b"].as_str().expect("text").as_bytes()).expect("base64");
    assert_redacted(&utf8(said), 4);
}

#[test]
fn layers_three_deep_are_looked_through() {
    let base64 = |b: &[u8]| BASE64.encode(b).into_bytes();
    let hex = |b: &[u8]| HEXLOWER.encode(b).into_bytes();
    let percent = |b: &[u8]| b.iter().map(|c| format!("%{c:02X}")).collect::<String>().into_bytes();
    let layers: [Spell<'_>; 4] = [&base64, &hex, &gzip, &percent];
    for layer in layers {
        for second in layers {
            for third in layers {
                let one = layer(text(9).as_bytes());
                let two = second(&one);
                let three = third(&two);
                // Packed bytes are no text that percent would spell.
                if [&two, &three].into_iter().any(|b| b.starts_with(b"%1F")) {
                    continue;
                }
                let findings = sanitizer().scan(&three, Format::Text).expect("scans");
                let head = String::from_utf8_lossy(&three[..three.len().min(60)]).into_owned();
                assert!(findings.iter().any(|f| f.type_name == "GITHUB_TOKEN"), "{head}");
                let out = clean(&three, Format::Text);
                assert!(sanitizer().scan(&out, Format::Text).expect("scans").is_empty(), "{head}");
            }
        }
    }
}

#[test]
fn what_is_found_in_a_blob_is_told_by_the_characters_that_spell_it() {
    let spelt = format!("p: {}", BASE64.encode(text(5).as_bytes()));
    let findings = sanitizer().scan(spelt.as_bytes(), Format::Text).expect("scans");
    let (start, end) = (findings[0].start, findings[0].end);
    assert_eq!((start - 3) % 4, 0, "whole groups");
    let said = BASE64.decode(&spelt.as_bytes()[start..end]).expect("base64");
    assert!(utf8(said).contains(&secret(5)));
    assert!(end - start < 72, "and no more of them than needed");
}

#[test]
fn what_is_learnt_is_found_in_the_forms_that_it_may_take_whatever_the_order() {
    let value = format!("Pw!{}", &secret(8)[8..24]);
    let number: String = value.bytes().map(|byte| char::from(b'0' + byte % 10)).collect();
    let sources = [format!("password = \"{value}\"\n"), format!("client_secret = \"{number}\"\n")];
    let policy = Policy { profile: Profile::HighRecall, ..Policy::default() };
    let sanitizer = Sanitizer::new(&policy, PseudonymKey::from_bytes([7; 32])).expect("the tables are right");
    let learnt = |order: &[usize]| {
        let mut learnt = Learnt::default();
        for source in order {
            let mut one = Learnt::default();
            sanitizer.learn(sources[*source].as_bytes(), Format::Text, &mut one).expect("scans");
            learnt.merge(one);
        }
        learnt
    };
    let (first, second) = (learnt(&[0, 1]), learnt(&[1, 0, 0]));
    // Noise before and behind, so that no form is looked at as what it spells.
    let binary = |value: &str, shift: usize| {
        let noise: Vec<u8> = (0..30 + shift).map(|n| 128 + (n * 37 % 100) as u8).collect();
        BASE64.encode(&[&noise, value.as_bytes(), &noise].concat())
    };
    let percent: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for form in [
        value.clone(),
        number.clone(),
        percent,
        HEXUPPER.encode(value.as_bytes()),
        BASE64.encode(format!("a {value} b").as_bytes()),
        binary(&value, 0),
        binary(&value, 1),
        binary(&value, 2),
    ] {
        let text = format!("we saw <{form}> there");
        let out = sanitizer.document(text.as_bytes(), Format::Text, &first).expect("can be made clean");
        let out = out.into_inner().bytes;
        assert_ne!(out, text.as_bytes());
        assert!(
            sanitizer.document(&out, Format::Text, &first).is_ok_and(|again| again.into_inner().bytes == out)
        );
        let other = sanitizer.document(text.as_bytes(), Format::Text, &second).expect("can be made clean");
        assert_eq!(other.into_inner().bytes, out);
    }
}

#[test]
fn no_bytes_make_a_decoder_fail() {
    let pieces: [&[u8]; 12] = [
        b"%",
        b"\\u",
        b"\\u{",
        b"&#x",
        b"&quot;",
        b"=3D",
        b"=\r\n",
        b"\"",
        b" + ",
        b"\x1f\x8b\x08\0",
        b"x\x9c",
        b"\x28\xb5\x2f\xfd",
    ];
    check!().with_iterations(2_000).with_max_len(400).for_each(|bytes: &[u8]| {
        let mixed: Vec<u8> = bytes
            .iter()
            .flat_map(|byte| match pieces.get(usize::from(*byte) / 8) {
                Some(piece) => piece.to_vec(),
                None => vec![*byte],
            })
            .collect();
        for spelt in [
            bytes.to_vec(),
            mixed.clone(),
            BASE64.encode(&mixed).into_bytes(),
            HEXLOWER.encode(bytes).into_bytes(),
        ] {
            if let Ok(made) = sanitizer().document(&spelt, Format::Text, &Learnt::default()) {
                let once = made.into_inner().bytes;
                let found = sanitizer().scan(&once, Format::Text).expect("scans");
                assert!(found.is_empty(), "{found:?}");
            }
        }
    });
}
