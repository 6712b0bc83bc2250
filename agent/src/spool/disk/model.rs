//! The disk in memory, for tests: a crash takes from it what was not synced, and it fails when it is told to.
//!
//! What is written can be read at once, as from a page cache. A crash keeps what was synced and, of the rest, what the
//! dice say: whole writes in any order, the last one torn; of names, any number of the last changes undone. A sync that
//! fails loses what it should have made durable: a later one that succeeds does not bring it back.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, DiskFile};

/// Writes are torn at multiples of this, in bytes.
const SECTOR_BYTES: usize = 512;

/// A disk in memory; clones are the same.
#[derive(Clone, Default)]
pub struct Model(Arc<Mutex<State>>);

/// What the disk does at a step (a write, a sync, a change of names).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power goes before it: nothing works any more until the disk is opened after a crash.
    PowerCut,
    /// It fails, and is not done.
    Error,
    /// There is no room for more; what is there can be changed and synced.
    Full,
}

/// What a crash makes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// All of it is there.
    Kept,
    /// None of it is.
    Lost,
    /// What the dice with this seed say.
    Diced(u64),
}

#[derive(Default)]
struct State {
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    /// Names as they are durable.
    synced_names: BTreeMap<String, usize>,
    /// Changes of names since, in order: the name, and what it stands for then.
    renames: Vec<(String, Option<usize>)>,
    steps: u64,
    faults: BTreeMap<u64, Fault>,
    cut: bool,
    full: bool,
    pretends: bool,
}

#[derive(Default, Clone)]
struct Inode {
    /// As it is read.
    bytes: Vec<u8>,
    /// As it is durable.
    synced: Vec<u8>,
    /// Changes since.
    changes: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(at, new) => {
                if bytes.len() < at + new.len() {
                    bytes.resize(at + new.len(), 0);
                }
                bytes[*at..at + new.len()].copy_from_slice(new);
            }
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

impl Model {
    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// Lets step `at`, counted from 0, fail.
    pub fn fail(&self, at: u64, fault: Fault) {
        self.lock().faults.insert(at, fault);
    }

    /// Whether the power has gone.
    pub fn is_cut(&self) -> bool {
        self.lock().cut
    }

    /// Cuts the power now.
    pub fn cut(&self) {
        self.lock().cut = true;
    }

    /// From now on syncs of files do nothing and say that they did.
    pub fn pretend_to_sync(&self) {
        self.lock().pretends = true;
    }

    /// Ends [`Fault::Full`].
    pub fn make_room(&self) {
        self.lock().full = false;
    }

    /// A step that is none of a file's or name's, such as another store's beside: whether it works.
    ///
    /// # Errors
    /// It was told to fail.
    pub fn step(&self) -> io::Result<()> {
        self.lock().step().map(drop)
    }

