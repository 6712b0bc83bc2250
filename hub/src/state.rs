//! Small state as JSON objects, changed by compare-and-swap: read, change, write if nobody else did in between.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::objects::{Condition, Key, Objects, ObjectsError, Put};

/// How often a change is tried against others.
const TRIES_MAX: u32 = 64;

/// Why state could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The store's.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// An object under `state/` holds something else: a person has to look.
    #[error("state object {key} can't be read: {cause}")]
    Damaged {
        /// Which one.
        key: Key,
        /// What is wrong.
        cause: String,
    },
    /// Others changed it again and again: retry.
    #[error("state object {0} is changed by others all the time")]
    Contended(Key),
}

/// Reads the object at `key`.
///
/// # Errors
/// See [`StateError`].
pub async fn read<T: DeserializeOwned>(
    objects: &Arc<dyn Objects>,
    key: &Key,
) -> Result<Option<T>, StateError> {
    let Some(object) = objects.get(key).await? else { return Ok(None) };
    parse(key, &object.bytes).map(Some)
}

/// Changes the object at `key`: `change` gets what is there and answers what shall be, or `None` to leave it.
/// Answers what is there afterwards.
///
/// # Errors
/// See [`StateError`].
pub async fn update<T: Serialize + DeserializeOwned + Clone>(
    objects: &Arc<dyn Objects>,
    key: &Key,
    mut change: impl FnMut(Option<T>) -> Option<T>,
) -> Result<Option<T>, StateError> {
    for _ in 0..TRIES_MAX {
        let there = objects.get(key).await?;
        let (now, condition) = match &there {
            Some(object) => (Some(parse::<T>(key, &object.bytes)?), Condition::Match(object.tag.clone())),
            None => (None, Condition::Absent),
        };
        let Some(wanted) = change(now.clone()) else { return Ok(now) };
        let bytes = serde_json::to_vec(&wanted)
            .map_err(|error| StateError::Damaged { key: key.clone(), cause: error.to_string() })?;
        if let Put::Written(_) = objects.put(key, Bytes::from(bytes), condition).await? {
            return Ok(Some(wanted));
        }
    }
    Err(StateError::Contended(key.clone()))
}

fn parse<T: DeserializeOwned>(key: &Key, bytes: &[u8]) -> Result<T, StateError> {
    serde_json::from_slice(bytes)
        .map_err(|error| StateError::Damaged { key: key.clone(), cause: error.to_string() })
}
