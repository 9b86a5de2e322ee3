//! Instances that are shown as critical on request, whatever their checks say.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::row::{Fact, Row};
use super::{Job, Table, Verb, late};
use crate::registrar::Deregistration;
use crate::{Class, Error};

/// Those who wait for it.
pub(super) struct Mark {
    pub(super) waiters: Vec<oneshot::Sender<Deregistration>>,
    pub(super) until: Instant,
    /// Why it has not worked yet.
    pub(super) reason: Option<String>,
}

impl Table {
    pub(in crate::registrar) fn mark(
        &mut self,
        id: &str,
        output: &str,
        done: oneshot::Sender<Deregistration>,
        until: Instant,
    ) {
        let Some(row) = self.rows.get_mut(id) else {
            let _ = done.send(Deregistration::Acknowledged);
            return;
        };
        row.beat = false;
        match (&row.fact, &mut row.leave) {
            // On its way out, for good.
            (Fact::Nothing, Some(leave)) => {
                leave.until = leave.until.max(until);
                leave.waiters.push(done);
                return;
            }
            // Nobody sees it.
            _ if !row.reached && !row.busy => {
                row.fact = Fact::Failed;
                let _ = done.send(Deregistration::Acknowledged);
                return;
            }
            _ => {}
        }
        row.fact = Fact::Marked(Arc::from(output));
        row.refused = false;
        row.retry_at = None;
        let mark =
            row.mark.get_or_insert_with(|| Mark { waiters: Vec::new(), until, reason: None });
        mark.until = mark.until.max(until);
        mark.waiters.push(done);
    }

    /// Gives up the marks whose time is over.
    pub(super) fn expire_marks(&mut self, now: Instant, outage: Option<&str>) {
        for row in self.rows.values_mut() {
            if let Some(mark) = row.mark.take_if(|mark| mark.until <= now) {
                let reason = late(mark.reason.as_deref().or(outage));
                mark.end(&Deregistration::GaveUp(reason));
            }
        }
    }
}

impl Row {
    /// A request has ended and was taken in.
    pub(super) fn marked(&mut self, job: &Job, outcome: &Result<bool, Error>) {
        let ended = match (job.verb, outcome) {
            (Verb::Mark, Ok(_) | Err(Error::Unknown)) => Deregistration::Acknowledged,
            (Verb::Register(_), Ok(_)) if job.output.is_some() => Deregistration::Acknowledged,
            // Asked for while the first registration was under way, which came to nothing.
            _ if !self.reached => Deregistration::Acknowledged,
            (Verb::Mark | Verb::Register(_), Err(error)) if error.class() == Class::GiveUp => {
                Deregistration::GaveUp(error.to_string())
            }
            _ => return,
        };
        self.unmark(&ended);
    }

    /// Nobody needs to wait for a mark any more.
    pub(super) fn unmark(&mut self, ended: &Deregistration) {
        if let Some(mark) = self.mark.take() {
            mark.end(ended);
        }
    }
}

impl Mark {
    fn end(self, ended: &Deregistration) {
        for waiter in self.waiters {
            let _ = waiter.send(ended.clone());
        }
    }
}
