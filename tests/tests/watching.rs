//! While agent and hub run, a folder, a repository and a drop change ten thousand times; in the end the hub holds what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::agent::SourceLines;
use end_to_end::tree::{Random, agree, git};
use end_to_end::until;
use end_to_end::world::World;

const FOLDER_STEPS: usize = 9_000;
const GIT_STEPS: usize = 700;
const DROP_STEPS: usize = 300;
/// How long the hub may take to hold what is there.
const SETTLE_SECONDS: u64 = 90;

fn sources(input: &Path, more: &str) -> Vec<SourceLines> {
    vec![
        SourceLines::new("tree", "folder", &input.join("tree"), more),
        SourceLines::new("history", "git", &input.join("history"), more),
        SourceLines::new("scans", "sarif", &input.join("scans"), more),
    ]
}

#[tokio::test]
async fn by_events_only() -> Result<()> {
    watched("reconcile_seconds = 86400").await
}

#[tokio::test]
async fn without_any_event() -> Result<()> {
    watched("reconcile_seconds = 1\nevents = \"off\"").await
}

async fn watched(more: &str) -> Result<()> {
    let mut world = World::new(env!("CARGO_TARGET_TMPDIR"), |input| sources(input, more)).await?;
    let input = world.input();
    for folder in ["tree", "history", "scans"] {
        fs::create_dir_all(input.join(folder))?;
    }
    git(&input.join("history"), &["init", "-q"])?;
    world.agent.run()?;
    // Watching begins before the first reading; only then do events count.
    until("the agent to watch", 30, || async {
        let status = world.agent.status();
        let sources = status["sources"].as_object().context("the agent has no status")?;
        let read = sources.values().filter(|source| source["rounds"].as_u64() >= Some(1)).count();
        ensure!(read == 3, "{read} of 3 sources are read");
        Ok(())
    })
    .await?;
    let changing = tokio::task::spawn_blocking(move || change(&input));
    changing.await??;

    let wanted = Wanted::read(&world.input())?;
    until("the hub to hold what is there", SETTLE_SECONDS, || wanted.is_held(&world)).await?;
    world.caught_up(30).await?;
    contents_agree(&world, &wanted).await?;
    world.agent.stop().await?;
    world.hub.stop().await
}

/// What is there, by the judgement of others: of the file system and of git.
struct Wanted {
    files: BTreeMap<String, PathBuf>,
    objects: BTreeSet<String>,
    references: BTreeSet<String>,
    reports: BTreeSet<String>,
}

impl Wanted {
    fn read(input: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        list(&input.join("tree"), "", &mut files)?;
        let mut reports = BTreeMap::new();
        list(&input.join("scans"), "", &mut reports)?;
        let repository = input.join("history");
        let ids = git(&repository, &["rev-list", "--objects", "--all", "--no-object-names"])?;
        let mut objects = BTreeSet::new();
        for id in ids.split_whitespace() {
            if git(&repository, &["cat-file", "-t", id])?.trim() != "tree" {
                objects.insert(id.to_owned());
            }
        }
        let names = git(&repository, &["for-each-ref", "--format=%(refname)"])?;
        Ok(Self {
            files,
            objects,
            references: names.lines().map(str::to_owned).collect(),
            reports: reports.into_keys().collect(),
        })
    }

    /// # Errors
    /// Names where the hub differs.
    async fn is_held(&self, world: &World) -> Result<()> {
        let paths: BTreeSet<String> =
            world.api.documents("tree").await?.into_keys().map(|(path, _)| path).collect();
        let files: BTreeSet<String> = self.files.keys().cloned().collect();
        let mut objects = BTreeSet::new();
        let mut references = BTreeSet::new();
        for (path, id) in world.api.documents("history").await?.into_keys() {
            if id.is_empty() {
                references.insert(path)
            } else {
                objects.insert(id)
            };
        }
        let reports: BTreeSet<String> =
            world.api.documents("scans").await?.into_keys().map(|(path, _)| path).collect();
        agree("files", &paths, &files)?;
        agree("objects", &objects, &self.objects)?;
        agree("references", &references, &self.references)?;
        agree("reports", &reports, &self.reports)
    }
}

fn list(root: &Path, under: &str, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(root.join(under))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if under.is_empty() { name } else { format!("{under}/{name}") };
        if entry.file_type()?.is_dir() {
            list(root, &path, found)?;
        } else {
            found.insert(path, entry.path());
        }
    }
    Ok(())
}

/// The newest bytes of every file are those that the hub holds.
async fn contents_agree(world: &World, wanted: &Wanted) -> Result<()> {
    for ((path, _), document) in world.api.documents("tree").await? {
        let held = world.api.get(&format!("/v1/documents/{document}")).await?;
        let there = fs::read(&wanted.files[&path])?;
        ensure!(held["hash"] == blake3::hash(&there).to_hex().as_str(), "{path} is an older version");
    }
    Ok(())
}

