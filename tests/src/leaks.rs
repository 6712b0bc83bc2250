//! Looks for values where none may be: as they are, in encodings, and inside of whatever is compressed.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use data_encoding::{BASE64, HEXLOWER, HEXUPPER};

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const UNPACKED_BYTES_MAX: u64 = 64 << 20;

/// Values to look for, in every spelling.
#[derive(Debug)]
pub struct Needles(Vec<(usize, Vec<u8>)>);

impl Needles {
    /// All spellings of these values.
    pub fn new(values: &[String]) -> Self {
        let mut needles = Vec::new();
        for (number, value) in values.iter().enumerate() {
            let bytes = value.as_bytes();
            let mut spellings = vec![
                bytes.to_vec(),
                bytes.iter().rev().copied().collect(),
                HEXLOWER.encode(bytes).into_bytes(),
                HEXUPPER.encode(bytes).into_bytes(),
                bytes.iter().flat_map(|byte| [*byte, 0]).collect(),
                value.replace('@', "%40").into_bytes(),
                value.replace('@', "\\u0040").into_bytes(),
                value.replace('@', "&#64;").into_bytes(),
            ];
            // What stands in base64 depends on where the value begins; the edges are shared with its neighbours.
            for shift in 0..3 {
                let padded = [vec![b' '; shift], bytes.to_vec()].concat();
                let whole = BASE64.encode(&padded);
                let inner = whole.trim_end_matches('=');
                spellings.push(inner.as_bytes()[4.min(inner.len())..inner.len().saturating_sub(2)].to_vec());
            }
            spellings.sort();
            spellings.dedup();
            needles.extend(spellings.into_iter().map(|spelling| (number, spelling)));
        }
        Self(needles)
    }

    /// Which values stand in these bytes, also in what is compressed in them.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<usize> {
        let mut found = self.plainly_in(bytes);
        for start in memchr::memmem::find_iter(bytes, &ZSTD_MAGIC) {
            let mut unpacked = Vec::new();
            // What is no zstd after all ends with an error; what came before it counts.
            if let Ok(decoder) = zstd::Decoder::new(&bytes[start..]) {
                drop(decoder.single_frame().take(UNPACKED_BYTES_MAX).read_to_end(&mut unpacked));
            }
            found.extend(self.plainly_in(&unpacked));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn plainly_in(&self, bytes: &[u8]) -> Vec<usize> {
        let stands = |needle: &&(usize, Vec<u8>)| memchr::memmem::find(bytes, &needle.1).is_some();
        self.0.iter().filter(stands).map(|(number, _)| *number).collect()
    }

    /// Files under a folder that hold values, each with which.
    ///
    /// # Errors
    /// The file system's.
    pub fn found_under(&self, folder: &Path) -> Result<Vec<(String, Vec<usize>)>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                all.extend(self.found_under(&path)?);
            } else if path.is_file() {
                let mut found = self.found_in(&fs::read(&path)?);
                found.extend(self.plainly_in(path.as_os_str().as_encoded_bytes()));
                if !found.is_empty() {
                    all.push((path.display().to_string(), found));
                }
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found_also_when_it_is_compressed() {
        let needles = Needles::new(&["s3cr3t.value@x".to_owned(), "not there".to_owned()]);
        let base64 = BASE64.encode(b"user:s3cr3t.value@x!");
        let hex = HEXLOWER.encode(b"s3cr3t.value@x");
        for text in ["a s3cr3t.value@x b", &base64, &hex, "s3cr3t.value%40x"] {
            assert_eq!(needles.found_in(text.as_bytes()), [0], "{text}");
            let packed =
                [b"head".to_vec(), zstd::encode_all(text.as_bytes(), 1).unwrap(), vec![0; 9]].concat();
            assert_eq!(needles.found_in(&packed), [0], "{text}");
        }
        assert!(needles.found_in(b"nothing of it").is_empty());
    }
}
