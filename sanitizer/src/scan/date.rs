//! Dates of birth: a date, in one of the ways in which people write it, shortly behind a word that says what it is.

use super::Search;
use super::person::char_at;

/// Bytes between the word and the date at the most.
const GAP_BYTES: usize = 30;

/// How months begin, in lower case, in some twenty languages.
const MONTHS: [&str; 62] = [
    "jan", "ene", "gen", "sty", "tam", "led", "feb", "fev", "fév", "lut", "hel", "úno", "mar", "mär", "mrt",
    "maa", "bře", "apr", "avr", "abr", "kwi", "huh", "dub", "may", "mai", "maj", "mei", "mag", "tou", "kvě",
    "jun", "jui", "giu", "cze", "kes", "čer", "jul", "lug", "lip", "hei", "aug", "aoû", "ago", "sie", "elo",
    "srp", "sep", "set", "wrz", "syy", "zář", "oct", "okt", "out", "ott", "paź", "lok", "říj", "nov", "dec",
    "dez", "gru",
];
/// Those with other letters behind that begin no month above.
const MORE_MONTHS: [&str; 7] = ["lis", "déc", "dic", "mag", "jou", "pro", "des"];

/// Looks for a date behind a word that ends at `at`.
pub(super) fn born(search: &mut Search<'_>, rule: u16, at: usize) {
    let text = search.text;
    let to = text.len().min(at + GAP_BYTES);
    let mut here = at;
    let mut before = b' ';
    let mut lines = 0;
    while here < to {
        let byte = text[here];
        lines += usize::from(byte == b'\n');
        if lines > 1 || byte == b'\n' && before == b'\n' {
            return;
        }
        let begins = byte.is_ascii_digit()
            || !before.is_ascii_alphanumeric() && (byte.is_ascii_alphabetic() || byte >= 0xC0);
        if begins && let Some(end) = date_at(text, here) {
            search.offer(rule, here, end);
            return;
        }
        if byte.is_ascii_digit() || matches!(byte, b'{' | b'}' | b';') {
            return;
        }
        before = byte;
        here += 1;
    }
}

/// Where the date that begins at `at` ends.
pub(super) fn date_at(text: &[u8], at: usize) -> Option<usize> {
    let end = if text[at].is_ascii_digit() {
        numeric(text, at).or_else(|| day_first(text, at))
    } else {
        month_first(text, at)
    }?;
    text.get(end).is_none_or(|b| !b.is_ascii_alphanumeric() || *b == b'T').then_some(end)
}

/// A number of so many digits at the most: its value and where it ends.
fn number(text: &[u8], at: usize, digits: usize) -> Option<(u32, usize)> {
    let length =
        text[at.min(text.len())..].iter().take(digits + 1).take_while(|b| b.is_ascii_digit()).count();
    let value = text.get(at..at + length)?.iter().fold(0, |value, b| value * 10 + u32::from(b - b'0'));
    (length > 0 && length <= digits).then_some((value, at + length))
}

fn year(text: &[u8], at: usize) -> Option<usize> {
    let (value, end) = number(text, at, 4)?;
    (end - at == 4 && (1880..=2035).contains(&value)).then_some(end)
}

/// `1970-05-17`, `17.05.1970`, `5/17/70`, `17. 5. 1970`, `19700517`.
fn numeric(text: &[u8], at: usize) -> Option<usize> {
    let separator = |at: usize| {
        let first = text.get(at).filter(|b| matches!(b, b'-' | b'.' | b'/' | b' '))?;
        let space = usize::from(*first != b' ' && text.get(at + 1) == Some(&b' '));
        Some((*first, at + 1 + space))
    };
    let part = |at: usize, max: u32| number(text, at, 2).filter(|(value, _)| (1..=max).contains(value));
    if let Some((value, end)) = number(text, at, 8)
        && end - at == 8
    {
        let plausible = |year: u32, month: u32, day: u32| {
            (1880..=2035).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
        };
        let whole = plausible(value / 10_000, value / 100 % 100, value % 100)
            || plausible(value % 10_000, value / 10_000 % 100, value / 1_000_000);
        return whole.then_some(end);
    }
    let (first_separator, second) =
        separator(at + text[at..].iter().take(4).take_while(|b| b.is_ascii_digit()).count())?;
    if let Some(end) = year(text, at) {
        let (_, middle) = part(second, 12).or_else(|| part(second, 31))?;
        let (again, last) = separator(middle)?;
        return (end < second && again == first_separator)
            .then(|| part(last, 31))
            .flatten()
            .map(|(_, end)| end);
    }
    let (first, _) = part(at, 31)?;
    let (value, middle) = part(second, 31)?;
    let (again, last) = separator(middle)?;
    let (_, short) = number(text, last, 4).filter(|(_, end)| end - last == 2 || end - last == 4)?;
    let end = if short - last == 4 { year(text, last)? } else { short };
    (again == first_separator && (first <= 12 || value <= 12)).then_some(end)
}

