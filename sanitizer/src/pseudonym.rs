//! Keyed pseudonyms: the same value becomes the same token everywhere, and nobody without the key can test a guess.
//!
//! A token is `REDACTED_<TYPE>_<16 hexadecimal digits>`, the digits from BLAKE3 keyed with the tenant's key over type and value.
//! A mask is `MASKED_<TYPE>_xxxx` and says nothing of the value; it is known again as tokens are.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use std::fmt;

use certus_protocol::ids::KeyId;
use zeroize::{Zeroize, ZeroizeOnDrop};

const PREFIX: &str = "REDACTED_";
const MASK_PREFIX: &str = "MASKED_";
const MASK_END: &str = "_xxxx";
/// Ends both prefixes.
const STEM: &[u8] = b"ED_";
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

    /// The keyed hash of bytes for a purpose. In one go: a hasher that takes bits and pieces costs more to set up than a
    /// value to hash.
    fn hash(&self, purpose: &[u8], bytes: &[u8]) -> blake3::Hash {
        let mut input = [purpose, &[0], bytes].concat();
        let hash = blake3::keyed_hash(&self.0, &input);
        input.zeroize();
        hash
    }

    /// A keyed hash of any bytes, apart from those in tokens.
    pub(crate) fn fingerprint(&self, bytes: &[u8]) -> [u8; 32] {
        *self.hash(b"certus fingerprint v1", bytes).as_bytes()
    }

    /// The hash by which a policy allows a value, in hexadecimal digits; only who has the key can test a guess by it.
    pub fn allowed(&self, value: &[u8]) -> String {
        self.hash(b"certus allowed value v1", value).to_hex()[..32].to_owned()
    }

    /// The token for a value of this type.
    pub(crate) fn token(&self, type_name: &str, value: &[u8]) -> String {
        let hash = self.hash(type_name.as_bytes(), value).to_hex();
        [PREFIX, type_name, "_", &hash[..DIGITS]].concat()
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PseudonymKey({})", self.id())
    }
}

/// The mask of a type.
pub(crate) fn mask(type_name: &str) -> String {
    format!("{MASK_PREFIX}{type_name}{MASK_END}")
}

/// The length of the token or mask that begins at the start of `bytes`, if one does.
fn token_at(bytes: &[u8]) -> Option<usize> {
    let (prefix, masked) = match bytes.strip_prefix(PREFIX.as_bytes()) {
        Some(_) => (PREFIX, false),
        None => (bytes.starts_with(MASK_PREFIX.as_bytes()).then_some(MASK_PREFIX)?, true),
    };
    let rest = &bytes[prefix.len()..];
    let name = rest.iter().take_while(|b| b.is_ascii_uppercase() || **b == b'_').count();
    // The type ends with the last underscore; what follows begins with letters only in lower case.
    if !rest[..name].ends_with(b"_") || name < 2 {
        return None;
    }
    if masked {
        let end = name - 1 + MASK_END.len();
        return rest[name - 1..].starts_with(MASK_END.as_bytes()).then_some(prefix.len() + end);
    }
    let hex = |b: &&u8| b.is_ascii_digit() || (b'a'..=b'f').contains(*b);
    let digits = rest[name..].iter().take(DIGITS).take_while(hex).count();
    (digits == DIGITS).then_some(prefix.len() + name + DIGITS)
}

/// Whether the byte at `at` belongs to a token.
pub(crate) fn within_token(bytes: &[u8], at: usize) -> bool {
    let from = at.saturating_sub(TYPE_BYTES_MAX);
    let to = bytes.len().min(at + TYPE_BYTES_MAX);
    tokens(&bytes[from..to]).iter().any(|(start, end)| (from + start..from + end).contains(&at))
}

/// The bytes before `start`, so many at the most, in lower case, tokens left blank: what takes a value's place says nothing
/// of what stands behind it.
pub(crate) fn words_before(bytes: &[u8], start: usize, reach: usize) -> Vec<u8> {
    let from = start.saturating_sub(reach);
    let mut near = bytes[from..start].to_ascii_lowercase();
    let wide = from.saturating_sub(TYPE_BYTES_MAX);
    for (first, end) in tokens(&bytes[wide..start]) {
        near[(wide + first).saturating_sub(from)..(wide + end).saturating_sub(from)].fill(b' ');
    }
    near
}

/// Finds the stem: made once, as it is asked for at every value.
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(STEM));

/// Where tokens stand in `bytes`, in order.
pub(crate) fn tokens(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    // A prefix before what was looked through last belongs to nothing else.
    let mut done = 0;
    while let Some(next) = FINDER.find(&bytes[at..]) {
        at += next + STEM.len();
        let begins = |prefix: &str| at.checked_sub(prefix.len()).filter(|start| *start >= done);
        let start = [PREFIX, MASK_PREFIX].into_iter().filter_map(begins);
        let token = start.filter_map(|start| Some((start, start + token_at(&bytes[start..])?))).next();
        if let Some((start, end)) = token {
            found.push((start, end));
            (at, done) = (end, end);
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
        let masked = mask("AWS_KEY");
        let text = format!("{masked}x{masked}{token}_ED_{masked}");
        let found: Vec<&str> = tokens(text.as_bytes()).iter().map(|(a, b)| &text[*a..*b]).collect();
        assert_eq!(found, [&masked, &masked, &token, &masked]);
        for no_token in [
            "MASKED_",
            "MASKED__xxxx",
            "MASKED_A_xxx",
            "MASKED_xxxx",
            "XED_A_xxxx",
            "REDACTED_X_12",
            "REDACTED_",
            "REDACTED__0123456789abcdeg",
        ] {
            assert!(tokens(no_token.as_bytes()).is_empty(), "{no_token}");
        }
        assert!(!format!("{key:?}").contains("0101"));
    }
}
