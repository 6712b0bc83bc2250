//! Many literals, asked for at one place of a text: a table by their first bytes, then a comparison.

use crate::simd::{Heads, SLOTS, folded, is_taken, slot_of_four, slot_of_three, take};

/// Literals of three bytes at the least, each with an owner.
#[derive(Debug)]
pub(super) struct Literals {
    /// Those of three bytes.
    short: Table,
    /// Those of more, of which four choose the slot.
    long: Table,
}

#[derive(Debug)]
struct Table {
    /// For each slot, where its entries begin; they end where the next slot's begin.
    begins: Box<[u16]>,
    /// Which slots have entries.
    taken: Box<Heads>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// The last four bytes, folded, or all three.
    tail: u32,
    /// Whose it is.
    owner: u16,
    exact: bool,
    /// The literal; in lower case if case does not matter.
    text: Box<[u8]>,
}

impl Literals {
    /// From (literal, whether case matters, owner).
    pub(super) fn new(literals: impl IntoIterator<Item = (Vec<u8>, bool, u16)>) -> Self {
        let entries = literals.into_iter().map(|(text, exact, owner)| {
            let text = if exact { text } else { text.to_ascii_lowercase() };
            let tail = head(&text[text.len().saturating_sub(4)..]);
            Entry { tail, owner, exact, text: text.into_boxed_slice() }
        });
        let (short, long) = entries.partition(|entry| entry.text.len() < 4);
        Self { short: Table::new(short, slot_of_three), long: Table::new(long, slot_of_four) }
    }

    /// Whether one may stand at `at`, told by the first bytes: seldom where none does.
    #[inline(always)]
    pub(super) fn may_stand(&self, text: &[u8], at: usize) -> bool {
        let head = head(text.get(at..).unwrap_or_default());
        is_taken(&self.long.taken, slot_of_four(head)) || is_taken(&self.short.taken, slot_of_three(head))
    }

    /// Those that stand at `at`, with their lengths.
    #[inline]
    pub(super) fn at<'a>(&'a self, text: &'a [u8], at: usize) -> impl Iterator<Item = (u16, usize)> + 'a {
        let rest = text.get(at..).unwrap_or_default();
        let head = head(rest);
        let entries = self.long.entries(slot_of_four(head)).iter();
        let entries = entries.chain(self.short.entries(slot_of_three(head)));
        entries.filter(|entry| entry.begins(rest)).map(|entry| (entry.owner, entry.text.len()))
    }
}

impl Table {
    fn new(mut entries: Vec<Entry>, slot: impl Fn(u32) -> usize) -> Self {
        entries.sort_by_key(|entry| slot(head(&entry.text)));
        let mut begins = vec![0u16; SLOTS + 1];
        let mut taken = Box::new([0; SLOTS / 64]);
        for entry in &entries {
            let slot = slot(head(&entry.text));
            begins[slot + 1] += 1;
            take(&mut taken, slot);
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        Self { begins: begins.into_boxed_slice(), taken, entries }
    }

    #[inline]
    fn entries(&self, slot: usize) -> &[Entry] {
        if is_taken(&self.taken, slot) {
            &self.entries[usize::from(self.begins[slot])..usize::from(self.begins[slot + 1])]
        } else {
            &[]
        }
    }
}

impl Entry {
    fn begins(&self, text: &[u8]) -> bool {
        text.get(..self.text.len()).is_some_and(|there| {
            if self.exact {
                there == &*self.text
            } else {
                // The last bytes tell it from most of what begins alike.
                self.tail == head(&there[there.len().saturating_sub(4)..])
                    && there.eq_ignore_ascii_case(&self.text)
            }
        })
    }
}

/// The first four bytes, folded; what is not there is as zero.
#[inline(always)]
fn head(text: &[u8]) -> u32 {
    folded(match text.first_chunk() {
        Some(head) => *head,
        None => short(text),
    })
}

#[cold]
fn short(text: &[u8]) -> [u8; 4] {
    std::array::from_fn(|at| text.get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_where_they_stand_with_or_without_case() {
        let literals = Literals::new([
            (b"AKIA".to_vec(), true, 1),
            (b"Algolia".to_vec(), false, 2),
            (b"alg".to_vec(), false, 3),
        ]);
        let at = |text: &str, at| {
            let mut found: Vec<_> = literals.at(text.as_bytes(), at).collect();
            found.sort_unstable();
            found
        };
        assert_eq!(at("xAKIA", 1), [(1, 4)]);
        assert_eq!(at("xakia", 1), []);
        assert_eq!(at("ALGOLIA", 0), [(2, 7), (3, 3)]);
        assert_eq!(at("ALGO", 0), [(3, 3)]);
        assert_eq!(at("al", 0), []);
        assert_eq!(at("", 3), []);
    }
}
