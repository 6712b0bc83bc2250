//! Objects as files in a folder: a key is a path.
//!
//! A put writes and syncs a file under `.draft/`, then puts it in its place in one step: by a hard link where nothing may
//! be there yet, by a rename under a lock where a version is expected; then the folder is synced. So an object is there
//! whole or not at all, also after a power cut, and also where several processes write.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::FlockOperation;

use super::{Condition, Key, Object, Objects, ObjectsError, Put, tag_of};

const DRAFTS: &str = ".draft";
const LOCKS: &str = ".lock";
const LOCK_SHARDS: u8 = 64;

/// Objects in a folder; clones share it.
#[derive(Debug, Clone)]
pub struct Folder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    drafts: AtomicU64,
    /// Folders known to be there and synced into their parents.
    known: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    /// Opens the folder, making it where it is missing, and sweeps drafts that a crash left.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(root: &Path) -> io::Result<Self> {
        for folder in [root.to_owned(), root.join(DRAFTS), root.join(LOCKS)] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        }
        let own = std::process::id().to_string();
        for entry in fs::read_dir(root.join(DRAFTS))? {
            let entry = entry?;
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| name.split_once('-')).map(|(pid, _)| pid.to_owned());
            // A draft of a process that is gone belongs to nobody.
            if pid.is_none_or(|pid| pid == own || !Path::new("/proc").join(pid).exists()) {
                fs::remove_file(entry.path())?;
            }
        }
        let inner = Inner { root: root.to_owned(), drafts: AtomicU64::new(0), known: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, ObjectsError> + Send + 'static,
    ) -> Result<T, ObjectsError> {
        let inner = self.inner.clone();
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(|error| ObjectsError::Io(io::Error::other(error)))?
    }
}

#[async_trait]
impl Objects for Folder {
    async fn get(&self, key: &Key) -> Result<Option<Object>, ObjectsError> {
        let key = key.clone();
        self.blocking(move |inner| inner.get(&key)).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Put, ObjectsError> {
        let key = key.clone();
        self.blocking(move |inner| inner.put(&key, &bytes, &condition)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectsError> {
        let key = key.clone();
        self.blocking(move |inner| inner.delete(&key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Key>, ObjectsError> {
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        self.blocking(move |inner| {
            let mut found = Vec::new();
            let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
            let wanted = Wanted { prefix: &prefix, after: after.as_ref().map_or("", Key::as_str), limit };
            inner.walk(folder, &wanted, &mut found)?;
            found.into_iter().map(Key::new).collect()
        })
        .await
    }
}

impl Inner {
    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    fn get(&self, key: &Key) -> Result<Option<Object>, ObjectsError> {
        match fs::read(self.path(key)) {
            Ok(bytes) => Ok(Some(Object { tag: tag_of(&bytes), bytes: Bytes::from(bytes) })),
            Err(error) if missing(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn put(&self, key: &Key, bytes: &[u8], condition: &Condition) -> Result<Put, ObjectsError> {
        let path = self.path(key);
        let parent = path.parent().unwrap_or(&self.root).to_owned();
        if *condition == Condition::Absent && path.exists() {
            return Ok(Put::Refused);
        }
        self.make_folder(&parent)?;
        let draft = self.draft(bytes)?;
        let placed = match condition {
            Condition::Absent => match fs::hard_link(&draft, &path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            },
            Condition::Always | Condition::Match(_) => self.replace(key, &draft, &path, condition),
        };
        if !matches!(placed, Ok(true)) || *condition == Condition::Absent {
            fs::remove_file(&draft)?;
        }
        if !placed? {
            return Ok(Put::Refused);
        }
        File::open(&parent)?.sync_all()?;
        Ok(Put::Written(tag_of(bytes)))
    }

    fn replace(&self, key: &Key, draft: &Path, path: &Path, condition: &Condition) -> io::Result<bool> {
        let _held = self.lock(key)?;
        let there = match fs::read(path) {
            Ok(bytes) => Some(tag_of(&bytes)),
            Err(error) if missing(&error) => None,
            Err(error) => return Err(error),
        };
        if !condition.holds(there.as_ref()) {
            return Ok(false);
        }
        fs::rename(draft, path).map(|()| true)
    }

    fn delete(&self, key: &Key) -> Result<(), ObjectsError> {
        let path = self.path(key);
        let _held = self.lock(key)?;
        match fs::remove_file(&path) {
            Err(error) if missing(&error) => return Ok(()),
            other => other?,
        }
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    }

    /// One of a few locks, held against other processes too.
    fn lock(&self, key: &Key) -> io::Result<File> {
        let shard = blake3::hash(key.as_str().as_bytes()).as_bytes()[0] % LOCK_SHARDS;
        let path = self.root.join(LOCKS).join(shard.to_string());
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }

    fn draft(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(DRAFTS).join(format!("{}-{number}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        Ok(path)
    }

    /// Makes a folder and those above it, each synced into its parent.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(folder) {
            return Ok(());
        }
        if folder != self.root
            && let Some(parent) = folder.parent()
        {
            self.make_folder(parent)?;
            match fs::DirBuilder::new().mode(0o700).create(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => File::open(parent)?.sync_all()?,
            }
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        Ok(())
    }

    /// Adds the keys under `folder` in byte order; subtrees that can hold none are not read.
    fn walk(&self, folder: &str, wanted: &Wanted<'_>, found: &mut Vec<String>) -> Result<(), ObjectsError> {
        let Wanted { prefix, after, limit } = *wanted;
        let entries = match fs::read_dir(self.root.join(folder)) {
            Err(error) if missing(&error) => return Ok(()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if folder.is_empty() && name.starts_with('.') {
                continue;
            }
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            // A folder stands where its keys do: behind its name comes a slash.
            names.push(if entry.file_type()?.is_dir() { format!("{key}/") } else { key });
        }
        names.sort_unstable();
        for name in names {
            if found.len() >= limit {
                return Ok(());
            }
            match name.strip_suffix('/') {
                Some(inner) => {
                    let within = name.starts_with(prefix) || prefix.starts_with(&name);
                    if within && (name.as_str() > after || after.starts_with(&name)) {
                        self.walk(inner, wanted, found)?;
                    }
                }
                None if name.starts_with(prefix) && name.as_str() > after => found.push(name),
                None => {}
            }
        }
        Ok(())
    }
}

/// Which keys a listing is for.
struct Wanted<'a> {
    prefix: &'a str,
    after: &'a str,
    limit: usize,
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
