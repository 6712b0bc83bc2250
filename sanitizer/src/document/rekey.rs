//! Digests in SARIF that tell of what was replaced: who guesses a value could test the guess by them.
//!
//! Those of a result are in `fingerprints` and `partialFingerprints`, those of a file in `hashes`
//! (SARIF 2.1.0, 3.27.16, 3.27.17 and 3.24.11). They are told by their name and by an edit within the object that holds them;
//! those of a file also by an edit within a result about it.

use std::collections::BTreeSet;

use super::edit::Edit;
use crate::json::{self, Token};
use crate::pseudonym;
use crate::work;

const NAMES: &[&[u8]] = &[b"fingerprints", b"partialFingerprints", b"hashes"];
const RESULTS: &[u8] = b"results";
const ARTIFACTS: &[u8] = b"artifacts";
const LOCATION: &[u8] = b"artifactLocation";

/// First byte, and byte behind the last.
type Stretch = (usize, usize);

/// Where strings stand that are digests of something in which an edit lies.
pub(super) fn digests(text: &[u8], tokens: &[Token], edits: &[Edit]) -> Vec<Stretch> {
    let names = |token: &Token| NAMES.contains(&&text[token.start..token.end]);
    if edits.is_empty() || !tokens.iter().any(names) {
        return Vec::new();
    }
    work::count(text.len());
    let mut walk = Walk { text, edits, ..Walk::default() };
    let (mut from, mut before) = (0, None);
    for token in tokens {
        walk.signs(from, token.start);
        match before.filter(|_| token.keyed) {
            Some(key) => walk.value(key, token),
            None => walk.named = Some(*token),
        }
        from = token.end;
        before = Some(token);
    }
    walk.signs(from, text.len());
    walk.files();
    walk.found.sort_unstable();
    walk.found.dedup();
    walk.found
}

/// An object or a list that is open.
#[derive(Default)]
struct Open<'a> {
    start: usize,
    /// The key that it is the value of.
    name: &'a [u8],
    /// Objects and lists in it so far.
    members: usize,
    /// Digests of what it is.
    digests: Vec<Stretch>,
    /// Files that it is about: their place in the list of them, or what they are called.
    about: Vec<File<'a>>,
}

/// How a result names a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum File<'a> {
    Number(usize),
    Uri(&'a [u8]),
}

/// A file of a run, with its digests.
struct Artifact<'a> {
    names: Vec<File<'a>>,
    digests: Vec<Stretch>,
}

#[derive(Default)]
struct Walk<'a> {
    text: &'a [u8],
    edits: &'a [Edit],
    open: Vec<Open<'a>>,
    /// What is the key of an object or a list that opens here.
    named: Option<Token>,
    /// How deep the object of digests lies.
    inside: Option<usize>,
    /// Of the present run: files with digests, and those that something was replaced about.
    artifacts: Vec<Artifact<'a>>,
    told: BTreeSet<File<'a>>,
    found: Vec<Stretch>,
}

impl<'a> Walk<'a> {
    /// What stands between two tokens.
    fn signs(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at < to {
            match self.text[at] {
                b'{' | b'[' => self.open(at),
                b'}' | b']' => self.close(at),
                b',' => self.named = None,
                b' ' | b'\n' => {
                    at = json::behind_spaces(self.text, at + 1);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// A string or number that is the value of a key.
    fn value(&mut self, key: &Token, token: &Token) {
        let value = &self.text[token.start..token.end];
        let depth = self.open.len();
        if self.inside.is_some_and(|inside| inside + 1 == depth) {
            let quoted = self.text.get(token.end) == Some(&b'"');
            if let Some(owner) = self.open.iter_mut().rev().nth(1).filter(|_| quoted && !is_rekeyed(value)) {
                owner.digests.push((token.start, token.end));
            }
            return;
        }
        let file = match &self.text[key.start..key.end] {
            b"uri" => Some(File::Uri(value)),
            b"index" => std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).map(File::Number),
            _ => None,
        };
        if let (Some(file), Some(open)) = (file, self.open.last_mut())
            && matches!(open.name, LOCATION | b"location")
        {
            open.about.push(file);
        }
    }

    fn open(&mut self, at: usize) {
        let name = self.named.take().map_or(&b""[..], |name| &self.text[name.start..name.end]);
        if NAMES.contains(&name) && self.inside.is_none() {
            self.inside = Some(self.open.len());
        }
        if let Some(list) = self.open.last_mut() {
            list.members += 1;
        }
        self.open.push(Open { start: at, name, ..Open::default() });
    }

    fn close(&mut self, at: usize) {
        let Some(mut closed) = self.open.pop() else { return };
        if self.inside == Some(self.open.len()) {
            self.inside = None;
        }
        let told = || tells(self.edits, closed.start, at, &closed.digests);
        let list = self.open.last().map_or(&b""[..], |list| list.name);
        let number = self.open.last().map_or(0, |list| list.members.saturating_sub(1));
        if list == RESULTS && !closed.about.is_empty() && told() {
            self.told.extend(closed.about.iter().copied());
        }
        if !closed.digests.is_empty() {
            if told() {
                self.found.extend(&closed.digests);
            } else if list == ARTIFACTS {
                let mut names = closed.about.clone();
                names.push(File::Number(number));
                self.artifacts.push(Artifact { names, digests: closed.digests });
            }
        }
        // A run ends: the next one numbers its files anew.
        if list == b"runs" {
            self.files();
        } else if !matches!(list, RESULTS | ARTIFACTS)
            && let Some(open) = self.open.last_mut()
        {
            open.about.append(&mut closed.about);
        }
    }

    /// Digests of files that a result is about in which something was replaced.
    fn files(&mut self) {
        let told = std::mem::take(&mut self.told);
        for artifact in std::mem::take(&mut self.artifacts) {
            if artifact.names.iter().any(|name| told.contains(name)) {
                self.found.extend(artifact.digests);
            }
        }
    }
}

/// Whether something else than digests is replaced within `start..end`.
fn tells(edits: &[Edit], start: usize, end: usize, digests: &[Stretch]) -> bool {
    let first = edits.partition_point(|edit| edit.end <= start);
    let within = edits[first..].iter().take_while(|edit| edit.start < end);
    let digest = |edit: &Edit| {
        let next = digests.partition_point(|(_, to)| *to < edit.end);
        digests.get(next).is_some_and(|(from, _)| *from <= edit.start)
    };
    within.into_iter().any(|edit| !digest(edit))
}

fn is_rekeyed(value: &[u8]) -> bool {
    value.is_empty() || pseudonym::tokens(value) == [(0, value.len())]
}
