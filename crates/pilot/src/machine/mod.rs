//! What happens next: the state of every job of one configuration, as a pure function.
//!
//! [`Machine::on`] takes one thing that happened ([`Input`]) and the time, and answers with what
//! is to be done ([`Action`]). It performs nothing and knows no process, no socket and no clock,
//! so that random histories can be tried on it (see `tests`). Whoever performs the actions
//! reports their outcome as further inputs. Timers are data: [`Machine::deadline`] says when it
//! wants to be asked again with [`Input::Tick`].
//!
//! The parts: inputs, events and phases here, the runs of a job's process in `run`, its checks in
//! `health`, its service's way out of the catalog in `departure`, maintenance in `maintenance`,
//! stopping in `stop`, elections in `election`, what can still happen in `reach`, how the next
//! configuration takes over in `succession`, what there is to be seen from outside in `view`.

mod departure;
mod election;
mod health;
mod maintenance;
mod reach;
mod run;
#[cfg(test)]
mod samples;
mod stop;
mod succession;
#[cfg(test)]
mod tests;
mod view;
#[cfg(test)]
mod world;

use std::{collections::VecDeque, sync::Arc, time::Instant};

use config::{
    Config,
    election::ElectionId,
    job::{
        GlobalEvent, Job, JobEvent, JobId, Restarts, SignalEvent, TemplateEvent, Trigger,
        WatchEvent, When,
    },
    template::TemplateId,
    watch::WatchId,
};
use process::ExitStatus;

use departure::Listing;
use election::Candidacy;
pub(crate) use health::Verdict;
use health::{Check, Opinion, Recycling};
pub(crate) use maintenance::Maintenance;
pub(crate) use run::Reason;
use run::Run;
use stop::{Cause, StopStep};
pub(crate) use succession::{Kept, namesake, successor};
pub(crate) use view::{Candidate, JobView, State};

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The configuration comes into force.
    Start,
    /// Time has passed: at least one [`Machine::deadline`] is due.
    Tick,
    /// A job's process has exited, or could not be started (status 126 or 127).
    Exited(JobId, ExitStatus),
    /// The check with this number is over, or could not be started.
    Checked(JobId, CheckRun, Verdict),
    /// The deregistration (or marking) with this number is over, one way or the other.
    Deregistered(JobId, Deregistration, Notified),
    /// A watch has seen a change; these instances are healthy now.
    Changed(WatchId, Instances),
    /// Something has become of a template's file.
    Rendered(TemplateId, TemplateEvent),
    /// We are elected.
    Elected(ElectionId),
    /// We are not elected any more.
    Demoted(ElectionId),
    /// We do not stand any more, as was asked for; or it has taken so long that nobody should wait
    /// for it.
    Resigned(ElectionId),
    /// A signal that jobs can wait for.
    Signal(SignalEvent),
    /// Take every service out of the catalog, or bring them back.
    Maintenance(Maintenance),
    /// The one or the other, whichever it is not now.
    ToggleMaintenance,
    /// Stop everything, in order. Asked twice with [`Urgency::Now`]: without order.
    Stop(Urgency),
}

/// Whether a watch has instances after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instances {
    /// At least one.
    Some,
    /// None.
    None,
}

/// How a stop is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// SIGTERM: a second one changes nothing.
    Orderly,
    /// SIGINT: a second one kills what is left.
    Now,
}

/// Number of a check, so that the exit of an abandoned one is not taken for that of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckRun(u64);

/// Number of a deregistration, for the same reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Deregistration(u64);

/// Whether those who use a service could learn from the catalog that it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notified {
    /// They can: the catalog says so.
    Yes,
    /// Nobody knew the service, or the catalog has not acknowledged that it goes.
    No,
}

