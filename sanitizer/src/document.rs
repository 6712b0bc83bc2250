//! A whole document: found in its own format and encoding, replaced so that it stays what it was.

use certus_protocol::ids::{KeyId, PolicyHash};

use zeroize::Zeroize;

use crate::clean::Clean;
use crate::decode::Encoding;
use crate::json::{self, Token, TokenKind};
use crate::learn::Learnt;
use crate::policy::{Policy, Profile};
use crate::pseudonym::PseudonymKey;
use crate::rules::{Kind, RulesError};
use crate::scan::{self, Scanner, Span};

/// Rounds in which what replacing brought together is looked at again.
const ROUNDS_MAX: usize = 4;

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Anything readable.
    Text,
    /// JSON: stays valid.
    Json,
    /// SARIF: stays valid, and its numbers stay numbers.
    Sarif,
}

impl Format {
    /// Tells by content; the name decides nothing but whether JSON is looked for.
    pub fn detect(name: &str, bytes: &[u8]) -> Self {
        let encoding = Encoding::detect(bytes);
        let decoded = encoding.decode(&bytes[..bytes.len().min(16 << 10) & !1]);
        let head = decoded.as_deref().map_or(&bytes[..bytes.len().min(8192)], str::as_bytes);
        let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
        if !matches!(head.first(), Some(b'{' | b'[')) {
            return Self::Text;
        }
        let has = |text: &[u8]| memchr::memmem::find(head, text).is_some();
        let sarif = has(b"\"runs\"") && has(b"\"version\"") || has(b"sarif");
        let named = name.to_ascii_lowercase();
        if sarif && head.first() == Some(&b'{') {
            Self::Sarif
        } else if named.ends_with(".json") || named.ends_with(".sarif") || has(b"\"") {
            Self::Json
        } else {
            Self::Text
        }
    }
}

/// Where a short text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A path or a file's name.
    Path,
    /// A URL.
    Url,
    /// A commit's message or any other sentence.
    Message,
    /// A person's name, with or without an e-mail address.
    Author,
}

/// A value that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// First byte, in the bytes as given.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
    /// The rule's name.
    pub rule: String,
    /// Secret or personal data.
    pub kind: Kind,
    /// What stands in a replacement.
    pub type_name: String,
}

/// A value that was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redaction {
    /// First byte, in the bytes as given.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
    /// The rule's name.
    pub rule: String,
    /// Secret or personal data.
    pub kind: Kind,
    /// What stands in the replacement.
    pub type_name: String,
    /// What stands there now.
    pub replacement: String,
}

/// A document that was sanitized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its bytes; those given where nothing was found.
    pub bytes: Vec<u8>,
    /// What was taken out, in order.
    pub redactions: Vec<Redaction>,
}

/// A short text that was sanitized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// What was taken out, in order.
    pub redactions: Vec<Redaction>,
}

/// Why an item can't be sanitized; it must be held back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SanitizeError {
    /// A rule's expression can't be compiled within its limits.
    #[error("rule {0} can't be compiled")]
    Rule(String),
    /// Replacing went on without coming to an end.
    #[error("replacing brought forth new findings again and again")]
    Unsettled,
}

/// Finds and replaces. One is made at the start and shared.
#[derive(Debug)]
pub struct Sanitizer {
    scanner: Scanner,
    key: PseudonymKey,
    profile: Profile,
    policy: PolicyHash,
}

impl Sanitizer {
    /// Compiles the rules of a policy.
    ///
    /// # Errors
    /// A rule table is wrong; nothing may be sent.
    pub fn new(policy: &Policy, key: PseudonymKey) -> Result<Self, RulesError> {
        let scanner = Scanner::new(policy.profile)?;
        Ok(Self { scanner, key, profile: policy.profile, policy: policy.hash() })
    }

    /// Names the pseudonym key.
    pub fn key_id(&self) -> KeyId {
        self.key.id()
    }

