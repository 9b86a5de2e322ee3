//! Jobs: what runs, when, and what is said about it in the catalog.

mod health;

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use crate::{
    Command, LogLevel, election::ElectionId, secrets::masked_debug, template::TemplateId,
    watch::WatchId,
};
pub use health::{Health, HttpPlace, HttpProbe, OnFailure, Probe};

/// Index of a job in [`crate::Config::jobs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub usize);

/// Something that reacts to events by running a process, or that only advertises a service and
/// relays its health. Services, coprocesses, tasks, `onChange` commands, hooks and the
/// application of a 1.x/2.x file are jobs too.
#[derive(Clone, PartialEq)]
pub struct Job {
    /// Unique name, as it appears in logs. 2.x names are made from the file's: a service's job
    /// has the service's name, a coprocess's its name, a backend's command is
    /// `NAME.onChange` (`NAME[TAG].onChange` with a tag), hooks are `preStart`, `preStop`,
    /// `postStop`, the application is `application`; a number in brackets makes a name unique.
    pub name: String,
    /// The process, if there is one.
    pub exec: Option<Exec>,
    /// As whom, where and with which variables the job's process and its check run.
    pub surroundings: Surroundings,
    /// When the process starts (or the service begins to be advertised).
    pub when: When,
    /// What happens after the process has exited.
    pub restarts: Restarts,
    /// How long to wait between restarts.
    pub backoff: Backoff,
    /// The check that decides about `healthy` and `unhealthy`, and about heartbeats.
    pub health: Option<Health>,
    /// What is advertised in the catalog.
    pub service: Option<Service>,
    /// How the job stops.
    pub stop: Stop,
    /// What the process's exit means for the program's own.
    pub role: Role,
}

masked_debug!(Job { text name, part exec, part surroundings, part when, part restarts, part backoff, part health, part service, part stop, part role });

/// A process and how it runs.
#[derive(Clone, PartialEq)]
pub struct Exec {
    /// What is executed.
    pub command: Command,
    /// Its output.
    pub streams: Streams,
    /// SIGKILL to its process group after this long.
    pub timeout: Option<Duration>,
    /// Variable that holds the pid in the environment of children while the process runs,
    /// `CONTAINERPILOT_APP_PID`.
    pub pid_variable: Option<String>,
}

masked_debug!(Exec { part command, part streams, part timeout, text pid_variable });

/// What a job's processes find around them. Empty: what we have ourselves.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The user that they run as: a name or a number.
    pub user: Option<String>,
    /// The group that they run as: a name or a number; `None`: the user's own.
    pub group: Option<String>,
    /// Their working directory.
    pub workdir: Option<PathBuf>,
    /// Variables that are set (`Some`) or unset (`None`) for them alone.
    pub env: BTreeMap<String, Option<String>>,
}

masked_debug!(Surroundings { text user, text group, text workdir, variables env });

/// Where a child's standard streams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// stdin, stdout and stderr are ours (2.x application).
    Inherit,
    /// stdout and stderr are ours, stdin is empty (3.x `logging: {raw: true}`).
    Raw,
    /// Line by line into our log, at these levels; stdin is empty.
    Logged {
        /// Level of a line on stdout.
        stdout: LogLevel,
        /// Level of a line on stderr.
        stderr: LogLevel,
        /// What a line is taken for.
        lines: Lines,
    },
}

/// What a child's line is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// A message.
    Text,
    /// A JSON object whose fields become those of the log entry, if it is one; else a message.
    Json,
}

/// When a job starts.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// On events.
    On {
        /// How many of the conditions are needed.
        need: Need,
        /// At least one.
        conditions: Vec<Condition>,
        /// Give up waiting after this long: the job is complete without having run.
        timeout: Option<Duration>,
    },
    /// On a period that begins with `after`; the first run is at once.
    Every {
        /// The period.
        interval: Duration,
        /// The event that begins the first period (`startup`; in 2.x the end of `preStart`).
        after: Trigger,
    },
}

impl When {
    /// On the first `trigger`.
    pub fn once(trigger: Trigger) -> When {
        When::on(trigger, Frequency::Once)
    }

    /// On every `trigger`.
    pub fn each(trigger: Trigger) -> When {
        When::on(trigger, Frequency::Each)
    }

