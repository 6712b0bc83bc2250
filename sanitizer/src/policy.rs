//! What is taken out, and what takes its place: the profile, and what a policy file says beyond it.
//!
//! The form of the file stands in `policy/file.rs`, an example in `deploy/policy.toml`. Nothing in a document can change
//! what the policy says: comments such as other scanners heed mean nothing here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use certus_protocol::ids::PolicyHash;

use crate::action::Action;
use crate::pseudonym::PseudonymKey;
use crate::rules::Kind;

mod allow;
mod custom;
mod file;

use allow::Allow;
pub(crate) use custom::CustomRule;
pub use file::{PolicyError, Verdict};

/// How much is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// What is hardly ever wrong.
    Balanced,
    /// What may be wrong now and then, but misses less: for a border.
    #[default]
    HighRecall,
    /// Secrets as in `HighRecall`, no personal data.
    SecretsOnly,
    /// Personal data as in `HighRecall`, no secrets.
    PiiOnly,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 4] = [Self::Balanced, Self::HighRecall, Self::SecretsOnly, Self::PiiOnly];

    /// The profile's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::HighRecall => "high-recall",
            Self::SecretsOnly => "secrets-only",
            Self::PiiOnly => "pii-only",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("profile {0:?} is none of balanced, high-recall, secrets-only, pii-only")]
pub struct UnknownProfile(String);

impl FromStr for Profile {
    type Err = UnknownProfile;
    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        let named = Self::ALL.into_iter().find(|profile| profile.as_str() == text);
        named.ok_or_else(|| UnknownProfile(text.to_owned()))
    }
}

/// What is taken out, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// How much.
    pub profile: Profile,
    /// What a policy file says beyond that.
    pub terms: Terms,
}

impl From<Profile> for Policy {
    fn from(profile: Profile) -> Self {
        Self { profile, terms: Terms::default() }
    }
}

impl Policy {
    /// Names this policy together with the rules built in.
    pub fn hash(&self) -> PolicyHash {
        let mut hasher = blake3::Hasher::new_derive_key("certus policy v1");
        hasher.update(self.profile.as_str().as_bytes());
        for (_, table) in crate::rules::TABLES {
            hasher.update(&(table.len() as u64).to_le_bytes());
            hasher.update(table.as_bytes());
        }
        if let Some(digest) = &self.terms.digest {
            hasher.update(digest);
        }
        let hash = hasher.finalize();
        PolicyHash(std::array::from_fn(|i| hash.as_bytes()[i]))
    }

    /// The profile and the types that are turned off, as envelopes declare them: `high-recall without PHONE,USER`.
    pub fn label(&self) -> String {
        let off: Vec<&str> = self.terms.off.iter().map(String::as_str).collect();
        if off.is_empty() {
            self.profile.to_string()
        } else {
            format!("{}{WITHOUT}{}", self.profile, off.join(","))
        }
    }
}

/// Stands in a label between the profile and the types that are turned off.
const WITHOUT: &str = " without ";

/// The profile's name in a label, and the types that are turned off.
pub fn read_label(label: &str) -> (&str, Vec<&str>) {
    match label.split_once(WITHOUT) {
        Some((profile, off)) => (profile, off.split(',').collect()),
        None => (label, Vec::new()),
    }
}

/// What a policy file says beyond the profile; the default says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Types that are not looked for.
    off: BTreeSet<String>,
    /// By type or rule.
    actions: BTreeMap<String, Action>,
    rules: Vec<CustomRule>,
    allow: Vec<Allow>,
    /// Of all that the file says.
    digest: Option<[u8; 32]>,
}

impl Terms {
    /// What is done with the values of a rule.
    pub(crate) fn action(&self, rule: &str, type_name: &str) -> Action {
        self.actions.get(rule).or_else(|| self.actions.get(type_name)).cloned().unwrap_or_default()
    }

    /// Whether a type is not looked for.
    pub(crate) fn is_off(&self, type_name: &str) -> bool {
        self.off.contains(type_name)
    }

    /// The customer's own rules.
    pub(crate) fn rules(&self) -> &[CustomRule] {
        &self.rules
    }

    /// The customer's own rules: name, kind and type.
    pub fn own_rules(&self) -> impl Iterator<Item = (&str, Kind, &str)> {
        self.rules.iter().map(|rule| (&*rule.id, rule.kind, &*rule.type_name))
    }

    /// Whether anything may be kept.
    pub(crate) fn keep(&self) -> bool {
        !self.allow.is_empty() || self.actions.values().any(|action| matches!(action, Action::Keep(_)))
    }

    /// Why a value stays; `None` where it goes.
    pub(crate) fn reason(
        &self,
        key: &PseudonymKey,
        (rule, type_name): (&str, &str),
        path: &str,
        value: &[u8],
    ) -> Option<&Arc<str>> {
        let action = self.actions.get(rule).or_else(|| self.actions.get(type_name));
        if let Some(Action::Keep(reason)) = action {
            return Some(reason);
        }
        self.allow
            .iter()
            .find(|allow| allow.covers(key, (rule, type_name), path, value))
            .map(|allow| &allow.reason)
    }
}
