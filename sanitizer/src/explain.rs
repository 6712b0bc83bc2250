//! Why something was taken for a value: what gave it away, which check held, how sure that makes it.
//!
//! | what gave it away | score |
//! | --- | --- |
//! | a checksum holds | 0.99 |
//! | it begins and goes on as a provider's tokens do | 0.95 |
//! | the same value was found elsewhere, or stands in a list | 0.90 |
//! | it has the form of an address | 0.90 |
//! | an expression around a fixed text | 0.85 |
//! | a word before it, or a name that it is assigned to | 0.80 |
//! | the form of a number, no checksum | 0.60 |
//! | a name that it is assigned to, but it may be something else | 0.50 |
//! | it looks drawn at random | 0.40 |
//!
//! A rule that is for high recall only gives no more than 0.60, whatever it rests on, a checksum aside; neither does a token
//! whose provider puts a checksum into it that does not hold.

use std::fmt;

use crate::rules::{Finder, Form, Recall, Rule};
use crate::scan::How;
use crate::validate::Check;

/// What gave a value away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its own beginning and form.
    Prefix,
    /// A word before it.
    Word,
    /// What it is assigned to.
    Assignment,
    /// The form of a number.
    Number,
    /// An expression of the rule.
    Expression,
    /// The form of an address.
    Address,
    /// That it looks drawn at random.
    Random,
    /// What stands around it.
    Place,
    /// A list of words.
    List,
    /// That it was found elsewhere.
    Learnt,
}

impl Why {
    /// A word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Word => "word",
            Self::Assignment => "assignment",
            Self::Number => "number",
            Self::Expression => "expression",
            Self::Address => "address",
            Self::Random => "random",
            Self::Place => "place",
            Self::List => "list",
            Self::Learnt => "learnt",
        }
    }

    /// For people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Prefix => "begins and goes on as such tokens do",
            Self::Word => "a word before it says what it is",
            Self::Assignment => "assigned to a name that says what it is",
            Self::Number => "has the form of such a number",
            Self::Expression => "an expression of the rule fits",
            Self::Address => "has the form of an address",
            Self::Random => "looks drawn at random",
            Self::Place => "stands where such values stand",
            Self::List => "stands in a list of words",
            Self::Learnt => "was found elsewhere",
        }
    }

    pub(crate) fn of(rule: &Rule, how: How) -> Self {
        match (&rule.form, how) {
            (_, How::Learnt) => Self::Learnt,
            (Form::Token { .. }, _) => Self::Prefix,
            (Form::Keyed { .. }, _) => Self::Word,
            (Form::Number { .. }, _) => Self::Number,
            (Form::Expression(_) | Form::Everywhere(_), _) => Self::Expression,
            (Form::List(_), _) => Self::List,
            (Form::Finder(Finder::Password | Finder::Secret), _) => Self::Assignment,
            (Form::Finder(Finder::Random | Finder::Uuid), _) => Self::Random,
            (Form::Finder(finder), _) => {
                let address = matches!(finder, Finder::Email | Finder::Ipv4 | Finder::Ipv6 | Finder::Mac);
                if address { Self::Address } else { Self::Place }
            }
        }
    }
}

/// How sure it is, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    /// Of what is known and not guessed.
    pub(crate) const CERTAIN: Self = Self(100);

    /// From 0 to 1.
    pub fn value(self) -> f32 {
        f32::from(self.0) / 100.0
    }

    pub(crate) fn of(rule: &Rule, how: How, held: Check) -> Self {
        if how != How::Learnt && is_checksum(held) {
            return Self(99);
        }
        let wrong = rule.sum != Check::None && held != rule.sum;
        let score = match (Why::of(rule, how), how) {
            (Why::Prefix, _) => 95,
            (Why::Learnt | Why::List | Why::Address, _) => 90,
            (Why::Expression, _) => 85,
            (Why::Assignment, How::Maybe) => 50,
            (Why::Word | Why::Assignment | Why::Place, _) => 80,
            (Why::Number, _) => 60,
            (Why::Random, _) => 40,
        };
        let unsure = wrong || rule.recall == Recall::High;
        Self(if unsure && how != How::Learnt { score.min(60) } else { score })
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.value())
    }
}

/// Whether a check looks at more than the length.
fn is_checksum(check: Check) -> bool {
    !matches!(check, Check::None | Check::E164 | Check::Phone)
}

/// The check's name as rules write it; `None` where there is none.
pub fn check_name(check: Check) -> Option<String> {
    if check == Check::None {
        return None;
    }
    let mut name = String::new();
    for letter in format!("{check:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_called_as_rules_call_them() {
        #[derive(serde::Deserialize)]
        struct Row {
            check: Check,
        }
        for check in [Check::Card, Check::DeSteuerId, Check::UsSsn] {
            let name = check_name(check).unwrap();
            assert_eq!(toml::from_str::<Row>(&format!("check = {name:?}")).unwrap().check, check);
        }
        assert_eq!(check_name(Check::None), None);
    }
}
