//! The parts of a postal address: house numbers, street types, postal codes, names of places.

use super::super::person::{char_at, is_no_name};

/// Words of a street's or a place's name at the most.
const WORDS_MAX: usize = 6;
/// Bytes of a street's line at the most.
const STREET_BYTES: usize = 64;

/// What streets end with in English, in lower case.
const SUFFIXES: [&str; 61] = [
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "lane",
    "ln",
    "drive",
    "dr",
    "court",
    "ct",
    "boulevard",
    "blvd",
    "parkway",
    "pkwy",
    "highway",
    "hwy",
    "place",
    "pl",
    "square",
    "sq",
    "terrace",
    "ter",
    "circle",
    "cir",
    "way",
    "trail",
    "trl",
    "close",
    "crescent",
    "cres",
    "gardens",
    "gdns",
    "grove",
    "mews",
    "row",
    "walk",
    "hill",
    "park",
    "green",
    "quay",
    "wharf",
    "alley",
    "aly",
    "pike",
    "turnpike",
    "tpke",
    "expressway",
    "loop",
    "plaza",
    "plz",
    "ridge",
    "run",
    "broadway",
    "parade",
    "esplanade",
    "vale",
    "heights",
    "broadwalk",
    "lea",
];
/// Behind a street's type.
const DIRECTIONS: [&str; 12] = ["n", "s", "e", "w", "ne", "nw", "se", "sw", "north", "south", "east", "west"];
/// Small words within names of streets and places.
const PARTICLES: [&str; 38] = [
    "de", "la", "le", "les", "des", "du", "del", "della", "delle", "dei", "degli", "dello", "di", "da",
    "das", "do", "dos", "an", "der", "am", "im", "in", "op", "den", "het", "'t", "ob", "upon", "on", "of",
    "the", "sur", "en", "el", "los", "las", "y", "aan",
];
/// Street types that are written small before a name.
const TYPES: [&str; 34] = [
    "rue",
    "avenue",
    "boulevard",
    "bd",
    "place",
    "chemin",
    "impasse",
    "allée",
    "quai",
    "cours",
    "calle",
    "avenida",
    "avda.",
    "plaza",
    "paseo",
    "c/",
    "via",
    "viale",
    "piazza",
    "corso",
    "largo",
    "vicolo",
    "rua",
    "praça",
    "travessa",
    "av.",
    "ul.",
    "al.",
    "os.",
    "pl.",
    "route",
    "square",
    "ulica",
    "aleja",
];
/// States and territories of America, by their codes.
const STATES: &[u8] = b"ALAKAZARCACOCTDEDCFLGAHIIDILINIAKSKYLAMEMDMAMIMNMSMOMTNENVNHNJNMNYNCNDOHOKORPARISCSDTNTXUTVTVAWAWVWIWYPRGU";

pub(super) fn digits_at(text: &[u8], at: usize) -> usize {
    text[at.min(text.len())..].iter().take(12).take_while(|b| b.is_ascii_digit()).count()
}

fn digits_before(text: &[u8], at: usize) -> usize {
    text[at.saturating_sub(12)..at].iter().rev().take_while(|b| b.is_ascii_digit()).count()
}

fn joined(byte: Option<&u8>) -> bool {
    byte.is_some_and(|b| {
        b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$' | b'#' | b'/' | b'=' | b'%')
    })
}

/// The word at `at`, of letters, stops and apostrophes: where it ends.
fn word_end(text: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some((c, length)) = char_at(text, end) {
        let goes_on = char_at(text, end + length).is_some_and(|(next, _)| next.is_alphabetic());
        if !(c.is_alphabetic() || matches!(c, '\'' | '-' | '\u{2019}') && goes_on) || end - at > 40 {
            break;
        }
        end += length;
    }
    end
}

