//! Segment files: frames one behind the other, and, once it is sealed, a footer that tells where each lies.
//!
//! | offset | bytes | field (integers little-endian) |
//! | --- | --- | --- |
//! | 0 | 8 | magic `CSEGMENT` |
//! | 8 | 4 | format version, 2 |
//! | 12 | 4 | zero |
//! | 16 | … | frames as in `certus_protocol::frame`, without padding |
//! | | | while open: zeros, or what was never accepted, up to the length preallocated |
//! | | | once sealed: the footer, up to the end of the file: |
//! | 0 | 80 each | entries, in the order of the frames, see [`Entry`] |
//! | … | 4 | count of entries |
//! | … | 32 | BLAKE3 of the entries and the count |
//! | … | 8 | magic `CSEGFOOT` |
//!
//! | offset | bytes | field of an entry |
//! | --- | --- | --- |
//! | 0 | 1 | lane |
//! | 1 | 1 | 0: in its lane's order; 1: stands for frames that were dropped |
//! | 2 | 2 | zero |
//! | 4 | 4 | epoch |
//! | 8 | 8 | seq |
//! | 16 | 8 | last seq that the frame stands for |
//! | 24 | 8 | offset of its first byte |
//! | 32 | 4 | its length |
//! | 36 | 4 | zero |
//! | 40 | 8 | bytes of the lane through this frame, since the epoch began |
//! | 48 | 32 | its hash |
//!
//! A segment is named by its number, preallocated, written once, sealed, and deleted whole.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use certus_protocol::frame::{self, HEADER_BYTES, Header};
use certus_protocol::ids::{ContentHash, Epoch, Lane, Seq};
use certus_protocol::limits;

use super::Stored;
use super::disk::{Disk, DiskFile};

const MAGIC: &[u8; 8] = b"CSEGMENT";
const FOOT_MAGIC: &[u8; 8] = b"CSEGFOOT";
const FORMAT_VERSION: u32 = 2;
/// Where the first frame begins.
pub const FIRST_FRAME: u64 = 16;
/// Length of an entry of a footer.
pub const ENTRY_BYTES: usize = 80;
/// What a footer takes beside its entries.
const FOOT_BYTES: u64 = 44;
/// The folder of segments within a spool's.
pub const FOLDER: &str = "segments";

/// Where a frame lies in its segment, and which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its lane.
    pub lane: Lane,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its number.
    pub seq: Seq,
    /// The last number it stands for.
    pub through: Seq,
    /// Offset of its first byte.
    pub offset: u64,
    /// Its length, in bytes.
    pub bytes: u32,
    /// Bytes of its lane through this frame, since the epoch began.
    pub total: u64,
    /// Its hash.
    pub hash: ContentHash,
    /// Where in its lane it stands.
    pub standing: Standing,
}

/// Where in its lane a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Behind the one that was accepted before it.
    InOrder,
    /// In place of frames that were dropped to make room.
    ForDropped,
}

/// A frame's segment and its entry there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    /// Number of the segment.
    pub segment: u64,
    /// Where in it.
    pub entry: Entry,
}

/// What a scan of a segment found.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Whole frames, in the order in which they lie.
    pub frames: Vec<(Header, Entry)>,
    /// Bytes between them that are no frame.
    pub damaged_bytes: u64,
    /// Behind the last of them.
    pub end: u64,
}

/// A segment and its open file.
type Opened = (u64, Arc<dyn DiskFile>);

/// The folder of segments; clones share it.
#[derive(Clone)]
pub struct Segments {
    disk: Arc<dyn Disk>,
    /// The segment read last, kept open.
    open: Arc<Mutex<Option<Opened>>>,
}

/// The segment that is written.
pub(super) struct Active {
    pub(super) number: u64,
    file: Arc<dyn DiskFile>,
    pub(super) end: u64,
    length: u64,
    pub(super) entries: Vec<Entry>,
}

