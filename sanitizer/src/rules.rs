//! The rules: read from tables, checked, compiled. A table that is wrong stops everything: nothing leaves unsanitized.
//!
//! A rule is either a token (`prefix` and `body`, see [`crate::template`]) or a regular expression whose first group is the
//! value. `anchors` (for tokens: the prefixes) or `trigger` say where it is tried; `before` and `after` how
//! far around, in bytes. `filter` and `check` throw out what has the form but can't be meant.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::filter::Filter;
use crate::policy::Profile;
use crate::template;
use crate::validate::Check;

/// The tables built in, as text.
pub(crate) const TABLES: [&str; 5] = [
    include_str!("../rules/cloud.toml"),
    include_str!("../rules/forge.toml"),
    include_str!("../rules/services.toml"),
    include_str!("../rules/structure.toml"),
    include_str!("../rules/personal.toml"),
];

const REGEX_BYTES_MAX: usize = 2 << 20;
const REGEX_CACHE_BYTES_MAX: usize = 256 << 10;
const BEFORE_DEFAULT: usize = 32;
const AFTER_DEFAULT: usize = 256;

/// What sort of thing is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Gives access.
    Secret,
    /// Tells of a person.
    Pii,
}

impl Kind {
    /// `secret` or `pii`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Pii => "pii",
        }
    }
}

/// A rule table is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The table can't be read.
    #[error("rule table {table}: {cause}")]
    Table {
        /// Its place among the tables, from 0.
        table: usize,
        /// What is wrong, with the line.
        cause: String,
    },
    /// A rule is wrong.
    #[error("rule {id}: {cause}")]
    Rule {
        /// Which one.
        id: String,
        /// What is wrong.
        cause: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    kind: Kind,
    rule: Vec<RawRule>,
}

/// A rule as it stands in its table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    /// Its name.
    pub id: String,
    /// What stands in the replacement.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Where the format is documented.
    pub source: String,
    /// How its tokens begin.
    #[serde(default)]
    pub prefix: Vec<String>,
    /// What follows a prefix, see [`crate::template`].
    pub body: Option<String>,
    /// Texts near which the expression is tried.
    #[serde(default)]
    pub anchors: Vec<String>,
    /// Whether case matters in anchors: it does unless this is true.
    #[serde(default)]
    pub nocase: bool,
    /// What else makes the expression be tried: `digits` or `random`.
    pub trigger: Option<Trigger>,
    /// The expression; group 1 is the value.
    pub regex: Option<String>,
    /// Bytes before an anchor that belong to the expression.
    pub before: Option<usize>,
    /// Bytes after an anchor's start that belong to it.
    pub after: Option<usize>,
    /// Throws out what is no value.
    #[serde(default)]
    pub filter: Filter,
    /// Throws out what has a wrong checksum.
    #[serde(default)]
    pub check: Check,
    /// Words of which one must stand shortly before.
    #[serde(default)]
    pub context: Vec<String>,
    /// `high`: only in profiles for high recall.
    #[serde(default)]
    pub recall: Recall,
    /// Texts that must be found, as formats.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Texts in which this rule must find nothing.
    #[serde(default)]
    pub negatives: Vec<String>,
}

/// What makes an expression be tried where it has no anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// A group of digits, as of numbers and addresses.
    Digits,
    /// A long run of characters of tokens.
    Random,
}

/// In which profiles a rule is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recall {
    /// In all.
    #[default]
    Balanced,
    /// Not in `balanced`.
    High,
}

/// A rule, checked.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) type_name: String,
    pub(crate) kind: Kind,
    pub(crate) anchors: Vec<String>,
    pub(crate) nocase: bool,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) before: usize,
    pub(crate) after: usize,
    pub(crate) filter: Filter,
    pub(crate) check: Check,
    pub(crate) context: Vec<String>,
    expression: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Rule {
    /// The compiled expression, made when it is first needed; `None` where it can't be compiled, so that the caller
    /// holds the item back.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| build(&self.expression).ok()).as_ref()
    }
}

/// All rules of the tables, raw, with their kinds.
///
/// # Errors
/// A table can't be read.
pub fn raw() -> Result<Vec<(Kind, RawRule)>, RulesError> {
    let mut all = Vec::new();
    for (table, text) in TABLES.iter().enumerate() {
        let raw: RawTable =
            toml::from_str(text).map_err(|error| RulesError::Table { table, cause: error.to_string() })?;
        all.extend(raw.rule.into_iter().map(|rule| (raw.kind, rule)));
    }
    Ok(all)
}

