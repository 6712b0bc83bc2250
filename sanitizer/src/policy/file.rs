//! The policy file.
//!
//! | key | what it says |
//! | --- | --- |
//! | `profile` | how much is taken out |
//! | `off = [TYPE]` | types that are not looked for |
//! | `[action]`, `TYPE or rule = "token"` … | what takes a value's place; `{ keep = "reason" }` leaves it |
//! | `[[rule]]` | a rule of one's own: `id`, `type`, `kind`, one of `regex`, `words`, `prefix` with `body`; `check`, `context`, `case`; `examples`, `negatives` |
//! | `[[allow]]` | what is kept: `values` (hashes), `paths` (globs), `rules` (or types), and why: `reason`; all that is given must hold |

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::allow::{Allow, Glob, HASH_DIGITS};
use super::custom::{Case, CustomRule, Shape};
use super::{Policy, Profile, Terms};
use crate::action::Action;
use crate::rules::{self, Kind};
use crate::validate::Check;

/// Rules of one's own, and entries of what is allowed, at the most.
const ENTRIES_MAX: usize = 1_000;
/// Why something is kept is said in so many bytes.
const REASON_BYTES_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    profile: Option<Spanned<String>>,
    #[serde(default)]
    off: Vec<Spanned<String>>,
    #[serde(default)]
    action: BTreeMap<String, Spanned<toml::Value>>,
    #[serde(default)]
    rule: Vec<Spanned<RawCustom>>,
    #[serde(default)]
    allow: Vec<Spanned<RawAllow>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCustom {
    id: String,
    #[serde(rename = "type")]
    type_name: String,
    kind: Option<Kind>,
    regex: Option<String>,
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    prefix: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    case: Case,
    #[serde(default)]
    check: Check,
    #[serde(default)]
    context: Vec<String>,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(default)]
    negatives: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAllow {
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    rules: Vec<String>,
    reason: String,
}

/// A policy that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct PolicyError {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong, and how to mend it.
    pub what: String,
}

/// What became of a rule of a policy file when it was tried on its own examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The rule.
    pub id: String,
    /// Where it stands, from 1.
    pub line: usize,
    /// Texts in which it must find something.
    pub examples: usize,
    /// Texts in which it must find nothing.
    pub negatives: usize,
    /// What is wrong; `None` where nothing is.
    pub wrong: Option<String>,
}

impl Policy {
    /// A rule of a policy file as it stands there; `None` where the file has none of this name.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn rule_text<'a>(text: &'a str, id: &str) -> Result<Option<&'a str>, PolicyError> {
        let raw = read(text)?;
        let Some(rule) = raw.rule.iter().find(|rule| rule.get_ref().id == id) else { return Ok(None) };
        // A span is that of the rule's header; it goes on to the next one.
        let start = rule.span().start;
        let headers = raw.rule.iter().map(Spanned::span).chain(raw.allow.iter().map(Spanned::span));
        let action = text.match_indices("\n[action").map(|(at, _)| at);
        let next = headers.map(|span| span.start).chain(action).filter(|at| *at > start).min();
        Ok(Some(text[start..next.unwrap_or(text.len())].trim_end()))
    }

    /// Reads a policy file and tries its rules.
    ///
    /// # Errors
    /// Names the line and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let raw = read(text)?;
        let at = |span: Range<usize>, what: String| PolicyError { line: line(text, span.start), what };
        let profile = match &raw.profile {
            None => Profile::default(),
            Some(name) => name.get_ref().parse().map_err(|error| at(name.span(), format!("{error}")))?,
        };
        let mut names = Names::of(&raw)?;
        let mut terms = Terms { digest: Some(digest(text)), ..Terms::default() };
        for name in &raw.off {
            names.type_or_rule(name.get_ref()).map_err(|what| at(name.span(), what))?;
            if !names.types.contains(name.get_ref()) {
                return Err(at(name.span(), format!("{:?} is a rule; off takes types", name.get_ref())));
            }
            terms.off.insert(name.get_ref().clone());
        }
        for (name, value) in &raw.action {
            let action = names.type_or_rule(name).and_then(|()| action(value.get_ref()));
            let action = action.map_err(|what| at(value.span(), format!("action {name}: {what}")))?;
            terms.actions.insert(name.clone(), action);
        }
        for rule in &raw.rule {
            let (custom, verdict) = tried(text, rule, &mut names);
            if let Some(what) = verdict.wrong {
                return Err(at(rule.span(), format!("rule {}: {what}", verdict.id)));
            }
            terms.rules.extend(custom);
        }
        for allow in &raw.allow {
            let allowed = allowed(allow.get_ref(), &names);
            terms.allow.push(allowed.map_err(|what| at(allow.span(), format!("allow: {what}")))?);
        }
        Ok(Self { profile, terms })
    }

    /// Tries the rules of a policy file one by one.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn tried(text: &str) -> Result<Vec<Verdict>, PolicyError> {
        let raw = read(text)?;
        let mut names = Names::of(&raw)?;
        Ok(raw.rule.iter().map(|rule| tried(text, rule, &mut names).1).collect())
    }
}

