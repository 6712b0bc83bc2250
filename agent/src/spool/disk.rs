//! The seam to the file system below a spool: names relative to its folder, one level of folders.
//!
//! What is written is durable after [`DiskFile::sync`] of the file, and after [`Disk::sync_folder`] where a name was
//! made, moved or taken away. Tests put a disk behind it that forgets, in a crash, what was not synced.

use std::io;
use std::sync::Arc;

mod folder;
pub mod model;

pub use folder::Folder;

/// A spool's folder.
pub trait Disk: Send + Sync + 'static {
    /// Makes an empty file, in place of one of the same name.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, in place of one that has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Takes a file away; none there is none to take away.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The files of a folder, by name without the folder, with their lengths in bytes; none where there is no folder.
    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>>;

    /// Makes what was done to names in a folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;

    /// What is free for this user, in bytes.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Fills `buffer` from `offset`.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Its length, in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Makes it so long, with room on the disk for all of it; what is new reads as zeros.
    fn allocate(&self, bytes: u64) -> io::Result<()>;

    /// Cuts it to this length.
    fn cut(&self, bytes: u64) -> io::Result<()>;

    /// Makes what was written, and the length, durable. After an error nothing is known of what was written, and
    /// asking the same descriptor again may lie.
    fn sync(&self) -> io::Result<()>;
}

/// Replaces the file `name` in one step, durably: the old one stays until the new one is whole.
///
/// # Errors
/// The disk's; then the old one stays, or the new one is there.
pub fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = format!("{name}.new");
    let file = disk.create(&draft)?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    disk.rename(&draft, name)?;
    disk.sync_folder(name.rsplit_once('/').map_or("", |(folder, _)| folder))
}

/// All bytes of the file `name`, at most `bytes_max`; `None` where there is none.
///
/// # Errors
/// The disk's, or that the file is longer.
pub fn read_whole(disk: &dyn Disk, name: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let length = file.length()?;
    if length > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name} is longer than it may be")));
    }
    let mut bytes = vec![0; length as usize];
    file.read_at(&mut bytes, 0)?;
    Ok(Some(bytes))
}
