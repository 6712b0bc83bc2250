//! A policy does what its file says, a wrong one is refused with line and reason, and no action's output is found again.

use certus_sanitizer::{Document, Format, Learnt, Policy, PseudonymKey, RawResource, Sanitizer};
use proptest::prelude::*;

#[path = "made/token.rs"]
mod made;

use made::token;

fn key() -> PseudonymKey {
    PseudonymKey::from_bytes([5; 32])
}

fn under(policy: &str) -> Sanitizer {
    let policy = Policy::parse(policy).unwrap_or_else(|error| panic!("{error}"));
    Sanitizer::new(&policy, key()).expect("the tables are right")
}

fn document(sanitizer: &Sanitizer, path: &str, text: &str, format: Format) -> Document {
    sanitizer.document_at(path, text.as_bytes(), format, &Learnt::default()).expect("settles").into_inner()
}

fn clean(policy: &str, text: &str) -> String {
    let made = document(&under(policy), "a/b.txt", text, Format::Text);
    String::from_utf8(made.bytes).expect("UTF-8")
}

#[test]
fn each_action_does_what_it_says_by_type_and_by_rule() {
    let text = format!("mail jane@acme-corp.org from 85.20.30.40 with {} end", token(1));
    let made =
        clean("[action]\nEMAIL = \"domain\"\nIP_ADDRESS = \"network\"\nGITHUB_TOKEN = \"mask\"\n", &text);
    assert!(
        made.starts_with("mail REDACTED_EMAIL_") && made.contains("@acme-corp.org from 85.20.0.0/16 with"),
        "{made}"
    );
    assert!(made.ends_with("with MASKED_GITHUB_TOKEN_xxxx end"), "{made}");
    let made = clean("[action]\nGITHUB_TOKEN = \"drop\"\n", &text);
    assert!(made.ends_with("with  end"), "{made}");
    let found = under("").scan(text.as_bytes(), Format::Text).expect("scans");
    let rule = &found.last().expect("a token").rule;
    let made = clean(&format!("[action]\nGITHUB_TOKEN = \"drop\"\n{rule} = \"mask\"\n"), &text);
    assert!(made.ends_with("MASKED_GITHUB_TOKEN_xxxx end"), "the rule goes before the type: {made}");
}

#[test]
fn types_that_are_off_stay_and_the_label_says_so() {
    let text = format!("jane@acme-corp.org {}", token(2));
    let sanitizer = under("profile = \"balanced\"\noff = [\"EMAIL\"]\n");
    let made = document(&sanitizer, "", &text, Format::Text);
    assert!(made.bytes.starts_with(b"jane@acme-corp.org REDACTED_GITHUB_TOKEN_"));
    let label = sanitizer.policy().label();
    assert_eq!(label, "balanced without EMAIL");
    assert_eq!(certus_sanitizer::read_label(&label), ("balanced", vec!["EMAIL"]));
    assert_eq!(certus_sanitizer::read_label("pii-only"), ("pii-only", vec![]));
}

#[test]
fn what_is_kept_stays_is_declared_and_never_covers_what_goes() {
    let text = format!("write to jane@acme-corp.org, not {}", token(3));
    let policy = "[action]\nEMAIL = { keep = \"a public address\" }\n";
    let sanitizer = under(policy);
    let made = document(&sanitizer, "", &text, Format::Text);
    assert!(made.bytes.starts_with(b"write to jane@acme-corp.org, not REDACTED_GITHUB_TOKEN_"));
    let [kept] = &made.kept[..] else { panic!("{:?}", made.kept) };
    assert_eq!(&made.bytes[kept.start..kept.end], b"jane@acme-corp.org");
    assert_eq!(&*kept.reason, "a public address");
    assert!(
        sanitizer.scan(text.as_bytes(), Format::Text).expect("scans").iter().all(|f| f.type_name != "EMAIL")
    );
    // A local part that is a token: the address goes with it, although addresses are kept.
    let mixed = format!("{}@acme-corp.org", token(4));
    let made = document(&sanitizer, "", &mixed, Format::Text);
    assert!(!String::from_utf8_lossy(&made.bytes).contains(&token(4)), "{:?}", made.bytes);
    let json = format!("{{\"to\": \"ja\\u006ee@acme-corp.org\", \"b\": \"{}\"}}", token(3));
    let made = document(&sanitizer, "", &json, Format::Json);
    assert!(made.bytes.starts_with(b"{\"to\": \"ja\\u006ee@acme-corp.org\""));
    assert_eq!(made.kept.len(), 1, "{:?}", made.kept);
}

