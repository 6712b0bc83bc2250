//! How long to wait before connecting again: exponential with full jitter, so that a fleet does not come back at once.

use std::time::Duration;

const BASE: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait: anything from half to all of twice the one before, up to 30 s.
    pub fn next_wait(&mut self) -> Duration {
        let ceiling = BASE.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures += 1;
        ceiling.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// The longest wait, for what a person has to mend first.
    pub fn longest(&self) -> Duration {
        LONGEST.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// Something worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_ceiling_and_begin_anew() {
        let mut backoff = Backoff::default();
        assert!(backoff.next_wait() <= BASE);
        for _ in 0..40 {
            assert!(backoff.next_wait() <= LONGEST);
        }
        assert!(backoff.next_wait() >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.next_wait() <= BASE);
    }
}
