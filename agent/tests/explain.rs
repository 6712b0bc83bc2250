//! The commands that explain, as real processes: what scan reports is what sanitize takes out, no value is told, baselines
//! hide what they know, and a wrong policy is refused with line and reason.
#![expect(clippy::unwrap_used, reason = "a failure ends the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A token of a forge, made here so that none stands in the repository.
fn token(seed: u64) -> String {
    let letters = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let letter = |i: u64| {
        let n = (seed * 64 + i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        char::from(letters[((n.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) % 62) as usize])
    };
    format!("{}_{}", "ghp", (0..36).map(letter).collect::<String>())
}

fn agent(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_certus-agent"))
        .current_dir(dir)
        .args(["--config", "agent.toml"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A configured agent with its key, and a tree with values and a file that is no text.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("agent.toml"), format!("state_dir = {:?}\n", path("state"))).unwrap();
    fs::create_dir(path("tree")).unwrap();
    fs::write(path("tree/a.txt"), format!("one\n  é use {} now\n", token(1))).unwrap();
    fs::write(path("tree/b.txt"), "write to jane@acme-corp.org today\n").unwrap();
    fs::write(path("tree/c.bin"), [0u8, 1, 2, 3, 255, 0, 9, 1]).unwrap();
    fs::write(path("tree/d.txt"), "nothing here\n").unwrap();
    assert!(agent(dir.path(), &["key", "new"]).status.success());
    dir
}

fn rows(dir: &Path) -> Vec<Value> {
    let output = agent(dir, &["scan", "--json", "tree"]);
    assert!(output.status.success(), "{}", complaint(&output));
    told(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_scan_reports_sanitize_takes_out_and_nothing_else() {
    let dir = place();
    let rows = rows(dir.path());
    assert_eq!(rows.len(), 2, "{rows:?}");
    let output = agent(dir.path(), &["sanitize", "--learn", "off", "tree", "--out", "out"]);
    assert!(
        output.status.success() && complaint(&output).contains("1 files were left out"),
        "{}",
        complaint(&output)
    );
    for name in ["a.txt", "b.txt", "d.txt"] {
        let mut wanted = fs::read(dir.path().join("tree").join(name)).unwrap();
        for row in rows.iter().rev().filter(|row| row["path"] == name) {
            let at = |key: &str| row[key].as_u64().unwrap() as usize;
            wanted.splice(at("start")..at("end"), row["replacement"].as_str().unwrap().bytes());
        }
        assert_eq!(fs::read(dir.path().join("out").join(name)).unwrap(), wanted, "{name}");
    }
    assert!(!dir.path().join("out/c.bin").exists());
}

#[test]
fn a_finding_says_where_why_and_how_sure_but_not_what() {
    let dir = place();
    let row = &rows(dir.path())[0];
    assert_eq!(
        (&row["line"], &row["column"], &row["why"]),
        (&2.into(), &9.into(), &"prefix".into()),
        "{row}"
    );
    // Its checksum is wrong: it goes all the same, but less surely.
    assert!(row["score"] == 0.6 && row["check"].is_null(), "{row}");
    assert_eq!(row["masked"], format!("{}_****", "ghp"), "{row}");
    let output = agent(dir.path(), &["scan", "tree"]);
    let (answer, summary) = (told(&output), complaint(&output));
    assert!(
        answer.contains("a.txt:2:9: secret GITHUB_TOKEN") && answer.contains("b.txt:1:10: pii EMAIL ****"),
        "{answer}"
    );
    assert!(
        !answer.contains(&token(1)[8..]) && !answer.contains("jane") && !answer.contains('\x1b'),
        "{answer}"
    );
    assert!(summary.contains("2 findings") && summary.contains("1 files not looked at"), "{summary}");
}

#[test]
fn sarif_is_whole_and_holds_no_value() {
    let dir = place();
    let output = agent(dir.path(), &["scan", "--sarif", "tree"]);
    let text = told(&output);
    let log: Value = serde_json::from_str(&text).unwrap();
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!((results.len(), &log["version"]), (2, &"2.1.0".into()));
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        let rule = rules.iter().find(|rule| rule["id"] == result["ruleId"]).unwrap();
        assert!(rule["helpUri"].as_str().unwrap().starts_with("https://"));
        assert!(result["partialFingerprints"]["certus/v1"].is_string());
    }
    assert!(!text.contains(&token(1)[8..]) && !text.contains("jane"));
}

#[test]
fn a_baseline_hides_what_it_knows_and_fail_on_tells_the_rest() {
    let dir = place();
    let scan = |arguments: &[&str]| agent(dir.path(), &[&["scan", "tree"], arguments].concat());
    assert_eq!(scan(&["--fail-on", "secret"]).status.code(), Some(1));
    assert!(scan(&["--write-baseline", "base"]).status.success());
    let base = fs::read_to_string(dir.path().join("base")).unwrap();
    assert!(base.lines().count() == 3 && !base.contains("jane") && !base.contains("ghp"), "{base}");
    let again = scan(&["--baseline", "base", "--fail-on", "any"]);
    assert!(again.status.success() && told(&again).is_empty(), "{}", told(&again));
    fs::write(dir.path().join("tree/d.txt"), format!("new {}\n", token(2))).unwrap();
    let more = scan(&["--baseline", "base", "--fail-on", "any"]);
    assert_eq!((more.status.code(), told(&more).lines().count()), (Some(1), 1));
    fs::remove_file(dir.path().join("state/pseudonym.key")).unwrap();
    let keyless = scan(&["--write-baseline", "other"]);
    assert!(
        keyless.status.code() == Some(65) && complaint(&keyless).contains("key new"),
        "{}",
        complaint(&keyless)
    );
}

#[test]
fn a_policy_file_counts_and_a_wrong_one_is_refused_with_its_line() {
    let dir = place();
    let policy = dir.path().join("policy.toml");
    fs::write(&policy, "off = [\"EMAIL\"]\n[action]\nGITHUB_TOKEN = \"mask\"\n").unwrap();
    let output = agent(dir.path(), &["scan", "--policy", "policy.toml", "tree"]);
    let answer = told(&output);
    assert!(answer.lines().count() == 1 && answer.contains("MASKED_GITHUB_TOKEN_xxxx"), "{answer}");
    fs::write(&policy, "\n[[rule]]\nid = \"x\"\ntype = \"X\"\nregex = 'abc'\nexamples = [\"abd\"]\n")
        .unwrap();
    for arguments in [
        &["scan", "--policy", "policy.toml", "tree"][..],
        &["sanitize", "--policy", "policy.toml", "tree", "--out", "o"],
    ] {
        let output = agent(dir.path(), arguments);
        let wanted = "certus-agent: policy.toml, line 2: rule x: it finds nothing in its example 1\n";
        assert_eq!((output.status.code(), complaint(&output).as_str()), (Some(64), wanted));
    }
    let output = agent(dir.path(), &["rules", "test", "policy.toml"]);
    assert!(
        output.status.code() == Some(65) && told(&output).starts_with("FAIL x, line 2: "),
        "{}",
        told(&output)
    );
    fs::write(dir.path().join("agent.toml"), "state_dir = \"state\"\n[sanitize]\npolicy = \"policy.toml\"\n")
        .unwrap();
    let output = agent(dir.path(), &["config", "check"]);
    assert!(
        complaint(&output).contains("agent.toml, line 3: policy.toml, line 2: rule x"),
        "{}",
        complaint(&output)
    );
}

#[test]
fn rules_can_be_listed_and_shown() {
    let dir = place();
    let listed = told(&agent(dir.path(), &["rules", "ls", "--json"]));
    for (number, row) in listed.lines().enumerate().step_by(97) {
        let row: Value = serde_json::from_str(row).unwrap();
        let shown = told(&agent(dir.path(), &["rules", "show", row["id"].as_str().unwrap()]));
        let rule: toml::Table = shown.parse().unwrap();
        assert_eq!((&rule["id"], &rule["source"]), (&text(&row["id"]), &text(&row["source"])), "{number}");
    }
    assert_eq!(agent(dir.path(), &["rules", "show", "no-such-rule"]).status.code(), Some(65));
}

fn text(value: &Value) -> toml::Value {
    toml::Value::String(value.as_str().unwrap().to_owned())
}

#[test]
fn rules_of_a_policy_file_are_listed_shown_and_named_in_sarif() {
    let dir = place();
    let rule =
        "[[rule]]\nid = \"badge\"\ntype = \"BADGE\"\nregex = 'BADGE-\\d{6}'\nexamples = [\"BADGE-123456\"]";
    fs::write(
        dir.path().join("policy.toml"),
        format!("off = [\"EMAIL\"]\n{rule}\n\n[[allow]]\nvalues = []\npaths = [\"x\"]\nreason = \"r\"\n"),
    )
    .unwrap();
    let listed = told(&agent(dir.path(), &["rules", "ls", "--policy", "policy.toml"]));
    assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), ["badge", "secret", "BADGE"]);
    let shown = told(&agent(dir.path(), &["rules", "show", "badge", "--policy", "policy.toml"]));
    assert_eq!(shown.trim_end(), rule);
    let sarif = told(&agent(dir.path(), &["scan", "--sarif", "--policy", "policy.toml", "tree"]));
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let has = |id: &str| rules.iter().any(|rule| rule["id"] == id);
    assert!(has("badge") && has("jwt") && has("fingerprint") && !has("email"), "{rules:?}");
}

#[test]
fn a_value_in_a_files_name_is_told_and_not_shown() {
    let dir = place();
    let name = format!("{}.txt", token(77));
    let tree = dir.path().join("named");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join(&name), format!("key {}", token(78))).unwrap();
    for arguments in [&["scan", "--fail-on", "secret", "named"][..], &["scan", "--sarif", "named"]] {
        let output = agent(dir.path(), arguments);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), complaint(&output));
        assert!(said.contains("a file's name holds a secret, GITHUB_TOKEN"), "{said}");
        assert!(!said.contains(&token(77)) && !said.contains(&token(78)), "{said}");
    }
    let only = agent(dir.path(), &["scan", "--json", "named"]);
    assert_eq!(told(&only).lines().count(), 1, "a name is no finding of the file's");
}