fn read(text: &str) -> Result<RawPolicy, PolicyError> {
    let raw: RawPolicy = toml::from_str(text).map_err(|error| PolicyError {
        line: error.span().map_or(1, |span| line(text, span.start)),
        what: error.message().to_owned(),
    })?;
    if raw.rule.len() > ENTRIES_MAX || raw.allow.len() > ENTRIES_MAX {
        return Err(PolicyError {
            line: 1,
            what: format!("it has more than {ENTRIES_MAX} rules or entries of allow"),
        });
    }
    Ok(raw)
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Of what the file says, whatever its order, spaces and comments.
fn digest(text: &str) -> [u8; 32] {
    let said = toml::from_str::<toml::Table>(text).ok().and_then(|table| toml::to_string(&table).ok());
    *blake3::hash(said.as_deref().unwrap_or(text).as_bytes()).as_bytes()
}

/// Types and rules that there are.
struct Names {
    types: BTreeSet<String>,
    rules: BTreeSet<String>,
    /// Rules of the file that were looked at.
    seen: BTreeSet<String>,
}

impl Names {
    fn of(raw: &RawPolicy) -> Result<Self, PolicyError> {
        let built_in = rules::raw().map_err(|error| PolicyError { line: 1, what: error.to_string() })?;
        let mut types: BTreeSet<String> = built_in.iter().map(|(_, rule)| rule.type_name.clone()).collect();
        types.extend(raw.rule.iter().map(|rule| rule.get_ref().type_name.clone()));
        let mut rules: BTreeSet<String> = built_in.into_iter().map(|(_, rule)| rule.id).collect();
        rules.extend(raw.rule.iter().map(|rule| rule.get_ref().id.clone()));
        rules.insert("author".to_owned());
        Ok(Self { types, rules, seen: BTreeSet::new() })
    }

    fn type_or_rule(&self, name: &str) -> Result<(), String> {
        if self.types.contains(name) || self.rules.contains(name) {
            return Ok(());
        }
        Err(format!("there is no type or rule {name:?}; `certus-agent rules ls` lists them"))
    }
}

fn action(value: &toml::Value) -> Result<Action, String> {
    let choice = "give \"token\", \"mask\", \"drop\", \"domain\", \"network\" or { keep = \"the reason\" }";
    match value {
        toml::Value::String(name) => {
            Action::named(name).ok_or_else(|| format!("{name:?} is no action; {choice}"))
        }
        toml::Value::Table(table) => match table.get("keep") {
            Some(toml::Value::String(why)) if table.len() == 1 => reason(why).map(Action::Keep),
            _ => Err(choice.to_owned()),
        },
        _ => Err(choice.to_owned()),
    }
}

fn reason(text: &str) -> Result<std::sync::Arc<str>, String> {
    if text.trim().is_empty() || text.len() > REASON_BYTES_MAX {
        return Err(format!("what is kept needs a reason, {REASON_BYTES_MAX} bytes at the most"));
    }
    Ok(text.into())
}

fn tried(text: &str, rule: &Spanned<RawCustom>, names: &mut Names) -> (Option<CustomRule>, Verdict) {
    let raw = rule.get_ref();
    let made = if names.seen.insert(raw.id.clone()) && !is_built_in(&raw.id) {
        custom(raw).and_then(|rule| rule.tried(&raw.examples, &raw.negatives).map(|()| rule))
    } else {
        Err("its id is taken by another rule".to_owned())
    };
    let verdict = Verdict {
        id: raw.id.clone(),
        line: line(text, rule.span().start),
        examples: raw.examples.len(),
        negatives: raw.negatives.len(),
        wrong: made.as_ref().err().cloned(),
    };
    (made.ok(), verdict)
}

fn is_built_in(id: &str) -> bool {
    id == "author" || rules::raw().is_ok_and(|all| all.iter().any(|(_, rule)| rule.id == id))
}

fn custom(raw: &RawCustom) -> Result<CustomRule, String> {
    let given = (&raw.regex, raw.words.is_empty(), raw.prefix.is_empty(), &raw.body);
    let shape = match given {
        (Some(regex), true, true, None) => Shape::Expression(regex.clone()),
        (None, false, true, None) => Shape::Words(raw.words.clone(), raw.case),
        (None, true, false, Some(body)) => Shape::Token(raw.prefix.clone(), body.clone()),
        _ => return Err("it needs one of regex, words, prefix with body".to_owned()),
    };
    Ok(CustomRule {
        id: raw.id.clone(),
        type_name: raw.type_name.clone(),
        kind: raw.kind.unwrap_or(Kind::Secret),
        shape,
        check: raw.check,
        context: raw.context.clone(),
    })
}

fn allowed(raw: &RawAllow, names: &Names) -> Result<Allow, String> {
    if raw.values.is_empty() && raw.paths.is_empty() && raw.rules.is_empty() {
        return Err("it needs values, paths or rules".to_owned());
    }
    let hash = |text: &&String| {
        text.len() == HASH_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    if let Some(number) = raw.values.iter().position(|text| !hash(&text)) {
        // It may be the value itself: it is not repeated.
        return Err(format!("value {} is no hash; `certus-agent rules hash` makes one", number + 1));
    }
    raw.rules.iter().try_for_each(|name| names.type_or_rule(name))?;
    let glob = |text: &String| Glob::parse(text).ok_or_else(|| format!("{text:?} is no pattern of paths"));
    let paths = raw.paths.iter().map(glob).collect::<Result<_, _>>()?;
    Ok(Allow { values: raw.values.clone(), paths, rules: raw.rules.clone(), reason: reason(&raw.reason)? })
}
