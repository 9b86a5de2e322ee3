//! How many of many queries may be under way at the same time.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};

use crate::Index;

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
    reads: Semaphore,
    /// Queries that wait for a change.
    waiting: AtomicUsize,
    /// How many may.
    places: AtomicUsize,
    /// They are more than before.
    more: Notify,
    /// Queries that there are.
    queries: AtomicUsize,
}

/// Leave to have one query under way, until it is dropped.
pub(super) enum Permit<'a> {
    Read { _permit: SemaphorePermit<'a> },
    Wait { waiting: &'a AtomicUsize },
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Permit::Wait { waiting } = self {
            waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Bounds {
    /// So many may wait until [`Bounds::set_places`] says otherwise.
    pub(crate) fn new(places: usize) -> Bounds {
        Bounds {
            reads: Semaphore::new(READS),
            waiting: AtomicUsize::new(0),
            places: AtomicUsize::new(places),
            more: Notify::new(),
            queries: AtomicUsize::new(0),
        }
    }

    /// For a read, or for one that waits for a change, after the reads that wait for theirs; `None`:
    /// there is no place to wait.
    pub(super) async fn permit(&self, after: Option<Index>) -> Option<Permit<'_>> {
        let permit = self.reads.acquire().await.ok()?;
        if after.is_none() {
            return Some(Permit::Read { _permit: permit });
        }
        // Its turn came after all reads that were there already: what is known soon counts more than
        // what changes, and those who wait keep their connections.
        drop(permit);
        let places = self.places.load(Ordering::Relaxed);
        let one_more = |count: usize| (count < places).then_some(count + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Permit::Wait { waiting: &self.waiting })
    }

    /// So many queries may wait from now on; `None`: any number. Those that wait already go on until
    /// their time is over.
    pub(crate) fn set_places(&self, places: Option<usize>) {
        let places = places.unwrap_or(usize::MAX);
        if self.places.swap(places, Ordering::Relaxed) < places {
            self.more.notify_waiters();
        }
    }

    /// Where there was no place to wait: whether there is one now, before it is time to read again,
    /// or an outage is over. If so, nothing was missed, since that was soon.
    pub(super) async fn more(&self, recoveries: &mut watch::Receiver<u64>) -> bool {
        let mut more = pin!(self.more.notified());
        // What comes from now on is heard, and what came before shows in the count.
        more.as_mut().enable();
        if self.waiting.load(Ordering::Relaxed) < self.places.load(Ordering::Relaxed) {
            return true;
        }
        tokio::select! {
            () = more => true,
            _ = tokio::time::timeout(self.pause(), recoveries.changed()) => false,
        }
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
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn fewer_places_hold_for_those_that_are_taken_too() {
        let bounds = Bounds::new(UNASKED);
        let mut taken = Vec::new();
        while let Some(permit) = bounds.permit(Some(Index(1))).await {
            taken.push(permit);
        }
        assert_eq!(taken.len(), UNASKED);
        bounds.set_places(Some(UNASKED + 1));
        taken.push(bounds.permit(Some(Index(1))).await.unwrap());
        bounds.set_places(Some(40));
        taken.truncate(40);
        assert!(bounds.permit(Some(Index(1))).await.is_none());
        assert!(bounds.permit(None).await.is_some(), "to read needs no place to wait");
        taken.truncate(39);
        assert!(bounds.permit(Some(Index(1))).await.is_some());
        bounds.set_places(None);
        taken.push(bounds.permit(Some(Index(1))).await.unwrap());
        taken.push(bounds.permit(Some(Index(1))).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_place_hears_of_more() {
        let bounds = Bounds::new(UNASKED);
        let (over, mut recoveries) = watch::channel(0);
        let mut taken = Vec::new();
        while let Some(permit) = bounds.permit(Some(Index(1))).await {
            taken.push(permit);
        }
        // Told while somebody waits for it.
        for (places, is_more) in [(Some(2), false), (Some(1), false), (Some(2), true), (None, true)]
        {
            let (began, told) = (Instant::now(), async { bounds.set_places(places) });
            let heard = tokio::join!(biased; bounds.more(&mut recoveries), told).0;
            assert_eq!((heard, began.elapsed() < POLL), (is_more, is_more), "{places:?}");
        }
        // There was one before anybody waited for it.
        assert!(bounds.more(&mut recoveries).await);
        // An outage that is over ends the waiting, to read.
        bounds.set_places(Some(2));
        let (began, told) = (Instant::now(), async { over.send_replace(1) });
        assert!(!tokio::join!(biased; bounds.more(&mut recoveries), told).0);
        assert!(began.elapsed() < POLL);
    }

    #[tokio::test]
    async fn reads_come_before_those_who_wait() {
        let bounds = Bounds::new(UNASKED);
        let mut reads = Vec::new();
        for _ in 0..READS {
            reads.push(bounds.permit(None).await.unwrap());
        }
        let order = Mutex::new(Vec::new());
        let one = async |after: Option<Index>| {
            let permit = bounds.permit(after).await;
            order.lock().unwrap().push(after.is_some());
            drop(permit);
        };
        tokio::join!(one(None), one(Some(Index(1))), one(None), async { drop(reads.pop()) });
        assert_eq!(*order.lock().unwrap(), [false, true, false]);
        let no_wait = async { bounds.permit(Some(Index(1))).await.is_some() };
        assert!(no_wait.await);
    }

    #[test]
    fn who_finds_no_place_asks_now_and_then() {
        let bounds = Bounds::new(UNASKED);
        bounds.set_places(Some(160));
        bounds.set_queries(400);
        assert_eq!((bounds.pause(), bounds.wait(6 * POLL)), (POLL, POLL));
        bounds.set_queries(5160);
        assert_eq!(bounds.pause(), Duration::from_secs(25));
        bounds.set_queries(160);
        assert_eq!(bounds.wait(6 * POLL), 6 * POLL);
    }
}
