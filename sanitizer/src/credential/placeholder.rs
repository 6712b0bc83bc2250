//! What stands for a value that is to be filled in: `${NAME}`, `<password>`, `changeme`; and what somebody made up by
//! going along the alphabet.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use rustc_hash::FxHashSet;

/// The same character stands so often in a row in no value that was drawn at random.
const SAME_MAX: usize = 8;
/// So much beside the same character is a value that begins with zeros.
const REST_MIN: usize = 16;
/// Longer values are no placeholders for a variable in them.
const VARIABLE_MAX: usize = 64;
/// Longer values may hold a word of placeholders by chance.
const WORD_MAX: usize = 40;
/// Shorter values may go along the alphabet by chance.
const PATTERN_MIN: usize = 12;

/// Words that stand where a secret would, in lower case.
static PLACEHOLDERS: LazyLock<FxHashSet<&[u8]>> = LazyLock::new(|| words(WHOLE).collect());
const WHOLE: &str = "password passwd passphrase secret changeme change_me change-me example placeholder redacted \
    required optional none null nil true false undefined string default disabled enabled unknown xxxx **** .... todo dummy \
    sample token basic bearer self foo bar foobar test testing mysecret mypassword insert replace value key hidden asdf \
    qwerty pass pw pwd your";
/// How placeholders begin, in lower case.
static TOLD: LazyLock<Vec<&[u8]>> = LazyLock::new(|| words(TOLD_WORDS).collect());
const TOLD_WORDS: &str =
    "your my_ my- <your insert enter replace changeme example xxx *** ... change-me change_me";
/// What stands in placeholders, in lower case.
static WITHIN: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(words(WITHIN_WORDS)).ok());
const WITHIN_WORDS: &str =
    "example placeholder changeme redacted xxxx dummy **** .... foobar your_ your- _here";
/// How variables and gaps begin.
static OPEN: LazyLock<Vec<&[u8]>> = LazyLock::new(|| words(OPEN_WORDS).collect());
const OPEN_WORDS: &str = "< %( #{ %{ [[ {% @{ %s %v __ $$ &lt;";

/// What says in a value of a provider's form that it is one of documentation.
static SAMPLE: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(["EXAMPLE", "example", "_HERE", "YOUR_", "your_", "XXXX"]).ok());

fn words(list: &'static str) -> impl Iterator<Item = &'static [u8]> {
    list.split_ascii_whitespace().map(str::as_bytes)
}

fn has(words: &LazyLock<Option<AhoCorasick>>, text: &[u8]) -> bool {
    words.as_ref().is_some_and(|words| words.is_match(text))
}

/// Whether a value stands for one that is to be filled in.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    let mut lower = [0; WORD_MAX];
    let lower = &mut lower[..value.len().min(WORD_MAX)];
    lower.copy_from_slice(&value[..lower.len()]);
    lower.make_ascii_lowercase();
    let short = value.len() < WORD_MAX;
    short && PLACEHOLDERS.contains(&*lower)
        || TOLD.iter().any(|word| lower.starts_with(word))
        || short && has(&WITHIN, lower)
        || is_variable(value)
        || is_filler(value)
        || is_bracketed(value)
        || is_fake(value)
}

/// Whether a value is a variable, a gap or one character again and again: nobody could take it for a value.
fn is_variable(value: &[u8]) -> bool {
    let variable =
        value.first() == Some(&b'$') && value[1..].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let names = value.len() > 2 && value.first() == Some(&b'%') && value.last() == Some(&b'%');
    let same = value.iter().all(|b| *b == value[0]);
    interpolated(value) && value.len() < VARIABLE_MAX
        || variable
        || names
        || same
        || OPEN.iter().any(|mark| value.starts_with(mark))
}

/// Whether a gap is named: `[PASSWORD]`.
fn is_bracketed(value: &[u8]) -> bool {
    let inside = value.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    inside.is_some_and(|inside| {
        inside.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b' '))
    })
}

/// Whether words say that they are none: `somefakekey`.
fn is_fake(value: &[u8]) -> bool {
    let fake = |there: &[u8]| there.eq_ignore_ascii_case(b"fake");
    !value.iter().any(u8::is_ascii_digit) && value.windows(4).any(fake)
}

