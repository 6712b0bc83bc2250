//! The little language in which formats of tokens are written down: `'literal'` and `alphabet:length`.
//!
//! `digit:10-13 '-' alnum:24` is 10 to 13 digits, a hyphen, 24 letters or digits; `uuid` is one. From one description come
//! the matcher that finds a token and, in tests, tokens of that form made from a seed.

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

/// A set of characters.
#[derive(Clone, Copy)]
pub struct Alphabet {
    /// The name used in formats.
    pub name: &'static str,
    members: &'static [bool; 256],
}

impl PartialEq for Alphabet {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Alphabet {}

impl std::fmt::Debug for Alphabet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! alphabets {
    ($($name:literal $class:literal),* $(,)?) => {
        static ALPHABETS: &[Alphabet] = &[$(Alphabet {
            name: $name,
            members: {
                const MEMBERS: [bool; 256] = members($class);
                &MEMBERS
            },
        }),*];
    };
}

alphabets! {
    "digit" b"0-9",
    "hex" b"0-9a-f",
    "HEX" b"0-9A-F",
    "xdigit" b"0-9A-Fa-f",
    "lower" b"a-z",
    "upper" b"A-Z",
    "alpha" b"A-Za-z",
    "alnum" b"0-9A-Za-z",
    "lalnum" b"0-9a-z",
    "ualnum" b"0-9A-Z",
    "b32" b"2-7A-Z",
    "base58" b"1-9A-HJ-NP-Za-km-z",
    "b64" b"0-9A-Za-z+/",
    "b64url" b"0-9A-Za-z_-",
    "b64any" b"0-9A-Za-z+/_-",
    "word" b"0-9A-Za-z_",
    "hyphen" b"0-9A-Za-z-",
    "lhyphen" b"0-9a-z-",
    "dotted" b"0-9A-Za-z_.-",
    "pad" b"=",
}

/// The members of a class: characters, and ranges with a hyphen between their ends.
const fn members(class: &[u8]) -> [bool; 256] {
    let mut members = [false; 256];
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == b'-' {
            let mut byte = class[at];
            while byte <= class[at + 2] {
                members[byte as usize] = true;
                byte += 1;
            }
            at += 3;
        } else {
            members[class[at] as usize] = true;
            at += 1;
        }
    }
    members
}

impl Alphabet {
    /// Whether a byte is one of it.
    pub fn has(&self, byte: u8) -> bool {
        self.members[usize::from(byte)]
    }

    /// Every character of it.
    pub fn characters(&self) -> Vec<char> {
        (0..=255u8).filter(|byte| self.has(*byte)).map(char::from).collect()
    }

    fn named(name: &str) -> Option<Self> {
        ALPHABETS.iter().find(|alphabet| alphabet.name == name).copied()
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
        if word == "uuid" {
            pieces.extend(uuid());
        } else {
            pieces.push(run(word)?);
        }
        rest = after.trim_start();
    }
    if pieces.is_empty() { Err("an empty format".to_owned()) } else { Ok(pieces) }
}

fn uuid() -> Vec<Piece> {
    let Some(alphabet) = Alphabet::named("xdigit") else { return Vec::new() };
    let run = |length| Piece::Run { alphabet, min: length, max: length };
    let hyphen = || Piece::Literal("-".to_owned());
    vec![run(8), hyphen(), run(4), hyphen(), run(4), hyphen(), run(4), hyphen(), run(12)]
}

fn run(word: &str) -> Result<Piece, String> {
    if let Some(name) = word.strip_prefix('@') {
        return Ok(Piece::Made(name.to_owned()));
    }
    let wrong = || format!("{word:?} is neither 'literal', alphabet:length nor @generator");
    let (name, length) = word.split_once(':').ok_or_else(wrong)?;
    let alphabet = Alphabet::named(name).ok_or_else(wrong)?;
    let (min, max) = length.split_once('-').unwrap_or((length, length));
    let (min, max) = (min.parse().map_err(|_| wrong())?, max.parse().map_err(|_| wrong())?);
    if min > max || max == 0 { Err(wrong()) } else { Ok(Piece::Run { alphabet, min, max }) }
}

/// Where a text of this format that begins at `at` ends, the longest one; `None` where none begins there.
pub(crate) fn match_at(pieces: &[Piece], text: &[u8], at: usize) -> Option<usize> {
    let Some((piece, rest)) = pieces.split_first() else { return Some(at) };
    match piece {
        Piece::Literal(literal) => {
            let found = text.get(at..)?.starts_with(literal.as_bytes());
            found.then(|| match_at(rest, text, at + literal.len())).flatten()
        }
        Piece::Run { alphabet, min, max } => {
            let longest = text.get(at..)?.iter().take(*max).take_while(|byte| alphabet.has(**byte)).count();
            let mut ends = (*min..=longest).rev().filter(|length| may_begin(rest, text.get(at + length)));
            ends.find_map(|length| match_at(rest, text, at + length))
        }
        Piece::Made(_) => None,
    }
}

