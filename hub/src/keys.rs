//! API keys: made here, shown once, kept as hashes, bound to a tenant and to scopes.
//!
//! A key is `certus_<16 hexadecimal digits>_<64 hexadecimal digits>`: its id, then its secret.

use std::collections::BTreeSet;
use std::sync::Arc;

use certus_protocol::ids::{ContentHash, Tenant};
use serde::{Deserialize, Serialize};

use crate::authority;
use crate::clock::Clock;
use crate::objects::{Key, Objects, ObjectsError};
use crate::state::{self, StateError};

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Searching and reading documents.
    Search,
    /// Reading findings.
    Findings,
    /// Reading and deciding the quarantine.
    Quarantine,
    /// Agents and sources.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Search, Self::Findings, Self::Quarantine, Self::Admin];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Findings => "findings",
            Self::Quarantine => "quarantine",
            Self::Admin => "admin",
        }
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scope {0:?} is none of search, findings, quarantine, admin")]
pub struct UnknownScope(String);

impl std::str::FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyState {
    /// Its id.
    pub id: String,
    /// BLAKE3 of its secret.
    hash: ContentHash,
    /// Its tenant.
    pub tenant: String,
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
    /// When it was made, Unix milliseconds.
    pub made_ms: i64,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

/// The keys.
#[derive(Clone)]
pub struct Keys {
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
}

impl Keys {
    /// The keys in this store.
    pub fn new(objects: Arc<dyn Objects>, clock: Arc<dyn Clock>) -> Self {
        Self { objects, clock }
    }

    /// Makes a key; its text is shown this once.
    ///
    /// # Errors
    /// The store's.
    pub async fn make(
        &self,
        tenant: &Tenant,
        scopes: BTreeSet<Scope>,
    ) -> Result<(KeyState, String), StateError> {
        let id: String = ContentHash(authority::random()).to_string().chars().take(16).collect();
        let secret = ContentHash(authority::random());
        let kept = KeyState {
            id: id.clone(),
            hash: ContentHash::of(&secret.0),
            tenant: tenant.to_string(),
            scopes,
            made_ms: self.clock.now_ms(),
            revoked_ms: None,
        };
        state::update(&self.objects, &key(&id)?, |_| Some(kept.clone())).await?;
        Ok((kept, format!("certus_{id}_{secret}")))
    }

    /// All keys.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self) -> Result<Vec<KeyState>, StateError> {
        let mut all = Vec::new();
        for name in self.objects.list("state/keys/", None, 10_000).await? {
            all.extend(state::read(&self.objects, &name).await?);
        }
        Ok(all)
    }

    /// Revokes a key; `false`: there is none with this id.
    ///
    /// # Errors
    /// The store's.
    pub async fn revoke(&self, id: &str) -> Result<bool, StateError> {
        let now_ms = self.clock.now_ms();
        let Ok(name) = key(id) else { return Ok(false) };
        let there = state::update::<KeyState>(&self.objects, &name, |there| {
            there.map(|there| KeyState { revoked_ms: there.revoked_ms.or(Some(now_ms)), ..there })
        })
        .await?;
        Ok(there.is_some())
    }

    /// The key that a text is, unless it was revoked.
    ///
    /// # Errors
    /// The store's.
    pub async fn check(&self, text: &str) -> Result<Option<KeyState>, StateError> {
        let parts = text.strip_prefix("certus_").and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) =
            parts.and_then(|(id, secret)| Some((id, secret.parse::<ContentHash>().ok()?)))
        else {
            return Ok(None);
        };
        let Ok(name) = key(id) else { return Ok(None) };
        let there: Option<KeyState> = state::read(&self.objects, &name).await?;
        // blake3 compares in constant time.
        let given = blake3::hash(&secret.0);
        Ok(there
            .filter(|there| there.revoked_ms.is_none() && given == blake3::Hash::from_bytes(there.hash.0)))
    }
}

fn key(id: &str) -> Result<Key, ObjectsError> {
    Key::new(format!("state/keys/{id}"))
}
