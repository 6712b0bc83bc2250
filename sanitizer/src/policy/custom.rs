//! Rules of the customer's own: an expression, a list of words, or tokens by their prefix. Each is tried on its own
//! examples before it is used.

use crate::action::Action;
use crate::filter::Filter;
use crate::rules::{self, Form, Kind, Recall, Rule};
use crate::scan::Scanner;
use crate::template;
use crate::validate::Check;

/// What a match of an expression has at the most, in bytes: so that looking stays linear.
const MATCH_BYTES_MAX: usize = 1024;
/// Words of a list at the most.
const WORDS_MAX: usize = 20_000;
const WORD_BYTES_MIN: usize = 3;
const WORD_BYTES_MAX: usize = 256;
/// What a type's name has at the most: a token must stay short.
const TYPE_BYTES_MAX: usize = 32;
const ID_BYTES_MAX: usize = 64;

/// A rule of the customer's, as it was written and found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CustomRule {
    pub(crate) id: String,
    pub(crate) type_name: String,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    pub(crate) check: Check,
    pub(crate) context: Vec<String>,
}

/// How its values look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// They match; group 1 is the value, or all of it where there is none.
    Expression(String),
    /// They are words of a list, with nothing of a word beside them.
    Words(Vec<String>, Case),
    /// They begin and go on like this.
    Token(Vec<String>, String),
}

/// Whether a list's words may be written in other case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Case {
    /// `A` is `a`.
    #[default]
    Ignore,
    /// As they are written.
    Exact,
}

impl CustomRule {
    /// The rule, compiled.
    ///
    /// # Errors
    /// Says what is wrong with it and how to mend it.
    pub(crate) fn compiled(&self) -> Result<Rule, String> {
        let id = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if self.id.is_empty() || self.id.len() > ID_BYTES_MAX || !self.id.bytes().all(id) {
            return Err("its id must be of a-z, 0-9 and -, 64 at the most".to_owned());
        }
        if !is_type(&self.type_name) {
            return Err(
                "its type must be of A-Z and _, 32 at the most, with a letter at both ends".to_owned()
            );
        }
        let form = match &self.shape {
            Shape::Expression(text) => expression(text)?,
            Shape::Words(words, case) => list(words, *case)?,
            Shape::Token(prefix, body) => {
                if prefix.iter().any(|prefix| prefix.len() < WORD_BYTES_MIN) {
                    return Err("a prefix needs 3 characters at the least".to_owned());
                }
                Form::Token { prefix: prefix.clone(), body: template::parse(body)? }
            }
        };
        Ok(Rule {
            id: self.id.clone(),
            type_name: self.type_name.clone(),
            kind: self.kind,
            form,
            filter: Filter::None,
            check: self.check,
            sum: Check::None,
            context: self.context.iter().map(|word| word.to_ascii_lowercase()).collect(),
            alone: false,
            recall: Recall::Balanced,
        })
    }

    /// Tries the rule, and nothing else, on texts in which it must find something and on those in which it must not.
    ///
    /// # Errors
    /// Says which text it fails on.
    pub(crate) fn tried(&self, examples: &[String], negatives: &[String]) -> Result<(), String> {
        let rule = self.compiled()?;
        if examples.is_empty() && !matches!(self.shape, Shape::Words(..)) {
            return Err("it needs examples: texts in which it must find something".to_owned());
        }
        let scanner = Scanner::of(vec![rule], vec![Action::Token], crate::policy::Profile::HighRecall);
        let finds = |text: &String| {
            let found = scanner
                .find(&mut crate::simd::Batch::boxed(), text.as_bytes())
                .map_err(|error| error.to_string())?;
            Ok::<_, String>(!found.0.is_empty())
        };
        for (number, text) in examples.iter().enumerate() {
            if !finds(text)? {
                return Err(format!("it finds nothing in its example {}", number + 1));
            }
        }
        for (number, text) in negatives.iter().enumerate() {
            if finds(text)? {
                return Err(format!("it finds something in its negative {}", number + 1));
            }
        }
        Ok(())
    }
}

/// Whether a text can be the name of a type.
pub(super) fn is_type(name: &str) -> bool {
    let letter = |b: Option<&u8>| b.is_some_and(u8::is_ascii_uppercase);
    name.len() <= TYPE_BYTES_MAX
        && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        && letter(name.as_bytes().first())
        && letter(name.as_bytes().last())
}

fn expression(text: &str) -> Result<Form, String> {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    let hir = parser.parse(text).map_err(|error| {
        let cause = error.to_string();
        let cause = cause.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("its expression can't be read: {cause}")
    })?;
    if hir.properties().minimum_len().is_none_or(|length| length == 0) {
        return Err("its expression matches the empty text".to_owned());
    }
    if hir.properties().maximum_len().is_none_or(|length| length > MATCH_BYTES_MAX) {
        return Err(format!(
            "its expression can match more than {MATCH_BYTES_MAX} bytes; write {{1,100}} in place of + and {{0,100}} in place of *"
        ));
    }
    let regex = rules::build(text).map_err(|_| "its expression is too large once compiled".to_owned())?;
    Ok(Form::Everywhere(regex))
}

fn list(words: &[String], case: Case) -> Result<Form, String> {
    if words.len() > WORDS_MAX {
        return Err(format!("it has more than {WORDS_MAX} words"));
    }
    let fits = |word: &&String| {
        !(WORD_BYTES_MIN..=WORD_BYTES_MAX).contains(&word.len()) || word.trim() != word.as_str()
    };
    if let Some(number) = words.iter().position(|word| fits(&word)) {
        let what = "must have 3 to 256 bytes and no space at its ends";
        return Err(format!("its word {} {what}", number + 1));
    }
    let built = aho_corasick::AhoCorasick::builder()
        .match_kind(aho_corasick::MatchKind::LeftmostLongest)
        .ascii_case_insensitive(case == Case::Ignore)
        .build(words);
    built.map(Form::List).map_err(|_| "its list is too large".to_owned())
}