/// Whether a text of these pieces may begin with this byte, or where a text ends.
pub(crate) fn may_begin(pieces: &[Piece], first: Option<&u8>) -> bool {
    match pieces.first() {
        Some(Piece::Literal(literal)) => literal.is_empty() || literal.as_bytes().first() == first,
        Some(Piece::Run { alphabet, min, .. }) => *min == 0 || first.is_some_and(|b| alphabet.has(*b)),
        Some(Piece::Made(_)) | None => true,
    }
}

/// Whether a text of this format may go on with this byte: then it was cut off.
pub(crate) fn goes_on(pieces: &[Piece], next: u8) -> bool {
    let last = pieces.iter().rev().find_map(|piece| match piece {
        Piece::Run { alphabet, .. } if alphabet.name != "pad" => Some(alphabet),
        _ => None,
    });
    next.is_ascii_alphanumeric() || last.is_some_and(|alphabet| alphabet.has(next))
}

/// Letters and digits in a row that show by their number alone; so many with signs among them hold such a row, or a digit in
/// one; and those that show if they hold a digit.
const LONG: usize = 20;
const SIGNED: usize = 40;
const NUMBERED: usize = 8;

/// Whether a text of this format that begins with this prefix shows by the run of token characters that it begins with: that
/// has digits, or is long.
pub(crate) fn shows(prefix: &str, pieces: &[Piece]) -> bool {
    let is_token = |text: &str| text.bytes().all(crate::simd::is_token);
    let within = |piece: &&Piece| match piece {
        Piece::Literal(text) => is_token(text),
        Piece::Run { .. } => true,
        Piece::Made(_) => false,
    };
    let shows = |piece: &Piece| match piece {
        Piece::Run { alphabet, min, .. } => {
            let least = match alphabet.name {
                "digit" | "hex" | "HEX" | "xdigit" => NUMBERED,
                _ if ["-", "_", "/", "+", "."].iter().any(|sign| alphabet.has(sign.as_bytes()[0])) => SIGNED,
                _ => LONG,
            };
            *min >= least
        }
        Piece::Literal(_) | Piece::Made(_) => false,
    };
    is_token(prefix) && pieces.iter().take_while(within).any(shows)
}

/// Whether a text of this format lies in several runs of token characters; those of an alphabet are such.
pub(crate) fn is_broken(pieces: &[Piece]) -> bool {
    pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Literal(text) if !text.bytes().all(crate::simd::is_token)))
}

/// What the texts of a format are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Digits or hexadecimal digits, by rule and not by chance.
    Hex,
    /// Letters alone.
    Letters,
    /// Letters and digits.
    Mixed,
}

/// What the texts of this format are made of.
pub(crate) fn sort(pieces: &[Piece]) -> Sort {
    let has = |names: &[&str]| {
        let named =
            |piece: &Piece| matches!(piece, Piece::Run { alphabet, .. } if names.contains(&alphabet.name));
        pieces.iter().any(named)
    };
    match (has(&["digit", "hex", "HEX", "xdigit"]), has(&["lower", "upper", "alpha"])) {
        (true, _) => Sort::Hex,
        (false, true) => Sort::Letters,
        (false, false) => Sort::Mixed,
    }
}

/// Characters that a text of this format has at the least.
pub(crate) fn shortest(pieces: &[Piece]) -> usize {
    let length = |piece: &Piece| match piece {
        Piece::Literal(text) => text.len(),
        Piece::Run { min, .. } => *min,
        Piece::Made(_) => 0,
    };
    pieces.iter().map(length).sum()
}

/// Characters that a text of this format has at the most; generators count for nothing.
pub fn longest(pieces: &[Piece]) -> usize {
    let length = |piece: &Piece| match piece {
        Piece::Literal(text) => text.len(),
        Piece::Run { max, .. } => *max,
        Piece::Made(_) => 0,
    };
    pieces.iter().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabets_are_of_token_characters() {
        for alphabet in ALPHABETS {
            let others = alphabet.characters().into_iter().filter(|c| !crate::simd::is_token(*c as u8));
            assert_eq!(others.count(), 0, "{}", alphabet.name);
        }
    }

    #[test]
    fn what_a_run_shows_is_told_from_what_only_a_prefix_does() {
        let shown = |prefix: &str, body: &str| shows(prefix, &parse(body).expect("a format"));
        assert!(shown("ghp_", "alnum:36") && shown("x", "hex:8") && shown("ops_", "b64url:100-1000"));
        assert!(!shown("rzp_live_", "alnum:14") && !shown("sha256~", "b64url:43"));
        assert!(
            !shown("a$b$", "alnum:40") && !shown("a", "alnum:4 ':' alnum:40") && !shown("a", "b64url:20")
        );
    }
}
