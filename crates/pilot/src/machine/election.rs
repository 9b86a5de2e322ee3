//! Elections: from when until when we stand, and in which order we give way.
//!
//! We stand from the start of the configuration, except during maintenance. Who loses its lead is
//! told so at once, and stands on. Who gives it up (for maintenance, a stop, a reload that does
//! away with the election) is `demoted` first; jobs that are hooked to that do their work; what
//! runs on `elected` and is to stop has ended; and only then the lock is given back, so that the
//! next one is elected after we have really stepped down.
//!
//! What runs on `elected` is not killed by a demotion: a job that is hooked to `demoted` does that,
//! if it is wanted. But nothing starts it again before we are elected again.

use std::time::{Duration, Instant};

use config::{
    election::ElectionId,
    job::{Condition, ElectionEvent, JobId, Need, Trigger, When},
};

use super::{Action, Machine, Maintenance, Phase, Run, StopStep};

/// How long maintenance waits for what is hooked to `demoted` and has no `timeout`.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where we are in an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidacy {
    /// We do not stand.
    Out,
    /// We stand, and another one may be elected.
    Standing,
    /// We are elected.
    Leading,
    /// We are `demoted`; what is hooked to that runs, at most until then. We still have the lock.
    SteppingDown {
        /// When the jobs were told.
        since: Instant,
        /// When waiting for hooks ends; `None`: when they end.
        until: Option<Instant>,
    },
    /// Hooks have ended; what has run on `elected` stops.
    GivingWay,
    /// We give the lock back.
    Resigning,
}

impl Candidacy {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Candidacy::SteppingDown { until, .. } => *until,
            _ => None,
        }
    }
}

impl Machine {
    /// Whether we are elected, as the jobs know it.
    pub(crate) fn leads(&self, id: ElectionId) -> bool {
        self.elections.get(id.0) == Some(&Candidacy::Leading)
    }

    pub(super) fn elected(&mut self, id: ElectionId) {
        if let Some(candidacy @ Candidacy::Standing) = self.elections.get_mut(id.0) {
            *candidacy = Candidacy::Leading;
            self.publish(Trigger::Election(id, ElectionEvent::Elected));
        }
    }

    /// We have lost our lead.
    pub(super) fn demoted(&mut self, id: ElectionId) {
        if let Some(candidacy @ Candidacy::Leading) = self.elections.get_mut(id.0) {
            *candidacy = Candidacy::Standing;
            self.publish(Trigger::Election(id, ElectionEvent::Demoted));
        }
    }

    pub(super) fn resigned(&mut self, id: ElectionId) {
        if let Some(candidacy @ Candidacy::Resigning) = self.elections.get_mut(id.0) {
            *candidacy = Candidacy::Out;
            self.stand();
        }
    }

    /// Stands in all elections in which we do not, if nothing keeps us from it.
    pub(super) fn stand(&mut self) {
        if self.phase != Phase::Running || self.applied == Maintenance::On {
            return;
        }
        for (index, candidacy) in self.elections.iter_mut().enumerate() {
            if *candidacy == Candidacy::Out {
                *candidacy = Candidacy::Standing;
                self.actions.push(Action::Stand(ElectionId(index)));
            }
        }
    }

    pub(super) fn step_down_for_maintenance(&mut self, now: Instant) {
        for id in self.election_ids() {
            let hook = Trigger::Election(id, ElectionEvent::Demoted);
            let patience = |job: &config::Job| {
                let hooked = job.when.triggers().any(|trigger| trigger == hook);
                hooked.then(|| job.exec.as_ref()?.timeout).flatten()
            };
            let patience = self.config.jobs.iter().filter_map(patience).max();
            let until = now.checked_add(patience.unwrap_or(PATIENCE).max(PATIENCE));
            self.step_down(id, until, now);
        }
    }

    /// Steps down from the elections that are chosen, as part of a stop.
    pub(super) fn step_down_for_good(&mut self, chosen: impl Fn(ElectionId) -> bool, now: Instant) {
        for id in self.election_ids().filter(|id| chosen(*id)) {
            self.step_down(id, self.limits.hooks, now);
        }
    }

    fn step_down(&mut self, id: ElectionId, limit: Option<Instant>, now: Instant) {
        let Some(candidacy) = self.elections.get_mut(id.0) else { return };
        match candidacy {
            Candidacy::Standing => self.resign(id),
            Candidacy::Leading => {
                *candidacy = Candidacy::SteppingDown { since: now, until: limit };
                self.publish(Trigger::Election(id, ElectionEvent::Demoted));
            }
            Candidacy::SteppingDown { until, .. } => {
                *until = until.iter().copied().chain(limit).min();
            }
            Candidacy::Out | Candidacy::GivingWay | Candidacy::Resigning => {}
        }
    }

    pub(super) fn tick_elections(&mut self, now: Instant) {
        for id in self.election_ids() {
            if let Some(Candidacy::SteppingDown { until: Some(at), .. }) = self.elections.get(id.0)
                && *at <= now
            {
                self.give_way(id);
            }
        }
    }

    /// Takes the next step of those that are stepping down. True if there was one.
    pub(super) fn advance_elections(&mut self) -> bool {
        let mut moved = false;
        for id in self.election_ids() {
            match self.elections.get(id.0) {
                Some(Candidacy::SteppingDown { since, .. })
                    if self.hooks_of_demotion_have_ended(id, *since) =>
                {
                    self.give_way(id);
                }
                Some(Candidacy::GivingWay) if !self.still_acts(id) => self.resign(id),
                _ => continue,
            }
            moved = true;
        }
        moved
    }

