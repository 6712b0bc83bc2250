//! Makes trees and repositories for tests, from a seed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

/// Words that texts are made of.
const WORDS: [&str; 32] = [
    "amber", "basalt", "cedar", "delta", "ember", "fjord", "granite", "harbor", "island", "juniper", "kelp",
    "lagoon", "meadow", "nectar", "oasis", "prairie", "quartz", "river", "summit", "tundra", "umbra",
    "valley", "willow", "xenon", "yarrow", "zephyr", "anchor", "bridge", "candle", "drum", "engine", "forge",
];

/// Random enough for tests, the same for the same seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    /// One of these characters, so often.
    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }

    /// Lines of words.
    pub fn prose(&mut self, lines: usize) -> String {
        let mut line = || {
            let words: Vec<&str> = (0..9).map(|_| WORDS[self.below(WORDS.len())]).collect();
            words.join(" ") + "\n"
        };
        (0..lines).map(|_| line()).collect()
    }
}

/// Values that must not leave, made anew for each test.
pub fn secrets(random: &mut Random, count: usize) -> Vec<String> {
    const ALL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
    (0..count)
        .map(|number| match number % 4 {
            0 => format!("{}{}", ["AK", "IA"].concat(), random.text(UPPER, 16)),
            1 => format!("{}@{}-corp.io", random.text(LOWER, 12), random.text(LOWER, 10)),
            2 => format!("{}{}", ["glp", "at-"].concat(), random.text(ALL, 20)),
            _ => format!("{}7xQ{}", random.text(ALL, 12), random.text(ALL, 9)),
        })
        .collect()
}

/// A sentence or a line that holds the value as people write it.
pub fn holding(secret: &str) -> String {
    if secret.contains('@') {
        format!("please write to {secret} about it\n")
    } else {
        format!("password = \"{secret}\"\n")
    }
}

/// Writes `files` files under `root`, and plants the secrets in them.
///
/// # Errors
/// The file system's.
pub fn write_files(root: &Path, files: usize, secrets: &[String], random: &mut Random) -> Result<()> {
    const EXTENSIONS: [&str; 6] = ["txt", "md", "rs", "py", "conf", "json"];
    for number in 0..files {
        let extension = EXTENSIONS[number % EXTENSIONS.len()];
        let folder = root.join(format!("part{}/area{}", number % 13, number % 7));
        fs::create_dir_all(&folder)?;
        let lines = 3 + random.below(30);
        let mut text = random.prose(lines);
        if let Some(secret) = secrets.get(number * secrets.len() / files.max(1)).filter(|_| number % 3 == 0) {
            text.push_str(&holding(secret));
        }
        let mark = format!("mark{number}");
        let text = if extension == "json" {
            serde_json::to_string_pretty(&serde_json::json!({"text": text, "ratio": 0.10, "mark": mark}))?
        } else {
            text + &mark + "\n"
        };
        fs::write(folder.join(format!("file{number}.{extension}")), text)?;
    }
    Ok(())
}

/// Runs git in a repository, apart from whatever is configured on this machine.
///
/// # Errors
/// Git failed; with what it said.
pub fn git(repository: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(["-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false", "-c", "gc.auto=0"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Rosalind Example")
        .env("GIT_AUTHOR_EMAIL", "rosalind@example-corp.io")
        .env("GIT_COMMITTER_NAME", "Rosalind Example")
        .env("GIT_COMMITTER_EMAIL", "rosalind@example-corp.io")
        .output()?;
    ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The hub holds what it should.
///
/// # Errors
/// Names some of what it lacks, and some of what is too much.
pub fn agree(what: &str, held: &BTreeSet<String>, wanted: &BTreeSet<String>) -> Result<()> {
    let missing: Vec<_> = wanted.difference(held).take(5).collect();
    let spare: Vec<_> = held.difference(wanted).take(5).collect();
    ensure!(
        missing.is_empty() && spare.is_empty(),
        "{what}: missing {missing:?}, not there any more {spare:?}"
    );
    Ok(())
}
