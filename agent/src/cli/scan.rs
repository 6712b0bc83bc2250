//! `scan`: what would be taken out of a tree, where, and why; never a value.
#![expect(clippy::print_stderr, reason = "the summary stands beside the answer")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use certus_sanitizer::{Finding, Format, Kind, Policy, PseudonymKey, Sanitizer, Why, check_name};
use tokio_util::sync::CancellationToken;

use super::item::Item;
use super::tree::{Entry, entries, failed, in_order, shown, unwritten};
use super::{CliError, any_key, sarif};

/// Names the form of a baseline, before the key's name.
const BASELINE: &str = "certus-baseline-1";
/// Characters of a token's beginning that are shown, where that is the provider's.
const SHOWN: usize = 4;
/// Shorter tokens show nothing.
const SHOWN_LENGTH_MIN: usize = 16;

/// How findings are told.
#[derive(Debug, clap::Args)]
pub(super) struct Telling {
    /// As JSON, one finding a line.
    #[arg(long)]
    json: bool,
    /// As SARIF 2.1.0.
    #[arg(long, conflicts_with = "json")]
    sarif: bool,
    /// Leave out findings that this file knows; it holds keyed hashes only.
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// Write all findings' keyed hashes to this file.
    #[arg(long)]
    write_baseline: Option<PathBuf>,
    /// End with exit status 1 where a finding of this kind is left.
    #[arg(long)]
    fail_on: Option<FailOn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Secret,
    Pii,
    Any,
}

/// A finding, with what a person needs to judge it.
pub(super) struct Told {
    pub(super) finding: Finding,
    /// From 1.
    pub(super) line: usize,
    /// From 1, in characters.
    pub(super) column: usize,
    pub(super) masked: String,
    /// Names path, rule and value; of this key.
    pub(super) fingerprint: String,
    /// The member that it stands in, where the file is a container; line and column are that member's.
    pub(super) inside: Option<String>,
}

impl Told {
    /// It was found in the text of a container of so many bytes: of the file itself, all of it is meant.
    fn lies_in(&mut self, text: &str, bytes: usize) {
        let before = &text[..text.floor_char_boundary(self.finding.start)];
        let title = before.rfind("==> ").map(|at| &before[at + 4..]);
        let (name, rest) = title.and_then(|title| title.split_once(" <==\n")).unwrap_or_default();
        self.line = rest.matches('\n').count() + 1;
        self.inside = Some(name.to_owned());
        (self.finding.start, self.finding.end) = (0, bytes);
    }
}

pub(super) fn scan(
    tree: &Path,
    policy: &Policy,
    key: Option<PseudonymKey>,
    telling: &Telling,
    stop: &CancellationToken,
) -> Result<(), CliError> {
    let began = Instant::now();
    if key.is_none() && (telling.baseline.is_some() || telling.write_baseline.is_some()) {
        let what = "a baseline needs the pseudonym key, so that nobody can test guesses by it; `certus-agent key new` makes one";
        return Err(CliError::Data(what.to_owned()));
    }
    let lasting = key.is_some();
    let sanitizer = Sanitizer::new(policy, any_key(key)?).map_err(failed)?;
    let known = telling
        .baseline
        .as_deref()
        .map(|path| read_baseline(path, &sanitizer))
        .transpose()?
        .unwrap_or_default();
    let look = |entry: &Entry| (named(&sanitizer, entry), looked_at(&sanitizer, entry));
    let mut out = io::BufWriter::new(io::stdout().lock());
    let colour = io::stdout().is_terminal();
    let mut count = Count::default();
    let mut all = BTreeSet::new();
    if telling.sarif {
        sarif::begin(&mut out, &sanitizer).map_err(unwritten)?;
    }
    in_order(&entries(tree, stop)?, stop, look, |entry, (named, looked)| {
        let safe = (!named.is_empty()).then(|| shown(&sanitizer, &entry.name));
        if let Some(name) = &safe {
            count.named(name, named);
        }
        // What scripts read names the file as it is.
        let name = safe.filter(|_| !telling.json);
        let name = name.map_or_else(|| entry.name.to_string_lossy(), Cow::Owned);
        let (bytes, found) = match looked {
            Ok(looked) => looked,
            Err(why) => {
                count.unread += 1;
                eprintln!("certus-agent: {} was not looked at: {why}", shown(&sanitizer, &entry.name));
                return Ok(());
            }
        };
        (count.files, count.bytes) = (count.files + 1, count.bytes + bytes);
        for told in found {
            if telling.write_baseline.is_some() {
                all.insert(told.fingerprint.clone());
            }
            if known.contains(&told.fingerprint) {
                count.known += 1;
                continue;
            }
            if telling.sarif {
                sarif::result(&mut out, &name, &told, (count.told > 0, lasting)).map_err(unwritten)?;
            } else {
                let line =
                    if telling.json { as_json(&name, &told) } else { for_people(&name, &told, colour) };
                writeln!(out, "{line}").map_err(unwritten)?;
            }
            count.told += 1;
            *count.types.entry((told.finding.kind.as_str(), told.finding.type_name)).or_default() += 1;
        }
        Ok(())
    })?;
    if telling.sarif {
        sarif::end(&mut out).map_err(unwritten)?;
    }
    out.flush().map_err(unwritten)?;
    if let Some(path) = &telling.write_baseline {
        write_baseline(path, &sanitizer, &all)?;
    }
    count.tell(began);
    count.verdict(telling.fail_on)
}

