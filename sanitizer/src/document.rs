//! A whole document: found in its own format and encoding, replaced so that it stays what it was.

use std::borrow::Cow;
use std::sync::Arc;

use certus_protocol::ids::{KeyId, PolicyHash};

use crate::clean::Clean;
use crate::decode::Encoding;
use crate::explain::{Score, Why};
use crate::learn::Learnt;
use crate::policy::{Policy, Profile};
use crate::pseudonym::PseudonymKey;
use crate::rules::{Kind, RulesError};
use crate::scan::Scanner;
use crate::validate::Check;

mod author;
mod cells;
mod edit;
mod find;
#[cfg(test)]
mod growth;
mod rekey;
mod views;

use edit::Hit;
use find::{Keeping, Pass};

/// Rounds in which what replacing brought together is looked at again.
const ROUNDS_MAX: usize = 5;
/// What digests of values are named by.
const FINGERPRINT_RULE: &str = "fingerprint";
const FINGERPRINT_TYPE: &str = "FINGERPRINT";

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Anything readable.
    Text,
    /// JSON: stays valid.
    Json,
    /// SARIF: stays valid, and its numbers stay numbers.
    Sarif,
    /// TOML: stays valid.
    Toml,
    /// CSV and its like: values stay in their cells.
    Csv,
}

/// Names of files that are TOML.
const TOML: [&str; 6] = [".toml", "pipfile", "cargo.lock", "poetry.lock", "uv.lock", "pdm.lock"];

/// How names of files end that are JSON, one value or several, with comments or without.
const JSON: [&str; 8] = [".json", ".sarif", ".jsonl", ".ndjson", ".jsonc", ".json5", ".geojson", ".ipynb"];

impl Format {
    /// Tells by content, and by the name where that leaves it open.
    pub fn detect(name: &str, bytes: &[u8]) -> Self {
        let encoding = Encoding::detect(bytes);
        let decoded = encoding.decode(&bytes[..bytes.len().min(16 << 10) & !3]);
        let head = decoded.as_deref().map_or(&bytes[..bytes.len().min(8192)], str::as_bytes);
        let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
        let named = name.to_ascii_lowercase();
        if TOML.iter().any(|ending| named.ends_with(ending)) {
            return Self::Toml;
        }
        if named.ends_with(".csv") || named.ends_with(".tsv") {
            return Self::Csv;
        }
        let has = |text: &[u8]| memchr::memmem::find(head, text).is_some();
        let sarif = || has(b"\"runs\"") && has(b"\"version\"") || has(b"sarif");
        let json = || JSON.iter().any(|ending| named.ends_with(ending));
        match head.first() {
            Some(b'{') if sarif() => Self::Sarif,
            Some(b'{' | b'[') if has(b"\"") => Self::Json,
            Some(_) if json() => Self::Json,
            _ => Self::Text,
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
    /// What gave it away.
    pub why: Why,
    /// The check that held.
    pub check: Check,
    /// How sure it is.
    pub score: Score,
    /// What it would become.
    pub replacement: String,
}

/// A value that the policy keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// First byte, in the bytes that came out.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
    /// The rule that would have taken it out.
    pub rule: String,
    /// Why it is kept.
    pub reason: Arc<str>,
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
    /// What was found and kept, in order.
    pub kept: Vec<Kept>,
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
    /// What it unpacks or decodes to is beyond the limits.
    #[error("what it unpacks to is too large")]
    TooLarge,
    /// What it unpacks to holds values, but can't be packed again: it breaks off.
    #[error("it is packed, holds values, and breaks off")]
    Broken,
    /// The policy keeps more values than can be told of.
    #[error("the policy keeps {0} values of it, more than can be declared; turn the type off instead")]
    Kept(usize),
}

/// Finds and replaces. One is made at the start and shared.
#[derive(Debug)]
pub struct Sanitizer {
    scanner: Scanner,
    key: PseudonymKey,
    policy: Policy,
    hash: PolicyHash,
}

impl Sanitizer {
    /// Compiles the rules of a policy.
    ///
    /// # Errors
    /// A rule table is wrong; nothing may be sent.
    pub fn new(policy: &Policy, key: PseudonymKey) -> Result<Self, RulesError> {
        let scanner = Scanner::new(policy)?;
        Ok(Self { scanner, key, policy: policy.clone(), hash: policy.hash() })
    }

    /// Names the pseudonym key.
    pub fn key_id(&self) -> KeyId {
        self.key.id()
    }

    /// Names the policy.
    pub fn policy_hash(&self) -> PolicyHash {
        self.hash
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.policy.profile
    }

