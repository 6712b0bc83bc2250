//! Hostile bytes into every decoder: no panic, what was spelt is read, and every stretch of it leads back to its spelling.

use bolero::check;

use super::map::{Map, Piece, Walk};
use super::packed::{Packing, State};
use super::{Encoding, blobs, escapes, joined, map, spaced};
use crate::json;

const ITERATIONS: usize = 2_000;
const BYTES_MAX: usize = 300;

/// What holds for any decoder on any bytes: its pieces lie in order within the source, and stretches of what it says lead to
/// stretches of the source that say at least that.
fn assert_sound(walk: Walk, raw: &[u8]) -> Vec<u8> {
    let mut end = 0;
    walk(raw, &mut |piece: Piece<'_>| {
        assert!(end <= piece.start && piece.start <= piece.end && piece.end <= raw.len(), "{piece:?}");
        end = piece.end;
    });
    let decoded = map::decode(walk, raw);
    let map = Map::new(walk, raw);
    let step = 1 + decoded.len() / 16;
    for start in (0..decoded.len()).step_by(step) {
        for end in (start + 1..=decoded.len()).step_by(step) {
            let (from, to) = map.source(start, end);
            assert!(from < to && to <= raw.len(), "{start}..{end} is {from}..{to} of {}", raw.len());
            let wider = map.source(start, decoded.len().min(end + 1));
            assert!(wider.0 == from && wider.1 >= to, "{start}..{end}");
        }
    }
    decoded
}

/// The same, where the source spells `plain` unit by unit: each byte's stretch says that byte.
fn assert_spells(walk: Walk, raw: &[u8], plain: &[u8]) {
    assert_eq!(String::from_utf8_lossy(&assert_sound(walk, raw)), String::from_utf8_lossy(plain));
    let map = Map::new(walk, raw);
    for at in (0..plain.len()).step_by(1 + plain.len() / 16) {
        let (from, to) = map.source(at, at + 1);
        let said = map::decode(walk, &raw[from..to]);
        assert!(said.contains(&plain[at]) && said.len() <= 4, "byte {at} of {plain:?} is {said:?}");
    }
}

/// Printable bytes, by which no escape begins.
fn words(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .map(|byte| {
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _"[usize::from(byte % 64)]
        })
        .collect()
}

/// Every so many bytes spelt as an escape, the others as they are.
fn mixed(bytes: &[u8], every: usize, spell: impl Fn(u8) -> String) -> Vec<u8> {
    let spelt = bytes.iter().enumerate().map(|(at, byte)| match at % every {
        0 => spell(*byte).into_bytes(),
        _ => vec![*byte],
    });
    spelt.collect::<Vec<_>>().concat()
}

#[test]
fn escapes_of_every_sort() {
    check!().with_iterations(ITERATIONS).with_max_len(BYTES_MAX).for_each(|bytes: &[u8]| {
        assert_sound(escapes::walk, bytes);
        let marks =
            [&b"%"[..], b"&", b"&#x", b";", b"\\", b"\\u", b"\\u{", b"}", b"\\x", b"\\ud83d", b"\\U0001"];
        let broken: Vec<u8> = bytes
            .iter()
            .flat_map(|b| marks.get(usize::from(*b) / 16).map_or(vec![*b], |mark| mark.to_vec()))
            .collect();
        assert_sound(escapes::walk, &broken);
        let plain = words(bytes);
        let every = 1 + bytes.len() % 3;
        let spells: [fn(u8) -> String; 7] = [
            |b| format!("%{b:02X}"),
            |b| format!("\\u{b:04x}"),
            |b| format!("\\u{{{b:x}}}"),
            |b| format!("\\U{b:08X}"),
            |b| format!("\\x{b:02X}"),
            |b| format!("&#{b};"),
            |b| format!("&#x{b:x};"),
        ];
        for spell in spells {
            assert_spells(escapes::walk, &mixed(&plain, every, spell), &plain);
        }
        let near = [b'%', b'&', b'\\'][bytes.len() % 3];
        assert_eq!(map::decode(escapes::walk, &escapes::spelt(&plain, &[near])), plain);
    });
}

