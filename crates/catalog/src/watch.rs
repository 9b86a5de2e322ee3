//! Follows the passing instances of one service.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch as cell;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::{Backoff, Catalog, Class, Error, Index, Instance, Operation, Query};

/// Bounds of the time that a blocking query hangs. Below, an idle watch would cost something;
/// above, a connection that died without a word would be noticed too late.
const WAIT: std::ops::RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(60);

/// Requests in a row without a pause, and the sustained time for each: the first reaction is
/// instant, and a service that flaps costs a few requests a second.
const BURST: u32 = 4;
const EACH: Duration = Duration::from_millis(300);

/// After an error that is no outage, such as an election in the cluster.
const RETRY: Backoff =
    Backoff { min: Duration::from_millis(200), max: Duration::from_secs(5), jitter: 0.5 };

/// Errors of the cluster behind the agent are worth a line only if they last.
const GRACE: Duration = Duration::from_secs(5);

/// A set of passing instances, in the order of their ids, addresses and ports.
type Set = Arc<[Instance]>;

/// The passing instances of one service, as they change. Dropping it ends the watch.
pub struct Watch {
    seen: Set,
    news: cell::Receiver<Set>,
    handle: WatchHandle,
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

/// Starts to watch. The set is taken to be empty at first, so the first non-empty one is a
/// change. Equal queries are not shared; that is up to the caller. Must be called within a tokio
/// runtime.
#[must_use]
pub fn watch(catalog: Arc<dyn Catalog>, query: Query) -> Watch {
    watch_from(catalog, query, Arc::from([]))
}

/// As [`watch`], but what an earlier watch has seen is known: only what differs from that is a
/// change.
#[must_use]
pub fn watch_from(catalog: Arc<dyn Catalog>, query: Query, known: Arc<[Instance]>) -> Watch {
    let seen: Set = known;
    let (tell, news) = cell::channel(Arc::clone(&seen));
    let freshness = Freshness::default();
    let task = tokio::spawn(follow(catalog, query, tell, freshness.clone())).abort_handle();
    Watch { seen, news, handle: WatchHandle { task, freshness } }
}

impl Watch {
    /// Waits until the set differs from the one that this has last returned, and returns it. A
    /// reader that is slow sees the newest set only. Cancel-safe. Errors of the catalog are never
    /// a change. Stays pending for ever should the watch's task have ended (it does not by
    /// itself).
    pub async fn changed(&mut self) -> Arc<[Instance]> {
        loop {
            if self.news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let new = Arc::clone(&self.news.borrow_and_update());
            if !same(&new, &self.seen) {
                self.seen = Arc::clone(&new);
                return new;
            }
        }
    }

    /// The set last seen in the catalog, whether or not [`Watch::changed`] has returned it.
    #[must_use]
    pub fn current(&self) -> Arc<[Instance]> {
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
    pub fn into_parts(self) -> (cell::Receiver<Arc<[Instance]>>, WatchHandle) {
        (self.news, self.handle)
    }
}

/// Equal in everything that counts as a change.
fn same(a: &[Instance], b: &[Instance]) -> bool {
    a.iter().map(Instance::key).eq(b.iter().map(Instance::key))
}

async fn follow(
    catalog: Arc<dyn Catalog>,
    query: Query,
    tell: cell::Sender<Set>,
    freshness: Freshness,
) {
    let wait = query.max_staleness.clamp(*WAIT.start(), *WAIT.end());
    let mut recoveries = catalog.reachability().recoveries();
    let mut pace = Pace::new();
    let mut trouble = Trouble::default();
    let mut after: Option<Index> = None;
    loop {
        pace.pause().await;
        let turn = catalog.reachability().turn().await;
        recoveries.mark_unchanged();
        if turn.is_probe() {
            // Everybody waits for what comes of it: it must not hang on for a change.
            after = None;
        }
        let operation = if after.is_some() { Operation::Wait } else { Operation::Instances };
        let request = catalog.instances(&query, after, wait);
        let outcome = tokio::select! {
            outcome = catalog.reachability().observed(operation, request) => outcome,
            // Whatever this query hangs on may have died in the outage.
            _ = recoveries.changed() => {
                after = None;
                continue;
            }
        };
        match outcome {
            Ok(snapshot) => {
                turn.report(&Ok::<(), Error>(()));
                trouble.over(&query);
                freshness.confirm(Instant::now());
                // An index that goes backwards: the registry has started anew.
                after = match after {
                    Some(previous) if snapshot.index < previous => None,
                    _ => Some(snapshot.index),
                };
                publish(&tell, snapshot.instances);
            }
            // A connection that sat idle may be cut by anything on the way. That is no outage
            // yet: an immediate read decides.
            Err(error) if after.is_some() && error.class() == Class::Outage => {
                log::debug!("watch on {}: {error}", query.service);
                after = None;
            }
            Err(error) => {
                after = None;
                let class = error.class();
                turn.report(&Err::<(), Error>(error.clone()));
                drop(turn);
                if class != Class::Outage {
                    let pause = trouble.failed(&query, &error);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

fn publish(tell: &cell::Sender<Set>, mut instances: Vec<Instance>) {
    instances.sort_by(|a, b| a.key().cmp(&b.key()));
    instances.dedup_by(|a, b| a.key() == b.key());
    tell.send_if_modified(|last| {
        let changed = !same(last, &instances);
        if changed {
            *last = instances.into();
        }
        changed
    });
}

/// A token bucket.
struct Pace {
    /// When the bucket will be full again.
    full: Instant,
}

impl Pace {
    fn new() -> Self {
        Pace { full: Instant::now() }
    }

    /// Takes one token, waiting for it if need be.
    async fn pause(&mut self) {
        let now = Instant::now();
        self.full = self.full.max(now) + EACH;
        let free = self.full - EACH * BURST;
        if free > now {
            tokio::time::sleep_until(free).await;
        }
    }
}

/// Errors in a row that are no outage.
#[derive(Default)]
struct Trouble {
    failures: u32,
    since: Option<Instant>,
    told: bool,
}

impl Trouble {
    /// How long to wait before the next attempt.
    fn failed(&mut self, query: &Query, error: &Error) -> Duration {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        // What is refused now stays refused; what fails may pass.
        let lasting = error.class() == Class::GiveUp || now - since >= GRACE;
        if lasting && !self.told {
            self.told = true;
            log::warn!("watch on {}: {error}; the last known instances stand", query.service);
        }
        RETRY.pause(self.failures)
    }

    fn over(&mut self, query: &Query) {
        if self.told {
            log::info!("watch on {}: works again", query.service);
        }
        *self = Trouble::default();
    }
}
