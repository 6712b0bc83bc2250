//! What a value looks like: words, or as people make passwords, or drawn at random.

use crate::surprise::Makeup;

/// Bytes of a UUID.
const UUID_LEN: usize = 36;
/// Words for a password: who writes them writes about one.
const PASSWORD_WORDS: [&[u8]; 6] = [b"password", b"passphrase", b"token", b"secret", b"key", b"enter"];
/// Names of constants are shorter than this.
const CONSTANT_MAX: usize = 32;

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// Words, a name, a number.
    Word,
    /// Words with something odd.
    Odd,
    /// As people make passwords: letters, digits, signs.
    Mixed,
    /// As if drawn at random.
    Drawn,
}

/// What a value looks like.
pub(super) fn strength(value: &[u8], makeup: &Makeup) -> Strength {
    let surprise = makeup.surprise();
    if value.contains(&b'"') {
        // A text of its own: what counts is the longest piece of it.
        let longest =
            value.split(|b| !b.is_ascii_alphanumeric()).max_by_key(|piece| piece.len()).unwrap_or_default();
        let piece = Makeup::of(longest);
        return if longest.len() >= 12 && !longest.is_empty() {
            strength(longest, &piece)
        } else {
            Strength::Word
        };
    }
    let (letters, digits) = (makeup.letters(), makeup.digits);
    if letters == 0 {
        return if digits >= 6 && makeup.others == 0 && value.len() >= 6 {
            Strength::Odd
        } else {
            Strength::Word
        };
    }
    if value.contains(&b'_') && makeup.lower == 0 && digits * 4 < value.len() && value.len() < CONSTANT_MAX {
        return Strength::Word;
    }
    // A UUID is one number in hexadecimal digits.
    let digit = |b: &u8| b.is_ascii_hexdigit() || *b == b'-' && value.len() == UUID_LEN;
    let hex = value.iter().all(digit) && (makeup.upper == 0 || makeup.lower == 0);
    if hex && digits > 0 && value.len() >= 8 {
        return Strength::Drawn;
    }
    let signs = value
        .iter()
        .filter(|b| b.is_ascii_punctuation() && !matches!(b, b'_' | b'-' | b'.' | b'/' | b':'))
        .count();
    // Bytes beyond ASCII are no words of a program either.
    let odd = value.iter().filter(|b| !b.is_ascii_alphanumeric() && **b != b' ').count();
    if value.len() >= 12 && odd * 3 >= value.len() * 2 && signs >= 4 {
        return Strength::Drawn;
    }
    if signs >= 5 && crooked(value) || signs * 2 >= value.len() && signs >= 4 && value.len() >= 8 {
        return Strength::Drawn;
    }
    if value.iter().any(|b| matches!(b, b' ')) {
        return if surprise >= 5.0 { Strength::Odd } else { Strength::Word };
    }
    if drawn(makeup, surprise) {
        return Strength::Drawn;
    }
    if digits > 0 && letters > 0 && (surprise >= 4.0 || signs > 0 || makeup.turns >= 3) {
        return Strength::Mixed;
    }
    if signs > 0 && surprise >= 3.4 || digits > 0 || surprise >= 4.2 && letters >= 4 {
        return Strength::Odd;
    }
    Strength::Word
}

/// Whether letters follow each other as if by chance, or letters and digits change often.
fn drawn(makeup: &Makeup, surprise: f32) -> bool {
    let (letters, digits) = (makeup.letters(), makeup.digits);
    let needed = match letters {
        ..=3 => 5.4,
        4..=5 => 5.0,
        6..=9 => 4.7,
        _ => 4.5,
    };
    let changes = makeup.turns >= 5;
    let many = digits >= 8 && letters + digits >= 16;
    let mixed = digits >= 4 && makeup.turns * 6 >= letters + digits && surprise >= 3.6;
    letters >= 4 && (surprise >= needed || changes && (many || mixed))
}

/// Whether lower-case words in a row may be a passphrase: several, and none that makes a sentence of them.
pub(super) fn is_passphrase(value: &[u8]) -> bool {
    const SENTENCE: [&[u8]; 14] = [
        b"the", b"is", b"a", b"an", b"your", b"must", b"please", b"to", b"of", b"for", b"not", b"be", b"in",
        b"this",
    ];
    let words = || value.split(|b| *b == b' ');
    words().count() >= 3
        && words().all(|word| !word.is_empty() && word.iter().all(u8::is_ascii_lowercase))
        && !words().any(|word| SENTENCE.contains(&word) || PASSWORD_WORDS.contains(&word))
}

/// Whether brackets don't pair, among many signs: no programming language, but a password.
pub(super) fn crooked(value: &[u8]) -> bool {
    let signs = value.iter().filter(|b| b.is_ascii_punctuation()).count();
    if signs < 5 {
        return false;
    }
    let mut open = Vec::new();
    let closed = value.iter().all(|byte| match byte {
        b'(' | b'[' | b'{' => {
            open.push(*byte);
            true
        }
        b')' => open.pop() == Some(b'('),
        b']' => open.pop() == Some(b'['),
        b'}' => open.pop() == Some(b'{'),
        _ => true,
    });
    !(closed && open.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(value: &str) -> Strength {
        strength(value.as_bytes(), &Makeup::of(value.as_bytes()))
    }

    #[test]
    fn words_are_weaker_than_what_people_make_up_and_that_than_what_is_drawn() {
        for word in ["configuration", "user_name", "SOME_CONSTANT_2", "12345"] {
            assert_eq!(look(word), Strength::Word, "{word}");
        }
        for made in ["tr0ub4dor", "Winter2019!"] {
            assert!(look(made) >= Strength::Mixed, "{made}");
        }
        for drawn in ["9f1c7b04e2d85a63", "xKq9ZrT2vWm4", "zxvqkwjtr", "(]}x{[)("] {
            assert_eq!(look(drawn), Strength::Drawn, "{drawn}");
        }
    }

    #[test]
    fn a_passphrase_is_words_without_a_sentence() {
        assert!(is_passphrase(b"correct horse battery staple"));
        for sentence in [&b"enter your password"[..], b"is not a match", b"two words", b"Some Words Here"] {
            assert!(!is_passphrase(sentence));
        }
    }
}
