//! One instance: what is known of it, what the registry has, and which request is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::mark::Mark;
use super::{Job, Verb};
use crate::registrar::Deregistration;
use crate::{Backoff, Class, Error, Expiry, Registration, Status};

/// How often an instance is compared with what the registry has of it.
const COMPARE: Backoff =
    Backoff { min: Duration::from_secs(10), max: Duration::from_secs(10), jitter: 0.25 };

/// Retries for one instance while the registry itself answers. The maximum is that of the probes
/// in an outage: a registry that has refused to work for a while is made whole within one heartbeat.
const RETRY: Backoff =
    Backoff { min: Duration::from_millis(200), max: Duration::from_secs(1), jitter: 0.5 };

pub(super) struct Row {
    pub(super) registration: Arc<Registration>,
    /// What the registry makes of it when it expires.
    expiry: Expiry,
    pub(super) fact: Fact,
    /// The registry has acknowledged `registration`, and not lost it as far as we know.
    pub(super) held: bool,
    /// Belongs in the registry even while its check fails.
    pub(super) desired: bool,
    /// The registry may have something under this id.
    pub(super) reached: bool,
    /// A registration was cut off: it may arrive late.
    pub(super) doubtful: bool,
    /// A check has passed since the last heartbeat was sent.
    pub(super) beat: bool,
    /// A request is under way.
    pub(super) busy: bool,
    /// Refused: the same again makes no sense before something new is known.
    pub(super) refused: bool,
    pub(super) compare_at: Instant,
    pub(super) failures: u32,
    pub(super) retry_at: Option<Instant>,
    /// A warning has been logged since the last success.
    pub(super) told: bool,
    /// The log has said that the instance is in the catalog.
    pub(super) listed: bool,
    pub(super) leave: Option<Leave>,
    /// [`Fact::Marked`] has not been acknowledged yet.
    pub(super) mark: Option<Mark>,
}

/// What is known about an instance's health.
pub(super) enum Fact {
    Nothing,
    Passed(Instant),
    Failed,
    Announced(Status, Instant),
    /// To be shown as critical, with this for a reason, whatever its check says.
    Marked(Arc<str>),
}

/// A deregistration that is due or under way.
pub(super) struct Leave {
    /// What is taken out; the row may already hold its successor.
    pub(super) registration: Arc<Registration>,
    pub(super) waiters: Vec<oneshot::Sender<Deregistration>>,
    pub(super) until: Instant,
    /// Why it has not worked yet.
    pub(super) reason: Option<String>,
}

impl Row {
    pub(super) fn new(registration: Arc<Registration>, expiry: Expiry, now: Instant) -> Row {
        Row {
            registration,
            expiry,
            fact: Fact::Nothing,
            held: false,
            desired: false,
            reached: false,
            doubtful: false,
            beat: false,
            busy: false,
            refused: false,
            compare_at: now,
            failures: 0,
            retry_at: None,
            told: false,
            listed: false,
            leave: None,
            mark: None,
        }
    }

    /// Somebody waits for the request that is due.
    pub(super) fn is_urgent(&self) -> bool {
        self.leave.is_some() || self.mark.is_some()
    }

    /// What the registry is told with the status.
    pub(super) fn output(&self) -> Option<Arc<str>> {
        match &self.fact {
            Fact::Marked(output) => Some(Arc::clone(output)),
            _ => None,
        }
    }

