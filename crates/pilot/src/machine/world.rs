//! A world for the machine to act in: virtual time, processes that exit when they please, a
//! catalog that answers late. It checks at every step what must never happen.

mod elections;
mod judged;
mod succession;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use config::{
    Config, Generation,
    election::ElectionId,
    job::{Announce, ElectionEvent, Health, JobEvent, JobId, Notice, Role, Trigger},
};
use process::ExitStatus;

use judged::Judged;

pub(super) use super::samples::{configuration, election, health, job, on, service};
use super::{Action, Check, CheckRun, Deregistration, Input, Machine, Notified, Reason, Verdict};

/// How one process behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behaviour {
    /// Exits by itself after this long; `None`: never.
    pub(super) lives: Option<Duration>,
    /// With this code.
    pub(super) code: u8,
    /// After SIGTERM, exits after this long; `None`: ignores it.
    pub(super) obeys: Option<Duration>,
}

/// What will happen, unless it is called off.
#[derive(Clone, Debug, PartialEq)]
enum Due {
    Exit(JobId, ExitStatus),
    CheckEnd(JobId, CheckRun, Verdict),
    Deregistered(JobId, Deregistration, Notified),
    Resigned(ElectionId),
    External(Input),
    Reload(Arc<Config>),
}

pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) config: Arc<Config>,
    pub(super) now: Instant,
    pub(super) begin: Instant,
    schedule: Vec<(Instant, Due)>,
    pub(super) behaviours: Vec<Behaviour>,
    drawn: usize,
    pub(super) running: BTreeMap<JobId, Instant>,
    checking: BTreeMap<JobId, (CheckRun, Instant)>,
    pub(super) spawns: BTreeMap<JobId, usize>,
    pub(super) checks: BTreeMap<JobId, Vec<Duration>>,
    pub(super) registered: BTreeSet<JobId>,
    pub(super) overdue: Vec<Duration>,
    withdrawn: BTreeSet<JobId>,
    /// Services that are to stay as critical ones.
    pub(super) marked: BTreeSet<JobId>,
    /// The last request for each to go.
    departing: BTreeMap<JobId, Deregistration>,
    /// Since when those who use a service know that it goes.
    told: BTreeMap<JobId, Instant>,
    /// When jobs were asked to exit.
    pub(super) terminated: BTreeMap<JobId, Duration>,
    /// Why processes were started.
    pub(super) reasons: Vec<(JobId, Reason)>,
    /// Elections in which we stand.
    pub(super) standing: BTreeSet<ElectionId>,
    /// Those that we have begun to leave.
    resigning: BTreeSet<ElectionId>,
    /// Those in which we are elected, and since when we are not, as the jobs know it.
    pub(super) leading: BTreeSet<ElectionId>,
    demoted: BTreeMap<ElectionId, Instant>,
    /// Those whose last demotion was our own will, and no loss, while hooks of it run.
    given_up: BTreeSet<ElectionId>,
    /// Which one is being lost just now.
    lost: Option<ElectionId>,
    /// When we have left elections.
    pub(super) resignations: Vec<(Duration, ElectionId)>,
    /// What their checks have found.
    judged: BTreeMap<JobId, Judged>,
    /// How often each was said to be well in the catalog.
    pub(super) heartbeats: BTreeMap<JobId, usize>,
    /// How often processes were replaced for their health.
    pub(super) recycled: BTreeMap<JobId, usize>,
    killed: BTreeSet<JobId>,
    pub(super) published: Vec<(Duration, Trigger)>,
    pub(super) check_time: Duration,
    pub(super) exit: Option<(Instant, u8)>,
    stopping: bool,
    /// The configuration that waits for the machine to make room.
    next: Option<Arc<Config>>,
    /// When a reload that is under way waits for hooks no longer.
    cut: Option<Instant>,
    pub(super) reloads: usize,
}

