//! How a job's service leaves the catalog, and the time that those who use it have to notice
//! (`drain`) before its process is asked to exit.
//!
//! A service leaves, or on request stays as a critical one until its process has ended. The drain
//! begins when the catalog has acknowledged that. It is cut by whatever ends a process, by the end
//! of the time for hooks, and there is none for a service that nobody can have known, nor for one
//! of which the catalog does not acknowledge that it goes: then nobody learns of it, however long
//! we wait.

use std::time::Instant;

use config::job::{JobId, Notice};

use super::{Action, Deregistration, Machine, Notified, StopStep};

/// Where a job's service stands with the catalog, as far as we have asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// In it, or on its way there, or not yet.
    In,
    /// The catalog has been asked, and has not answered.
    Leaving {
        /// For what.
        notice: Notice,
        /// The number of the request.
        number: Deregistration,
        /// Since when those who use it know already, from an earlier request.
        told: Option<Instant>,
    },
    /// It has answered, or it takes too long.
    Left {
        /// A marked one is still there.
        notice: Notice,
        /// Since when those who use it can know; `None`: they cannot.
        told: Option<Instant>,
    },
}

impl Listing {
    pub(super) fn is_marked(self) -> bool {
        let (Listing::Leaving { notice, .. } | Listing::Left { notice, .. }) = self else {
            return false;
        };
        notice == Notice::Mark
    }

    fn told(self) -> Option<Instant> {
        match self {
            Listing::In => None,
            Listing::Leaving { told, .. } | Listing::Left { told, .. } => told,
        }
    }
}

impl Machine {
    /// The step of a stop after the hooks of `stopping`.
    pub(super) fn begin_deregistration(&mut self, id: JobId, now: Instant) {
        self.check_off(id);
        if self.spec(id).service.is_none() {
            return self.terminate(id, now);
        }
        let notice = match self.spec(id).stop.drain {
            Some(drain) if self.is_used(id) && !self.limits.forced => drain.notice,
            _ => Notice::Deregister,
        };
        let number = self.leave(id, notice);
        self.job_mut(id).stop = StopStep::Deregistering(number);
    }

    /// The service leaves, but nothing stops.
    pub(super) fn leave_for_maintenance(&mut self, id: JobId) {
        let serves = self.spec(id).exec.is_none() || self.job(id).run.is_running();
        let notice = match self.spec(id).stop.drain {
            Some(drain) if serves => drain.notice,
            _ => Notice::Deregister,
        };
        self.leave(id, notice);
    }

    /// Asks the catalog, unless it has been asked just that and has not answered yet.
    fn leave(&mut self, id: JobId, notice: Notice) -> Deregistration {
        let before = self.job(id).listing;
        if let Listing::Leaving { notice: asked, number, .. } = before
            && asked == notice
        {
            return number;
        }
        self.deregistrations += 1;
        let number = Deregistration(self.deregistrations);
        self.actions.push(match notice {
            Notice::Deregister => Action::Deregister(id, number),
            Notice::Mark => Action::Mark(id, number),
        });
        self.job_mut(id).listing = Listing::Leaving { notice, number, told: before.told() };
        number
    }

    /// The catalog has answered.
    pub(super) fn deregistered(
        &mut self,
        id: JobId,
        number: Deregistration,
        notified: Notified,
        now: Instant,
    ) {
        let job = self.job_mut(id);
        if let Listing::Leaving { notice, number: asked, told } = job.listing
            && asked == number
        {
            let now = (notified == Notified::Yes).then_some(now);
            job.listing = Listing::Left { notice, told: told.or(now) };
        }
        match self.job(id).stop {
            StopStep::Deregistering(asked) if asked == number => self.drain(id, now),
            StopStep::Removing(asked) if asked == number => self.stopped(id),
            _ => {}
        }
    }

    fn drain(&mut self, id: JobId, now: Instant) {
        let told = self.job(id).listing.told();
        let drain = self.spec(id).stop.drain.zip(told).filter(|_| self.is_used(id));
        let end = drain.and_then(|(drain, told)| told.checked_add(drain.time));
        let until = end.into_iter().chain(end.and(self.limits.hooks)).min();
        match until {
            Some(until) if until > now && !self.limits.forced => {
                self.job_mut(id).stop = StopStep::Draining { until };
            }
            _ => self.terminate(id, now),
        }
    }

    /// Whether a process that is to stop serves what this job advertises: its own, or, if it has
    /// none, one that stops after this job (2.x: the application).
    pub(super) fn is_used(&self, id: JobId) -> bool {
        if self.spec(id).exec.is_some() {
            return self.job(id).run.is_running();
        }
        self.ids().any(|other| {
            self.spec(other).stop.after.stopped.contains(&id)
                && self.job(other).run.is_running()
                && self.job(other).stop == StopStep::Holding
        })
    }

    /// Whether a stopping job's service is out of the catalog, or as far out as it can be brought.
    pub(super) fn has_left(&self, id: JobId) -> bool {
        match self.job(id).stop {
            StopStep::Stopped => true,
            StopStep::Terminating { .. } => !self.job(id).listing.is_marked(),
            _ => false,
        }
    }

    /// A stopping job's process has ended. What is marked leaves the catalog now.
    pub(super) fn ended(&mut self, id: JobId) {
        if self.job(id).listing.is_marked() {
            let number = self.leave(id, Notice::Deregister);
            self.job_mut(id).stop = StopStep::Removing(number);
        } else {
            self.stopped(id);
        }
    }
}
