//! `rules`: what the rules are, and whether those of a policy file do what their examples say.

use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};

use certus_sanitizer::rules::{self, RawRule};
use certus_sanitizer::{Kind, Policy, PseudonymKey, check_name};
use zeroize::Zeroizing;

use super::CliError;

#[derive(Debug, clap::Subcommand)]
pub(super) enum RulesCommand {
    /// List the rules built in, or those of a policy file.
    Ls {
        /// As JSON, one rule a line.
        #[arg(long)]
        json: bool,
        /// The policy file.
        #[arg(long)]
        policy: Option<PathBuf>,
    },
    /// Show a rule as it stands in its table, or in a policy file.
    Show {
        /// Its name.
        id: String,
        /// The policy file.
        #[arg(long)]
        policy: Option<PathBuf>,
    },
    /// Try the rules of a policy file on their own examples; exit status 65 if one fails.
    Test {
        /// The policy file.
        file: PathBuf,
    },
    /// Print the hashes of values for a policy's `[[allow]]`, one a line, read from standard input.
    Hash,
}

pub(super) fn run(
    command: &RulesCommand,
    key: impl FnOnce() -> Result<Option<PseudonymKey>, CliError>,
) -> Result<(), CliError> {
    match command {
        RulesCommand::Ls { json, policy } => list(*json, policy.as_deref()),
        RulesCommand::Show { id, policy } => show(id, policy.as_deref()),
        RulesCommand::Test { file } => test(file),
        RulesCommand::Hash => hash(key()?),
    }
}

fn all() -> Result<Vec<(Kind, RawRule)>, CliError> {
    rules::raw().map_err(|error| CliError::Failed(error.to_string()))
}

fn form(rule: &RawRule) -> &'static str {
    match rule {
        _ if !rule.prefix.is_empty() => "prefix",
        _ if !rule.words.is_empty() => "word",
        _ if !rule.number.is_empty() || !rule.written.is_empty() => "number",
        _ if rule.regex.is_some() => "expression",
        _ => "finder",
    }
}

fn row(kind: Kind, rule: &RawRule) -> serde_json::Value {
    serde_json::json!({
        "id": rule.id, "type": rule.type_name, "kind": kind.as_str(), "form": form(rule),
        "check": check_name(rule.check), "source": rule.source,
    })
}

fn list(json: bool, policy: Option<&Path>) -> Result<(), CliError> {
    if let Some(file) = policy {
        let text = read(file)?;
        let policy = Policy::parse(&text).map_err(|error| wrong(file, &error))?;
        for (id, kind, type_name) in policy.terms.own_rules() {
            let row = serde_json::json!({"id": id, "type": type_name, "kind": kind.as_str()});
            say_row(json, &row, (id, kind, type_name));
        }
        return Ok(());
    }
    for (kind, rule) in all()? {
        say_row(json, &row(kind, &rule), (&rule.id, kind, &rule.type_name));
    }
    Ok(())
}

fn say_row(json: bool, row: &serde_json::Value, (id, kind, type_name): (&str, Kind, &str)) {
    if json {
        say!("{row}");
    } else {
        say!("{id:<40} {:<7} {type_name}", kind.as_str());
    }
}

fn show(id: &str, policy: Option<&Path>) -> Result<(), CliError> {
    if let Some(file) = policy {
        let text = read(file)?;
        let found = Policy::rule_text(&text, id).map_err(|error| wrong(file, &error))?;
        let found = found.ok_or_else(|| wrong(file, &format!("there is no rule {id:?} in it")))?;
        say!("{found}");
        return Ok(());
    }
    let found = all()?.into_iter().find(|(_, rule)| rule.id == id).zip(rules::text(id));
    let Some(((kind, rule), (family, text))) = found else {
        let what = format!("there is no rule {id:?} built in; `certus-agent rules ls` lists them");
        return Err(CliError::Data(what));
    };
    say!("# A {} of the family {family}, found by its {}.\n{text}", kind.as_str(), form(&rule));
    Ok(())
}

fn read(file: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(file).map_err(|error| wrong(file, &error))
}

fn wrong(file: &Path, what: &dyn std::fmt::Display) -> CliError {
    CliError::Data(format!("{}: {what}", file.display()))
}

fn test(file: &Path) -> Result<(), CliError> {
    let text = read(file)?;
    let verdicts = Policy::tried(&text).map_err(|error| wrong(file, &error))?;
    let mut failed = 0;
    for verdict in &verdicts {
        match &verdict.wrong {
            None => {
                say!("pass {}: {} examples, {} negatives", verdict.id, verdict.examples, verdict.negatives)
            }
            Some(what) => {
                failed += 1;
                say!("FAIL {}, line {}: {what}", verdict.id, verdict.line);
            }
        }
    }
    if failed > 0 {
        return Err(wrong(file, &format!("{failed} of {} rules fail", verdicts.len())));
    }
    // The rest of the file as well.
    Policy::parse(&text).map(|_| ()).map_err(|error| wrong(file, &error))
}

fn hash(key: Option<PseudonymKey>) -> Result<(), CliError> {
    let key = key.ok_or_else(|| {
        let what =
            "there is no pseudonym key yet, and hashes hold for one only; `certus-agent key new` makes one";
        CliError::Data(what.to_owned())
    })?;
    for line in stdin().lock().lines() {
        let value = Zeroizing::new(line.map_err(|error| CliError::Data(format!("standard input: {error}")))?);
        say!("{}", key.allowed(value.as_bytes()));
    }
    Ok(())
}
