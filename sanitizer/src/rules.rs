//! The rules: read from tables, checked, compiled. A table that is wrong stops everything: nothing leaves unsanitized.
//!
//! A rule takes one of five forms. A *token* is known by its own look: `prefix` and `body` (see [`crate::template`]). A *keyed*
//! value is known by a word shortly before it: `words` and `body`. A *number* of somebody is known by its digits and their
//! checksum: `number`. An *expression* is tried around its `anchors`, its first group is the value.
//! What none of these can say is found by code that `finder` names. `filter` and `check` throw out what has the form but
//! can't be meant, `sum` only tells how sure it is; `context` are words of which one must stand near.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::filter::Filter;
use crate::policy::Profile;
use crate::template::{self, Piece};
use crate::validate::Check;

/// The tables built in: family and text. Where values overlap, the rule that stands first names them.
pub(crate) const TABLES: &[(&str, &str)] = &[
    ("cloud", include_str!("../rules/cloud.toml")),
    ("forge", include_str!("../rules/forge.toml")),
    ("ci", include_str!("../rules/ci.toml")),
    ("ai", include_str!("../rules/ai.toml")),
    ("databases", include_str!("../rules/databases.toml")),
    ("identity", include_str!("../rules/identity.toml")),
    ("monitoring", include_str!("../rules/monitoring.toml")),
    ("network", include_str!("../rules/network.toml")),
    ("payment", include_str!("../rules/payment.toml")),
    ("accounting", include_str!("../rules/accounting.toml")),
    ("market", include_str!("../rules/market.toml")),
    ("ledger", include_str!("../rules/ledger.toml")),
    ("exchange", include_str!("../rules/exchange.toml")),
    ("chat", include_str!("../rules/chat.toml")),
    ("mail", include_str!("../rules/mail.toml")),
    ("telephony", include_str!("../rules/telephony.toml")),
    ("social", include_str!("../rules/social.toml")),
    ("marketing", include_str!("../rules/marketing.toml")),
    ("crm", include_str!("../rules/crm.toml")),
    ("analytics", include_str!("../rules/analytics.toml")),
    ("wallet", include_str!("../rules/wallet.toml")),
    ("geo", include_str!("../rules/geo.toml")),
    ("lookup", include_str!("../rules/lookup.toml")),
    ("project", include_str!("../rules/project.toml")),
    ("workspace", include_str!("../rules/workspace.toml")),
    ("document", include_str!("../rules/document.toml")),
    ("commerce", include_str!("../rules/commerce.toml")),
    ("media", include_str!("../rules/media.toml")),
    ("support", include_str!("../rules/support.toml")),
    ("facts", include_str!("../rules/facts.toml")),
    ("scraping", include_str!("../rules/scraping.toml")),
    ("content", include_str!("../rules/content.toml")),
    ("structure", include_str!("../rules/structure.toml")),
    ("address", include_str!("../rules/address.toml")),
    ("accounts", include_str!("../rules/accounts.toml")),
    ("national", include_str!("../rules/national.toml")),
    ("national-world", include_str!("../rules/national-world.toml")),
    ("personal", include_str!("../rules/personal.toml")),
    ("persons", include_str!("../rules/persons.toml")),
];

