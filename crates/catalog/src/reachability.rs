//! Whether the registry answers: shared by everybody who talks to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::{Answer, Backoff, Class, Error, Observer, Operation, Outcome};

/// Pauses between probes. The maximum is below the shortest heartbeat (1 s), so that a registry
/// that comes back is made whole within one.
const PROBES: Backoff =
    Backoff { min: Duration::from_millis(100), max: Duration::from_secs(1), jitter: 0.5 };

/// Knows whether a registry answers, says so in the log once for each outage, and lets one
/// request at a time through while it does not. Clones are the same one.
#[derive(Clone)]
pub struct Reachability(Arc<Inner>);

struct Inner {
    /// For the log: what it is and where.
    name: String,
    state: Mutex<State>,
    /// Bumped whenever somebody who waits should look again.
    stir: watch::Sender<()>,
    /// Number of outages that have ended.
    recoveries: watch::Sender<u64>,
    observer: Mutex<Option<Arc<dyn Observer>>>,
}

/// Whether a registry answers, and since when that is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It answers, or nobody has asked it yet: it is taken to be there until a request fails.
    Up {
        /// The end of the last outage; if there was none, when we began.
        since: std::time::Instant,
    },
    /// The last request got no answer.
    Down {
        /// When the first one failed.
        since: std::time::Instant,
        /// Why the last one has failed.
        reason: String,
    },
}

enum State {
    /// `heard`: when the last answer came, whoever had asked.
    Up {
        since: Instant,
        heard: Option<Instant>,
    },
    Down {
        since: Instant,
        failures: u32,
        next: Instant,
        probing: bool,
        reason: String,
    },
}

/// Leave to send one request. During an outage nobody else has one; report what came of it.
pub(crate) struct Turn {
    owner: Reachability,
    probe: bool,
    /// How many outages had ended when this was given.
    epoch: u64,
    given: Instant,
}

impl Reachability {
    /// `name` is for the log: what it is and where, `consul at http://127.0.0.1:8500`.
    #[must_use]
    pub fn new(name: String) -> Self {
        Reachability(Arc::new(Inner {
            name,
            state: Mutex::new(State::Up { since: Instant::now(), heard: None }),
            stir: watch::Sender::new(()),
            recoveries: watch::Sender::new(0),
            observer: Mutex::new(None),
        }))
    }

    /// What it is and where.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Why nothing can be done at the moment; `None` if the registry answers.
    #[must_use]
    pub fn outage(&self) -> Option<String> {
        match &*self.lock() {
            State::Up { .. } => None,
            State::Down { reason, .. } => Some(reason.clone()),
        }
    }

    /// Whether the registry answers, and since when that is so.
    #[must_use]
    pub fn availability(&self) -> Availability {
        match &*self.lock() {
            State::Up { since, .. } => Availability::Up { since: since.into_std() },
            State::Down { since, reason, .. } => {
                Availability::Down { since: since.into_std(), reason: reason.clone() }
            }
        }
    }