    /// Names bytes that must not be kept, without telling anything of them to who has not the key.
    pub fn fingerprint(&self, bytes: &[u8]) -> [u8; 32] {
        self.key.fingerprint(bytes)
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What finds something: name, kind and type, of the policy's own rules, of those built in that are in use, and of what
    /// takes out digests of values.
    pub fn rules(&self) -> impl Iterator<Item = (&str, Kind, &str)> {
        let rules = self.scanner.rules().iter().map(|rule| (&*rule.id, rule.kind, &*rule.type_name));
        rules.chain([(FINGERPRINT_RULE, Kind::Secret, FINGERPRINT_TYPE)])
    }

    /// Values in a document, in order; nothing is changed.
    ///
    /// # Errors
    /// See [`SanitizeError`].
    pub fn scan(&self, bytes: &[u8], format: Format) -> Result<Vec<Finding>, SanitizeError> {
        self.scan_at("", bytes, format)
    }

    /// The same for a document at this path, of which the policy may keep something.
    ///
    /// # Errors
    /// See [`SanitizeError`].
    pub fn scan_at(&self, path: &str, bytes: &[u8], format: Format) -> Result<Vec<Finding>, SanitizeError> {
        let edits = self.edits(&mut Pass::new(bytes, None, Keeping::At(path)), bytes, format, 0)?;
        Ok(edits.iter().flat_map(|edit| &edit.hits).map(|hit| self.finding(hit)).collect())
    }

    /// Remembers the values of a document, so that they are replaced wherever else they stand.
    ///
    /// # Errors
    /// See [`SanitizeError`]; the document must be held back.
    pub fn learn(&self, bytes: &[u8], format: Format, learnt: &mut Learnt) -> Result<(), SanitizeError> {
        self.learn_at("", bytes, format, learnt)
    }

    /// The same for a document at this path; what the policy keeps there is not remembered.
    ///
    /// # Errors
    /// See [`SanitizeError`]; the document must be held back.
    pub fn learn_at(
        &self,
        path: &str,
        bytes: &[u8],
        format: Format,
        learnt: &mut Learnt,
    ) -> Result<(), SanitizeError> {
        for edit in self.edits(&mut Pass::new(bytes, None, Keeping::At(path)), bytes, format, 0)? {
            for hit in edit.hits.iter().filter(|hit| hit.rule != edit::FINGERPRINT) {
                learnt.note(&hit.value, hit.rule, self.scanner.rule(hit.rule).kind);
            }
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
        self.document_at("", bytes, format, learnt)
    }

    /// The same for a document at this path, of which the policy may keep something.
    ///
    /// # Errors
    /// See [`SanitizeError`]; the document must be held back.
    pub fn document_at(
        &self,
        path: &str,
        bytes: &[u8],
        format: Format,
        learnt: &Learnt,
    ) -> Result<Clean<Document>, SanitizeError> {
        self.settled(bytes, format, learnt, Keeping::At(path))
    }

    fn settled(
        &self,
        bytes: &[u8],
        format: Format,
        learnt: &Learnt,
        keeping: Keeping<'_>,
    ) -> Result<Clean<Document>, SanitizeError> {
        let mut redactions = Vec::new();
        let mut clean = Cow::Borrowed(bytes);
        for round in 0..ROUNDS_MAX {
            let edits = self.edits(&mut Pass::new(&clean, Some(learnt), keeping), &clean, format, 0)?;
            if edits.is_empty() {
                let kept = self.kept(keeping, &clean, format)?;
                return Ok(Clean::new(Document { bytes: clean.into_owned(), redactions, kept }));
            }
            // Offsets of later rounds are of a text that nobody but us has seen.
            if round == 0 {
                redactions =
                    edits.iter().flat_map(|edit| &edit.hits).map(|hit| self.redaction(hit)).collect();
            }
            clean = edit::applied(&clean, &edits).into();
        }
        Err(SanitizeError::Unsettled)
    }

    /// A short text with every value replaced.
    ///
    /// # Errors
    /// See [`SanitizeError`]; what the text belongs to must be held back.
    pub fn string(&self, text: &str, place: Place) -> Result<Clean<Text>, SanitizeError> {
        if place == Place::Author && self.policy.profile != Profile::SecretsOnly {
            return self.author(text);
        }
        // What a short text keeps could not be declared.
        let (bytes, learnt) = (text.as_bytes(), Learnt::default());
        let document = self.settled(bytes, Format::Text, &learnt, Keeping::Nothing)?.into_inner();
        let text = String::from_utf8_lossy(&document.bytes).into_owned();
        Ok(Clean::new(Text { text, redactions: document.redactions }))
    }

    /// What is still to be found in a clean document by who does not know that the policy keeps it.
    fn kept(&self, keeping: Keeping<'_>, clean: &[u8], format: Format) -> Result<Vec<Kept>, SanitizeError> {
        let Keeping::At(path) = keeping else { return Ok(Vec::new()) };
        if !self.policy.terms.keep() {
            return Ok(Vec::new());
        }
        let edits = self.edits(&mut Pass::new(clean, None, Keeping::Nothing), clean, format, 0)?;
        let kept = |hit: &Hit| {
            let (rule, _, type_name) = self.named(hit);
            let reason = self.policy.terms.reason(&self.key, (&rule, &type_name), path, &hit.value);
            let reason = reason.cloned().unwrap_or_else(|| "part of what is kept".into());
            Kept { start: hit.start, end: hit.end, rule, reason }
        };
        Ok(edits.iter().flat_map(|edit| &edit.hits).map(kept).collect())
    }

    fn named(&self, hit: &Hit) -> (String, Kind, String) {
        if hit.rule == edit::FINGERPRINT {
            return (FINGERPRINT_RULE.to_owned(), Kind::Secret, FINGERPRINT_TYPE.to_owned());
        }
        let rule = self.scanner.rule(hit.rule);
        (rule.id.clone(), rule.kind, rule.type_name.clone())
    }

    fn finding(&self, hit: &Hit) -> Finding {
        let (rule, kind, type_name) = self.named(hit);
        let known = (hit.rule != edit::FINGERPRINT).then(|| self.scanner.rule(hit.rule));
        let held = known.map_or(Check::None, |rule| rule.held(&hit.value));
        Finding {
            start: hit.start,
            end: hit.end,
            rule,
            kind,
            type_name,
            why: known.map_or(Why::Place, |rule| Why::of(rule, hit.how)),
            check: held,
            score: known.map_or(Score::CERTAIN, |rule| Score::of(rule, hit.how, held)),
            replacement: hit.token.clone(),
        }
    }

    fn redaction(&self, hit: &Hit) -> Redaction {
        let (rule, kind, type_name) = self.named(hit);
        let replacement = hit.token.clone();
        Redaction { start: hit.start, end: hit.end, rule, kind, type_name, replacement }
    }
}
