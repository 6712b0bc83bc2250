//! `rules`: what the rules are, and whether those of a policy file do what their examples say.

use std::io::{BufRead, stdin};
use std::path::PathBuf;

use certus_sanitizer::rules::{self, RawRule};
use certus_sanitizer::{Kind, Policy, PseudonymKey, check_name};
use zeroize::Zeroizing;

use super::CliError;

#[derive(Debug, clap::Subcommand)]
pub(super) enum RulesCommand {
    /// List the rules built in.
    Ls {
        /// As JSON, one rule a line.
        #[arg(long)]
        json: bool,
    },
    /// Show a rule.
    Show {
        /// Its name.
        id: String,
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
        RulesCommand::Ls { json } => {
            for (kind, rule) in all()? {
                if *json {
                    say!("{}", row(kind, &rule));
                } else {
                    say!("{:<40} {:<7} {}", rule.id, kind.as_str(), rule.type_name);
                }
            }
            Ok(())
        }
        RulesCommand::Show { id } => show(id),
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

fn show(id: &str) -> Result<(), CliError> {
    let found = all()?.into_iter().find(|(_, rule)| rule.id == id);
    let Some((kind, rule)) = found else {
        return Err(CliError::Data(format!("there is no rule {id:?}; `certus-agent rules ls` lists them")));
    };
    let line = |name: &str, text: &str| {
        if !text.is_empty() {
            say!("{name:<10} {text}");
        }
    };
    line("rule", &rule.id);
    line("type", &rule.type_name);
    line("kind", kind.as_str());
    line("found by", form(&rule));
    line("prefix", &rule.prefix.join(" "));
    line("words", &rule.words.join(" "));
    line("body", rule.body.as_deref().unwrap_or_default());
    line("number", &rule.number.join(" | "));
    line("written", &rule.written.join(" | "));
    line("anchors", &rule.anchors.join(" "));
    line("regex", rule.regex.as_deref().unwrap_or_default());
    line("context", &rule.context.join(" "));
    line("check", &check_name(rule.check).unwrap_or_default());
    line("sum", &check_name(rule.sum).unwrap_or_default());
    line("source", &rule.source);
    Ok(())
}

fn test(file: &PathBuf) -> Result<(), CliError> {
    let wrong = |what: String| CliError::Data(format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let verdicts = Policy::tried(&text).map_err(|error| wrong(error.to_string()))?;
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
        return Err(wrong(format!("{failed} of {} rules fail", verdicts.len())));
    }
    // The rest of the file as well.
    Policy::parse(&text).map(|_| ()).map_err(|error| wrong(error.to_string()))
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
