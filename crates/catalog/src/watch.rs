//! Follows what one query finds: the passing instances of a service, or keys and their values.

mod source;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch as cell;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::follow::follow;
use crate::{Catalog, Entry, Instance, KeyQuery, Query};
use source::{Followed, Listened};

/// What one query finds, as it changes: the passing instances of a service ([`watch`]) or entries
/// ([`watch_keys`]). Dropping it ends the watch.
///
/// Instances are another set if an id, an address or a port differs, entries if a key or a value
/// does. Their order alone is no change; it is that of ids and of keys, or the registry's own if
/// the query asks for one ([`Query::near`]).
pub struct Watch<T = Instance> {
    seen: Arc<[T]>,
    news: cell::Receiver<Arc<[T]>>,
    same: fn(&[T], &[T]) -> bool,
    handle: WatchHandle,
}

/// What a change has made of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<T> {
    /// What the watch has told last.
    pub before: Arc<[T]>,
    /// What is so now.
    pub after: Arc<[T]>,
}

/// Dropping it ends the watch's task.
pub struct WatchHandle {
    task: AbortHandle,
    freshness: Freshness,
}

/// How long ago the registry has last confirmed what a watch believes. Clones are of the same
/// watch, and may outlive it.
///
/// Each answer to a read confirms, changed or not, at the moment when it has come in; an error never
/// does. A query that waits for a change confirms nothing while it waits, for nobody can tell a
/// quiet registry from one that is gone. So while nothing changes, the age of a healthy watch grows
/// to the time that its queries wait ([`max_staleness`](field@Query::max_staleness), but at least
/// 10 s and at most 60 s; Consul adds up to a sixteenth) and their way there and back, and is then
/// close to zero again. An older belief is doubtful: the registry does not answer, or answers with
/// errors.
#[derive(Clone, Debug, Default)]
pub struct Freshness(Arc<Mutex<Option<Instant>>>);

impl Freshness {
    /// How old at `now` the last answer is; `None`: there was none yet. What an earlier watch saw
    /// ([`watch_from`]) is no answer.
    #[must_use]
    pub fn age(&self, now: std::time::Instant) -> Option<Duration> {
        let confirmed = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(now.saturating_duration_since(confirmed?.into_std()))
    }

    fn confirm(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }
}

impl WatchHandle {
    /// As [`Watch::freshness`].
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.freshness.clone()
    }
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts to watch a service. The set is taken to be empty at first, so the first non-empty one is
/// a change. Equal queries are not shared; that is up to the caller. Must be called within a tokio
/// runtime.
#[must_use]
pub fn watch(catalog: Arc<dyn Catalog>, query: Query) -> Watch {
    watch_from(catalog, query, Arc::from([]))
}

/// As [`watch`], but what an earlier watch has seen is known: only what differs from that is a
/// change.
#[must_use]
pub fn watch_from(catalog: Arc<dyn Catalog>, query: Query, known: Arc<[Instance]>) -> Watch {
    start(catalog, query, known)
}

/// As [`watch`], for keys. A key that is not there is an empty set.
#[must_use]
pub fn watch_keys(catalog: Arc<dyn Catalog>, query: KeyQuery) -> Watch<Entry> {
    watch_keys_from(catalog, query, Arc::from([]))
}

/// As [`watch_from`], for keys.
#[must_use]
pub fn watch_keys_from(
    catalog: Arc<dyn Catalog>,
    query: KeyQuery,
    known: Arc<[Entry]>,
) -> Watch<Entry> {
    start(catalog, query, known)
}

fn start<Q: Followed>(
    catalog: Arc<dyn Catalog>,
    query: Q,
    known: Arc<[Q::Item]>,
) -> Watch<Q::Item> {
    let (tell, news) = cell::channel(Arc::clone(&known));
    let freshness = Freshness::default();
    let wait = crate::follow::wait(query.max_staleness());
    let told = AtomicBool::new(false);
    let source = Listened { query, tell, freshness: freshness.clone(), told };
    let task = tokio::spawn(follow(catalog, source, wait)).abort_handle();
    Watch { seen: known, news, same: Q::same, handle: WatchHandle { task, freshness } }
}

impl<T> Watch<T> {
    /// Waits until the set differs from the one that this has last returned, and returns it. A
    /// reader that is slow sees the newest set only. Cancel-safe. Errors of the catalog are never
    /// a change. Stays pending for ever should the watch's task have ended (it does not by
    /// itself).
    pub async fn changed(&mut self) -> Arc<[T]> {
        self.change().await.after
    }

    /// As [`Watch::changed`], with the set that this has returned before.
    pub async fn change(&mut self) -> Change<T> {
        loop {
            if self.news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let after = Arc::clone(&self.news.borrow_and_update());
            if !(self.same)(&after, &self.seen) {
                let before = std::mem::replace(&mut self.seen, Arc::clone(&after));
                return Change { before, after };
            }
        }
    }

    /// The set last seen in the catalog, whether or not [`Watch::changed`] has returned it.
    #[must_use]
    pub fn current(&self) -> Arc<[T]> {
        Arc::clone(&self.news.borrow())
    }

    /// How long ago the registry has last confirmed what this believes: a handle that stays good.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.handle.freshness()
    }

    /// A receiver of the newest set and what keeps the watch alive, for callers that wait for
    /// many. Compared with [`Watch::changed`], a slow reader may be told of a set that equals the
    /// one it has.
    #[must_use]
    pub fn into_parts(self) -> (cell::Receiver<Arc<[T]>>, WatchHandle) {
        (self.news, self.handle)
    }
}
