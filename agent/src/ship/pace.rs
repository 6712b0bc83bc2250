//! How fast bytes may leave, over all lanes together. The interactive lane goes first: what it sends is taken off
//! what the bulk lane may.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use certus_protocol::ids::Lane;
use tokio::time::Instant;

/// What leaves in one go where there is a limit, in bytes.
const STEP_BYTES: usize = 16 << 10;

/// The limit, shared by all lanes of all sessions.
#[derive(Debug)]
pub struct Pace {
    bytes_per_second: Option<u64>,
    /// When each lane may send next.
    free: Mutex<[Instant; Lane::ALL.len()]>,
}

impl Pace {
    /// So many bytes a second at the most; `None`: as fast as it goes.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second, free: Mutex::new([Instant::now(); Lane::ALL.len()]) }
    }

    /// Takes off `frame` what may leave now, after waiting until something may.
    pub(super) async fn take(&self, lane: Lane, frame: &mut Bytes) -> Bytes {
        let Some(rate) = self.bytes_per_second else { return std::mem::take(frame) };
        let step = frame.split_to(STEP_BYTES.min(frame.len()));
        tokio::time::sleep_until(self.reserve(lane, rate, step.len() as u64)).await;
        step
    }

    fn reserve(&self, lane: Lane, rate: u64, bytes: u64) -> Instant {
        let takes = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate.max(1));
        let now = Instant::now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let start = free[lane as usize].max(now);
        free[lane as usize] = start + takes;
        if lane == Lane::Interactive {
            free[Lane::Bulk as usize] = free[Lane::Bulk as usize].max(now) + takes;
        }
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn send(pace: &Pace, lane: Lane, bytes: usize) {
        let mut frame = Bytes::from(vec![0; bytes]);
        while !frame.is_empty() {
            pace.take(lane, &mut frame).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn both_lanes_together_keep_the_limit_and_interactive_goes_first() {
        let pace = Pace::new(Some(1 << 20));
        let began = Instant::now();
        let bulk = async {
            send(&pace, Lane::Bulk, 4 << 20).await;
            began.elapsed()
        };
        let interactive = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            send(&pace, Lane::Interactive, 1 << 20).await;
            began.elapsed()
        };
        let (bulk, interactive) = tokio::join!(bulk, interactive);
        assert!(interactive < Duration::from_millis(1_550), "{interactive:?}");
        assert!((4_900..5_100).contains(&bulk.as_millis()), "{bulk:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_waits() {
        let (pace, began) = (Pace::new(None), Instant::now());
        send(&pace, Lane::Bulk, 64 << 20).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
