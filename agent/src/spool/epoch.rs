//! The epoch's file, beside the identity: a restored or remade spool can't take the counter back with it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use certus_protocol::ids::Epoch;

/// The epoch that the file names; `None` where there is no file.
///
/// # Errors
/// The file can't be read or holds no number.
pub fn read(path: &Path) -> io::Result<Option<Epoch>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(text) => text.trim().parse().map(|number| Some(Epoch(number))).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} holds no epoch number", path.display()))
        }),
    }
}

/// Replaces the file durably.
///
/// # Errors
/// The old one stays.
pub fn write(path: &Path, epoch: Epoch) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", epoch.0)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}
