//! Containers give their text, or nothing: real archives, office documents, PDFs and messages, made here.
#![expect(clippy::unwrap_used, reason = "a failure ends the test")]

use std::io::Write;

use certus_agent::extract::{Container, ContainerError, extract};
use certus_agent::limits;
use certus_agent::status::LeftOut;
use zip::write::SimpleFileOptions;

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tarred(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn pdf(text: &str) -> Vec<u8> {
    use lopdf::content::{Content, Operation};
    use lopdf::{Document, Object, Stream, dictionary};
    let mut document = Document::with_version("1.5");
    let pages = document.new_object_id();
    let font =
        document.add_object(dictionary! {"Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Courier"});
    let resources = document.add_object(dictionary! {"Font" => dictionary! {"F1" => font}});
    let operations = vec![
        Operation::new("BT", vec![]),
        Operation::new("Tf", vec!["F1".into(), 12.into()]),
        Operation::new("Td", vec![50.into(), 700.into()]),
        Operation::new("Tj", vec![Object::string_literal(text)]),
        Operation::new("ET", vec![]),
    ];
    let content = Stream::new(dictionary! {}, Content { operations }.encode().unwrap());
    let content = document.add_object(content);
    let page = document.add_object(dictionary! {
        "Type" => "Page", "Parent" => pages, "Contents" => content, "Resources" => resources,
        "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
    });
    document.objects.insert(
        pages,
        Object::Dictionary(dictionary! {"Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1}),
    );
    let catalog = document.add_object(dictionary! {"Type" => "Catalog", "Pages" => pages});
    let information = document.add_object(dictionary! {"Author" => Object::string_literal("Ada Example")});
    document.trailer.set("Root", catalog);
    document.trailer.set("Info", information);
    let mut bytes = Vec::new();
    document.compress();
    document.save_to(&mut bytes).unwrap();
    bytes
}

fn mail(attached: &[u8]) -> Vec<u8> {
    let attached = data_encoding::BASE64.encode(attached);
    format!(
        "From: Ada <ada@example.org>\r\nSubject: =?utf-8?q?Z=C3=AB?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nsoft =\r\nbreak\r\n--b\r\nContent-Type: application/zip; name=\"in.zip\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{attached}\r\n--b--\r\n"
    )
    .into_bytes()
}

fn docx() -> Vec<u8> {
    let document = br#"<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>Ada &amp; Bob</w:t></w:r></w:p></w:body></w:document>"#;
    zipped(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", document)])
}

fn text(name: &str, bytes: &[u8]) -> String {
    let extracted = extract(name, bytes).unwrap();
    assert!(extracted.attributes.iter().any(|(name, ..)| *name == "extracted_from"), "it says so");
    String::from_utf8(extracted.content.into_owned()).unwrap()
}

const WORDS: &[u8] = b"the quick brown fox\n";

#[test]
fn archives_give_their_members_under_their_names() {
    let members: [(&str, &[u8]); 2] = [("a/one.txt", WORDS), ("two.md", b"# Two\n")];
    for (name, bytes) in [
        ("x.zip", zipped(&members)),
        ("x.tar", tarred(&members)),
        ("x.tgz", gzipped(&tarred(&members))),
        ("x.tar.zst", zstd::encode_all(&tarred(&members)[..], 3).unwrap()),
        ("outer.zip", zipped(&[("inner.zip", &zipped(&members))])),
    ] {
        let text = text(name, &bytes);
        assert!(text.contains("==> a/one.txt <==\nthe quick brown fox\n"), "{name}: {text}");
        assert!(text.contains("==> two.md <==\n# Two\n"), "{name}: {text}");
    }
}

#[test]
fn a_text_that_is_only_compressed_is_taken_as_what_it_is() {
    let sarif = br#"{"version": "2.1.0", "runs": []}"#;
    for bytes in [gzipped(sarif), zstd::encode_all(&sarif[..], 3).unwrap()] {
        let extracted = extract("report.sarif.gz", &bytes).unwrap();
        assert_eq!((&*extracted.content, extracted.media_type), (&sarif[..], "application/sarif+json"));
    }
}

#[test]
fn office_documents_give_what_people_wrote_in_them() {
    let types: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");
    let document = br#"<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>Dear </w:t></w:r><w:r><w:t>Ada &amp; Bob</w:t></w:r></w:p><w:p><w:t>bye</w:t></w:p></w:body></w:document>"#;
    let rels = br#"<Relationships><Relationship Id="r" Target="https://example.org/x?y=1&amp;z=2" TargetMode="External"/></Relationships>"#;
    let core = br#"<cp:coreProperties xmlns:cp="c" xmlns:dc="d"><dc:creator>Ada Example</dc:creator></cp:coreProperties>"#;
    let docx = zipped(&[
        types,
        ("word/document.xml", document),
        ("word/_rels/document.xml.rels", rels),
        ("docProps/core.xml", core),
    ]);
    let found = text("letter.docx", &docx);
    assert!(found.contains("Dear Ada & Bob\nbye\n"), "{found}");
    assert!(found.contains("https://example.org/x?y=1&z=2") && found.contains("Ada Example"), "{found}");

    let shared = br#"<sst><si><t>name</t></si><si><r><t>Grace </t></r><r><t>Example</t></r></si></sst>"#;
    let sheet = br#"<worksheet><sheetData><row><c t="s"><v>0</v></c><c><v>42</v></c></row><row><c t="s"><v>1</v></c><c t="inlineStr"><is><t>in place</t></is></c></row></sheetData></worksheet>"#;
    let xlsx = zipped(&[types, ("xl/sharedStrings.xml", shared), ("xl/worksheets/sheet1.xml", sheet)]);
    let found = text("people.xlsx", &xlsx);
    assert!(found.contains("name\t42\t\nGrace Example\tin place\t\n"), "{found}");

    let slide = br#"<p:sld xmlns:p="p" xmlns:a="a"><a:p><a:t>A slide</a:t></a:p></p:sld>"#;
    let pptx = zipped(&[
        types,
        ("ppt/slides/slide1.xml", slide),
        ("ppt/media/image1.png", b"\x89PNG\r\n\x1a\n\0\0\0"),
    ]);
    let contents = Container::Zip.open("talk.pptx", &pptx).unwrap();
    assert!(contents.text.contains("A slide\n"), "{}", contents.text);
    assert_eq!((contents.members, contents.unread), (2, 1), "the picture is told");
}

#[test]
fn pdfs_give_their_pages_and_properties() {
    let found = text("a.pdf", &pdf("The quick brown fox"));
    assert!(found.contains("author: Ada Example") && found.contains("The quick brown fox"), "{found}");
}

#[test]
fn messages_give_headers_texts_and_attachments() {
    let attached = data_encoding::BASE64.encode(&zipped(&[("in.txt", WORDS)]));
    let mail = format!(
        "From: =?utf-8?q?Zo=C3=AB_Example?= <zoe@example.org>\r\nTo: team@example.org\r\nSubject: =?utf-8?b?{}?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nsoft =\r\nbreak =C3=BC\r\n--b\r\nContent-Type: application/zip; name=\"in.zip\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{attached}\r\n--b--\r\n",
        data_encoding::BASE64.encode("Grüße".as_bytes())
    );
    let found = text("note.eml", mail.as_bytes());
    for wanted in [
        "Zoë Example <zoe@example.org>",
        "Subject: Grüße",
        "soft break ü",
        "==> in.zip <==",
        "==> in.txt <==\nthe quick",
    ] {
        assert!(found.contains(wanted), "{wanted} in {found}");
    }
    assert_eq!(Container::detect("notes.txt", b"Date: tomorrow\nno message at all\n"), None);
}

#[test]
fn bombs_damage_and_encryption_give_nothing() {
    let zeros = vec![b'a'; limits::EXTRACT_BYTES_MAX + 1];
    let bound = |bytes: &[u8], name: &str| {
        let why = extract(name, bytes).unwrap_err();
        assert!(matches!(&why, LeftOut::Unopened(why) if why.contains("limit")), "{name}: {why:?}");
    };
    bound(&gzipped(&zeros), "bomb.gz");
    bound(&zipped(&[("bomb", &zeros)]), "bomb.zip");
    bound(&zipped(&[("small", &vec![b'a'; limits::EXTRACT_BYTES_FREE + 1])]), "dense.zip");
    let deep =
        (0..limits::EXTRACT_DEPTH_MAX).fold(WORDS.to_vec(), |inner, _| zipped(&[("deeper.zip", &inner)]));
    bound(&zipped(&[("deepest.zip", &deep)]), "deep.zip");
    let many: Vec<(String, &[u8])> =
        (0..=limits::EXTRACT_MEMBERS_MAX).map(|i| (i.to_string(), &b""[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    bound(&zipped(&many), "many.zip");

    let whole = zipped(&[("one.txt", WORDS)]);
    for cut in [4, 30, whole.len() / 2, whole.len() - 1] {
        let outcome = Container::Zip.open("cut.zip", &whole[..cut]);
        assert_eq!(outcome, Err(ContainerError::Damaged), "cut at {cut}");
    }
    for bytes in [&b"%PDF-1.7 and nothing else"[..], b"\x1f\x8b\x08\x00garbage", b"\x28\xb5\x2f\xfdgarbage"] {
        assert!(matches!(extract("x", bytes), Err(LeftOut::Unopened(_))));
    }
    assert_eq!(extract("only.zip", &zipped(&[("a.png", b"\x89PNG\0\0")])).unwrap_err(), LeftOut::Binary);
}

/// What the bytes of a fuzzer do to a container: each four put another byte somewhere, or cut it off there, or leave out or
/// repeat a stretch.
fn damaged(mut bytes: Vec<u8>, how: &[u8]) -> Vec<u8> {
    for step in how.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([step[0], step[1]])) % bytes.len().max(1);
        let length = usize::from(step[3]).min(bytes.len() - at);
        match step[2] % 8 {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..at + length)),
            2 => {
                let again = bytes[at..at + length].to_vec();
                bytes.splice(at..at, again);
            }
            _ if at < bytes.len() => bytes[at] = step[3],
            _ => {}
        }
    }
    bytes
}

#[test]
fn damaged_containers_give_text_within_bounds_or_nothing() {
    let inner = zipped(&[("in.txt", WORDS), ("b/c.md", b"# Two\n")]);
    let whole: Vec<(&str, Vec<u8>)> = vec![
        ("x.zip", zipped(&[("a.txt", WORDS), ("inner.zip", &inner)])),
        ("x.docx", docx()),
        ("x.tar", tarred(&[("a.txt", WORDS), ("inner.zip", &inner)])),
        ("x.tgz", gzipped(&tarred(&[("a.txt", WORDS)]))),
        ("x.zst", zstd::encode_all(WORDS, 3).unwrap()),
        ("x.pdf", pdf("The quick brown fox")),
        ("x.eml", mail(&inner)),
        ("x.mbox", [&b"From a@b.example Thu Jan  1 00:00:00 2026\r\n"[..], &mail(&inner)].concat()),
    ];
    for (name, bytes) in &whole {
        assert!(extract(name, bytes).is_ok(), "{name}");
    }
    bolero::check!().with_iterations(2_000).with_max_len(64).for_each(|how: &[u8]| {
        let Some((which, how)) = how.split_first() else { return };
        let (name, bytes) = &whole[usize::from(*which) % whole.len()];
        let bytes = damaged(bytes.clone(), how);
        let Some(container) = Container::detect(name, &bytes) else { return };
        // A name in the directory stands for each member, and each is asked for once more.
        let most = limits::EXTRACT_BYTES_FREE + 4 * bytes.len();
        if let Ok(contents) = container.open(name, &bytes) {
            assert!(contents.text.len() <= most && contents.unread <= contents.members, "{name}");
        }
        if let Ok(all) = container.everything(name, &bytes) {
            assert!(all.len() <= 2 * most, "{name}: {}", all.len());
        }
        if let Ok(extracted) = extract(name, &bytes) {
            assert!(extracted.content.len() <= most, "{name}");
        }
    });
}