    /// From now on `observer` is told of every request that the registrar and the watches send,
    /// instead of whoever was before.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        *self.0.observer.lock().unwrap_or_else(PoisonError::into_inner) = Some(observer);
    }

    /// Another server answers than before, and what it has is unknown: everybody compares and reads
    /// anew, as after an outage. `to` is for the log.
    pub fn moved(&self, to: &str) {
        log::info!("{}: asking {to} from now on", self.0.name);
        self.0.recoveries.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Carries a request out and tells the observer.
    pub(crate) async fn observed<T>(
        &self,
        operation: Operation,
        request: Answer<'_, T>,
    ) -> Result<T, Error> {
        let sent = Instant::now();
        let result = request.await;
        let observer = self.0.observer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(observer) = observer {
            observer.request(operation, sent.elapsed(), Outcome::of(&result));
        }
        result
    }

    /// Changes each time an outage ends.
    pub(crate) fn recoveries(&self) -> watch::Receiver<u64> {
        self.0.recoveries.subscribe()
    }

    /// Resolves when the caller may send a request: at once while the registry answers, else when
    /// the outage has ended or when it is the caller's turn to probe.
    pub(crate) async fn turn(&self) -> Turn {
        let mut stirred = self.0.stir.subscribe();
        loop {
            let until = match &mut *self.lock() {
                State::Up { .. } => return self.give(false),
                State::Down { probing: true, .. } => None,
                State::Down { next, probing, .. } if *next <= Instant::now() => {
                    *probing = true;
                    return self.give(true);
                }
                State::Down { next, .. } => Some(*next),
            };
            // The sender lives in self: changed() cannot fail.
            match until {
                Some(next) => {
                    let _ = tokio::time::timeout_at(next, stirred.changed()).await;
                }
                None => {
                    let _ = stirred.changed().await;
                }
            }
        }
    }

    /// As [`Reachability::turn`], without waiting: for what must not wait for others, such as the
    /// renewal that leadership depends on. The caller sees to it that they are few.
    pub(crate) fn turn_at_once(&self) -> Turn {
        match &mut *self.lock() {
            State::Down { next, probing, .. } if !*probing && *next <= Instant::now() => {
                *probing = true;
                self.give(true)
            }
            _ => self.give(false),
        }
    }

    fn give(&self, probe: bool) -> Turn {
        let epoch = *self.0.recoveries.borrow();
        Turn { owner: self.clone(), probe, epoch, given: Instant::now() }
    }

    /// Lets the next probe go at once: somebody's deadline is near.
    pub(crate) fn hurry(&self) {
        if let State::Down { next, .. } = &mut *self.lock() {
            *next = Instant::now();
        }
        self.0.stir.send_replace(());
    }

    fn answered(&self) {
        let now = Instant::now();
        let outage = match &mut *self.lock() {
            State::Up { heard, .. } => {
                *heard = Some(now);
                None
            }
            state @ State::Down { .. } => {
                let outage = state.since();
                *state = State::Up { since: now, heard: Some(now) };
                Some(outage)
            }
        };
        if let Some(since) = outage {
            log::info!("{} answers again after {:.1?}", self.0.name, since.elapsed());
            self.0.stir.send_replace(());
            self.0.recoveries.send_modify(|n| *n = n.wrapping_add(1));
        }
    }

    /// Answers what that means for the next request.
    fn failed(&self, error: &Error, turn: &Turn) -> Class {
        let now = Instant::now();
        match &mut *self.lock() {
            // Sent during an outage that has ended since: an echo.
            State::Up { .. } if turn.epoch != *self.0.recoveries.borrow() => {}
            // Others were answered meanwhile: this request is slow, such as one that a Consul agent
            // holds because its cluster has no leader. Those who are answered must not wait for it.
            State::Up { heard: Some(heard), .. }
                if *heard > turn.given && matches!(error, Error::Timeout(_)) =>
            {
                return Class::Retry;
            }
            state @ State::Up { .. } => {
                log::warn!("{} does not answer: {error}; retrying", self.0.name);
                *state = State::Down {
                    since: now,
                    failures: 1,
                    next: now + PROBES.pause(1),
                    probing: false,
                    reason: error.to_string(),
                };
            }
            State::Down { failures, next, reason, .. } => {
                // Requests that were under way when the outage began are no probes.
                if turn.probe {
                    *failures = failures.saturating_add(1);
                    *next = now + PROBES.pause(*failures);
                    *reason = error.to_string();
                }
                log::debug!("{} still does not answer: {error}", self.0.name);
            }
        }
        Class::Outage
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn since(&self) -> Instant {
        match self {
            State::Up { since, .. } | State::Down { since, .. } => *since,
        }
    }
}

impl Turn {
    /// The registry has not answered lately, and everybody waits for the outcome of this.
    pub(crate) fn is_probe(&self) -> bool {
        self.probe
    }

    /// The request has ended so. Any answer, even a refusal, means that the registry is there.
    /// Answers what an error means, in the light of what others have heard; nothing for a success.
    pub(crate) fn report<T>(&self, outcome: &Result<T, Error>) -> Option<Class> {
        match outcome {
            Err(error) if error.class() == Class::Outage => Some(self.owner.failed(error, self)),
            Err(error) => {
                self.owner.answered();
                Some(error.class())
            }
            Ok(_) => {
                self.owner.answered();
                None
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.probe {
            if let State::Down { probing, .. } = &mut *self.owner.lock() {
                *probing = false;
            }
            self.owner.0.stir.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down() -> Result<(), Error> {
        Err(Error::Unreachable("x".into()))
    }

    async fn is_pending(future: impl Future) -> bool {
        tokio::time::timeout(Duration::ZERO, future).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_at_a_time_until_one_succeeds() {
        let catalog = Reachability::new("it".into());
        let mut recoveries = catalog.recoveries();
        catalog.turn().await.report(&down());
        assert_eq!(catalog.outage().as_deref(), Some("x"));
        let probe = catalog.turn().await;
        assert!(is_pending(catalog.turn()).await, "there is a probe already");
        probe.report(&down());
        drop(probe);
        let again = catalog.turn().await;
        again.report(&Ok::<(), Error>(()));
        assert_eq!(catalog.outage(), None);
        assert!(recoveries.has_changed().unwrap());
        recoveries.mark_unchanged();
        // All at once, now.
        let _turns = (catalog.turn().await, catalog.turn().await, catalog.turn().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_dropped_makes_way() {
        let catalog = Reachability::new("it".into());
        catalog.turn().await.report(&down());
        drop(catalog.turn().await);
        assert!(!is_pending(catalog.turn()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_wait_goes_at_once_and_can_end_an_outage() {
        let catalog = Reachability::new("it".into());
        catalog.turn().await.report(&down());
        let probe = catalog.turn().await;
        // It does not count as a probe, and does not delay the next one.
        let urgent = catalog.turn_at_once();
        assert!(!urgent.is_probe());
        urgent.report(&down());
        drop((urgent, probe));
        assert!(!is_pending(catalog.turn()).await);
        // Unless it is time for one anyway.
        tokio::time::advance(Duration::from_secs(1)).await;
        let urgent = catalog.turn_at_once();
        assert!(urgent.is_probe());
        assert!(is_pending(catalog.turn()).await);
        urgent.report(&Ok::<(), Error>(()));
        assert_eq!(catalog.outage(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_echo_of_an_outage_that_is_over_is_none() {
        let catalog = Reachability::new("it".into());
        let (old, other) = (catalog.turn().await, catalog.turn().await);
        old.report(&down());
        catalog.turn().await.report(&Ok::<(), Error>(()));
        other.report(&down());
        assert_eq!(catalog.outage(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn another_server_is_news_for_all_and_what_failed_at_the_old_one_is_an_echo() {
        let catalog = Reachability::new("it".into());
        let (recoveries, old) = (catalog.recoveries(), catalog.turn().await);
        catalog.moved("another");
        assert!(recoveries.has_changed().unwrap());
        old.report(&down());
        assert_eq!(catalog.outage(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_is_no_outage_while_others_are_answered() {
        let catalog = Reachability::new("it".into());
        let late = || Err::<(), Error>(Error::Timeout(Duration::from_secs(5)));
        let held = catalog.turn().await;
        tokio::time::advance(Duration::from_secs(1)).await;
        catalog.turn().await.report(&Ok::<(), Error>(()));
        assert_eq!(held.report(&late()), Some(Class::Retry));
        assert_eq!(catalog.outage(), None);
        // Nothing was heard since.
        let last = catalog.turn().await;
        assert_eq!(last.report(&late()), Some(Class::Outage));
        assert!(catalog.outage().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_an_answer_and_hurrying_saves_the_pause() {
        let catalog = Reachability::new("it".into());
        catalog.turn().await.report(&down());
        catalog.hurry();
        assert!(!is_pending(catalog.turn()).await);
        catalog.turn().await.report(&Err::<(), Error>(Error::Refused("no".into())));
        assert_eq!(catalog.outage(), None);
    }
}
