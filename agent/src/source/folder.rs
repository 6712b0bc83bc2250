//! Files of a folder or share, and the folder into which scanners drop SARIF.
//!
//! The tree is compared with the checkpoints in one pass: both are walked in the order of keyed fingerprints of the
//! names, so that neither names nor the whole list have to be kept. What can't be read says nothing: a folder
//! that is unreadable, or a share that is not mounted, deletes nothing.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::iter::Peekable;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use certus_protocol::envelope::ResourceKind;
use certus_sanitizer::{Format, RawResource};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::{Again, Look, Purpose, Source, SourceError};
use crate::clock::{Clock, SystemClock};
use crate::config::{SourceConfig, SourceKind};
use crate::extract::{self, extract};
use crate::limits;
use crate::sanitize::{Intake, Taken};
use crate::spool::SpoolError;
use crate::status::LeftOut;

mod beneath;
mod learning;
mod seen;

use beneath::Root;
use seen::{Became, Seen, Stat};

const FILES: &[u8] = b"f";
const ROOT: &[u8] = b"r";
const IGNORE_FILE: &str = ".certusignore";

/// A folder.
pub struct Folder {
    config: SourceConfig,
    state_dir: PathBuf,
    exclude: Gitignore,
    /// Files that have not come to rest, since when.
    unsettled: HashMap<PathBuf, Instant>,
}

/// The one file to take, where the source's path is no folder.
type Only = Option<std::ffi::OsString>;

/// One pass over a tree or a part of it.
struct Pass<'a> {
    folder: &'a mut Folder,
    intake: &'a mut Intake,
    stop: &'a CancellationToken,
    look: &'a Look,
    purpose: Purpose,
    /// Whether the values in what is new are known.
    learnt: bool,
    path: PathBuf,
    root: Rc<Root>,
    only: Only,
    /// Whether what is unchanged is read and sent again.
    anew: bool,
    whole: bool,
    again: BTreeSet<PathBuf>,
}

/// The checkpoints that the pass has not come to yet.
type Known = Peekable<Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), SpoolError>>>>;

impl Folder {
    /// The folder that a configuration describes; `state_dir` is never read.
    pub fn new(config: SourceConfig, state_dir: PathBuf) -> Self {
        let mut builder = GitignoreBuilder::new("");
        for pattern in &config.exclude {
            if let Err(error) = builder.add_line(None, pattern) {
                tracing::debug!(%error, "the configuration was checked before");
            }
        }
        let exclude = builder.build().unwrap_or_else(|_| Gitignore::empty());
        Self { config, state_dir, exclude, unsettled: HashMap::new() }
    }

    /// The folder, and the one file in it to take where there is only one.
    fn root(&self) -> io::Result<(PathBuf, Only)> {
        let path = fs::canonicalize(&self.config.path)?;
        if path.is_dir() {
            return Ok((path, None));
        }
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => Ok((parent.to_owned(), Some(name.to_owned()))),
            _ => Ok((path, None)),
        }
    }
}

impl Source for Folder {
    fn read(
        &mut self,
        look: &Look,
        intake: &mut Intake,
        stop: &CancellationToken,
    ) -> Result<Again, SourceError> {
        let gone = |error: io::Error| {
            let shown = intake.shown(&self.config.path.to_string_lossy());
            SourceError::Source(format!(
                "{shown} can't be opened ({}); what it held is kept until it is back",
                error.kind()
            ))
        };
        let (path, only) = self.root().map_err(gone)?;
        let root = Rc::new(Root::open(&path).map_err(gone)?);
        let device = fs::metadata(&path).map_err(gone)?.dev();
        let sanitizer = intake.sanitizer();
        let settings = [sanitizer.policy_hash().0.as_slice(), &sanitizer.key_id().0].concat();
        let mark = [settings.as_slice(), &device.to_le_bytes()].concat();
        let before = intake.checkpoint(ROOT)?;
        let anew = before.as_ref().is_some_and(|before| !before.starts_with(&settings));
        if before.as_ref().is_some_and(|before| *before != mark && !anew) && is_empty(&path) {
            let shown = intake.shown(&self.config.path.to_string_lossy());
            return Err(SourceError::Source(format!(
                "{shown} is empty and lies on another file system than before; is the share not mounted?"
            )));
        }
        let look = if anew { &Look::Everywhere } else { look };
        let whole = *look == Look::Everywhere;
        if whole {
            let mut status = intake.status().lock();
            status.listed.clear();
            status.left_out.clear();
            status.holds = Default::default();
        }
        let learnt = !intake.learns_first();
        let purpose = Purpose::Send;
        let again = BTreeSet::new();
        let mut pass =
            Pass { folder: self, intake, stop, look, purpose, learnt, path, root, only, anew, whole, again };
        pass.run()?;
        let again = Again(pass.again);
        if before != Some(mark.clone()) {
            intake.mark((ROOT.to_vec(), Some(mark)))?;
        }
        Ok(again)
    }

