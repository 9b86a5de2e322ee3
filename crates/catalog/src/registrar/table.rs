//! What should be registered, what the registry has acknowledged, and which request is due.
//!
//! Pure: time comes in as an argument, requests go out as [`Job`]s, outcomes come back by
//! [`Table::done`].

mod lines;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Deregistration;
use crate::{Backoff, Class, Error, Registration, Status};

/// How often an instance is compared with what the registry has of it.
const COMPARE: Backoff =
    Backoff { min: Duration::from_secs(10), max: Duration::from_secs(10), jitter: 0.25 };

/// Retries for one instance while the registry itself answers. The maximum is that of the probes
/// in an outage: a registry that has refused to work for a while is made whole within one heartbeat.
const RETRY: Backoff =
    Backoff { min: Duration::from_millis(200), max: Duration::from_secs(1), jitter: 0.5 };

/// A registration that was cut off may still arrive. Deregistering once more after this long
/// catches it.
const ECHO: Duration = Duration::from_millis(100);

/// How long an old check is taken out for when an instance gets another one.
const REPLACING: Duration = Duration::from_secs(60);

/// Requests under way at once: one connection is nearly enough for heartbeats.
const LANES: usize = 2;

/// The same while instances are taken out, since somebody waits for that.
const LEAVING_LANES: usize = 8;

#[derive(Default)]
pub(super) struct Table {
    rows: BTreeMap<Arc<str>, Row>,
    /// The row that was served last; the search goes on behind it, so that all get their turn.
    cursor: Option<Arc<str>>,
    sending: usize,
    closed: bool,
}

struct Row {
    registration: Arc<Registration>,
    fact: Fact,
    /// The registry has acknowledged `registration`, and not lost it as far as we know.
    held: bool,
    /// Belongs in the registry even while its check fails.
    desired: bool,
    /// The registry may have something under this id.
    reached: bool,
    /// A registration was cut off: it may arrive late.
    doubtful: bool,
    /// A check has passed since the last heartbeat was sent.
    beat: bool,
    /// A request is under way.
    busy: bool,
    /// Refused: the same again makes no sense before something new is known.
    refused: bool,
    compare_at: Instant,
    failures: u32,
    retry_at: Option<Instant>,
    /// A warning has been logged since the last success.
    told: bool,
    /// The log has said that the instance is in the catalog.
    listed: bool,
    leave: Option<Leave>,
}

/// What is known about an instance's health.
enum Fact {
    Nothing,
    Passed(Instant),
    Failed,
    Announced(Status, Instant),
}

/// A deregistration that is due or under way.
struct Leave {
    /// What is taken out; the row may already hold its successor.
    registration: Arc<Registration>,
    waiters: Vec<oneshot::Sender<Deregistration>>,
    until: Instant,
    /// Why it has not worked yet.
    reason: Option<String>,
}

/// A request to send.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: Arc<str>,
    pub(super) registration: Arc<Registration>,
    pub(super) verb: Verb,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Register(Status),
    Heartbeat,
    Compare,
    Deregister,
}

/// What the table waits for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// [`Table::take`] has something to give.
    pub(super) ready: bool,
    /// When to look again although nothing has happened.
    pub(super) wake: Option<Instant>,
}

/// A deregistration has run out of time.
pub(super) fn late(reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("not acknowledged in time: {reason}"),
        None => "not acknowledged in time".to_owned(),
    }
}

impl Table {
    pub(super) fn passing(&mut self, registration: &Arc<Registration>, now: Instant) {
        let row = self.row(registration, now);
        row.fact = Fact::Passed(now);
        row.beat = true;
        row.refused = false;
        row.forget_unwatched_leave();
    }

    pub(super) fn failing(&mut self, id: &str) {
        if let Some(row) = self.rows.get_mut(id) {
            row.desired |= matches!(row.fact, Fact::Announced(..));
            row.fact = Fact::Failed;
            row.beat = false;
            row.refused = false;
        }
    }

    pub(super) fn announce(&mut self, wanted: &Arc<Registration>, status: Status, now: Instant) {
        let row = self.row(wanted, now);
        row.refused = false;
        row.forget_unwatched_leave();
        // What a check has said is worth more.
        if matches!(row.fact, Fact::Nothing) {
            row.fact = Fact::Announced(status, now);
        }
    }

