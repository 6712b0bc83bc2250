//! What is remembered of a file: enough to know it again, nothing of what it holds.
//!
//! | offset | bytes | field |
//! | --- | --- | --- |
//! | 0 | 1 | state: 1 sent, 2 left out |
//! | 1 | 8 × 4 | device, inode, size, modification time in ns (little-endian) |
//! | 33 | 32 | keyed fingerprint of the content |
//! | 65 | 16 | document |
//! | 81 | … | sanitized path where sent, else the reason |

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use certus_protocol::ids::DocumentId;

use crate::status::LeftOut;

/// What a file system says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stat {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) modified_ns: i64,
}

impl Stat {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified_ns: metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()),
        }
    }

    pub(super) fn modified_ms(&self) -> i64 {
        self.modified_ns / 1_000_000
    }
}

/// A file as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) stat: Stat,
    pub(super) became: Became,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Became {
    /// The hub has it, or will.
    Sent { fingerprint: [u8; 32], document: DocumentId, path: String },
    /// It is left out, for the reason that has this word.
    LeftOut(String),
}

impl Seen {
    pub(super) fn encode(&self) -> Vec<u8> {
        let none = ([0; 32], DocumentId([0; 16]));
        let (state, (fingerprint, document), text) = match &self.became {
            Became::Sent { fingerprint, document, path } => (1, (*fingerprint, *document), path),
            Became::LeftOut(word) => (2, none, word),
        };
        let mut bytes = vec![state];
        for number in [self.stat.device, self.stat.inode, self.stat.size] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.stat.modified_ns.to_le_bytes());
        bytes.extend(fingerprint);
        bytes.extend(document.0);
        bytes.extend(text.as_bytes());
        bytes
    }

    /// `None` where it is none; the file is then taken as never seen.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&state, rest) = bytes.split_first()?;
        let (numbers, rest) = rest.split_first_chunk::<32>()?;
        let (fingerprint, rest) = rest.split_first_chunk::<32>()?;
        let (document, text) = rest.split_first_chunk::<16>()?;
        let number = |at: usize| Some(u64::from_le_bytes(*numbers.get(at..at + 8)?.first_chunk()?));
        let stat = Stat {
            device: number(0)?,
            inode: number(8)?,
            size: number(16)?,
            modified_ns: number(24)?.cast_signed(),
        };
        let text = String::from_utf8(text.to_vec()).ok()?;
        let became = match state {
            1 => Became::Sent { fingerprint: *fingerprint, document: DocumentId(*document), path: text },
            2 => Became::LeftOut(text),
            _ => return None,
        };
        Some(Self { stat, became })
    }

    /// Why it was left out, where that holds as long as the file is the same.
    pub(super) fn left_out(&self) -> Option<LeftOut> {
        let Became::LeftOut(word) = &self.became else { return None };
        [LeftOut::Binary, LeftOut::TooLarge, LeftOut::NotSarif].into_iter().find(|why| why.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_comes_back_and_damage_is_nothing_seen() {
        let stat = Stat { device: 1, inode: 2, size: 3, modified_ns: -4 };
        let sent =
            Became::Sent { fingerprint: [5; 32], document: DocumentId([6; 16]), path: "a/ü".to_owned() };
        for became in [sent, Became::LeftOut("binary".to_owned())] {
            let seen = Seen { stat, became };
            let bytes = seen.encode();
            assert_eq!(Seen::decode(&bytes), Some(seen));
            for cut in 0..81 {
                assert_eq!(Seen::decode(&bytes[..cut]), None);
            }
        }
    }
}
