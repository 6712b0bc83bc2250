//! How a text becomes words: the hub does it, once, so that every engine indexes the same.
//!
//! A word is a run of letters and digits, lower-cased. An identifier (`camelCase`, `snake_case`) is found whole and by
//! its parts; the parts stand at the same place, so that phrases hold.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// The tokenizer's name in an index.
pub const NAME: &str = "certus";
/// A word longer than this is nothing that anybody searches for, in bytes.
const WORD_BYTES_MAX: usize = 120;

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Lower-cased.
    pub text: String,
    /// First byte in the text.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
    /// Its number among the text's words; parts have that of their whole.
    pub position: usize,
}

/// The words of a text, in order.
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut position = 0;
    let mut start = None;
    let ends = text.char_indices().map(|(at, c)| (at, Some(c))).chain([(text.len(), None)]);
    for (at, c) in ends {
        let inside = c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        match (start, inside) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                enter(text, from, at, &mut position, &mut words);
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// The whole and its parts, where it has any.
fn enter(text: &str, start: usize, end: usize, position: &mut usize, words: &mut Vec<Word>) {
    let whole = text[start..end].trim_matches('_');
    if whole.is_empty() || whole.len() > WORD_BYTES_MAX {
        return;
    }
    let start = start + text[start..end].find(whole).unwrap_or(0);
    let at = *position;
    *position += 1;
    let word = |from: usize, to: usize| Word {
        text: text[from..to].to_lowercase(),
        start: from,
        end: to,
        position: at,
    };
    words.push(word(start, start + whole.len()));
    let parts = parts(whole);
    if parts.len() > 1 {
        words.extend(parts.into_iter().filter(|(a, b)| b - a > 1).map(|(a, b)| word(start + a, start + b)));
    }
}

/// Where the parts of an identifier begin and end.
fn parts(word: &str) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, c) in word.char_indices() {
        let turn = before.is_some_and(|b| b.is_lowercase() && c.is_uppercase());
        if c == '_' || turn {
            if at > start {
                parts.push((start, at));
            }
            start = if c == '_' { at + 1 } else { at };
        }
        before = Some(c);
    }
    if start < word.len() {
        parts.push((start, word.len()));
    }
    parts
}

/// [`words`] for tantivy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Words;

/// The words of one text.
pub struct Stream {
    words: std::vec::IntoIter<Word>,
    token: Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = Stream;
    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream {
        Stream { words: words(text).into_iter(), token: Token::default() }
    }
}

impl TokenStream for Stream {
    fn advance(&mut self) -> bool {
        let Some(word) = self.words.next() else { return false };
        self.token = Token {
            offset_from: word.start,
            offset_to: word.end,
            position: word.position,
            text: word.text,
            position_length: 1,
        };
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_found_whole_and_by_their_parts_at_one_place() {
        let found: Vec<(String, usize)> = words("readFile snake_case_name, Grüße x1 __init__")
            .into_iter()
            .map(|word| (word.text, word.position))
            .collect();
        let expected = [
            ("readfile", 0),
            ("read", 0),
            ("file", 0),
            ("snake_case_name", 1),
            ("snake", 1),
            ("case", 1),
            ("name", 1),
            ("grüße", 2),
            ("x1", 3),
            ("init", 4),
        ];
        assert_eq!(found, expected.map(|(text, at)| (text.to_owned(), at)));
    }
}