    /// Nothing is wanted of it and nothing will be heard of it.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.fact, Fact::Nothing) && self.leave.is_none() && !self.busy
    }

    /// The status to register with; `None`: it does not belong in the registry (yet).
    pub(super) fn status(&self, now: Instant) -> Option<Status> {
        let fresh = self.is_fresh(now);
        match self.fact {
            Fact::Passed(_) if fresh => Some(Status::Passing),
            Fact::Announced(Status::Passing, _) if !fresh => Some(Status::Critical),
            Fact::Announced(status, _) => Some(status),
            Fact::Nothing => None,
            Fact::Marked(_) => (self.desired || self.reached).then_some(Status::Critical),
            Fact::Passed(_) | Fact::Failed => self.desired.then_some(Status::Critical),
        }
    }

    /// What is known of its health is not older than its time to live.
    fn is_fresh(&self, now: Instant) -> bool {
        match self.fact {
            Fact::Passed(at) | Fact::Announced(_, at) => {
                now.saturating_duration_since(at) <= self.registration.ttl
            }
            Fact::Nothing | Fact::Failed | Fact::Marked(_) => false,
        }
    }

    /// Whether to put it in if the registry does not have it. One that takes expired instances out
    /// has done so on purpose, unless somebody waits to see this one marked.
    fn may_enter(&self, now: Instant) -> bool {
        match self.expiry {
            Expiry::Critical => true,
            Expiry::Removed => self.is_fresh(now) || self.mark.is_some(),
        }
    }

    /// The request that should be sent now.
    pub(super) fn due(&self, now: Instant) -> Option<Verb> {
        if self.busy || self.retry_at.is_some_and(|at| at > now) {
            return None;
        }
        if self.leave.is_some() {
            return Some(Verb::Deregister);
        }
        if self.refused {
            return None;
        }
        let status = self.status(now)?;
        if !self.held {
            self.may_enter(now).then_some(Verb::Register(status))
        } else if self.mark.is_some() {
            Some(Verb::Mark)
        } else if self.compare_at <= now {
            Some(Verb::Compare)
        } else {
            (self.beat && status == Status::Passing).then_some(Verb::Heartbeat)
        }
    }

    /// When [`Row::due`] will have another answer by itself.
    pub(super) fn alarm(&self, now: Instant) -> Option<Instant> {
        if self.busy {
            return None;
        }
        match self.retry_at {
            Some(at) if at > now => Some(at),
            _ => (self.held && !self.refused && self.compare_at > now).then_some(self.compare_at),
        }
    }

    /// Takes in what came of a request, those who wait for a deregistration or a mark
    /// aside.
    pub(super) fn settle(&mut self, job: &Job, outcome: &Result<bool, Error>, now: Instant) {
        let current = *self.registration == *job.registration;
        self.reached |= match outcome {
            Ok(_) | Err(Error::Interrupted(_) | Error::Timeout(_) | Error::Failed(_)) => true,
            Err(Error::Unreachable(_) | Error::Refused(_) | Error::Unknown) => false,
        };
        match outcome {
            Ok(as_wanted) => {
                self.failures = 0;
                if std::mem::take(&mut self.told) {
                    log::info!("{}: the catalog takes it again", job.id);
                }
                if let Verb::Register(_) | Verb::Compare = job.verb {
                    self.compare_at = now + COMPARE.pause(1);
                    self.held = *as_wanted && current;
                    if current && !as_wanted {
                        log::info!("{}: changed in the catalog by another; put right", job.id);
                    }
                }
                self.desired |= matches!(job.verb, Verb::Register(_)) && self.leave.is_none();
                self.note(job);
            }
            Err(Error::Unknown) => {
                log::debug!("{}: not in the catalog any more", job.id);
                self.held = false;
            }
            Err(error) => {
                self.doubtful |= matches!(job.verb, Verb::Register(_)) && error.is_ambiguous();
                // Passed meanwhile or still: owed again. Failed meanwhile: withdrawn.
                self.beat |= matches!(self.fact, Fact::Passed(_)) && job.verb == Verb::Heartbeat;
                if let Some(leave) = &mut self.leave {
                    leave.reason = Some(error.to_string());
                }
                if let Some(mark) = &mut self.mark {
                    mark.reason = Some(error.to_string());
                }
                match error.class() {
                    // Everybody waits by way of the catalog's reachability.
                    Class::Outage => self.compare_at = now,
                    Class::Retry => {
                        self.failures = self.failures.saturating_add(1);
                        self.retry_at = Some(now + RETRY.pause(self.failures));
                        self.tell(job, error);
                    }
                    Class::GiveUp => {
                        self.refused = self.leave.is_none();
                        self.compare_at = now + COMPARE.pause(1);
                        self.tell(job, error);
                    }
                }
            }
        }
    }

    /// A deregistration that nobody waits for any more must not stand in the way of an instance
    /// that is wanted again: registering replaces whatever the registry has.
    pub(super) fn forget_unwatched_leave(&mut self) {
        let unwatched = |leave: &Leave| {
            !leave.waiters.is_empty() && leave.waiters.iter().all(oneshot::Sender::is_closed)
        };
        if self.leave.as_ref().is_some_and(unwatched) {
            self.leave = None;
            self.held = false;
        }
    }
}
