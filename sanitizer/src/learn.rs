//! Values found once are taken out wherever they stand again, also where nothing around gives them away.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use zeroize::Zeroize;

/// How far a value that was found is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Learn {
    /// Through the whole run.
    #[default]
    Run,
    /// Within the file that holds it.
    File,
    /// Not at all.
    Off,
}

/// A text that names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("learn {0:?} is none of run, file, off")]
pub struct UnknownLearn(String);

impl std::str::FromStr for Learn {
    type Err = UnknownLearn;
    fn from_str(text: &str) -> Result<Self, UnknownLearn> {
        match text {
            "run" => Ok(Self::Run),
            "file" => Ok(Self::File),
            "off" => Ok(Self::Off),
            other => Err(UnknownLearn(other.to_owned())),
        }
    }
}

/// Values remembered at the most; further ones are only taken out where they are found.
const VALUES_MAX: usize = 4_096;
const LENGTH_MIN: usize = 8;
const LENGTH_MAX: usize = 512;

/// The values found so far, in memory only, wiped when dropped.
#[derive(Default)]
pub struct Learnt {
    values: HashMap<Vec<u8>, u16>,
    automaton: Option<(AhoCorasick, Vec<u16>)>,
    off: bool,
}

impl Learnt {
    /// One that never remembers.
    pub fn off() -> Self {
        Self { values: HashMap::new(), automaton: None, off: true }
    }

    /// Remembers a value of this rule if it is long and odd enough not to be an ordinary word.
    pub(crate) fn learn(&mut self, value: &[u8], rule: u16) {
        let odd = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic);
        let fits = (LENGTH_MIN..=LENGTH_MAX).contains(&value.len()) && odd;
        if !self.off && fits && self.values.len() < VALUES_MAX && !self.values.contains_key(value) {
            self.values.insert(value.to_vec(), rule);
            self.automaton = None;
        }
    }

    /// Where values stand, with their rules.
    pub(crate) fn find(&mut self, text: &[u8]) -> Vec<(usize, usize, u16)> {
        if self.values.is_empty() {
            return Vec::new();
        }
        if self.automaton.is_none() {
            let (values, rules): (Vec<_>, Vec<u16>) =
                self.values.iter().map(|(value, rule)| (value, *rule)).unzip();
            let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(values);
            self.automaton = built.ok().map(|automaton| (automaton, rules));
        }
        let Some((automaton, rules)) = &self.automaton else { return Vec::new() };
        automaton
            .find_iter(text)
            .map(|hit| (hit.start(), hit.end(), rules[hit.pattern().as_usize()]))
            .collect()
    }
}

impl Drop for Learnt {
    fn drop(&mut self) {
        for (mut value, _) in self.values.drain() {
            value.zeroize();
        }
    }
}

impl std::fmt::Debug for Learnt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Learnt({} values)", self.values.len())
    }
}
