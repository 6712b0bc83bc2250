//! Hours in which the bulk lane keeps silent; the interactive lane goes on.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::clock::Clock;

const DAY_MINUTES: u16 = 24 * 60;

/// Spans of the day, in the system's time zone (UTC where it has none).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuietHours(Vec<Span>);

/// From a minute of the day until another, which may lie beyond midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: u16,
    until: u16,
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let minute = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
            (minutes < 60 && hours * 60 + minutes <= DAY_MINUTES).then_some(hours * 60 + minutes)
        };
        let span = text.split_once('-').and_then(|(from, until)| Some((minute(from)?, minute(until)?)));
        match span {
            Some((from, until)) if from != until && from < DAY_MINUTES => Ok(Self { from, until }),
            _ => Err(format!("{text:?} is no span such as \"08:00-18:00\"")),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{} to {}", time(self.from), time(self.until))
    }
}

impl QuietHours {
    /// Reads spans such as `08:00-18:00`.
    ///
    /// # Errors
    /// Names the one that is wrong.
    pub fn parse(spans: &[String]) -> Result<Self, String> {
        spans.iter().map(|span| span.parse()).collect::<Result<_, _>>().map(Self)
    }

    /// Whether it is quiet now.
    pub fn now(&self, clock: &dyn Clock) -> bool {
        self.at(clock).is_some()
    }

    /// The span that it is in now, for people.
    pub fn told(&self, clock: &dyn Clock) -> Option<String> {
        self.at(clock).map(|span| span.to_string())
    }

    fn at(&self, clock: &dyn Clock) -> Option<Span> {
        if self.0.is_empty() {
            return None;
        }
        let now = Timestamp::from_millisecond(clock.now_ms()).unwrap_or_default();
        let local = now.to_zoned(TimeZone::system());
        self.within(local.hour().unsigned_abs().into(), local.minute().unsigned_abs().into())
    }

    fn within(&self, hour: u16, minute: u16) -> Option<Span> {
        let now = hour * 60 + minute;
        let holds = |span: &&Span| match span.from < span.until {
            true => (span.from..span.until).contains(&now),
            false => now >= span.from || now < span.until,
        };
        self.0.iter().find(holds).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_hold_also_over_midnight_and_wrong_ones_are_named() {
        let quiet = QuietHours::parse(&["08:00-18:00".to_owned(), "22:30-01:00".to_owned()]).unwrap();
        for (hour, minute, within) in [
            (7, 59, false),
            (8, 0, true),
            (17, 59, true),
            (18, 0, false),
            (23, 0, true),
            (0, 59, true),
            (1, 0, false),
        ] {
            assert_eq!(quiet.within(hour, minute).is_some(), within, "{hour}:{minute}");
        }
        for bad in ["8-18", "08:00", "25:00-26:00", "08:00-08:00", "08:61-09:00"] {
            assert!(QuietHours::parse(&[bad.to_owned()]).unwrap_err().contains(bad));
        }
        assert!(QuietHours::parse(&["00:00-24:00".to_owned()]).unwrap().within(23, 59).is_some());
    }
}