fn change(input: &Path) -> Result<()> {
    let mut random = Random::new(23);
    let mut steps: Vec<usize> = (0..FOLDER_STEPS + GIT_STEPS + DROP_STEPS).collect();
    for at in (1..steps.len()).rev() {
        steps.swap(at, random.below(at + 1));
    }
    let mut repository = History { path: input.join("history"), commits: 0 };
    for step in steps {
        if step < FOLDER_STEPS {
            folder_step(&input.join("tree"), step, &mut random)?;
        } else if step < FOLDER_STEPS + GIT_STEPS {
            repository.step(&mut random)?;
        } else {
            drop_step(&input.join("scans"), step, &mut random)?;
        }
    }
    Ok(())
}

fn folder_step(root: &Path, step: usize, random: &mut Random) -> Result<()> {
    let place = |random: &mut Random| {
        let folder = ["", "a", "a/b", "a/b/c", "d", "d/e"][random.below(6)];
        root.join(folder)
    };
    let mut there = BTreeMap::new();
    list(root, "", &mut there)?;
    let files: Vec<PathBuf> = there.into_values().collect();
    let pick = |random: &mut Random| files.get(random.below(files.len())).cloned();
    match (random.below(20), pick(random)) {
        (0..=7, _) | (_, None) => {
            let folder = place(random);
            fs::create_dir_all(&folder)?;
            fs::write(
                folder.join(format!("f{}.txt", random.below(400))),
                random.prose(2) + &step.to_string(),
            )?;
        }
        (8..=11, Some(file)) => fs::write(file, random.prose(3) + &step.to_string())?,
        (12..=14, Some(file)) => {
            let folder = place(random);
            fs::create_dir_all(&folder)?;
            fs::rename(file, folder.join(format!("r{}.txt", random.below(400))))?;
        }
        (15..=17, Some(file)) => fs::remove_file(file)?,
        (18, Some(_)) => {
            // A folder goes to another name with all that is in it, or on top of nothing.
            let (from, to) = (root.join("d"), root.join(format!("moved{}", random.below(5))));
            if from.exists() && !to.exists() {
                fs::rename(from, to)?;
            }
        }
        (_, Some(_)) => {
            let gone = root.join(format!("moved{}", random.below(5)));
            if gone.exists() && random.below(4) == 0 {
                fs::remove_dir_all(gone)?;
            }
        }
    }
    if step.is_multiple_of(50) {
        // Changes do not all come in one breath.
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

struct History {
    path: PathBuf,
    commits: usize,
}

impl History {
    fn step(&mut self, random: &mut Random) -> Result<()> {
        let run = |arguments: &[&str]| git(&self.path, arguments);
        let way = if self.commits < 3 { 0 } else { random.below(20) };
        match way {
            0..=13 => {
                fs::write(self.path.join(format!("m{}.rs", random.below(30))), random.prose(4))?;
                run(&["add", "-A"])?;
                run(&["commit", "-q", "--allow-empty", "-m", &format!("step {}", self.commits)])?;
                self.commits += 1;
            }
            // What a forced push leaves behind: a branch that does not descend from where it stood.
            14 | 15 => {
                run(&["reset", "-q", "--hard", "HEAD~1"])?;
                run(&[
                    "commit",
                    "-q",
                    "--allow-empty",
                    "-m",
                    &format!("instead {}", random.below(1_000_000)),
                ])?;
            }
            16 | 17 => drop(run(&["branch", "-f", &format!("topic{}", random.below(4)), "HEAD~1"])?),
            18 => drop(run(&["branch", "-D", &format!("topic{}", random.below(4))])),
            _ => {
                let tag = format!("v{}", random.below(3));
                run(&["tag", "-f", "-a", &tag, "-m", &format!("tagged {}", random.below(1_000_000))])?;
            }
        }
        Ok(())
    }
}

fn drop_step(scans: &Path, step: usize, random: &mut Random) -> Result<()> {
    let report = scans.join(format!("scan{}.sarif", random.below(40)));
    if random.below(5) == 0 && report.exists() {
        fs::remove_file(report)?;
        return Ok(());
    }
    let results: Vec<_> = (0..random.below(4))
        .map(|number| {
            serde_json::json!({"ruleId": format!("R{number}"), "message": {"text": format!("step {step}")},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": number + 1}}}]})
        })
        .collect();
    let sarif = serde_json::json!({"version": "2.1.0",
        "runs": [{"tool": {"driver": {"name": "generated"}}, "results": results}]});
    // As scanners should: written beside it, then put in place.
    let draft = scans.join(".draft");
    fs::write(&draft, sarif.to_string())?;
    fs::rename(draft, report)?;
    Ok(())
}