    fn watched(&self) -> Vec<(PathBuf, bool)> {
        self.root().map_or_else(|_| Vec::new(), |(path, only)| vec![(path, only.is_none())])
    }

    fn place(&self, changed: &Path) -> Option<PathBuf> {
        let (root, only) = self.root().ok()?;
        let place = changed.strip_prefix(&root).ok()?;
        if place.components().any(|component| component.as_os_str() == ".git")
            || only.is_some_and(|only| place.as_os_str() != only)
            || changed.starts_with(&self.state_dir)
        {
            return None;
        }
        let rules = place.file_name().is_some_and(|name| name == IGNORE_FILE);
        let place = if rules { place.parent().unwrap_or(place) } else { place };
        Some(place.to_owned())
    }
}

impl Pass<'_> {
    fn run(&mut self) -> Result<(), SourceError> {
        match self.look {
            Look::Everywhere => self.place(Path::new("")),
            Look::At(places) => places.iter().try_for_each(|place| self.place(place)),
        }
    }

    /// Compares what stands at a place, and under it, with what is known.
    fn place(&mut self, place: &Path) -> Result<(), SourceError> {
        let mut key = FILES.to_vec();
        let mut ignores = Vec::new();
        let mut at = PathBuf::new();
        let mut there = true;
        if !place.as_os_str().is_empty() {
            ignores.extend(self.ignore_file(&at));
        }
        let components: Vec<Component<'_>> = place.components().collect();
        for (number, component) in components.iter().enumerate() {
            let Component::Normal(name) = component else { return Ok(()) };
            at.push(name);
            key.extend(self.fingerprint(name.as_bytes()));
            let last = number + 1 == components.len();
            let is_folder = match fs::symlink_metadata(self.path.join(&at)) {
                Ok(metadata) => metadata.is_dir(),
                Err(error) if is_gone(&error) => {
                    there = false;
                    break;
                }
                Err(_) => return Ok(()),
            };
            if !(last || is_folder) || self.is_ignored(&ignores, &at, is_folder) {
                there = false;
                break;
            }
            if is_folder && !last {
                ignores.extend(self.ignore_file(&at));
            }
        }
        for name in components.iter().skip(at.components().count()) {
            key.extend(self.fingerprint(name.as_os_str().as_bytes()));
        }
        let known: Box<dyn Iterator<Item = _>> = Box::new(self.intake.checkpoints(&key));
        let mut known = known.peekable();
        if there {
            let metadata = fs::symlink_metadata(self.path.join(place));
            match metadata {
                Ok(metadata) if metadata.is_dir() => self.tree(place, &key, &mut ignores, &mut known)?,
                Ok(metadata) => self.entry(place, &key, &metadata, &mut known)?,
                Err(error) if is_gone(&error) => {}
                Err(_) => return Ok(()),
            }
        }
        self.gone_before(None, &mut known)
    }

    /// Walks a folder and what is in it.
    fn tree(
        &mut self,
        folder: &Path,
        key: &[u8],
        ignores: &mut Vec<Gitignore>,
        known: &mut Known,
    ) -> Result<(), SourceError> {
        if self.stop.is_cancelled() {
            return Err(SourceError::Stopped);
        }
        let entries = fs::read_dir(self.path.join(folder)).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()
        });
        let entries = match entries {
            Ok(entries) if folder.components().count() < limits::DEPTH_MAX => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => {
                let why = other.map_or_else(|error| LeftOut::Unreadable(error.kind()), |_| LeftOut::TooDeep);
                self.leave_out(folder, &why);
                return self.keep_under(key, known);
            }
        };
        if !self.whole {
            self.look_again_at_a_young_folder(folder);
        }
        let before = ignores.len();
        ignores.extend(self.ignore_file(folder));
        let mut entries: Vec<(Vec<u8>, PathBuf)> = entries
            .into_iter()
            .filter(|name| !folder.as_os_str().is_empty() || self.is_taken(name))
            .map(|name| ([key, self.fingerprint(name.as_bytes()).as_slice()].concat(), folder.join(name)))
            .collect();
        entries.sort();
        for (key, path) in entries {
            let metadata = match fs::symlink_metadata(self.path.join(&path)) {
                Ok(metadata) => metadata,
                Err(error) if is_gone(&error) => continue,
                Err(error) => {
                    self.leave_out(&path, &LeftOut::Unreadable(error.kind()));
                    self.keep_under(&key, known)?;
                    continue;
                }
            };
            if self.is_ignored(ignores, &path, metadata.is_dir()) {
                continue;
            }
            if metadata.is_dir() {
                self.tree(&path, &key, ignores, known)?;
            } else {
                self.entry(&path, &key, &metadata, known)?;
            }
        }
        ignores.truncate(before);
        Ok(())
    }

    fn is_taken(&self, name: &std::ffi::OsStr) -> bool {
        self.only.as_ref().is_none_or(|only| only == name)
    }

    /// Files may have come into a folder before the system began to hint at it.
    fn look_again_at_a_young_folder(&mut self, folder: &Path) {
        let young = fs::metadata(self.path.join(folder)).is_ok_and(|metadata| {
            let age = SystemClock.now_ms() - Stat::of(&metadata).modified_ms();
            (0..5 * limits::SETTLE_MS).contains(&age)
        });
        if young {
            self.again.insert(folder.to_owned());
        }
    }

    /// Something that is no folder.
    fn entry(
        &mut self,
        path: &Path,
        key: &[u8],
        metadata: &Metadata,
        known: &mut Known,
    ) -> Result<(), SourceError> {
        if self.stop.is_cancelled() {
            return Err(SourceError::Stopped);
        }
        if !metadata.is_file() {
            let why = if metadata.is_symlink() { LeftOut::Symlink } else { LeftOut::Special };
            self.leave_out(path, &why);
            return Ok(());
        }
        self.gone_before(Some(key), known)?;
        let seen = match known.next_if(|next| matches!(next, Ok((at, _)) if at == key)) {
            Some(found) => Seen::decode(&found?.1),
            None => None,
        };
        let same = seen.as_ref().filter(|seen| seen.stat == Stat::of(metadata) && !self.anew);
        if let Some(seen) = same {
            match (&seen.became, seen.left_out()) {
                (Became::Sent { .. }, _) => {
                    self.holds(metadata.len());
                    return Ok(());
                }
                (Became::LeftOut(_), Some(why)) => {
                    self.leave_out(path, &why);
                    return Ok(());
                }
                (Became::LeftOut(_), None) => {}
            }
        }
        if self.purpose == Purpose::Learn {
            self.learn(path);
            return Ok(());
        }
        if !std::mem::replace(&mut self.learnt, true) {
            self.learn_first()?;
        }
        let outcome = self.file(path, key, seen.as_ref());
        match outcome {
            Ok(None) => Ok(()),
            Ok(Some((stat, why))) => self.left_out(path, key, (stat, &why), seen),
            Err(FileError::Stage(error)) => Err(error),
            Err(FileError::Io(error)) if is_gone(&error) => self.forget(key, seen.map(|seen| seen.became)),
            Err(FileError::Io(error)) => {
                self.leave_out(path, &LeftOut::Unreadable(error.kind()));
                Ok(())
            }
        }
    }

    /// Reads a file and hands it in; answers why not, where not.
    fn file(
        &mut self,
        path: &Path,
        key: &[u8],
        seen: Option<&Seen>,
    ) -> Result<Option<(Stat, LeftOut)>, FileError> {
        let file = self.root.file(path)?;
        let metadata = file.metadata()?;
        let mut stat = Stat::of(&metadata);
        if !metadata.is_file() {
            return Ok(Some((stat, LeftOut::Special)));
        }
        if stat.size > self.folder.config.file_bytes_max {
            return Ok(Some((stat, LeftOut::TooLarge)));
        }
        let age = SystemClock.now_ms() - stat.modified_ms();
        let restless = (0..limits::SETTLE_MS).contains(&age);
        if restless && self.wait_for_rest(path) {
            return Ok(None);
        }
        let large = self.intake.shared().large.clone();
        let _alone = (stat.size > limits::LARGE_FILE_BYTES)
            .then(|| large.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let Some(content) = extract::read_text(&readable(path), &file, stat.size)? else {
            return Ok(Some((stat, LeftOut::Binary)));
        };
        if Stat::of(&file.metadata()?) != stat || content.len() as u64 != stat.size {
            if self.wait_for_rest(path) {
                return Ok(None);
            }
            // It never rests: taken as it is, and read again next time.
            stat.modified_ns = 0;
        } else if restless {
            stat.modified_ns = 0;
        }
        self.folder.unsettled.remove(path);
        self.hand_in(path, key, (stat, &content), seen)
    }

    fn hand_in(
        &mut self,
        path: &Path,
        key: &[u8],
        (stat, content): (Stat, &[u8]),
        seen: Option<&Seen>,
    ) -> Result<Option<(Stat, LeftOut)>, FileError> {
        let fingerprint = self.intake.sanitizer().fingerprint(content);
        let name = readable(path);
        if let Some(Became::Sent { fingerprint: before, document, path }) = seen.map(|seen| &seen.became)
            && *before == fingerprint
            && !self.anew
        {
            let became = Became::Sent { fingerprint, document: *document, path: path.clone() };
            self.intake.mark((key.to_vec(), Some(Seen { stat, became }.encode())))?;
            self.holds(stat.size);
            return Ok(None);
        }
        let extracted = match extract(&name, content) {
            Ok(extracted) => extracted,
            Err(why) => return Ok(Some((stat, why))),
        };
        let results =
            if extracted.format == Format::Sarif { extract::sarif_results(&extracted.content) } else { None };
        if self.folder.config.kind == SourceKind::Sarif && results.is_none() {
            return Ok(Some((stat, LeftOut::NotSarif)));
        }
        let raw = RawResource {
            source: self.intake.source(),
            kind: if results.is_some() { ResourceKind::Sarif } else { ResourceKind::File },
            path: &name,
            reference: "",
            media_type: extracted.media_type,
            language: extracted.language,
            content: &extracted.content,
            format: extracted.format,
            modified_ms: Some(stat.modified_ms()).filter(|ms| *ms != 0),
            attributes: extracted.attributes,
        };
        let taken = self.intake.resource(&raw, |taken| {
            let became = match taken {
                Taken::Sent { document, path } => {
                    Became::Sent { fingerprint, document: *document, path: path.clone() }
                }
                Taken::Held(_) => Became::LeftOut(LeftOut::Held(String::new()).word().to_owned()),
            };
            (key.to_vec(), Some(Seen { stat, became }.encode()))
        })?;
        {
            let mut status = self.intake.status().lock();
            status.read.files += 1;
            status.read.bytes += stat.size;
            status.read.sarif_files += u64::from(results.is_some());
            status.read.sarif_results += results.unwrap_or_default();
        }
        match taken {
            Taken::Sent { document, .. } => {
                self.holds(stat.size);
                if let Some(Became::Sent { document: before, path, .. }) = seen.map(|seen| &seen.became)
                    && *before != document
                {
                    // Another policy names it otherwise.
                    let kept = self.intake.checkpoint(key)?;
                    self.intake.tombstone(*before, path, (key.to_vec(), kept))?;
                }
            }
            Taken::Held(why) => self.leave_out(path, &LeftOut::Held(why)),
        }
        Ok(None)
    }

    /// Notes that a file is left out as long as it stays as it is; what was sent of it before goes.
    fn left_out(
        &mut self,
        path: &Path,
        key: &[u8],
        (stat, why): (Stat, &LeftOut),
        seen: Option<Seen>,
    ) -> Result<(), SourceError> {
        self.folder.unsettled.remove(path);
        self.leave_out(path, why);
        let now = Seen { stat, became: Became::LeftOut(why.word().to_owned()) };
        if seen.as_ref() == Some(&now) {
            return Ok(());
        }
        let mark = (key.to_vec(), Some(now.encode()));
        match seen.map(|seen| seen.became) {
            Some(Became::Sent { document, path, .. }) => Ok(self.intake.tombstone(document, &path, mark)?),
            Some(Became::LeftOut(_)) | None => Ok(self.intake.mark(mark)?),
        }
    }

    /// Whether to look at the file again later instead of now.
    fn wait_for_rest(&mut self, path: &Path) -> bool {
        let unsettled = &mut self.folder.unsettled;
        if unsettled.len() >= limits::HINTS_MAX {
            unsettled.clear();
        }
        let since = *unsettled.entry(path.to_owned()).or_insert_with(Instant::now);
        let wait = since.elapsed().as_millis() < u128::from(limits::SETTLE_MS_MAX);
        if wait {
            self.again.insert(path.to_owned());
        }
        wait
    }

    /// What can't be read says nothing: what is known of it stays.
    fn keep_under(&mut self, key: &[u8], known: &mut Known) -> Result<(), SourceError> {
        self.gone_before(Some(key), known)?;
        while known.next_if(|next| matches!(next, Ok((at, _)) if at.starts_with(key))).is_some() {}
        Ok(())
    }

    /// What is known before `key` was not met: it is gone.
    fn gone_before(&mut self, key: Option<&[u8]>, known: &mut Known) -> Result<(), SourceError> {
        let before = |next: &Result<(Vec<u8>, Vec<u8>), SpoolError>| {
            next.as_ref().map_or(true, |(at, _)| key.is_none_or(|key| at.as_slice() < key))
        };
        while let Some(found) = known.next_if(before) {
            let (at, value) = found?;
            self.forget(&at, Seen::decode(&value).map(|seen| seen.became))?;
        }
        Ok(())
    }

    fn forget(&mut self, key: &[u8], became: Option<Became>) -> Result<(), SourceError> {
        let mark = (key.to_vec(), None);
        match became {
            _ if self.purpose == Purpose::Learn => Ok(()),
            Some(Became::Sent { document, path, .. }) => Ok(self.intake.tombstone(document, &path, mark)?),
            Some(Became::LeftOut(_)) => Ok(self.intake.mark(mark)?),
            None => Ok(()),
        }
    }

    fn fingerprint(&self, name: &[u8]) -> [u8; 8] {
        let full = self.intake.sanitizer().fingerprint(name);
        std::array::from_fn(|i| full[i])
    }

    fn holds(&self, bytes: u64) {
        if self.whole {
            let mut status = self.intake.status().lock();
            status.holds.resources += 1;
            status.holds.bytes += bytes;
        }
    }

    fn leave_out(&self, path: &Path, why: &LeftOut) {
        if self.purpose == Purpose::Learn {
            return;
        }
        self.intake.leave_out(&self.intake.shown(&readable(path)), why);
    }

    fn ignore_file(&self, folder: &Path) -> Option<Gitignore> {
        let mut text = String::new();
        let file = self.root.file(&folder.join(IGNORE_FILE)).ok()?;
        file.take(limits::LARGE_FILE_BYTES).read_to_string(&mut text).ok()?;
        let mut builder = GitignoreBuilder::new(folder);
        for line in text.lines() {
            if builder.add_line(None, line).is_err() {
                tracing::warn!("source: a line of a {IGNORE_FILE} is no pattern and is passed over");
            }
        }
        builder.build().ok()
    }

    fn is_ignored(&self, ignores: &[Gitignore], path: &Path, is_folder: bool) -> bool {
        if path.file_name().is_some_and(|name| name == ".git")
            || self.path.join(path) == self.folder.state_dir
            || self.folder.exclude.matched(path, is_folder).is_ignore()
        {
            return true;
        }
        let verdicts = ignores.iter().rev().map(|rules| rules.matched(path, is_folder));
        verdicts.into_iter().find(|verdict| !verdict.is_none()).is_some_and(|verdict| verdict.is_ignore())
    }
}

/// Why a file could not be handed in.
enum FileError {
    Io(io::Error),
    Stage(SourceError),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<SpoolError> for FileError {
    fn from(error: SpoolError) -> Self {
        Self::Stage(error.into())
    }
}

/// The path with `/` between its components; what is no UTF-8 becomes `%XX`.
fn readable(path: &Path) -> String {
    match path.to_str() {
        Some(path) => path.to_owned(),
        None => path
            .as_os_str()
            .as_bytes()
            .utf8_chunks()
            .map(|chunk| {
                let broken: String = chunk.invalid().iter().map(|byte| format!("%{byte:02X}")).collect();
                format!("{}{broken}", chunk.valid())
            })
            .collect(),
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::NOTDIR.raw_os_error())
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}
