//! Files that hold text in a form of their own, or other files: what text is in them.
//!
//! Nothing is unpacked to the disk, nothing in them is run, and everything is bounded: bytes, members, nesting, time. A
//! container that goes beyond a bound, is damaged or encrypted gives nothing at all, so that nobody takes a
//! part of it for the whole. Members that hold no text are counted. The containers themselves are never changed.

use std::borrow::Cow;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use certus_sanitizer::decode::Encoding;

use super::{archive, is_text, mail, pdf};
use crate::limits;

/// A form of container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// ZIP, and what is built on it: OOXML and OpenDocument files, Java archives.
    Zip,
    /// A tape archive.
    Tar,
    /// One file, compressed by gzip.
    Gzip,
    /// One file, compressed by zstd.
    Zstd,
    /// A PDF document.
    Pdf,
    /// A message as RFC 5322 has it.
    Mail,
}

/// The text in a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Each member's text behind a line that names it, as `==> name <==`.
    pub text: String,
    /// Members met, folders left out.
    pub members: usize,
    /// Of these, members that hold no text, or none that can be read.
    pub unread: usize,
}

/// Why a container gives no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// It is not what it seems to be, or was cut.
    #[error("it is damaged")]
    Damaged,
    /// Its text is encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// It holds more than is unpacked.
    #[error("it goes beyond the limit of {0}")]
    Bound(&'static str),
}

impl Container {
    /// Tells by content; the name only where content says too little.
    pub fn detect(name: &str, bytes: &[u8]) -> Option<Self> {
        match bytes {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Self::Zip),
            [0x1F, 0x8B, 8, ..] => Some(Self::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Self::Zstd),
            _ if bytes.get(257..262) == Some(b"ustar") => Some(Self::Tar),
            _ if bytes.starts_with(b"%PDF-") => Some(Self::Pdf),
            _ if mail::is_mail(name, bytes) => Some(Self::Mail),
            _ => None,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Zip => "application/zip",
            Self::Tar => "application/x-tar",
            Self::Gzip => "application/gzip",
            Self::Zstd => "application/zstd",
            Self::Pdf => "application/pdf",
            Self::Mail => "message/rfc822",
        }
    }

    /// The text in it.
    ///
    /// # Errors
    /// See [`ContainerError`]; then nothing of it may be taken for its text.
    pub fn open(self, name: &str, bytes: &[u8]) -> Result<Contents, ContainerError> {
        let mut reading = Reading::new(bytes.len());
        // A parser of a foreign format that gives up in a panic has not read the file.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.read(name, bytes, &mut reading)));
        outcome.unwrap_or(Err(ContainerError::Damaged))?;
        Ok(reading.contents)
    }

    /// Everything in it that a text may hide in, looks, settings, comments and markup too, as it is spelt: to judge by
    /// whether the container may be kept, not to be read.
    ///
    /// # Errors
    /// See [`ContainerError`]; then nothing may be kept.
    pub fn everything(self, name: &str, bytes: &[u8]) -> Result<String, ContainerError> {
        let mut reading = Reading { thorough: true, ..Reading::new(bytes.len()) };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.read(name, bytes, &mut reading)));
        outcome.unwrap_or(Err(ContainerError::Damaged))?;
        Ok(reading.contents.text)
    }

    /// The one file in a compressed file; `None` for containers of another sort.
    ///
    /// # Errors
    /// See [`ContainerError`].
    pub fn decompress(self, bytes: &[u8]) -> Result<Option<Vec<u8>>, ContainerError> {
        self.decompressed(bytes, &mut Reading::new(bytes.len()))
    }

    fn decompressed(self, bytes: &[u8], reading: &mut Reading) -> Result<Option<Vec<u8>>, ContainerError> {
        match self {
            Self::Gzip => reading.unpacked(flate2::read::MultiGzDecoder::new(bytes)).map(Some),
            Self::Zstd => {
                let decoder = zstd::Decoder::new(bytes).map_err(|_| ContainerError::Damaged)?;
                reading.unpacked(decoder).map(Some)
            }
            Self::Zip | Self::Tar | Self::Pdf | Self::Mail => Ok(None),
        }
    }

    fn read(self, name: &str, bytes: &[u8], reading: &mut Reading) -> Result<(), ContainerError> {
        if let Some(plain) = self.decompressed(bytes, reading)? {
            if reading.thorough && self == Self::Gzip {
                // The name and the comment of its first part.
                let decoder = flate2::bufread::GzDecoder::new(bytes);
                let told = decoder.header().map(|header| [header.filename(), header.comment()]);
                told.into_iter().flatten().flatten().for_each(|told| reading.spelt(told));
            }
            return reading.member(inner_name(name), &plain);
        }
        match self {
            Self::Zip => archive::zip(bytes, reading),
            Self::Tar => archive::tar(bytes, reading),
            Self::Pdf => pdf::read(bytes, reading),
            Self::Mail => mail::read(bytes, reading),
            Self::Gzip | Self::Zstd => Ok(()),
        }
    }
}

