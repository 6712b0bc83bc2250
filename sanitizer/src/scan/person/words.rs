//! Lists of words that tell names from other text, a word a line, in lower case and in the order of their bytes.

use std::collections::HashSet;
use std::sync::LazyLock;

/// A list.
pub(super) struct List {
    #[cfg(test)]
    text: &'static str,
    words: LazyLock<HashSet<&'static [u8]>>,
}

macro_rules! list {
    ($file:literal) => {
        List {
            #[cfg(test)]
            text: include_str!($file),
            words: LazyLock::new(|| include_str!($file).lines().map(str::as_bytes).collect()),
        }
    };
}

/// Given names that are common in statistics of births: they make sure of a name; none must be here to be one.
pub(super) static GIVEN: List = list!("given.txt");
/// Words of programs, organisations and letters that stand where names do.
pub(super) static NO_NAMES: List = list!("no-names.txt");
/// Small words within names.
pub(super) static PARTICLES: List = list!("particles.txt");
/// What stands before names.
pub(super) static TITLES: List = list!("titles.txt");
/// What a field calls a person, before `name`.
pub(super) static PERSONS: List = list!("persons.txt");

impl List {
    /// Whether a word is in it.
    pub(super) fn has(&self, word: &[u8]) -> bool {
        self.words.contains(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_list_is_found_and_its_neighbours_are_not() {
        for list in [&GIVEN, &NO_NAMES, &PARTICLES, &TITLES, &PERSONS] {
            let words: Vec<&str> = list.text.lines().collect();
            assert!(words.windows(2).all(|pair| pair[0].as_bytes() < pair[1].as_bytes()));
            for word in words {
                assert!(list.has(word.as_bytes()), "{word}");
                assert!(!list.has(format!("{word}~").as_bytes()), "{word}~");
            }
            assert!(!list.has(b"") && !list.has(b"~"));
        }
    }
}