/// Behind a month's name at `at`.
fn month(text: &[u8], at: usize) -> Option<usize> {
    let mut head = String::new();
    let mut end = at;
    while let Some((c, length)) = char_at(text, end).filter(|(c, _)| c.is_alphabetic()) {
        if end - at > 16 {
            return None;
        }
        head.extend(c.to_lowercase());
        end += length;
    }
    let begins = |month: &&'static str| head.starts_with(*month);
    MONTHS.iter().chain(&MORE_MONTHS).any(begins).then_some(end)
}

/// Over spaces, stops, commas, `de`, `of`.
fn over(text: &[u8], mut at: usize) -> usize {
    for _ in 0..3 {
        let rest = &text[at.min(text.len())..];
        let length = [&b" de "[..], b" of ", b" del ", b" do ", b", ", b". ", b" ", b"-", b"/", b"."]
            .iter()
            .find(|sign| rest.starts_with(sign))
            .map_or(0, |sign| sign.len());
        at += length;
    }
    at
}

/// `17 May 1970`, `17. Mai 1970`, `17 de mayo de 1970`, `1er mai 1970`, `17th of May, 1970`.
fn day_first(text: &[u8], at: usize) -> Option<usize> {
    let (_, end) = number(text, at, 2).filter(|(day, _)| (1..=31).contains(day))?;
    let endings = ["st", "nd", "rd", "th", "er", "º", "°", "ª", "."];
    let ending = endings
        .iter()
        .find(|ending| text[end..].starts_with(ending.as_bytes()))
        .map_or(0, |ending| ending.len());
    let end = month(text, over(text, end + ending))?;
    year(text, over(text, end))
}

/// `May 17, 1970`, `May 1970`.
fn month_first(text: &[u8], at: usize) -> Option<usize> {
    let end = month(text, at)?;
    let here = over(text, end);
    if let Some((_, end)) = number(text, here, 2).filter(|(day, _)| (1..=31).contains(day)) {
        let endings = [&b"st"[..], b"nd", b"rd", b"th"];
        let ending =
            endings.iter().find(|ending| text[end..].starts_with(ending)).map_or(0, |ending| ending.len());
        return year(text, over(text, end + ending));
    }
    (here > end).then(|| year(text, here)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_ways_in_which_they_are_written() {
        for date in [
            "1970-05-17",
            "17.05.1970",
            "17/5/1970",
            "5/17/70",
            "17. 5. 1970",
            "19700517",
            "17051970",
            "17 May 1970",
            "17. Mai 1970",
            "17 de mayo de 1970",
            "1er mai 1970",
            "17th of May, 1970",
            "May 17, 1970",
            "May 17th, 1970",
            "maja 1970",
            "17 października 1970",
            "1970/05/17",
            "17-MAY-1970",
            "3 août 1970",
        ] {
            assert_eq!(date_at(date.as_bytes(), 0), Some(date.len()), "{date}");
            assert_eq!(date_at(format!("{date}, then").as_bytes(), 0), Some(date.len()), "{date}");
        }
    }

    #[test]
    fn other_numbers_are_no_dates() {
        for text in [
            "1970",
            "17",
            "1.2.3",
            "99/99/1999",
            "12345678",
            "May",
            "maybe 17",
            "17 Monkeys 1970",
            "1970-05",
            "3.14.15926",
            "2021-13-45",
        ] {
            assert_eq!(date_at(text.as_bytes(), 0), None, "{text}");
        }
    }
}