/// Whether much of a value is the same character again and again, as in `key_00000000`.
pub(super) fn is_filler(value: &[u8]) -> bool {
    let mut filled = 0;
    let mut row = 0;
    for (at, byte) in value.iter().enumerate() {
        let same = at > 0 && value[at - 1] == *byte && !matches!(byte, b'=' | b'_' | b' ');
        row = if same { row + 1 } else { 1 };
        // The row counts as a whole once it is long enough.
        filled += match row {
            SAME_MAX => SAME_MAX,
            longer if longer > SAME_MAX => 1,
            _ => 0,
        };
        // The rest is too long already, even if the row grows.
        let open = if row < SAME_MAX { row } else { 0 };
        if at + 1 - filled - open >= REST_MIN {
            return false;
        }
    }
    filled * 3 >= value.len() && filled > 0 && value.len() - filled < REST_MIN
}

/// Whether a value of a provider's form is one of documentation: a character again and again, or a word that says so.
pub(crate) fn is_filled_in(value: &[u8]) -> bool {
    repeats(value) || is_sample(value)
}

/// Whether a word in a value of a provider's form says that it is one of documentation.
pub(crate) fn is_sample(value: &[u8]) -> bool {
    has(&SAMPLE, value)
}

/// Whether a character stands in a row more often than chance would have it.
fn repeats(value: &[u8]) -> bool {
    let mut row = 0;
    value.iter().enumerate().any(|(at, byte)| {
        let same = at > 0 && value[at - 1] == *byte;
        row = if matches!(byte, b'=' | b'_') {
            0
        } else if same {
            row + 1
        } else {
            1
        };
        row >= SAME_MAX
    })
}

/// Whether most of a value follows from what stands before it: `0001020304…`, `a1b2c3d4…`, `abcdef123456…`.
pub(crate) fn is_pattern(value: &[u8]) -> bool {
    let (mut length, mut followed, mut one, mut two) = (0, 0, 0, 0);
    for byte in value.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase) {
        let follows = byte == one || byte == two || byte == one + 1 || byte == two + 1;
        followed += usize::from(length >= 2 && follows);
        (one, two) = (byte, one);
        length += 1;
    }
    length >= PATTERN_MIN && followed * 3 >= (length - 2) * 2
}

/// Whether a variable is to be put in: `${NAME}`, `#{name}`, `{{ name }}`.
pub(super) fn interpolated(value: &[u8]) -> bool {
    let named = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b' ' | b'-' | b':' | b'|' | b'$')
    };
    if memchr::memchr2(b'{', b'(', value).is_none() {
        return false;
    }
    let pairs = [(&b"${"[..], &b"}"[..]), (b"#{", b"}"), (b"{{", b"}}"), (b"$(", b")")];
    pairs.into_iter().any(|(open, close)| {
        memchr::memmem::find(value, open).is_some_and(|at| {
            let rest = &value[at + open.len()..];
            let length = rest.iter().take_while(|byte| named(byte)).count();
            rest[length..].starts_with(close)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_values() {
        for value in [
            "${DB_PASSWORD}",
            "$TOKEN",
            "<password>",
            "changeme",
            "your-key-here",
            "%PASS%",
            "0000000000",
            "[PASSWORD]",
            "afakekey",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in ["p4lM!tree", "$ecr3t!x", "tr0ub4dor"] {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_character_again_and_again_fills_in() {
        for value in ["key_00000000000000", "sk-aaaaaaaaaaaaaaaaaaaaaaaa", "xxxxxxxxxx-1234"] {
            assert!(is_filler(value.as_bytes()), "{value}");
        }
        for value in ["9f1c7b04e2d85a63", "aaaa1111bbbb2222", "kQx9AAAAAAAAZr5TtWv2mB7nLp3cYd8e"] {
            assert!(!is_filler(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn what_goes_along_the_alphabet_is_a_pattern() {
        let counted: String = (0..16).map(|n| format!("{n:02x}")).collect();
        let turned: String =
            ('a'..'m').zip(1..).flat_map(|(c, n)| [c.to_string(), (n % 10).to_string()]).collect();
        for value in [&counted[..], &turned, "abcdefghijklmnop", "AbCdEfGhIjKl"] {
            assert!(is_pattern(value.as_bytes()), "{value}");
        }
        for value in ["correcthorsebattery", "kqzwvjxrtbplm", "9f1c7b04e2d85a63"] {
            assert!(!is_pattern(value.as_bytes()), "{value}");
        }
    }
}
