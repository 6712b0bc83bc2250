//! Lists of words that tell names from other text, a word a line, in lower case and in the order of their bytes.

/// A list.
pub(super) struct List(&'static str);

/// Given names that are common in statistics of births: they make sure of a name; none must be here to be one.
pub(super) static GIVEN: List = List(include_str!("given.txt"));
/// Words of programs, organisations and letters that stand where names do.
pub(super) static NO_NAMES: List = List(include_str!("no-names.txt"));
/// Small words within names.
pub(super) static PARTICLES: List = List(include_str!("particles.txt"));
/// What stands before names.
pub(super) static TITLES: List = List(include_str!("titles.txt"));
/// What a field calls a person, before `name`.
pub(super) static PERSONS: List = List(include_str!("persons.txt"));

impl List {
    /// Whether a word is in it.
    pub(super) fn has(&self, word: &[u8]) -> bool {
        let text = self.0.as_bytes();
        let (mut from, mut to) = (0, text.len());
        while from < to {
            let middle = from + (to - from) / 2;
            let start = text[from..middle].iter().rposition(|b| *b == b'\n').map_or(from, |at| from + at + 1);
            let length = text[start..].iter().take_while(|b| **b != b'\n').count();
            match text[start..start + length].cmp(word) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Less => from = start + length + 1,
                std::cmp::Ordering::Greater => to = start,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_list_is_found_and_its_neighbours_are_not() {
        for list in [&GIVEN, &NO_NAMES, &PARTICLES, &TITLES, &PERSONS] {
            let words: Vec<&str> = list.0.lines().collect();
            assert!(words.windows(2).all(|pair| pair[0].as_bytes() < pair[1].as_bytes()));
            for word in words {
                assert!(list.has(word.as_bytes()), "{word}");
                assert!(!list.has(format!("{word}~").as_bytes()), "{word}~");
            }
            assert!(!list.has(b"") && !list.has(b"~"));
        }
    }
}