    fn on(trigger: Trigger, frequency: Frequency) -> When {
        let conditions = vec![Condition { trigger, frequency }];
        When::On { need: Need::Any, conditions, timeout: None }
    }

    /// The events that start the job for the first time.
    pub fn triggers(&self) -> impl Iterator<Item = Trigger> {
        let (conditions, after) = match self {
            When::On { conditions, .. } => (conditions.as_slice(), None),
            When::Every { after, .. } => (&[][..], Some(*after)),
        };
        conditions.iter().map(|condition| condition.trigger).chain(after)
    }

    /// Whether events can start the job again.
    pub fn repeats(&self) -> bool {
        match self {
            // If all are needed: what counts once has been seen for all rounds.
            When::On { conditions, .. } => {
                conditions.iter().any(|condition| condition.frequency == Frequency::Each)
            }
            When::Every { .. } => false,
        }
    }
}

/// How many of a job's conditions are needed to start it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// One: whichever event comes.
    Any,
    /// All: the job starts when the event of every condition has been seen. After a start those
    /// of [`Frequency::Each`] have to be seen anew.
    All,
}

/// One thing that a job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The event.
    pub trigger: Trigger,
    /// Whether later ones count too.
    pub frequency: Frequency,
}

/// How many of a condition's events count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// The first.
    Once,
    /// Every one. One that arrives while the job runs is held; several held ones are one.
    Each,
}

/// An event that a job can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// An event of the program.
    Global(GlobalEvent),
    /// An event of a job.
    Job(JobId, JobEvent),
    /// An event of a watch.
    Watch(WatchId, WatchEvent),
    /// An event of an election.
    Election(ElectionId, ElectionEvent),
    /// An event of a template.
    Template(TemplateId, TemplateEvent),
    /// A signal that was sent to the program.
    Signal(SignalEvent),
}

impl Trigger {
    /// Whether it comes only while things stop: what waits for it is not cut by the stop that it
    /// belongs to.
    pub fn is_of_the_end(self) -> bool {
        matches!(
            self,
            Trigger::Global(GlobalEvent::Shutdown)
                | Trigger::Job(_, JobEvent::Stopping | JobEvent::Stopped)
        )
    }
}

/// Events of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalEvent {
    /// The generation of this configuration begins.
    Startup,
    /// Everything is to stop.
    Shutdown,
    /// Services are being taken out of the catalog.
    EnterMaintenance,
    /// Services are coming back.
    ExitMaintenance,
}

/// Events of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEvent {
    /// A check passed.
    Healthy,
    /// A check failed.
    Unhealthy,
    /// The process exited with 0.
    ExitSuccess,
    /// The process exited with something else, was killed, or could not be started.
    ExitFailed,
    /// The job is about to stop.
    Stopping,
    /// The job has stopped: its process is gone.
    Stopped,
}

/// Events of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// The set of healthy instances differs from the last one seen.
    Changed,
    /// After a change: there are healthy instances.
    Healthy,
    /// After a change: there are none.
    Unhealthy,
}

/// Events of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionEvent {
    /// We are the one from now on.
    Elected,
    /// We are not any more.
    Demoted,
}

/// Events of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateEvent {
    /// The file is another one from now on; or, at first, it is as it should be.
    Changed,
    /// It could not be rendered, or what was rendered was refused: the old file stands.
    Failed,
}

/// Signals that jobs can wait for (3.x).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalEvent {
    /// SIGHUP.
    Hup,
    /// SIGUSR2.
    Usr2,
}

/// How often a process is started again after it has exited. For [`When::Every`]: how many more
/// periods run after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarts {
    /// Not at all.
    Never,
    /// At most so many times.
    Limit(u32),
    /// Always.
    Unlimited,
}

/// How long to wait before a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// Not at all.
    None,
    /// From 100 ms to 30 s, doubling with every failure, with jitter; from the start again after
    /// a minute without a failure. A successful exit waits 100 ms.
    Exponential,
}

