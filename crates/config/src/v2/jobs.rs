//! 1.x and 2.x as jobs.
//!
//! The order of the list is that of the originals' start: `preStart`, coprocesses, services,
//! tasks, sensors, backends, hooks of the end, and the application last. What follows `preStart`
//! waits for its success.
//!
//! Stopping: services are deregistered, and have the time that they want for that to be noticed;
//! `preStop` runs; the application is signalled; `postStop` runs when it is gone. Coprocesses are the last to go, for a catalog's agent is often one of
//! them, and deregistration and hooks need it.

use std::{ops::Range, time::Duration};

use super::file::{Advertised, Backend, Coprocess, File, Sensor, Task};
use crate::{
    Command, LogLevel, Watch,
    decode::{Report, name::Names, telemetry::Endpoint},
    job::{
        Announce, Backoff, Exec, GlobalEvent, Job, JobEvent, JobId, KillAfter, Lines, Restarts,
        Role, Stop, StopAfter, StopSignal, StopTarget, Streams, Surroundings, Trigger, WatchEvent,
        When,
    },
    telemetry::Telemetry,
    variable::pid_variable,
    watch::{ServiceQuery, Subject, WatchId},
};

/// From SIGTERM to SIGKILL for all but the application. Together with the application's default
/// of 5 s it leaves the rest of an engine's 10 s to deregistration and hooks.
const GRACE: Duration = Duration::from_secs(3);

/// Hooks and checks: stdout at INFO, stderr at DEBUG.
pub(super) const CHECK_STREAMS: Streams =
    Streams::Logged { stdout: LogLevel::Info, stderr: LogLevel::Debug, lines: Lines::Text };
/// Coprocesses: both at INFO.
const COPROCESS_STREAMS: Streams =
    Streams::Logged { stdout: LogLevel::Info, stderr: LogLevel::Info, lines: Lines::Text };

/// The program's side of a file.
pub(super) struct Translated {
    pub(super) jobs: Vec<Job>,
    pub(super) watches: Vec<Watch>,
    pub(super) telemetry: Option<Telemetry>,
}

/// Where everything will be in the list of jobs; known before the list is made, because jobs
/// early in the list wait for later ones.
struct Layout {
    coprocesses: Range<usize>,
    services: Range<usize>,
    sensors: Range<usize>,
    pre_stop: Option<JobId>,
    post_stop: Option<JobId>,
    application: Option<JobId>,
}

impl Layout {
    fn new(file: &File, has_application: bool) -> Self {
        let mut next = usize::from(file.pre_start.is_some());
        let mut range = |length: usize| {
            let start = next;
            next += length;
            start..next
        };
        let coprocesses = range(file.coprocesses.len());
        let services = range(file.services.len());
        range(file.tasks.len());
        let sensors = range(file.sensors.len());
        range(file.backends.len());
        let mut one = |exists: bool| exists.then(|| JobId(range(1).start));
        let pre_stop = one(file.pre_stop.is_some());
        // Without an application `postStop` follows the last coprocess; without that, nothing.
        let has_post_stop = has_application || !coprocesses.is_empty();
        let post_stop = one(file.post_stop.is_some() && has_post_stop);
        let application = one(has_application);
        Self { coprocesses, services, sensors, pre_stop, post_stop, application }
    }
}

