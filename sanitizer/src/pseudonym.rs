//! Keyed pseudonyms: the same value becomes the same token everywhere, and nobody without the key can test a guess.
//!
//! A token is `REDACTED_<TYPE>_<16 hexadecimal digits>`, the digits from BLAKE3 keyed with the tenant's key over type and value.

use std::fmt;

use certus_protocol::ids::KeyId;
use zeroize::{Zeroize, ZeroizeOnDrop};

const PREFIX: &str = "REDACTED_";
const DIGITS: usize = 16;
/// A token has no more bytes than this.
const TYPE_BYTES_MAX: usize = 64;

/// The tenant's pseudonym key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PseudonymKey([u8; 32]);

impl PseudonymKey {
    /// The key of these bytes; they should be random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for keeping them.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Names the key without telling anything of it.
    pub fn id(&self) -> KeyId {
        let hash = blake3::keyed_hash(&self.0, b"certus pseudonym key id v1");
        KeyId(std::array::from_fn(|i| hash.as_bytes()[i]))
    }

    /// A keyed hash of any bytes, apart from those in tokens.
    pub(crate) fn fingerprint(&self, bytes: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(b"certus fingerprint v1\0");
        hasher.update(bytes);
        *hasher.finalize().as_bytes()
    }

    /// The token for a value of this type.
    pub(crate) fn token(&self, type_name: &str, value: &[u8]) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(type_name.as_bytes());
        hasher.update(&[0]);
        hasher.update(value);
        let hash = hasher.finalize().to_hex();
        format!("{PREFIX}{type_name}_{}", &hash.as_str()[..DIGITS])
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PseudonymKey({})", self.id())
    }
}

/// The length of the token that begins at the start of `bytes`, if one does.
fn token_at(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(PREFIX.as_bytes())?;
    let name = rest.iter().take_while(|b| b.is_ascii_uppercase() || **b == b'_').count();
    // The type ends with the last underscore; digits may begin with letters only in lower case.
    let digits = &rest[name..];
    let ends = rest[..name].ends_with(b"_") && name >= 2;
    let hex =
        digits.iter().take(DIGITS).take_while(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(*b)).count();
    (ends && hex == DIGITS).then_some(PREFIX.len() + name + DIGITS)
}

/// Whether the byte at `at` belongs to a token.
pub(crate) fn within_token(bytes: &[u8], at: usize) -> bool {
    let from = at.saturating_sub(TYPE_BYTES_MAX);
    let to = bytes.len().min(at + TYPE_BYTES_MAX);
    tokens(&bytes[from..to]).iter().any(|(start, end)| (from + start..from + end).contains(&at))
}

/// Where tokens stand in `bytes`, in order.
pub(crate) fn tokens(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = memchr::memmem::find(&bytes[at..], PREFIX.as_bytes()) {
        let start = at + next;
        match token_at(&bytes[start..]) {
            Some(length) => {
                found.push((start, start + length));
                at = start + length;
            }
            None => at = start + PREFIX.len(),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_again_and_depend_on_key_type_and_value() {
        let key = PseudonymKey::from_bytes([1; 32]);
        let token = key.token("AWS_KEY", b"value");
        assert_eq!(tokens(token.as_bytes()), [(0, token.len())]);
        assert_eq!(tokens(format!("a {token}{token}.").as_bytes()).len(), 2);
        assert_ne!(token, key.token("AWS_KEY", b"other"));
        assert_ne!(token[20..], key.token("AWS_KEZ", b"value")[20..]);
        assert_ne!(token, PseudonymKey::from_bytes([2; 32]).token("AWS_KEY", b"value"));
        for no_token in ["REDACTED_X_12", "REDACTED_", "REDACTED__0123456789abcdeg"] {
            assert!(tokens(no_token.as_bytes()).is_empty(), "{no_token}");
        }
        assert!(!format!("{key:?}").contains("0101"));
    }
}
