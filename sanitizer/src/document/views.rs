//! What a text spells otherwise: views of it, looked at as what they say, and the way of their edits back.

use super::edit::{self, Edit, Hit};
use super::find::{Layer, Pass};
use super::{Format, SanitizeError, Sanitizer};
use crate::decode::map::{self, Map, Walk};
use crate::decode::{blobs, escapes, joined, spaced};
use crate::json::{self, Token, TokenKind};

/// What is looked at around escapes, so that names stand beside their values.
const AROUND_BYTES: usize = 256;
/// The same for bytes as mail spells them.
const QUOTED_BYTES: usize = 2048;
/// A run that reaches out of that is not cut, if it is no longer.
const RUN_BYTES_MAX: usize = 4096;
/// Bytes of strings that are looked at together.
const BATCH_BYTES: usize = 64 << 10;

/// First byte, and byte behind the last.
type Stretch = (usize, usize);
/// How bytes are spelt beside others.
type Spelt = fn(&[u8], &[u8]) -> Vec<u8>;

impl Sanitizer {
    /// Edits that what a text spells otherwise calls for, and where it spells one with words; `direct` are stretches
    /// that are replaced anyway.
    pub(super) fn views(
        &self,
        pass: &mut Pass<'_>,
        layer: &Layer<'_>,
        direct: &[Stretch],
    ) -> Result<(Vec<Edit>, Vec<Stretch>), SanitizeError> {
        let (mut edits, mut prose) = (Vec::new(), Vec::new());
        let hints = &layer.hints;
        let covered = |start: usize, end: usize| {
            let next = direct.partition_point(|(_, to)| *to < end);
            direct.get(next).is_some_and(|(from, _)| *from <= start)
        };
        let runs = hints.runs.iter().filter(|(start, end)| !covered(*start, *end));
        for blob in blobs::find(layer.text, runs) {
            if covered(blob.start, blob.end) || !layer.is_plain(blob.start, blob.end) {
                continue;
            }
            if blob.is_prose() {
                prose.push((blob.start, blob.end));
            }
            pass.view(blob.decoded.len())?;
            let mut inner = self.edits(pass, &blob.decoded, Format::Text, layer.depth + 1)?;
            if let Some(bytes) = blob.line_bytes() {
                inner = self.lines(pass, layer, (&blob.decoded, bytes), inner)?;
            }
            if !inner.is_empty() {
                let with = blob.encode(&edit::applied(&blob.decoded, &inner));
                let hits = hits(inner, |start, end| blob.source(start, end));
                edits.push(Edit { start: blob.start, end: blob.end, with, hits });
            }
        }
        for (start, end) in &hints.pairs {
            if !covered(*start, *end) && layer.is_plain(*start, *end) {
                edits.extend(self.pairs(pass, layer, (*start, *end))?);
            }
        }
        if let Some(tokens) = &layer.tokens {
            edits.extend(self.strings(pass, layer, tokens)?);
            return Ok((edits, prose));
        }
        let mut done = 0;
        let escaped = (&hints.escapes, escapes::walk as Walk, AROUND_BYTES);
        // Lines of mail are broken anywhere.
        let quoted = (&hints.quoted, escapes::walk_quoted as Walk, QUOTED_BYTES);
        for (places, walk, reach) in [escaped, quoted] {
            let mut from = 0;
            for (start, end) in places {
                if *end <= from {
                    continue;
                }
                let (start, end) = around(layer.text, from, (*start, *end), reach);
                from = end;
                edits.extend(self.stretch(pass, layer, (start, end), (walk, escapes::spelt))?);
            }
        }
        for joint in &hints.joints {
            let row = if *joint >= done { joined::row(layer.text, *joint) } else { None };
            let Some(row) = row else { continue };
            done = row.end;
            if let Some(walk) = row.walk() {
                let stretch = (line_start(layer.text, row.start), layer.text.len().min(row.end + 1));
                edits.extend(self.stretch(pass, layer, stretch, (walk, joined::spelt))?);
            }
        }
        Ok((edits, prose))
    }

