//! What is taken out: the profile, and the hash that names rules and profile together.

use std::fmt;
use std::str::FromStr;

use certus_protocol::ids::PolicyHash;

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
        let hash = hasher.finalize();
        PolicyHash(std::array::from_fn(|i| hash.as_bytes()[i]))
    }
}
