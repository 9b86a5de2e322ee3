//! What can still happen: which jobs nothing can start any more, and whether any job is left
//! that the program should stay for.

use std::time::Instant;

use config::{
    Config,
    job::{Frequency, GlobalEvent, JobEvent, JobId, Need, Role, Trigger, When},
};

use super::{Action, Machine, Phase, Run, StopStep};

impl Machine {
    /// Completes jobs whose trigger cannot come any more. True if there was one.
    pub(super) fn complete_unreachable(&mut self, now: Instant) -> bool {
        let mut found = false;
        for id in self.ids() {
            // The next configuration may bring what this one cannot.
            if self.stays(id) {
                continue;
            }
            if self.waits(id) && !self.could_start(id, |trigger| self.can_come(trigger)) {
                // What waits for a failure that has not happened is as it should be.
                let missed = self.spec(id).when.triggers().any(|trigger| {
                    matches!(trigger, Trigger::Job(_, JobEvent::ExitSuccess | JobEvent::Healthy))
                });
                let never = !self.job(id).run.has_begun();
                if never && missed && self.phase == Phase::Running {
                    self.actions.push(Action::Unreachable(id));
                }
                self.job_mut(id).run = Run::Over;
                self.complete(id, now);
                found = true;
            }
        }
        found
    }

    /// Whether a job that waits would start if the events that `comes` tells of came.
    fn could_start(&self, id: JobId, comes: impl Fn(Trigger) -> bool) -> bool {
        let first = !self.job(id).run.has_begun();
        match &self.spec(id).when {
            When::Every { after, .. } => comes(*after),
            When::On { need: Need::Any, conditions, .. } => conditions
                .iter()
                .filter(|condition| first || condition.frequency == Frequency::Each)
                .any(|condition| comes(condition.trigger)),
            When::On { need: Need::All, conditions, .. } => {
                let seen = &self.job(id).seen;
                (first || self.spec(id).when.repeats())
                    && conditions
                        .iter()
                        .zip(seen)
                        .all(|(condition, seen)| *seen || comes(condition.trigger))
            }
        }
    }

    /// Whether the job does nothing until its trigger comes.
    pub(super) fn waits(&self, id: JobId) -> bool {
        let job = self.job(id);
        let between_runs = job.run == Run::Idle
            && self.spec(id).exec.is_some()
            && matches!(self.spec(id).when, When::On { .. });
        job.stop == StopStep::Live && (!job.run.has_begun() || between_runs)
    }

    /// Whether an event can still be published. Asked only when no event is waiting.
    fn can_come(&self, event: Trigger) -> bool {
        let stopping = matches!(self.phase, Phase::Stopping(_));
        match event {
            Trigger::Global(GlobalEvent::Startup) => self.phase == Phase::New,
            Trigger::Global(GlobalEvent::Shutdown) => !stopping,
            Trigger::Global(GlobalEvent::EnterMaintenance | GlobalEvent::ExitMaintenance)
            | Trigger::Watch(..)
            | Trigger::Template(..)
            | Trigger::Signal(_) => !stopping,
            Trigger::Election(id, _) => self.can_be_voted(id),
            Trigger::Job(source, event) => {
                let source = self.job(source);
                match event {
                    JobEvent::Stopping => matches!(source.stop, StopStep::Live | StopStep::Holding),
                    JobEvent::Stopped => source.stop != StopStep::Stopped,
                    // A process that is being stopped still exits.
                    JobEvent::ExitSuccess | JobEvent::ExitFailed => {
                        source.stop == StopStep::Live || source.run.is_running()
                    }
                    JobEvent::Healthy | JobEvent::Unhealthy => {
                        source.stop.is_before_deregistration() && source.run != Run::Over
                    }
                }
            }
        }
    }

    /// Whether every job has completed, or waits only for the end of the program. A program with
    /// watches, elections, templates or a metrics endpoint but no other job at all has something to stay for.
    pub(super) fn nothing_can_run(&self) -> bool {
        let company = |id: &JobId| self.spec(*id).role == Role::Companion;
        // Nearly always: and it is asked with everything that happens.
        if self.ids().any(|id| !company(&id) && self.is_at_work(id)) {
            return false;
        }
        if self.jobs.is_empty() {
            let Config { watches, elections, templates, .. } = &*self.config;
            return watches.is_empty() && elections.is_empty() && templates.is_empty();
        }
        if self.ids().all(|id| company(&id)) {
            return self.ids().all(|id| self.job(id).stop == StopStep::Stopped);
        }
        // Which jobs the program stays for; from those that are at work to those that wait for
        // them, so that a circle of waiting jobs does not keep itself alive.
        let mut held = vec![false; self.jobs.len()];
        loop {
            let more = self.ids().find(|id| {
                let known = held.get(id.0).copied().unwrap_or(true);
                let comes = |trigger| match trigger {
                    Trigger::Global(GlobalEvent::Shutdown) => false,
                    Trigger::Job(source, _) => held.get(source.0).copied().unwrap_or(false),
                    Trigger::Global(_)
                    | Trigger::Watch(..)
                    | Trigger::Election(..)
                    | Trigger::Template(..)
                    | Trigger::Signal(_) => true,
                };
                !known && !company(id) && self.waits(*id) && self.could_start(*id, comes)
            });
            match more.and_then(|id| held.get_mut(id.0)) {
                Some(mark) => *mark = true,
                None => return !held.contains(&true),
            }
        }
    }

    /// Whether a job does something, or will without any event.
    fn is_at_work(&self, id: JobId) -> bool {
        self.job(id).stop != StopStep::Stopped && !self.waits(id)
    }
}
