//! Whether what is assigned to a name is a credential: the name says what it should be, the value whether it can be one.

use crate::pseudonym;
use crate::rules::Finder;
use crate::scan::{Assigned, Manner};
use crate::surprise::Makeup;

mod announced;
mod code;
mod name;
mod placeholder;
mod strength;

pub(crate) use announced::{Need, is_file_name, is_plausible, is_prefixed};
pub(crate) use name::{PASSWORD_STEMS, SECRET_STEMS, WEAK_STEMS};
pub(crate) use placeholder::{is_filled_in, is_pattern, is_placeholder, is_sample};

use name::Promise;
use strength::{Strength, is_passphrase, strength};

/// A value that is redacted has so many bytes.
const VALUE_MIN: usize = 4;
/// Digits of a number that is a password.
const NUMBER_MIN: usize = 6;
/// Bytes of a value that are judged: far more than a credential has on a line.
const SAMPLE_MAX: usize = 512;
/// An argument without an option before it is prose unless it is so long or holds a digit.
const ARGUMENT_MIN: usize = 12;
/// Bytes that a label has beyond the letters of its name.
const LABEL_MARKS: usize = 8;
/// Words that surprise less are of a language.
const WORD_SURPRISE_MAX: f32 = 3.6;

/// How sure it is that a value is a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Confidence {
    /// It is none.
    No,
    /// It may be one: enough where nothing may be missed.
    Maybe,
    /// It is hardly anything else.
    Sure,
}

/// How sure it is that the value assigned there is a credential.
pub(crate) fn judge(sort: Finder, text: &[u8], found: &Assigned) -> Confidence {
    let name = &text[found.name..found.name_end];
    let value = &text[found.start..found.end];
    if value.len() < VALUE_MIN
        || is_placeholder(value)
        || is_label(name, value)
        || code::is_code(text, value, found) && !is_number_password(sort, text, found)
        || pseudonym::within_token(text, found.name)
    {
        return Confidence::No;
    }
    // What a value looks like is told by its beginning.
    let value = &value[..value.len().min(SAMPLE_MAX)];
    let makeup = Makeup::of(value);
    let strength = strength(value, &makeup);
    let prose = found.manner == Manner::Argument
        && name[0] != b'-'
        && (strength < Strength::Drawn || makeup.digits == 0 && value.len() < ARGUMENT_MIN);
    let confidence = match name::promise(sort, name) {
        _ if prose => Confidence::No,
        Promise::Public => Confidence::No,
        Promise::About if strength >= Strength::Drawn && value.len() >= 20 => Confidence::Maybe,
        Promise::About => Confidence::No,
        Promise::Password => as_password(value, &makeup, strength, found.manner),
        Promise::Secret => as_secret(value, &makeup, strength, found.manner),
        Promise::Weak => as_weak(name, value, strength, found.manner),
    };
    // What goes along the alphabet was made up, which is not to say that it opens nothing.
    if confidence == Confidence::Sure && is_pattern(value) { Confidence::Maybe } else { confidence }
}

/// Whether a number is a password by its name, and no constant of a program.
fn is_number_password(sort: Finder, text: &[u8], found: &Assigned) -> bool {
    let (name, value) = (&text[found.name..found.name_end], &text[found.start..found.end]);
    // Capitals, and a sign with spaces around it.
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or(name);
    let constant = found.manner == Manner::Loose
        && !last.iter().any(u8::is_ascii_lowercase)
        && text[found.name_end..found.start].contains(&b'=');
    value.len() >= NUMBER_MIN
        && value.iter().all(u8::is_ascii_digit)
        && text.get(found.end) != Some(&b';')
        && !constant
        && name::promise(sort, name) == Promise::Password
}

/// What a column of this name holds, if credentials: passwords or other secrets.
pub(crate) fn sort_of(name: &[u8]) -> Option<Finder> {
    match name::promise(Finder::Secret, name) {
        Promise::Password => Some(Finder::Password),
        Promise::Secret => Some(Finder::Secret),
        Promise::Weak | Promise::About | Promise::Public => None,
    }
}

/// Whether the value is the name once more, as in `{"Next-Token", "NextToken"}`.
fn is_label(name: &[u8], value: &[u8]) -> bool {
    fn letters(text: &[u8]) -> impl Iterator<Item = u8> {
        text.iter().rev().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
    }
    let mut named = letters(name);
    value.len() <= name.len() + LABEL_MARKS && letters(value).all(|letter| named.next() == Some(letter))
}

fn as_password(value: &[u8], makeup: &Makeup, strength: Strength, manner: Manner) -> Confidence {
    let meant = matches!(manner, Manner::Quoted | Manner::Listed | Manner::Tagged | Manner::Bare);
    let named = makeup.letters() == value.len() && makeup.surprise() >= WORD_SURPRISE_MAX;
    match strength {
        Strength::Drawn | Strength::Mixed => Confidence::Sure,
        // Digits alone are a value however they are written.
        Strength::Odd if meant || makeup.digits == value.len() => Confidence::Maybe,
        Strength::Word if meant && (is_passphrase(value) || named && makeup.upper == 0) => Confidence::Maybe,
        Strength::Odd | Strength::Word => Confidence::No,
    }
}

fn as_secret(value: &[u8], makeup: &Makeup, strength: Strength, manner: Manner) -> Confidence {
    let quoted = manner == Manner::Quoted;
    match strength {
        Strength::Drawn if value.len() >= 6 => Confidence::Sure,
        Strength::Odd if makeup.letters() == 0 && value.len() >= 12 => Confidence::Maybe,
        Strength::Odd if makeup.digits == 0 && quoted && value.len() >= 6 => Confidence::Maybe,
        Strength::Mixed if value.len() >= 8 && quoted => Confidence::Sure,
        Strength::Mixed if value.len() >= 8 => Confidence::Maybe,
        Strength::Word if quoted && is_passphrase(value) => Confidence::Maybe,
        _ => Confidence::No,
    }
}

fn as_weak(name: &[u8], value: &[u8], strength: Strength, manner: Manner) -> Confidence {
    let vector = manner == Manner::Loose && value.iter().all(u8::is_ascii_hexdigit);
    match strength {
        // Test vectors of cryptography are written so.
        Strength::Drawn if value.len() >= 16 && !vector && !name::is_check(name) => Confidence::Sure,
        Strength::Drawn if value.len() >= 8 => Confidence::Maybe,
        _ => Confidence::No,
    }
}

/// How sure it is that a text which stands in a password's place is one.
pub(crate) fn password(value: &[u8]) -> Confidence {
    match strength(value, &Makeup::of(value)) {
        _ if is_placeholder(value) => Confidence::No,
        Strength::Drawn | Strength::Mixed => Confidence::Sure,
        Strength::Odd | Strength::Word => Confidence::Maybe,
    }
}

/// How sure it is that a text which stands in a token's or a key's place is one.
pub(crate) fn token(value: &[u8]) -> Confidence {
    match strength(value, &Makeup::of(value)) {
        _ if is_placeholder(value) => Confidence::No,
        Strength::Drawn => Confidence::Sure,
        Strength::Mixed | Strength::Odd => Confidence::Maybe,
        Strength::Word => Confidence::No,
    }
}