    pub(super) fn deregister(
        &mut self,
        id: &str,
        done: oneshot::Sender<Deregistration>,
        until: Instant,
    ) {
        let Some(row) = self.rows.get_mut(id) else {
            let _ = done.send(Deregistration::Acknowledged);
            return;
        };
        row.fact = Fact::Nothing;
        row.beat = false;
        row.desired = false;
        row.retry_at = None;
        if !row.reached && !row.busy {
            self.rows.remove(id);
            let _ = done.send(Deregistration::Acknowledged);
        } else if let Some(leave) = &mut row.leave {
            leave.until = leave.until.max(until);
            leave.waiters.push(done);
        } else {
            row.leave = Some(Leave {
                registration: Arc::clone(&row.registration),
                waiters: vec![done],
                until,
                reason: None,
            });
        }
    }

    /// Whether the registry has the instance as it is wanted, and nobody takes it out.
    pub(super) fn is_registered(&self, id: &str) -> bool {
        self.rows.get(id).is_some_and(|row| row.held && row.leave.is_none())
    }

    /// Why a deregistration has not worked yet.
    pub(super) fn reason(&self, id: &str) -> Option<String> {
        self.rows.get(id)?.leave.as_ref()?.reason.clone()
    }

    /// No handle is left.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Nobody is left who wants something.
    pub(super) fn is_finished(&self) -> bool {
        let waited = |row: &Row| row.leave.as_ref().is_some_and(|leave| !leave.waiters.is_empty());
        self.closed && !self.rows.values().any(waited)
    }

    /// The registry answers again: who knows what it has.
    pub(super) fn recovered(&mut self, now: Instant) {
        for row in self.rows.values_mut() {
            row.compare_at = now;
            row.retry_at = None;
        }
    }

    /// Ends the deregistrations whose time is over. `outage`: why the registry does not answer.
    pub(super) fn expire(&mut self, now: Instant, outage: Option<&str>) {
        let over = |row: &Row| row.leave.as_ref().is_some_and(|leave| leave.until <= now);
        let ids: Vec<Arc<str>> =
            self.rows.iter().filter(|(_, row)| over(row)).map(|(id, _)| Arc::clone(id)).collect();
        for id in ids {
            let reason = late(self.reason(&id).as_deref().or(outage));
            self.left(&id, Err(reason));
        }
    }

    pub(super) fn plan(&self, now: Instant) -> Plan {
        let mut ready = false;
        let mut wake: Option<Instant> = None;
        for row in self.rows.values() {
            ready |= self.has_lane(row) && row.due(now).is_some();
            let until = row.leave.as_ref().map(|leave| leave.until);
            for at in [until, row.alarm(now)].into_iter().flatten() {
                wake = Some(wake.map_or(at, |wake| wake.min(at)));
            }
        }
        Plan { ready, wake }
    }

    /// The next request, marked as under way. Deregistrations go first.
    pub(super) fn take(&mut self, now: Instant) -> Option<Job> {
        let id = self
            .find(|row| row.leave.is_some() && row.due(now).is_some())
            .or_else(|| self.find(|row| row.due(now).is_some()))?;
        let row = self.rows.get_mut(&id)?;
        let verb = row.due(now)?;
        row.busy = true;
        row.retry_at = None;
        let registration = match &row.leave {
            Some(leave) => Arc::clone(&leave.registration),
            None => Arc::clone(&row.registration),
        };
        if matches!(verb, Verb::Register(_) | Verb::Heartbeat) {
            row.beat = false;
        }
        self.sending += 1;
        // Those who jump the queue do not change whose turn it is.
        if row.leave.is_none() {
            self.cursor = Some(Arc::clone(&id));
        }
        Some(Job { id, registration, verb })
    }

    /// A request has ended. `Ok(true)`: the registry has the instance as the job's registration
    /// says (or, after a deregistration, not at all); `Ok(false)`: it has it otherwise.
    pub(super) fn done(&mut self, job: &Job, outcome: Result<bool, Error>, now: Instant) {
        self.sending = self.sending.saturating_sub(1);
        let Some(row) = self.rows.get_mut(&job.id) else { return };
        row.busy = false;
        row.settle(job, &outcome, now);
        if row.leave.is_none() {
            if row.is_over() {
                self.rows.remove(&job.id);
            }
            return;
        }
        match (job.verb, outcome) {
            (Verb::Deregister, Ok(_)) if !row.doubtful => self.left(&job.id, Ok(())),
            (Verb::Deregister, Ok(_)) => {
                row.doubtful = false;
                row.retry_at = Some(now + ECHO);
            }
            (Verb::Deregister, Err(error)) if error.class() == Class::GiveUp => {
                self.left(&job.id, Err(error.to_string()));
            }
            // Asked for while the first registration was under way, which came to nothing.
            _ if !row.reached => self.left(&job.id, Ok(())),
            _ => {}
        }
    }