/// What is found in a file's name.
fn named(sanitizer: &Sanitizer, entry: &Entry) -> Vec<Finding> {
    let name = entry.name.to_string_lossy();
    sanitizer.scan_at(&name, name.as_bytes(), Format::Text).unwrap_or_default()
}

/// How many bytes a file has, and what was found in it; or why it was not looked at.
fn looked_at(sanitizer: &Sanitizer, entry: &Entry) -> Result<(usize, Vec<Told>), String> {
    let item = entry.read();
    let text = match &item {
        Item::LeftOut(why) => return Err(why.clone()),
        Item::Text(text) => &text[..],
        Item::Container { text, .. } => text.as_bytes(),
    };
    let name = entry.name.to_string_lossy();
    let found = sanitizer.scan_at(&name, text, Format::detect(&name, text));
    let mut told = told(sanitizer, &name, text, found.map_err(|error| error.to_string())?);
    if let Item::Container { bytes, text, .. } = &item {
        told.iter_mut().for_each(|told| told.lies_in(text, bytes.len()));
        return Ok((bytes.len(), told));
    }
    Ok((text.len(), told))
}

#[derive(Default)]
struct Count {
    files: usize,
    bytes: usize,
    unread: usize,
    known: usize,
    told: usize,
    types: BTreeMap<(&'static str, String), usize>,
}

impl Count {
    fn left(&self) -> usize {
        self.types.values().sum()
    }

    /// Values were found in the name of a file, which is shown without them.
    fn named(&mut self, shown: &str, found: Vec<Finding>) {
        for finding in found {
            let (kind, type_name) = (finding.kind.as_str(), finding.type_name);
            eprintln!("certus-agent: a file's name holds a {kind}, {type_name}: {shown}");
            *self.types.entry((kind, type_name)).or_default() += 1;
        }
    }

    fn tell(&self, began: Instant) {
        for ((kind, type_name), count) in &self.types {
            eprintln!("{count:>8} {kind} {type_name}");
        }
        let megabytes = self.bytes as f64 / 1e6;
        let seconds = began.elapsed().as_secs_f64();
        let (left, known, files, unread) = (self.left(), self.known, self.files, self.unread);
        eprintln!(
            "{left} findings, {known} more in the baseline; {files} files, {megabytes:.1} MB in {seconds:.2} s; {unread} files not looked at"
        );
    }

