//! Stopping: one job, all jobs but the application, everything.
//!
//! A job stops step by step: what must have happened before has happened · `stopping` is
//! published and the jobs that are hooked to it end · its service is out of the catalog, and those
//! who use it have had their time (`departure`) · its process is asked to exit · it has exited ·
//! `stopped` is published.

use std::time::{Duration, Instant};

use config::{
    Generation,
    job::{Announce, GlobalEvent, JobEvent, JobId, KillAfter, Trigger},
};

use super::{Action, Deregistration, Machine, Phase, Ran, Run, Urgency};

/// What hooks of `stopping` leave of the time for a stop, so that what follows them is still done in
/// order: deregistration, SIGTERM, the process's own end.
const RESERVE: Duration = Duration::from_secs(2);

/// After SIGKILL to everything: how long we wait for processes that even that does not end (a
/// process in uninterruptible sleep) and for the catalog before we exit without them.
const ABANDON_AFTER: Duration = Duration::from_secs(1);

/// How far a job's stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopStep {
    /// Not stopping.
    Live,
    /// Waiting for what must have happened before.
    Holding,
    /// `stopping` is published; its hooks run, at most until then.
    Hooks {
        /// When waiting for hooks ends; `None`: when they end.
        until: Option<Instant>,
    },
    /// The service is being taken out of the catalog, or marked there.
    Deregistering(Deregistration),
    /// Those who use the service have time to notice, until then.
    Draining {
        /// The end of that time.
        until: Instant,
    },
    /// The process has been asked to exit.
    Terminating {
        /// When it is killed.
        kill: Option<Instant>,
    },
    /// The process has exited; the service, which was marked, is being taken out of the catalog.
    Removing(Deregistration),
    /// The job is no more.
    Stopped,
}

impl StopStep {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            StopStep::Hooks { until } => until,
            StopStep::Draining { until } => Some(until),
            StopStep::Terminating { kill } => kill,
            _ => None,
        }
    }

    pub(super) fn is_before_deregistration(self) -> bool {
        matches!(self, StopStep::Live | StopStep::Holding | StopStep::Hooks { .. })
    }
}

/// Why everything stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A signal asked for it.
    Asked,
    /// A job's exit decided it (the application's, a failed `preStart`).
    Decided,
    /// Nothing is left that could run.
    Completed,
}

/// What is known about our exit code.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// The code of the job whose exit ended the program.
    pub(super) decisive: Option<u8>,
    /// The code of a failed `postStop`.
    pub(super) replacement: Option<u8>,
    /// The code of the first job that ended for good with a failure.
    pub(super) first_failure: Option<u8>,
}

/// When patience ends.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// Then hooks (of `stopping`, of `demoted`) and drains are no longer waited for, however long
    /// their job would.
    pub(super) hooks: Option<Instant>,
    /// Then whatever is left is killed (3.x `stopTimeout`).
    pub(super) force: Option<Instant>,
    /// Then we exit, whatever is left.
    pub(super) abandon: Option<Instant>,
    /// Whether everything has been killed.
    pub(super) forced: bool,
    /// Whether a stop was asked for with [`Urgency::Now`].
    pub(super) urged: bool,
}

impl Machine {
    pub(super) fn stop_asked(&mut self, urgency: Urgency, now: Instant) {
        let urged = urgency == Urgency::Now;
        let again = urged && self.limits.urged;
        self.limits.urged |= urged;
        match self.phase {
            Phase::Stopping(_) if again => self.force(now),
            Phase::Stopping(_) | Phase::Ended => {}
            Phase::New => self.end(),
            Phase::Running | Phase::Retiring => self.shut_down(Cause::Asked, now),
        }
    }

    /// Everything stops, in order.
    pub(super) fn shut_down(&mut self, cause: Cause, now: Instant) {
        if matches!(self.phase, Phase::Stopping(_) | Phase::Ended) {
            return;
        }
        self.phase = Phase::Stopping(cause);
        self.successor = None;
        self.limit_stop(now);
        let limit = self.limits.hooks;
        self.step_down_for_good(|_| true, now);
        self.publish(Trigger::Global(GlobalEvent::Shutdown));
        for id in self.ids() {
            match &mut self.job_mut(id).stop {
                StopStep::Hooks { until } => *until = until.iter().copied().chain(limit).min(),
                StopStep::Draining { until } => *until = limit.map_or(*until, |at| at.min(*until)),
                _ => {}
            }
            if !self.runs_while_stopping(id) && !self.is_hook_of_a_demotion(id) {
                self.begin_stop(id);
            }
        }
    }

