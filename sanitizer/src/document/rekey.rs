//! Digests in SARIF that tell of what was replaced: who guesses a value could test the guess by them.
//!
//! Those of a result are in `fingerprints` and `partialFingerprints`, those of a file in `hashes`
//! (SARIF 2.1.0, 3.27.16, 3.27.17 and 3.24.11). They are told by their name and by an edit within the object that holds them.

use super::edit::Edit;
use crate::json::Token;
use crate::pseudonym;
use crate::work;

const NAMES: &[&[u8]] = &[b"fingerprints", b"partialFingerprints", b"hashes"];

/// Where strings stand that are digests of something in which an edit lies.
pub(super) fn digests(text: &[u8], tokens: &[Token], edits: &[Edit]) -> Vec<(usize, usize)> {
    if edits.is_empty() {
        return Vec::new();
    }
    work::count(text.len());
    let mut found = Vec::new();
    // Objects and lists that are open, each with the digests in it.
    let mut open: Vec<(usize, Vec<(usize, usize)>)> = Vec::new();
    // How deep the object of digests lies.
    let mut inside: Option<usize> = None;
    let mut next = 0;
    let mut named = None;
    let mut at = 0;
    while at < text.len() {
        let starts = at + usize::from(text[at] == b'"');
        if let Some(token) = tokens.get(next).filter(|token| token.start == starts) {
            if token.key.is_none() {
                named = Some(next);
            } else if inside.is_some_and(|depth| depth + 1 == open.len())
                && let Some((_, digests)) = open.iter_mut().rev().nth(1)
                && starts > at
                && !is_rekeyed(&text[token.start..token.end])
            {
                digests.push((token.start, token.end));
            }
            at = token.end + starts - at;
            next += 1;
            continue;
        }
        match text[at] {
            b'{' | b'[' => {
                let name = named.take().and_then(|name| tokens.get(name));
                let digests = name.is_some_and(|name| NAMES.contains(&&text[name.start..name.end]));
                if digests && inside.is_none() {
                    inside = Some(open.len());
                }
                open.push((at, Vec::new()));
            }
            b'}' | b']' => {
                let Some((start, digests)) = open.pop() else { break };
                if inside == Some(open.len()) {
                    inside = None;
                }
                if !digests.is_empty() && tells(edits, start, at, &digests) {
                    found.extend(digests);
                }
            }
            b',' => named = None,
            _ => {}
        }
        at += 1;
    }
    found.sort_unstable();
    found
}

/// Whether something else than digests is replaced within `start..end`.
fn tells(edits: &[Edit], start: usize, end: usize, digests: &[(usize, usize)]) -> bool {
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
