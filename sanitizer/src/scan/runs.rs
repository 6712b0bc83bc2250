//! Places that no literal announces: groups of digits, and long runs of characters of tokens.

/// Bytes around a group of digits in which its number may stand.
const AROUND: usize = 24;
/// Digits that a group must have, unless its dots or colons make it an address.
const DIGITS_MIN: usize = 6;
/// A random run's length at the least.
const RANDOM_MIN: usize = 32;

/// Windows around groups of digits that may be a number of somebody, joined where they touch.
pub(super) fn digits(text: &[u8]) -> Vec<(usize, usize)> {
    let mut windows: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        let (mut count, mut dots, mut colons) = (0, 0, 0);
        while at < text.len() {
            match text[at] {
                b'0'..=b'9' => count += 1,
                b'.' => dots += 1,
                b':' => colons += 1,
                b'A'..=b'Z' | b'a'..=b'f' | b' ' | b'-' | b'/' | b'(' | b')' => {}
                _ => break,
            }
            at += 1;
        }
        if count >= DIGITS_MIN || (count >= 4 && dots >= 3) || colons >= 4 {
            let (from, to) = (start.saturating_sub(AROUND), (at + AROUND).min(text.len()));
            match windows.last_mut() {
                Some((_, end)) if from <= *end => *end = to,
                _ => windows.push((from, to)),
            }
        }
    }
    windows
}

/// Runs of token characters that are long and hold a digit.
pub(super) fn random(text: &[u8]) -> Vec<(usize, usize)> {
    let token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'_' | b'-' | b'=');
    let mut runs = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if !token(text[at]) {
            at += 1;
            continue;
        }
        let start = at;
        let mut digit = false;
        while at < text.len() && token(text[at]) {
            digit |= text[at].is_ascii_digit();
            at += 1;
        }
        if digit && at - start >= RANDOM_MIN {
            runs.push((start, at));
        }
    }
    runs
}