#[test]
fn envelopes_declare_what_is_kept() {
    let sanitizer = under("[action]\nEMAIL = { keep = \"a public address\" }\n");
    let raw = |content: &'static [u8]| RawResource {
        source: certus_protocol::ids::SourceId([1; 16]),
        kind: certus_protocol::envelope::ResourceKind::File,
        path: "to/jane@acme-corp.org",
        reference: "",
        media_type: "text/plain",
        language: "",
        content,
        format: Format::Text,
        modified_ms: None,
        attributes: Vec::new(),
    };
    let made = sanitizer.resource(&raw(b"to jane@acme-corp.org"), &Learnt::default()).expect("settles");
    let certus_protocol::envelope::BodyV1::Whole { resource, .. } = &made.envelopes[0].body else {
        panic!("a part")
    };
    assert_eq!((resource.kept.len(), resource.kept[0].start), (1, 3));
    assert!(!resource.path.contains("jane"), "a path's values can't be declared: {}", resource.path);
}

#[test]
fn values_paths_and_rules_are_allowed_together() {
    let text = format!("use {} here", token(5));
    let stays = |policy: &str, path: &str, text: &str| {
        let made = document(&under(policy), path, text, Format::Text);
        made.bytes == text.as_bytes() && !made.kept.is_empty()
    };
    let value = format!(
        "[[allow]]\nvalues = [\"{}\"]\nreason = \"a known example\"\n",
        key().allowed(token(5).as_bytes())
    );
    assert!(stays(&value, "x", &text));
    assert!(!stays(&value, "x", &format!("use {} here", token(6))));
    let placed = format!("{value}paths = [\"test/**\"]\nrules = [\"GITHUB_TOKEN\"]\n");
    assert!(stays(&placed, "test/x", &text));
    assert!(!stays(&placed, "src/x", &text));
    assert!(!stays(&value.replace("GITHUB", "X"), "x", "use a gitleaks:allow comment jane@acme-corp.org"));
}

#[test]
fn a_path_alone_and_a_rule_alone_allow_what_they_say() {
    let text = format!("use {} and jane@acme-corp.org", token(5));
    let left = |policy: &str, path: &str| {
        let made = document(&under(policy), path, &text, Format::Text);
        let out = String::from_utf8(made.bytes).expect("UTF-8");
        (out.contains(&token(5)), out.contains("jane@acme-corp.org"), made.kept.len())
    };
    let path = "[[allow]]\npaths = [\"test/**\"]\nreason = \"made up\"\n";
    assert_eq!((left(path, "test/a/x"), left(path, "src/x")), ((true, true, 2), (false, false, 0)));
    for rule in ["EMAIL", "email"] {
        let rule = format!("[[allow]]\nrules = [\"{rule}\"]\nreason = \"in public\"\n");
        assert_eq!(left(&rule, "x"), (false, true, 1), "{rule}");
    }
}

#[test]
fn nothing_in_a_document_changes_the_policy() {
    for comment in
        ["# gitleaks:allow", "// nosec", "# noqa", "<!-- certus:allow -->", "# pragma: allowlist secret"]
    {
        let text = format!("{comment}\nkey = \"{}\" {comment}\n", token(7));
        assert!(!clean("", &text).contains(&token(7)), "{comment}");
    }
}

const RULES: &str = r#"
[[rule]]
id = "acme-ticket"
type = "TICKET"
kind = "pii"
regex = 'ACME-([0-9]{4,8})\b'
examples = ["see ACME-12345 there"]
negatives = ["ACME-12", "ACME-X"]

[[rule]]
id = "acme-projects"
type = "PROJECT"
words = ["Blue Heron", "möwe"]
negatives = ["a blue heronry"]

[[rule]]
id = "acme-key"
type = "ACME_KEY"
prefix = ["acmekey_"]
body = "hex:12"
examples = ["acmekey_0a1b2c3d4e5f"]
"#;

#[test]
fn rules_of_ones_own_find_what_they_say() {
    let text = "ACME-12345, BLUE HERON_2, möwen and Die möwe; acmekey_0123456789ab.";
    let made = clean(RULES, text);
    assert!(made.starts_with("ACME-REDACTED_TICKET_"), "{made}");
    assert!(
        made.contains(", REDACTED_PROJECT_") && made.contains("_2, möwen and Die REDACTED_PROJECT_"),
        "{made}"
    );
    assert!(made.contains("; REDACTED_ACME_KEY_"), "{made}");
    let found = under(RULES).scan(b"{\"a\": \"\\u0041CME-12345\"}", Format::Json).expect("scans");
    assert_eq!((found[0].rule.as_str(), found[0].why.as_str()), ("acme-ticket", "expression"));
    assert!(Policy::tried(RULES).expect("reads").iter().all(|verdict| verdict.wrong.is_none()));
}