/// Something to be done. Performed in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start the job's process, for this reason; report [`Input::Exited`] once for each.
    Spawn(JobId, Reason),
    /// Ask the job's process to stop.
    Terminate(JobId),
    /// The same for a process that is unhealthy and is to be started again: those who look its
    /// service up should not be sent there meanwhile.
    Recycle(JobId),
    /// SIGKILL to the process group of the job.
    Kill(JobId),
    /// Start the job's check; report [`Input::Checked`] once for each.
    Check(JobId, CheckRun),
    /// SIGKILL to the process group of the check.
    KillCheck(JobId),
    /// Register the service at once with its initial status.
    Announce(JobId),
    /// A check has passed: register the service or send a heartbeat.
    Passing(JobId),
    /// A check has failed: send no heartbeat.
    Failing(JobId),
    /// A check's result has been taken: what it has said is what the job's check says now.
    Heard(JobId),
    /// A job is healthy or unhealthy from now on. For the log.
    Turned(JobId, JobEvent),
    /// Take the service out; report [`Input::Deregistered`] once, and soon.
    Deregister(JobId, Deregistration),
    /// Let the service stay as a critical one; report [`Input::Deregistered`] once, and soon.
    Mark(JobId, Deregistration),
    /// Begin to watch.
    Watch(WatchId),
    /// Stand in an election; report [`Input::Elected`] and [`Input::Demoted`] from now on.
    Stand(ElectionId),
    /// Stand no longer, give the lock back; report [`Input::Resigned`] once, and soon.
    Resign(ElectionId),
    /// An event was published: for the log.
    Published(Trigger),
    /// The job will never start: what it waits for cannot come any more. For the log.
    Unreachable(JobId),
    /// The job's exit ends the program, with this code. For the log.
    Decided(JobId, u8),
    /// The job is unhealthy, and that ends the program, with this code. For the log.
    Condemned(JobId, u8),
    /// The job has waited as long as it may: it is complete without having run. For the log.
    GaveUp(JobId),
    /// A check without a time limit has been running for longer than its result would be good
    /// for. For the log.
    Overdue(JobId),
    /// Everything that the next configuration does not keep has stopped; make the next machine
    /// with [`Machine::succeed`].
    Retired,
    /// Everything has stopped; the program exits with this code.
    Exit(u8),
}

/// Where the whole stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not started.
    New,
    /// At work.
    Running,
    /// Stopping what the next configuration does not keep; then [`Action::Retired`].
    Retiring,
    /// Stopping everything.
    Stopping(Cause),
    /// Nothing is left to do.
    Ended,
}

/// State of one job.
#[derive(Clone, Debug)]
pub(crate) struct JobState {
    run: Run,
    check: Check,
    checks: u64,
    opinion: Opinion,
    /// While its process is replaced for its health.
    recycling: Option<Recycling>,
    stop: StopStep,
    listing: Listing,
    /// Restarts (or further periods) that are left.
    restarts: Restarts,
    /// Failures in a row, for the back-off.
    failures: u32,
    /// Next period of an interval job.
    period: Option<Instant>,
    /// Which of the conditions that it waits for have been seen, for those that need all.
    seen: Vec<bool>,
    ran: Ran,
    /// How often its process was started again by itself.
    restarted: u64,
    last_exit: Option<(ExitStatus, Instant)>,
    health: Option<(JobEvent, Instant)>,
    /// What is to be seen of it, and since when.
    shown: (State, Instant),
}

/// Whether a job's process was ever started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ran {
    /// Never.
    No,
    /// At least once.
    Yes,
}

/// The state of every job of one configuration.
#[derive(Debug)]
pub(crate) struct Machine {
    config: Arc<Config>,
    jobs: Vec<JobState>,
    phase: Phase,
    /// What is wished.
    maintenance: Maintenance,
    /// What holds for services and elections.
    applied: Maintenance,
    /// What the jobs have been told.
    told: Maintenance,
    watching: Vec<bool>,
    elections: Vec<Candidacy>,
    events: VecDeque<Trigger>,
    actions: Vec<Action>,
    deregistrations: u64,
    verdict: stop::Verdict,
    limits: stop::Limits,
    /// The configuration that this one makes room for.
    successor: Option<succession::Successor>,
    /// What was so before this configuration came into force.
    heritage: succession::Heritage,
}