    fn verdict(&self, fail_on: Option<FailOn>) -> Result<(), CliError> {
        let of = |wanted: Kind| {
            self.types.iter().filter(|((kind, _), _)| *kind == wanted.as_str()).map(|(_, count)| count).sum()
        };
        let bad: usize = match fail_on {
            None => 0,
            Some(FailOn::Any) => self.left(),
            Some(FailOn::Secret) => of(Kind::Secret),
            Some(FailOn::Pii) => of(Kind::Pii),
        };
        if bad > 0 { Err(CliError::Failed(format!("{bad} findings that may not be"))) } else { Ok(()) }
    }
}

fn told(sanitizer: &Sanitizer, name: &str, bytes: &[u8], found: Vec<Finding>) -> Vec<Told> {
    let (mut at, mut line, mut line_start) = (0, 1, 0);
    let told = |finding: Finding| {
        let start = finding.start.min(bytes.len());
        // Findings of one stretch may stand in any order.
        if start < at {
            (at, line, line_start) = (0, 1, 0);
        }
        for end in memchr::memchr_iter(b'\n', &bytes[at..start]) {
            (line, line_start) = (line + 1, at + end + 1);
        }
        at = start;
        let value = &bytes[start..finding.end.clamp(start, bytes.len())];
        let column = bytes[line_start..start].iter().filter(|byte| **byte & 0xC0 != 0x80).count() + 1;
        let named = [name.as_bytes(), finding.rule.as_bytes(), value].join(&0);
        let fingerprint = data_encoding::HEXLOWER.encode(&sanitizer.fingerprint(&named)[..16]);
        Told { masked: masked(&finding, value), finding, line, column, fingerprint, inside: None }
    };
    found.into_iter().map(told).collect()
}

/// The provider's own beginning of a token, which tells nothing of the rest; of anything else nothing.
fn masked(finding: &Finding, value: &[u8]) -> String {
    let shown = finding.why == Why::Prefix && finding.kind == Kind::Secret && value.len() >= SHOWN_LENGTH_MIN;
    let head = if shown { value.get(..SHOWN).and_then(|head| std::str::from_utf8(head).ok()) } else { None };
    let plain = |head: &&str| head.bytes().all(|b| b.is_ascii_graphic());
    format!("{}****", head.filter(plain).unwrap_or_default())
}

fn as_json(name: &str, told: &Told) -> String {
    let finding = &told.finding;
    serde_json::json!({
        "path": name, "start": finding.start, "end": finding.end, "rule": finding.rule,
        "kind": finding.kind.as_str(), "type": finding.type_name, "line": told.line, "column": told.column,
        "why": finding.why.as_str(), "check": check_name(finding.check),
        "score": f64::from((finding.score.value() * 100.0).round()) / 100.0,
        "masked": told.masked, "replacement": finding.replacement, "inside": told.inside,
    })
    .to_string()
}

/// Why a rule fired, in words.
pub(super) fn reason(finding: &Finding) -> String {
    let check = check_name(finding.check).map(|name| format!(", its check {name} holds")).unwrap_or_default();
    format!("{}{check}, score {}", finding.why.sentence(), finding.score)
}

fn for_people(name: &str, told: &Told, colour: bool) -> String {
    let finding = &told.finding;
    let paint =
        |code: &str, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let hue = if finding.kind == Kind::Secret { "31" } else { "33" };
    let inside = told.inside.as_ref().map(|member| format!("!{member}")).unwrap_or_default();
    let shown = format!("{name}{inside}").replace(|c: char| c.is_control(), "?");
    let place = paint("1", &format!("{shown}:{}:{}", told.line, told.column));
    let what = paint(hue, &format!("{} {}", finding.kind.as_str(), finding.type_name));
    let becomes = if finding.replacement.is_empty() { "nothing" } else { &finding.replacement };
    format!("{place}: {what} {} -> {becomes} ({}: {})", told.masked, finding.rule, reason(finding))
}

fn read_baseline(path: &Path, sanitizer: &Sanitizer) -> Result<BTreeSet<String>, CliError> {
    let wrong = |what: String| CliError::Data(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let mut lines = text.lines();
    match lines.next().and_then(|head| head.split_once(' ')) {
        Some((BASELINE, key)) if key == sanitizer.key_id().to_string() => {
            Ok(lines.map(str::to_owned).collect())
        }
        Some((BASELINE, _)) => {
            Err(wrong("it was written under another pseudonym key; write it anew".to_owned()))
        }
        _ => Err(wrong("it is no baseline; --write-baseline writes one".to_owned())),
    }
}

fn write_baseline(path: &Path, sanitizer: &Sanitizer, all: &BTreeSet<String>) -> Result<(), CliError> {
    let mut text = format!("{BASELINE} {}\n", sanitizer.key_id());
    for fingerprint in all {
        text.push_str(fingerprint);
        text.push('\n');
    }
    std::fs::write(path, text).map_err(|error| CliError::Output(format!("{}: {error}", path.display())))
}
