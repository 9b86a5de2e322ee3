//! Maintenance: services are out of the catalog and we stand in no election, while everything runs.
//!
//! Services leave at once. Jobs that wait for `enterMaintenance` may be about to end what served
//! them, so they are told when those who use the services have had their time (`drain`).

use std::time::Instant;

use config::job::{GlobalEvent, JobId, Trigger};

use super::{Listing, Machine, Phase, StopStep};

/// Whether services are kept out of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maintenance {
    /// They are.
    On,
    /// They are not.
    Off,
}

impl Maintenance {
    pub(super) fn other(self) -> Maintenance {
        match self {
            Maintenance::On => Maintenance::Off,
            Maintenance::Off => Maintenance::On,
        }
    }
}

impl Machine {
    /// Whether services are kept out of the catalog.
    pub(crate) fn maintenance(&self) -> Maintenance {
        self.maintenance
    }

    pub(super) fn maintain(&mut self, wanted: Maintenance, now: Instant) {
        let late = matches!(self.phase, Phase::Stopping(_) | Phase::Ended);
        if self.maintenance == wanted || late {
            return;
        }
        self.maintenance = wanted;
        if self.phase != Phase::New {
            self.apply_maintenance(now);
        }
    }

    pub(super) fn apply_maintenance(&mut self, now: Instant) {
        let wanted = self.maintenance;
        if std::mem::replace(&mut self.applied, wanted) != wanted {
            for id in self.ids() {
                if self.spec(id).service.is_none() || !self.job(id).advertises() {
                    continue;
                }
                match wanted {
                    Maintenance::On => {
                        self.check_off(id);
                        self.leave_for_maintenance(id);
                    }
                    Maintenance::Off => self.advertise(id, now),
                }
            }
            match wanted {
                Maintenance::On => self.step_down_for_maintenance(now),
                Maintenance::Off => self.stand(),
            }
        }
        self.tell_of_maintenance(now);
    }

    /// Tells the jobs what holds, once that is so. An end before they were told of a beginning is
    /// no news for them.
    pub(super) fn tell_of_maintenance(&mut self, now: Instant) {
        let wanted = self.applied;
        if !self.owes_word_of_maintenance() {
            return;
        }
        if wanted == Maintenance::On
            && self.drains().any(|drain| drain.is_none_or(|until| until > now))
        {
            return;
        }
        self.told = wanted;
        self.publish(Trigger::Global(match wanted {
            Maintenance::On => GlobalEvent::EnterMaintenance,
            Maintenance::Off => GlobalEvent::ExitMaintenance,
        }));
    }

    fn owes_word_of_maintenance(&self) -> bool {
        self.told != self.applied && !matches!(self.phase, Phase::Stopping(_) | Phase::Ended)
    }

    /// When jobs can be told of maintenance, as far as that is a matter of time.
    pub(super) fn end_of_drains(&self) -> Option<Instant> {
        if !self.owes_word_of_maintenance() {
            return None;
        }
        self.drains().try_fold(None, |latest, until| Some(latest.max(Some(until?)))).flatten()
    }

    /// The drains of maintenance: when each ends; `None`: when the catalog has answered.
    fn drains(&self) -> impl Iterator<Item = Option<Instant>> {
        self.ids().filter_map(|id| self.drain_of_maintenance(id))
    }

    fn drain_of_maintenance(&self, id: JobId) -> Option<Option<Instant>> {
        let (spec, job) = (self.spec(id), self.job(id));
        let drain = spec.stop.drain?;
        let serves = spec.exec.is_none() || job.run.is_running();
        match job.listing {
            _ if !serves || job.stop != StopStep::Live => None,
            Listing::Leaving { .. } => Some(None),
            Listing::Left { told: Some(told), .. } => Some(told.checked_add(drain.time)),
            Listing::In | Listing::Left { told: None, .. } => None,
        }
    }
}
