//! Whether what stands behind a name is an expression of a programming language, a path or a sentence, and no value.

use super::placeholder::interpolated;
use super::strength::crooked;
use crate::scan::{Assigned, Manner};
use crate::surprise::Makeup;

/// How far behind a value the bracket is looked for that closes one of it.
const CLOSES_BYTES: usize = 160;
/// What is encrypted is no shorter in base64.
const SEALED_MIN: usize = 26;
/// Numbers of 128 bits and more in hexadecimal digits behind `0x` are keys.
const KEY_MIN: usize = 34;

/// Whether the value is code.
pub(super) fn is_code(text: &[u8], value: &[u8], found: &Assigned) -> bool {
    match found.manner {
        Manner::Quoted | Manner::Listed | Manner::Tagged => is_quoted_code(value),
        Manner::Bare | Manner::Loose | Manner::Argument => is_bare_code(text, value, found),
    }
}

/// Whether a short text stands in a value.
fn has(value: &[u8], part: &[u8]) -> bool {
    memchr::memchr_iter(part[0], value).any(|at| value[at..].starts_with(part))
}

/// A path, a URL, an interpolation, a format.
fn is_quoted_code(value: &[u8]) -> bool {
    let has = |part: &[u8]| has(value, part);
    let folded =
        || value.iter().all(|b| b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=\\".contains(b));
    interpolated(value)
        || has(b"://")
        || has(b"%s")
        || value.starts_with(b"/")
        || value.starts_with(b"./")
        || value.contains(&b'\n') && !folded()
        || (value.first() == Some(&b'{') && value.last() == Some(&b'}') && !has(b"\"") && !is_sealed(value))
}

/// Whether base64 stands in the braces, as Jenkins writes what it has encrypted.
fn is_sealed(value: &[u8]) -> bool {
    value.len() >= SEALED_MIN
        && value[1..value.len() - 1].iter().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b))
}

fn is_bare_code(text: &[u8], value: &[u8], found: &Assigned) -> bool {
    let after = text.get(found.end).copied().unwrap_or(b'\n');
    let has = |part: &[u8]| has(value, part);
    let brackets = memchr::memchr3(b'(', b'[', b'{', value).is_some();
    let called = || (matches!(after, b'(' | b'[' | b'{') || brackets) && !crooked(value);
    let cut = || brackets && closes_behind(text, value, found.end);
    let path =
        || has(b"::") || has(b"->") || has(b"().") || value.starts_with(b"/") || value.starts_with(b"./");
    let begins = b"(*&|-!=<>.:,+~?%\\$#@".contains(&value[0]) && found.manner != Manner::Bare;
    let ends_another = matches!(value[0], b')' | b'}' | b']');
    // A variable of a macro and what it stands for: `$token:expr`.
    let macros = || found.name > 0 && text[found.name - 1] == b'$' && text.get(found.name_end) == Some(&b':');
    // A library and its version: `io.jsonwebtoken:jjwt-jackson-0.11.2`.
    let artifact = || text[found.name..found.name_end].contains(&b'.') && is_versioned(value);
    begins
        || ends_another
        || is_number(value)
        || called()
        || cut()
        || path()
        || macros()
        || artifact()
        || is_named(value, found)
}

/// Whether a bracket that opens in the value closes behind it in its line.
fn closes_behind(text: &[u8], value: &[u8], end: usize) -> bool {
    let line = &text[end..text.len().min(end + CLOSES_BYTES)];
    let line = &line[..line.iter().position(|b| *b == b'\n').unwrap_or(line.len())];
    let count = |byte: u8| value.iter().filter(|b| **b == byte).count();
    line.first() == Some(&b' ')
        && [(b'(', b')'), (b'[', b']'), (b'{', b'}')]
            .into_iter()
            .any(|(open, close)| count(open) > count(close) && line.contains(&close))
}

/// Whether a value of words ends with a version: `name-1.2.3`.
fn is_versioned(value: &[u8]) -> bool {
    let Some(at) = value.iter().rposition(|b| *b == b'-') else { return false };
    let (words, version) = (&value[..at], &value[at + 1..]);
    let numbers = version.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    numbers && version.contains(&b'.') && words.iter().all(|b| b.is_ascii_lowercase() || *b == b'-')
}

fn is_number(value: &[u8]) -> bool {
    let digit = |b: &u8| b.is_ascii_hexdigit() || b"xX_.-uiLU".contains(b);
    let letters = || value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let hex = value.starts_with(b"0x") || value.starts_with(b"0X");
    value.iter().all(digit)
        && (hex && value.len() < KEY_MIN || value[0].is_ascii_digit() && letters() <= 3 && value.len() < 16)
}

/// Whether it is the name of something: `a.b.c` is a field, `SOME_NAME` a constant.
fn is_named(value: &[u8], found: &Assigned) -> bool {
    let field = value.contains(&b'.')
        && value.split(|b| *b == b'.').all(|part| {
            part.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
                && Makeup::of(part).surprise() < 4.6
        });
    let underscored = value.contains(&b'_');
    let constant =
        underscored && value.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_');
    let identifier = underscored
        && value.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        && found.manner == Manner::Loose
        && Makeup::of(value).surprise() < 4.6;
    field || constant || identifier
}