    /// From now on a stop may last so long, by the file's `stopTimeout` (3.x).
    pub(super) fn limit_stop(&mut self, now: Instant) {
        if let Some(timeout) = self.config.stop_timeout {
            self.limits.force = now.checked_add(timeout);
            // Of a short time for stopping, hooks have half.
            self.limits.hooks = now.checked_add(timeout.saturating_sub(RESERVE).max(timeout / 2));
        }
    }

    /// Hooks of the end are not cut by the shutdown that they belong to.
    pub(super) fn runs_while_stopping(&self, id: JobId) -> bool {
        self.spec(id).when.triggers().any(Trigger::is_of_the_end)
    }

    /// In 2.x hooks of the end are not run when a reload ends what they are hooked to.
    pub(super) fn is_hook_of_a_reload(&self, id: JobId) -> bool {
        self.phase == Phase::Retiring
            && self.config.generation == Generation::V2
            && self.runs_while_stopping(id)
    }

    /// The job's life ends by itself.
    pub(super) fn complete(&mut self, id: JobId, now: Instant) {
        self.begin_stop(id);
        self.advance(id, now);
    }

    pub(super) fn begin_stop(&mut self, id: JobId) {
        let job = self.job_mut(id);
        if job.stop == StopStep::Live {
            job.stop = StopStep::Holding;
            if !job.run.is_running() {
                job.run = Run::Over;
            }
        }
    }

    pub(super) fn tick_stop(&mut self, id: JobId, now: Instant) {
        let late = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        match &mut self.job_mut(id).stop {
            StopStep::Hooks { until } if late(*until) => {
                self.begin_deregistration(id, now);
            }
            StopStep::Draining { until } if *until <= now => self.terminate(id, now),
            StopStep::Terminating { kill } if late(*kill) => {
                *kill = None;
                self.actions.push(Action::Kill(id));
            }
            _ => {}
        }
    }

    /// Takes the next step of a stopping job, if it can be taken. True if it was.
    pub(super) fn advance(&mut self, id: JobId, now: Instant) -> bool {
        match self.job(id).stop {
            StopStep::Holding if self.may_stop(id) => self.announce_stop(id, now),
            StopStep::Hooks { .. }
                if self.hooks_have_ended(Trigger::Job(id, JobEvent::Stopping)) =>
            {
                self.begin_deregistration(id, now);
            }
            StopStep::Draining { .. } if !self.is_used(id) => self.terminate(id, now),
            StopStep::Terminating { .. } if !self.job(id).run.is_running() => self.ended(id),
            _ => return false,
        }
        true
    }

    fn may_stop(&self, id: JobId) -> bool {
        let after = &self.spec(id).stop.after;
        let running = self.job(id).run.is_running();
        let stopped = |other: &JobId| self.has_made_room(*other);
        let deregistered = || {
            self.has_left_elections(id)
                && self
                    .ids()
                    .filter(|other| *other != id && self.spec(*other).service.is_some())
                    .all(|other| {
                        self.has_left(other)
                            || !self.job(other).run.has_begun()
                            || self.stays(other)
                    })
        };
        // A job whose process has already exited has nothing that others could still need.
        !running
            || self.limits.forced
            || (after.stopped.iter().all(stopped) && (!after.deregistered || deregistered()))
    }

    /// Whether a job outlives this stop: the next configuration keeps it.
    pub(super) fn stays(&self, id: JobId) -> bool {
        self.phase == Phase::Retiring
            && self.job(id).stop == StopStep::Live
            && self.successor.as_ref().is_some_and(|successor| successor.keeps(id))
    }

    /// Whether a job has stopped, or need not for the reload that is under way.
    fn has_made_room(&self, id: JobId) -> bool {
        self.job(id).stop == StopStep::Stopped || self.stays(id) || self.lingers(id)
    }

    pub(super) fn announce_stop(&mut self, id: JobId, now: Instant) {
        let stop = &self.spec(id).stop;
        let announced = match stop.announce {
            Announce::Always => true,
            Announce::WhenRunning => self.job(id).run.is_running(),
        };
        let until = stop.hooks_timeout.and_then(|timeout| now.checked_add(timeout));
        let until = until.into_iter().chain(self.limits.hooks).min();
        let in_time = until.is_none_or(|at| at > now);
        let announced = announced && !self.limits.forced;
        if announced {
            self.publish(Trigger::Job(id, JobEvent::Stopping));
        }
        if announced && in_time {
            self.job_mut(id).stop = StopStep::Hooks { until };
        } else {
            self.begin_deregistration(id, now);
        }
    }

