//! How many of many queries may be under way at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

/// Reads at once that do not wait for a change: those of thousands of questions that are new, or
/// that an outage has cut, must not reach a registry in one instant.
const READS: usize = 16;

/// Queries that may wait for a change before the registry has said how many it bears.
pub(crate) const UNASKED: usize = 100;

/// Who finds no place to wait asks again after this, and later if there are many: together they
/// ask once each [`EACH`].
const POLL: Duration = Duration::from_secs(10);
const EACH: Duration = Duration::from_millis(5);

/// Shared by the queries of one survey.
pub(crate) struct Bounds {
    pub(super) reads: Semaphore,
    pub(super) waits: Semaphore,
    /// Places in `waits`, taken or not.
    places: AtomicUsize,
    /// Queries that there are.
    queries: AtomicUsize,
}

impl Bounds {
    pub(crate) fn new() -> Bounds {
        Bounds {
            reads: Semaphore::new(READS),
            waits: Semaphore::new(UNASKED),
            places: AtomicUsize::new(UNASKED),
            queries: AtomicUsize::new(0),
        }
    }

    /// So many queries may wait from now on; `None`: any number.
    pub(crate) fn set_places(&self, places: Option<usize>) {
        let after = places.unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        let before = self.places.swap(after, Ordering::Relaxed);
        if after > before {
            self.waits.add_permits(after - before);
            return;
        }
        // Those that are taken come back when their queries have ended, which takes a minute at
        // most; until then there are more than there should be.
        let missing = before - after - self.waits.forget_permits(before - after);
        self.places.fetch_add(missing, Ordering::Relaxed);
    }

    pub(crate) fn set_queries(&self, count: usize) {
        self.queries.store(count, Ordering::Relaxed);
    }

    /// How long a query may wait that could wait for `wait`. Where places are rare they change hands,
    /// and one whose query was given up is soon another's: a registry may not notice that, and keep
    /// the connection until the time is over.
    pub(super) fn wait(&self, wait: Duration) -> Duration {
        if self.without_place() > 0 { wait.min(POLL) } else { wait }
    }

    /// How long a query without a place is to pause.
    pub(crate) fn pause(&self) -> Duration {
        POLL.max(EACH * u32::try_from(self.without_place()).unwrap_or(u32::MAX))
    }

    fn without_place(&self) -> usize {
        let places = self.places.load(Ordering::Relaxed);
        self.queries.load(Ordering::Relaxed).saturating_sub(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_added_and_taken_away() {
        let bounds = Bounds::new();
        assert_eq!(bounds.waits.available_permits(), UNASKED);
        bounds.set_places(Some(160));
        assert_eq!(bounds.waits.available_permits(), 160);
        let taken = bounds.waits.try_acquire_many(159).unwrap();
        bounds.set_places(Some(150));
        assert_eq!(bounds.waits.available_permits(), 0);
        drop(taken);
        assert_eq!(bounds.waits.available_permits(), 159);
        bounds.set_places(Some(150));
        assert_eq!(bounds.waits.available_permits(), 150);
        bounds.set_places(None);
        assert_eq!(bounds.waits.available_permits(), Semaphore::MAX_PERMITS);
    }

    #[test]
    fn who_finds_no_place_asks_now_and_then() {
        let bounds = Bounds::new();
        bounds.set_places(Some(160));
        bounds.set_queries(400);
        assert_eq!((bounds.pause(), bounds.wait(6 * POLL)), (POLL, POLL));
        bounds.set_queries(5160);
        assert_eq!(bounds.pause(), Duration::from_secs(25));
        bounds.set_queries(160);
        assert_eq!(bounds.wait(6 * POLL), 6 * POLL);
    }
}
