//! The runs of a job's process: when it starts, and what follows when it exits.

use std::time::{Duration, Instant};

use config::{
    Generation,
    job::{Backoff, Frequency, JobEvent, JobId, Need, Restarts, Role, Trigger, WatchEvent, When},
    watch::WatchId,
};
use process::ExitStatus;

use super::{Action, JobState, Listing, Machine, Maintenance, Phase, Ran, StopStep, stop::Cause};

/// The first wait of a back-off.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// The longest wait of a back-off.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A run that lasted this long ends a series of failures.
const STABLE: Duration = Duration::from_secs(60);

/// Why a job's process is started, as far as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// An event of a watch; of several, the last one.
    Watch(WatchId, WatchEvent),
    /// Something else has happened.
    Other,
    /// It has exited.
    Restart,
}

impl Reason {
    fn of(event: Trigger) -> Reason {
        match event {
            Trigger::Watch(watch, event) => Reason::Watch(watch, event),
            _ => Reason::Other,
        }
    }

    /// After this there came another event, and the process has not been started yet. It is told
    /// of a watch's event whatever else has happened, and a restart of what its last run was told.
    fn and(self, later: Reason) -> Reason {
        match (self, later) {
            (Reason::Watch(..) | Reason::Restart, Reason::Other) => self,
            (_, later) => later,
        }
    }
}

/// Where a job's process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Not started yet; `give_up` is when waiting ends.
    Waiting {
        /// `when.timeout`.
        give_up: Option<Instant>,
    },
    /// The process runs (or is about to).
    Running {
        /// When it was started.
        since: Instant,
        /// When it is killed.
        timeout: Option<Instant>,
        /// What came meanwhile and starts it again.
        held: Option<Reason>,
    },
    /// The process has exited and is started again then.
    Resting {
        /// The end of the back-off.
        until: Instant,
        /// What came meanwhile, or that it has exited.
        reason: Reason,
    },
    /// Begun, and no process is running: the job has none, or waits for its next trigger.
    Idle,
    /// No further run will follow.
    Over,
}

impl Run {
    /// Whether the trigger has come.
    pub(super) fn has_begun(self) -> bool {
        !matches!(self, Run::Waiting { .. })
    }

    /// Whether there is a process.
    pub(super) fn is_running(self) -> bool {
        matches!(self, Run::Running { .. })
    }
}

impl JobState {
    /// Its watches have other places from now on.
    pub(super) fn move_watches(&mut self, place: impl Fn(WatchId) -> Option<WatchId>) {
        let reason = match &mut self.run {
            Run::Running { held: Some(reason), .. } | Run::Resting { reason, .. } => reason,
            _ => return,
        };
        if let Reason::Watch(watch, event) = *reason {
            *reason = place(watch).map_or(Reason::Other, |watch| Reason::Watch(watch, event));
        }
    }

    pub(super) fn run_deadline(&self) -> Option<Instant> {
        let run = match self.run {
            Run::Waiting { give_up } => give_up,
            Run::Running { timeout, .. } => timeout,
            Run::Resting { until, .. } => Some(until),
            Run::Idle | Run::Over => None,
        };
        let period = if self.stop == StopStep::Live { self.period } else { None };
        [run, period].into_iter().flatten().min()
    }
}

