//! A job's health check: one at a time, on its interval, with its timeout; what its results make of
//! the job, and what happens when that is bad.
//!
//! A result counts for a state ([`JobEvent::Healthy`], [`JobEvent::Unhealthy`]) when there are as
//! many in a row as it takes. The state in force is published with each check that agrees with it,
//! as the originals publish each check, and it decides about heartbeats: until the state turns, they
//! go on or stay away.
//!
//! A job that is restarted for its health ([`OnFailure::Restart`]), or has time to start
//! (`start_period`), is judged anew with each start of its process. For all others what was said of
//! the process before goes on to hold, as in the originals.

use std::time::Instant;

use config::job::{Health, JobEvent, JobId, KillAfter, OnFailure, Probe, Trigger};

use super::{
    Action, CheckRun, Listing, Machine, Maintenance, Phase,
    stop::{Cause, StopStep},
};

/// The exit code of a program that ends for a job's bad health.
const UNHEALTHY: u8 = 1;

/// What a check has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well.
    Passed,
    /// It is not, or it took too long to find out, or could not be found out.
    Failed,
}

impl Verdict {
    /// By whether it is well.
    pub(crate) fn of(well: bool) -> Verdict {
        if well { Verdict::Passed } else { Verdict::Failed }
    }
}

/// Where a job's check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// No checks: the job has none, has not begun, is stopping, in maintenance, or being restarted
    /// for its health.
    Off,
    /// The next check starts then.
    Due(Instant),
    /// A check is running.
    Running {
        /// Its number.
        run: CheckRun,
        /// When it was started.
        since: Instant,
        /// When its time is up; `None` once it was.
        limit: Option<Instant>,
        /// What happens then.
        late: Late,
    },
}

/// What happens when a check's time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// It is killed: it has a timeout.
    Kill,
    /// It goes on: it has none. But the log tells.
    Tell,
}

/// What a job's results come to so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opinion {
    /// What is judged has started then: the job's process, or the job if it has none.
    since: Instant,
    /// Whether a check has passed since then.
    tried: Tried,
    /// How many checks in a row have passed.
    successes: u32,
    /// How many in a row have failed.
    failures: u32,
}

/// Whether a process was ever seen to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    /// Not yet.
    No,
    /// It was, so a failure counts.
    Yes,
}

impl Opinion {
    pub(super) fn new(since: Instant) -> Opinion {
        Opinion { since, tried: Tried::No, successes: 0, failures: 0 }
    }

    /// Whether it takes these many.
    fn has(self, verdict: Verdict, health: &Health) -> bool {
        match verdict {
            Verdict::Passed => self.successes >= health.successes,
            Verdict::Failed => self.failures >= health.failures,
        }
    }

    fn hear(&mut self, verdict: Verdict) {
        let (same, other) = match verdict {
            Verdict::Passed => (&mut self.successes, &mut self.failures),
            Verdict::Failed => (&mut self.failures, &mut self.successes),
        };
        *same = same.saturating_add(1);
        *other = 0;
        if verdict == Verdict::Passed {
            self.tried = Tried::Yes;
        }
    }
}

/// A process that is replaced because it is unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recycling {
    /// When it is killed; `None` once it was, or if that is not done.
    pub(super) kill: Option<Instant>,
}

impl Check {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Check::Off => None,
            Check::Due(at) => Some(at),
            Check::Running { limit, .. } => limit,
        }
    }
}

impl Machine {
    /// The first check runs at once.
    pub(super) fn check_on(&mut self, id: JobId, now: Instant) {
        let job = self.job(id);
        let may = job.check == Check::Off && job.recycling.is_none();
        if self.spec(id).health.is_some() && may {
            self.job_mut(id).check = Check::Due(now);
            self.tick_check(id, now);
        }
    }

    /// The job's service comes into the catalog, or comes back to it. What was said before it left
    /// must not bring it back while its checks fail: one failure of several leaves the state in
    /// force, and its heartbeats.
    pub(super) fn judge_return(&mut self, id: JobId) {
        if self.spec(id).health.as_ref().is_some_and(|health| health.failures > 1) {
            let job = self.job_mut(id);
            job.opinion = Opinion { successes: 0, failures: 0, ..job.opinion };
            job.health = None;
        }
    }

    /// No further checks, and the result of one that is running no longer counts.
    pub(super) fn check_off(&mut self, id: JobId) {
        let before = std::mem::replace(&mut self.job_mut(id).check, Check::Off);
        if matches!(before, Check::Running { .. }) {
            self.actions.push(Action::KillCheck(id));
        }
    }

    pub(super) fn tick_check(&mut self, id: JobId, now: Instant) {
        match self.job(id).check {
            Check::Due(at) if at <= now => self.start_check(id, now),
            Check::Running { run, since, limit: Some(at), late } if at <= now => {
                self.job_mut(id).check = Check::Running { run, since, limit: None, late };
                self.actions.push(match late {
                    Late::Kill => Action::KillCheck(id),
                    Late::Tell => Action::Overdue(id),
                });
            }
            _ => {}
        }
    }