    /// What lines of so many bytes each say where each stands for itself, as those of a list do; `whole` is what they say
    /// together.
    fn lines(
        &self,
        pass: &mut Pass<'_>,
        layer: &Layer<'_>,
        (decoded, bytes): (&[u8], usize),
        mut whole: Vec<Edit>,
    ) -> Result<Vec<Edit>, SanitizeError> {
        let apart = decoded.chunks(bytes).collect::<Vec<_>>().join(&b'\n');
        pass.view(apart.len())?;
        let place = |at: usize| at / (bytes + 1) * bytes + (at % (bytes + 1)).min(bytes);
        for edit in self.text(pass, &apart, Format::Text, layer.depth + 1)? {
            let edit = edit.moved(|start, end| (place(start), place(end).min(decoded.len())));
            let next = whole.partition_point(|known| known.end <= edit.start);
            if whole.get(next).is_none_or(|known| edit.end <= known.start) {
                whole.insert(next, edit);
            }
        }
        Ok(whole)
    }

    /// Pairs of hexadecimal digits, looked at as what they spell, if that is a text.
    fn pairs(
        &self,
        pass: &mut Pass<'_>,
        layer: &Layer<'_>,
        (start, end): Stretch,
    ) -> Result<Vec<Edit>, SanitizeError> {
        let raw = &layer.text[start..end];
        let decoded = map::decode(spaced::walk, raw);
        if !blobs::is_readable(&decoded) {
            return Ok(Vec::new());
        }
        pass.view(decoded.len())?;
        let inner = self.edits(pass, &decoded, Format::Text, layer.depth + 1)?;
        Ok(mapped(inner, spaced::walk, raw, start, spaced::spelt))
    }

    /// A stretch of a text, looked at as what it says; with how what is put in is spelt beside what stood there.
    fn stretch(
        &self,
        pass: &mut Pass<'_>,
        layer: &Layer<'_>,
        (start, end): Stretch,
        (walk, spelt): (Walk, Spelt),
    ) -> Result<Vec<Edit>, SanitizeError> {
        let raw = &layer.text[start..end];
        let decoded = map::decode(walk, raw);
        pass.view(decoded.len())?;
        let inner = self.text(pass, &decoded, Format::Text, layer.depth + 1)?;
        Ok(mapped(inner, walk, raw, start, spelt))
    }

    /// Strings with escapes of a JSON document, each with its name before it, many of them as one text.
    fn strings(
        &self,
        pass: &mut Pass<'_>,
        layer: &Layer<'_>,
        tokens: &[Token],
    ) -> Result<Vec<Edit>, SanitizeError> {
        let mut edits = Vec::new();
        let mut batch = Batch::default();
        let hints = &layer.hints;
        let mut places = hints.escapes.iter().peekable();
        let mut quoted = hints.quoted.iter().peekable();
        for (number, token) in tokens.iter().enumerate() {
            while places.next_if(|place| place.1 <= token.start).is_some() {}
            while quoted.next_if(|place| place.1 <= token.start).is_some() {}
            let raw = &layer.text[token.start..token.end];
            let within = |place: Option<&&Stretch>| place.is_some_and(|place| place.0 < token.end);
            let (escapes, quoted) = (within(places.peek()), within(quoted.peek()));
            let walk: Walk = match token.kind {
                TokenKind::Escaped => json::walk,
                TokenKind::Plain if escapes && memchr::memchr2(b'%', b'&', raw).is_some() => escapes::walk,
                TokenKind::Plain if quoted && memchr::memchr(b'=', raw).is_some() => escapes::walk_quoted,
                TokenKind::Plain | TokenKind::Number => continue,
            };
            // What may be a document itself stands alone, without a name.
            let alone = matches!(raw.first(), Some(b'{' | b'['));
            let key = (token.keyed && !alone).then(|| tokens[number - 1]);
            if alone || batch.text.len() + raw.len() > BATCH_BYTES {
                edits.extend(self.batch(pass, layer, &mut batch)?);
            }
            batch.push(key.map(|key| &layer.text[key.start..key.end]), (*token, raw), walk);
            if alone {
                edits.extend(self.batch(pass, layer, &mut batch)?);
            }
        }
        edits.extend(self.batch(pass, layer, &mut batch)?);
        Ok(edits)
    }