/// Capitalised words with small ones between: how many, and where they end.
pub(super) fn capital_words(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let (mut here, mut found) = (at, None);
    for number in 1..=WORDS_MAX {
        let end = word_end(text, here);
        let word = &text[here..end];
        let capital = char_at(text, here).is_some_and(|(c, _)| c.is_uppercase());
        let small = PARTICLES.iter().any(|particle| word == particle.as_bytes())
            || word.starts_with(b"d'")
            || word.starts_with(b"l'");
        if end == here || !capital && !small {
            break;
        }
        let stop =
            usize::from(text.get(end) == Some(&b'.') && word.len() <= 5 && text.get(end + 1) == Some(&b' '));
        if capital || small && word.len() > 4 {
            found = Some((number, end));
        }
        if text.get(end + stop) != Some(&b' ') {
            break;
        }
        here = end + stop + 1;
    }
    found
}

/// A street behind its house number: capitalised words of which one is a street's type. Where it ends.
pub(super) fn suffixed(text: &[u8], at: usize) -> Option<usize> {
    let (mut here, mut found) = (at, None);
    for number in 0..WORDS_MAX {
        let numeral = digits_at(text, here);
        let end = word_end(text, here + numeral);
        let word = &text[here..end];
        let begins = word.first().is_some_and(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b >= 0xC3);
        if !begins {
            break;
        }
        let small = word.to_ascii_lowercase();
        let is = |list: &[&str]| list.iter().any(|known| known.as_bytes() == small);
        let stop = usize::from(text.get(end) == Some(&b'.'));
        if is(&SUFFIXES) && (number > 0 || small == b"broadway")
            || found == Some(here.saturating_sub(1)) && is(&DIRECTIONS)
        {
            found = Some(end);
        }
        if text.get(end + stop) != Some(&b' ') {
            break;
        }
        here = end + stop + 1;
    }
    // A word that only begins like a type goes on.
    found.filter(|end| !text.get(*end).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'(')))
}

/// A house number before `at`: where it begins.
pub(super) fn house_number_before(text: &[u8], at: usize) -> Option<usize> {
    let before = &text[at.saturating_sub(4)..at];
    let before = before.strip_suffix(b" bis").or_else(|| before.strip_suffix(b" ter")).map_or(at, |_| at - 4);
    let before = before - usize::from(text[..before].ends_with(b","));
    let letter = text[..before].last().is_some_and(u8::is_ascii_alphabetic);
    let end = before - usize::from(letter);
    let digits = digits_before(text, end);
    let mut start = end - digits;
    if start > 0 && matches!(text[start - 1], b'-' | b'/') {
        let more = digits_before(text, start - 1);
        start -= if more > 0 { more + 1 } else { 0 };
    }
    let valid = (1..=5).contains(&digits) && text[start] != b'0';
    let apart =
        start.checked_sub(1).is_none_or(|at| !joined(text.get(at)) && !matches!(text[at], b'-' | b'+'));
    (valid && apart).then_some(start)
}

/// A house number behind a street that ends at `at`: where it ends.
pub(super) fn house_number(text: &[u8], at: usize) -> Option<usize> {
    let mut here = at;
    for sign in [&b","[..], b" ", "n.º ".as_bytes(), "nº ".as_bytes(), b"n. ", b"nr. ", b"Nr. ", b"no. "] {
        here += if text[here.min(text.len())..].starts_with(sign) { sign.len() } else { 0 };
    }
    let digits = digits_at(text, here);
    if here == at || !(1..=4).contains(&digits) || text[here] == b'0' {
        return None;
    }
    let mut end = here + digits;
    for sign in [b'/', b'-'] {
        let more = digits_at(text, end + 1);
        end += if text.get(end) == Some(&sign) && (1..=4).contains(&more) { more + 1 } else { 0 };
    }
    let near = text.get(end).is_some_and(|b| *b == b' ');
    let letter = end + usize::from(near);
    let single = text.get(letter).is_some_and(u8::is_ascii_alphabetic)
        && !text.get(letter + 1).is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80);
    end = if single && (!near || text[letter].is_ascii_uppercase()) { letter + 1 } else { end };
    // Not `12.5`, `12px`, `12:30`.
    let goes_on =
        text.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'%' | b'_' | b'('));
    let fraction =
        text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(|b| b.is_ascii_alphanumeric());
    (!goes_on && !fraction).then_some(end)
}

