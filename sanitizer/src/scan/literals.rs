//! Many literals, asked for at one place of a text: a table by their first bytes, then a comparison.

/// Slots of the table; more literals than slots only make it slower.
const SLOTS: usize = 1 << 14;
/// Bytes of a literal that choose its slot.
const HEAD: usize = 3;

/// Literals of three bytes at the least, each with an owner.
#[derive(Debug)]
pub(super) struct Literals {
    /// For each slot, where its entries begin; they end where the next slot's begin.
    begins: Box<[u16]>,
    /// Which slots have entries, a bit each: small enough to stay in the first-level cache.
    taken: Box<[u64; SLOTS / 64]>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    /// The first four bytes, folded; the last of them is zero where there are but three.
    head: u32,
    /// Of which bytes of `head` count.
    mask: u32,
    /// Whose it is.
    owner: u16,
    exact: bool,
    /// The literal; in lower case if case does not matter.
    text: Box<[u8]>,
}

impl Literals {
    /// From (literal, whether case matters, owner).
    pub(super) fn new(literals: impl IntoIterator<Item = (Vec<u8>, bool, u16)>) -> Self {
        let mut entries: Vec<Entry> = literals
            .into_iter()
            .map(|(text, exact, owner)| {
                let text = if exact { text } else { text.to_ascii_lowercase() };
                let mask = if text.len() > HEAD { u32::MAX } else { u32::MAX >> 8 };
                Entry { head: folded(&text) & mask, mask, owner, exact, text: text.into_boxed_slice() }
            })
            .collect();
        entries.sort_by_key(|entry| slot(entry.head));
        let mut begins = vec![0u16; SLOTS + 1];
        let mut taken = Box::new([0; SLOTS / 64]);
        for entry in &entries {
            let slot = slot(entry.head);
            begins[slot + 1] += 1;
            taken[slot / 64] |= 1 << (slot % 64);
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        Self { begins: begins.into_boxed_slice(), taken, entries }
    }

    /// Those that stand at `at`, with their lengths.
    #[inline]
    pub(super) fn at<'a>(&'a self, text: &'a [u8], at: usize) -> impl Iterator<Item = (u16, usize)> + 'a {
        let rest = text.get(at..).unwrap_or_default();
        let head = folded(rest);
        let slot = slot(head);
        let entries = if self.taken[slot / 64] >> (slot % 64) & 1 == 1 {
            &self.entries[usize::from(self.begins[slot])..usize::from(self.begins[slot + 1])]
        } else {
            &[]
        };
        let begins = move |entry: &&Entry| head & entry.mask == entry.head && entry.begins(rest);
        entries.iter().filter(begins).map(|entry| (entry.owner, entry.text.len()))
    }
}

impl Entry {
    fn begins(&self, text: &[u8]) -> bool {
        text.get(..self.text.len()).is_some_and(|head| {
            if self.exact { head == &*self.text } else { head.eq_ignore_ascii_case(&self.text) }
        })
    }
}

/// The first four bytes, letters in lower case, so that literals with and without case share the table; what is not there
/// is as zero.
#[inline]
fn folded(text: &[u8]) -> u32 {
    let head = match text.first_chunk::<4>() {
        Some(head) => *head,
        None => std::array::from_fn(|at| text.get(at).copied().unwrap_or_default()),
    };
    u32::from_le_bytes(head) | 0x2020_2020
}

#[inline]
fn slot(head: u32) -> usize {
    let head = head & (u32::MAX >> (32 - 8 * HEAD));
    (head.wrapping_mul(0x9E37_79B1) >> (32 - SLOTS.trailing_zeros())) as usize
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
