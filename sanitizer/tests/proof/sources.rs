//! How much of ordinary source is taken for somebody's data: measured on this repository's own.
//!
//! Limits set before the rules for persons were written: 600 bytes a megabyte in `balanced`, 2,000 in `pii-only`.

use std::path::{Path, PathBuf};

use certus_sanitizer::{Format, Kind, Policy, Profile, PseudonymKey, Sanitizer};

/// Folders of the repository that hold ordinary source.
const FOLDERS: [&str; 4] = ["protocol/src", "sanitizer/src", "agent/src", "hub/src"];
/// Lists of words that announce somebody's data: they are about it as rules are.
const LISTS: [&str; 4] = ["cue.rs", "words.rs", "table.rs", "placeholder.rs"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let listed = path.file_name().is_some_and(|name| LISTS.iter().any(|list| name == *list));
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !listed {
            found.push(path);
        }
    }
}

/// Source without the tests at its end, which hold examples.
fn source(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("source");
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned()
}

#[test]
fn little_of_ordinary_source_is_taken_for_somebodys_data() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in the workspace");
    let mut paths = Vec::new();
    FOLDERS.iter().for_each(|folder| sources(&root.join(folder), &mut paths));
    let texts: Vec<String> = paths.iter().map(|path| source(path)).collect();
    let megabytes = texts.iter().map(String::len).sum::<usize>() as f64 / 1e6;
    assert!(megabytes > 0.5, "{megabytes}");
    for (profile, most) in [(Profile::Balanced, 600.0), (Profile::PiiOnly, 2_000.0)] {
        let sanitizer = Sanitizer::new(&Policy::from(profile), PseudonymKey::from_bytes([7; 32]));
        let sanitizer = sanitizer.expect("the tables are right");
        let mut taken = Vec::new();
        for (path, text) in paths.iter().zip(&texts) {
            let found = sanitizer.scan(text.as_bytes(), Format::Text).expect("scans");
            let found = found.into_iter().filter(|f| f.kind == Kind::Pii);
            taken.extend(found.map(|f| (path, f.rule, text[f.start..f.end].to_owned())));
        }
        let bytes: usize = taken.iter().map(|(.., value)| value.len()).sum();
        let share = bytes as f64 / megabytes;
        assert!(share <= most, "{profile:?}: {share:.0} bytes a megabyte: {taken:#?}");
    }
}
