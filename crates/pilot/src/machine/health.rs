//! A job's health check: one at a time, on its interval, with its timeout.

use std::time::Instant;

use config::job::{JobEvent, JobId, Trigger};
use process::ExitStatus;

use super::{Action, CheckRun, Machine};

/// Where a job's check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// No checks: the job has none, has not begun, is stopping or in maintenance.
    Off,
    /// The next check starts then.
    Due(Instant),
    /// A check is running.
    Running {
        /// Its number.
        run: CheckRun,
        /// When it was started.
        since: Instant,
        /// When it is killed; `None` once it has been, or without a limit.
        timeout: Option<Instant>,
    },
}

impl Check {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Check::Off => None,
            Check::Due(at) => Some(at),
            Check::Running { timeout, .. } => timeout,
        }
    }
}

impl Machine {
    /// The first check runs at once.
    pub(super) fn check_on(&mut self, id: JobId, now: Instant) {
        if self.spec(id).health.is_some() && self.job(id).check == Check::Off {
            self.job_mut(id).check = Check::Due(now);
            self.tick_check(id, now);
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
            Check::Running { run, since, timeout: Some(at) } if at <= now => {
                self.job_mut(id).check = Check::Running { run, since, timeout: None };
                self.actions.push(Action::KillCheck(id));
            }
            _ => {}
        }
    }

    fn start_check(&mut self, id: JobId, now: Instant) {
        let Some(health) = &self.spec(id).health else { return };
        let timeout = health.timeout.and_then(|timeout| now.checked_add(timeout));
        if health.command.is_none() {
            return self.judge_check(id, now, Verdict::Passed, now);
        }
        let job = self.job_mut(id);
        job.checks += 1;
        let run = CheckRun(job.checks);
        job.check = Check::Running { run, since: now, timeout };
        self.actions.push(Action::Check(id, run));
    }

    /// A check has exited. One that was killed for its time exits with a signal: it has failed.
    pub(super) fn checked(&mut self, id: JobId, run: CheckRun, status: ExitStatus, now: Instant) {
        let Check::Running { run: current, since, .. } = self.job(id).check else { return };
        if current == run {
            let verdict = if status.success() { Verdict::Passed } else { Verdict::Failed };
            self.judge_check(id, since, verdict, now);
        }
    }

    fn judge_check(&mut self, id: JobId, since: Instant, verdict: Verdict, now: Instant) {
        let Some(health) = &self.spec(id).health else { return };
        // A check that was slower than its interval is followed by the next one at once.
        let next = since.checked_add(health.interval).unwrap_or(now).max(now);
        let advertised = self.spec(id).service.is_some();
        self.job_mut(id).check = Check::Due(next);
        let (event, action) = match verdict {
            Verdict::Passed => (JobEvent::Healthy, Action::Passing(id)),
            Verdict::Failed => (JobEvent::Unhealthy, Action::Failing(id)),
        };
        if advertised {
            self.actions.push(action);
        }
        self.publish(Trigger::Job(id, event));
    }
}

#[derive(Clone, Copy)]
enum Verdict {
    Passed,
    Failed,
}
