//! What is kept on purpose: values, known by their keyed hash only, places, and rules.

use std::sync::Arc;

use regex::Regex;

use crate::pseudonym::PseudonymKey;

/// Hexadecimal digits of a value's hash.
pub(super) const HASH_DIGITS: usize = 32;

/// What is kept: what all of its conditions hold for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allow {
    /// Hashes of values; any value if there are none.
    pub(super) values: Vec<String>,
    /// Paths; any if there are none.
    pub(super) paths: Vec<Glob>,
    /// Rules or types; any if there are none.
    pub(super) rules: Vec<String>,
    pub(super) reason: Arc<str>,
}

impl Allow {
    pub(super) fn covers(
        &self,
        key: &PseudonymKey,
        (rule, type_name): (&str, &str),
        path: &str,
        value: &[u8],
    ) -> bool {
        let named = |name: &String| name == rule || name == type_name;
        (self.rules.is_empty() || self.rules.iter().any(named))
            && (self.paths.is_empty() || self.paths.iter().any(|glob| glob.fits(path)))
            && (self.values.is_empty() || self.values.contains(&key.allowed(value)))
    }
}

/// A pattern of paths: `*` within a component, `**` across them, `?` one character.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    text: String,
    regex: Regex,
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl Glob {
    /// `None` where it is too long or says nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > 256 {
            return None;
        }
        let mut regex = String::from("(?s)^");
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (piece, length) = match rest {
                _ if rest.starts_with("**/") => ("(?:.*/)?", 3),
                _ if rest.starts_with("**") => (".*", 2),
                _ if c == '*' => ("[^/]*", 1),
                _ if c == '?' => ("[^/]", 1),
                _ => ("", c.len_utf8()),
            };
            if piece.is_empty() {
                regex.push_str(&regex::escape(&rest[..length]))
            } else {
                regex.push_str(piece)
            }
            rest = &rest[length..];
        }
        regex.push('$');
        Regex::new(&regex).ok().map(|regex| Self { text: text.to_owned(), regex })
    }

    fn fits(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_paths() {
        for (glob, path, fits) in [
            ("test/**", "test/a/b.txt", true),
            ("test/**", "testing/a", false),
            ("**/fixtures/*.json", "a/b/fixtures/x.json", true),
            ("**/fixtures/*.json", "fixtures/x.json", true),
            ("**/fixtures/*.json", "fixtures/y/x.json", false),
            ("a?c.(x)", "abc.(x)", true),
            ("a?c", "a/c", false),
        ] {
            assert_eq!(Glob::parse(glob).unwrap().fits(path), fits, "{glob} {path}");
        }
        assert!(Glob::parse("").is_none() && Glob::parse(&"a".repeat(300)).is_none());
    }
}
