//! Segment files: frames one behind the other.
//!
//! | offset | bytes | field |
//! | --- | --- | --- |
//! | 0 | 8 | magic `CSEGMENT` |
//! | 8 | 4 | format version, 1 (little-endian) |
//! | 12 | 4 | zero |
//! | 16 | … | frames as in `certus_protocol::frame`, without padding; what follows the last is zero or was never accepted |
//!
//! A segment is named by its number, preallocated to its full length, written once and deleted whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use certus_protocol::frame::{self, HEADER_BYTES, Header};
use certus_protocol::ids::ContentHash;
use certus_protocol::limits;
use rustix::fs::FallocateFlags;

use super::Stored;

const MAGIC: &[u8; 8] = b"CSEGMENT";
const FORMAT_VERSION: u32 = 1;
/// Where the first frame begins.
pub const FIRST_FRAME: u64 = 16;

/// Where a frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    /// Number of the segment.
    pub segment: u64,
    /// Offset of the frame's first byte.
    pub offset: u64,
    /// Length of the frame.
    pub bytes: u32,
    /// The frame's hash.
    pub hash: ContentHash,
}

/// A segment and its open file.
type Held = (u64, Arc<File>);

/// The folder of segments; clones share it.
#[derive(Debug, Clone)]
pub struct Segments {
    dir: Arc<PathBuf>,
    /// The segment read last, kept open.
    open: Arc<Mutex<Option<Held>>>,
}

impl Segments {
    /// Opens the folder, making it where it is missing.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(dir: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(Self { dir: Arc::new(dir), open: Arc::default() })
    }

    /// The numbers of the segments there are, ascending, and their lengths.
    ///
    /// # Errors
    /// The file system's.
    pub fn list(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&*self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let number =
                name.to_str().and_then(|name| name.strip_suffix(".seg")).and_then(|n| n.parse().ok());
            if let Some(number) = number {
                found.push((number, entry.metadata()?.len()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Makes segment `number`, preallocated to `bytes` and durable as an empty one.
    ///
    /// # Errors
    /// The file system's; nothing is left behind.
    pub fn create(&self, number: u64, bytes: u64) -> io::Result<File> {
        let path = self.path(number);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let made = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)
            .map_err(io::Error::from)
            .and_then(|()| file.write_all_at(MAGIC, 0))
            .and_then(|()| file.write_all_at(&FORMAT_VERSION.to_le_bytes(), 8))
            .and_then(|()| file.sync_all())
            .and_then(|()| File::open(&*self.dir)?.sync_all());
        if let Err(error) = made {
            fs::remove_file(&path)?;
            return Err(error);
        }
        Ok(file)
    }

    /// Opens segment `number` for writing on.
    ///
    /// # Errors
    /// The file system's, or that the file is no segment.
    pub fn reopen(&self, number: u64) -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(number))?;
        check_magic(&file).map(|()| file)
    }

    /// Deletes segment `number`, durably; none there is none to delete.
    ///
    /// # Errors
    /// The file system's.
    pub fn delete(&self, number: u64) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.as_ref().is_some_and(|(held, _)| *held == number) {
            *open = None;
        }
        match fs::remove_file(self.path(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::open(&*self.dir)?.sync_all(),
        }
    }

    /// The frame at `pointer`; `None` where it is not whole or not the one meant.
    pub fn read(&self, pointer: &Pointer) -> Option<Stored> {
        if pointer.bytes as usize > HEADER_BYTES + limits::FRAME_ENCODED_BYTES_MAX {
            return None;
        }
        let file = self.file(pointer.segment).ok()?;
        let mut bytes = vec![0; pointer.bytes as usize];
        file.read_exact_at(&mut bytes, pointer.offset).ok()?;
        let (header, _) = frame::split(&bytes).ok()?;
        let hash = frame::hash(&bytes);
        (hash == pointer.hash && header.frame_bytes() == bytes.len()).then(|| Stored {
            header,
            hash,
            bytes: Bytes::from(bytes),
        })
    }

    /// Every whole frame of segment `number`, with where it lies; what can't be read is passed over up to the next
    /// frame that can, and counted.
    ///
    /// # Errors
    /// The file system's, or that the file is no segment.
    pub fn scan(&self, number: u64) -> io::Result<Scanned> {
        let file = File::open(self.path(number))?;
        check_magic(&file)?;
        scan_file(&file, number)
    }

    fn file(&self, number: u64) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((held, file)) = open.as_ref()
            && *held == number
        {
            return Ok(file.clone());
        }
        let file = Arc::new(File::open(self.path(number))?);
        *open = Some((number, file.clone()));
        Ok(file)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:010}.seg"))
    }
}

/// What a scan of a segment found.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Whole frames, in the order in which they lie.
    pub frames: Vec<(Header, Pointer)>,
    /// Bytes between them that are no frame.
    pub damaged_bytes: u64,
}

fn check_magic(file: &File) -> io::Result<()> {
    let mut head = [0; FIRST_FRAME as usize];
    file.read_exact_at(&mut head, 0)?;
    let version = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
    if &head[..8] != MAGIC || version != FORMAT_VERSION {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a spool segment of format version 1"));
    }
    Ok(())
}

fn scan_file(file: &File, number: u64) -> io::Result<Scanned> {
    let length = file.metadata()?.len();
    let mut scanned = Scanned::default();
    let mut at = FIRST_FRAME;
    let mut bytes = Vec::new();
    while at + HEADER_BYTES as u64 <= length {
        let mut head = [0; HEADER_BYTES];
        file.read_exact_at(&mut head, at)?;
        let whole = Header::parse(&head).ok().filter(|header| at + header.frame_bytes() as u64 <= length);
        if let Some(header) = whole {
            bytes.resize(header.frame_bytes(), 0);
            file.read_exact_at(&mut bytes, at)?;
            if frame::split(&bytes).is_ok() {
                let hash = frame::hash(&bytes);
                let pointer = Pointer { segment: number, offset: at, bytes: bytes.len() as u32, hash };
                at += bytes.len() as u64;
                scanned.frames.push((header, pointer));
                continue;
            }
        }
        let Some(next) = next_magic(file, at + 1, length)? else { break };
        scanned.damaged_bytes += next - at;
        at = next;
    }
    Ok(scanned)
}

fn next_magic(file: &File, from: u64, length: u64) -> io::Result<Option<u64>> {
    const WINDOW: usize = 64 << 10;
    let mut window = vec![0; WINDOW];
    let mut at = from;
    while at + 4 <= length {
        let count = file.read_at(&mut window, at)?;
        if count < 4 {
            break;
        }
        if let Some(found) = memchr::memmem::find(&window[..count], &frame::MAGIC) {
            return Ok(Some(at + found as u64));
        }
        at += (count - 3) as u64;
    }
    Ok(None)
}

/// The folder of segments within a spool's.
pub fn folder(spool: &Path) -> PathBuf {
    spool.join("segments")
}
