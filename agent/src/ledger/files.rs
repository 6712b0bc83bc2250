//! The ledger's files, `egress-000001.ndjson` and so on: which there are, and their lines along the chain.
//!
//! Each file but the first begins with a line that continues the chain (`certus_protocol::ledger::Continued`), so that
//! the last one alone is read to go on, and the one that holds a line is found by first lines alone.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use certus_protocol::ids::ContentHash;
use certus_protocol::ledger::{Chain, ChainError, Entry, Event};
use certus_protocol::receipt::LedgerHead;

use super::LedgerError;
use crate::limits;

/// The files in `folder`, ascending by number.
///
/// # Errors
/// The file system's.
pub fn list(folder: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("egress-").and_then(|name| name.strip_suffix(".ndjson"));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The file with this number.
pub fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("egress-{number:06}.ndjson"))
}

/// Hands every entry of the ledger in `folder`, in order and with the chain's end after it, to `each`; the chain is checked
/// on the way. A last line that is not whole is left out: what it tells of has not left.
///
/// # Errors
/// A file can't be read, one is missing, or the chain breaks; entries before that were handed over.
pub fn walk(
    folder: &Path,
    mut each: impl FnMut(LedgerHead, Entry) -> Result<(), LedgerError>,
) -> Result<LedgerHead, LedgerError> {
    let mut chain = Chain::default();
    let files = list(folder).map_err(|cause| io_error(folder, cause))?;
    for (expected, (number, path)) in (1u32..).zip(&files) {
        if *number != expected {
            let path = self::path(folder, expected);
            return Err(io_error(
                &path,
                io::Error::new(io::ErrorKind::NotFound, "this file of the ledger is missing"),
            ));
        }
        let mut lines = Lines::open(path)?;
        let mut first = true;
        while let Some(entry) = lines.next(&mut chain)? {
            let begins = match &entry.event {
                Event::Begin { .. } => expected == 1 && first,
                Event::Continue(on) => first && on.file == expected && on.lines + 1 == chain.head().lines,
                _ => !first,
            };
            if !begins {
                return Err(lines.broken(chain.head().lines));
            }
            first = false;
            each(chain.head(), entry)?;
        }
        if lines.rest()? > 0 && expected as usize != files.len() {
            return Err(lines.broken(chain.head().lines + 1));
        }
    }
    Ok(chain.head())
}

/// The hash of line `line` of the ledger in `folder`, from the one file that holds it; `None` where there are fewer
/// lines.
///
/// # Errors
/// A file can't be read, or its chain breaks before that line.
pub fn hash_at(folder: &Path, line: u64) -> Result<Option<ContentHash>, LedgerError> {
    for (_, path) in list(folder).map_err(|cause| io_error(folder, cause))?.iter().rev() {
        let Some(start) = start_of(path)? else { continue };
        if start.lines >= line {
            continue;
        }
        let (mut lines, mut chain) = (Lines::open(path)?, Chain::after(start));
        while chain.head().lines < line && lines.next(&mut chain)?.is_some() {}
        return Ok((chain.head().lines == line).then(|| chain.head().hash));
    }
    Ok(None)
}

/// The chain's end before the file at `path`, as its first line says; `None` where it has no whole line.
///
/// # Errors
/// The file can't be read, or begins with something else.
pub fn start_of(path: &Path) -> Result<Option<LedgerHead>, LedgerError> {
    let mut lines = Lines::open(path)?;
    if !lines.read()? {
        return Ok(None);
    }
    let entry: Entry = serde_json::from_slice(&lines.line).map_err(|_| lines.broken(1))?;
    let before = match entry.event {
        Event::Begin { .. } => 0,
        Event::Continue(on) => on.lines,
        _ => return Err(lines.broken(1)),
    };
    Ok(Some(LedgerHead { lines: before, hash: entry.previous }))
}

/// The lines of one file.
pub struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    /// Bytes of the whole lines so far.
    pub whole: u64,
}

impl Lines {
    /// Opens the file.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let file = File::open(path).map_err(|cause| io_error(path, cause))?;
        let reader = BufReader::with_capacity(256 << 10, file);
        Ok(Self { path: path.to_owned(), reader, line: Vec::new(), whole: 0 })
    }

    /// The next entry along `chain`; `None` where no whole line follows.
    ///
    /// # Errors
    /// The file can't be read, or the chain breaks.
    pub fn next(&mut self, chain: &mut Chain) -> Result<Option<Entry>, LedgerError> {
        if !self.read()? {
            return Ok(None);
        }
        let number = chain.head().lines + 1;
        let text = std::str::from_utf8(&self.line).map_err(|_| ChainError::Entry { line: number });
        let entry = text.and_then(|text| chain.check(text));
        let entry = entry.map_err(|cause| LedgerError::Chain { path: self.path.clone(), cause })?;
        self.whole += self.line.len() as u64 + 1;
        Ok(Some(entry))
    }

    /// Reads the next line, without its end, if it is whole. Zeros are what a power cut leaves of a line that was never
    /// synced, never part of one.
    fn read(&mut self) -> Result<bool, LedgerError> {
        self.line.clear();
        let mut limited = (&mut self.reader).take(limits::LEDGER_LINE_BYTES_MAX);
        limited.read_until(b'\n', &mut self.line).map_err(|cause| io_error(&self.path, cause))?;
        Ok(self.line.pop() == Some(b'\n') && !self.line.contains(&0))
    }

    /// Bytes after the whole lines.
    fn rest(&self) -> Result<u64, LedgerError> {
        let length = self.reader.get_ref().metadata().map_err(|cause| io_error(&self.path, cause))?.len();
        Ok(length - self.whole)
    }

    fn broken(&self, line: u64) -> LedgerError {
        LedgerError::Chain { path: self.path.clone(), cause: ChainError::Broken { line } }
    }
}

pub(super) fn io_error(path: &Path, cause: io::Error) -> LedgerError {
    LedgerError::Io { path: path.to_owned(), cause }
}
