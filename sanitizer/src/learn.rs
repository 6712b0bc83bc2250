//! Values found once are taken out wherever they stand again, also where nothing around gives them away.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use zeroize::Zeroize;

use crate::rules::Kind;
use crate::surprise::Makeup;

mod searcher;

use searcher::Searcher;

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

/// Values remembered at the most: those that give access first, then the first in the order of their bytes, so that which
/// ones does not depend on the order in which they were found.
const VALUES_MAX: usize = 1 << 16;
const LENGTH_MIN: usize = searcher::WINDOW_BYTES;
const LENGTH_MAX: usize = 4096;
/// Digits alone are remembered if they are more than a time or a count has.
const NUMBER_MIN: usize = 15;
/// Whatever is so long is no ordinary word.
const PHRASE_MIN: usize = 20;
/// Bits a letter of values that hold no digit.
const SURPRISE_MIN: f32 = 4.5;
/// A value's encodings are looked for if it has so many bytes.
const ENCODED_MIN: usize = 12;

/// The values of a run, in memory only, wiped when dropped.
#[derive(Default)]
pub struct Learnt {
    secrets: BTreeMap<Vec<u8>, u16>,
    personal: BTreeMap<Vec<u8>, u16>,
    full: bool,
    searcher: OnceLock<Searcher>,
}

impl Learnt {
    /// Remembers a value of this rule if it is long and odd enough not to be an ordinary word.
    pub(crate) fn note(&mut self, value: &[u8], rule: u16, kind: Kind) {
        let digits = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic);
        let number = value.len() >= NUMBER_MIN && value.iter().all(u8::is_ascii_digit);
        let various = value.iter().any(|byte| *byte != value[0]);
        let odd = digits
            || various && (number || value.len() >= PHRASE_MIN)
            || Makeup::of(value).surprise() >= SURPRISE_MIN;
        if (LENGTH_MIN..=LENGTH_MAX).contains(&value.len()) && odd {
            self.keep(value.to_vec(), rule, kind);
        }
    }

    /// Remembers what another one does.
    pub fn merge(&mut self, mut other: Self) {
        self.full |= other.full;
        for (values, kind) in [(&mut other.secrets, Kind::Secret), (&mut other.personal, Kind::Pii)] {
            for (value, rule) in std::mem::take(values) {
                self.keep(value, rule, kind);
            }
        }
    }

    /// Whether more values were found than it has room for: the others are taken out where rules find them, and not
    /// wherever they stand.
    pub fn is_full(&self) -> bool {
        self.full
    }

    fn keep(&mut self, mut value: Vec<u8>, rule: u16, kind: Kind) {
        let values = match kind {
            Kind::Secret => &mut self.secrets,
            Kind::Pii => &mut self.personal,
        };
        if let Some(known) = values.get_mut(&value) {
            *known = rule.min(*known);
            value.zeroize();
        } else {
            values.insert(value, rule);
        }
        if self.secrets.len() + self.personal.len() > VALUES_MAX
            && let Some((mut last, _)) = self.personal.pop_last().or_else(|| self.secrets.pop_last())
        {
            last.zeroize();
            self.full = true;
        }
        self.searcher = OnceLock::new();
    }

    /// Where values stand, as they are or in a form that they are likely to take, with their rules.
    pub(crate) fn find(&self, text: &[u8]) -> Vec<(usize, usize, u16)> {
        if self.secrets.is_empty() && self.personal.is_empty() {
            return Vec::new();
        }
        let searcher = self.searcher.get_or_init(|| {
            let values = self.secrets.iter().chain(&self.personal);
            Searcher::new(
                values.flat_map(|(value, rule)| forms(value).into_iter().map(|form| (form, *rule))).collect(),
            )
        });
        searcher.find(text)
    }
}

/// A value as it is, in a JSON string, in a URL, in hexadecimal digits, and in base64 at each of three offsets.
fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![value.to_vec()];
    let mut add = |mut form: Vec<u8>| {
        if forms.contains(&form) {
            form.zeroize();
        } else {
            forms.push(form);
        }
    };
    add(value
        .iter()
        .flat_map(|byte| if matches!(byte, b'"' | b'\\') { vec![b'\\', *byte] } else { vec![*byte] })
        .collect());
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    add(value
        .iter()
        .flat_map(|byte| if plain(byte) { vec![*byte] } else { format!("%{byte:02X}").into_bytes() })
        .collect());
    if value.len() >= ENCODED_MIN {
        add(data_encoding::HEXLOWER.encode(value).into_bytes());
        add(data_encoding::HEXUPPER.encode(value).into_bytes());
        for offset in 0..3 {
            let mut shifted = vec![0; offset];
            shifted.extend_from_slice(value);
            let encoded = data_encoding::BASE64_NOPAD.encode(&shifted).into_bytes();
            shifted.zeroize();
            // The characters that depend on the value alone.
            let from = [0, 2, 3][offset];
            let to = encoded.len() - usize::from(!(offset + value.len()).is_multiple_of(3));
            add(encoded[from..to].to_vec());
        }
    }
    forms
}

impl Drop for Learnt {
    fn drop(&mut self) {
        for values in [&mut self.secrets, &mut self.personal] {
            while let Some((mut value, _)) = values.pop_first() {
                value.zeroize();
            }
        }
    }
}

impl std::fmt::Debug for Learnt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Learnt({} values)", self.secrets.len() + self.personal.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_its_room_it_says_so_and_keeps_what_gives_access() {
        let value = |number: usize| format!("x{number:09}").into_bytes();
        let personal = (0..VALUES_MAX).map(|number| (value(number), Kind::Pii));
        let secrets = (VALUES_MAX..VALUES_MAX + 2).map(|number| (value(number), Kind::Secret));
        let mut all: Vec<(Vec<u8>, Kind)> = personal.chain(secrets).collect();
        let learnt = |all: &[(Vec<u8>, Kind)]| {
            let mut learnt = Learnt::default();
            all.iter().for_each(|(value, kind)| learnt.note(value, 0, *kind));
            learnt
        };
        assert!(!learnt(&all[..VALUES_MAX]).is_full());
        let (one, other) = (learnt(&all), {
            all.reverse();
            learnt(&all)
        });
        for learnt in [one, other] {
            let known = |number| !learnt.find(&value(number)).is_empty();
            assert!(learnt.is_full());
            assert!(known(VALUES_MAX) && known(VALUES_MAX + 1) && known(0) && known(VALUES_MAX - 3));
            assert!(!known(VALUES_MAX - 2) && !known(VALUES_MAX - 1));
        }
    }
}