const REGEX_BYTES_MAX: usize = 2 << 20;
const REGEX_CACHE_BYTES_MAX: usize = 256 << 10;
/// What prefixes have at the least, in bytes.
const PREFIX_MIN: usize = 2;
/// What words and anchors have at the least, in bytes.
const LITERAL_MIN: usize = 3;
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
        /// Which one.
        table: String,
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
    /// Token: how it begins.
    #[serde(default)]
    pub prefix: Vec<String>,
    /// Keyed: words of which one stands shortly before the value.
    #[serde(default)]
    pub words: Vec<String>,
    /// Token: what follows a prefix; keyed: the value. See [`crate::template`].
    pub body: Option<String>,
    /// Number: its letters (in upper case) and digits, without what separates them; it needs `context` or to be `alone`.
    #[serde(default)]
    pub number: Vec<String>,
    /// Number: as it is written where that alone tells what it is.
    #[serde(default)]
    pub written: Vec<String>,
    /// Expression: literals of which one stands in every match.
    #[serde(default)]
    pub anchors: Vec<String>,
    /// Whether case matters in anchors: it does unless this is true.
    #[serde(default)]
    pub nocase: bool,
    /// Whether anchors may stand inside a word: otherwise one that begins with a letter or a digit begins a word.
    #[serde(default)]
    pub inside: bool,
    /// The expression; group 1 is the value.
    pub regex: Option<String>,
    /// Bytes before an anchor that belong to the expression.
    pub before: Option<usize>,
    /// Bytes after an anchor's start that belong to it.
    pub after: Option<usize>,
    /// The code that finds it.
    pub finder: Option<Finder>,
    /// Throws out what is no value.
    #[serde(default)]
    pub filter: Filter,
    /// Throws out what has a wrong checksum.
    #[serde(default)]
    pub check: Check,
    /// A checksum that tells how sure a finding is, and throws nothing out.
    #[serde(default)]
    pub sum: Check,
    /// Words of which one must stand shortly before.
    #[serde(default)]
    pub context: Vec<String>,
    /// Whether it needs no context where nothing else stands in its line.
    #[serde(default)]
    pub alone: bool,
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

/// Code that finds what the other forms can't say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finder {
    /// What is assigned to something that is called a password.
    Password,
    /// What is assigned to something that is called a secret, token or key.
    Secret,
    /// What looks drawn at random.
    Random,
    /// A UUID that may be a credential.
    Uuid,
    /// A private key of a wallet in Base58.
    WalletKey,
    /// An address of a wallet in Base58.
    WalletAddress,
    /// An address of mail.
    Email,
    /// An address of some machine, version 4.
    Ipv4,
    /// An address of some machine, version 6.
    Ipv6,
    /// A hardware address.
    Mac,
    /// A person's name, in a place for names.
    Person,
    /// A postal address.
    Address,
    /// A date of birth.
    Birth,
    /// Where somebody is.
    Position,
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
    pub(crate) form: Form,
    pub(crate) filter: Filter,
    pub(crate) check: Check,
    pub(crate) sum: Check,
    pub(crate) context: Vec<String>,
    /// Whether it needs no context where nothing else stands in its line.
    pub(crate) alone: bool,
    pub(crate) recall: Recall,
}

impl Rule {
    /// Which of its checksums holds for a value that it found.
    pub(crate) fn held(&self, value: &[u8]) -> Check {
        if self.sum != Check::None && self.sum.holds(value) { self.sum } else { self.check }
    }
}

/// How a rule's values are found.
#[derive(Debug)]
pub(crate) enum Form {
    Token {
        prefix: Vec<String>,
        body: Vec<Piece>,
    },
    Keyed {
        words: Vec<String>,
        body: Vec<Piece>,
    },
    Number {
        compact: Vec<Vec<Piece>>,
        written: Vec<Vec<Piece>>,
    },
    Expression(Expression),
    Finder(Finder),
    /// Of a customer: an expression that is tried everywhere.
    Everywhere(Regex),
    /// Of a customer: words.
    List(AhoCorasick),
}

/// An expression and where it is tried.
#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) anchors: Vec<String>,
    pub(crate) nocase: bool,
    pub(crate) inside: bool,
    pub(crate) before: usize,
    pub(crate) after: usize,
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Expression {
    /// The compiled expression, made when it is first needed; `None` where it can't be compiled, so that the caller
    /// holds the item back.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| build(&self.text).ok()).as_ref()
    }
}

/// All rules of the tables, raw, with their kinds.
///
/// # Errors
/// A table can't be read.
pub fn raw() -> Result<Vec<(Kind, RawRule)>, RulesError> {
    let mut all = Vec::new();
    for (table, text) in TABLES {
        let raw: RawTable = toml::from_str(text)
            .map_err(|error| RulesError::Table { table: (*table).to_owned(), cause: error.to_string() })?;
        all.extend(raw.rule.into_iter().map(|rule| (raw.kind, rule)));
    }
    Ok(all)
}