impl Segments {
    /// The segments on this disk.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, open: Arc::default() }
    }

    /// The numbers of the segments there are, ascending, and their lengths in bytes.
    ///
    /// # Errors
    /// The disk's.
    pub fn list(&self) -> io::Result<Vec<(u64, u64)>> {
        let numbered = |(name, bytes): (String, u64)| Some((name.strip_suffix(".seg")?.parse().ok()?, bytes));
        let mut found: Vec<_> = self.disk.list(FOLDER)?.into_iter().filter_map(numbered).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// Makes segment `number` with room for `bytes`, durable as an empty one.
    pub(super) fn create(&self, number: u64, bytes: u64) -> io::Result<Active> {
        let name = name(number);
        let file = self.disk.create(&name)?;
        let mut head = [0; FIRST_FRAME as usize];
        head[..8].copy_from_slice(MAGIC);
        head[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        let made = file
            .allocate(bytes)
            .and_then(|()| file.write_at(&head, 0))
            .and_then(|()| file.sync())
            .and_then(|()| self.disk.sync_folder(FOLDER));
        if let Err(error) = made {
            // What could not be made is not left behind; if it can't be removed either, it holds no frame.
            if let Err(error) = self.disk.remove(&name) {
                tracing::warn!(%error, "spool: a segment that could not be made stays");
            }
            return Err(error);
        }
        Ok(Active { number, file, end: FIRST_FRAME, length: bytes, entries: Vec::new() })
    }

    /// Opens segment `number`, which is not sealed, to write on behind `end`; takes away what stands there.
    pub(super) fn reopen(&self, number: u64, end: u64, entries: Vec<Entry>) -> io::Result<Active> {
        let file = self.disk.open(&name(number))?;
        let length = file.length()?.max(end);
        file.cut(end)?;
        file.allocate(length)?;
        file.sync()?;
        Ok(Active { number, file, end, length, entries })
    }

    /// Deletes segment `number`, durably; none there is none to delete.
    pub(super) fn delete(&self, number: u64) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.as_ref().is_some_and(|(held, _)| *held == number) {
            *open = None;
        }
        self.disk.remove(&name(number))?;
        self.disk.sync_folder(FOLDER)
    }

    /// The frame at `pointer`; `None` where it is not whole or not the one meant.
    ///
    /// # Errors
    /// The disk's: it may be readable another time.
    pub fn read(&self, pointer: &Pointer) -> io::Result<Option<Stored>> {
        let Pointer { segment, entry } = pointer;
        if entry.bytes as usize > HEADER_BYTES + limits::FRAME_ENCODED_BYTES_MAX {
            return Ok(None);
        }
        let file = match self.file(*segment) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut bytes = vec![0; entry.bytes as usize];
        match file.read_at(&mut bytes, entry.offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let Ok((header, _)) = frame::split(&bytes) else { return Ok(None) };
        let hash = frame::hash(&bytes);
        let meant = hash == entry.hash && header.frame_bytes() == bytes.len();
        Ok(meant.then(|| Stored { header, hash, bytes: Bytes::from(bytes) }))
    }

    /// The footer of segment `number`; `None` where it is not sealed, or its footer is damaged.
    ///
    /// # Errors
    /// The disk's.
    pub fn footer(&self, number: u64) -> io::Result<Option<Vec<Entry>>> {
        let file = match self.disk.open(&name(number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let length = file.length()?;
        let Some(at) = length.checked_sub(FOOT_BYTES).filter(|at| *at >= FIRST_FRAME) else {
            return Ok(None);
        };
        let mut foot = [0; FOOT_BYTES as usize];
        file.read_at(&mut foot, at)?;
        let count = u32::from_le_bytes([foot[0], foot[1], foot[2], foot[3]]) as usize;
        let begins = at.checked_sub((count * ENTRY_BYTES) as u64).filter(|begins| *begins >= FIRST_FRAME);
        let (Some(begins), true) =
            (begins, &foot[36..] == FOOT_MAGIC && count <= super::limits::SEGMENT_FRAMES)
        else {
            return Ok(None);
        };
        let mut bytes = vec![0; count * ENTRY_BYTES + 4];
        file.read_at(&mut bytes, begins)?;
        if ContentHash::of(&bytes).0 != foot[4..36] {
            return Ok(None);
        }
        Ok(bytes.chunks_exact(ENTRY_BYTES).map(Entry::parse).collect())
    }

    /// Every whole frame of segment `number` below `end`, with where it lies; what can't be read is passed over up
    /// to the next frame that can, and counted. Totals in the entries are zero.
    ///
    /// # Errors
    /// The disk's, or that the file is no segment.
    pub fn scan(&self, number: u64, end: u64) -> io::Result<Scanned> {
        let file = self.disk.open(&name(number))?;
        check_magic(&*file)?;
        let length = file.length()?.min(end);
        // A footer is no damage.
        let frames_end = self.footer(number)?.map_or(length, |entries| {
            entries.last().map_or(FIRST_FRAME, |last| last.offset + u64::from(last.bytes)).min(length)
        });
        scan_file(&*file, frames_end)
    }

    fn file(&self, number: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((held, file)) = open.as_ref()
            && *held == number
        {
            return Ok(file.clone());
        }
        let file = self.disk.open(&name(number))?;
        *open = Some((number, file.clone()));
        Ok(file)
    }
}

impl Active {
    /// Whether a frame of `bytes` fits, and the footer's entry for it.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        let footer = FOOT_BYTES + ((self.entries.len() + 1) * ENTRY_BYTES) as u64;
        self.entries.len() < super::limits::SEGMENT_FRAMES && self.end + bytes + footer <= self.length
    }

    /// Room for a frame and its entry, and the footer, in a segment that holds nothing else.
    pub(super) fn length_for(frame_bytes: u64) -> u64 {
        FIRST_FRAME + frame_bytes + ENTRY_BYTES as u64 + FOOT_BYTES
    }

    /// Writes a frame behind the last; not durable before [`Self::sync`].
    pub(super) fn append(&mut self, bytes: &[u8], entry: Entry) -> io::Result<()> {
        self.file.write_at(bytes, self.end)?;
        self.entries.push(Entry { offset: self.end, bytes: bytes.len() as u32, ..entry });
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Makes what was appended durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// Writes the footer, cuts the file behind it and makes all of it durable; answers its length in bytes.
    pub(super) fn seal(&self) -> io::Result<u64> {
        let mut footer: Vec<u8> = self.entries.iter().flat_map(|entry| entry.to_bytes()).collect();
        footer.extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        let hash = ContentHash::of(&footer);
        footer.extend_from_slice(&hash.0);
        footer.extend_from_slice(FOOT_MAGIC);
        self.file.write_at(&footer, self.end)?;
        let length = self.end + footer.len() as u64;
        self.file.cut(length)?;
        self.file.sync()?;
        Ok(length)
    }
}

impl Entry {
    /// As it stands in a footer.
    pub(super) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &[self.lane as u8, if self.standing == Standing::ForDropped { 1 } else { 0 }]);
        put(4, &self.epoch.0.to_le_bytes());
        put(8, &self.seq.0.to_le_bytes());
        put(16, &self.through.0.to_le_bytes());
        put(24, &self.offset.to_le_bytes());
        put(32, &self.bytes.to_le_bytes());
        put(40, &self.total.to_le_bytes());
        put(48, &self.hash.0);
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; ENTRY_BYTES] = bytes.try_into().ok()?;
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        Some(Self {
            lane: Lane::from_byte(bytes[0])?,
            epoch: Epoch(word(4)),
            seq: Seq(long(8)),
            through: Seq(long(16)),
            offset: long(24),
            bytes: word(32),
            total: long(40),
            hash: ContentHash(std::array::from_fn(|i| bytes[48 + i])),
            standing: if bytes[1] == 1 { Standing::ForDropped } else { Standing::InOrder },
        })
    }

    /// The entry of a frame whose place is not known yet.
    pub(super) fn of(header: &Header, hash: ContentHash, total: u64) -> Self {
        Self {
            lane: header.lane,
            epoch: header.epoch,
            seq: header.seq,
            through: header.through,
            offset: 0,
            bytes: header.frame_bytes() as u32,
            total,
            hash,
            standing: if header.through > header.seq { Standing::ForDropped } else { Standing::InOrder },
        }
    }
}

