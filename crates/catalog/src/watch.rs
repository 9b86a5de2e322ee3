//! Follows what one query finds: the passing instances of a service, or keys and their values.

mod pace;
mod source;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch as cell;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::{Catalog, Class, Entry, Error, Index, Instance, KeyQuery, Query};
use pace::{Cuts, Pace, Trouble};
use source::{Keyed, Services, Source};

/// Bounds of the time that a blocking query hangs. Below, an idle watch would cost something;
/// above, a connection that died without a word would be noticed too late.
const WAIT: std::ops::RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(60);

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
/// to the time that its queries wait ([`Query::max_staleness`], but at least 10 s and at most 60 s;
/// Consul adds up to a sixteenth) and their way there and back, and is then close to zero again. An
/// older belief is doubtful: the registry does not answer, or answers with errors.
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
    start(catalog, known, source::same_instances, |tell| Box::new(Services { query, tell }))
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
    start(catalog, known, source::same_entries, |tell| Box::new(Keyed { query, tell }))
}

fn start<T>(
    catalog: Arc<dyn Catalog>,
    known: Arc<[T]>,
    same: fn(&[T], &[T]) -> bool,
    source: impl FnOnce(cell::Sender<Arc<[T]>>) -> Box<dyn Source>,
) -> Watch<T> {
    let (tell, news) = cell::channel(Arc::clone(&known));
    let freshness = Freshness::default();
    let task = tokio::spawn(follow(catalog, source(tell), freshness.clone())).abort_handle();
    Watch { seen: known, news, same, handle: WatchHandle { task, freshness } }
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

async fn follow(catalog: Arc<dyn Catalog>, source: Box<dyn Source>, freshness: Freshness) {
    let wait = source.max_staleness().clamp(*WAIT.start(), *WAIT.end());
    let mut recoveries = catalog.reachability().recoveries();
    let mut pace = Pace::new();
    let mut trouble = Trouble::default();
    let mut cuts = Cuts::default();
    let mut after: Option<Index> = None;
    loop {
        pace.pause().await;
        let turn = catalog.reachability().turn().await;
        recoveries.mark_unchanged();
        if turn.is_probe() {
            // Everybody waits for what comes of it: it must not hang on for a change.
            after = None;
        }
        let operation = source.operation(after);
        let sent = Instant::now();
        let request = source.ask(&*catalog, after, wait);
        let outcome = tokio::select! {
            outcome = catalog.reachability().observed(operation, request) => outcome,
            // Whatever this query hangs on may have died in the outage.
            _ = recoveries.changed() => {
                after = None;
                continue;
            }
        };
        match outcome {
            Ok(index) => {
                turn.report(&Ok::<(), Error>(()));
                trouble.over(&*source);
                freshness.confirm(Instant::now());
                if after.is_some() {
                    cuts.over();
                }
                // An index that goes backwards: the registry has started anew.
                after = match after {
                    Some(previous) if index < previous => None,
                    _ => Some(index),
                };
            }
            // A connection that sat idle may be cut by anything on the way. That is no outage
            // yet: an immediate read decides.
            Err(error) if after.is_some() && error.class() == Class::Outage => {
                log::debug!("watch on {}: {error}", source.name());
                after = None;
                tokio::time::sleep(cuts.pause(sent.elapsed())).await;
            }
            Err(error) => {
                after = None;
                let class = turn.report(&Err::<(), Error>(error.clone()));
                drop(turn);
                if class != Some(Class::Outage) {
                    let pause = trouble.failed(&*source, &error);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}