#[test]
fn quoted_printable() {
    check!().with_iterations(ITERATIONS).with_max_len(BYTES_MAX).for_each(|bytes: &[u8]| {
        assert_sound(escapes::walk_quoted, bytes);
        let broken: Vec<u8> =
            bytes.iter().flat_map(|b| if *b < 128 { vec![b'=', *b] } else { vec![*b] }).collect();
        assert_sound(escapes::walk_quoted, &broken);
        let spelt: Vec<u8> = bytes.iter().flat_map(|b| format!("={b:02X}").into_bytes()).collect();
        let folded: Vec<u8> = spelt.chunks(75).collect::<Vec<_>>().join(&b"=\r\n"[..]);
        // A line's end may come between the two digits of a byte here, which no writer does.
        assert_sound(escapes::walk_quoted, &folded);
        for joint in ["=\n", "=\r\n"] {
            let whole: Vec<u8> = spelt.chunks(72).collect::<Vec<_>>().join(joint.as_bytes());
            assert_spells(escapes::walk_quoted, &whole, bytes);
        }
        assert_eq!(map::decode(escapes::walk_quoted, &escapes::spelt(bytes, b"=")), bytes);
    });
}

#[test]
fn strings_of_json() {
    check!().with_iterations(ITERATIONS).with_max_len(BYTES_MAX).for_each(|bytes: &[u8]| {
        assert_sound(json::walk, bytes);
        let broken: Vec<u8> =
            bytes.iter().flat_map(|b| if *b < 100 { vec![b'\\', *b] } else { vec![*b] }).collect();
        assert_sound(json::walk, &broken);
        assert_eq!(json::decode(&json::spelt(bytes)), bytes);
        let text = String::from_utf8_lossy(bytes);
        let quoted = [&b"\""[..], &json::spelt(text.as_bytes()), b"\""].concat();
        assert_eq!(serde_json::from_slice::<String>(&quoted).ok().as_deref(), Some(&*text));
        let spelt = serde_json::to_string(&text).expect("serialises");
        assert_spells(json::walk, &spelt.as_bytes()[1..spelt.len() - 1], text.as_bytes());
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        assert_spells(json::walk, units.as_bytes(), text.as_bytes());
    });
}

#[test]
fn documents_of_json() {
    check!().with_iterations(ITERATIONS).with_max_len(BYTES_MAX).for_each(|bytes: &[u8]| {
        let pieces = [
            "{", "}", "[", "]", ":", ",", "\"", "\\", "0", "-1.5e3", "true", "null", " ", "\"a\"", "\"\\\"\"",
        ];
        let text: String = bytes.iter().map(|byte| pieces[usize::from(*byte) % pieces.len()]).collect();
        for text in [text.as_bytes(), bytes] {
            let tokens = json::tokens(text);
            let mut end = 0;
            for token in tokens.iter().flatten() {
                assert!(
                    end <= token.start && token.start <= token.end && token.end <= text.len(),
                    "{token:?}"
                );
                assert!(!token.keyed || end > 0, "{token:?}");
                end = token.end;
            }
        }
        // What a parser takes is taken here, with all of its strings and what they are the values of.
        let (one, other) = bytes.split_at(bytes.len() / 2);
        let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
        let value =
            serde_json::json!({"a": one, &*other: [one, {"b": other}], "c": {&*one: &*other, "d": 1}});
        let written = serde_json::to_string_pretty(&value).expect("serialises");
        let tokens = json::tokens(written.as_bytes()).expect("JSON");
        let said = |token: &json::Token| json::decode(&written.as_bytes()[token.start..token.end]);
        let pairs = tokens.windows(2).filter(|pair| pair[1].keyed);
        let strings = pairs.filter(|pair| pair[1].kind != json::TokenKind::Number);
        let found = strings.map(|pair| (said(&pair[0]), said(&pair[1])));
        let found: std::collections::BTreeSet<(Vec<u8>, Vec<u8>)> = found.collect();
        let mut wanted = std::collections::BTreeSet::new();
        named(&value, &mut wanted);
        assert_eq!(found, wanted);
    });
}

/// Strings that are the values of keys, with those.
fn named(value: &serde_json::Value, found: &mut std::collections::BTreeSet<(Vec<u8>, Vec<u8>)>) {
    match value {
        serde_json::Value::Array(list) => list.iter().for_each(|value| named(value, found)),
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                if let serde_json::Value::String(text) = value {
                    found.insert((key.clone().into_bytes(), text.clone().into_bytes()));
                }
                named(value, found);
            }
        }
        _ => {}
    }
}