    /// The disk as it is found after a crash.
    #[must_use]
    pub fn crashed(&self, unsynced: Unsynced) -> Self {
        let state = self.lock();
        let mut dice = fastrand::Rng::with_seed(match unsynced {
            Unsynced::Diced(seed) => seed,
            Unsynced::Kept | Unsynced::Lost => 0,
        });
        let kept_names = match unsynced {
            Unsynced::Kept => state.renames.len(),
            Unsynced::Lost => 0,
            Unsynced::Diced(_) => dice.usize(..=state.renames.len()),
        };
        let mut names = state.synced_names.clone();
        for (name, inode) in &state.renames[..kept_names] {
            match inode {
                Some(inode) => drop(names.insert(name.clone(), *inode)),
                None => drop(names.remove(name)),
            }
        }
        let files = state.files.iter().map(|inode| inode.crashed(unsynced, &mut dice)).collect();
        let synced_names = names.clone();
        Self(Arc::new(Mutex::new(State { files, names, synced_names, ..State::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inode {
    fn crashed(&self, unsynced: Unsynced, dice: &mut fastrand::Rng) -> Self {
        let mut bytes = self.synced.clone();
        let last = self.changes.len().saturating_sub(1);
        for (number, change) in self.changes.iter().enumerate() {
            match (unsynced, change) {
                (Unsynced::Lost, _) => {}
                (Unsynced::Kept, change) => change.apply(&mut bytes),
                (Unsynced::Diced(_), _) if dice.bool() => {}
                (Unsynced::Diced(_), Change::Write(at, new)) if number == last => {
                    let sectors = dice.usize(..=new.len().div_ceil(SECTOR_BYTES));
                    let torn = new[..(sectors * SECTOR_BYTES).min(new.len())].to_vec();
                    Change::Write(*at, torn).apply(&mut bytes);
                }
                (Unsynced::Diced(_), change) => change.apply(&mut bytes),
            }
        }
        Self { synced: bytes.clone(), bytes, changes: Vec::new() }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.bytes);
        self.changes.push(change);
    }
}

impl State {
    /// Takes a step; answers the fault that it meets, if it is none that ends it.
    fn step(&mut self) -> io::Result<Option<Fault>> {
        if self.cut {
            return Err(io::Error::other("the power is cut"));
        }
        let at = self.steps;
        self.steps += 1;
        match self.faults.get(&at) {
            Some(Fault::PowerCut) => {
                self.cut = true;
                Err(io::Error::other("the power is cut"))
            }
            Some(Fault::Full) => {
                self.full = true;
                Ok(Some(Fault::Full))
            }
            Some(Fault::Error) => Ok(Some(Fault::Error)),
            None => Ok(None),
        }
    }

    fn done(&mut self) -> io::Result<()> {
        match self.step()? {
            Some(Fault::Error) => Err(io::Error::from_raw_os_error(5)),
            _ => Ok(()),
        }
    }

    fn rename(&mut self, name: &str, inode: Option<usize>) {
        match inode {
            Some(inode) => drop(self.names.insert(name.to_owned(), inode)),
            None => drop(self.names.remove(name)),
        }
        self.renames.push((name.to_owned(), inode));
    }

    fn found(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

struct Opened {
    disk: Model,
    inode: usize,
}

impl Disk for Model {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.lock();
        state.done()?;
        let inode = state.files.len();
        state.files.push(Inode::default());
        state.rename(name, Some(inode));
        Ok(Arc::new(Opened { disk: self.clone(), inode }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.lock().found(name)?;
        Ok(Arc::new(Opened { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.done()?;
        let inode = state.found(from)?;
        state.rename(to, Some(inode));
        state.rename(from, None);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.done()?;
        if state.names.contains_key(name) {
            state.rename(name, None);
        }
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let state = self.lock();
        let within = |(name, inode): (&String, &usize)| {
            let name = name.strip_prefix(folder)?.strip_prefix('/')?;
            Some((name.to_owned(), state.files[*inode].bytes.len() as u64))
        };
        Ok(state.names.iter().filter_map(within).collect())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.done()?;
        let within = |name: &str| name.rsplit_once('/').map_or("", |(folder, _)| folder) == folder;
        let (synced, rest) =
            std::mem::take(&mut state.renames).into_iter().partition(|(name, _)| within(name));
        state.renames = rest;
        let synced: Vec<(String, Option<usize>)> = synced;
        for (name, inode) in synced {
            match inode {
                Some(inode) => drop(state.synced_names.insert(name, inode)),
                None => drop(state.synced_names.remove(&name)),
            }
        }
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(if self.lock().full { 0 } else { 1 << 40 })
    }
}

impl DiskFile for Opened {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.lock();
        let bytes = &state.files[self.inode].bytes;
        let there = bytes.get(offset as usize..offset as usize + buffer.len());
        buffer.copy_from_slice(there.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.done()?;
        let inode = self.inode;
        if state.full && state.files[inode].bytes.len() < offset as usize + bytes.len() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        state.files[inode].change(Change::Write(offset as usize, bytes.to_vec()));
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.lock().files[self.inode].bytes.len() as u64)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.done()?;
        if state.full {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let length = state.files[self.inode].bytes.len().max(bytes as usize);
        let inode = self.inode;
        state.files[inode].change(Change::Length(length));
        Ok(())
    }

    fn cut(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.done()?;
        let inode = self.inode;
        state.files[inode].change(Change::Length(bytes as usize));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let outcome = state.done();
        if state.pretends {
            return outcome;
        }
        let inode = &mut state.files[self.inode];
        match outcome {
            Ok(()) => {
                let changes = std::mem::take(&mut inode.changes);
                changes.iter().for_each(|change| change.apply(&mut inode.synced));
                Ok(())
            }
            Err(error) => {
                // Pages that could not be written count as clean from now on.
                if error.raw_os_error() == Some(5) {
                    inode.changes.clear();
                }
                Err(error)
            }
        }
    }
}
