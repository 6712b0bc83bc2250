//! What the repository promises about its own shape, held by a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use certus_sanitizer::{Format, Kind, Policy, Profile, PseudonymKey, Sanitizer};

const PACKAGES: [&str; 5] = ["protocol", "sanitizer", "agent", "hub", "tests"];
const TOP: [&str; 12] = [
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "agent",
    "certs",
    "deploy",
    "hub",
    "protocol",
    "sanitizer",
    "target",
    "tests",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

/// Every file of the repository, by its path.
fn files() -> Result<Vec<String>> {
    fn walk(folder: &Path, under: &str, found: &mut Vec<String>) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if under.is_empty() { name.clone() } else { format!("{under}/{name}") };
            match entry.file_type()?.is_dir() {
                true if [".git", "target"].contains(&name.as_str()) => {}
                true => walk(&entry.path(), &path, found)?,
                false => found.push(path),
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(&root(), "", &mut found)?;
    found.sort();
    Ok(found)
}

fn sources(package: &str) -> Result<Vec<(String, String)>> {
    let prefix = format!("{package}/src/");
    let own = files()?.into_iter().filter(|path| path.starts_with(&prefix) && path.ends_with(".rs"));
    own.map(|path| read(&path).map(|text| (path, text))).collect()
}

fn dependencies(package: &str) -> Result<BTreeSet<String>> {
    let manifest: toml::Table = read(&format!("{package}/Cargo.toml"))?.parse()?;
    let table = manifest.get("dependencies").and_then(toml::Value::as_table).context("dependencies")?;
    Ok(table.keys().cloned().collect())
}

#[test]
fn the_top_level_is_what_it_should_be() -> Result<()> {
    for entry in fs::read_dir(root())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ensure!(name.starts_with('.') || TOP.contains(&name.as_str()), "{name} does not belong at the top");
    }
    let ci = read(".ci/run")?;
    ensure!(ci.matches("cargo").count() == 1 && ci.trim_end().ends_with("exec cargo ci"), "{ci}");
    Ok(())
}

#[test]
fn crates_depend_in_one_direction() -> Result<()> {
    let own = |package: &str| -> Result<BTreeSet<String>> {
        Ok(dependencies(package)?.into_iter().filter(|name| name.starts_with("certus-")).collect())
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    ensure!(own("protocol")? == set(&[]), "protocol depends on nothing of ours");
    ensure!(own("sanitizer")? == set(&["certus-protocol"]), "sanitizer depends on protocol");
    for package in ["agent", "hub"] {
        ensure!(own(package)? == set(&["certus-protocol", "certus-sanitizer"]), "{package}");
    }
    Ok(())
}

#[test]
fn the_pure_crates_do_no_input_or_output_and_read_no_clock() -> Result<()> {
    for package in ["protocol", "sanitizer"] {
        for crate_name in ["tokio", "quinn", "rustls", "git2", "notify", "sled", "tracing", "reqwest"] {
            ensure!(!dependencies(package)?.contains(crate_name), "{package} depends on {crate_name}");
        }
        for (path, text) in sources(package)? {
            for word in [
                "std::fs",
                "std::net::Tcp",
                "std::net::Udp",
                "std::process",
                "std::thread",
                "SystemTime",
                "Instant::now",
                "std::env",
            ] {
                ensure!(!text.contains(word), "{path} uses {word}");
            }
        }
    }
    Ok(())
}

#[test]
fn files_are_named_for_what_is_in_them_and_stay_small() -> Result<()> {
    const NAMES: [&str; 7] =
        ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "common.rs", "types.rs", "manager.rs"];
    for path in files()?.iter().filter(|path| path.ends_with(".rs")) {
        let name = path.rsplit('/').next().unwrap_or_default();
        ensure!(!NAMES.contains(&name), "{path} has a name that says nothing");
        let lines = read(path)?.lines().count();
        ensure!(lines <= 620, "{path} has {lines} lines and wants splitting");
    }
    Ok(())
}

#[test]
fn nothing_is_unsafe_but_the_vector_instructions() -> Result<()> {
    for package in PACKAGES {
        for (path, text) in sources(package)? {
            if path == "sanitizer/src/simd/avx2.rs" {
                continue;
            }
            ensure!(!text.contains("unsafe {") && !text.contains("unsafe fn"), "{path} holds unsafe code");
        }
    }
    Ok(())
}

#[test]
fn every_dependency_is_used_and_the_named_ones_where_they_belong() -> Result<()> {
    for package in PACKAGES {
        let text: String = sources(package)?.into_iter().map(|(_, text)| text).collect();
        let tests: String = files()?
            .iter()
            .filter(|path| path.starts_with(&format!("{package}/tests/")) && path.ends_with(".rs"))
            .map(|path| read(path))
            .collect::<Result<_>>()?;
        for name in dependencies(package)? {
            let word = name.replace('-', "_");
            let used = [format!("{word}::"), format!("use {word}"), format!("{word} ")];
            let used = used.iter().any(|used| text.contains(used) || tests.contains(used));
            ensure!(used, "{package} does not use its dependency {name}");
        }
    }
    let only_in = |word: &str, place: &str| -> Result<()> {
        let mut found = false;
        for package in ["protocol", "sanitizer", "agent", "hub"] {
            for (path, text) in sources(package)? {
                if text.contains(word) {
                    ensure!(path.starts_with(place), "{path} uses {word}, which belongs into {place}");
                    found = true;
                }
            }
        }
        ensure!(found, "{word} is not used in {place}");
        Ok(())
    };
    only_in("bincode::config", "protocol/src/encoding.rs")?;
    only_in("sled::", "agent/src/spool")?;
    only_in("git2::", "agent/src/")?;
    only_in("aho_corasick::", "sanitizer/")?;
    only_in("regex::bytes", "sanitizer/")?;
    only_in("notify::", "agent/src/source")?;
    only_in("hyper_util::server", "hub/src/api")?;
    Ok(())
}

#[test]
fn no_credential_stands_in_the_repository() -> Result<()> {
    let policy = Policy::from(Profile::Balanced);
    let sanitizer = Sanitizer::new(&policy, PseudonymKey::from_bytes([0; 32]))?;
    for path in files()? {
        let bytes = fs::read(root().join(&path))?;
        let found = sanitizer.scan(&bytes, Format::detect(&path, &bytes))?;
        for found in found.into_iter().filter(|found| found.kind == Kind::Secret) {
            let value = String::from_utf8_lossy(&bytes[found.start..found.end]).into_owned();
            // A place that a test fills at run time.
            let placeholder = value.starts_with('{') && value.ends_with('}');
            // The example that the format's documentation gives.
            let documented = path == "sanitizer/rules/wallet.toml" && found.rule == "bitcoin-private-key";
            ensure!(
                placeholder || documented,
                "{path} holds what looks like {} at byte {}",
                found.type_name,
                found.start
            );
        }
    }
    Ok(())
}

#[test]
fn what_the_readme_names_exists() -> Result<()> {
    let readme = read("README.md")?;
    let programs = [
        "agent/src/cli.rs",
        "agent/src/cli/ledger.rs",
        "agent/src/cli/scan.rs",
        "hub/src/cli.rs",
        "tests/src/bin/demo/main.rs",
        "tests/src/bin/ci.rs",
    ]
    .map(read)
    .into_iter()
    .collect::<Result<String>>()?;
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    for flag in readme.split(word).filter_map(|word| word.strip_prefix("--")).filter(|flag| flag.len() > 1) {
        let field = flag.replace('-', "_");
        let there = programs.contains(&format!("{field}:")) || programs.contains(&format!("--{flag}"));
        ensure!(there, "README names --{flag}, which no program has");
    }
    let configs =
        ["agent/src/config.rs", "hub/src/config.rs"].map(read).into_iter().collect::<Result<String>>()?;
    for block in readme.split("```toml").skip(1).filter_map(|rest| rest.split("```").next()) {
        for line in block.lines() {
            let Some((key, _)) = line.split_once(" = ") else { continue };
            ensure!(
                configs.contains(&format!("    {key}:")),
                "README names the key {key}, which no file has"
            );
        }
    }
    for path in readme.split('`').skip(1).step_by(2).filter(|text| text.contains('/') && !text.contains(' '))
    {
        let ours = PACKAGES.iter().any(|package| path.starts_with(&format!("{package}/")))
            || path.starts_with("deploy/")
            || path.starts_with("certs/");
        ensure!(
            !ours || root().join(path.trim_end_matches('/')).exists(),
            "README names {path}, which is not there"
        );
    }
    Ok(())
}