/// A postal code in digits before `at`, with its country: where it begins, and where the place's name does.
pub(super) fn postal_before(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let digits = digits_before(text, at);
    let mut start = at - digits;
    let before = |start: usize| start.checked_sub(1).map_or(b'\n', |at| text[at]);
    start -= match (digits, before(start)) {
        (4 | 5, _) => 0,
        (2, b' ') if digits_before(text, start - 1) == 3 => 4,
        (3, b'-') if matches!(digits_before(text, start - 1), 2 | 4) => 1 + digits_before(text, start - 1),
        _ => return None,
    };
    if before(start) == b'-' {
        let letters = text[start.saturating_sub(3)..start - 1]
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_uppercase())
            .count();
        start -= letters + 1;
        if letters == 0 {
            return None;
        }
    }
    // The Dutch one has two letters more.
    let letters = text.get(at + 1..at + 3).is_some_and(|pair| pair.iter().all(u8::is_ascii_uppercase));
    let dutch = digits == 4 && letters && text.get(at + 3) == Some(&b' ');
    let city = if dutch { at + 4 + usize::from(text.get(at + 4) == Some(&b' ')) } else { at + 1 };
    (!joined(start.checked_sub(1).and_then(|at| text.get(at)))).then_some((start, city))
}

/// An American, British or Canadian code at `at`: where it ends.
pub(super) fn postal_at(text: &[u8], at: usize) -> Option<usize> {
    if joined(at.checked_sub(1).and_then(|at| text.get(at))) {
        return None;
    }
    let found = american(text, at).or_else(|| formed(text, at))?;
    text.get(found).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_').then_some(found)
}

fn american(text: &[u8], at: usize) -> Option<usize> {
    let state = text.get(at..at + 2)?;
    let known = STATES.chunks_exact(2).any(|known| known == state);
    if !known || text.get(at + 2) != Some(&b' ') || digits_at(text, at + 3) != 5 {
        return None;
    }
    let more = text.get(at + 8) == Some(&b'-') && digits_at(text, at + 9) == 4;
    Some(at + if more { 13 } else { 8 })
}

/// `SW1A 1AA`, `M1 1AE`, `K1A 0B1`.
fn formed(text: &[u8], at: usize) -> Option<usize> {
    let sort = |b: &u8| match b {
        b'A'..=b'Z' => b'A',
        b'0'..=b'9' => b'9',
        b' ' => b' ',
        _ => b'?',
    };
    let form: Vec<u8> = text[at..text.len().min(at + 8)].iter().map(sort).collect();
    const FORMS: [&[u8]; 7] =
        [b"AA9A 9AA", b"AA99 9AA", b"AA9 9AA", b"A9A 9AA", b"A99 9AA", b"A9 9AA", b"A9A 9A9"];
    let found = FORMS.iter().find(|known| form.starts_with(known))?;
    let end = at + found.len();
    let british = found.ends_with(b"9AA");
    // Letters that the two never hold at these places.
    let never: &[u8] = if british { b"CIKMOV" } else { b"DFIOQU" };
    let judged = if british { &text[end - 2..end] } else { &text[at..end] };
    (!judged.iter().any(|b| never.contains(b))).then_some(end)
}

/// The place's name before its code: `Springfield, IL …`. Where it begins.
pub(super) fn city_before(text: &[u8], at: usize) -> Option<usize> {
    let before = &text[at.saturating_sub(48)..at];
    let trimmed = before.strip_suffix(b" ").or_else(|| before.strip_suffix(b"\n"))?;
    let trimmed = trimmed.strip_suffix(b",").unwrap_or(trimmed);
    let end = at - (before.len() - trimmed.len());
    let named = |b: &&u8| b.is_ascii_alphabetic() || matches!(b, b' ' | b'-' | b'\'' | b'.') || **b >= 0x80;
    let length = trimmed.iter().rev().take_while(named).count();
    let mut start = end - length;
    while start < end && !(text[start].is_ascii_uppercase() || text[start] >= 0xC3) {
        start += 1;
    }
    // The last few words, each with a capital.
    let (words, found) = capital_words(text, start).unwrap_or((0, 0));
    (found == end && words <= 4).then_some(start)
}

