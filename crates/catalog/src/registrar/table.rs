//! What should be registered, what the registry has acknowledged, and which request is due.
//!
//! Pure: time comes in as an argument, requests go out as [`Job`]s, outcomes come back by
//! [`Table::done`].

mod lines;
mod mark;
mod row;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Deregistration;
use crate::{Class, Error, Expiry, Registration, Status};
use row::{Fact, Leave, Row};

/// A registration that was cut off may still arrive. Deregistering once more after this long
/// catches it.
const ECHO: Duration = Duration::from_millis(100);

/// How long an old check is taken out for when an instance gets another one.
const REPLACING: Duration = Duration::from_secs(60);

/// Requests under way at once: one connection is nearly enough for heartbeats.
const LANES: usize = 2;

/// The same while instances are taken out or marked, since somebody waits for that.
const LEAVING_LANES: usize = 8;

pub(super) struct Table {
    rows: BTreeMap<Arc<str>, Row>,
    /// The row that was served last; the search goes on behind it, so that all get their turn.
    cursor: Option<Arc<str>>,
    sending: usize,
    closed: bool,
    expiry: Expiry,
}

/// A request to send.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: Arc<str>,
    pub(super) registration: Arc<Registration>,
    pub(super) verb: Verb,
    /// What the registry is told with the status, if something is.
    pub(super) output: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Register(Status),
    Heartbeat,
    Mark,
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
    /// Without instances, for a registry that treats expired ones like this.
    pub(super) fn new(expiry: Expiry) -> Self {
        Table { rows: BTreeMap::new(), cursor: None, sending: 0, closed: false, expiry }
    }

    pub(super) fn passing(&mut self, registration: &Arc<Registration>, now: Instant) {
        let row = self.row(registration, now);
        row.fact = Fact::Passed(now);
        row.beat = true;
        row.refused = false;
        row.unmark(&Deregistration::GaveUp("a check has passed meanwhile".to_owned()));
        row.forget_unwatched_leave();
    }

    pub(super) fn failing(&mut self, id: &str) {
        if let Some(row) = self.rows.get_mut(id) {
            // Once marked, it stays so until it passes.
            if matches!(row.fact, Fact::Marked(_)) {
                return;
            }
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
        let mark = row.mark.take();
        if !row.reached && !row.busy {
            self.rows.remove(id);
            let _ = done.send(Deregistration::Acknowledged);
            return;
        }
        let registration = Arc::clone(&row.registration);
        let new = || Leave { registration, waiters: Vec::new(), until, reason: None };
        let leave = row.leave.get_or_insert_with(new);
        leave.until = leave.until.max(until);
        leave.waiters.push(done);
        // Whoever is out is not seen as passing, either.
        leave.waiters.extend(mark.into_iter().flat_map(|mark| mark.waiters));
    }

    /// Whether the registry has the instance as it is wanted, and nobody takes it out.
    pub(super) fn is_registered(&self, id: &str) -> bool {
        self.rows.get(id).is_some_and(|row| row.held && row.leave.is_none())
    }

    /// Why a deregistration or a mark has not worked yet.
    pub(super) fn reason(&self, id: &str) -> Option<String> {
        let row = self.rows.get(id)?;
        match (&row.leave, &row.mark) {
            (Some(leave), _) => leave.reason.clone(),
            (None, mark) => mark.as_ref()?.reason.clone(),
        }
    }

    /// No handle is left.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Nobody is left who wants something.
    pub(super) fn is_finished(&self) -> bool {
        let waited = |row: &Row| {
            row.mark.is_some() || row.leave.as_ref().is_some_and(|leave| !leave.waiters.is_empty())
        };
        self.closed && !self.rows.values().any(waited)
    }

    /// The registry answers again: who knows what it has.
    pub(super) fn recovered(&mut self, now: Instant) {
        for row in self.rows.values_mut() {
            row.compare_at = now;
            // Whoever leaves may be waiting for what arrives late just now, after the outage.
            if row.leave.is_none() {
                row.retry_at = None;
            }
        }
    }

    /// Ends the deregistrations and marks whose time is over. `outage`: why the registry does not answer.
    pub(super) fn expire(&mut self, now: Instant, outage: Option<&str>) {
        let over = |row: &Row| row.leave.as_ref().is_some_and(|leave| leave.until <= now);
        let ids: Vec<Arc<str>> =
            self.rows.iter().filter(|(_, row)| over(row)).map(|(id, _)| Arc::clone(id)).collect();
        for id in ids {
            let reason = late(self.reason(&id).as_deref().or(outage));
            self.left(&id, Err(reason));
        }
        self.expire_marks(now, outage);
    }

    pub(super) fn plan(&self, now: Instant) -> Plan {
        let mut ready = false;
        let mut wake: Option<Instant> = None;
        for row in self.rows.values() {
            ready |= self.has_lane(row) && row.due(now).is_some();
            let leave = row.leave.as_ref().map(|leave| leave.until);
            let mark = row.mark.as_ref().map(|mark| mark.until);
            for at in [leave, mark, row.alarm(now)].into_iter().flatten() {
                wake = Some(wake.map_or(at, |wake| wake.min(at)));
            }
        }
        Plan { ready, wake }
    }

    /// The next request, noted as under way. Those that somebody waits for go first.
    pub(super) fn take(&mut self, now: Instant) -> Option<Job> {
        let id = self
            .find(|row| row.is_urgent() && row.due(now).is_some())
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
        if !row.is_urgent() {
            self.cursor = Some(Arc::clone(&id));
        }
        let output = row.output();
        Some(Job { id, registration, verb, output })
    }

    /// A request has ended. `Ok(true)`: the registry has the instance as the job's registration
    /// says (or, after a deregistration, not at all); `Ok(false)`: it has it otherwise.
    pub(super) fn done(&mut self, job: &Job, outcome: Result<bool, Error>, now: Instant) {
        self.sending = self.sending.saturating_sub(1);
        let Some(row) = self.rows.get_mut(&job.id) else { return };
        row.busy = false;
        row.settle(job, &outcome, now);
        row.marked(job, &outcome);
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
            .or_insert_with(|| Row::new(Arc::clone(wanted), self.expiry, now));
        if !Arc::ptr_eq(&row.registration, wanted) && row.registration != *wanted {
            // The old check would stay, and expire; also one that is on its way.
            let other_check = row.registration.check_id != wanted.check_id;
            if other_check && (row.reached || row.busy) && row.leave.is_none() {
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
        self.sending < if row.is_urgent() { LEAVING_LANES } else { LANES }
    }
}

#[cfg(test)]
mod tests;
