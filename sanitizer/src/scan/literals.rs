//! Many literals, asked for at one place of a text: a table by the first three bytes, then a comparison.

/// Slots of the table; more literals than slots only make it slower.
const SLOTS: usize = 1 << 13;
/// Bytes of a literal that choose its slot.
const HEAD: usize = 3;

/// Literals of three bytes at the least, each with an owner.
#[derive(Debug)]
pub(super) struct Literals {
    /// For each slot, where its entries begin; they end where the next slot's begin.
    begins: Box<[u32]>,
    /// Which slots have entries, a bit each: small enough to stay in the first-level cache.
    taken: Box<[u64; SLOTS / 64]>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    /// The literal; in lower case if case does not matter.
    text: Box<[u8]>,
    exact: bool,
    /// Whose it is.
    pub(super) owner: u16,
}

impl Literals {
    /// From (literal, whether case matters, owner).
    pub(super) fn new(literals: impl IntoIterator<Item = (Vec<u8>, bool, u16)>) -> Self {
        let mut entries: Vec<Entry> = literals
            .into_iter()
            .map(|(text, exact, owner)| {
                let text = if exact { text } else { text.to_ascii_lowercase() };
                Entry { text: text.into_boxed_slice(), exact, owner }
            })
            .collect();
        entries.sort_by_key(|entry| slot(&entry.text));
        let mut begins = vec![0u32; SLOTS + 1];
        for entry in &entries {
            begins[slot(&entry.text) + 1] += 1;
        }
        for at in 1..begins.len() {
            begins[at] += begins[at - 1];
        }
        let mut taken = Box::new([0; SLOTS / 64]);
        for entry in &entries {
            let slot = slot(&entry.text);
            taken[slot / 64] |= 1 << (slot % 64);
        }
        Self { begins: begins.into_boxed_slice(), taken, entries }
    }

    /// Those that stand at `at`, with their lengths.
    #[inline]
    pub(super) fn at<'a>(&'a self, text: &'a [u8], at: usize) -> impl Iterator<Item = (u16, usize)> + 'a {
        let rest = text.get(at..).unwrap_or_default();
        let entries = match rest.first_chunk::<HEAD>().map(|head| slot(head)) {
            Some(slot) if self.taken[slot / 64] >> (slot % 64) & 1 == 1 => {
                &self.entries[self.begins[slot] as usize..self.begins[slot + 1] as usize]
            }
            _ => &[],
        };
        entries.iter().filter(|entry| entry.begins(rest)).map(|entry| (entry.owner, entry.text.len()))
    }
}

impl Entry {
    fn begins(&self, text: &[u8]) -> bool {
        text.get(..self.text.len()).is_some_and(|head| {
            if self.exact { head == &*self.text } else { head.eq_ignore_ascii_case(&self.text) }
        })
    }
}

/// By the first three bytes, letters in lower case, so that both sorts of literals share the table.
#[inline]
fn slot(text: &[u8]) -> usize {
    let head = u32::from_le_bytes([text[0] | 0x20, text[1] | 0x20, text[2] | 0x20, 0]);
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