#[test]
fn a_copy_is_the_same_on_one_core_and_on_all() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let dir = place();
    let tree = dir.path().join("many");
    fs::create_dir(&tree).unwrap();
    for number in 0..120u64 {
        // Each file says what another one gives away, before it or behind it.
        let value = |number: u64| token(number)[4..18].to_owned();
        let text = format!("password = \"{}\"\nsay {} now\n", value(number), value((number * 7 + 50) % 120));
        fs::write(tree.join(format!("{number}.txt")), text).unwrap();
    }
    let copied = |out: &str| {
        let output = agent(dir.path(), &["sanitize", "many", "--out", out]);
        assert!(output.status.success(), "{}", complaint(&output));
        let copy =
            |number: u64| fs::read_to_string(dir.path().join(out).join(format!("{number}.txt"))).unwrap();
        (0..120).map(copy).collect::<Vec<String>>()
    };
    let all = copied("all");
    // What a thread starts runs where the thread may.
    let one = std::thread::scope(|scope| {
        let one = scope.spawn(|| {
            let may = sched_getaffinity(None).unwrap();
            let first = (0..CpuSet::MAX_CPU).find(|cpu| may.is_set(*cpu)).unwrap();
            let mut only = CpuSet::new();
            only.set(first);
            sched_setaffinity(None, &only).unwrap();
            copied("one")
        });
        one.join().unwrap()
    });
    assert_eq!(one, all);
    for (number, text) in all.iter().enumerate() {
        assert_eq!(text.matches("REDACTED_").count(), 2, "{number}: {text}");
    }
}

