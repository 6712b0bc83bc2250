//! The end of the newest segment: where frames are written, and what an end by force left behind it.

use std::io;
use std::os::unix::fs::FileExt;

use certus_protocol::frame::Packed;

use super::Writer;
use crate::spool::SpoolError;
use crate::spool::segment::{FIRST_FRAME, Pointer};

impl Writer {
    /// Writes the frames behind the last one and syncs them; after a failed sync once more, into a new segment: a
    /// descriptor whose sync failed may report success for pages that were dropped.
    pub(super) fn append(&mut self, frames: &[Packed]) -> Result<Vec<Pointer>, SpoolError> {
        let written = self.append_once(frames).or_else(|error| {
            tracing::error!(%error, "spool: a write failed; it is tried once more in a new segment");
            self.active = None;
            self.append_once(frames)
        });
        if written.is_err() {
            self.active = None;
        }
        written
    }

    fn append_once(&mut self, frames: &[Packed]) -> Result<Vec<Pointer>, SpoolError> {
        let mut pointers = Vec::with_capacity(frames.len());
        for packed in frames {
            let bytes = packed.bytes.len() as u64;
            let fits = self.active.as_ref().is_some_and(|(_, _, at, end)| at + bytes <= *end);
            if !fits {
                if let Some((_, file, ..)) = &self.active {
                    rustix::fs::fdatasync(file).map_err(io::Error::from)?;
                }
                self.begin_segment(bytes)?;
            }
            let (number, file, at, _) = self.active.as_mut().expect("a segment was begun");
            file.write_all_at(&packed.bytes, *at)?;
            pointers.push(Pointer { segment: *number, offset: *at, bytes: bytes as u32, hash: packed.hash });
            *at += bytes;
        }
        if let Some((_, file, ..)) = &self.active
            && !frames.is_empty()
        {
            rustix::fs::fdatasync(file).map_err(io::Error::from)?;
        }
        Ok(pointers)
    }

    fn begin_segment(&mut self, frame_bytes: u64) -> Result<(), SpoolError> {
        let number = self.space.newest().map_or(1, |(number, _)| number + 1);
        let bytes = self.config.segment_bytes.max(FIRST_FRAME + frame_bytes);
        let file = self.segments.create(number, bytes)?;
        self.space.created(number, bytes, self.clock.now_ms());
        self.active = Some((number, file, FIRST_FRAME, bytes));
        Ok(())
    }

    /// Finds the place behind the last accepted frame, and takes away what was written but never accepted.
    pub(super) fn cut_tail(&mut self) -> Result<(), SpoolError> {
        let Some((number, end)) = self.space.newest() else { return Ok(()) };
        let at = end.max(FIRST_FRAME);
        let file = match self.segments.reopen(number) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                tracing::warn!(%error, "spool: the newest segment can't be written on; a new one is begun");
                return Ok(());
            }
        };
        let length = file.metadata()?.len().max(at);
        file.set_len(at)?;
        let empty = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&file, empty, 0, length).map_err(io::Error::from)?;
        file.sync_all()?;
        self.active = Some((number, file, at, length));
        Ok(())
    }
}
