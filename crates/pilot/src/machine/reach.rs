//! What can still happen: which jobs nothing can start any more, and whether any job is left
//! that the program should stay for.

use std::time::Instant;

use config::{
    job::{GlobalEvent, JobEvent, JobId, Trigger, When},
    watch::WatchId,
};

use super::{Action, Machine, Phase, Run, StopStep, start_trigger};

impl Machine {
    /// Completes jobs whose trigger cannot come any more. True if there was one.
    pub(super) fn complete_unreachable(&mut self, now: Instant) -> bool {
        let mut found = false;
        for id in self.ids() {
            if self.waits(id) && !self.can_come(start_trigger(self.spec(id))) {
                // What waits for a failure that has not happened is as it should be.
                let missed = matches!(
                    start_trigger(self.spec(id)),
                    Trigger::Job(_, JobEvent::ExitSuccess | JobEvent::Healthy)
                );
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

    /// Whether the job does nothing until its trigger comes.
    fn waits(&self, id: JobId) -> bool {
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
            | Trigger::Signal(_) => !stopping,
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

    /// Whether a job is at work because of what a watch has seen.
    pub(crate) fn reacts(&self, watch: WatchId) -> bool {
        self.ids().any(|id| {
            let of_watch =
                matches!(start_trigger(self.spec(id)), Trigger::Watch(w, _) if w == watch);
            of_watch && self.job(id).run.is_running()
        })
    }

    /// Whether every job has completed, or waits only for the end of the program. A program with
    /// watches or a metrics endpoint but no job at all has something to stay for.
    pub(super) fn nothing_can_run(&self) -> bool {
        let idle = self.config.jobs.is_empty()
            && self.config.watches.is_empty()
            && self.config.telemetry.is_none();
        idle || (!self.jobs.is_empty() && self.ids().all(|id| !self.holds(id, self.jobs.len())))
    }

    /// Whether the program stays for this job. `depth` bounds the walk from a job to the one it
    /// waits for.
    fn holds(&self, id: JobId, depth: usize) -> bool {
        if self.job(id).stop == StopStep::Stopped {
            return false;
        }
        if !self.waits(id) {
            return true;
        }
        match start_trigger(self.spec(id)) {
            Trigger::Global(GlobalEvent::Shutdown) => false,
            Trigger::Job(source, _) => depth > 0 && self.holds(source, depth - 1),
            Trigger::Global(_) | Trigger::Watch(..) | Trigger::Signal(_) => true,
        }
    }
}