/// The street before a postal code at `at`, on the same line or the one before: where it begins.
pub(super) fn street_before(text: &[u8], at: usize) -> Option<usize> {
    let apart = |b: &&u8| matches!(b, b' ' | b',' | b'\n' | b'\r' | b'\t' | b';');
    let gap = text[at.saturating_sub(6)..at].iter().rev().take_while(apart).count();
    let end = at - gap;
    let from = end.saturating_sub(STREET_BYTES);
    let stops = |at: usize| match text[at] {
        b'\n' | b'"' | b':' | b'\t' | b';' | b'>' | b'<' | b'(' | b')' | b'=' | b'{' | b'}' | b'[' | b'|'
        | b'@' | b'_' | b'$' | b'&' | b'*' | b'#' | b'+' | b'!' | b'?' | b'\\' => true,
        b'\'' => at == 0 || !text[at - 1].is_ascii_alphabetic(),
        _ => false,
    };
    let mut start = end;
    for _ in 0..3 {
        let mut piece = start.saturating_sub(usize::from(start < end));
        while piece > from && !stops(piece - 1) && text[piece - 1] != b',' {
            piece -= 1;
        }
        start = piece;
        if named(&text[start..end]) || start == from || text[start - 1] != b',' {
            break;
        }
    }
    trimmed(text, start, end)
}

/// Whether a word is long enough to be a street's name.
fn named(piece: &[u8]) -> bool {
    let name = |word: &[u8]| {
        let letters =
            word.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80 || matches!(b, b'-' | b'\'' | b'.'));
        word.len() >= 4
            && letters
            && (word[0].is_ascii_uppercase() || word[0] >= 0xC3)
            && !word[1].is_ascii_uppercase()
            && !is_no_name(word)
    };
    piece.split(|b| *b == b' ').any(name)
}

/// Without what a sentence says before the street; `None` where no street is left.
fn trimmed(text: &[u8], mut start: usize, end: usize) -> Option<usize> {
    let typed = |word: &[u8]| TYPES.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word));
    while start < end {
        let length = text[start..end].iter().take_while(|b| **b != b' ').count();
        let word = &text[start..start + length];
        let keeps = word.first().is_some_and(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b >= 0xC3)
            || typed(word);
        if keeps {
            break;
        }
        start += length + 1;
    }
    let street = text.get(start..end)?;
    let words = || street.split(|b| matches!(b, b' ' | b',')).filter(|word| !word.is_empty());
    let number = |word: &[u8]| {
        let digits = digits_at(word, 0);
        (1..=4).contains(&digits)
            && word.len() <= digits + 5
            && !word[digits..].iter().skip(1).any(u8::is_ascii_alphabetic)
    };
    let plain = street.iter().all(|b| {
        b.is_ascii_alphanumeric() || *b >= 0x80 || matches!(b, b' ' | b',' | b'.' | b'-' | b'\'' | b'/')
    });
    (plain && named(street) && words().any(number) && words().count() <= 9).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postal_codes_are_told_by_their_forms() {
        for code in ["IL 62704", "NY 10001-1234", "SW1A 1AA", "M1 1AE", "LS12 3AB", "K1A 0B1"] {
            assert_eq!(postal_at(code.as_bytes(), 0), Some(code.len()), "{code}");
        }
        for code in ["XX 62704", "IL 6270", "SW1A 1CI", "A 1", "D1A 0B1", "IL 627041"] {
            assert_eq!(postal_at(code.as_bytes(), 0), None, "{code}");
        }
    }

    #[test]
    fn a_street_before_a_code_begins_behind_what_the_sentence_says() {
        for (text, street) in [
            ("she lives at Blumenweg 3, ", "Blumenweg 3, "),
            ("Adresse: 12 rue des Fleurs, ", "12 rue des Fleurs, "),
            ("'Calle Larga, 12, ", "Calle Larga, 12, "),
            ("x\nul. Polna 12/4\n", "ul. Polna 12/4\n"),
        ] {
            assert_eq!(street_before(text.as_bytes(), text.len()), Some(text.len() - street.len()), "{text}");
        }
        for text in ["copy(12, ", "version 3, ", "Some Words, ", "x = 5\n"] {
            assert_eq!(street_before(text.as_bytes(), text.len()), None, "{text}");
        }
    }
}