impl Machine {
    /// A machine that waits for [`Input::Start`].
    pub(crate) fn new(config: Arc<Config>, now: Instant) -> Machine {
        Machine {
            jobs: config.jobs.iter().map(|job| JobState::new(job, now)).collect(),
            watching: vec![false; config.watches.len()],
            elections: vec![Candidacy::Out; config.elections.len()],
            config,
            phase: Phase::New,
            maintenance: Maintenance::Off,
            applied: Maintenance::Off,
            told: Maintenance::Off,
            events: VecDeque::new(),
            actions: Vec::new(),
            deregistrations: 0,
            verdict: stop::Verdict::default(),
            limits: stop::Limits::default(),
            successor: None,
            heritage: succession::Heritage::default(),
        }
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Whether everything is stopping, or has stopped.
    pub(crate) fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping(_) | Phase::Ended)
    }

    /// Takes what happened and answers what is to be done.
    pub(crate) fn on(&mut self, input: Input, now: Instant) -> Vec<Action> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        match input {
            Input::Start => self.started(now),
            Input::Tick => self.tick(now),
            Input::Exited(job, status) => self.exited(job, status, now),
            Input::Checked(job, run, status) => self.checked(job, run, status, now),
            Input::Deregistered(job, number, notified) => {
                self.deregistered(job, number, notified, now);
            }
            Input::Changed(watch, instances) => self.changed(watch, instances),
            Input::Rendered(template, event) => self.publish(Trigger::Template(template, event)),
            Input::Elected(election) => self.elected(election),
            Input::Demoted(election) => self.demoted(election),
            Input::Resigned(election) => self.resigned(election),
            Input::Signal(signal) => self.signalled(signal),
            Input::Maintenance(wanted) => self.maintain(wanted, now),
            Input::ToggleMaintenance => self.maintain(self.maintenance.other(), now),
            Input::Stop(urgency) => self.stop_asked(urgency, now),
        }
        self.finish(now)
    }

    /// What follows from an input, until nothing moves any more.
    fn finish(&mut self, now: Instant) -> Vec<Action> {
        self.settle(now);
        self.show(now);
        std::mem::take(&mut self.actions)
    }

    /// When the machine wants an [`Input::Tick`]; `None` if nothing is timed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let limits = [self.limits.force, self.limits.abandon, self.end_of_drains()];
        let jobs = self.jobs.iter().flat_map(JobState::deadlines);
        let elections = self.elections.iter().map(Candidacy::deadline);
        limits.into_iter().chain(jobs).chain(elections).flatten().min()
    }

    fn started(&mut self, now: Instant) {
        if self.phase != Phase::New {
            return;
        }
        self.phase = Phase::Running;
        for id in self.ids() {
            if let When::On { timeout: Some(timeout), .. } = self.spec(id).when
                && !self.heritage.has_kept(id)
                && let Run::Waiting { give_up } = &mut self.job_mut(id).run
            {
                *give_up = now.checked_add(timeout);
            }
        }
        self.publish(Trigger::Global(GlobalEvent::Startup));
        self.inherit(now);
        self.apply_maintenance(now);
        self.stand();
    }

    /// While a configuration is replaced its jobs may be neither the old nor the new ones: the
    /// signal is for the successor.
    fn signalled(&mut self, signal: SignalEvent) {
        match &mut self.successor {
            Some(successor) => successor.signals.push(signal),
            None => self.publish(Trigger::Signal(signal)),
        }
    }

    fn tick(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.limits.abandon) {
            return self.end();
        }
        if due(self.limits.force) {
            self.force(now);
        }
        for id in self.ids() {
            self.tick_run(id, now);
            self.tick_check(id, now);
            self.tick_recycling(id, now);
            self.tick_stop(id, now);
        }
        self.tick_elections(now);
    }

    fn changed(&mut self, watch: WatchId, instances: Instances) {
        self.publish(Trigger::Watch(watch, WatchEvent::Changed));
        self.publish(Trigger::Watch(
            watch,
            match instances {
                Instances::Some => WatchEvent::Healthy,
                Instances::None => WatchEvent::Unhealthy,
            },
        ));
    }

    /// Makes an event known to every job, in order, after the events that are already waiting.
    fn publish(&mut self, event: Trigger) {
        self.events.push_back(event);
    }

    /// Lets everything that follows by itself happen: events reach jobs, stopping jobs take
    /// their next step, jobs that nothing can start any more complete. It ends because every
    /// step either uses up an event or moves a job forward, and jobs only move forward.
    fn settle(&mut self, now: Instant) {
        loop {
            while let Some(event) = self.events.pop_front() {
                self.actions.push(Action::Published(event));
                self.deliver(event, now);
            }
            let mut moved = false;
            for id in self.ids() {
                moved |= self.advance(id, now);
            }
            moved |= self.advance_elections();
            self.tell_of_maintenance(now);
            if !moved && self.events.is_empty() {
                moved = self.complete_unreachable(now);
            }
            if !moved && self.events.is_empty() {
                moved = self.finish_phase(now);
            }
            if !moved && self.events.is_empty() {
                return;
            }
        }
    }

    fn deliver(&mut self, event: Trigger, now: Instant) {
        for id in self.ids() {
            // Each check is an event, and hardly anybody waits for most of them.
            if matches!(event, Trigger::Election(..))
                || self.spec(id).when.triggers().any(|other| other == event)
            {
                self.heard(id, event, now);
            }
        }
        self.begin_watching(event);
    }

    fn begin_watching(&mut self, event: Trigger) {
        for index in 0..self.config.watches.len() {
            if let (Some(watch), Some(watching)) =
                (self.config.watches.get(index), self.watching.get_mut(index))
                && watch.after == event
                && !*watching
                && !matches!(self.phase, Phase::Stopping(_))
            {
                *watching = true;
                self.actions.push(Action::Watch(WatchId(index)));
            }
        }
    }

    fn ids(&self) -> impl Iterator<Item = JobId> + use<> {
        (0..self.jobs.len()).map(JobId)
    }

    #[allow(clippy::indexing_slicing, reason = "a JobId is an index into config.jobs")]
    fn spec(&self, id: JobId) -> &Job {
        &self.config.jobs[id.0]
    }

    #[allow(clippy::indexing_slicing, reason = "jobs is as long as config.jobs")]
    fn job(&self, id: JobId) -> &JobState {
        &self.jobs[id.0]
    }

    #[allow(clippy::indexing_slicing, reason = "jobs is as long as config.jobs")]
    fn job_mut(&mut self, id: JobId) -> &mut JobState {
        &mut self.jobs[id.0]
    }
}

impl JobState {
    fn new(job: &Job, now: Instant) -> JobState {
        JobState {
            run: Run::Waiting { give_up: None },
            check: Check::Off,
            checks: 0,
            opinion: Opinion::new(now),
            recycling: None,
            stop: StopStep::Live,
            listing: Listing::In,
            restarts: job.restarts,
            failures: 0,
            period: None,
            seen: match &job.when {
                When::On { conditions, .. } => vec![false; conditions.len()],
                When::Every { .. } => Vec::new(),
            },
            ran: Ran::No,
            restarted: 0,
            last_exit: None,
            health: None,
            shown: (State::Waiting, now),
        }
    }

    fn deadlines(&self) -> impl Iterator<Item = Option<Instant>> {
        let recycling = self.recycling.and_then(|recycling| recycling.kill);
        [self.run_deadline(), self.check.deadline(), recycling, self.stop.deadline()].into_iter()
    }

    /// Whether the job's service belongs into the catalog, maintenance aside.
    fn advertises(&self) -> bool {
        self.run.has_begun() && self.stop.is_before_deregistration()
    }
}
