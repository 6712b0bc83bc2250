//! What the demo looks at itself: how much there is, and which words could be asked for.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

const FILES_LOOKED_AT: usize = 300;
const BYTES_LOOKED_AT: usize = 64 << 10;
const SARIF_BYTES_MAX: u64 = 256 << 20;
const FILES_COUNTED: u64 = 1_000_000;

/// Whether the file is SARIF.
pub(crate) fn is_sarif(path: &Path) -> bool {
    let head = head(path, SARIF_BYTES_MAX);
    let value: serde_json::Value = serde_json::from_slice(&head).unwrap_or_default();
    value["version"].is_string() && value["runs"].is_array()
}

fn head(path: &Path, bytes: u64) -> Vec<u8> {
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(bytes).read_to_end(&mut head));
    read.map_or_else(|_| Vec::new(), |_| head)
}

/// How many files there are, up to a limit.
pub(crate) fn count(path: &Path) -> u64 {
    let mut count = 0;
    walk(path, &mut |_| {
        count += 1;
        count < FILES_COUNTED
    });
    count
}

/// Words that stand in some files but not in all, the most telling first.
pub(crate) fn words(path: &Path) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut take = |bytes: &[u8]| {
        let head = &bytes[..bytes.len().min(BYTES_LOOKED_AT)];
        if let Ok(text) = std::str::from_utf8(head) {
            texts.push(text.to_lowercase());
        }
        texts.len() < FILES_LOOKED_AT
    };
    if let Ok(repository) = git2::Repository::open(path) {
        let tree = repository.head().and_then(|head| head.peel_to_tree());
        if let Ok(tree) = tree {
            let walked = tree.walk(git2::TreeWalkMode::PreOrder, |_, entry| {
                let blob = entry.to_object(&repository).and_then(|object| object.peel_to_blob());
                match blob {
                    Ok(blob) if !take(blob.content()) => git2::TreeWalkResult::Abort,
                    _ => git2::TreeWalkResult::Ok,
                }
            });
            drop(walked);
        }
    } else {
        walk(path, &mut |file| take(&head(file, BYTES_LOOKED_AT as u64)));
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for text in &texts {
        let mut seen = std::collections::HashSet::new();
        for word in text.split(|c: char| !c.is_ascii_alphabetic()) {
            if (5..=14).contains(&word.len()) && seen.insert(word) {
                *counts.entry(word).or_default() += 1;
            }
        }
    }
    let aim = (texts.len() / 8).max(1);
    let mut words: Vec<(usize, String)> =
        counts.into_iter().map(|(word, count)| (count.abs_diff(aim), word.to_owned())).collect();
    words.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.len().cmp(&a.1.len())).then(a.1.cmp(&b.1)));
    words.into_iter().map(|(_, word)| word).take(20).collect()
}

/// Visits files until `each` has had enough.
fn walk(path: &Path, each: &mut dyn FnMut(&Path) -> bool) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return true };
    if metadata.is_file() {
        return each(path);
    }
    if !metadata.is_dir() || path.file_name().is_some_and(|name| name == ".git") {
        return true;
    }
    let Ok(entries) = fs::read_dir(path) else { return true };
    let mut entries: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    entries.iter().all(|entry| walk(entry, each))
}