/// The rules that a profile uses.
pub(crate) fn load(profile: Profile) -> Result<Vec<Rule>, RulesError> {
    let wanted = |(kind, rule): &(Kind, RawRule)| match profile {
        Profile::Balanced => rule.recall == Recall::Balanced,
        Profile::HighRecall => true,
        Profile::SecretsOnly => *kind == Kind::Secret,
        Profile::PiiOnly => *kind == Kind::Pii,
    };
    let rules: Result<Vec<Rule>, _> =
        raw()?.into_iter().filter(wanted).map(|(kind, rule)| checked(kind, rule)).collect();
    let rules = rules?;
    let mut names: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(RulesError::Rule { id: twice[0].to_owned(), cause: "stands twice".to_owned() }),
        None => Ok(rules),
    }
}

fn checked(kind: Kind, raw: RawRule) -> Result<Rule, RulesError> {
    let wrong = |cause: &str| RulesError::Rule { id: raw.id.clone(), cause: cause.to_owned() };
    let named =
        !raw.type_name.is_empty() && raw.type_name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    if !named {
        return Err(wrong("its type must be of A-Z and _"));
    }
    let (expression, anchors, before, after) = match (&raw.body, &raw.regex) {
        (Some(body), None) if !raw.prefix.is_empty() => {
            let pieces = template::parse(body).map_err(|cause| wrong(&cause))?;
            let body = template::regex(&pieces).map_err(|cause| wrong(&cause))?;
            let prefixes: Vec<String> = raw.prefix.iter().map(|prefix| regex::escape(prefix)).collect();
            let expression =
                format!("(?:^|[^0-9A-Za-z])((?:{}){body})(?:[^0-9A-Za-z]|$)", prefixes.join("|"));
            let longest = raw.prefix.iter().map(String::len).max().unwrap_or(0);
            (expression, raw.prefix.clone(), 1, longest + template::longest(&pieces) + 1)
        }
        (None, Some(expression)) if !raw.anchors.is_empty() || raw.trigger.is_some() => {
            let before = raw.before.unwrap_or(BEFORE_DEFAULT);
            (expression.clone(), raw.anchors.clone(), before, raw.after.unwrap_or(AFTER_DEFAULT))
        }
        _ => return Err(wrong("it needs either prefix and body, or regex and anchors or trigger")),
    };
    if regex_syntax_groups(&expression).is_none_or(|groups| groups < 1) {
        return Err(wrong("its expression can't be read or has no group for the value"));
    }
    Ok(Rule {
        id: raw.id,
        type_name: raw.type_name,
        kind,
        anchors,
        nocase: raw.nocase,
        trigger: raw.trigger,
        before,
        after,
        filter: raw.filter,
        check: raw.check,
        context: raw.context,
        expression,
        compiled: OnceLock::new(),
    })
}

/// How many explicit groups an expression has; `None` where it can't be read.
fn regex_syntax_groups(expression: &str) -> Option<usize> {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    parser.parse(expression).ok().map(|hir| hir.properties().explicit_captures_len())
}

fn build(expression: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(expression)
        .unicode(false)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_CACHE_BYTES_MAX)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles_within_its_limits() {
        for rule in load(Profile::HighRecall).expect("the tables are right") {
            assert!(rule.regex().is_some(), "{}: {:?}", rule.id, build(&rule.expression).err());
            assert!(rule.anchors.iter().all(|anchor| anchor.len() >= 2 || anchor == "@"), "{}", rule.id);
        }
    }

    #[test]
    fn every_rule_says_where_its_format_is_documented() {
        for (_, rule) in raw().expect("the tables are right") {
            assert!(rule.source.starts_with("https://"), "{}", rule.id);
        }
    }

    #[test]
    fn a_wrong_rule_is_refused_by_name() {
        let rule = |text: &str| {
            let raw: RawRule = toml::from_str(text).expect("a rule's fields");
            checked(Kind::Secret, raw).map(|_| ()).unwrap_err().to_string()
        };
        let head = "id = \"x\"\nsource = \"https://x\"\n";
        assert!(rule(&format!("{head}type = \"a b\"")).contains("rule x: its type"));
        assert!(rule(&format!("{head}type = \"A\"")).contains("prefix and body"));
        assert!(
            rule(&format!("{head}type = \"A\"\nprefix = [\"p\"]\nbody = \"nothing:3\""))
                .contains("nothing:3")
        );
        assert!(rule(&format!("{head}type = \"A\"\nanchors = [\"p\"]\nregex = \"a\"")).contains("no group"));
    }
}