/// A rule as it stands in its table, which is named: the family that it belongs to.
pub fn text(id: &str) -> Option<(&'static str, &'static str)> {
    let first = format!("id = \"{id}\"");
    TABLES.iter().find_map(|(table, text)| {
        let rule = text.split("[[rule]]\n").skip(1).find(|rule| rule.lines().next() == Some(&*first))?;
        Some((*table, rule.trim_end()))
    })
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
    let id = raw.id.clone();
    let wrong = |cause: String| RulesError::Rule { id: id.clone(), cause };
    let named =
        !raw.type_name.is_empty() && raw.type_name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    if !named {
        return Err(wrong("its type must be of A-Z and _".to_owned()));
    }
    Ok(Rule {
        form: form(&raw).map_err(wrong)?,
        id: raw.id,
        type_name: raw.type_name,
        kind,
        filter: raw.filter,
        check: raw.check,
        sum: raw.sum,
        context: raw.context,
        alone: raw.alone,
        recall: raw.recall,
    })
}

fn form(raw: &RawRule) -> Result<Form, String> {
    let body = || template::parse(raw.body.as_deref().unwrap_or_default());
    let short = |texts: &[String]| texts.iter().find(|text| text.len() < LITERAL_MIN).cloned();
    let given = [
        !raw.prefix.is_empty(),
        !raw.words.is_empty(),
        !raw.number.is_empty() || !raw.written.is_empty(),
        raw.regex.is_some(),
        raw.finder.is_some(),
    ];
    if let Some(text) = raw.prefix.iter().find(|prefix| prefix.len() < PREFIX_MIN) {
        return Err(format!("{text:?} is shorter than {PREFIX_MIN} characters"));
    }
    if let Some(text) = short(&raw.words).or_else(|| short(&raw.anchors)) {
        return Err(format!("{text:?} is shorter than {LITERAL_MIN} characters"));
    }
    match given {
        [true, false, false, false, false] => Ok(Form::Token { prefix: raw.prefix.clone(), body: body()? }),
        [false, true, false, false, false] => Ok(Form::Keyed { words: raw.words.clone(), body: body()? }),
        [false, false, true, false, false] => {
            let parsed =
                |bodies: &[String]| bodies.iter().map(|body| template::parse(body)).collect::<Result<_, _>>();
            Ok(Form::Number { compact: parsed(&raw.number)?, written: parsed(&raw.written)? })
        }
        [false, false, false, true, false] => expression(raw).map(Form::Expression),
        [false, false, false, false, true] => {
            raw.finder.map(Form::Finder).ok_or_else(|| "it has no finder".to_owned())
        }
        _ => Err("it needs exactly one of prefix, words, number, regex, finder".to_owned()),
    }
}

fn expression(raw: &RawRule) -> Result<Expression, String> {
    let text = raw.regex.clone().unwrap_or_default();
    if raw.anchors.is_empty() {
        return Err("its expression needs anchors".to_owned());
    }
    if groups(&text).is_none_or(|groups| groups < 1) {
        return Err("its expression can't be read or has no group for the value".to_owned());
    }
    Ok(Expression {
        anchors: raw.anchors.clone(),
        nocase: raw.nocase,
        inside: raw.inside,
        before: raw.before.unwrap_or(BEFORE_DEFAULT),
        after: raw.after.unwrap_or(AFTER_DEFAULT),
        text,
        compiled: OnceLock::new(),
    })
}

/// How many explicit groups an expression has; `None` where it can't be read.
fn groups(expression: &str) -> Option<usize> {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
    parser.parse(expression).ok().map(|hir| hir.properties().explicit_captures_len())
}

/// Compiles an expression within its limits.
pub(crate) fn build(expression: &str) -> Result<Regex, regex::Error> {
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
            if let Form::Expression(expression) = &rule.form {
                assert!(expression.regex().is_some(), "{}: {:?}", rule.id, build(&expression.text).err());
            }
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
        assert!(rule(&format!("{head}type = \"A\"")).contains("exactly one of"));
        let token = |prefix: &str, body: &str| {
            rule(&format!("{head}type = \"A\"\nprefix = [\"{prefix}\"]\nbody = \"{body}\""))
        };
        assert!(token("pre", "nothing:3").contains("nothing:3"));
        assert!(token("p", "alnum:3").contains("shorter"));
        assert!(
            rule(&format!("{head}type = \"A\"\nanchors = [\"pre\"]\nregex = \"a\"")).contains("no group")
        );
    }
}
