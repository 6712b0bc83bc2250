//! The index in sled, in a numbered folder of its own; one that is made anew gets the next number by one rename.
//!
//! sled's flush survives a kill, not a power cut: it is followed by an `fdatasync` of sled's file through a descriptor
//! of our own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use super::{Changes, Index, Pairs};
use crate::limits;
use crate::spool::SpoolError;

const PREFIX: &str = "index-";
const DRAFT: &str = ".new";

/// The open index.
pub struct Sled {
    spool: PathBuf,
    open: RwLock<Open>,
}

struct Open {
    number: u32,
    tree: sled::Tree,
    database: sled::Db,
    file: File,
}

impl Sled {
    /// Opens the newest index in the folder `spool`, or makes an empty one; the spool's lock is held.
    ///
    /// # Errors
    /// [`SpoolError::Index`] where it is corrupt: set it aside and make it anew.
    pub fn open(spool: &Path) -> Result<Self, SpoolError> {
        let number = newest(spool)?.unwrap_or(1);
        let index = Self { spool: spool.to_owned(), open: RwLock::new(Open::at(spool, number)?) };
        remove_others(spool, number)?;
        // sled's file never shrinks by itself.
        if index.file_bytes()? > limits::INDEX_FILE_BYTES && index.is_sparse()? {
            index.remake()?;
        }
        Ok(index)
    }

    /// Moves the newest index out of the way, under another name; answers where it is now.
    ///
    /// # Errors
    /// The file system's.
    pub fn set_aside(spool: &Path) -> io::Result<Option<PathBuf>> {
        let Some(number) = newest(spool)? else { return Ok(None) };
        let aside = (0..).map(|n| spool.join(format!("index.corrupt-{n}"))).find(|path| !path.exists());
        if let Some(aside) = &aside {
            fs::rename(folder(spool, number), aside)?;
            File::open(spool)?.sync_all()?;
        }
        Ok(aside)
    }

    fn file_bytes(&self) -> io::Result<u64> {
        Ok(self.read().file.metadata()?.len())
    }

    fn is_sparse(&self) -> Result<bool, SpoolError> {
        let mut held = 0;
        for pair in self.under(b"") {
            let (key, value) = pair?;
            held += (key.len() + value.len() + 64) as u64;
        }
        Ok(held * 4 < self.file_bytes()?)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Open> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index for Sled {
    fn commit(&self, changes: &Changes) -> Result<(), SpoolError> {
        let mut batch = sled::Batch::default();
        for (key, value) in &changes.0 {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        let open = self.read();
        open.tree.apply_batch(batch)?;
        open.sync()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
        Ok(self.read().tree.get(key)?.map(|value| value.to_vec()))
    }

    fn under(&self, prefix: &[u8]) -> Pairs {
        let found = self.read().tree.scan_prefix(prefix);
        Box::new(found.map(|pair| {
            let (key, value) = pair?;
            Ok((key.to_vec(), value.to_vec()))
        }))
    }

    fn remake(&self) -> Result<(), SpoolError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let number = open.number + 1;
        let draft = folder(&self.spool, number).with_extension(&DRAFT[1..]);
        remove(&draft)?;
        {
            let made = Open::in_folder(&draft, number)?;
            for pair in open.tree.iter() {
                let (key, value) = pair?;
                made.tree.insert(key, value)?;
            }
            made.sync()?;
        }
        for folder in [draft.join("blobs"), draft.clone()] {
            if folder.exists() {
                File::open(folder)?.sync_all()?;
            }
        }
        fs::rename(&draft, folder(&self.spool, number))?;
        File::open(&self.spool)?.sync_all()?;
        *open = Open::at(&self.spool, number)?;
        remove_others(&self.spool, number)?;
        Ok(())
    }
}

impl Open {
    fn at(spool: &Path, number: u32) -> Result<Self, SpoolError> {
        Self::in_folder(&folder(spool, number), number)
    }

    fn in_folder(dir: &Path, number: u32) -> Result<Self, SpoolError> {
        remove_drafts(dir)?;
        wait_until_let_go(dir)?;
        let database = sled::Config::new()
            .path(dir)
            .cache_capacity(limits::INDEX_CACHE_BYTES)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace)
            .open()?;
        let tree = database.open_tree("spool")?;
        let file = File::open(dir.join("db"))?;
        Ok(Self { number, tree, database, file })
    }

    fn sync(&self) -> Result<(), SpoolError> {
        self.database.flush()?;
        rustix::fs::fdatasync(&self.file).map_err(io::Error::from)?;
        Ok(())
    }
}

/// The number of the newest index that is whole.
fn newest(spool: &Path) -> io::Result<Option<u32>> {
    let entries = match fs::read_dir(spool) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut newest = None;
    for entry in entries {
        newest = newest.max(number_of(&entry?.path()));
    }
    Ok(newest)
}

fn number_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.parse().ok()
}

fn folder(spool: &Path, number: u32) -> PathBuf {
    spool.join(format!("{PREFIX}{number:04}"))
}

/// Removes older indices and drafts that were never finished.
fn remove_others(spool: &Path, number: u32) -> io::Result<()> {
    for entry in fs::read_dir(spool)? {
        let path = entry?.path();
        let is_draft = path.extension().is_some_and(|extension| extension == &DRAFT[1..])
            && path.file_stem().is_some_and(|stem| number_of(Path::new(stem)).is_some());
        if is_draft || number_of(&path).is_some_and(|other| other < number) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Waits until threads of an index that was just closed have let go of its file: sled's own may outlive it for a moment,
/// and it would only try the lock once. Nobody else can hold it, as the spool's lock is ours.
fn wait_until_let_go(dir: &Path) -> io::Result<()> {
    match File::open(dir.join("db")) {
        Ok(file) => Ok(rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes snapshots that sled was writing when it was killed: it would take one for the newest and call the database
/// corrupt (<https://github.com/spacejam/sled/issues/1527>). The one before stands until the new one has its name.
fn remove_drafts(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
