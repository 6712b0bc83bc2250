//! What the second scan held back: encrypted under a key of its own, listed without values, released or rejected by a person.
//!
//! An entry tells where the envelope lies in `raw/`; nothing of its content is copied but its sanitized path.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::Bytes;
use certus_protocol::ids::{DocumentId, SourceId, Tenant, Version};
use serde::{Deserialize, Serialize};

use crate::authority;
use crate::objects::{Condition, Key, Objects, ObjectsError};
use crate::state::{self, StateError};

/// The quarantine; clones are the same.
#[derive(Clone)]
pub struct Quarantine {
    objects: Arc<dyn Objects>,
    key: Arc<LessSafeKey>,
}

/// An envelope that is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Whose.
    pub tenant: String,
    /// Its frame's object in `raw/`.
    pub frame: String,
    /// Which envelope of the frame.
    pub index: usize,
    /// Its document.
    pub document: DocumentId,
    /// Which version.
    pub version: Version,
    /// Its sanitized path.
    pub path: String,
    /// Its source.
    pub source: SourceId,
    /// The source's name.
    pub source_name: String,
    /// What was found, without values.
    pub hits: Vec<Hit>,
    /// When, Unix milliseconds.
    pub held_ms: i64,
}

/// What the second scan found of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Hit {
    /// The rule.
    pub rule: String,
    /// Its type.
    pub type_name: String,
    /// How often.
    pub count: u32,
}

/// Why the quarantine could not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuarantineError {
    /// The store's.
    #[error(transparent)]
    State(#[from] StateError),
    /// An entry that this key does not open.
    #[error("quarantine entry {0} can't be opened with this hub's key")]
    Sealed(String),
}

impl From<ObjectsError> for QuarantineError {
    fn from(error: ObjectsError) -> Self {
        Self::State(error.into())
    }
}

impl Held {
    /// The entry's name: document and version.
    pub fn id(&self) -> String {
        format!("{}-{:016x}", self.document, self.version.as_u64())
    }
}

impl Quarantine {
    /// The quarantine under this key of 32 bytes.
    ///
    /// # Panics
    /// Never: the key has the cipher's length.
    pub fn new(objects: Arc<dyn Objects>, key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key of AES-256");
        Self { objects, key: Arc::new(LessSafeKey::new(key)) }
    }

    /// Holds an envelope back; may be repeated.
    ///
    /// # Errors
    /// See [`QuarantineError`].
    pub async fn hold(&self, held: &Held) -> Result<(), QuarantineError> {
        let name = key(&held.tenant, &held.id())?;
        let sealed = || QuarantineError::Sealed(held.id());
        let mut bytes = serde_json::to_vec(held).map_err(|_| sealed())?;
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&authority::random()[..NONCE_LEN]);
        let aad = Aad::from(name.as_str().as_bytes());
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes)
            .map_err(|_| sealed())?;
        let bytes: Bytes = [&nonce[..], &bytes].concat().into();
        let _written = self.objects.put(&name, bytes, Condition::Always).await?;
        Ok(())
    }

    /// The entries of a tenant after `after` (an entry's name), `limit` at the most.
    ///
    /// # Errors
    /// See [`QuarantineError`].
    pub async fn list(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Held>, QuarantineError> {
        let after = after.map(|after| key(tenant.as_str(), after)).transpose()?;
        let mut entries = Vec::new();
        for name in self.objects.list(&format!("quarantine/{tenant}/"), after.as_ref(), limit).await? {
            if let Some(held) = self.open(&name).await? {
                entries.push(held);
            }
        }
        Ok(entries)
    }

    /// One entry.
    ///
    /// # Errors
    /// See [`QuarantineError`].
    pub async fn get(&self, tenant: &Tenant, id: &str) -> Result<Option<Held>, QuarantineError> {
        match key(tenant.as_str(), id) {
            Ok(name) => self.open(&name).await,
            Err(_) => Ok(None),
        }
    }

    /// Lets an envelope pass from now on; whoever calls has it processed again.
    ///
    /// # Errors
    /// See [`QuarantineError`].
    pub async fn release(&self, held: &Held, reason: &str) -> Result<(), QuarantineError> {
        let reason = reason.to_owned();
        state::update::<String>(&self.objects, &released_key(held)?, |_| Some(reason.clone())).await?;
        self.forget(held).await
    }

    /// Whether a person let this version pass.
    ///
    /// # Errors
    /// See [`QuarantineError`].
    pub async fn released(
        &self,
        tenant: &Tenant,
        document: DocumentId,
        version: Version,
    ) -> Result<bool, QuarantineError> {
        let name = Key::new(format!("state/released/{tenant}/{document}-{:016x}", version.as_u64()))?;
        Ok(self.objects.get(&name).await?.is_some())
    }

    /// Takes the entry away.
    ///
    /// # Errors
    /// See [`QuarantineError`].
    pub async fn forget(&self, held: &Held) -> Result<(), QuarantineError> {
        Ok(self.objects.delete(&key(&held.tenant, &held.id())?).await?)
    }

    async fn open(&self, name: &Key) -> Result<Option<Held>, QuarantineError> {
        let Some(object) = self.objects.get(name).await? else { return Ok(None) };
        let sealed = || QuarantineError::Sealed(name.to_string());
        let (nonce, bytes) = object.bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(sealed)?;
        let mut bytes = bytes.to_vec();
        let aad = Aad::from(name.as_str().as_bytes());
        let plain = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut bytes)
            .map_err(|_| sealed())?;
        serde_json::from_slice(plain).map(Some).map_err(|_| sealed())
    }
}

fn key(tenant: &str, id: &str) -> Result<Key, ObjectsError> {
    Key::new(format!("quarantine/{tenant}/{id}"))
}

fn released_key(held: &Held) -> Result<Key, ObjectsError> {
    Key::new(format!("state/released/{}/{}", held.tenant, held.id()))
}