pub(super) fn translate(
    file: &File,
    application: Option<Command>,
    report: &Report<'_>,
) -> Translated {
    let layout = Layout::new(file, application.is_some());
    let after = match file.pre_start {
        Some(_) => Trigger::Job(JobId(0), JobEvent::ExitSuccess),
        None => Trigger::Global(GlobalEvent::Startup),
    };
    let services = file.services.iter().zip(layout.services.clone());
    let drained = services.filter(|(advertised, _)| advertised.drain.is_some());
    let drained: Vec<JobId> = drained.map(|(_, id)| JobId(id)).collect();
    if !drained.is_empty() && layout.application.is_none() && layout.coprocesses.is_empty() {
        report
            .warn("drain: is for nothing: there is neither an application nor a coprocess to stop");
    }
    let mut translation =
        Translation { jobs: Vec::new(), names: reserved(file, &application), after };
    if let Some(command) = &file.pre_start {
        translation.hook("preStart", command, Trigger::Global(GlobalEvent::Startup), Role::Gate);
    }
    for coprocess in &file.coprocesses {
        translation.coprocess(coprocess, &layout, &drained);
    }
    for advertised in &file.services {
        translation.service(advertised);
    }
    for task in &file.tasks {
        translation.task(task);
    }
    let mut endpoint = file.telemetry.clone();
    let metrics = endpoint.iter_mut().flat_map(|endpoint| &mut endpoint.metrics);
    for ((sensor, metric), id) in file.sensors.iter().zip(metrics).zip(layout.sensors.clone()) {
        translation.sensor(sensor, &metric.name);
        metric.sensor = Some(JobId(id));
    }
    let mut watches = Vec::new();
    for backend in &file.backends {
        translation.backend(backend, WatchId(watches.len()));
        watches.push(watch(backend, after));
    }
    if let Some(command) = &file.pre_stop {
        let trigger = match layout.application {
            Some(application) => Trigger::Job(application, JobEvent::Stopping),
            None => Trigger::Global(GlobalEvent::Shutdown),
        };
        translation.hook("preStop", command, trigger, Role::Ordinary);
    }
    if let Some(command) = &file.post_stop {
        let last = layout.application.or(layout.coprocesses.clone().last().map(JobId));
        match last {
            Some(last) => {
                let trigger = Trigger::Job(last, JobEvent::Stopped);
                translation.hook("postStop", command, trigger, Role::Override);
            }
            None => report.warn(
                "postStop: never runs: there is neither an application nor a coprocess to stop",
            ),
        }
    }
    if let Some(command) = application {
        translation.application(command, file, drained);
    }
    let telemetry = endpoint.map(|endpoint| translation.telemetry(endpoint));
    if translation.jobs.is_empty() {
        report.warn("there is nothing to run: neither an application nor anything in the file");
    }
    Translated { jobs: translation.jobs, watches, telemetry }
}

/// Names that belong to hooks and the application, whatever else has them.
fn reserved(file: &File, application: &Option<Command>) -> Names {
    let hooks = [
        ("preStart", file.pre_start.is_some()),
        ("preStop", file.pre_stop.is_some()),
        ("postStop", file.post_stop.is_some()),
        ("application", application.is_some()),
    ];
    let mut names = Names::default();
    for (name, _) in hooks.into_iter().filter(|(_, exists)| *exists) {
        names.take(name);
    }
    names
}

fn watch(backend: &Backend, after: Trigger) -> Watch {
    Watch {
        name: backend.name.clone(),
        subject: Subject::Service(ServiceQuery {
            service: backend.name.clone(),
            tag: backend.tag.clone(),
            near: None,
        }),
        datacenter: None,
        interval: backend.poll,
        after,
    }
}

/// The list of jobs as it grows.
struct Translation {
    jobs: Vec<Job>,
    /// Names that are taken.
    names: Names,
    /// What everything but `preStart` waits for.
    after: Trigger,
}

impl Translation {
    fn push(&mut self, name: &str, job: Job) {
        let name = self.names.unique(name);
        self.jobs.push(Job { name, ..job });
    }

    /// A job that starts once `preStart` has succeeded.
    fn plain(&self) -> Job {
        Job {
            name: String::new(),
            exec: None,
            surroundings: Surroundings::default(),
            when: When::once(self.after),
            restarts: Restarts::Never,
            backoff: Backoff::None,
            health: None,
            service: None,
            stop: Stop {
                after: StopAfter::default(),
                hooks_timeout: None,
                kill_after: KillAfter::After(GRACE),
                signal: StopSignal::Term,
                target: StopTarget::Group,
                announce: Announce::WhenRunning,
                drain: None,
            },
            role: Role::Ordinary,
        }
    }

