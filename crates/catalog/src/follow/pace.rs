//! How fast one may ask, and which errors are worth a word.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Backoff, Class, Error};

/// Requests in a row without a pause, and the sustained time for each: the first reaction is
/// instant, and a service that flaps costs a few requests a second.
const BURST: u32 = 4;
const EACH: Duration = Duration::from_millis(300);

/// After an error that is no outage, such as an election in the cluster.
pub(super) const RETRY: Backoff =
    Backoff { min: Duration::from_millis(200), max: Duration::from_secs(5), jitter: 0.5 };

/// Errors of the cluster behind the agent are worth a word only if they last.
const GRACE: Duration = Duration::from_secs(5);

/// A token bucket.
pub(super) struct Pace {
    /// When the bucket will be full again.
    full: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        Pace { full: Instant::now() }
    }

    /// Takes one token, waiting for it if need be.
    pub(super) async fn pause(&mut self) {
        let now = Instant::now();
        self.full = self.full.max(now) + EACH;
        let free = self.full - EACH * BURST;
        if free > now {
            tokio::time::sleep_until(free).await;
        }
    }
}

/// Waits in a row that were cut off before long.
#[derive(Default)]
pub(super) struct Cuts(u32);

impl Cuts {
    /// How long to pause after one that had lasted so long. A registry that goes away cuts once, and
    /// an immediate read tells; what always cuts, such as a proxy that suffers no waiting, is not
    /// asked as fast as that.
    pub(super) fn pause(&mut self, waited: Duration) -> Duration {
        self.0 = if waited < RETRY.max { self.0.saturating_add(1) } else { 0 };
        if self.0 > 1 { RETRY.pause(self.0 - 1) } else { Duration::ZERO }
    }

    pub(super) fn over(&mut self) {
        self.0 = 0;
    }
}

/// Errors in a row that are no outage.
#[derive(Default)]
pub(super) struct Trouble {
    failures: u32,
    since: Option<Instant>,
    lasting: bool,
}

impl Trouble {
    /// How long to wait before the next attempt, and whether the error is worth a word.
    pub(super) fn failed(&mut self, error: &Error) -> (Duration, bool) {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        // What is refused now stays refused; what fails may pass.
        let lasting = error.class() == Class::GiveUp || now - since >= GRACE;
        self.lasting |= lasting;
        (RETRY.pause(self.failures), lasting)
    }

    /// Whether one of them was worth a word.
    pub(super) fn over(&mut self) -> bool {
        std::mem::take(self).lasting
    }
}
