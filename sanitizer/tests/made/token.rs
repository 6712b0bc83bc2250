//! Letters and digits drawn from a seed, so that no value stands in the repository.

/// So many letters and digits.
pub(crate) fn letters(seed: u64, length: u64) -> String {
    let characters = (0..length).map(|i| {
        let n = (seed * 64 + i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        let n = n.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40;
        char::from(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[(n % 62) as usize])
    });
    characters.collect()
}

/// A token of a forge.
pub(crate) fn token(seed: u64) -> String {
    format!("{}_{}", "ghp", letters(seed, 36))
}
