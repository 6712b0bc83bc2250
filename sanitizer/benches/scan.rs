//! How fast one core scans and sanitizes: source in memory, large JSON and SARIF, texts that are hard to scan, and the start.
//! Each group begins with a plain pass over the same bytes, so that machines and moments can be told apart.
//!
//! The source is `CERTUS_BENCH_TREE`, by default the sources of the crates that cargo has fetched; files with findings are
//! measured with the documents, the others are the clean source.

use std::fs;
use std::path::{Path, PathBuf};

use certus_sanitizer::{Format, Learnt, Policy, PseudonymKey, Sanitizer};
use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};

const BYTES_MAX: usize = 48 << 20;
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Bytes of a text that is made for the bench.
const MADE_BYTES: usize = 1 << 20;

fn sanitizer() -> Sanitizer {
    Sanitizer::new(&Policy::default(), PseudonymKey::from_bytes([7; 32])).expect("the tables are right")
}

fn group<'a>(criterion: &'a mut Criterion, name: &str, bytes: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).throughput(Throughput::Bytes(bytes as u64));
    group
}

/// The baseline: what a pass that only counts lines takes.
fn lines<'a>(texts: impl Iterator<Item = &'a [u8]>) -> usize {
    texts.map(|text| memchr::memchr_iter(b'\n', text).count()).sum()
}

fn source(criterion: &mut Criterion) {
    let (sanitizer, mut files, mut bytes) = (sanitizer(), Vec::new(), 0);
    collect(&tree(), &mut files, &mut bytes).expect("the tree can be read");
    let scanned = |text: &Vec<u8>| sanitizer.scan(text, Format::Text).map_or(0, |found| found.len());
    let clean: Vec<Vec<u8>> = files.iter().filter(|text| scanned(text) == 0).cloned().collect();
    let mut group = group(criterion, "clean source", clean.iter().map(Vec::len).sum());
    group.bench_function("counting lines", |b| b.iter(|| lines(clean.iter().map(Vec::as_slice))));
    group.bench_function("scan", |b| b.iter(|| clean.iter().map(scanned).sum::<usize>()));
    group.finish();
    let mut group = self::group(criterion, "all source", bytes);
    group.bench_function("counting lines", |b| b.iter(|| lines(files.iter().map(Vec::as_slice))));
    group.bench_function("scan", |b| b.iter(|| files.iter().map(scanned).sum::<usize>()));
    group.finish();
}

fn documents(criterion: &mut Criterion) {
    let sanitizer = sanitizer();
    let result = r#"{"ruleId": "B105", "level": "warning", "message": {"text": "Possible hardcoded value in \"settings\""},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": "src/app/settings.py"}, "region": {"startLine": 42,
        "snippet": {"text": "def connect(host, port):\n    return Client(host=host, port=port)\n"}}}}]}"#;
    let results = vec![result; MADE_BYTES / result.len()].join(",\n");
    let sarif = format!(
        r#"{{"version": "2.1.0", "runs": [{{"tool": {{"driver": {{"name": "x"}}}}, "results": [{results}]}}]}}"#
    );
    let json = format!(
        "[{}]",
        vec![r#"{"name": "alpha", "tags": ["a", "b"], "count": 12, "note": "plain words"}"#; 14_000]
            .join(",\n")
    );
    for (name, text, format) in [("SARIF", &sarif, Format::Sarif), ("JSON", &json, Format::Json)] {
        let mut group = group(criterion, name, text.len());
        group.bench_function("counting lines", |b| b.iter(|| lines(std::iter::once(text.as_bytes()))));
        let learnt = Learnt::default();
        group.bench_function("sanitize", |b| {
            b.iter(|| sanitizer.document(text.as_bytes(), format, &learnt).is_ok())
        });
        group.finish();
    }
}

/// Texts of one line that are all hints, values or nesting.
fn hard(criterion: &mut Criterion) {
    let sanitizer = sanitizer();
    for (name, unit, format) in [
        ("spaces", " ", Format::Text),
        ("names of passwords", "pass=", Format::Text),
        ("open quotes", "password=\"", Format::Text),
        ("names and colons", "secret_key: ", Format::Text),
        ("headers", "authorization: bearer ", Format::Text),
        ("beginnings of tokens", "AKIA1", Format::Text),
        ("letters and digits", "x1y2z3w4 ", Format::Text),
        ("hexadecimal digits", "0123456789abcdef", Format::Text),
        ("numbers", "4111 ", Format::Text),
        ("pairs of digits", "12-34-56-", Format::Text),
        ("pairs and colons", "a1:", Format::Text),
        ("dense addresses", "anna.berg@example.com ", Format::Text),
        ("escapes", "\\u0041", Format::Text),
        ("base64", "QUJDREVGR0hJSktM", Format::Text),
        ("names", "name: ", Format::Text),
        ("nesting", "[", Format::Json),
        ("strings", "\"a b\", ", Format::Json),
    ] {
        let text = unit.repeat(MADE_BYTES / unit.len());
        let mut group = group(criterion, &format!("hard: {name}"), text.len());
        group.bench_function("counting lines", |b| b.iter(|| lines(std::iter::once(text.as_bytes()))));
        group.bench_function("scan", |b| {
            b.iter(|| sanitizer.scan(text.as_bytes(), format).map(|found| found.len()))
        });
        group.finish();
    }
}

fn start(criterion: &mut Criterion) {
    criterion.bench_function("loading the rules", |b| b.iter(|| sanitizer().rules().count()));
}

fn tree() -> PathBuf {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    std::env::var_os("CERTUS_BENCH_TREE").map_or_else(|| home.join(".cargo/registry/src"), PathBuf::from)
}

fn collect(folder: &Path, files: &mut Vec<Vec<u8>>, bytes: &mut usize) -> std::io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if *bytes >= BYTES_MAX {
            return Ok(());
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), files, bytes)?;
        } else if kind.is_file() && entry.metadata()?.len() <= FILE_BYTES_MAX {
            let content = fs::read(entry.path())?;
            // Binaries never come to the sanitizer.
            if !content[..content.len().min(8 << 10)].contains(&0) {
                *bytes += content.len();
                files.push(content);
            }
        }
    }
    Ok(())
}

criterion_group!(benches, source, documents, hard, start);
criterion_main!(benches);
