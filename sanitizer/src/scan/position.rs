//! Where somebody is: latitude and longitude as decimal numbers behind a word that says so, or in degrees and minutes.

use super::Search;

/// Bytes between a word and a number at the most.
const GAP_BYTES: usize = 20;
/// Decimals that place somebody: three are a hundred metres.
const DECIMALS_MIN: usize = 3;
/// Bytes of one coordinate at the most.
const LENGTH_MAX: usize = 24;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One number: behind `latitude`.
    One,
    /// Two numbers: behind `geo:`, `coordinates`.
    Pairs,
}

/// Looks for numbers behind a word that ends at `at`.
pub(super) fn located(search: &mut Search<'_>, rule: u16, at: usize, wanted: Wanted) {
    let text = search.text;
    let mut here = at;
    loop {
        let near = &text[here..text.len().min(here + GAP_BYTES)];
        let between = |b: &&u8| {
            b.is_ascii_whitespace()
                || matches!(
                    b,
                    b'"' | b'\'' | b':' | b'=' | b'(' | b'[' | b'{' | b',' | b']' | b')' | b'>' | b'.'
                )
        };
        let mut lead = near.iter().take_while(between).count();
        for word in [&b"position"[..], b"at ", b"are ", b"is ", b"degrees"] {
            if near[lead..].starts_with(word) {
                lead += word.len();
                lead += near[lead.min(near.len())..].iter().take_while(between).count();
            }
        }
        let start = here + lead;
        let Some(first) = decimal(text, start) else { return };
        let second = pair(text, first);
        match (wanted, second) {
            (_, Some(end)) => {
                search.offer(rule, start, end);
                here = end;
            }
            (Wanted::One, None) => {
                search.offer(rule, start, first);
                return;
            }
            (Wanted::Pairs, None) => return,
        }
        // The next of a list: of a polygon, a track.
        if wanted == Wanted::One || !matches!(text.get(here), Some(b']' | b',')) {
            return;
        }
    }
}

/// Behind the second number of a pair whose first ends at `at`.
fn pair(text: &[u8], at: usize) -> Option<usize> {
    let near = &text[at..text.len().min(at + 8)];
    let between =
        near.iter().take_while(|b| b.is_ascii_whitespace() || matches!(b, b',' | b';' | b'/')).count();
    (between > 0).then(|| decimal(text, at + between)).flatten()
}

/// A number of degrees with decimals enough, its sign, degree sign and letter: where it ends.
fn decimal(text: &[u8], at: usize) -> Option<usize> {
    let mut here = at + usize::from(matches!(text.get(at), Some(b'-' | b'+')));
    let digits = |from: usize| {
        text[from.min(text.len())..].iter().take(LENGTH_MAX).take_while(|b| b.is_ascii_digit()).count()
    };
    let whole = digits(here);
    let degrees = text
        .get(here..here + whole)?
        .iter()
        .fold(0u32, |value, b| (value * 10 + u32::from(b - b'0')).min(1000));
    here += whole;
    if whole == 0 || degrees > 180 || text.get(here) != Some(&b'.') {
        return None;
    }
    let decimals = digits(here + 1);
    here += 1 + decimals;
    let rest = &text[here.min(text.len())..];
    let sign = if rest.starts_with("°".as_bytes()) { 2 } else { 0 };
    let letter = rest[sign..].strip_prefix(b" ").map_or(sign, |_| sign + 1);
    let side = rest.get(letter).is_some_and(|b| matches!(b, b'N' | b'S' | b'E' | b'W' | b'O'))
        && rest.get(letter + 1).is_none_or(|b| !b.is_ascii_alphanumeric());
    here += if side { letter + 1 } else { sign };
    let goes_on = text.get(here).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    (decimals >= DECIMALS_MIN && !goes_on).then_some(here)
}

/// Degrees, minutes and seconds around a degree sign at `sign`: `52°31'12.0"N 13°24'18"E`.
pub(super) fn degrees(search: &mut Search<'_>, rule: u16, sign: usize) {
    let text = search.text;
    let digits = text[sign.saturating_sub(3)..sign].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let start = sign - digits;
    let joined = start.checked_sub(1).is_some_and(|at| text[at].is_ascii_alphanumeric() || text[at] == b'.');
    let Some(mut end) = sexagesimal(text, sign).filter(|_| digits > 0 && !joined) else { return };
    let between = text[end..].iter().take(3).take_while(|b| matches!(b, b' ' | b',' | b'/')).count();
    let second = text[end + between..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    if second > 0 && text[end + between + second..].starts_with("°".as_bytes()) {
        end = sexagesimal(text, end + between + second).unwrap_or(end);
    }
    search.offer(rule, start, end);
}

/// Behind minutes, seconds and the side of the world that follow a degree sign.
fn sexagesimal(text: &[u8], sign: usize) -> Option<usize> {
    let mut here = sign + "°".len();
    let mut parts = 0;
    loop {
        here += usize::from(text.get(here) == Some(&b' '));
        let number = text[here.min(text.len())..]
            .iter()
            .take(10)
            .take_while(|b| b.is_ascii_digit() || **b == b'.')
            .count();
        let rest = &text[(here + number).min(text.len())..];
        let mark = ["''", "'", "\\\"", "\"", "′", "″", "’’", "’", "”"]
            .iter()
            .find(|mark| rest.starts_with(mark.as_bytes()));
        let Some(mark) = mark.filter(|_| number > 0 && parts < 2) else { break };
        here += number + mark.len();
        parts += 1;
    }
    let side = text.get(here).is_some_and(|b| matches!(b, b'N' | b'S' | b'E' | b'W' | b'O'));
    let goes_on = text.get(here + 1).is_some_and(u8::is_ascii_alphanumeric);
    (parts > 0 && side && !goes_on).then_some(here + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_read_with_their_decimals_and_sides() {
        let whole = |text: &str| decimal(text.as_bytes(), 0) == Some(text.len());
        assert!(
            ["52.5200", "-13.40495", "+8.123", "52.5200°", "52.5200° N", "179.999 W"].into_iter().all(whole)
        );
        assert!(!["52.5", "190.1234", "52", ".5200", "52.5200x", ""].into_iter().any(whole));
        let whole =
            |text: &str| sexagesimal(text.as_bytes(), text.find('°').expect("a sign")) == Some(text.len());
        assert!(["52°31'12.0\"N", "13° 24' 18\" E", "52°31′N", "52°31'12''S"].into_iter().all(whole));
        assert!(!["52°31", "20°C", "52°31'12\"", "360° N"].into_iter().any(whole));
    }
}
