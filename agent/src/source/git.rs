//! The history of a local git repository: every commit, every blob once, every branch and tag.
//!
//! Documents are named by content: a commit is `commits/<id>`, an annotated tag `tags/<id>`, a blob its id under the
//! path where it was met first, a reference its name. What the hub holds in the end is what `git rev-list --objects
//! --all` lists, without trees.
//!
//! Checkpoints: `o` + id says that an object was sent; `r` + fingerprint of a reference's name says where it pointed when everything it
//! reaches had been sent; `s` the settings under which that was done; `c` that unreachable objects are still to be deleted. Objects that a forced push or a deleted branch
//! left unreachable are deleted, by comparing all that is reachable with all that was sent.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use certus_protocol::envelope::ResourceKind;
use certus_sanitizer::{Format, Place, RawResource};
use git2::{
    Commit, Delta, ErrorCode, FileMode, ObjectType, Oid, Repository, RepositoryOpenFlags, Signature, Sort,
    Tree, TreeWalkMode, TreeWalkResult,
};
use tokio_util::sync::CancellationToken;

use super::{Again, Look, Purpose, Source, SourceError};
use crate::config::SourceConfig;
use crate::extract::{self, extract};
use crate::limits;
use crate::sanitize::{Intake, Taken};
use crate::status::{Holds, LeftOut};

mod sent;

use sent::Sent;

const OBJECT: u8 = b'o';
const REFERENCE: u8 = b'r';
const SETTINGS: &[u8] = b"s";
const CLEANUP: &[u8] = b"c";

/// A repository.
pub struct Git {
    config: SourceConfig,
}

/// A branch or tag and the object that it points to.
type References = BTreeMap<String, Oid>;

impl Git {
    /// The repository that a configuration describes.
    pub fn new(config: SourceConfig) -> Self {
        Self { config }
    }

    fn open(&self) -> Result<Repository, git2::Error> {
        Repository::open_ext(&self.config.path, RepositoryOpenFlags::NO_SEARCH, None::<&Path>)
    }
}

impl Source for Git {
    fn read(
        &mut self,
        _: &Look,
        intake: &mut Intake,
        stop: &CancellationToken,
    ) -> Result<Again, SourceError> {
        let shown = intake.shown(&self.config.path.to_string_lossy());
        let repository = self.open().map_err(|error| unopened(&shown, &error))?;
        let mut pass = Pass {
            repository: &repository,
            intake,
            stop,
            bytes_max: self.config.file_bytes_max,
            purpose: Purpose::Send,
            learnt: HashSet::new(),
        };
        pass.run().map_err(|error| match error {
            PassError::Stage(error) => error,
            PassError::Git(error) => {
                SourceError::Source(format!("the repository {shown}: {}", error.message()))
            }
        })?;
        Ok(Again::default())
    }

    fn watched(&self) -> Vec<(PathBuf, bool)> {
        let Ok(repository) = self.open() else { return Vec::new() };
        let common = repository.commondir();
        vec![(common.to_owned(), false), (common.join("refs"), true)]
    }

    fn place(&self, changed: &Path) -> Option<PathBuf> {
        let name = changed.file_name()?.to_string_lossy();
        (!name.ends_with(".lock")).then(PathBuf::new)
    }
}

fn unopened(shown: &str, error: &git2::Error) -> SourceError {
    let why = match error.code() {
        ErrorCode::NotFound => "is no git repository".to_owned(),
        ErrorCode::Owner => "belongs to another user; add it to safe.directory in /etc/gitconfig".to_owned(),
        _ => format!("can't be opened: {}", error.message()),
    };
    SourceError::Source(format!("{shown} {why}"))
}

/// One pass over a repository.
struct Pass<'a> {
    repository: &'a Repository,
    intake: &'a mut Intake,
    stop: &'a CancellationToken,
    bytes_max: u64,
    purpose: Purpose,
    /// Objects whose values are known.
    learnt: HashSet<Oid>,
}

enum PassError {
    Git(git2::Error),
    Stage(SourceError),
}

impl From<git2::Error> for PassError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

impl<E: Into<SourceError>> From<E> for PassError {
    fn from(error: E) -> Self {
        Self::Stage(error.into())
    }
}