impl Machine {
    /// An event has come. If it is one that the job waits for, and no other is needed, it starts.
    pub(super) fn heard(&mut self, id: JobId, event: Trigger, now: Instant) {
        let config = std::sync::Arc::clone(&self.config);
        let Some(spec) = config.jobs.get(id.0) else { return };
        if self.job(id).stop != StopStep::Live || self.is_hook_of_a_reload(id) {
            return;
        }
        let waiting = !self.job(id).run.has_begun();
        let (need, conditions) = match &spec.when {
            When::Every { after, .. } if *after == event && waiting => {
                return self.begin(id, Reason::of(event), now);
            }
            When::Every { .. } => return,
            When::On { need, conditions, .. } => (*need, conditions),
        };
        if let Trigger::Election(election, event) = event {
            // Who is demoted is not elected any more, whatever else comes that is needed.
            for (condition, seen) in conditions.iter().zip(&mut self.job_mut(id).seen) {
                *seen &= !matches!(condition.trigger, Trigger::Election(same, other)
                    if same == election && other != event);
            }
        }
        let mut counts = false;
        for (condition, seen) in conditions.iter().zip(&mut self.job_mut(id).seen) {
            if condition.trigger == event {
                *seen = true;
                counts |= waiting || condition.frequency == Frequency::Each;
            }
        }
        let job = self.job_mut(id);
        if !counts || (need == Need::All && !job.seen.iter().all(|seen| *seen)) {
            return;
        }
        for (condition, seen) in conditions.iter().zip(&mut job.seen) {
            *seen &= condition.frequency == Frequency::Once;
        }
        // Of several that it needed, whichever came last.
        let needed = conditions.iter().filter(|condition| {
            need == Need::All && (waiting || condition.frequency == Frequency::Each)
        });
        let reasons = needed.map(|condition| Reason::of(condition.trigger));
        let reason = reasons.fold(Reason::Other, Reason::and).and(Reason::of(event));
        self.triggered(id, reason, now);
    }

    /// What a job waits for has come.
    fn triggered(&mut self, id: JobId, reason: Reason, now: Instant) {
        match &mut self.job_mut(id).run {
            Run::Waiting { .. } => self.begin(id, reason, now),
            Run::Idle => self.start_process(id, reason, now),
            Run::Running { held, .. } => {
                *held = Some(held.map_or(reason, |before| before.and(reason)));
            }
            // The run that is to come serves this trigger too.
            Run::Resting { reason: before, .. } => *before = before.and(reason),
            Run::Over => {}
        }
    }

    /// The first start: from now on the job is advertised and checked too.
    fn begin(&mut self, id: JobId, reason: Reason, now: Instant) {
        if let When::Every { interval, .. } = self.spec(id).when {
            self.job_mut(id).period = now.checked_add(interval);
        }
        self.judge_anew(id, now);
        self.start_process(id, reason, now);
        self.advertise(id, now);
    }

    /// Begins checking at once, and advertising if the service does not wait for its first check.
    pub(super) fn advertise(&mut self, id: JobId, now: Instant) {
        let service = self.spec(id).service.as_ref();
        if self.maintenance == Maintenance::On && service.is_some() {
            return;
        }
        if service.is_some_and(|service| service.initial_status.is_some()) {
            self.actions.push(Action::Announce(id));
            self.job_mut(id).listing = Listing::In;
        }
        self.judge_return(id);
        self.check_on(id, now);
    }

    fn start_process(&mut self, id: JobId, reason: Reason, now: Instant) {
        let exec = self.spec(id).exec.as_ref();
        let run = match exec {
            None => Run::Idle,
            Some(exec) => {
                let timeout = exec.timeout.and_then(|timeout| now.checked_add(timeout));
                Run::Running { since: now, timeout, held: None }
            }
        };
        let job = self.job_mut(id);
        job.run = run;
        if run.is_running() {
            job.ran = Ran::Yes;
            self.actions.push(Action::Spawn(id, reason));
            self.judge_anew(id, now);
        }
    }

    pub(super) fn tick_run(&mut self, id: JobId, now: Instant) {
        let job = self.job_mut(id);
        match &mut job.run {
            Run::Waiting { give_up: Some(at) } if *at <= now => {
                job.run = Run::Over;
                self.actions.push(Action::GaveUp(id));
                self.complete(id, now);
            }
            Run::Running { timeout, .. } if timeout.is_some_and(|at| at <= now) => {
                *timeout = None;
                self.actions.push(Action::Kill(id));
            }
            Run::Resting { until, reason } if *until <= now => {
                let reason = *reason;
                match self.is_overtaken(id) {
                    true => self.rest_for_good(id, now),
                    false => self.start_again(id, reason, now),
                }
            }
            _ => {}
        }
        self.tick_period(id, now);
    }

