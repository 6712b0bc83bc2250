//! What is to be replaced in a text: what the rules find in it as it lies, and in what it spells otherwise, layer by layer.
//!
//! A *view* is a stretch of a text and what it says: a JSON string, a place full of escapes, base64, a row of string
//! literals, packed bytes. It is looked at as the text itself is, and what is found comes back as an edit
//! of the stretch. Where characters stand for characters, just the value's are replaced; base64 and packed bytes are
//! made anew, so that what stands around a value is kept.

use zeroize::Zeroize;

use super::edit::{self, Edit, Hit};
use super::views::{hits, mapped};
use super::{Format, SanitizeError, Sanitizer, cells, rekey};
use crate::decode::Encoding;
use crate::decode::map;
use crate::decode::packed::{self, Packing, State};
use crate::json::{self, Token, TokenKind};
use crate::learn::Learnt;
use crate::rules::Kind;
use crate::scan::{self, Hints, How, Span};
use crate::simd::Batch;
use crate::work;

/// Layers that are looked through.
pub(super) const DEPTH_MAX: u8 = 4;
/// All views together have so many times the bytes of the document, and some more.
const VIEWS_FACTOR: usize = 8;
const VIEWS_SLACK: usize = 1 << 20;
/// White space around a number of TOML.
const GAP_BYTES_MAX: usize = 4096;
/// Properties of SARIF whose values are numbers (sections 3.4 to 3.59 of the specification).
const COUNTED: [&[u8]; 23] = [
    b"absoluteAddress",
    b"byteLength",
    b"byteOffset",
    b"charLength",
    b"charOffset",
    b"endColumn",
    b"endLine",
    b"executionOrder",
    b"exitCode",
    b"exitSignalNumber",
    b"index",
    b"length",
    b"nestingLevel",
    b"occurrenceCount",
    b"offset",
    b"offsetFromParent",
    b"parentIndex",
    b"processId",
    b"rank",
    b"relativeAddress",
    b"startColumn",
    b"startLine",
    b"threadId",
];
/// Digits of a JSON number that is somebody's.
const NUMBER_BYTES_MIN: usize = 8;

/// What of the policy's wish to keep values counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keeping<'a> {
    /// What it keeps at this path stays.
    At(&'a str),
    /// All goes: what is asked is what would be found.
    Nothing,
}

/// What one look at a document may still cost, and what is remembered.
pub(super) struct Pass<'a> {
    learnt: Option<&'a Learnt>,
    keeping: Keeping<'a>,
    views_left: usize,
    unpacked_left: usize,
    batch: Box<Batch>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(bytes: &[u8], learnt: Option<&'a Learnt>, keeping: Keeping<'a>) -> Self {
        let views_left = bytes.len().saturating_mul(VIEWS_FACTOR).saturating_add(VIEWS_SLACK);
        let batch = Batch::boxed();
        Self { learnt, keeping, views_left, unpacked_left: packed::BYTES_MAX, batch }
    }

    /// Counts a view of so many bytes.
    pub(super) fn view(&mut self, bytes: usize) -> Result<(), SanitizeError> {
        self.views_left = self.views_left.checked_sub(bytes).ok_or(SanitizeError::TooLarge)?;
        Ok(())
    }
}

/// A text at its layer.
pub(super) struct Layer<'a> {
    pub(super) text: &'a [u8],
    pub(super) format: Format,
    pub(super) tokens: Option<Vec<Token>>,
    pub(super) hints: Hints,
    pub(super) depth: u8,
    pub(super) keeping: Keeping<'a>,
}

impl Layer<'_> {
    /// What a span says.
    fn value(&self, span: Span) -> Vec<u8> {
        let raw = &self.text[span.start..span.end];
        work::count(raw.len());
        if raw.contains(&b'\\') { json::decode(raw) } else { raw.to_vec() }
    }
}

impl Sanitizer {
    /// Edits of bytes of any sort, in order and apart.
    pub(super) fn edits(
        &self,
        pass: &mut Pass<'_>,
        bytes: &[u8],
        format: Format,
        depth: u8,
    ) -> Result<Vec<Edit>, SanitizeError> {
        if depth < DEPTH_MAX
            && let Some(packing) = Packing::detect(bytes)
            && let Some(unpacked) = packing.unpack(bytes, &mut pass.unpacked_left)?
        {
            pass.views_left = pass.views_left.saturating_add(unpacked.plain.len() * VIEWS_FACTOR);
            let inner = self.edits(pass, &unpacked.plain, Format::Text, depth + 1)?;
            if inner.is_empty() {
                return Ok(inner);
            }
            if unpacked.state == State::Broken {
                return Err(SanitizeError::Broken);
            }
            let with = packing.pack(&edit::applied(&unpacked.plain, &inner))?;
            let hits = hits(inner, |_, _| (0, bytes.len()));
            return Ok(vec![Edit { start: 0, end: bytes.len(), with, hits }]);
        }
        let encoding = Encoding::detect(bytes);
        let Some(walk) = encoding.walk() else { return self.text(pass, bytes, format, depth) };
        let inner = self.text(pass, &map::decode(walk, bytes), format, depth)?;
        Ok(mapped(inner, walk, bytes, 0, |with, _| encoding.encode(with)))
    }

