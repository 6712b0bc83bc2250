//! The one place that touches bincode: 2.0.1, standard configuration, bounded on the way in.
//!
//! bincode is unmaintained, so its use is kept to values of this crate and pinned by golden bytes.

use bincode::{Decode, Encode};

/// Bytes of `value`.
pub(crate) fn encode(value: &impl Encode) -> Vec<u8> {
    bincode::encode_to_vec(value, bincode::config::standard())
        .expect("plain structs of numbers, texts and bytes always encode")
}

/// The value that `bytes` hold, all of them; `None` where they hold none, or one that claims more than
/// `LIMIT` bytes of memory.
pub(crate) fn decode<T: Decode<()>, const LIMIT: usize>(bytes: &[u8]) -> Option<T> {
    let config = bincode::config::standard().with_limit::<LIMIT>();
    match bincode::decode_from_slice(bytes, config) {
        Ok((value, used)) if used == bytes.len() => Some(value),
        _ => None,
    }
}
