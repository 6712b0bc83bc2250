//! Commands over a tree of files that send nothing: sanitize and preview, and the walk that they share with scan.
#![expect(clippy::print_stderr, reason = "what is left out is told beside the answer")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use certus_sanitizer::decode::Encoding;
use certus_sanitizer::{Format, Kind, Learn, Learnt, Place, Policy, PseudonymKey, Redaction, Sanitizer};
use ignore::WalkBuilder;
use indicatif::{ProgressBar, ProgressStyle};
use similar::TextDiff;
use tokio_util::sync::CancellationToken;

use super::item::Item;
use super::{CliError, beside};
use crate::config::{Config, SourceKind};

/// Columns of a terminal on which both sides of a diff stand beside each other.
const SIDE_BY_SIDE_MIN: usize = 100;
/// Rounds in which what masking brought together is masked again.
const MASK_ROUNDS_MAX: usize = 4;

pub(super) fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(error.to_string())
}

pub(super) fn unwritten(error: io::Error) -> CliError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        // Who reads it has gone: nobody has to know.
        std::process::exit(0);
    }
    CliError::Output(format!("standard output: {error}"))
}

fn word(kind: Kind) -> &'static str {
    kind.as_str()
}

/// A file or link of a tree.
pub(super) struct Entry {
    path: PathBuf,
    /// Its path within the tree.
    pub(super) name: PathBuf,
    link: bool,
}

impl Entry {
    pub(super) fn read(&self) -> Item {
        if self.link {
            return Item::LeftOut("symbolic link".to_owned());
        }
        Item::read(&self.path, &self.name.to_string_lossy())
    }
}

/// Every file and link of the tree, in the order of their names.
pub(super) fn entries(tree: &Path, stop: &CancellationToken) -> Result<Vec<Entry>, CliError> {
    if !tree.exists() {
        return Err(CliError::Data(format!("{}: there is no such file or folder", tree.display())));
    }
    let mut walk = WalkBuilder::new(tree);
    walk.standard_filters(false).follow_links(false).sort_by_file_name(Ord::cmp);
    walk.filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git");
    let mut found = Vec::new();
    for entry in walk.build() {
        if stop.is_cancelled() {
            return Err(CliError::Failed("stopped".to_owned()));
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                eprintln!("certus-agent: {error}");
                continue;
            }
        };
        let link = entry.path_is_symlink();
        if link || entry.file_type().is_some_and(|kind| kind.is_file()) {
            let path = entry.into_path();
            let name = match path.strip_prefix(tree) {
                Ok(name) if !name.as_os_str().is_empty() => name.to_owned(),
                _ => path.file_name().map(PathBuf::from).unwrap_or_default(),
            };
            found.push(Entry { path, name, link });
        }
    }
    Ok(found)
}

/// Files that a thread takes at once: handing over what came of each would cost more than many a file.
const TAKEN: usize = 16;
/// Such lots that may be done before the one whose turn it is.
const AHEAD_MAX: usize = 16;

/// Does `work` on every entry, on as many threads as there are cores, and hands what came of it to `each`, in order; with a
/// bar on a terminal.
pub(super) fn in_order<T: Send>(
    entries: &[Entry],
    stop: &CancellationToken,
    work: impl Fn(&Entry) -> T + Sync,
    mut each: impl FnMut(&Entry, T) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let bar = progress();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(entries.len().max(1));
    let (next, turn, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel::<(usize, Vec<T>)>(AHEAD_MAX);
    let one = |sender: mpsc::SyncSender<(usize, Vec<T>)>| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(lot) = entries.chunks(TAKEN).nth(number) else { return };
            while number > turn.load(Ordering::Acquire) + AHEAD_MAX && !over.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            let goes_on = |_: &&Entry| !over.load(Ordering::Relaxed) && !stop.is_cancelled();
            let made: Vec<T> = lot.iter().take_while(goes_on).map(&work).collect();
            if made.len() < lot.len() || sender.send((number, made)).is_err() {
                return;
            }
        }
    };
    let outcome = std::thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            scope.spawn(|| one(sender));
        }
        drop(sender);
        let mut done = BTreeMap::new();
        let mut outcome = Ok(());
        let mut left = entries.iter();
        for (number, made) in receiver {
            done.insert(number, made);
            while let Some(made) = done.remove(&turn.load(Ordering::Relaxed)) {
                for (made, entry) in made.into_iter().zip(&mut left) {
                    if outcome.is_ok() {
                        outcome = each(entry, made);
                        over.store(outcome.is_err(), Ordering::Relaxed);
                    }
                    bar.inc(1);
                }
                turn.fetch_add(1, Ordering::Release);
            }
        }
        outcome
    });
    bar.finish_and_clear();
    outcome?;
    if stop.is_cancelled() { Err(CliError::Failed("stopped".to_owned())) } else { Ok(()) }
}

fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {human_pos} files, {elapsed}");
    let bar = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

/// How a sanitized copy is made.
pub(super) struct Making {
    pub(super) policy: Policy,
    pub(super) key: PseudonymKey,
    pub(super) learn: Learn,
}

pub(super) fn sanitize(
    tree: &Path,
    out: &Path,
    making: &Making,
    stop: &CancellationToken,
) -> Result<(), CliError> {
    let sanitizer = Sanitizer::new(&making.policy, making.key.clone()).map_err(failed)?;
    let unmade = |path: &Path, error: io::Error| CliError::Output(format!("{}: {error}", path.display()));
    fs::create_dir_all(out).map_err(|error| unmade(out, error))?;
    let entries = entries(tree, stop)?;
    // Two passes, so that what is found in one file is taken out of those before it as well.
    let mut learnt = Learnt::default();
    if making.learn == Learn::Run {
        in_order(
            &entries,
            stop,
            |entry| learnt_from(&sanitizer, &entry.name.to_string_lossy(), &entry.read()),
            |_, found| {
                learnt.merge(found);
                Ok(())
            },
        )?;
        tell_if_full(&learnt);
    }
    let clean = |entry: &Entry| {
        let name = entry.name.to_string_lossy();
        let item = entry.read();
        let own = match making.learn {
            Learn::File => learnt_from(&sanitizer, &name, &item),
            Learn::Run | Learn::Off => Learnt::default(),
        };
        let learnt = if making.learn == Learn::File { &own } else { &learnt };
        let named = sanitizer.string(&name, Place::Path).map_err(|error| error.to_string())?;
        Ok::<_, String>((item.cleaned(&name, &sanitizer, learnt)?, named.into_inner()))
    };
    let mut left_out = 0;
    in_order(&entries, stop, clean, |entry, clean| match clean {
        Ok((clean, named)) => {
            if let Some(found) = named.redactions.first() {
                eprintln!(
                    "certus-agent: a file's name was kept that holds {}: {}",
                    found.type_name, named.text
                );
            }
            let target = out.join(&entry.name);
            let folder = target.parent().unwrap_or(out);
            fs::create_dir_all(folder).map_err(|error| unmade(folder, error))?;
            fs::write(&target, &clean).map_err(|error| unmade(&target, error))
        }
        Err(why) => {
            left_out += 1;
            eprintln!("certus-agent: left out {}: {why}", shown(&sanitizer, &entry.name));
            Ok(())
        }
    })?;
    if left_out > 0 {
        eprintln!("certus-agent: {left_out} files were left out");
    }
    Ok(())
}

/// A path as a message may name it: without values.
pub(super) fn shown(sanitizer: &Sanitizer, path: &Path) -> String {
    let name = sanitizer.string(&path.to_string_lossy(), Place::Path);
    name.map_or_else(|_| "a file".to_owned(), |name| name.into_inner().text)
}

/// Says that a run has more values than are remembered.
fn tell_if_full(learnt: &Learnt) {
    if learnt.is_full() {
        eprintln!(
            "certus-agent: more values were found than a run remembers: some are taken out where rules find them, but not \
             wherever else they stand; go through fewer files in one run"
        );
    }
}

/// The values of a file; of one that can't be sanitized none, since it is left out anyway.
fn learnt_from(sanitizer: &Sanitizer, name: &str, item: &Item) -> Learnt {
    let mut learnt = Learnt::default();
    let Some(text) = item.text() else { return learnt };
    match sanitizer.learn_at(name, text, Format::detect(name, text), &mut learnt) {
        Ok(()) => learnt,
        Err(_) => Learnt::default(),
    }
}

pub(super) fn preview(
    config: Option<&Config>,
    source_or_path: &str,
    (policy, key, json): (&Policy, PseudonymKey, bool),
    stop: &CancellationToken,
) -> Result<(), CliError> {
    let source =
        config.and_then(|config| config.sources.iter().find(|source| source.name.as_str() == source_or_path));
    let path = source.map_or_else(|| PathBuf::from(source_or_path), |source| source.path.clone());
    let sanitizer = Sanitizer::new(policy, key).map_err(failed)?;
    let bare = !path.join(".git").exists() && path.join("objects").is_dir() && path.join("HEAD").is_file();
    let git = bare || source.is_some_and(|source| source.kind == SourceKind::Git);
    let walk = |each: &mut dyn FnMut(&Path, Item) -> Result<(), CliError>| {
        if git {
            return head_files(&path, each);
        }
        for entry in entries(&path, stop)? {
            if stop.is_cancelled() {
                return Err(CliError::Failed("stopped".to_owned()));
            }
            each(&entry.name, entry.read())?;
        }
        Ok(())
    };
    // Two passes, as what leaves is made.
    let mut learnt = Learnt::default();
    walk(&mut |path, item| {
        learnt.merge(learnt_from(&sanitizer, &path.to_string_lossy(), &item));
        Ok(())
    })?;
    tell_if_full(&learnt);
    let mut out = io::BufWriter::new(io::stdout().lock());
    walk(&mut |path, item| {
        if let Item::LeftOut(why) = &item {
            eprintln!("certus-agent: {} would not leave: {why}", shown(&sanitizer, path));
        }
        item.text().map_or(Ok(()), |text| show(&sanitizer, &learnt, &mut out, (path, text, json)))
    })?;
    out.flush().map_err(unwritten)
}

