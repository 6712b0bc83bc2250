//! How fast a tree is scanned and sanitized on one core, beside a plain pass over the same bytes in the same run.
//! The tree is `CERTUS_BENCH_TREE`, by default the sources of the crates that cargo has fetched.
#![expect(clippy::print_stdout, reason = "a bench's figures are its purpose")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use certus_sanitizer::{Format, Learnt, Policy, PseudonymKey, Sanitizer};

const BYTES_MAX: usize = 200 << 20;
const FILE_BYTES_MAX: u64 = 16 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let tree =
        std::env::var_os("CERTUS_BENCH_TREE").map_or_else(|| home.join(".cargo/registry/src"), PathBuf::from);
    let mut files = Vec::new();
    let mut bytes = 0;
    collect(&tree, &mut files, &mut bytes)?;
    let megabytes = bytes as f64 / 1e6;
    println!("{} files, {megabytes:.0} MB", files.len());

    let began = Instant::now();
    let lines: usize =
        files.iter().map(|(_, content)| content.iter().filter(|byte| **byte == b'\n').count()).sum();
    println!("counting lines ({lines}): {:.0} MB/s", megabytes / began.elapsed().as_secs_f64());
    let began = Instant::now();
    let sanitizer = Sanitizer::new(&Policy::default(), PseudonymKey::from_bytes([7; 32]))?;
    println!("compiling {} rules: {:.1} ms", sanitizer.rule_count(), began.elapsed().as_secs_f64() * 1e3);
    let began = Instant::now();
    let mut found = 0;
    for (name, content) in &files {
        found += sanitizer.scan(content, Format::detect(name, content))?.len();
    }
    println!("scan ({found} findings): {:.1} MB/s", megabytes / began.elapsed().as_secs_f64());
    let began = Instant::now();
    for (name, content) in &files {
        if sanitizer.document(content, Format::detect(name, content), &Learnt::default()).is_err() {
            println!("held back: {name}");
        }
    }
    println!("sanitize: {:.1} MB/s", megabytes / began.elapsed().as_secs_f64());
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<(String, Vec<u8>)>, bytes: &mut usize) -> std::io::Result<()> {
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
                files.push((entry.path().to_string_lossy().into_owned(), content));
            }
        }
    }
    Ok(())
}