impl Pass<'_> {
    fn run(&mut self) -> Result<(), PassError> {
        let now = self.references()?;
        let sanitizer = self.intake.sanitizer();
        let settings = [sanitizer.policy_hash().0.as_slice(), &sanitizer.key_id().0].concat();
        let before = self.intake.checkpoint(SETTINGS)?;
        if before.as_ref().is_some_and(|before| *before != settings) {
            self.forget_all()?;
        }
        let known = self.known_references()?;
        let mut changed = BTreeMap::new();
        for (name, oid) in &now {
            if known.get(&self.reference_key(name)).is_none_or(|sent| sent.oid != *oid) {
                changed.insert(name, *oid);
            }
        }
        let keys: HashSet<Vec<u8>> = now.keys().map(|name| self.reference_key(name)).collect();
        let gone: Vec<&Vec<u8>> = known.keys().filter(|key| !keys.contains(*key)).collect();
        if !changed.is_empty() {
            let sent: Vec<Oid> = known.values().map(|sent| sent.oid).collect();
            if self.intake.learns_first() {
                self.purpose = Purpose::Learn;
                self.send_new(changed.values().copied(), &sent)?;
                self.purpose = Purpose::Send;
                self.learnt = HashSet::new();
            }
            self.send_new(changed.values().copied(), &sent)?;
        }
        let cleanup = !gone.is_empty() || self.left_behind(&known, &changed)?;
        if cleanup {
            self.intake.mark((CLEANUP.to_vec(), Some(Vec::new())))?;
        }
        // A reference is told once everything it reaches is on its way.
        for (name, oid) in &changed {
            self.reference(name, *oid)?;
        }
        for key in &gone {
            if let Some(sent) = known.get(*key) {
                self.intake.tombstone(sent.document, &sent.path, ((*key).clone(), None))?;
            }
        }
        if self.intake.checkpoint(CLEANUP)?.is_some() {
            self.delete_unreachable(now.values().copied())?;
            self.intake.mark((CLEANUP.to_vec(), None))?;
        }
        if before.as_ref() != Some(&settings) {
            self.intake.mark((SETTINGS.to_vec(), Some(settings)))?;
        }
        let first = self.intake.status().lock().rounds == 0;
        if first || !changed.is_empty() || !gone.is_empty() {
            self.count()?;
        }
        Ok(())
    }

    /// All references, and HEAD where it stands on a commit of its own.
    fn references(&self) -> Result<References, PassError> {
        let mut found = BTreeMap::new();
        for reference in self.repository.references()? {
            let reference = reference?;
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            // A symbolic reference to nothing is nothing.
            if let Some(target) = reference.resolve().ok().and_then(|resolved| resolved.target()) {
                found.insert(name, target);
            }
        }
        if self.repository.head_detached()?
            && let Some(target) = self.repository.head()?.target()
        {
            found.insert("HEAD".to_owned(), target);
        }
        Ok(found)
    }

    fn reference_key(&self, name: &str) -> Vec<u8> {
        let mut key = vec![REFERENCE];
        key.extend(&self.intake.sanitizer().fingerprint(name.as_bytes())[..16]);
        key
    }

    /// Where references pointed when all they reach had been sent; by key, with document and sanitized name.
    fn known_references(&self) -> Result<BTreeMap<Vec<u8>, Sent>, PassError> {
        let mut known = BTreeMap::new();
        for found in self.intake.checkpoints(&[REFERENCE]) {
            let (key, value) = found?;
            if let Some(mark) = Sent::decode(&value) {
                known.insert(key, mark);
            }
        }
        Ok(known)
    }

    /// Sends every object that `tips` reach and `sent` do not.
    fn send_new(&mut self, tips: impl Iterator<Item = Oid>, sent: &[Oid]) -> Result<(), PassError> {
        let mut walk = self.repository.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        for tip in tips {
            if let Some(commit) = self.tip(tip, &mut |pass, tag| pass.send_tip(tag))? {
                walk.push(commit)?;
            }
        }
        for old in sent {
            if let Ok(commit) =
                self.repository.find_object(*old, None).and_then(|object| object.peel_to_commit())
            {
                walk.hide(commit.id())?;
            }
        }
        for oid in walk {
            let oid = oid?;
            if self.is_sent(oid)? {
                continue;
            }
            let commit = self.repository.find_commit(oid)?;
            self.blobs_of(&commit)?;
            self.commit(&commit)?;
        }
        Ok(())
    }

    /// Follows tags; hands what is no commit to `each`, and answers the commit at the end, if there is one.
    fn tip(
        &mut self,
        mut oid: Oid,
        each: &mut dyn FnMut(&mut Self, Oid) -> Result<(), PassError>,
    ) -> Result<Option<Oid>, PassError> {
        loop {
            let object = self.repository.find_object(oid, None)?;
            match object.kind() {
                Some(ObjectType::Commit) => return Ok(Some(oid)),
                Some(ObjectType::Tag) => {
                    each(self, oid)?;
                    oid = self.repository.find_tag(oid)?.target_id();
                }
                _ => {
                    each(self, oid)?;
                    return Ok(None);
                }
            }
        }
    }

    fn send_tip(&mut self, oid: Oid) -> Result<(), PassError> {
        let object = self.repository.find_object(oid, None)?;
        match object.kind() {
            Some(ObjectType::Tag) => self.tag(oid),
            Some(ObjectType::Tree) => {
                let tree = self.repository.find_tree(oid)?;
                for (path, blob) in self.blobs(&tree)? {
                    self.blob(&path, blob)?;
                }
                Ok(())
            }
            _ => self.blob("", oid),
        }
    }

    /// Sends what a commit brought, seen from its first parent; what came by other parents was sent with them.
    fn blobs_of(&mut self, commit: &Commit<'_>) -> Result<(), PassError> {
        let tree = commit.tree()?;
        // A shallow clone names parents that are not there.
        let parent = commit.parent(0).ok().and_then(|parent| parent.tree().ok());
        let Some(parent) = parent else {
            for (path, blob) in self.blobs(&tree)? {
                self.blob(&path, blob)?;
            }
            return Ok(());
        };
        let diff = self.repository.diff_tree_to_tree(Some(&parent), Some(&tree), None)?;
        let brought: Vec<(String, Oid)> = diff
            .deltas()
            .filter(|delta| delta.status() != Delta::Deleted && delta.new_file().mode() != FileMode::Commit)
            .map(|delta| {
                let path = delta.new_file().path_bytes().unwrap_or_default();
                (String::from_utf8_lossy(path).into_owned(), delta.new_file().id())
            })
            .collect();
        for (path, blob) in brought {
            self.blob(&path, blob)?;
        }
        Ok(())
    }

    fn blobs(&self, tree: &Tree<'_>) -> Result<Vec<(String, Oid)>, PassError> {
        let mut found = Vec::new();
        tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
            if entry.kind() == Some(ObjectType::Blob) {
                found.push((format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes())), entry.id()));
            }
            TreeWalkResult::Ok
        })?;
        Ok(found)
    }

    fn is_sent(&self, oid: Oid) -> Result<bool, PassError> {
        if self.stop.is_cancelled() {
            return Err(PassError::Stage(SourceError::Stopped));
        }
        Ok(self.learnt.contains(&oid) || self.intake.checkpoint(&object_key(oid))?.is_some())
    }

    fn blob(&mut self, path: &str, oid: Oid) -> Result<(), PassError> {
        if self.is_sent(oid)? {
            return Ok(());
        }
        let (size, _) = self.repository.odb()?.read_header(oid)?;
        if size as u64 > self.bytes_max {
            return self.left_out(path, oid, &LeftOut::TooLarge);
        }
        let large = self.intake.shared().large.clone();
        let _alone = (size as u64 > limits::LARGE_FILE_BYTES)
            .then(|| large.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let blob = self.repository.find_blob(oid)?;
        let extracted = match extract(path, blob.content()) {
            Ok(extracted) => extracted,
            Err(why) => return self.left_out(path, oid, &why),
        };
        let results =
            if extracted.format == Format::Sarif { extract::sarif_results(&extracted.content) } else { None };
        let reference = oid.to_string();
        let raw = RawResource {
            source: self.intake.source(),
            kind: if results.is_some() { ResourceKind::Sarif } else { ResourceKind::Blob },
            path,
            reference: &reference,
            media_type: extracted.media_type,
            language: extracted.language,
            content: &extracted.content,
            format: extracted.format,
            modified_ms: None,
            attributes: extracted.attributes,
        };
        self.object(path, oid, &raw)?;
        if self.purpose == Purpose::Learn {
            return Ok(());
        }
        let mut status = self.intake.status().lock();
        status.read.files += 1;
        status.read.bytes += size as u64;
        status.read.sarif_files += u64::from(results.is_some());
        status.read.sarif_results += results.unwrap_or_default();
        Ok(())
    }

    fn left_out(&mut self, path: &str, oid: Oid, why: &LeftOut) -> Result<(), PassError> {
        if self.purpose == Purpose::Learn {
            self.learnt.insert(oid);
            return Ok(());
        }
        self.intake.leave_out(&self.intake.shown(path), why);
        Ok(self.intake.mark((object_key(oid), Some(Vec::new())))?)
    }

    fn object(&mut self, path: &str, oid: Oid, raw: &RawResource<'_>) -> Result<(), PassError> {
        if self.purpose == Purpose::Learn {
            self.learnt.insert(oid);
            self.intake.learn(raw.path, raw.content, raw.format);
            return Ok(());
        }
        let taken = self
            .intake
            .resource(raw, |taken| (object_key(oid), Some(Sent::encode(oid, raw.content.len(), taken))))?;
        if let Taken::Held(why) = taken {
            self.intake.leave_out(&self.intake.shown(path), &LeftOut::Held(why));
        }
        Ok(())
    }

    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), PassError> {
        let oid = commit.id();
        let (author, committer) = (commit.author(), commit.committer());
        let parents: Vec<String> = commit.parent_ids().map(|parent| parent.to_string()).collect();
        let attributes = vec![
            ("author", person(&author), Place::Author),
            ("authored_s", author.when().seconds().to_string(), Place::Message),
            ("committer", person(&committer), Place::Author),
            ("committed_s", committer.when().seconds().to_string(), Place::Message),
            ("parents", parents.join(" "), Place::Path),
            ("tree", commit.tree_id().to_string(), Place::Path),
        ];
        let modified_ms = committer.when().seconds().checked_mul(1_000);
        self.message(&format!("commits/{oid}"), oid, commit.message_raw_bytes(), (modified_ms, attributes))
    }

    fn tag(&mut self, oid: Oid) -> Result<(), PassError> {
        if self.is_sent(oid)? {
            return Ok(());
        }
        let tag = self.repository.find_tag(oid)?;
        let name = String::from_utf8_lossy(tag.name_bytes()).into_owned();
        let mut attributes =
            vec![("tag", name, Place::Path), ("target", tag.target_id().to_string(), Place::Path)];
        if let Some(tagger) = tag.tagger() {
            attributes.push(("tagger", person(&tagger), Place::Author));
        }
        let modified_ms = tag.tagger().and_then(|tagger| tagger.when().seconds().checked_mul(1_000));
        let message = tag.message_bytes().unwrap_or_default().to_vec();
        self.message(&format!("tags/{oid}"), oid, &message, (modified_ms, attributes))
    }

    fn message(
        &mut self,
        path: &str,
        oid: Oid,
        message: &[u8],
        (modified_ms, attributes): (Option<i64>, Vec<(&'static str, String, Place)>),
    ) -> Result<(), PassError> {
        let reference = oid.to_string();
        let raw = RawResource {
            source: self.intake.source(),
            kind: ResourceKind::Commit,
            path,
            reference: &reference,
            media_type: "text/plain",
            language: "",
            content: message,
            format: Format::Text,
            modified_ms,
            attributes,
        };
        self.object(path, oid, &raw)?;
        self.intake.status().lock().read.commits += u64::from(self.purpose == Purpose::Send);
        Ok(())
    }

    fn reference(&mut self, name: &str, oid: Oid) -> Result<(), PassError> {
        let content = format!("{oid}\n");
        let raw = RawResource {
            source: self.intake.source(),
            kind: ResourceKind::Reference,
            path: name,
            reference: "",
            media_type: "text/plain",
            language: "",
            content: content.as_bytes(),
            format: Format::Text,
            modified_ms: None,
            attributes: Vec::new(),
        };
        let key = self.reference_key(name);
        let taken =
            self.intake.resource(&raw, |taken| (key, Some(Sent::encode(oid, raw.content.len(), taken))))?;
        if let Taken::Held(why) = taken {
            self.intake.leave_out(&self.intake.shown(name), &LeftOut::Held(why));
        }
        self.intake.status().lock().read.references += 1;
        Ok(())
    }

    /// Counts what the hub holds of this repository.
    fn count(&mut self) -> Result<(), PassError> {
        let mut holds = Holds::default();
        for found in self.intake.checkpoints(&[OBJECT]) {
            if let Some(sent) = Sent::decode(&found?.1) {
                holds.resources += 1;
                holds.bytes += sent.bytes;
            }
        }
        self.intake.status().lock().holds = holds;
        Ok(())
    }

    /// Whether a reference was moved away from where it stood, leaving something behind.
    fn left_behind(
        &self,
        known: &BTreeMap<Vec<u8>, Sent>,
        changed: &BTreeMap<&String, Oid>,
    ) -> Result<bool, PassError> {
        for (name, now) in changed {
            let Some(Sent { oid: before, .. }) = known.get(&self.reference_key(name)) else { continue };
            let peel = |oid: Oid| {
                self.repository
                    .find_object(oid, None)
                    .and_then(|object| object.peel_to_commit())
                    .map(|c| c.id())
            };
            let forward = match (peel(*before), peel(*now)) {
                // What a tag object said is lost with it, whatever it pointed to.
                (Ok(old), Ok(new)) if old == *before => {
                    old == new || self.repository.graph_descendant_of(new, old)?
                }
                _ => false,
            };
            if !forward {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes every object that was sent and that `tips` no longer reach.
    fn delete_unreachable(&mut self, tips: impl Iterator<Item = Oid>) -> Result<(), PassError> {
        let mut reached: HashSet<Oid> = HashSet::new();
        let mut walk = self.repository.revwalk()?;
        for tip in tips {
            let commit = self.tip(tip, &mut |pass, oid| {
                reached.insert(oid);
                if let Ok(tree) = pass.repository.find_tree(oid) {
                    pass.reach(&tree, &mut reached)?;
                }
                Ok(())
            })?;
            if let Some(commit) = commit {
                walk.push(commit)?;
            }
        }
        for oid in walk {
            let oid = oid?;
            if self.stop.is_cancelled() {
                return Err(PassError::Stage(SourceError::Stopped));
            }
            reached.insert(oid);
            let tree = self.repository.find_commit(oid)?.tree()?;
            if reached.insert(tree.id()) {
                self.reach(&tree, &mut reached)?;
            }
        }
        for found in self.intake.checkpoints(&[OBJECT]) {
            let (key, value) = found?;
            let oid = Oid::from_bytes(key.get(1..).unwrap_or_default())?;
            if !reached.contains(&oid) {
                self.forget(key, &value)?;
            }
        }
        Ok(())
    }

    fn reach(&self, tree: &Tree<'_>, reached: &mut HashSet<Oid>) -> Result<(), PassError> {
        for entry in tree {
            if entry.kind() == Some(ObjectType::Commit) || !reached.insert(entry.id()) {
                continue;
            }
            if entry.kind() == Some(ObjectType::Tree) {
                self.reach(&self.repository.find_tree(entry.id())?, reached)?;
            }
        }
        Ok(())
    }

    /// Deletes everything: it was sent under other settings, and will be sent again.
    fn forget_all(&mut self) -> Result<(), PassError> {
        for prefix in [OBJECT, REFERENCE] {
            for found in self.intake.checkpoints(&[prefix]) {
                let (key, value) = found?;
                self.forget(key, &value)?;
            }
        }
        Ok(())
    }

    fn forget(&mut self, key: Vec<u8>, value: &[u8]) -> Result<(), PassError> {
        match Sent::decode(value) {
            Some(sent) => Ok(self.intake.tombstone(sent.document, &sent.path, (key, None))?),
            None => Ok(self.intake.mark((key, None))?),
        }
    }
}

fn object_key(oid: Oid) -> Vec<u8> {
    let mut key = vec![OBJECT];
    key.extend(oid.as_bytes());
    key
}

fn person(signature: &Signature<'_>) -> String {
    let name = String::from_utf8_lossy(signature.name_bytes());
    format!("{name} <{}>", String::from_utf8_lossy(signature.email_bytes()))
}
