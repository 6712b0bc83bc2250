//! What is to stand in place of what, and the texts that come of it.

use zeroize::Zeroize;

use crate::scan::How;
use crate::work;

/// The rule of fingerprints that are named anew; no table has so many.
pub(super) const FINGERPRINT: u16 = u16::MAX;

/// A value: where it stands, and what is put in its place.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) rule: u16,
    pub(super) how: How,
    /// What it says, however it is spelt.
    pub(super) value: Vec<u8>,
    pub(super) token: String,
}

impl Drop for Hit {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// A stretch of a text that is replaced, and the values in it.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) with: Vec<u8>,
    pub(super) hits: Vec<Hit>,
}

impl Edit {
    /// Of one value.
    pub(super) fn new(hit: Hit) -> Self {
        Self { start: hit.start, end: hit.end, with: hit.token.clone().into_bytes(), hits: vec![hit] }
    }

    /// What of it lies within `start..end`, counted from there.
    pub(super) fn within(&self, start: usize, end: usize) -> Self {
        self.clone().moved(|from, to| (from.clamp(start, end) - start, to.clamp(start, end) - start))
    }

    /// The same elsewhere: `source` tells where what stands here is spelt there.
    pub(super) fn moved(mut self, source: impl Fn(usize, usize) -> (usize, usize)) -> Self {
        (self.start, self.end) = source(self.start, self.end);
        for hit in &mut self.hits {
            (hit.start, hit.end) = source(hit.start, hit.end);
        }
        self
    }
}

/// A text with edits made: in order and apart.
pub(super) fn applied(text: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len() + edits.len() * 16);
    let mut at = 0;
    work::count(text.len());
    for edit in edits {
        made.extend_from_slice(&text[at..edit.start]);
        made.extend_from_slice(&edit.with);
        at = edit.end;
    }
    made.extend_from_slice(&text[at..]);
    made
}

/// Edits in order and apart: of those that overlap, the widest stays, the later of two as wide; what only partly overlap
/// becomes one of the whole stretch, as `join` makes it of the earliest rule.
pub(super) fn apart(mut edits: Vec<Edit>, join: impl Fn(usize, usize, u16) -> Edit) -> Vec<Edit> {
    edits.sort_by_key(|edit| (edit.start, std::cmp::Reverse(edit.end)));
    let mut kept: Vec<Edit> = Vec::with_capacity(edits.len());
    // How far the last one reaches with those that it is joined to, and their rule: a long row is made into one once.
    let mut joined: Option<(usize, u16)> = None;
    let earliest = |edit: &Edit| edit.hits.iter().map(|hit| hit.rule).min().unwrap_or(FINGERPRINT);
    let finish = |kept: &mut Vec<Edit>, joined: &mut Option<(usize, u16)>| {
        if let (Some((end, rule)), Some(last)) = (joined.take(), kept.last_mut()) {
            *last = join(last.start, end, rule);
        }
    };
    for edit in edits {
        match kept.last_mut() {
            Some(last) if edit.start < joined.map_or(last.end, |(end, _)| end) => {
                let (end, rule) = joined.unwrap_or((last.end, earliest(last)));
                if edit.end > end {
                    joined = Some((edit.end, rule.min(earliest(&edit))));
                } else if joined.is_none() && (edit.start, edit.end) == (last.start, last.end) {
                    *last = edit;
                }
            }
            _ => {
                finish(&mut kept, &mut joined);
                kept.push(edit);
            }
        }
    }
    finish(&mut kept, &mut joined);
    kept
}