impl World {
    pub(super) fn new(
        config: Config,
        behaviours: Vec<Behaviour>,
        inputs: Vec<(u64, Input)>,
    ) -> World {
        let config = Arc::new(config);
        let now = Instant::now();
        let at = |millis| now + Duration::from_millis(millis);
        World {
            machine: Machine::new(Arc::clone(&config), now),
            config,
            now,
            begin: now,
            schedule: inputs.into_iter().map(|(t, input)| (at(t), Due::External(input))).collect(),
            behaviours,
            drawn: 0,
            running: BTreeMap::new(),
            checking: BTreeMap::new(),
            spawns: BTreeMap::new(),
            checks: BTreeMap::new(),
            registered: BTreeSet::new(),
            overdue: Vec::new(),
            withdrawn: BTreeSet::new(),
            marked: BTreeSet::new(),
            departing: BTreeMap::new(),
            told: BTreeMap::new(),
            terminated: BTreeMap::new(),
            reasons: Vec::new(),
            standing: BTreeSet::new(),
            resigning: BTreeSet::new(),
            leading: BTreeSet::new(),
            demoted: BTreeMap::new(),
            given_up: BTreeSet::new(),
            lost: None,
            resignations: Vec::new(),
            judged: BTreeMap::new(),
            heartbeats: BTreeMap::new(),
            recycled: BTreeMap::new(),
            killed: BTreeSet::new(),
            published: Vec::new(),
            check_time: Duration::from_millis(30),
            exit: None,
            stopping: false,
            next: None,
            cut: None,
            reloads: 0,
        }
    }

    /// Reloads then.
    pub(super) fn reload_at(&mut self, millis: u64, config: Config) {
        let at = self.begin + Duration::from_millis(millis);
        self.schedule.push((at, Due::Reload(Arc::new(config))));
    }