fn name(number: u64) -> String {
    format!("{FOLDER}/{number:010}.seg")
}

fn check_magic(file: &dyn DiskFile) -> io::Result<()> {
    let mut head = [0; FIRST_FRAME as usize];
    file.read_at(&mut head, 0)?;
    let version = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
    if &head[..8] != MAGIC || version != FORMAT_VERSION {
        let what = format!("not a spool segment of format version {FORMAT_VERSION}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(())
}

fn scan_file(file: &dyn DiskFile, length: u64) -> io::Result<Scanned> {
    let mut scanned = Scanned { end: FIRST_FRAME, ..Scanned::default() };
    let mut at = FIRST_FRAME;
    let mut bytes = Vec::new();
    while at + HEADER_BYTES as u64 <= length {
        let mut head = [0; HEADER_BYTES];
        file.read_at(&mut head, at)?;
        let whole = Header::parse(&head).ok().filter(|header| at + header.frame_bytes() as u64 <= length);
        if let Some(header) = whole {
            bytes.resize(header.frame_bytes(), 0);
            file.read_at(&mut bytes, at)?;
            if frame::split(&bytes).is_ok() {
                let entry = Entry { offset: at, ..Entry::of(&header, frame::hash(&bytes), 0) };
                at += bytes.len() as u64;
                scanned.end = at;
                scanned.frames.push((header, entry));
                continue;
            }
        }
        let Some(next) = next_magic(file, at + 1, length)? else { break };
        scanned.damaged_bytes += next - at;
        at = next;
    }
    Ok(scanned)
}

fn next_magic(file: &dyn DiskFile, from: u64, length: u64) -> io::Result<Option<u64>> {
    const WINDOW: u64 = 64 << 10;
    let mut window = Vec::new();
    let mut at = from;
    while at + 4 <= length {
        window.resize((length - at).min(WINDOW) as usize, 0);
        file.read_at(&mut window, at)?;
        if let Some(found) = memchr::memmem::find(&window, &frame::MAGIC) {
            return Ok(Some(at + found as u64));
        }
        at += window.len() as u64 - 3;
    }
    Ok(None)
}