    fn tick_period(&mut self, id: JobId, now: Instant) {
        let When::Every { interval, .. } = self.spec(id).when else { return };
        let job = self.job_mut(id);
        let Some(period) = job.period.filter(|at| *at <= now) else { return };
        if job.stop != StopStep::Live {
            return;
        }
        job.period = next_period(period, interval, now);
        match &mut job.run {
            Run::Idle => {
                job.restarts = spend(job.restarts);
                self.start_process(id, Reason::Other, now);
            }
            Run::Running { held, .. } => *held = Some(Reason::Other),
            _ => {}
        }
    }

    /// The process has exited.
    pub(super) fn exited(&mut self, id: JobId, status: ExitStatus, now: Instant) {
        let Run::Running { since, held, .. } = self.job(id).run else { return };
        let job = self.job_mut(id);
        let recycled = job.recycling.is_some();
        if let Some(recycling) = &mut job.recycling {
            recycling.kill = None;
        }
        job.run = Run::Idle;
        job.last_exit = Some((status, now));
        job.failures = match status.success() && !recycled {
            true => 0,
            false if now.saturating_duration_since(since) >= STABLE => 1,
            false => job.failures.saturating_add(1),
        };
        self.publish(Trigger::Job(
            id,
            if status.success() { JobEvent::ExitSuccess } else { JobEvent::ExitFailed },
        ));
        let live = self.job(id).stop == StopStep::Live;
        let recycled = recycled && live && !matches!(self.phase, Phase::Stopping(_));
        let goes_on = recycled || (live && self.starts_again(id));
        if !goes_on {
            self.judge(id, status, now);
        }
        let live = self.job(id).stop == StopStep::Live;
        let stopping = !live || matches!(self.phase, Phase::Stopping(_));
        match held {
            // It ran for an earlier demotion, and has to for this one.
            Some(reason) if stopping && live && self.is_hook_of_a_demotion(id) => {
                self.start_process(id, reason, now);
            }
            _ if stopping => {
                self.job_mut(id).run = Run::Over;
                self.complete(id, now);
            }
            // That it has ended was our will, and counts for nothing.
            _ if recycled => {
                let wait = self.backoff_of(id, Backoff::Exponential, now);
                self.rest(id, held.unwrap_or(Reason::Restart), wait, now);
            }
            _ => self.after_run(id, held, now),
        }
    }

    /// Whether a live job's process is restarted, so that its exit decides nothing. The next period
    /// of an interval job is no restart.
    fn starts_again(&self, id: JobId) -> bool {
        matches!(self.spec(id).when, When::On { .. })
            && !matches!(self.job(id).restarts, Restarts::Never | Restarts::Limit(0))
            && !matches!(self.phase, Phase::Stopping(_))
            && (self.spec(id).when.repeats() || !self.is_overtaken(id))
    }

    /// What the exit means for the program's own.
    fn judge(&mut self, id: JobId, status: ExitStatus, now: Instant) {
        let code = status.code();
        let asked = matches!(self.phase, Phase::Stopping(Cause::Asked));
        // We have ended it ourselves, to replace it.
        if self.phase == Phase::Retiring && self.job(id).stop != StopStep::Live {
            return;
        }
        match self.spec(id).role {
            Role::Ordinary | Role::Companion => {}
            // One that we have cut short says nothing.
            Role::Override if status.success() || self.limits.forced => {}
            Role::Override => self.verdict.replacement = Some(code),
            Role::Gate if status.success() => {}
            Role::Gate | Role::Essential if asked && self.config.generation == Generation::V3 => {}
            Role::Gate | Role::Essential => {
                if self.verdict.decisive.is_none() && !matches!(self.phase, Phase::Stopping(_)) {
                    self.actions.push(Action::Decided(id, code));
                }
                self.verdict.decisive.get_or_insert(code);
                self.shut_down(Cause::Decided, now);
            }
        }
    }