    /// Edits of a text in UTF-8.
    pub(super) fn text(
        &self,
        pass: &mut Pass<'_>,
        text: &[u8],
        format: Format,
        depth: u8,
    ) -> Result<Vec<Edit>, SanitizeError> {
        let format = if depth == 0 { format } else { Format::detect("", text) };
        let tokens = if matches!(format, Format::Json | Format::Sarif) { json::tokens(text) } else { None };
        let (spans, hints) = self.scanner.find(&mut pass.batch, text)?;
        let layer = Layer { text, format, tokens, hints, depth, keeping: pass.keeping };
        let cells = if format == Format::Csv { cells::cells(text) } else { vec![(0, text.len())] };
        let mut edits = Vec::with_capacity(spans.len());
        for span in spans {
            match &layer.tokens {
                Some(tokens) => self.cut(&layer, tokens, span, &mut edits),
                None => self.cut_to_cells(&layer, &cells, span, &mut edits),
            }
        }
        if depth < DEPTH_MAX {
            // What only looks random may be a text in another spelling.
            let direct = edits.iter().filter(|edit| !self.is_random(edit));
            let direct: Vec<(usize, usize)> = direct.map(|edit| (edit.start, edit.end)).collect();
            let (more, prose) = self.views(pass, &layer, &direct)?;
            edits.retain(|edit| {
                let at = prose.partition_point(|(_, end)| *end < edit.end);
                !(prose.get(at).is_some_and(|(start, _)| *start <= edit.start) && self.is_random(edit))
            });
            edits.extend(more);
        }
        let join =
            |start, end, rule| self.replacing(&layer, Span { start, end, rule, how: How::default() }, None);
        let mut edits = edit::apart(edits, join);
        if let Some(learnt) = pass.learnt {
            self.remembered(&layer, learnt, &mut edits);
        }
        if format == Format::Sarif
            && depth == 0
            && let Some(tokens) = &layer.tokens
        {
            self.rekeyed(text, tokens, &mut edits);
        }
        Ok(edits)
    }

    fn is_random(&self, edit: &Edit) -> bool {
        edit.hits.iter().all(|hit| self.scanner.is_random(hit.rule))
    }

    /// A span that crosses strings of a JSON document is cut to them; of escaped ones only what a name gives away as a
    /// whole is taken, as the rest is searched as what it says.
    fn cut(&self, layer: &Layer<'_>, tokens: &[Token], span: Span, edits: &mut Vec<Edit>) {
        let first = tokens.partition_point(|token| token.end <= span.start);
        let reached = tokens.iter().enumerate().skip(first).take_while(|(_, token)| token.start < span.end);
        for (number, token) in reached {
            let (start, end) = (span.start.max(token.start), span.end.min(token.end));
            // A value that begins before a name has swallowed what follows its own string.
            let swallowed = span.start < token.start && names(layer.text, token);
            if start >= end || swallowed || scan::is_token(layer.text, start, end) {
                continue;
            }
            match token.kind {
                TokenKind::Plain => self.unless_kept(layer, Span { start, end, ..span }, None, edits),
                TokenKind::Number
                    if !(layer.format == Format::Sarif && is_counted(layer.text, tokens, number))
                        && (token.end - token.start >= NUMBER_BYTES_MIN
                            || self.scanner.is_position(span.rule)
                            || self.scanner.rule(span.rule).kind == Kind::Secret
                                && (start, end) == (token.start, token.end)) =>
                {
                    let whole = Span { start: token.start, end: token.end, ..span };
                    self.unless_kept(layer, whole, Some(b'"'), edits);
                }
                TokenKind::Escaped
                    if (start, end) == (token.start, token.end) || layer.depth == DEPTH_MAX =>
                {
                    self.unless_kept(layer, Span { start, end, ..span }, None, edits);
                }
                TokenKind::Number | TokenKind::Escaped => {}
            }
        }
    }

    /// A span that crosses cells of a table is cut to them.
    fn cut_to_cells(&self, layer: &Layer<'_>, cells: &[(usize, usize)], span: Span, edits: &mut Vec<Edit>) {
        for (start, end) in cells::pieces(cells, span.start, span.end) {
            if (start, end) == (span.start, span.end) || !scan::is_token(layer.text, start, end) {
                self.unless_kept(layer, Span { start, end, ..span }, None, edits);
            }
        }
    }