    /// As [`Machine::hooks_have_ended`]; but what has been running before and was not started for
    /// this may run on: a replica that an earlier demotion has begun.
    fn hooks_of_demotion_have_ended(&self, id: ElectionId, since: Instant) -> bool {
        let hook = Trigger::Election(id, ElectionEvent::Demoted);
        self.events.is_empty()
            && self.ids().all(|job| match self.job(job).run {
                Run::Running { since: begun, held, .. } => {
                    (begun < since && held.is_none()) || !self.is_hooked(job, hook)
                }
                Run::Resting { .. } => !self.is_hooked(job, hook),
                _ => true,
            })
    }

    fn give_way(&mut self, id: ElectionId) {
        if let Some(candidacy) = self.elections.get_mut(id.0) {
            *candidacy = Candidacy::GivingWay;
        }
        // Those that were spared for this.
        if self.phase != Phase::Running {
            let hook = Trigger::Election(id, ElectionEvent::Demoted);
            for job in self.ids() {
                if self.is_hooked(job, hook) && self.is_to_stop(job) {
                    self.begin_stop(job);
                }
            }
        }
    }

    fn resign(&mut self, id: ElectionId) {
        if let Some(candidacy) = self.elections.get_mut(id.0) {
            *candidacy = Candidacy::Resigning;
            self.actions.push(Action::Resign(id));
        }
    }

    /// Everything has been killed: there is nothing to wait for.
    pub(super) fn resign_at_once(&mut self) {
        for id in self.election_ids() {
            if let Some(Candidacy::SteppingDown { .. } | Candidacy::GivingWay) =
                self.elections.get(id.0)
            {
                self.resign(id);
            }
        }
    }

    /// Whether something that runs on `elected` is being stopped and has not ended yet.
    fn still_acts(&self, id: ElectionId) -> bool {
        let elected = Trigger::Election(id, ElectionEvent::Elected);
        self.ids().any(|job| {
            let stopping = !matches!(self.job(job).stop, StopStep::Live | StopStep::Stopped);
            stopping
                && self.job(job).run.is_running()
                && self.is_hooked(job, elected)
                && !self.waits_for_elections(job, &mut Vec::new())
        })
    }

    /// Whether a job that stops waits until we stand in no election, by way of others too.
    fn waits_for_elections(&self, job: JobId, seen: &mut Vec<JobId>) -> bool {
        if seen.contains(&job) {
            return false;
        }
        seen.push(job);
        let after = &self.spec(job).stop.after;
        (after.deregistered && !self.follows_an_election(job, &mut Vec::new()))
            || after.stopped.iter().any(|other| self.waits_for_elections(*other, seen))
    }

    /// Whether a job starts because of an election, by way of others too: such a one is no agent
    /// of the catalog, without which nobody could be elected.
    fn follows_an_election(&self, job: JobId, seen: &mut Vec<JobId>) -> bool {
        if seen.contains(&job) {
            return false;
        }
        seen.push(job);
        self.spec(job).when.triggers().any(|trigger| match trigger {
            Trigger::Election(..) => true,
            Trigger::Job(source, _) => self.follows_an_election(source, seen),
            _ => false,
        })
    }

    /// Whether we stand in no election that is to end, as far as that concerns what may be the
    /// catalog's agent: giving a lock back may need it.
    pub(super) fn has_left_elections(&self, job: JobId) -> bool {
        self.elections_have_made_room() || self.follows_an_election(job, &mut Vec::new())
    }

    /// Whether we stand in no election, or need not end that for the reload that is under way.
    pub(super) fn elections_have_made_room(&self) -> bool {
        self.election_ids()
            .all(|id| self.elections.get(id.0) == Some(&Candidacy::Out) || self.keeps_election(id))
    }

    /// Whether a job is about to do what it does when we are demoted, so that a stop has to wait.
    pub(super) fn is_hook_of_a_demotion(&self, job: JobId) -> bool {
        let when = &self.spec(job).when;
        let can_start = !self.job(job).run.has_begun() || when.repeats();
        can_start
            && self.election_ids().any(|id| {
                matches!(self.elections.get(id.0), Some(Candidacy::SteppingDown { .. }))
                    && self.is_hooked(job, Trigger::Election(id, ElectionEvent::Demoted))
            })
    }

    /// Whether what has started a job is not so any more: it was elected, and we are not, or the
    /// other way round. Then nothing that came before starts it again.
    pub(super) fn is_overtaken(&self, job: JobId) -> bool {
        let overtaken = |condition: &Condition| match condition.trigger {
            Trigger::Election(id, ElectionEvent::Elected) => !self.leads(id),
            Trigger::Election(id, ElectionEvent::Demoted) => self.leads(id),
            _ => false,
        };
        match &self.spec(job).when {
            When::On { need: Need::Any, conditions, .. } => conditions.iter().all(overtaken),
            When::On { need: Need::All, conditions, .. } => conditions.iter().any(overtaken),
            When::Every { .. } => false,
        }
    }

    /// Whether an event of an election can still come.
    pub(super) fn can_be_voted(&self, id: ElectionId) -> bool {
        match self.phase {
            Phase::Stopping(_) => false,
            Phase::Retiring => self.keeps_election(id),
            _ => true,
        }
    }

    pub(super) fn election_ids(&self) -> impl Iterator<Item = ElectionId> + use<> {
        (0..self.elections.len()).map(ElectionId)
    }
}
