//! Fixed lists of words that are asked for at every value: what a word means, and whether one stands in a text.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What the words of fixed lists mean, a bit for each list; a word may stand in several.
#[derive(Debug, Default)]
pub(crate) struct Meanings {
    words: HashMap<&'static [u8], u16, BuildHasherDefault<Quick>>,
    /// The longest word's bytes.
    longest: usize,
}

impl Meanings {
    /// From lists of words with white space between, each with its bit.
    pub(crate) fn new(lists: impl IntoIterator<Item = (&'static str, u16)>) -> Self {
        let mut meanings = Self::default();
        for (list, bit) in lists {
            for word in list.split_ascii_whitespace().map(str::as_bytes) {
                *meanings.words.entry(word).or_default() |= bit;
                meanings.longest = meanings.longest.max(word.len());
            }
        }
        meanings
    }

    /// The lists in which a word stands.
    pub(crate) fn of(&self, word: &[u8]) -> u16 {
        if word.len() > self.longest { 0 } else { self.words.get(word).copied().unwrap_or(0) }
    }
}

/// Odd, with bits as if drawn.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
/// Keeps zeros from giving zero.
const SEED: u64 = 0xD1B5_4A32_D192_ED03;

/// A hash for lists to which nobody adds a word: what withstands attackers costs more than the rest of a look-up.
#[derive(Debug, Default)]
pub(crate) struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ SEED) * u128::from(FACTOR);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Texts of four bytes and more, of which one may stand in another text.
#[derive(Debug)]
pub(crate) struct Parts {
    /// For each of a text's first four bytes, of every value that it may have, which texts have it: a bit each.
    begins: Box<[[u32; 256]; BEGIN]>,
    texts: Vec<&'static [u8]>,
}

/// Bytes that tell a text from most others.
const BEGIN: usize = 4;

impl Parts {
    /// Of texts with white space between, 32 at the most.
    pub(crate) fn new(list: &'static str) -> Self {
        let texts: Vec<&[u8]> = list.split_ascii_whitespace().map(str::as_bytes).collect();
        let mut begins = Box::new([[0; 256]; BEGIN]);
        assert!(texts.len() <= 32 && texts.iter().all(|text| text.len() >= BEGIN), "a bit for each text");
        for (number, text) in texts.iter().enumerate() {
            for (at, byte) in text[..BEGIN].iter().enumerate() {
                begins[at][usize::from(*byte)] |= 1 << number;
            }
        }
        Self { begins, texts }
    }

    /// Whether one of them stands in a text.
    pub(crate) fn stand_in(&self, text: &[u8]) -> bool {
        let [first, second, third, fourth] = &*self.begins;
        let stands = |at: usize, bits: u32| {
            let mut texts = self.texts.iter().enumerate().filter(|(number, _)| bits >> number & 1 == 1);
            texts.any(|(_, part)| text[at..].starts_with(part))
        };
        text.windows(BEGIN).enumerate().any(|(at, window)| {
            let bits = first[usize::from(window[0])] & second[usize::from(window[1])];
            let bits = bits & third[usize::from(window[2])] & fourth[usize::from(window[3])];
            bits != 0 && stands(at, bits)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_what_the_lists_say_in_which_it_stands() {
        let meanings = Meanings::new([("one two three", 1), ("two placeholders", 2)]);
        for (word, meaning) in
            [("one", 1), ("two", 3), ("placeholders", 2), ("placeholder", 0), ("", 0), ("onetwothreefour", 0)]
        {
            assert_eq!(meanings.of(word.as_bytes()), meaning, "{word}");
        }
    }

    #[test]
    fn parts_are_found_where_they_stand_whole() {
        let parts = Parts::new("example .... exam_ples");
        for text in ["example", "an example", "a....", "exam_exam_ples"] {
            assert!(parts.stand_in(text.as_bytes()), "{text}");
        }
        for text in ["", "...", "exampl", "exam_ple", "examples_".strip_prefix("e").unwrap_or("")] {
            assert!(!parts.stand_in(text.as_bytes()), "{text}");
        }
    }
}