#[test]
fn pairs_with_signs_between() {
    check!().with_iterations(ITERATIONS).with_max_len(BYTES_MAX).for_each(|bytes: &[u8]| {
        assert_sound(spaced::walk, bytes);
        let pieces = ["a", "0f", " ", ":", "-", "\n", "\r\n", "F", "12:", "34 ", "g", "  "];
        let text: String = bytes.iter().map(|byte| pieces[usize::from(*byte) % pieces.len()]).collect();
        for at in 0..text.len() {
            let (end, looked) = spaced::row(text.as_bytes(), at);
            assert!(looked > at && end.is_none_or(|end| at < end && end <= text.len() && end <= looked));
        }
        let plain = [&b"words before it"[..], bytes].concat();
        for sign in [" ", ":", "-"] {
            let near = format!("ab{sign}cd");
            let spelt = spaced::spelt(&plain, near.as_bytes());
            assert_eq!(spaced::row(&spelt, 0).0, Some(spelt.len()));
            assert_spells(spaced::walk, &spelt, &plain);
            let line: Vec<u8> = spelt.chunks(48).collect::<Vec<_>>().join(&b"\n    "[..]);
            assert_eq!(spaced::row(&line, 0).0, Some(line.len()));
            assert_spells(spaced::walk, &line, &plain);
        }
    });
}

#[test]
fn units_of_two_and_four_bytes() {
    let encodings = [
        Encoding::Utf16Le(0),
        Encoding::Utf16Be(0),
        Encoding::Utf16Le(2),
        Encoding::Utf16Be(2),
        Encoding::Utf32Le(0),
        Encoding::Utf32Be(0),
        Encoding::Utf32Le(4),
        Encoding::Utf32Be(4),
    ];
    check!().with_iterations(ITERATIONS).with_max_len(BYTES_MAX).for_each(|bytes: &[u8]| {
        for encoding in encodings {
            let walk = encoding.walk().expect("it is no UTF-8");
            let text = String::from_utf8_lossy(bytes);
            let two = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
            let four = |unit: fn(u32) -> [u8; 4]| text.chars().flat_map(|c| unit(c.into())).collect();
            let (mark, spelt): (usize, Vec<u8>) = match encoding {
                Encoding::Utf16Le(mark) => (mark, two(u16::to_le_bytes)),
                Encoding::Utf16Be(mark) => (mark, two(u16::to_be_bytes)),
                Encoding::Utf32Le(mark) => (mark, four(u32::to_le_bytes)),
                Encoding::Utf32Be(mark) => (mark, four(u32::to_be_bytes)),
                Encoding::Ascii => unreachable!("it is none of those"),
            };
            if bytes.len() >= mark {
                assert_sound(walk, bytes);
            }
            let spelt = [&[0; 4][..mark], &spelt].concat();
            match mark {
                0 => assert_spells(walk, &spelt, text.as_bytes()),
                // A piece without the mark is none of this encoding.
                _ => assert_eq!(assert_sound(walk, &spelt), text.as_bytes()),
            }
            assert_eq!(encoding.decode(&spelt).as_deref(), Some(&*text));
            let ascii = words(bytes);
            assert_eq!(map::decode(walk, &[&spelt[..mark], &encoding.encode(&ascii)].concat()), ascii);
        }
    });
}

#[test]
fn literals_that_are_joined() {
    check!().with_iterations(ITERATIONS).with_max_len(BYTES_MAX).for_each(|bytes: &[u8]| {
        let pieces = [
            "\"", "'", "`", "\\", "\n", " ", "+", ".", "&", ",", "|", "/*", "*/", "//", "_", "\" + \"",
            "' . `", "', '", "[", "].join(", "\\\"", "a", "\"\n  \"",
        ];
        let text: String = bytes.iter().map(|byte| pieces[usize::from(*byte) % pieces.len()]).collect();
        for text in [text.as_bytes(), bytes] {
            assert_sound(joined::walk, text);
            for at in 0..text.len() {
                if let Some(close) = joined::follows(text, at) {
                    assert!(close < at && joined::goes_on(text, close), "{close} {at}");
                }
                if joined::goes_on(text, at)
                    && let Some(row) = joined::row(text, at)
                {
                    assert!(row.start <= at && at < row.end && row.end < text.len(), "{row:?} {at}");
                    if let Some(walk) = row.walk() {
                        assert_sound(walk, text);
                    }
                    joined::spelt(b"with", &text[row.start..row.end]);
                }
            }
        }
        let plain = words(bytes);
        let parts: Vec<&[u8]> = plain.chunks(7).collect();
        for joint in
            ["\" + \"", "\" +\n    \"", "\"\n    \"", "\" \\\n  \"", "\" . \"", "\" & \"", "\" ++ \""]
        {
            assert_spells(joined::walk, &parts.join(joint.as_bytes()), &plain);
        }
    });
}