/// A container of members, with a comment.
fn zipped(members: &[(&str, &str)], comment: &str) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.set_comment(comment).unwrap();
    writer.finish().unwrap().into_inner()
}

/// A document of one empty page with an annotation, and a comment in the file.
fn pdf(annotation: &str, comment: &str) -> Vec<u8> {
    use lopdf::{Document, Object, dictionary};
    let mut document = Document::with_version("1.5");
    let note = document
        .add_object(dictionary! {"Type" => "Annot", "Contents" => Object::string_literal(annotation)});
    let pages = document.new_object_id();
    let content = lopdf::Stream::new(dictionary! {}, b"BT /F1 12 Tf (Hello) Tj ET".to_vec());
    let content = document.add_object(content);
    let font =
        document.add_object(dictionary! {"Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Courier"});
    let page = document.add_object(dictionary! {
        "Type" => "Page", "Parent" => pages, "Annots" => vec![note.into()], "Contents" => content,
        "Resources" => dictionary! {"Font" => dictionary! {"F1" => font}},
        "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
    });
    let tree = dictionary! {"Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1};
    document.objects.insert(pages, Object::Dictionary(tree));
    let catalog = document.add_object(dictionary! {"Type" => "Catalog", "Pages" => pages});
    document.trailer.set("Root", catalog);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes.extend(format!("\n% {comment}\n").bytes());
    bytes
}

#[test]
fn a_container_that_hides_a_value_anywhere_is_left_out_and_a_clean_one_kept() {
    let dir = place();
    let types = ("[Content_Types].xml", "<Types/>");
    let body = ("word/document.xml", "<w:document><w:p><w:t>words</w:t></w:p></w:document>");
    let mut token = {
        let mut seed = 70;
        move || {
            seed += 1;
            token(seed)
        }
    };
    let zip = |hidden: &str, text: &str| zipped(&[types, body, (hidden, text)], "");
    let mail = |first: &str, inner: &[u8]| {
        let part = data_encoding::BASE64_MIME.encode(inner);
        format!("{first}\r\nMIME-Version: 1.0\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/zip; name=a.zip\r\nContent-Disposition: attachment; filename=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n{part}\r\n--b--\r\n").into_bytes()
    };
    let tar = {
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_pax_extensions([("comment", token().as_bytes())]).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_size(6);
        builder.append_data(&mut header, "a.txt", &b"words\n"[..]).unwrap();
        builder.into_inner().unwrap()
    };
    let hiding = [
        ("settings.nupkg", zip("content/appsettings.json", &format!("{{\"a\": \"{}\"}}", token()))),
        ("settings.docx", zip("word/settings.xml", &format!("<w:docVar w:val=\"{}\"/>", token()))),
        ("connection.xlsx", zip("xl/connections.xml", &format!("<connection x=\"{}\"/>", token()))),
        ("comment.docx", zip("word/footer.xml", &format!("<w:p><!-- {} --><w:t>a</w:t></w:p>", token()))),
        ("comment.zip", zipped(&[("a.txt", "words")], &token())),
        ("pax.tar", tar),
        ("note.pdf", pdf(&token(), "words")),
        ("comment.pdf", pdf("words", &token())),
        ("comments.eml", mail("Comments: words", &zipped(&[("a.txt", &token())], ""))),
        (
            "box.mbox",
            mail("From a@b Thu Jan  1 00:00:00 1970\r\nComments: w", &zipped(&[("a.txt", &token())], "")),
        ),
    ];
    // In a text it is somebody's, in settings the program's own.
    let number = ["9f1c7b04", "e2d8", "5a63", "8c1e", "7b04e2d85a63"].join("-");
    let numbered = ("number.eml", mail("Comments: words", &zipped(&[("a.txt", &number)], "")));
    let version = "<w:settings><w15:docId w15:val=\"{5B9C2F6A-3D1E-4A7B-9C84-0F1E2D3C4B5A}\"/></w:settings>";
    let clean = [
        ("clean.docx", zip("word/settings.xml", version)),
        ("clean.zip", zipped(&[("a.txt", "words")], "words")),
        ("clean.pdf", pdf("words", "words")),
        ("clean.eml", mail("Comments: words", &zipped(&[("a.txt", "words")], ""))),
    ];
    for (name, bytes) in hiding.iter().chain([&numbered]).chain(&clean) {
        fs::write(dir.path().join("tree").join(name), bytes).unwrap();
    }
    let output = agent(dir.path(), &["sanitize", "tree", "--out", "out"]);
    assert!(output.status.success(), "{}", complaint(&output));
    let complaint = complaint(&output);
    for (name, _) in hiding.iter().chain([&numbered]) {
        assert!(complaint.contains(&format!("left out {name}: ")), "{name}: {complaint}");
        assert!(!dir.path().join("out").join(name).exists(), "{name}");
    }
    for (name, bytes) in &clean {
        assert_eq!(&fs::read(dir.path().join("out").join(name)).unwrap(), bytes, "{name}: {complaint}");
    }
}

#[test]
fn preview_shows_what_a_later_file_gives_away() {
    let dir = place();
    let password = format!("{}-{}", &token(90)[5..11], &token(91)[5..12]);
    fs::write(dir.path().join("tree/a1.txt"), format!("we tried {password}\n")).unwrap();
    fs::write(dir.path().join("tree/z.txt"), format!("password = \"{password}\"\n")).unwrap();
    let output = agent(dir.path(), &["preview", "tree", "--json"]);
    assert!(output.status.success(), "{}", complaint(&output));
    let shown: Vec<Value> = told(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for name in ["a1.txt", "z.txt"] {
        assert!(shown.iter().any(|row| row["path"] == name), "{name} in {shown:?}");
    }
    assert!(!told(&output).contains(&password));
}