    /// Runs until the machine exits or so much time has passed.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        if self.published.is_empty() {
            self.input(Input::Start);
        }
        while self.exit.is_none() {
            let due = self.schedule.iter().map(|(at, _)| *at).min();
            let tick = self.machine.deadline();
            let Some(next) = due.into_iter().chain(tick).min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            // What happens outside and a tick may come in either order; outside first here.
            match self.schedule.iter().position(|(at, _)| Some(*at) == due && *at <= self.now) {
                Some(index) => {
                    let (_, due) = self.schedule.swap_remove(index);
                    self.happens(due);
                }
                None => {
                    self.input(Input::Tick);
                    let next = self.machine.deadline();
                    self.assert_nothing_is_overdue();
                    assert!(
                        self.exit.is_some() || next.is_none_or(|at| at > self.now),
                        "the machine asks for a time that has passed: a busy loop"
                    );
                }
            }
        }
    }

    fn happens(&mut self, due: Due) {
        match due {
            Due::Exit(job, status) => {
                self.running.remove(&job);
                // What runs after that has been started by something else.
                let given_up = self.given_up.clone();
                self.given_up = given_up
                    .into_iter()
                    .filter(|election| {
                        let hook = Trigger::Election(*election, ElectionEvent::Demoted);
                        !self.hooks_of(hook).is_empty()
                    })
                    .collect();
                self.killed.remove(&job);
                self.schedule
                    .retain(|(_, due)| !matches!(due, Due::Exit(other, _) if *other == job));
                self.input(Input::Exited(job, status));
            }
            Due::CheckEnd(job, run, verdict) => {
                // That of an abandoned one is not that of the next.
                if let Some((number, since)) = self.checking.get(&job).copied()
                    && number == run
                {
                    self.checking.remove(&job);
                    self.judged(job).found(since, verdict);
                }
                self.input(Input::Checked(job, run, verdict));
            }
            Due::Deregistered(job, number, notified) => {
                // It may be wanted again already, and this the answer to an earlier request.
                if self.withdrawn.contains(&job) {
                    self.registered.remove(&job);
                    let latest = self.departing.get(&job) == Some(&number);
                    if latest && notified == Notified::Yes {
                        self.told.entry(job).or_insert(self.now);
                    }
                }
                self.input(Input::Deregistered(job, number, notified));
            }
            Due::Resigned(election) => {
                assert!(self.resigning.remove(&election), "the machine resigns once");
                self.input(Input::Resigned(election));
            }
            Due::External(input) => {
                self.stopping |= matches!(input, Input::Stop(_));
                self.lost = match input {
                    Input::Demoted(election) => Some(election),
                    _ => None,
                };
                self.input(input);
                self.lost = None;
            }
            Due::Reload(config) => {
                self.next = Some(config);
                self.retire();
            }
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        for action in self.machine.on(input, self.now) {
            self.act(action);
        }
        self.retire();
    }

    /// What has a time limit and has passed it, has been killed.
    fn assert_nothing_is_overdue(&self) {
        for (job, since) in &self.running {
            let limit = self.config.jobs[job.0].exec.as_ref().and_then(|exec| exec.timeout);
            if let Some(limit) = limit {
                let late = self.now - *since > limit;
                assert!(!late || self.killed.contains(job), "{job:?} has outlived its timeout");
            }
        }
        for (job, (_, since)) in &self.checking {
            let limit = self.config.jobs[job.0].health.as_ref().and_then(|health| health.timeout);
            let late = limit.is_some_and(|limit| self.now - *since > limit);
            assert!(!late, "the check of {job:?} has outlived its timeout");
        }
    }

    /// The jobs that are hooked to an event and are still running.
    fn hooks_of(&self, hook: Trigger) -> Vec<JobId> {
        let hooked = |id: &&JobId| self.config.jobs[id.0].when.triggers().any(|on| on == hook);
        self.running.keys().filter(hooked).copied().collect()
    }

    fn act(&mut self, action: Action) {
        assert!(self.exit.is_none(), "{action:?} after the end");
        match action {
            Action::Spawn(job, reason) => {
                self.reasons.push((job, reason));
                self.spawn(job);
            }
            Action::Check(job, run) => {
                assert!(
                    self.checking.insert(job, (run, self.now)).is_none(),
                    "two checks of job {job:?} at once"
                );
                self.checks.entry(job).or_default().push(self.now - self.begin);
                let (health, begun) = (self.health(job), self.running.get(&job).copied());
                let judged = self.judged(job);
                judged.is_checked(&health, begun);
                assert!(!judged.is_recycling(), "{job:?} is checked while it is replaced");
                let end = Due::CheckEnd(job, run, Verdict::of(self.draw().code != 1));
                self.schedule.push((self.now + self.check_time, end));
            }
            Action::KillCheck(job) => {
                let (run, since) = self.checking.remove(&job).expect("a check to kill is running");
                // It counts if it was for its time, and not if nobody wants to know.
                if let Check::Running { run: awaited, .. } = self.machine.job(job).check
                    && awaited == run
                {
                    self.judged(job).found(since, Verdict::Failed);
                }
                self.schedule.retain(|(_, due)| {
                    !matches!(due, Due::CheckEnd(other, number, _) if *other == job && *number == run)
                });
                self.schedule.push((self.now, Due::CheckEnd(job, run, Verdict::Failed)));
            }
            Action::Heard(_) | Action::Condemned(..) => {}
            Action::Turned(job, event) => {
                let (health, begun) = (self.health(job), self.running.get(&job).copied());
                let now = self.now;
                self.judged(job).turns(event, &health, begun, now);
            }
            Action::Recycle(job) => self.recycles(job),
            Action::Terminate(job) => {
                assert!(
                    self.running.contains_key(&job),
                    "SIGTERM for {job:?}, which is not running"
                );
                assert!(
                    !self.registered.contains(&job),
                    "{job:?} is signalled before its service has left the catalog"
                );
                let patience = self.config.jobs[job.0].stop.hooks_timeout;
                let hooks = self.hooks_of(Trigger::Job(job, JobEvent::Stopping));
                assert!(
                    hooks.is_empty() || patience.is_some(),
                    "{job:?} is signalled before its hooks {hooks:?} have ended"
                );
                self.assert_drained(job);
                self.terminated.insert(job, self.now - self.begin);
                if let Some(after) = self.draw().obeys {
                    let exit = Due::Exit(job, ExitStatus::Signal(15));
                    self.schedule.push((self.now + after, exit));
                }
            }
            Action::Kill(job) => {
                assert!(
                    self.running.contains_key(&job),
                    "SIGKILL for {job:?}, which is not running"
                );
                self.killed.insert(job);
                self.schedule.push((self.now, Due::Exit(job, ExitStatus::Signal(9))));
            }
            Action::Announce(job) | Action::Passing(job) => {
                if action == Action::Passing(job) {
                    let judged = self.judged(job);
                    assert_eq!(judged.state(), Some(JobEvent::Healthy), "a heartbeat for {job:?}");
                    assert!(!judged.is_recycling(), "a heartbeat for {job:?}");
                    *self.heartbeats.entry(job).or_default() += 1;
                }
                let on = self.machine.maintenance() == super::Maintenance::On;
                assert!(!on, "{job:?} enters the catalog during maintenance");
                self.withdrawn.remove(&job);
                self.marked.remove(&job);
                self.told.remove(&job);
                self.registered.insert(job);
            }
            Action::Failing(job) => {
                let judged = self.judged(job);
                assert_eq!(judged.state(), Some(JobEvent::Unhealthy), "{job:?} is not unhealthy");
                let last = judged.last();
                assert_eq!(last, Some(Verdict::Failed), "{job:?} has not failed its check");
            }
            Action::Overdue(_) => self.overdue.push(self.now - self.begin),
            Action::Watch(_) | Action::Decided(..) => {}
            Action::Unreachable(_) | Action::GaveUp(_) => {}
            Action::Deregister(job, number) => {
                self.withdrawn.insert(job);
                self.judged(job).leaves();
                self.marked.remove(&job);
                self.departs(job, number);
            }
            Action::Mark(job, number) => {
                let drain = self.config.jobs[job.0].stop.drain;
                assert_eq!(drain.map(|drain| drain.notice), Some(Notice::Mark), "{job:?}");
                self.withdrawn.insert(job);
                self.judged(job).leaves();
                self.marked.insert(job);
                self.departs(job, number);
            }
            Action::Stand(election) => self.stands(election),
            Action::Resign(election) => self.resigns(election),
            Action::Published(event) => self.hear(event),
            Action::Retired => self.succeed(),
            Action::Exit(code) => {
                let left: Vec<_> =
                    self.running.keys().filter(|job| !self.killed.contains(job)).collect();
                assert!(left.is_empty(), "exit with processes that nobody has stopped: {left:?}");
                assert!(self.checking.is_empty(), "exit with checks: {:?}", self.checking);
                let mut listed = self.registered.iter().filter(|job| !self.withdrawn.contains(job));
                assert_eq!(listed.next(), None, "exit without taking a service out of the catalog");
                assert!(self.standing.is_empty(), "exit as candidate: {:?}", self.standing);
                let marked = self.marked.iter().filter(|job| !self.killed.contains(job));
                assert_eq!(marked.count(), 0, "exit and {:?} stay in the catalog", self.marked);
                self.exit = Some((self.now, code));
            }
        }
    }

    /// The catalog answers late, or not in time.
    fn departs(&mut self, job: JobId, number: Deregistration) {
        self.departing.insert(job, number);
        let behaviour = self.draw();
        let late = behaviour.lives.unwrap_or_default().min(Duration::from_secs(1));
        let known = self.registered.contains(&job) && behaviour.code == 0;
        let notified = if known { Notified::Yes } else { Notified::No };
        self.schedule.push((self.now + late, Due::Deregistered(job, number, notified)));
    }

    /// Whether hooks and drains are no longer waited for, be it for a reload that a stop has cut.
    fn is_late(&self) -> bool {
        let limits = &self.machine.limits;
        let over = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
        limits.forced || over(limits.hooks) || over(self.cut)
    }

    /// Those who use what a process serves have had their time, unless patience has ended.
    fn assert_drained(&self, job: JobId) {
        if self.is_late() {
            return;
        }
        let application = self.config.generation == Generation::V2
            && self.config.jobs[job.0].role == Role::Essential;
        for (index, other) in self.config.jobs.iter().enumerate() {
            let advertises = JobId(index) == job || (application && other.service.is_some());
            let told = self.told.get(&JobId(index)).filter(|_| advertises);
            // A reload cuts what it replaces without order.
            if let (Some(drain), Some(told)) = (other.stop.drain, told)
                && !self.killed.contains(&job)
            {
                let time = self.now - *told;
                assert!(time >= drain.time, "{job:?} is signalled {time:?} after its users know");
            }
        }
    }

    fn spawn(&mut self, job: JobId) {
        assert!(
            self.running.insert(job, self.now).is_none(),
            "two processes of job {job:?} at once"
        );
        *self.spawns.entry(job).or_default() += 1;
        let health = self.config.jobs[job.0].health.clone();
        self.judged(job).starts(health.as_ref());
        if self.stopping {
            let hook = self.config.jobs[job.0].when.triggers().any(|trigger| {
                trigger.is_of_the_end()
                    || matches!(trigger, Trigger::Election(_, ElectionEvent::Demoted))
            });
            assert!(hook, "{job:?} was started while everything stops");
        }
        let behaviour = self.draw();
        if let Some(lives) = behaviour.lives {
            let exit = Due::Exit(job, ExitStatus::Code(behaviour.code));
            self.schedule.push((self.now + lives, exit));
        }
    }

    fn judged(&mut self, job: JobId) -> &mut Judged {
        self.judged.entry(job).or_default()
    }

    fn health(&self, job: JobId) -> Health {
        self.config.jobs[job.0].health.clone().expect("a check")
    }

    /// It has just turned unhealthy, and runs.
    fn recycles(&mut self, job: JobId) {
        let (health, now) = (self.health(job), self.now);
        self.judged(job).recycles(&health, now);
        assert!(self.running.contains_key(&job), "{job:?} is replaced, and does not run");
        assert!(!self.stopping, "{job:?} is replaced while everything stops");
        *self.recycled.entry(job).or_default() += 1;
        if let Some(after) = self.draw().obeys {
            let exit = Due::Exit(job, ExitStatus::Signal(15));
            self.schedule.push((self.now + after, exit));
        }
    }

    fn hear(&mut self, event: Trigger) {
        if let Trigger::Job(job, state @ (JobEvent::Healthy | JobEvent::Unhealthy)) = event {
            assert_eq!(self.judged(job).state(), Some(state), "{job:?}");
        }
        if let Trigger::Job(job, JobEvent::Stopped) = event {
            assert!(!self.running.contains_key(&job), "{job:?} has `stopped` and is running");
            let stopping = Trigger::Job(job, JobEvent::Stopping);
            let announced = self.published.iter().any(|(_, event)| *event == stopping);
            let quiet = self.config.jobs[job.0].stop.announce == Announce::WhenRunning;
            assert!(announced || quiet || self.exit_is_forced(), "`stopped` without `stopping`");
            assert!(
                !self.published.iter().any(|(_, other)| *other == event),
                "{job:?} has stopped twice"
            );
        }
        if let Trigger::Election(election, event) = event {
            self.turns(election, event);
        }
        self.published.push((self.now - self.begin, event));
    }

    /// After the deadline nothing is announced any more, only ended.
    fn exit_is_forced(&self) -> bool {
        self.machine.limits.forced
    }

    /// The next behaviour, over and over.
    fn draw(&mut self) -> Behaviour {
        self.drawn += 1;
        self.behaviours[self.drawn % self.behaviours.len()]
    }
}
