//! A world for the machine to act in: virtual time, processes that exit when they please, a
//! catalog that answers late. It checks at every step what must never happen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use config::{
    Config, Generation, LogFormat, LogLevel, LogOutput, Logging,
    job::{
        Announce, Backoff, Exec, Frequency, GlobalEvent, Health, Job, JobEvent, JobId, KillAfter,
        Restarts, Role, Service, Stop, StopAfter, StopSignal, StopTarget, Streams, Surroundings,
        Trigger, When,
    },
    watch::{ServiceQuery, Subject, Watch},
};
use process::ExitStatus;

use super::{Action, CheckRun, Deregistration, Input, Machine};

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
    CheckExit(JobId, CheckRun, ExitStatus),
    Deregistered(JobId, Deregistration),
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
    last_check: BTreeMap<JobId, bool>,
    killed: BTreeSet<JobId>,
    pub(super) published: Vec<(Duration, Trigger)>,
    pub(super) check_time: Duration,
    pub(super) exit: Option<(Instant, u8)>,
    stopping: bool,
    /// The configuration that waits for the machine to make room.
    next: Option<Arc<Config>>,
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
            last_check: BTreeMap::new(),
            killed: BTreeSet::new(),
            published: Vec::new(),
            check_time: Duration::from_millis(30),
            exit: None,
            stopping: false,
            next: None,
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
                        next.is_none_or(|at| at > self.now),
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
                self.killed.remove(&job);
                self.schedule
                    .retain(|(_, due)| !matches!(due, Due::Exit(other, _) if *other == job));
                self.input(Input::Exited(job, status));
            }
            Due::CheckExit(job, run, status) => {
                if self.checking.get(&job).is_some_and(|(number, _)| *number == run) {
                    self.checking.remove(&job);
                    self.last_check.insert(job, status.success());
                }
                self.input(Input::Checked(job, run, status));
            }
            Due::Deregistered(job, number) => {
                self.registered.remove(&job);
                self.input(Input::Deregistered(job, number));
            }
            Due::External(input) => {
                self.stopping |= matches!(input, Input::Stop(_));
                self.input(input);
            }
            Due::Reload(config) => {
                self.next = Some(config);
                self.retire();
            }
        }
    }

    /// Makes room for the next configuration, if there is one and it can be.
    fn retire(&mut self) {
        if self.machine.can_retire()
            && let Some(next) = self.next.take()
        {
            for action in self.machine.retire(next, self.now) {
                self.act(action);
            }
        }
    }

    /// The next configuration comes into force; what is not kept has left.
    fn succeed(&mut self) {
        let seen = |_| Some(super::Instances::Some);
        let (machine, kept) = self.machine.succeed(seen, self.now).expect("a successor");
        let (old, new) = (Arc::clone(&self.config), Arc::clone(machine.config()));
        let place = |id: JobId| kept.new_place(id);
        let left: Vec<_> = self.running.keys().filter(|id| place(**id).is_none()).collect();
        assert!(left.is_empty(), "replaced while {left:?} run");
        let left: Vec<_> = self.checking.keys().filter(|id| place(**id).is_none()).collect();
        assert!(left.is_empty(), "replaced while the checks of {left:?} run");
        let listed = |id: &&JobId| place(**id).is_none() && !self.withdrawn.contains(*id);
        let left: Vec<_> = self.registered.iter().filter(listed).collect();
        assert!(left.is_empty(), "replaced while {left:?} are in the catalog");
        fn moved<T: Clone>(
            map: &BTreeMap<JobId, T>,
            place: impl Fn(JobId) -> Option<JobId>,
        ) -> BTreeMap<JobId, T> {
            map.iter().filter_map(|(id, value)| Some((place(*id)?, value.clone()))).collect()
        }
        let moved_set = |set: &BTreeSet<JobId>| set.iter().filter_map(|id| place(*id)).collect();
        self.running = moved(&self.running, place);
        self.checking = moved(&self.checking, place);
        self.last_check = moved(&self.last_check, place);
        self.registered = moved_set(&self.registered);
        self.withdrawn = moved_set(&self.withdrawn);
        self.killed = moved_set(&self.killed);
        let schedule = std::mem::take(&mut self.schedule);
        self.schedule = schedule
            .into_iter()
            .filter_map(|(at, due)| {
                let due = match due {
                    Due::Exit(id, status) => Due::Exit(place(id)?, status),
                    Due::CheckExit(id, run, status) => Due::CheckExit(place(id)?, run, status),
                    Due::Deregistered(id, number) => Due::Deregistered(place(id)?, number),
                    other => other,
                };
                Some((at, due))
            })
            .collect();
        // Counts are those of the jobs of that name.
        let namesake = |id: JobId| {
            let name = &old.jobs[id.0].name;
            new.jobs.iter().position(|job| job.name == *name).map(JobId)
        };
        self.spawns = moved(&self.spawns, namesake);
        self.checks = moved(&self.checks, namesake);
        self.published.clear();
        self.config = new;
        self.machine = machine;
        self.reloads += 1;
        self.input(Input::Start);
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

    /// The jobs that are hooked to this one's `stopping` and are still running.
    fn hooks_of(&self, job: JobId) -> Vec<JobId> {
        let hook = Trigger::Job(job, JobEvent::Stopping);
        let hooked = |id: &&JobId| self.config.jobs[id.0].when.triggers().any(|on| on == hook);
        self.running.keys().filter(hooked).copied().collect()
    }

    fn act(&mut self, action: Action) {
        assert!(self.exit.is_none(), "{action:?} after the end");
        match action {
            Action::Spawn(job) => self.spawn(job),
            Action::Check(job, run) => {
                assert!(
                    self.checking.insert(job, (run, self.now)).is_none(),
                    "two checks of job {job:?} at once"
                );
                self.checks.entry(job).or_default().push(self.now - self.begin);
                let code = if self.draw().code == 1 { 1 } else { 0 };
                let exit = Due::CheckExit(job, run, ExitStatus::Code(code));
                self.schedule.push((self.now + self.check_time, exit));
            }
            Action::KillCheck(job) => {
                let (run, _) = self.checking.remove(&job).expect("a check to kill is running");
                for (at, due) in &mut self.schedule {
                    if matches!(due, Due::CheckExit(other, number, _) if *other == job && *number == run)
                    {
                        *at = self.now;
                        *due = Due::CheckExit(job, run, ExitStatus::Signal(9));
                    }
                }
            }
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
                let hooks = self.hooks_of(job);
                assert!(
                    hooks.is_empty() || patience.is_some(),
                    "{job:?} is signalled before its hooks {hooks:?} have ended"
                );
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
                    let last = self.last_check.get(&job).copied();
                    assert_ne!(last, Some(false), "{job:?} has failed its check");
                }
                let on = self.machine.maintenance() == super::Maintenance::On;
                assert!(!on, "{job:?} enters the catalog during maintenance");
                self.withdrawn.remove(&job);
                self.registered.insert(job);
            }
            Action::Failing(job) => {
                let last = self.last_check.get(&job).copied();
                assert_eq!(last, Some(false), "{job:?} has not failed its check");
            }
            Action::Overdue(_) => self.overdue.push(self.now - self.begin),
            Action::Watch(_) | Action::Decided(..) => {}
            Action::Unreachable(_) | Action::GaveUp(_) => {}
            Action::Deregister(job, number) => {
                self.withdrawn.insert(job);
                let late = self.draw().lives.unwrap_or_default().min(Duration::from_secs(1));
                self.schedule.push((self.now + late, Due::Deregistered(job, number)));
            }
            Action::Published(event) => self.hear(event),
            Action::Retired => self.succeed(),
            Action::Exit(code) => {
                let left: Vec<_> =
                    self.running.keys().filter(|job| !self.killed.contains(job)).collect();
                assert!(left.is_empty(), "exit with processes that nobody has stopped: {left:?}");
                assert!(self.checking.is_empty(), "exit with checks: {:?}", self.checking);
                let mut listed = self.registered.iter().filter(|job| !self.withdrawn.contains(job));
                assert_eq!(listed.next(), None, "exit without taking a service out of the catalog");
                self.exit = Some((self.now, code));
            }
        }
    }

    fn spawn(&mut self, job: JobId) {
        assert!(
            self.running.insert(job, self.now).is_none(),
            "two processes of job {job:?} at once"
        );
        *self.spawns.entry(job).or_default() += 1;
        if self.stopping {
            let hook = self.config.jobs[job.0].when.triggers().any(Trigger::is_of_the_end);
            assert!(hook, "{job:?} was started while everything stops");
        }
        let behaviour = self.draw();
        if let Some(lives) = behaviour.lives {
            let exit = Due::Exit(job, ExitStatus::Code(behaviour.code));
            self.schedule.push((self.now + lives, exit));
        }
    }

    fn hear(&mut self, event: Trigger) {
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

/// A configuration of these jobs.
pub(super) fn configuration(jobs: Vec<Job>, watches: usize) -> Config {
    let watch = Watch {
        name: "upstream".into(),
        subject: Subject::Service(ServiceQuery {
            service: "upstream".into(),
            tag: None,
            near: None,
        }),
        datacenter: None,
        interval: Duration::from_secs(10),
        after: Trigger::Global(GlobalEvent::Startup),
    };
    Config {
        generation: Generation::V3,
        catalog: None,
        logging: Logging {
            level: LogLevel::Info,
            format: LogFormat::Default,
            output: LogOutput::Stdout,
        },
        jobs,
        watches: vec![watch; watches],
        elections: Vec::new(),
        telemetry: None,
        control: None,
        stop_timeout: Some(Duration::from_secs(5)),
        warnings: Vec::new(),
        secrets: config::Secrets::default(),
    }
}

/// A job that runs once, from the start.
pub(super) fn job(name: &str) -> Job {
    Job {
        name: name.into(),
        exec: Some(Exec {
            command: config::Command { program: name.into(), args: Vec::new() },
            streams: Streams::Inherit,
            timeout: None,
            pid_variable: None,
        }),
        surroundings: Surroundings::default(),
        when: on(Trigger::Global(GlobalEvent::Startup), Frequency::Once),
        restarts: Restarts::Never,
        backoff: Backoff::None,
        health: None,
        service: None,
        stop: Stop {
            after: StopAfter::default(),
            hooks_timeout: Some(Duration::from_secs(5)),
            kill_after: KillAfter::Deadline,
            signal: StopSignal::Term,
            target: StopTarget::Group,
            announce: Announce::Always,
            drain: None,
        },
        role: Role::Ordinary,
    }
}

pub(super) fn on(trigger: Trigger, frequency: Frequency) -> When {
    match frequency {
        Frequency::Once => When::once(trigger),
        Frequency::Each => When::each(trigger),
    }
}

pub(super) fn health(interval: u64) -> Health {
    Health {
        command: Some(config::Command { program: "check".into(), args: Vec::new() }),
        interval: Duration::from_secs(interval),
        timeout: None,
        streams: Streams::Inherit,
    }
}

pub(super) fn service(name: &str) -> Service {
    Service {
        name: name.into(),
        id: format!("{name}-host"),
        check_id: format!("service:{name}-host"),
        address: [127, 0, 0, 1].into(),
        port: 80,
        tags: Vec::new(),
        meta: BTreeMap::new(),
        ttl: Duration::from_secs(10),
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}