#[test]
fn a_wrong_policy_is_refused_with_line_and_reason() {
    let rule = |rest: &str| format!("\n[[rule]]\nid = \"x\"\ntype = \"X\"\n{rest}");
    for (policy, line, what) in [
        ("profile = \"lax\"".to_owned(), 1, "high-recall"),
        ("\nprofil = \"balanced\"".to_owned(), 2, "unknown field `profil`"),
        ("off = [\n\"EMIAL\"]".to_owned(), 2, "no type or rule \"EMIAL\""),
        ("[action]\nEMAIL = \"hide\"".to_owned(), 2, "\"hide\" is no action"),
        ("[action]\n\nEMAIL = { keep = \"\" }".to_owned(), 3, "needs a reason"),
        (rule("regex = 'a('\nexamples = [\"a\"]"), 2, "rule x: its expression can't be read: unclosed group"),
        (rule("regex = 'a+'\nexamples = [\"a\"]"), 2, "{1,100}"),
        (rule("regex = 'a?'\nexamples = [\"a\"]"), 2, "empty text"),
        (rule("regex = 'abc'"), 2, "needs examples"),
        (rule("regex = 'abc'\nexamples = [\"abc\", \"abd\"]"), 2, "finds nothing in its example 2"),
        (
            rule("regex = 'abc'\nexamples = [\"abc\"]\nnegatives = [\"xabcx\"]"),
            2,
            "something in its negative 1",
        ),
        (rule("regex = '(?:[0-9a-z]{900}){1}[^a]{900}'\nexamples = [\"abc\"]"), 2, "more than 1024 bytes"),
        (rule("words = [\"ab\"]"), 2, "word 1 must have"),
        (rule("words = [\"abc\"]\nregex = 'abc'"), 2, "one of regex, words, prefix"),
        (rule("words = [\"abc\"]").replace("\"X\"", "\"x\""), 2, "its type"),
        (format!("{0}{0}", rule("words = [\"abc\"]")), 6, "taken"),
        ("[[allow]]\nreason = \"r\"".to_owned(), 1, "needs values, paths or rules"),
        ("[[allow]]\nvalues = [\"hunter2\"]\nreason = \"r\"".to_owned(), 1, "rules hash"),
    ] {
        let error = Policy::parse(&policy).expect_err(&policy);
        assert!(error.line == line && error.what.contains(what), "{policy}\n{error}");
        assert!(!error.what.contains("hunter2"), "what may be a value is not repeated");
    }
}

#[test]
fn the_hash_names_what_is_said_and_not_how() {
    let hash = |text: &str| Policy::parse(text).expect("right").hash();
    assert_eq!(hash("off = [\"EMAIL\"] # why"), hash("\n\noff=[ \"EMAIL\" ]"));
    assert_ne!(hash("off = [\"EMAIL\"]"), hash("off = [\"PHONE\"]"));
    assert_ne!(hash("[action]\nEMAIL = \"mask\""), hash("[action]\nEMAIL = \"drop\""));
    assert_ne!(hash(RULES), Policy::default().hash());
}

fn sanitizers() -> &'static [Sanitizer] {
    static ONCE: std::sync::OnceLock<Vec<Sanitizer>> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        let types: Vec<String> = {
            let all = certus_sanitizer::rules::raw().expect("the tables are right");
            let names: std::collections::BTreeSet<_> =
                all.into_iter().map(|(_, rule)| rule.type_name).collect();
            names.into_iter().collect()
        };
        let with =
            |action: &str| types.iter().map(|name| format!("{name} = \"{action}\"\n")).collect::<String>();
        ["token", "mask", "drop", "domain", "network"]
            .map(|action| under(&format!("[action]\n{}{RULES}", with(action))))
            .into()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_second_pass_changes_nothing_under_any_action(
        pieces in prop::collection::vec(prop_oneof![
            "[ -~\n]{0,40}",
            (0..50u64).prop_map(token),
            (0..50u64).prop_map(|seed| format!("password = \"{}\"", &token(seed)[8..24])),
            (0..50u64).prop_map(|seed| format!("https://u:{}@h/x", &token(seed)[8..24])),
            "[a-z]{3,8}@[a-z]{3,8}\\.org",
            "\\+49 30 [0-9]{4} [0-9]{4}",
            "[1-9]{2}\\.[1-9]\\.[1-9]\\.[1-9](/16)?",
            "2a0[0-9]:[1-9]{1,3}:[1-9]::[1-9]",
            "(Blue Heron|ACME-[0-9]{3,9})",
        ], 0..12)
    ) {
        let text = pieces.concat();
        for sanitizer in sanitizers() {
            // Where dropping goes on and on, the document is held back.
            if let Ok(once) = sanitizer.document(text.as_bytes(), Format::Text, &Learnt::default()) {
                let once = once.into_inner().bytes;
                let twice = sanitizer.document(&once, Format::Text, &Learnt::default()).expect("settled").into_inner();
                prop_assert_eq!(twice.bytes, once);
            }
        }
    }
}

#[test]
fn the_example_that_is_shipped_loads() {
    let sanitizer = under(include_str!("../../deploy/policy.toml"));
    let made = document(&sanitizer, "x", "ACME-12345 of Blue Heron", Format::Text);
    assert_eq!(made.redactions.len(), 2, "{:?}", made.redactions);
}
