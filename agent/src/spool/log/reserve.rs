//! Room held in reserve, so that acks and cursors can still be written when the disk is full.

use std::sync::Arc;

use crate::limits;
use crate::spool::disk::Disk;

const NAME: &str = "reserve";

/// A file that takes room for nothing else.
pub(super) struct Reserve {
    disk: Arc<dyn Disk>,
    free_bytes_min: u64,
}

impl Reserve {
    /// Takes the reserve, where there is room for it.
    pub(super) fn open(disk: Arc<dyn Disk>, free_bytes_min: u64) -> Self {
        let mut reserve = Self { disk, free_bytes_min };
        reserve.take();
        reserve
    }

    /// Takes it again.
    pub(super) fn take(&mut self) {
        let wanted = limits::RESERVE_BYTES;
        let held = self.disk.open(NAME).and_then(|file| file.length()).unwrap_or(0);
        let room = || self.disk.free_bytes().is_ok_and(|free| free > self.free_bytes_min + wanted);
        if held >= wanted || !room() {
            return;
        }
        let taken = self.disk.create(NAME).and_then(|file| file.allocate(wanted));
        if let Err(error) = taken {
            tracing::warn!(%error, "spool: no room could be reserved for acks; a full disk will stop them");
            self.give();
        }
    }

    /// Gives it up.
    pub(super) fn give(&mut self) {
        if let Err(error) = self.disk.remove(NAME) {
            tracing::warn!(%error, "spool: the room in reserve could not be given up");
        }
    }
}