/// What blobs hold for any bytes, and for a text that they spell.
fn assert_blobs(text: &[u8], plain: Option<&[u8]>) {
    let whole = [(0, text.len())];
    let found = blobs::find(text, whole.iter());
    let mut end = 0;
    for blob in &found {
        assert!(end <= blob.start && blob.start < blob.end && blob.end <= text.len(), "{blob:?}");
        end = blob.end;
        for (from, to) in [(0, 1), (0, blob.decoded.len()), (blob.decoded.len() / 2, blob.decoded.len())] {
            let (start, end) = blob.source(from, to.max(from));
            assert!(blob.start <= start && start <= end && end <= blob.end);
        }
    }
    if let Some(plain) = plain {
        let [blob] = &found[..] else {
            panic!("{} blobs in {:?}", found.len(), String::from_utf8_lossy(text))
        };
        assert_eq!(String::from_utf8_lossy(&blob.decoded), String::from_utf8_lossy(plain));
        assert_eq!(blob.encode(plain), &text[blob.start..blob.end], "spelt again as it was");
        for at in (0..plain.len()).step_by(1 + plain.len() / 16) {
            let (start, end) = blob.source(at, at + 1);
            let digits: Vec<u8> =
                text[start..end].iter().copied().filter(|b| !b.is_ascii_whitespace() && *b != b'=').collect();
            let hex =
                data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).is_ok_and(|said| said == plain[at..=at]);
            let base64 =
                data_encoding::BASE64_NOPAD.decode(&digits).is_ok_and(|said| said.contains(&plain[at]));
            let url =
                data_encoding::BASE64URL_NOPAD.decode(&digits).is_ok_and(|said| said.contains(&plain[at]));
            assert!(
                hex || base64 || url,
                "byte {at} of {:?}: {:?}",
                String::from_utf8_lossy(plain),
                &text[start..end]
            );
        }
    }
}

#[test]
fn base64_and_hexadecimal_digits() {
    use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXUPPER};
    check!().with_iterations(ITERATIONS).with_max_len(BYTES_MAX).for_each(|bytes: &[u8]| {
        assert_blobs(bytes, None);
        assert_blobs(BASE64.encode(bytes).as_bytes(), None);
        assert_blobs(HEXLOWER.encode(bytes).as_bytes(), None);
        let characters: Vec<u8> =
            bytes.iter().map(|byte| b"ABCDwxyz0189+/-_=\n "[usize::from(*byte) % 19]).collect();
        assert_blobs(&characters, None);
        // Long enough to be taken for a text, and nothing that reads as digits itself.
        let plain = [b"words and ", &words(bytes)[..], b" behind"].concat();
        for spelt in [
            HEXLOWER.encode(&plain),
            HEXUPPER.encode(&plain),
            BASE64.encode(&plain),
            BASE64_NOPAD.encode(&plain),
        ] {
            // Without padding, whole groups may be followed by none or by what was left away.
            if !spelt.is_empty() {
                assert_blobs(spelt.as_bytes(), Some(&plain));
            }
        }
        let folded: Vec<u8> =
            BASE64.encode(&plain).as_bytes().chunks(64).collect::<Vec<_>>().join(&b"\r\n  "[..]);
        assert_blobs(&folded, Some(&plain));
    });
}

#[test]
fn packed_bytes() {
    check!().with_iterations(ITERATIONS / 8).with_max_len(BYTES_MAX).for_each(|bytes: &[u8]| {
        for packing in [Packing::Gzip, Packing::Zlib, Packing::Zstd] {
            let packed = packing.pack(bytes).expect("packs");
            assert_eq!(Packing::detect(&packed), Some(packing));
            let mut left = 1 << 16;
            let unpacked = packing.unpack(&packed, &mut left).expect("within the limits");
            assert!(unpacked.map_or(bytes.is_empty(), |all| all.plain == bytes && all.state == State::Whole));
            assert_eq!(left, (1 << 16) - bytes.len());
            // Bytes that are changed, and an end that is cut off.
            let mut changed = packed.clone();
            for pair in bytes.chunks_exact(2).take(4) {
                let at = usize::from(pair[0]) % changed.len();
                changed[at] = pair[1];
            }
            for broken in [&changed[..], &packed[..packed.len() * 2 / 3], bytes] {
                let mut left = 1 << 12;
                let all = packing.unpack(broken, &mut left);
                assert!(
                    left <= 1 << 12 && all.is_ok_and(|all| all.is_none_or(|all| all.plain.len() <= 1 << 12))
                        || left == 1 << 12
                );
            }
        }
    });
}
