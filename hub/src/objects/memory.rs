//! Objects in memory: for tests of what stands on them. Nothing is durable.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Condition, Key, Object, Objects, ObjectsError, Put, Tag, tag_of};

/// Objects in memory.
#[derive(Debug, Default)]
pub struct Memory {
    objects: Mutex<BTreeMap<String, Bytes>>,
}

#[async_trait]
impl Objects for Memory {
    async fn get(&self, key: &Key) -> Result<Option<Object>, ObjectsError> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(objects.get(key.as_str()).map(|bytes| Object { bytes: bytes.clone(), tag: tag_of(bytes) }))
    }

    async fn put(&self, key: &Key, bytes: Bytes, condition: Condition) -> Result<Put, ObjectsError> {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let there = objects.get(key.as_str()).map(|bytes| tag_of(bytes));
        if !condition.holds(there.as_ref()) {
            return Ok(Put::Refused);
        }
        let tag: Tag = tag_of(&bytes);
        objects.insert(key.as_str().to_owned(), bytes);
        Ok(Put::Written(tag))
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectsError> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).remove(key.as_str());
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<Key>, ObjectsError> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let from = match after {
            Some(after) if after.as_str() >= prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix),
        };
        let found = objects.range::<str, _>((from, Bound::Unbounded));
        found
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(prefix))
            .take(limit)
            .map(Key::new)
            .collect()
    }
}
