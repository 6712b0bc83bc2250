//! The index in memory: the twin for tests, which decide what of it outlives a crash.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Changes, Index, Pairs};
use crate::spool::SpoolError;

/// Keys and values; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl Memory {
    /// What it holds now, as an index of its own.
    #[must_use]
    pub fn copy(&self) -> Self {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self(Arc::new(Mutex::new(held)))
    }
}

impl Index for Memory {
    fn commit(&self, changes: &Changes) -> Result<(), SpoolError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in &changes.0 {
            match value {
                Some(value) => drop(held.insert(key.clone(), value.clone())),
                None => drop(held.remove(key)),
            }
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SpoolError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn under(&self, prefix: &[u8]) -> Pairs {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found: Vec<_> = held
            .range(prefix.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| Ok((key.clone(), value.clone())))
            .collect();
        Box::new(found.into_iter())
    }

    fn remake(&self) -> Result<(), SpoolError> {
        Ok(())
    }
}
