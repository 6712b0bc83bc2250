//! Lanes that have something to work on. References only: what they refer to stands in `raw/`, so that everything here
//! may be lost and the sweeper finds it again.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::limits;
use crate::raw::LaneId;

/// The seam to whatever hands work out.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Says that a lane has something to work on. A lane that waits already is not entered twice.
    async fn publish(&self, lane: LaneId);

    /// The lane that has waited longest; waits for one.
    async fn take(&self) -> LaneId;
}

/// A queue within the process.
#[derive(Debug, Default)]
pub struct Embedded {
    waiting: Mutex<(VecDeque<LaneId>, HashSet<LaneId>)>,
    more: Notify,
}

#[async_trait]
impl Queue for Embedded {
    async fn publish(&self, lane: LaneId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Past the bound a reference is dropped; the sweeper brings it back.
        if waiting.0.len() < limits::QUEUE_LANES && waiting.1.insert(lane.clone()) {
            waiting.0.push_back(lane);
        }
        drop(waiting);
        self.more.notify_one();
    }

    async fn take(&self) -> LaneId {
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(lane) = waiting.0.pop_front() {
                    waiting.1.remove(&lane);
                    if !waiting.0.is_empty() {
                        self.more.notify_one();
                    }
                    return lane;
                }
            }
            self.more.notified().await;
        }
    }
}
