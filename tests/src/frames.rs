//! Frames as they lie on the two sides' disks.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use certus_protocol::frame::{self, Header};
use certus_protocol::ids::ContentHash;

/// Agent, epoch, lane, number.
pub type FrameName = (String, u32, String, u64);

/// Where the first frame begins in a segment.
const SEGMENT_HEAD_BYTES: usize = 16;

/// A frame found on a disk.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its header.
    pub header: Header,
    /// Its hash.
    pub hash: ContentHash,
    /// Header and body.
    pub bytes: Vec<u8>,
}

fn name(header: &Header) -> FrameName {
    (header.agent.to_string(), header.epoch.0, header.lane.to_string(), header.seq.0)
}

/// Frames in the segments of an agent's spool, accepted or only written.
///
/// # Errors
/// The file system's.
pub fn in_segments(state: &Path) -> Result<BTreeMap<FrameName, Found>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(state.join("spool/segments")) else { return Ok(found) };
    for entry in entries {
        let Ok(bytes) = fs::read(entry?.path()) else { continue };
        let mut at = SEGMENT_HEAD_BYTES;
        while let Some((header, _)) = bytes.get(at..).and_then(|rest| frame::split(rest).ok()) {
            let end = at + header.frame_bytes();
            let frame = bytes[at..end].to_vec();
            found.insert(name(&header), Found { hash: frame::hash(&frame), header, bytes: frame });
            at = end;
        }
    }
    Ok(found)
}

/// The place in a spool's newest segment where the next frame will be written.
#[derive(Debug)]
pub struct Tail {
    segment: fs::File,
    /// Behind the last frame, and the last frame itself: it goes where it was written but not accepted.
    places: [(u64, [u8; TAIL_BYTES]); 2],
}

/// So much tells one frame from another.
const TAIL_BYTES: usize = 160;

impl Tail {
    /// The tail as it is now; `None` where there is no segment yet.
    ///
    /// # Errors
    /// The file system's.
    pub fn of(state: &Path) -> Result<Option<Self>> {
        let Ok(entries) = fs::read_dir(state.join("spool/segments")) else { return Ok(None) };
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        let Some(newest) = paths.into_iter().max() else { return Ok(None) };
        let bytes = fs::read(&newest)?;
        let (mut last, mut end) = (SEGMENT_HEAD_BYTES, SEGMENT_HEAD_BYTES);
        while let Some((header, _)) = bytes.get(end..).and_then(|rest| frame::split(rest).ok()) {
            last = end;
            end += header.frame_bytes();
        }
        let segment = fs::File::open(newest)?;
        let places = [last as u64, end as u64].map(|at| (at, head_at(&segment, at)));
        Ok(Some(Self { segment, places }))
    }

    /// Whether another frame was written since.
    pub fn is_written(&self) -> bool {
        self.places.iter().any(|(at, before)| {
            let now = head_at(&self.segment, *at);
            now != *before && now[..4] != [0; 4]
        })
    }
}

fn head_at(segment: &fs::File, at: u64) -> [u8; TAIL_BYTES] {
    let mut head = [0; TAIL_BYTES];
    // Past the end there is nothing, and nothing is zero.
    drop(segment.read_at(&mut head, at));
    head
}

/// Frames under the hub's `raw/`; each stands where its header says.
///
/// # Errors
/// One does not, or the file system's.
pub fn in_raw(data: &Path) -> Result<BTreeMap<FrameName, Found>> {
    let mut found = BTreeMap::new();
    let raw = data.join("objects/raw");
    if raw.exists() {
        walk(&raw, &raw, &mut found)?;
    }
    Ok(found)
}

/// Whether every lane's frames stand without a hole; in flight, a later one may be stored first.
///
/// # Errors
/// Names the first hole.
pub fn without_holes(found: &BTreeMap<FrameName, Found>) -> Result<()> {
    let mut before: Option<&FrameName> = None;
    for frame in found.keys() {
        let (agent, epoch, lane, seq) = frame;
        let same_lane = before.filter(|before| (&before.0, before.1, &before.2) == (agent, *epoch, lane));
        let expected = same_lane.map_or(1, |before| before.3 + 1);
        ensure!(*seq == expected, "{lane} of epoch {epoch}: {seq} stands where {expected} is missing");
        before = Some(frame);
    }
    Ok(())
}

fn walk(raw: &Path, folder: &Path, found: &mut BTreeMap<FrameName, Found>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(raw, &path, found)?;
            continue;
        }
        let bytes = fs::read(&path)?;
        let (header, _) = frame::split(&bytes).with_context(|| format!("{}", path.display()))?;
        let place = path.strip_prefix(raw)?.to_string_lossy().into_owned();
        let seq = place.rsplit('/').next().and_then(|seq| seq.parse::<u64>().ok());
        ensure!(
            seq == Some(header.seq.0) && place.starts_with(&format!("{}/{}/", header.tenant, header.agent)),
            "{place} holds frame {} of {}",
            header.seq,
            header.agent
        );
        let before = found.insert(name(&header), Found { hash: frame::hash(&bytes), header, bytes });
        ensure!(before.is_none(), "{place} stands twice");
    }
    Ok(())
}