    /// Names the policy.
    pub fn policy_hash(&self) -> PolicyHash {
        self.policy
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Names bytes that must not be kept, without telling anything of them to who has not the key.
    pub fn fingerprint(&self, bytes: &[u8]) -> [u8; 32] {
        self.key.fingerprint(bytes)
    }

    /// How many rules are in use.
    pub fn rule_count(&self) -> usize {
        self.scanner.len()
    }

    /// Values in a document, in order; nothing is changed.
    ///
    /// # Errors
    /// See [`SanitizeError`].
    pub fn scan(&self, bytes: &[u8], format: Format) -> Result<Vec<Finding>, SanitizeError> {
        let finding = |span: &Span| {
            let rule = self.scanner.rule(span);
            Finding {
                start: span.start,
                end: span.end,
                rule: rule.id.clone(),
                kind: rule.kind,
                type_name: rule.type_name.clone(),
            }
        };
        Ok(self.find(bytes, format, None)?.iter().map(finding).collect())
    }

    /// Remembers the values of a document, so that they are replaced wherever else they stand.
    ///
    /// # Errors
    /// See [`SanitizeError`]; the document must be held back.
    pub fn learn(&self, bytes: &[u8], format: Format, learnt: &mut Learnt) -> Result<(), SanitizeError> {
        let encoding = Encoding::detect(bytes);
        for span in self.find(bytes, format, None)? {
            let mut value = self.value(bytes, &span, encoding);
            learnt.note(&value, span.rule);
            value.zeroize();
        }
        Ok(())
    }

    /// A document with every value replaced, and what `learnt` remembers as well.
    ///
    /// # Errors
    /// See [`SanitizeError`]; the document must be held back.
    pub fn document(
        &self,
        bytes: &[u8],
        format: Format,
        learnt: &Learnt,
    ) -> Result<Clean<Document>, SanitizeError> {
        let encoding = Encoding::detect(bytes);
        let mut redactions = Vec::new();
        let mut clean = bytes.to_vec();
        for round in 0..=ROUNDS_MAX {
            let spans = self.find(&clean, format, Some(learnt))?;
            if spans.is_empty() {
                return Ok(Clean::new(Document { bytes: clean, redactions }));
            }
            if round == ROUNDS_MAX {
                break;
            }
            let number = |span: &Span| format != Format::Text && json_number(&clean, span, encoding);
            let made: Vec<(Span, String, bool)> = spans
                .iter()
                .map(|span| {
                    let type_name = &self.scanner.rule(span).type_name;
                    (*span, self.key.token(type_name, &self.value(&clean, span, encoding)), number(span))
                })
                .collect();
            // Offsets of later rounds are of a text that nobody but us has seen.
            if round == 0 {
                redactions = made.iter().map(|(span, token, _)| self.redaction(span, token)).collect();
            }
            clean = replaced(&clean, &made, encoding);
        }
        Err(SanitizeError::Unsettled)
    }

    /// A short text with every value replaced.
    ///
    /// # Errors
    /// See [`SanitizeError`]; what the text belongs to must be held back.
    pub fn string(&self, text: &str, place: Place) -> Result<Clean<Text>, SanitizeError> {
        if place == Place::Author && self.profile != Profile::SecretsOnly {
            return self.author(text);
        }
        let document = self.document(text.as_bytes(), Format::Text, &Learnt::default())?.into_inner();
        let text = String::from_utf8_lossy(&document.bytes).into_owned();
        Ok(Clean::new(Text { text, redactions: document.redactions }))
    }

    /// `Name <address>`: both are somebody's, whatever they look like.
    fn author(&self, text: &str) -> Result<Clean<Text>, SanitizeError> {
        let (name, address) = text
            .split_once('<')
            .map_or((text, None), |(name, rest)| (name, Some(rest.trim_end().trim_end_matches('>'))));
        let mut made = String::new();
        let mut redactions = Vec::new();
        let mut replace = |value: &str, type_name: &str, made: &mut String| {
            let start = text.find(value).unwrap_or(0);
            let known = crate::pseudonym::tokens(value.as_bytes());
            let whole = known.len() == 1 && known[0] == (0, value.len());
            if value.is_empty() || whole {
                made.push_str(value);
                return;
            }
            let replacement = self.key.token(type_name, value.as_bytes());
            made.push_str(&replacement);
            redactions.push(Redaction {
                start,
                end: start + value.len(),
                rule: "author".to_owned(),
                kind: Kind::Pii,
                type_name: type_name.to_owned(),
                replacement,
            });
        };
        replace(name.trim(), "NAME", &mut made);
        if let Some(address) = address {
            made.push_str(if made.is_empty() { "<" } else { " <" });
            replace(address.trim(), "EMAIL", &mut made);
            made.push('>');
        }
        Ok(Clean::new(Text { text: made, redactions }))
    }

    fn redaction(&self, span: &Span, token: &str) -> Redaction {
        let rule = self.scanner.rule(span);
        Redaction {
            start: span.start,
            end: span.end,
            rule: rule.id.clone(),
            kind: rule.kind,
            type_name: rule.type_name.clone(),
            replacement: token.to_owned(),
        }
    }

    /// What a span says, so that one value gets one token however it is spelt.
    fn value(&self, bytes: &[u8], span: &Span, encoding: Encoding) -> Vec<u8> {
        let raw = &bytes[span.start..span.end];
        let plain = match encoding {
            Encoding::Ascii => None,
            Encoding::Utf16Le(_) => Encoding::Utf16Le(0).decode(raw),
            Encoding::Utf16Be(_) => Encoding::Utf16Be(0).decode(raw),
        };
        let plain = plain.map_or_else(|| raw.to_vec(), String::into_bytes);
        if plain.contains(&b'\\') { json::decode(&plain) } else { plain }
    }

    /// Spans in `bytes` as given, in order, none overlapping another.
    fn find(
        &self,
        bytes: &[u8],
        format: Format,
        learnt: Option<&Learnt>,
    ) -> Result<Vec<Span>, SanitizeError> {
        let encoding = Encoding::detect(bytes);
        let Some(decoded) = encoding.decode(bytes) else { return self.find_utf8(bytes, format, learnt) };
        let spans = self.find_utf8(decoded.as_bytes(), format, learnt)?;
        let edges: Vec<usize> = spans.iter().flat_map(|span| [span.start, span.end]).collect();
        let mapped = encoding.offsets(bytes, &edges);
        let back =
            |(span, edges): (&Span, &[usize])| Span { start: edges[0], end: edges[1], rule: span.rule };
        Ok(spans.iter().zip(mapped.chunks_exact(2)).map(back).collect())
    }

    fn find_utf8(
        &self,
        text: &[u8],
        format: Format,
        learnt: Option<&Learnt>,
    ) -> Result<Vec<Span>, SanitizeError> {
        let tokens = if format == Format::Text { None } else { json::tokens(text) };
        let mut spans = match &tokens {
            None => self.scanner.find(text)?,
            Some(tokens) => self.find_json(text, tokens, format)?,
        };
        let again = learnt.map(|learnt| learnt.find(text)).unwrap_or_default();
        if !again.is_empty() {
            let apart = |(start, end, _): &(usize, usize, u16)| {
                !spans.iter().any(|s| s.start < *end && *start < s.end)
            };
            let more: Vec<Span> = again
                .iter()
                .filter(|hit| apart(hit))
                .map(|(start, end, rule)| Span { start: *start, end: *end, rule: *rule })
                .collect();
            spans.extend(more);
            spans.sort_unstable_by_key(|span| span.start);
        }
        Ok(spans)
    }

    /// The raw text is searched as it lies (so that keys stand beside their values), escaped strings once more as what
    /// they say; a span that crosses strings is cut to them.
    fn find_json(&self, text: &[u8], tokens: &[Token], format: Format) -> Result<Vec<Span>, SanitizeError> {
        let mut found = Vec::new();
        let mut first = 0;
        for span in self.scanner.find(text)? {
            while tokens.get(first).is_some_and(|token| token.end <= span.start) {
                first += 1;
            }
            for token in tokens[first..].iter().take_while(|token| token.start < span.end) {
                let (start, end) = (span.start.max(token.start), span.end.min(token.end));
                if start < end && scan::is_token(text, start, end) {
                    continue;
                }
                match token.kind {
                    TokenKind::Plain if start < end => found.push(Span { start, end, ..span }),
                    TokenKind::Number if format != Format::Sarif && token.end - token.start >= 8 => {
                        found.push(Span { start: token.start, end: token.end, ..span });
                    }
                    // What a name gives away as a whole; the rest is searched as what it says.
                    TokenKind::Escaped if (start, end) == (token.start, token.end) => {
                        found.push(Span { start, end, ..span });
                    }
                    TokenKind::Plain | TokenKind::Number | TokenKind::Escaped => {}
                }
            }
        }
        for token in tokens.iter().filter(|token| token.kind == TokenKind::Escaped) {
            self.find_escaped(text, tokens, token, &mut found)?;
        }
        found.sort_unstable_by_key(|span| (span.start, span.end));
        found.dedup_by(|later, earlier| later.start < earlier.end);
        Ok(found)
    }

    fn find_escaped(
        &self,
        text: &[u8],
        tokens: &[Token],
        token: &Token,
        found: &mut Vec<Span>,
    ) -> Result<(), SanitizeError> {
        let raw = &text[token.start..token.end];
        let mut decoded = Vec::with_capacity(raw.len() + 64);
        if let Some(key) = token.key.and_then(|key| tokens.get(key)) {
            decoded.extend_from_slice(b"\"");
            decoded.extend_from_slice(&text[key.start..key.end]);
            decoded.extend_from_slice(b"\": \"");
        }
        let lead = decoded.len();
        decoded.extend_from_slice(&json::decode(raw));
        let spans: Vec<Span> =
            self.scanner.find(&decoded)?.into_iter().filter(|span| span.end > lead).collect();
        let edges: Vec<usize> =
            spans.iter().flat_map(|span| [span.start.saturating_sub(lead), span.end - lead]).collect();
        for (span, edges) in spans.iter().zip(json::offsets(raw, &edges).chunks_exact(2)) {
            found.push(Span { start: token.start + edges[0], end: token.start + edges[1], rule: span.rule });
        }
        Ok(())
    }
}

/// Whether a span is a number of a JSON document, whose replacement needs quotes.
fn json_number(bytes: &[u8], span: &Span, encoding: Encoding) -> bool {
    if encoding != Encoding::Ascii {
        return false;
    }
    let before = bytes[..span.start].iter().rev().find(|b| !b.is_ascii_whitespace());
    let after = bytes[span.end..].iter().find(|b| !b.is_ascii_whitespace());
    let bare = matches!(before, Some(b':' | b',' | b'[')) && matches!(after, Some(b',' | b'}' | b']'));
    bare && bytes[span.start..span.end]
        .iter()
        .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'))
        && json::tokens(bytes).is_some_and(|tokens| {
            tokens.iter().any(|token| token.kind == TokenKind::Number && token.start == span.start)
        })
}

fn replaced(bytes: &[u8], made: &[(Span, String, bool)], encoding: Encoding) -> Vec<u8> {
    let mut clean = Vec::with_capacity(bytes.len() + made.len() * 32);
    let mut at = 0;
    for (span, token, number) in made {
        clean.extend_from_slice(&bytes[at..span.start]);
        let token = if *number { format!("\"{token}\"") } else { token.clone() };
        clean.extend_from_slice(&encoding.encode(&token));
        at = span.end;
    }
    clean.extend_from_slice(&bytes[at..]);
    clean
}