    /// Whether every job that is hooked to an event is done. The event is published before this is
    /// asked: [`Machine::settle`] delivers events first.
    pub(super) fn hooks_have_ended(&self, hook: Trigger) -> bool {
        self.events.is_empty()
            && self.ids().all(|other| {
                !matches!(self.job(other).run, Run::Running { .. } | Run::Resting { .. })
                    || !self.is_hooked(other, hook)
            })
    }

    pub(super) fn is_hooked(&self, id: JobId, hook: Trigger) -> bool {
        self.spec(id).when.triggers().any(|trigger| trigger == hook)
    }

    pub(super) fn terminate(&mut self, id: JobId, now: Instant) {
        let kill_after = self.spec(id).stop.kill_after;
        let running = self.job(id).run.is_running();
        let mut kill = None;
        if !running {
            // Nothing to end.
        } else if self.limits.forced {
            // It has been killed already.
        } else if kill_after == KillAfter::AtOnce {
            self.actions.push(Action::Kill(id));
        } else {
            let asked = self.job_mut(id).recycling.take();
            // Some programs end at once, and badly, when they are asked twice.
            if asked.is_none() {
                self.actions.push(Action::Terminate(id));
            }
            if let KillAfter::After(patience) = kill_after {
                kill = now.checked_add(patience);
            }
            let earlier = asked.and_then(|asked| asked.kill);
            kill = kill.into_iter().chain(earlier).min();
        }
        self.job_mut(id).stop = StopStep::Terminating { kill };
    }

    pub(super) fn stopped(&mut self, id: JobId) {
        let announced = match self.spec(id).stop.announce {
            Announce::Always => true,
            Announce::WhenRunning => self.job(id).ran == Ran::Yes,
        };
        self.job_mut(id).stop = StopStep::Stopped;
        if announced {
            self.publish(Trigger::Job(id, JobEvent::Stopped));
        }
    }

    /// Patience has ended: whatever is left is killed, and nothing is waited for but that.
    pub(super) fn force(&mut self, now: Instant) {
        self.limits.force = None;
        if self.phase == Phase::Retiring {
            return self.cut_short(now);
        }
        if std::mem::replace(&mut self.limits.forced, true) {
            return;
        }
        self.limits.abandon = now.checked_add(ABANDON_AFTER);
        for id in self.ids() {
            if self.job(id).run.is_running() {
                self.actions.push(Action::Kill(id));
            }
            self.check_off(id);
            self.begin_stop(id);
            match self.job(id).stop {
                StopStep::Holding | StopStep::Hooks { .. } => self.begin_deregistration(id, now),
                // There is no time for two requests, one after the other.
                StopStep::Deregistering(_) if self.job(id).listing.is_marked() => {
                    self.begin_deregistration(id, now);
                }
                StopStep::Draining { .. } => self.terminate(id, now),
                _ => {}
            }
        }
        self.resign_at_once();
    }

    /// Once nothing moves any more: is what we were about finished? True if that led to more.
    pub(super) fn finish_phase(&mut self, now: Instant) -> bool {
        let all_stopped = self.jobs.iter().all(|job| job.stop == StopStep::Stopped);
        match self.phase {
            Phase::Running if self.nothing_can_run() => {
                self.shut_down(Cause::Completed, now);
                true
            }
            Phase::Retiring => {
                if self.ids().all(|id| self.has_made_room(id)) && self.elections_have_made_room() {
                    self.phase = Phase::Ended;
                    self.actions.push(Action::Retired);
                }
                false
            }
            Phase::Stopping(_) if all_stopped && self.elections_have_made_room() => {
                self.end();
                false
            }
            _ => false,
        }
    }

    pub(super) fn end(&mut self) {
        let failure = match self.phase {
            Phase::Stopping(Cause::Completed) => self.verdict.first_failure,
            _ => None,
        };
        let verdict = self.verdict.replacement.or(self.verdict.decisive).or(failure);
        self.phase = Phase::Ended;
        self.actions.push(Action::Exit(verdict.unwrap_or(0)));
    }
}