    /// The row for a registration, with the newest version of it.
    fn row(&mut self, wanted: &Arc<Registration>, now: Instant) -> &mut Row {
        let row = self
            .rows
            .entry(Arc::from(wanted.id.as_str()))
            .or_insert_with(|| Row::new(Arc::clone(wanted), now));
        if !Arc::ptr_eq(&row.registration, wanted) && row.registration != *wanted {
            // The old check would stay, and expire.
            if row.registration.check_id != wanted.check_id && row.reached && row.leave.is_none() {
                let registration = Arc::clone(&row.registration);
                let until = now + REPLACING;
                row.leave = Some(Leave { registration, waiters: Vec::new(), until, reason: None });
            }
            row.held = false;
            row.registration = Arc::clone(wanted);
        }
        row
    }

    /// A deregistration has ended. What is still or again wanted starts anew.
    fn left(&mut self, id: &str, outcome: Result<(), String>) {
        let Some(row) = self.rows.get_mut(id) else { return };
        let Some(leave) = row.leave.take() else { return };
        let outcome = match outcome {
            Ok(()) => {
                row.held = false;
                row.reached = false;
                Deregistration::Acknowledged
            }
            Err(reason) => Deregistration::GaveUp(reason),
        };
        if row.is_over() {
            self.rows.remove(id);
        }
        for waiter in leave.waiters {
            let _ = waiter.send(outcome.clone());
        }
    }

    /// The next row after the one served last that is wanted and may be served now.
    fn find(&self, wanted: impl Fn(&Row) -> bool) -> Option<Arc<str>> {
        let after = match &self.cursor {
            Some(id) => Bound::Excluded(Arc::clone(id)),
            None => Bound::Unbounded,
        };
        self.rows
            .range((after, Bound::Unbounded))
            .chain(self.rows.iter())
            .find(|(_, row)| self.has_lane(row) && wanted(row))
            .map(|(id, _)| Arc::clone(id))
    }

    fn has_lane(&self, row: &Row) -> bool {
        self.sending < if row.leave.is_some() { LEAVING_LANES } else { LANES }
    }
}

impl Row {
    fn new(registration: Arc<Registration>, now: Instant) -> Row {
        Row {
            registration,
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
        }
    }

    /// Nothing is wanted of it and nothing will be heard of it.
    fn is_over(&self) -> bool {
        matches!(self.fact, Fact::Nothing) && self.leave.is_none() && !self.busy
    }

    /// The status to register with; `None`: it does not belong in the registry (yet).
    fn status(&self, now: Instant) -> Option<Status> {
        let fresh = |at: Instant| now.saturating_duration_since(at) <= self.registration.ttl;
        match self.fact {
            Fact::Passed(at) if fresh(at) => Some(Status::Passing),
            Fact::Announced(Status::Passing, at) if !fresh(at) => Some(Status::Critical),
            Fact::Announced(status, _) => Some(status),
            Fact::Nothing => None,
            Fact::Passed(_) | Fact::Failed => self.desired.then_some(Status::Critical),
        }
    }

    /// The request that should be sent now.
    fn due(&self, now: Instant) -> Option<Verb> {
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
            Some(Verb::Register(status))
        } else if self.compare_at <= now {
            Some(Verb::Compare)
        } else {
            (self.beat && status == Status::Passing).then_some(Verb::Heartbeat)
        }
    }

    /// When [`Row::due`] will have another answer by itself.
    fn alarm(&self, now: Instant) -> Option<Instant> {
        if self.busy {
            return None;
        }
        match self.retry_at {
            Some(at) if at > now => Some(at),
            _ => (self.held && !self.refused && self.compare_at > now).then_some(self.compare_at),
        }
    }

    /// Takes in what came of a request, deregistration's waiters aside.
    fn settle(&mut self, job: &Job, outcome: &Result<bool, Error>, now: Instant) {
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
    fn forget_unwatched_leave(&mut self) {
        let unwatched = |leave: &Leave| {
            !leave.waiters.is_empty() && leave.waiters.iter().all(oneshot::Sender::is_closed)
        };
        if self.leave.as_ref().is_some_and(unwatched) {
            self.leave = None;
            self.held = false;
        }
    }
}

#[cfg(test)]
mod tests;
