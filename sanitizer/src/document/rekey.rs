//! Digests in SARIF that tell of what was replaced: who guesses a value could test the guess by them.
//!
//! Those of a result are in `fingerprints` and `partialFingerprints`, those of a file in `hashes`
//! (SARIF 2.1.0, 3.27.16, 3.27.17 and 3.24.11). They are told by their name and by an edit within the object that holds them;
//! those of a file also by an edit within a result about it, those of a result by an edit within what it refers to by
//! its place in a list of the run (3.14).

use std::collections::BTreeSet;

use super::edit::Edit;
use crate::json::{self, Token};
use crate::pseudonym;
use crate::work;

const NAMES: &[&[u8]] = &[b"fingerprints", b"partialFingerprints", b"hashes"];
const RUNS: &[u8] = b"runs";
const RESULTS: &[u8] = b"results";
const ARTIFACTS: &[u8] = b"artifacts";
const LOCATION: &[u8] = b"artifactLocation";
const FLOWS: &[u8] = b"threadFlows";
const STEPS: &[u8] = b"threadFlowLocations";
const REQUESTS: &[u8] = b"webRequests";
const RESPONSES: &[u8] = b"webResponses";
const LOGICAL: &[u8] = b"logicalLocations";
/// Lists of a run that results refer to.
const LISTS: [&[u8]; 5] = [ARTIFACTS, STEPS, REQUESTS, RESPONSES, LOGICAL];

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
    walk.run();
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
    /// What it refers to, at any depth.
    about: Vec<Reference<'a>>,
}

/// How a result names a file or something else of its run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reference<'a> {
    /// A list of the run, and the place in it.
    Listed(&'static [u8], usize),
    Uri(&'a [u8]),
}

/// A file or a result of a run, with its digests.
struct Digested<'a> {
    /// Of a file, how it is named; of a result, what it refers to.
    names: Vec<Reference<'a>>,
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
    artifacts: Vec<Digested<'a>>,
    told: BTreeSet<Reference<'a>>,
    /// Of the present run: results in which nothing was replaced, and members of lists in which something was.
    results: Vec<Digested<'a>>,
    changed: BTreeSet<Reference<'a>>,
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
        let list = self.refers_to();
        let reference = match &self.text[key.start..key.end] {
            b"uri" if list == Some(ARTIFACTS) => Some(Reference::Uri(value)),
            b"index" => {
                let place = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                list.zip(place).map(|(list, place)| Reference::Listed(list, place))
            }
            _ => None,
        };
        if let (Some(reference), Some(open)) = (reference, self.open.last_mut()) {
            open.about.push(reference);
        }
    }

    /// The list of the run that a place refers to which the present object names.
    fn refers_to(&self) -> Option<&'static [u8]> {
        let name = |back: usize| self.open.iter().nth_back(back).map_or(&b""[..], |open| open.name);
        match (name(0), name(1)) {
            (LOCATION | b"location", _) => Some(ARTIFACTS),
            (b"webRequest", _) => Some(REQUESTS),
            (b"webResponse", _) => Some(RESPONSES),
            (_, LOGICAL) => Some(LOGICAL),
            (_, b"locations") if name(3) == FLOWS => Some(STEPS),
            _ => None,
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
        let name = |back: usize| self.open.iter().nth_back(back).map_or(&b""[..], |open| open.name);
        let (list, of_run) = (name(0), name(2) == RUNS);
        let number = self.open.last().map_or(0, |list| list.members.saturating_sub(1));
        let listed = LISTS.into_iter().find(|name| of_run && *name == list);
        let place = listed.map(|list| Reference::Listed(list, number));
        let told = (place.is_some() || list == RESULTS || !closed.digests.is_empty()) && told();
        if told {
            self.found.append(&mut closed.digests);
            self.changed.extend(place);
            match list {
                ARTIFACTS => self.changed.extend(closed.about.iter().copied()),
                _ if list == RESULTS || place.is_some() => self.told.extend(closed.about.iter().copied()),
                _ => {}
            }
        } else if matches!(list, RESULTS | ARTIFACTS) && !closed.digests.is_empty() {
            let names = closed.about.drain(..).chain(place).collect();
            let digested = Digested { names, digests: closed.digests };
            if list == RESULTS { self.results.push(digested) } else { self.artifacts.push(digested) }
        }
        // A run ends: the next one numbers its lists anew.
        if list == RUNS {
            self.run();
        } else if !matches!(list, RESULTS | ARTIFACTS)
            && let Some(open) = self.open.last_mut()
        {
            open.about.append(&mut closed.about);
        }
    }

    /// Digests of files that a result is about in which something was replaced, and of results that refer to something
    /// in which it was.
    fn run(&mut self) {
        let (told, changed) = (std::mem::take(&mut self.told), std::mem::take(&mut self.changed));
        let files = std::mem::take(&mut self.artifacts).into_iter().map(|file| (file, &told));
        let results = std::mem::take(&mut self.results).into_iter().map(|result| (result, &changed));
        for (digested, reasons) in files.chain(results) {
            if digested.names.iter().any(|name| reasons.contains(name)) {
                self.found.extend(digested.digests);
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