    /// Takes a value out unless the policy keeps it.
    fn unless_kept(&self, layer: &Layer<'_>, span: Span, quote: Option<u8>, edits: &mut Vec<Edit>) {
        let stays = match layer.keeping {
            Keeping::At(path) if self.policy.terms.keep() => {
                let rule = self.scanner.rule(span.rule);
                let mut value = layer.value(span);
                let names = (rule.id.as_str(), rule.type_name.as_str());
                let stays = self.policy.terms.reason(&self.key, names, path, &value).is_some();
                value.zeroize();
                stays
            }
            Keeping::At(_) | Keeping::Nothing => false,
        };
        if !stays {
            edits.push(self.replacing(layer, span, quote));
        }
    }

    /// What takes a value's place where it goes.
    fn replacement(&self, rule: u16, value: &[u8]) -> String {
        let type_name = &self.scanner.rule(rule).type_name;
        let made = self.scanner.action(rule).replacement(&self.key, type_name, value);
        made.unwrap_or_else(|| self.key.token(type_name, value))
    }

    fn replacing(&self, layer: &Layer<'_>, span: Span, quote: Option<u8>) -> Edit {
        let value = layer.value(span);
        let token = self.replacement(span.rule, &value);
        let Span { start, end, rule, how } = span;
        let mut edit = Edit::new(Hit { start, end, rule, how, value, token });
        let toml = || layer.format == Format::Toml && is_bare_number(layer.text, span.start, span.end);
        if let Some(quote) = quote.or_else(|| toml().then_some(b'"')) {
            edit.with.insert(0, quote);
            edit.with.push(quote);
        }
        edit
    }

    /// What is remembered is taken out where nothing else is.
    fn remembered(&self, layer: &Layer<'_>, learnt: &Learnt, edits: &mut Vec<Edit>) {
        let mut more = Vec::new();
        for (start, end, rule) in learnt.find(layer.text) {
            let next = edits.partition_point(|edit| edit.end <= start);
            if edits.get(next).is_some_and(|edit| edit.start < end) {
                continue;
            }
            let span = Span { start, end, rule, how: How::Learnt };
            match &layer.tokens {
                // Strings with escapes are looked at as what they say.
                Some(tokens) => self.cut(layer, tokens, span, &mut more),
                None => self.unless_kept(layer, span, None, &mut more),
            }
        }
        if !more.is_empty() {
            edits.append(&mut more);
            edits.sort_by_key(|edit| edit.start);
        }
    }

    /// Digests of what was replaced are replaced by keyed ones.
    fn rekeyed(&self, text: &[u8], tokens: &[Token], edits: &mut Vec<Edit>) {
        let mut more = Vec::new();
        for (start, end) in rekey::digests(text, tokens, edits) {
            let value = text[start..end].to_vec();
            let token = self.key.token(super::FINGERPRINT_TYPE, &value);
            more.push(Edit::new(Hit { start, end, rule: edit::FINGERPRINT, how: How::Rule, value, token }));
        }
        if !more.is_empty() {
            edits.retain(|edit| {
                let next = more.partition_point(|digest| digest.end <= edit.start);
                more.get(next).is_none_or(|digest| edit.end <= digest.start)
            });
            edits.append(&mut more);
            edits.sort_by_key(|edit| edit.start);
        }
    }
}

/// Whether a string of JSON is the name of something.
fn names(text: &[u8], token: &Token) -> bool {
    let behind =
        text[token.end..].iter().skip(1).take(GAP_BYTES_MAX).find(|byte| !byte.is_ascii_whitespace());
    token.kind != TokenKind::Number && behind == Some(&b':')
}

/// Whether a number of SARIF is one of the format's own, which must stay a number.
fn is_counted(text: &[u8], tokens: &[Token], number: usize) -> bool {
    let key = number.checked_sub(1).filter(|_| tokens[number].keyed).map(|key| &tokens[key]);
    key.is_some_and(|key| COUNTED.contains(&&text[key.start..key.end]))
}

/// Whether a span is a number that stands for itself, whose replacement needs quotes in TOML.
fn is_bare_number(text: &[u8], start: usize, end: usize) -> bool {
    let before = text[..start].iter().rev().take(GAP_BYTES_MAX).find(|b| !matches!(b, b' ' | b'\t'));
    let before = match before {
        Some(b'\n') => text[..start].iter().rev().take(GAP_BYTES_MAX).find(|b| !b.is_ascii_whitespace()),
        other => other,
    };
    let after = text[end..].iter().take(GAP_BYTES_MAX).find(|b| !matches!(b, b' ' | b'\t' | b'\r'));
    matches!(before, Some(b'=' | b',' | b'['))
        && matches!(after, None | Some(b'\n' | b',' | b']' | b'}' | b'#'))
        && text[start..end]
            .iter()
            .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'_' | b':'))
}