    /// A live job's process has exited: again, later, or never.
    fn after_run(&mut self, id: JobId, held: Option<Reason>, now: Instant) {
        let restarts = self.job(id).restarts;
        let repeats = self.spec(id).when.repeats();
        match self.spec(id).when {
            When::Every { .. } => match restarts {
                Restarts::Never | Restarts::Limit(0) => self.over(id, now),
                _ => {
                    if let Some(reason) = held {
                        self.job_mut(id).restarts = spend(restarts);
                        self.start_process(id, reason, now);
                    }
                }
            },
            When::On { .. } if self.is_overtaken(id) => self.rest_for_good(id, now),
            When::On { .. } => match (held, restarts) {
                (Some(reason), _) => self.start_process(id, reason, now),
                (None, Restarts::Never | Restarts::Limit(0)) if repeats => {}
                (None, Restarts::Never | Restarts::Limit(0)) => self.over(id, now),
                (None, _) => {
                    self.job_mut(id).restarts = spend(restarts);
                    self.restart(id, now);
                }
            },
        }
    }

    /// No run follows from what has been; perhaps one from what comes.
    fn rest_for_good(&mut self, id: JobId, now: Instant) {
        match self.spec(id).when.repeats() {
            true => self.job_mut(id).run = Run::Idle,
            false => self.over(id, now),
        }
    }

    fn restart(&mut self, id: JobId, now: Instant) {
        let wait = self.backoff_of(id, self.spec(id).backoff, now);
        self.rest(id, Reason::Restart, wait, now);
    }

    fn backoff_of(&self, id: JobId, backoff: Backoff, now: Instant) -> Duration {
        match backoff {
            Backoff::None => Duration::ZERO,
            Backoff::Exponential => jitter(pause(self.job(id).failures), now, id),
        }
    }

    /// The process is started again after this long.
    fn rest(&mut self, id: JobId, reason: Reason, wait: Duration, now: Instant) {
        match now.checked_add(wait) {
            Some(until) if !wait.is_zero() => {
                self.job_mut(id).run = Run::Resting { until, reason };
            }
            _ => self.start_again(id, reason, now),
        }
    }

    fn start_again(&mut self, id: JobId, reason: Reason, now: Instant) {
        self.job_mut(id).restarted += 1;
        self.start_process(id, reason, now);
    }

    fn over(&mut self, id: JobId, now: Instant) {
        self.job_mut(id).run = Run::Over;
        let failure = self.job(id).last_exit.filter(|(status, _)| !status.success());
        if let Some((status, _)) = failure
            && self.spec(id).role == Role::Ordinary
        {
            self.verdict.first_failure.get_or_insert(status.code());
        }
        self.complete(id, now);
    }
}

/// One restart less.
fn spend(restarts: Restarts) -> Restarts {
    match restarts {
        Restarts::Limit(left) => Restarts::Limit(left.saturating_sub(1)),
        other => other,
    }
}

/// The wait after so many failures in a row: 100 ms, doubling, at most 30 s.
fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX)
}

/// Up to a quarter less, so that many jobs that failed together do not start together. Drawn
/// from the job and the moment: no better randomness is needed.
fn jitter(wait: Duration, now: Instant, id: JobId) -> Duration {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    let draw = BuildHasherDefault::<DefaultHasher>::default().hash_one((now, id)) % 256;
    wait - (wait / 1024).saturating_mul(u32::try_from(draw).unwrap_or(0))
}

/// The first period after `now`, on the grid that `period` is on.
fn next_period(period: Instant, interval: Duration, now: Instant) -> Option<Instant> {
    let late = now.saturating_duration_since(period);
    let missed = late.as_nanos().checked_div(interval.as_nanos())?;
    let steps = u32::try_from(missed).ok()?.checked_add(1)?;
    period.checked_add(interval.checked_mul(steps)?)
}