/// What the catalog is told.
#[derive(Clone, PartialEq)]
pub struct Service {
    /// The service's name.
    pub name: String,
    /// This instance's id, `NAME-HOSTNAME`.
    pub id: String,
    /// The id of the TTL check: the service's id in 2.x, `service:` and the id in 3.x.
    pub check_id: String,
    /// The address that others reach it at.
    pub address: IpAddr,
    /// The port; 0 is allowed (2.x).
    pub port: u16,
    /// Tags.
    pub tags: Vec<String>,
    /// Metadata: what else those who look it up should know.
    pub meta: BTreeMap<String, String>,
    /// How long a heartbeat is good for.
    pub ttl: Duration,
    /// Register at start with this status; `None`: register on the first passing check.
    pub initial_status: Option<InitialStatus>,
    /// Whether others may change the tags in the catalog.
    pub enable_tag_override: bool,
    /// How long after the TTL has expired the catalog removes the instance by itself.
    pub deregister_critical_after: Option<Duration>,
}

masked_debug!(Service { text name, text id, text check_id, part address, part port, text tags, text meta, part ttl, part initial_status, part enable_tag_override, part deregister_critical_after });

/// Status at registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialStatus {
    /// Passing.
    Passing,
    /// Warning.
    Warning,
    /// Critical.
    Critical,
}

/// How a job stops. The order: what is in `after` has happened; the job publishes `stopping`; jobs
/// hooked to `stopping` end, for at most `hooks_timeout`; its service is deregistered; `drain`;
/// `signal`; SIGKILL after `kill_after`; `stopped`.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// What must have happened before this job begins to stop.
    pub after: StopAfter,
    /// How long to wait for jobs that are hooked to `stopping`; `None`: until they end.
    pub hooks_timeout: Option<Duration>,
    /// From SIGTERM to SIGKILL.
    pub kill_after: KillAfter,
    /// What asks the process to exit.
    pub signal: StopSignal,
    /// Who gets that signal.
    pub target: StopTarget,
    /// Whether `stopping` is published too when the job ends by itself (3.x) or only when it is
    /// asked to stop while it runs (2.x: `preStop` runs before the application is signalled, and
    /// not after it has exited).
    pub announce: Announce,
    /// What happens between the service's leaving the catalog and the signal; `None`: nothing.
    pub drain: Option<Drain>,
}

/// Time for those who use a service to notice that it goes, before it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// How they are told.
    pub notice: Notice,
    /// How long they have, from when the catalog has acknowledged that.
    pub time: Duration,
}

/// How those who use a service are told that it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It leaves the catalog.
    Deregister,
    /// It stays there, as critical, and leaves when the process has ended.
    Mark,
}

/// What must have happened before a job begins to stop.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StopAfter {
    /// Every service of this configuration is out of the catalog (or could not be removed in
    /// time). For what a deregistration may need: the catalog's own agent as a coprocess.
    pub deregistered: bool,
    /// These jobs have stopped.
    pub stopped: Vec<JobId>,
}

/// From SIGTERM to SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillAfter {
    /// SIGKILL instead of SIGTERM (2.x: a negative `stopTimeout`).
    AtOnce,
    /// SIGKILL this long after SIGTERM.
    After(Duration),
    /// Only the program's own deadline counts (3.x).
    Deadline,
}

/// The signal that asks a process to exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM, the default.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT: a graceful stop of nginx and php-fpm.
    Quit,
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
    /// SIGWINCH: a graceful stop of httpd.
    Winch,
    /// SIGABRT.
    Abrt,
    /// SIGKILL: nothing is waited for.
    Kill,
}

/// Who gets a job's stop signal. SIGKILL always goes to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopTarget {
    /// The process alone (2.x application).
    Process,
    /// Its process group.
    Group,
}

/// When `stopping` is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// Before every `stopped`.
    Always,
    /// Only when asked to stop while the process runs.
    WhenRunning,
}

/// What a job's exit means for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The program goes on while other jobs can still run. If it ends because all jobs have
    /// completed, the first failure among them is its exit code.
    Ordinary,
    /// The exit ends the program, with the same code (2.x application; 3.x `essential`).
    Essential,
    /// A failure ends the program, with the same code (2.x `preStart`).
    Gate,
    /// A failure replaces the program's exit code (2.x `postStop`).
    Override,
    /// It keeps others company: the program does not stay for its sake (what advertises the
    /// metrics endpoint).
    Companion,
}