/// The name of what a compressed file holds: its own without the last extension.
pub(super) fn inner_name(name: &str) -> &str {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    base.rsplit_once('.').map_or(base, |(stem, _)| stem)
}

/// What is left of the bounds, and what was read so far.
pub(super) struct Reading {
    pub(super) contents: Contents,
    /// Whether everything is read that a text may hide in.
    pub(super) thorough: bool,
    bytes_left: usize,
    depth: usize,
    until: Instant,
}

impl Reading {
    fn new(packed: usize) -> Self {
        let by_ratio = packed.saturating_mul(limits::EXTRACT_RATIO_MAX).max(limits::EXTRACT_BYTES_FREE);
        Self {
            contents: Contents::default(),
            thorough: false,
            bytes_left: by_ratio.min(limits::EXTRACT_BYTES_MAX),
            depth: 0,
            until: Instant::now() + Duration::from_millis(limits::EXTRACT_MS_MAX),
        }
    }

    /// All that a decoder gives, within the bounds.
    pub(super) fn unpacked(&mut self, decoder: impl Read) -> Result<Vec<u8>, ContainerError> {
        self.in_time()?;
        let mut bytes = Vec::new();
        let read = decoder.take(self.bytes_left as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|_| ContainerError::Damaged)?;
        self.count(bytes.len())?;
        Ok(bytes)
    }

    /// Takes note of text that a parser made, or of bytes that it unpacked.
    pub(super) fn count(&mut self, bytes: usize) -> Result<(), ContainerError> {
        self.bytes_left =
            self.bytes_left.checked_sub(bytes).ok_or(ContainerError::Bound("unpacked bytes"))?;
        self.in_time()
    }

    pub(super) fn in_time(&self) -> Result<(), ContainerError> {
        if Instant::now() > self.until { Err(ContainerError::Bound("time")) } else { Ok(()) }
    }

    /// A member begins.
    pub(super) fn begin(&mut self) -> Result<(), ContainerError> {
        self.contents.members += 1;
        self.in_time()?;
        if self.contents.members > limits::EXTRACT_MEMBERS_MAX {
            return Err(ContainerError::Bound("members"));
        }
        Ok(())
    }

    /// A member's text, or that of the container that it is.
    pub(super) fn member(&mut self, name: &str, bytes: &[u8]) -> Result<(), ContainerError> {
        self.begin()?;
        match Container::detect(name, bytes) {
            Some(_) if self.depth + 1 >= limits::EXTRACT_DEPTH_MAX => {
                Err(ContainerError::Bound("containers in containers"))
            }
            Some(container) => {
                self.title(name);
                self.depth += 1;
                let outcome = container.read(name, bytes, self);
                self.depth -= 1;
                outcome
            }
            None if is_text(bytes) => {
                let text = match Encoding::detect(bytes).decode(bytes) {
                    Some(text) => Cow::Owned(text),
                    None => String::from_utf8_lossy(bytes),
                };
                self.text(name, &text);
                Ok(())
            }
            None => {
                self.title(name);
                self.contents.unread += 1;
                Ok(())
            }
        }
    }

    /// Text under its name.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.title(name);
        self.contents.text.push_str(text);
        if !text.ends_with('\n') {
            self.contents.text.push('\n');
        }
    }

    /// Bytes that are no member's, as text.
    pub(super) fn spelt(&mut self, bytes: &[u8]) {
        self.text("", &String::from_utf8_lossy(bytes));
    }

    /// The name of what follows; names tell things too.
    pub(super) fn title(&mut self, name: &str) {
        if !name.is_empty() {
            self.contents.text.push_str("==> ");
            self.contents.text.push_str(name);
            self.contents.text.push_str(" <==\n");
        }
    }
}