    fn hook(&mut self, name: &str, command: &Command, trigger: Trigger, role: Role) {
        let variable = pid_variable(name);
        let exec = Exec { pid_variable: Some(variable), ..check(command, None) };
        // The name is reserved for this job.
        let name = name.to_owned();
        self.jobs.push(Job {
            name,
            exec: Some(exec),
            when: When::once(trigger),
            role,
            ..self.plain()
        });
    }

    /// Without an application it is what the `drained` services stand for.
    fn coprocess(&mut self, coprocess: &Coprocess, layout: &Layout, drained: &[JobId]) {
        let exec = Exec {
            command: coprocess.command.clone(),
            streams: COPROCESS_STREAMS,
            timeout: None,
            pid_variable: Some(pid_variable(&coprocess.name)),
        };
        let mut job = Job { exec: Some(exec), restarts: coprocess.restarts, ..self.plain() };
        if job.restarts != Restarts::Never {
            job.backoff = Backoff::Exponential;
        }
        // Without an application `postStop` waits for a coprocess, not the other way round.
        let post_stop = layout.application.and(layout.post_stop);
        let stopped = [layout.application, layout.pre_stop, post_stop];
        let mut stopped: Vec<JobId> = stopped.into_iter().flatten().collect();
        if layout.application.is_none() {
            stopped.extend(drained);
        }
        job.stop.after = StopAfter { deregistered: true, stopped };
        self.push(&coprocess.name, job);
    }

    fn service(&mut self, advertised: &Advertised) {
        let health = advertised.health.clone();
        let service = advertised.service.clone();
        let name = service.name.clone();
        let mut job = Job { health: Some(health), service: Some(service), ..self.plain() };
        job.stop.drain = advertised.drain;
        self.push(&name, job);
    }

    fn task(&mut self, task: &Task) {
        self.timed(&task.name, task.frequency, check(&task.command, Some(task.timeout)));
    }

    fn sensor(&mut self, sensor: &Sensor, metric: &str) {
        self.timed(metric, sensor.poll, check(&sensor.check, sensor.timeout));
    }

    fn timed(&mut self, name: &str, interval: Duration, exec: Exec) {
        let when = When::Every { interval, after: self.after };
        let restarts = Restarts::Unlimited;
        self.push(name, Job { exec: Some(exec), when, restarts, ..self.plain() });
    }

    fn backend(&mut self, backend: &Backend, watch: WatchId) {
        let name = match &backend.tag {
            Some(tag) => format!("{}[{tag}].onChange", backend.name),
            None => format!("{}.onChange", backend.name),
        };
        let trigger = Trigger::Watch(watch, WatchEvent::Changed);
        let when = When::each(trigger);
        let exec = check(&backend.on_change, backend.timeout);
        self.push(&name, Job { exec: Some(exec), when, ..self.plain() });
    }

    /// Last of all: nothing waits for it.
    fn telemetry(&mut self, endpoint: Endpoint) -> Telemetry {
        let name = self.names.unique(&endpoint.service.name);
        let (telemetry, job) = endpoint.translate(JobId(self.jobs.len()), name, self.after);
        self.jobs.push(job);
        telemetry
    }

    /// Its stop begins when those that are `drained` are.
    fn application(&mut self, command: Command, file: &File, drained: Vec<JobId>) {
        let exec = Exec {
            command,
            streams: Streams::Inherit,
            timeout: None,
            pid_variable: Some("CONTAINERPILOT_APP_PID".into()),
        };
        let stop = Stop {
            after: StopAfter { deregistered: true, stopped: drained },
            hooks_timeout: None,
            kill_after: file.kill_after,
            signal: file.stop_signal,
            target: StopTarget::Process,
            announce: Announce::WhenRunning,
            drain: None,
        };
        let name = "application".to_owned();
        let role = Role::Essential;
        self.jobs.push(Job { name, exec: Some(exec), stop, role, ..self.plain() });
    }
}

fn check(command: &Command, timeout: Option<Duration>) -> Exec {
    let command = command.clone();
    Exec { command, streams: CHECK_STREAMS, timeout, pid_variable: None }
}