/// The files of a repository's present commit; its history is sent too.
fn head_files(
    path: &Path,
    each: &mut dyn FnMut(&Path, Item) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let data = |error: git2::Error| CliError::Data(format!("{}: {}", path.display(), error.message()));
    let repository = git2::Repository::open(path).map_err(data)?;
    let tree = repository.head().and_then(|head| head.peel_to_tree()).map_err(data)?;
    let mut blobs = Vec::new();
    let walked = tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
        if entry.kind() == Some(git2::ObjectType::Blob) {
            let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            blobs.push((format!("{folder}{name}"), entry.id()));
        }
        git2::TreeWalkResult::Ok
    });
    walked.map_err(data)?;
    for (name, id) in blobs {
        let blob = repository.find_blob(id).map_err(data)?;
        each(Path::new(&name), Item::of(&name, blob.content().to_vec()))?;
    }
    Ok(())
}

fn show(
    sanitizer: &Sanitizer,
    learnt: &Learnt,
    out: &mut dyn Write,
    (path, bytes, json): (&Path, &[u8], bool),
) -> Result<(), CliError> {
    let name = path.to_string_lossy();
    let format = Format::detect(&name, bytes);
    let clean = match sanitizer.document_at(&name, bytes, format, learnt) {
        Ok(clean) => clean.into_inner(),
        Err(error) => {
            eprintln!("certus-agent: {} would be held back: {error}", shown(sanitizer, path));
            return Ok(());
        }
    };
    if clean.redactions.is_empty() {
        return Ok(());
    }
    let before = masked(sanitizer, bytes, format, &clean.redactions).unwrap_or_default();
    let encoding = Encoding::detect(&clean.bytes);
    let after =
        encoding.decode(&clean.bytes).unwrap_or_else(|| String::from_utf8_lossy(&clean.bytes).into_owned());
    if json {
        for redaction in &clean.redactions {
            let number = memchr::memchr_iter(b'\n', &bytes[..redaction.start]).count();
            let line =
                |text: &str| text.lines().nth(number).map(|line| line.chars().take(400).collect::<String>());
            let row = serde_json::json!({
                "path": name, "line": number + 1, "type": redaction.type_name, "rule": redaction.rule,
                "kind": word(redaction.kind), "before": line(&before), "after": line(&after),
            });
            writeln!(out, "{row}").map_err(unwritten)?;
        }
        return Ok(());
    }
    let diff = TextDiff::from_lines(&before, &after);
    let shown = match width() {
        Some(width) if width >= SIDE_BY_SIDE_MIN => beside::shown(&name, &diff, width),
        _ => diff.unified_diff().header(&format!("a/{name}"), &format!("b/{name}")).to_string(),
    };
    write!(out, "{shown}").map_err(unwritten)
}

/// Columns of the terminal that reads the answer; `None` where it is none.
fn width() -> Option<usize> {
    let size =
        io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(io::stdout())).and_then(Result::ok);
    size.map(|size| usize::from(size.ws_col))
}

/// The text with every value as asterisks, as often as it takes; `None` where that can't be done.
fn masked(sanitizer: &Sanitizer, bytes: &[u8], format: Format, redactions: &[Redaction]) -> Option<String> {
    if Encoding::detect(bytes) != Encoding::Ascii {
        return None;
    }
    let mut text = bytes.to_vec();
    let mut spans: Vec<(usize, usize)> = redactions.iter().map(|found| (found.start, found.end)).collect();
    for _ in 0..MASK_ROUNDS_MAX {
        for (start, end) in &spans {
            text.get_mut(*start..*end)?
                .iter_mut()
                .filter(|byte| **byte != b'\n')
                .for_each(|byte| *byte = b'*');
        }
        let left = sanitizer.scan(&text, format).ok()?;
        let stars =
            |start: usize, end: usize| text[start..end].iter().all(|byte| matches!(byte, b'*' | b'\n'));
        spans = left
            .iter()
            .map(|found| (found.start, found.end))
            .filter(|(start, end)| !stars(*start, *end))
            .collect();
        if spans.is_empty() {
            return Some(String::from_utf8_lossy(&text).into_owned());
        }
    }
    None
}
