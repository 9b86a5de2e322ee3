//! A job's health check: one at a time, on its interval, with its timeout.

use std::time::Instant;

use config::job::{JobEvent, JobId, Probe, Trigger};
use process::ExitStatus;

use super::{Action, CheckRun, Listing, Machine};

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
            if action == Action::Passing(id) {
                self.job_mut(id).listing = Listing::In;
            }
        }
        let health = &mut self.job_mut(id).health;
        if health.is_none_or(|(before, _)| before != event) {
            *health = Some((event, now));
        }
        self.publish(Trigger::Job(id, event));
    }
}

#[derive(Clone, Copy)]
enum Verdict {
    Passed,
    Failed,
}