    /// What strings say is looked at; what is found is brought back to where they are spelt.
    fn batch(
        &self,
        pass: &mut Pass<'_>,
        layer: &Layer<'_>,
        batch: &mut Batch,
    ) -> Result<Vec<Edit>, SanitizeError> {
        let batch = std::mem::take(batch);
        if batch.strings.is_empty() {
            return Ok(Vec::new());
        }
        pass.view(batch.text.len())?;
        let found = self.text(pass, &batch.text, Format::Text, layer.depth + 1)?;
        let mut edits = Vec::new();
        let mut rest = &found[..];
        for said in &batch.strings {
            rest = &rest[rest.partition_point(|edit| edit.end <= said.start)..];
            let inner = rest.iter().take_while(|edit| edit.start < said.end);
            let inner: Vec<Edit> = inner.map(|edit| edit.within(said.start, said.end)).collect();
            let escaped = said.token.kind == TokenKind::Escaped;
            let spelt = |with: &[u8], near: &[u8]| {
                if escaped { json::spelt(with) } else { escapes::spelt(with, near) }
            };
            let raw = &layer.text[said.token.start..said.token.end];
            edits.extend(mapped(inner, said.walk, raw, said.token.start, spelt));
        }
        Ok(edits)
    }
}

/// What several strings say, looked at together.
#[derive(Default)]
struct Batch {
    text: Vec<u8>,
    strings: Vec<Said>,
}

/// Where what a string says stands in a batch.
struct Said {
    start: usize,
    end: usize,
    token: Token,
    walk: Walk,
}

impl Batch {
    fn push(&mut self, key: Option<&[u8]>, (token, raw): (Token, &[u8]), walk: Walk) {
        if !self.text.is_empty() {
            // Nothing joins what stands in several strings.
            self.text.extend_from_slice(b"\"\n;\n");
        }
        if let Some(key) = key {
            self.text.extend_from_slice(b"\"");
            self.text.extend_from_slice(key);
            self.text.extend_from_slice(b"\": \"");
        }
        let start = self.text.len();
        map::decode_into(walk, raw, &mut self.text);
        self.strings.push(Said { start, end: self.text.len(), token, walk });
    }
}

impl Layer<'_> {
    /// Whether a stretch may be replaced as it lies: in JSON, only inside a string without escapes.
    fn is_plain(&self, start: usize, end: usize) -> bool {
        self.tokens.as_ref().is_none_or(|tokens| {
            let at = tokens.partition_point(|token| token.end < end);
            tokens.get(at).is_some_and(|token| token.kind == TokenKind::Plain && token.start <= start)
        })
    }
}

/// Edits of what was decoded, as edits of the source, which begins at `offset`; `spelt` says how what is put in is spelt
/// beside what stood there.
pub(super) fn mapped(
    edits: Vec<Edit>,
    walk: Walk,
    raw: &[u8],
    offset: usize,
    spelt: impl Fn(&[u8], &[u8]) -> Vec<u8>,
) -> Vec<Edit> {
    if edits.is_empty() {
        return edits;
    }
    let map = Map::new(walk, raw);
    let back = |edit: Edit| {
        let mut edit = edit.moved(|start, end| map.source(start, end));
        edit.with = spelt(&edit.with, &raw[edit.start..edit.end]);
        edit.moved(|start, end| (start + offset, end + offset))
    };
    edits.into_iter().map(back).collect()
}

/// The values of edits, where `source` says that they are spelt.
pub(super) fn hits(edits: Vec<Edit>, source: impl Fn(usize, usize) -> (usize, usize)) -> Vec<Hit> {
    edits.into_iter().flat_map(|edit| edit.moved(&source).hits).collect()
}

/// A place and what stands around it: to the line's ends or so far, without cutting a run.
fn around(text: &[u8], from: usize, (start, end): (usize, usize), reach: usize) -> (usize, usize) {
    let start = start.max(from);
    let mut first = line_start(text, start).max(from);
    if reach > AROUND_BYTES {
        first = line_start(text, start.saturating_sub(reach)).max(from);
    }
    let cut = |at: usize| at > 0 && at < text.len() && !text[at - 1].is_ascii_whitespace();
    for _ in 0..RUN_BYTES_MAX {
        if first <= from || !cut(first) {
            break;
        }
        first -= 1;
    }
    let end = end.max(first);
    let behind = &text[end..text.len().min(end + reach)];
    let line = |behind: &[u8]| behind.iter().position(|byte| *byte == b'\n');
    let length = if reach > AROUND_BYTES { None } else { line(behind) };
    let mut last = end + length.unwrap_or(behind.len());
    for _ in 0..RUN_BYTES_MAX {
        if !cut(last) || text[last].is_ascii_whitespace() {
            break;
        }
        last += 1;
    }
    (first, last)
}

/// Where the line begins, or what is looked at of it.
fn line_start(text: &[u8], at: usize) -> usize {
    let before = &text[at.saturating_sub(AROUND_BYTES)..at];
    at - before.iter().rev().position(|byte| *byte == b'\n').unwrap_or(before.len())
}
