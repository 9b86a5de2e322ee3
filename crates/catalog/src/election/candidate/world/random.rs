//! Numbers by chance.

use std::time::Duration;

/// A small generator of numbers: the same seed, the same history (but for the jitter of pauses).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % bound.max(1)
    }

    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(super) fn upto(&mut self, time: Duration) -> Duration {
        Duration::from_micros(self.below(time.as_micros() as u64))
    }
}
