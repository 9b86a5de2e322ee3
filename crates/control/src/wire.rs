//! The answers of `GET /v3/status` and `GET /v3/events`, in JSON with camelCase names. Times are
//! RFC 3339. What an older or newer program leaves out or adds does no harm: lists that are
//! missing are empty, optional fields absent, unknown ones ignored.

use serde::{Deserialize, Serialize};

/// What is going on in the program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// How many configurations have been put in force; the first is 1.
    pub generation: u64,
    /// The program's pid, as it sees it itself.
    pub pid: i32,
    /// When the program started.
    pub since: String,
    /// Generation of the configuration file, `1.x/2.x` or `3.x`.
    pub config: String,
    /// Whether services are kept out of the catalog.
    pub maintenance: bool,
    /// Whether everything is being stopped.
    pub stopping: bool,
    /// The catalog, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<CatalogStatus>,
    /// All jobs, in the order of the configuration.
    #[serde(default)]
    pub jobs: Vec<JobStatus>,
    /// All watches, in the order of the configuration.
    #[serde(default)]
    pub watches: Vec<WatchStatus>,
    /// All elections, in the order of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elections: Vec<ElectionStatus>,
    /// All templates, in the order of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateStatus>,
}

/// The connection to the catalog.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogStatus {
    /// What it is and where: `consul localhost:8500`.
    pub name: String,
    /// Whether the last requests were answered.
    pub reachable: bool,
    /// What is wrong, if it is not reachable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<String>,
    /// Since when it is reachable or not.
    pub since: String,
}

/// One job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: JobState,
    /// The event that it waits for, `db healthy`; or what else would start it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// Its process, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Since when it is in this state.
    pub since: String,
    /// How often its process was started again after an exit.
    pub restarts: u64,
    /// How its process ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<LastExit>,
    /// What its check says, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthStatus>,
    /// What it advertises, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceStatus>,
}

/// What a job is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobState {
    /// It has not started: what it waits for has not happened.
    #[default]
    Waiting,
    /// Its process runs; a job without one is doing its work.
    Running,
    /// Its process has ended and is started again after a pause.
    Backoff,
    /// Its process has ended, and an event or a period starts the next.
    Idle,
    /// It is being stopped: those who use its service have time to notice.
    Draining,
    /// It is being stopped.
    Stopping,
    /// Nothing can start it again.
    Completed,
}

impl JobState {
    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Waiting => "waiting",
            JobState::Running => "running",
            JobState::Backoff => "backoff",
            JobState::Idle => "idle",
            JobState::Draining => "draining",
            JobState::Stopping => "stopping",
            JobState::Completed => "completed",
        }
    }
}

/// How a process ended: with a code or by a signal. With neither, it could not be started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastExit {
    /// The exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// The signal that killed it, `SIGKILL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// When.
    pub at: String,
}

/// What a check says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthStatus {
    /// The result.
    pub status: Health,
    /// Since when it is that.
    pub since: String,
    /// What the last check wrote, shortened.
    #[serde(default)]
    pub output: String,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Health {
    /// No check has ended yet.
    #[default]
    Unknown,
    /// The last check passed.
    Healthy,
    /// The last check failed.
    Unhealthy,
}

impl Health {
    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
        }
    }
}

/// A service that a job advertises.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Its name in the catalog.
    pub name: String,
    /// This instance's id.
    pub id: String,
    /// Where others reach it.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Whether the catalog has acknowledged it.
    pub registered: bool,
}

/// One watch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchStatus {
    /// Its name, without `watch.`.
    pub name: String,
    /// The service that it looks at; empty if it looks at keys.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// The key that it looks at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// It looks at all keys that begin so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_prefix: Option<String>,
    /// The tag that instances must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The datacenter, if not the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dc: Option<String>,
    /// The healthy instances that it saw last.
    #[serde(default)]
    pub instances: Vec<InstanceStatus>,
    /// The keys that it saw last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// One election.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ElectionStatus {
    /// Its name, without `election.`.
    pub name: String,
    /// What the program is in it.
    pub state: ElectionState,
    /// Who is elected, as far as the catalog has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<String>,
    /// The fencing token, if the program itself is elected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// Since when it is elected, or is not.
    pub since: String,
    /// What it advertises while it is elected, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceStatus>,
}

/// What the program is in an election.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ElectionState {
    /// It does not stand.
    #[default]
    Out,
    /// It stands, and is not elected.
    Following,
    /// It is elected.
    Leading,
    /// It gives way: what it does about that is under way.
    Leaving,
}

impl ElectionState {
    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ElectionState::Out => "out",
            ElectionState::Following => "following",
            ElectionState::Leading => "leading",
            ElectionState::Leaving => "leaving",
        }
    }
}

/// One template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateStatus {
    /// Its name, without `template.`.
    pub name: String,
    /// The file that it is rendered to.
    pub destination: String,
    /// How that stands.
    pub state: TemplateState,
    /// Since when it is so; absent if it was never rendered, and has not failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What is missing for a new text, if something is: `service "db"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// What was wrong the last time, unless it was right since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// How it stands with a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TemplateState {
    /// It was never rendered: something is missing.
    #[default]
    Waiting,
    /// The file is as it should be, as far as is known.
    Current,
    /// The file is as it was: a new text could not be made, written, or was refused.
    Failed,
}

impl TemplateState {
    /// As it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            TemplateState::Waiting => "waiting",
            TemplateState::Current => "current",
            TemplateState::Failed => "failed",
        }
    }
}

/// A healthy instance of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// Its id in the catalog.
    pub id: String,
    /// Where it is.
    pub address: String,
    /// Its port.
    pub port: u16,
}

/// Something that has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    pub time: String,
    /// Where: a job's name, `watch.NAME`, `election.NAME`, `template.NAME`, `global`, or a signal's
    /// name.
    pub source: String,
    /// What, one of [`EVENTS`]. For a signal, its name once more.
    pub event: String,
}

/// The names of events.
pub const EVENTS: [&str; 16] = [
    "healthy",
    "unhealthy",
    "exitSuccess",
    "exitFailed",
    "stopping",
    "stopped",
    "changed",
    "failed",
    "elected",
    "demoted",
    "startup",
    "shutdown",
    "enterMaintenance",
    "exitMaintenance",
    "SIGHUP",
    "SIGUSR2",
];

/// Data of the server-sent event `missed`: the client was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// How many events were left out here.
    pub missed: u64,
}
