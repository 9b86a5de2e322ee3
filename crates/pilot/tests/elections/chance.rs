//! Randomness that can be had again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Numbers from a seed (splitmix64).
pub(crate) struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    /// The seed is that variable's, else the time's.
    pub(crate) fn from_environment(variable: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos());
        let seed = std::env::var(variable)
            .map_or(now as u64 % 1_000_000, |seed| seed.parse().expect("a number as seed"));
        Self { seed, state: seed }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Between the two.
    pub(crate) fn time(&mut self, from: Duration, to: Duration) -> Duration {
        let millis = (to - from).as_millis() as usize;
        from + Duration::from_millis(self.below(millis + 1) as u64)
    }
}