    fn start_check(&mut self, id: JobId, now: Instant) {
        let Some(health) = &self.spec(id).health else { return };
        let (late, after) = match (health.timeout, &self.spec(id).service) {
            (Some(timeout), _) => (Late::Kill, timeout),
            (None, Some(service)) => (Late::Tell, health.interval.max(service.ttl)),
            (None, None) => (Late::Tell, health.interval),
        };
        if health.probe == Probe::Always {
            return self.judge_check(id, now, Verdict::Passed, now);
        }
        let job = self.job_mut(id);
        job.checks += 1;
        let run = CheckRun(job.checks);
        job.check = Check::Running { run, since: now, limit: now.checked_add(after), late };
        self.actions.push(Action::Check(id, run));
    }

    /// A check is over. One that was killed for its time has failed.
    pub(super) fn checked(&mut self, id: JobId, run: CheckRun, verdict: Verdict, now: Instant) {
        let Check::Running { run: current, since, .. } = self.job(id).check else { return };
        if current == run {
            self.actions.push(Action::Heard(id));
            self.judge_check(id, since, verdict, now);
        }
    }

    fn judge_check(&mut self, id: JobId, since: Instant, verdict: Verdict, now: Instant) {
        let config = std::sync::Arc::clone(&self.config);
        let Some(spec) = config.jobs.get(id.0) else { return };
        let Some(health) = &spec.health else { return };
        // A check that was slower than its interval is followed by the next one at once.
        let next = since.checked_add(health.interval).unwrap_or(now).max(now);
        self.job_mut(id).check = Check::Due(next);
        if !self.counts(id, health, since, verdict) {
            return;
        }
        let job = self.job_mut(id);
        job.opinion.hear(verdict);
        let event = match verdict {
            Verdict::Passed => JobEvent::Healthy,
            Verdict::Failed => JobEvent::Unhealthy,
        };
        let state = job.health.map(|(state, _)| state);
        if state != Some(event) && !job.opinion.has(verdict, health) {
            // The state in force goes on, and so do its heartbeats.
            if state == Some(JobEvent::Healthy) && spec.service.is_some() {
                self.actions.push(Action::Passing(id));
            }
            return;
        }
        if state != Some(event) {
            job.health = Some((event, now));
            self.actions.push(Action::Turned(id, event));
        }
        if spec.service.is_some() {
            match verdict {
                Verdict::Passed => {
                    self.job_mut(id).listing = Listing::In;
                    self.actions.push(Action::Passing(id));
                }
                Verdict::Failed => self.actions.push(Action::Failing(id)),
            }
        }
        self.publish(Trigger::Job(id, event));
        if state != Some(event) && verdict == Verdict::Failed {
            self.turned_unhealthy(id, health.on_failure, now);
        }
    }

    /// Whether a result says anything of what runs now.
    fn counts(&self, id: JobId, health: &Health, since: Instant, verdict: Verdict) -> bool {
        let opinion = self.job(id).opinion;
        if !is_judged_anew(health) {
            return true;
        }
        let settled = opinion.since.checked_add(health.start_period);
        match verdict {
            _ if since < opinion.since => false,
            Verdict::Passed => true,
            Verdict::Failed => {
                opinion.tried == Tried::Yes || settled.is_none_or(|settled| since >= settled)
            }
        }
    }

    /// The process has started: whatever was said before was said of another.
    pub(super) fn judge_anew(&mut self, id: JobId, now: Instant) {
        if self.spec(id).health.as_ref().is_some_and(is_judged_anew) {
            let job = self.job_mut(id);
            job.opinion = Opinion::new(now);
            job.health = None;
        }
        if self.job_mut(id).recycling.take().is_some() {
            let advertised = self.spec(id).service.is_some();
            if !(advertised && self.maintenance == Maintenance::On) {
                self.check_on(id, now);
            }
        }
    }

    fn turned_unhealthy(&mut self, id: JobId, on_failure: OnFailure, now: Instant) {
        if self.job(id).stop != StopStep::Live || matches!(self.phase, Phase::Stopping(_)) {
            return;
        }
        match on_failure {
            OnFailure::Nothing => {}
            OnFailure::Restart => self.recycle(id, now),
            OnFailure::Shutdown => {
                self.actions.push(Action::Condemned(id, UNHEALTHY));
                self.verdict.decisive.get_or_insert(UNHEALTHY);
                self.shut_down(Cause::Decided, now);
            }
        }
    }

    /// The process is asked to stop, and is started again when it has. It is not checked meanwhile.
    /// One that does not run is started again by itself, or not at all.
    fn recycle(&mut self, id: JobId, now: Instant) {
        if !self.job(id).run.is_running() {
            return;
        }
        self.check_off(id);
        self.actions.push(Action::Recycle(id));
        let patience = match self.spec(id).stop.kill_after {
            KillAfter::AtOnce => Some(std::time::Duration::ZERO),
            KillAfter::After(patience) => Some(patience),
            // As long as everything together may take to stop.
            KillAfter::Deadline => self.config.stop_timeout,
        };
        let kill = patience.and_then(|patience| now.checked_add(patience));
        self.job_mut(id).recycling = Some(Recycling { kill });
    }

    pub(super) fn tick_recycling(&mut self, id: JobId, now: Instant) {
        if let Some(Recycling { kill }) = &mut self.job_mut(id).recycling
            && kill.is_some_and(|at| at <= now)
        {
            *kill = None;
            self.actions.push(Action::Kill(id));
        }
    }
}

/// Whether what was said of one process says nothing of the next.
fn is_judged_anew(health: &Health) -> bool {
    !health.start_period.is_zero() || health.on_failure == OnFailure::Restart
}
