//! The little language in which formats of tokens are written down: `'literal'` and `alphabet:length`.
//!
//! `digit:10-13 '-' alnum:24` is 10 to 13 digits, a hyphen, 24 letters or digits. From one description come the regular
//! expression that finds a token and, in tests, tokens of that form made from a seed.

/// One piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Exactly this text.
    Literal(String),
    /// So many characters of an alphabet.
    Run {
        /// The characters.
        alphabet: Alphabet,
        /// At least so many.
        min: usize,
        /// At most so many.
        max: usize,
    },
    /// What a generator of this name makes, such as a number with a valid checksum; in examples only.
    Made(String),
}

/// A run whose length may vary by so much has no upper bound in its expression.
const OPEN_FROM: usize = 40;

/// A set of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alphabet {
    /// The name used in formats.
    pub name: &'static str,
    /// The inside of a character class.
    pub class: &'static str,
}

const ALPHABETS: [Alphabet; 14] = [
    Alphabet { name: "digit", class: "0-9" },
    Alphabet { name: "hex", class: "0-9a-f" },
    Alphabet { name: "HEX", class: "0-9A-F" },
    Alphabet { name: "xdigit", class: "0-9A-Fa-f" },
    Alphabet { name: "lower", class: "a-z" },
    Alphabet { name: "upper", class: "A-Z" },
    Alphabet { name: "alnum", class: "0-9A-Za-z" },
    Alphabet { name: "lalnum", class: "0-9a-z" },
    Alphabet { name: "ualnum", class: "0-9A-Z" },
    Alphabet { name: "b32", class: "2-7A-Z" },
    Alphabet { name: "base58", class: "1-9A-HJ-NP-Za-km-z" },
    Alphabet { name: "b64", class: "0-9A-Za-z+/" },
    Alphabet { name: "b64url", class: "0-9A-Za-z_-" },
    Alphabet { name: "word", class: "0-9A-Za-z_" },
];

impl Alphabet {
    /// Every character of it.
    pub fn characters(&self) -> Vec<char> {
        let class: Vec<char> = self.class.chars().collect();
        let mut characters = Vec::new();
        let mut at = 0;
        while at < class.len() {
            if at + 2 < class.len() && class[at + 1] == '-' {
                characters.extend(class[at]..=class[at + 2]);
                at += 3;
            } else {
                characters.push(class[at]);
                at += 1;
            }
        }
        characters
    }
}

/// Reads a format.
///
/// # Errors
/// Says which piece can't be read.
pub fn parse(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (literal, after) = rest[1..].split_once('\'').ok_or("a literal is not closed")?;
            pieces.push(Piece::Literal(literal.to_owned()));
            rest = after.trim_start();
            continue;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        pieces.push(run(word)?);
        rest = after.trim_start();
    }
    if pieces.is_empty() { Err("an empty format".to_owned()) } else { Ok(pieces) }
}

fn run(word: &str) -> Result<Piece, String> {
    if let Some(name) = word.strip_prefix('@') {
        return Ok(Piece::Made(name.to_owned()));
    }
    let wrong = || format!("{word:?} is neither 'literal', alphabet:length nor @generator");
    let (name, length) = word.split_once(':').ok_or_else(wrong)?;
    let alphabet = ALPHABETS.into_iter().find(|alphabet| alphabet.name == name).ok_or_else(wrong)?;
    let (min, max) = length.split_once('-').unwrap_or((length, length));
    let (min, max) = (min.parse().map_err(|_| wrong())?, max.parse().map_err(|_| wrong())?);
    if min > max || max == 0 { Err(wrong()) } else { Ok(Piece::Run { alphabet, min, max }) }
}

/// The regular expression that a format stands for.
///
/// # Errors
/// A generator has none.
pub fn regex(pieces: &[Piece]) -> Result<String, String> {
    let mut expression = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(text) => expression.push_str(&regex::escape(text)),
            Piece::Run { alphabet, min, max } if min == max => {
                expression.push_str(&format!("[{}]{{{min}}}", alphabet.class));
            }
            // An open end costs an automaton less than a far one; the rule's window bounds it all the same.
            Piece::Run { alphabet, min, max } if max - min >= OPEN_FROM => {
                expression.push_str(&format!("[{}]{{{min},}}", alphabet.class));
            }
            Piece::Run { alphabet, min, max } => {
                expression.push_str(&format!("[{}]{{{min},{max}}}", alphabet.class));
            }
            Piece::Made(name) => return Err(format!("@{name} has no place in a rule's body")),
        }
    }
    Ok(expression)
}

/// Characters that a text of this format has at the most; generators count for nothing.
pub fn longest(pieces: &[Piece]) -> usize {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => text.len(),
            Piece::Run { max, .. } => *max,
            Piece::Made(_) => 0,
        })
        .sum()
}
