//! Retrying as a value.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How long to wait before each further attempt: doubling from `min` to `max`, shortened by a
/// random part so that many who lost the same registry do not come back in step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Before the second attempt.
    pub min: Duration,
    /// Never longer than this.
    pub max: Duration,
    /// The random part of each pause, from 0 (none) to 1 (all of it).
    pub jitter: f64,
}

impl Backoff {
    /// The pause after `failures` attempts in a row have failed. At least `min * (1 - jitter)`.
    #[must_use]
    pub fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.min.saturating_mul(1 << doublings).min(self.max);
        full.mul_f64(1.0 - self.jitter.clamp(0.0, 1.0) * random())
    }
}

/// Somewhere in `0.0..1.0`. Good enough for spreading load; each `RandomState` has other keys.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(0u8);
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Backoff =
        Backoff { min: Duration::from_millis(100), max: Duration::from_secs(1), jitter: 0.5 };

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let exact = Backoff { jitter: 0.0, ..POLICY };
        let pauses: Vec<u128> = (1..=6).map(|n| exact.pause(n).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(exact.pause(u32::MAX), exact.max);
    }

    #[test]
    fn jitter_shortens_and_spreads() {
        let pauses: Vec<Duration> = (0..100).map(|_| POLICY.pause(1)).collect();
        assert!(pauses.iter().all(|p| (POLICY.min / 2..=POLICY.min).contains(p)), "{pauses:?}");
        assert!(pauses.iter().any(|p| p != &pauses[0]), "all alike: {:?}", pauses[0]);
    }
}
