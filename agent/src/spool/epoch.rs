//! The epoch's file, beside the identity: a restored or remade spool can't take the counter back with it.

use std::io;

use certus_protocol::ids::Epoch;

use super::disk::{self, Disk};

const NAME: &str = "epoch";

/// The epoch that the file names; `None` where there is no file.
///
/// # Errors
/// The file can't be read or holds no number.
pub fn read(folder: &dyn Disk) -> io::Result<Option<Epoch>> {
    let Some(bytes) = disk::read_whole(folder, NAME, 64)? else { return Ok(None) };
    let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
    let no_number = || io::Error::new(io::ErrorKind::InvalidData, "the epoch's file holds no number");
    number.map(|number| Some(Epoch(number))).ok_or_else(no_number)
}

/// Replaces the file durably.
///
/// # Errors
/// The old one stays, or the new one is there.
pub fn write(folder: &dyn Disk, epoch: Epoch) -> io::Result<()> {
    disk::replace(folder, NAME, format!("{}\n", epoch.0).as_bytes())
}
