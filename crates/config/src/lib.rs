//! From the text of a configuration file, and the environment, to one validated [`Config`].
//!
//! The way of the data: [`render()`] (Go templates over the environment) → [`json5`] (a tree in
//! which every value knows where it stands) → `v2` or `v3` (what the user may write, per
//! generation) → the types in [`job`], [`watch`], [`election`], [`template`], [`catalog`], [`telemetry`] (what
//! the program needs to know). The two generations are two spellings of one model: *sources
//! observe, jobs act*. Nothing behind this crate knows which spelling was used, except where
//! behaviour really differs ([`Generation`]).
//!
//! Every mistake of a file is reported, not only the first ([`Errors`]): each with the way to the
//! value, what is wrong, what would be right, and the line with a caret under the value. What is
//! secret (tokens, values of variables like `DB_PASSWORD`) is shown in none of them, nor by any
//! `Debug` (`secrets`).
//!
//! The crate is pure: it reads one file ([`source::read`]) and nothing else. The environment,
//! the host's name and its addresses are given to it as [`Host`].

mod advice;
pub mod catalog;
mod control;
mod decode;
pub mod election;
mod error;
mod generation;
mod hints;
pub mod interface;
pub mod job;
pub mod json5;
mod keys;
mod load;
mod migration;
mod place;
mod registry;
pub mod render;
mod schema;
mod secrets;
pub mod source;
pub mod telemetry;
pub mod template;
mod v2;
mod v3;
mod variable;
pub mod watch;

use std::{collections::BTreeMap, fmt, net::IpAddr, path::PathBuf, time::Duration};

use job::Probe;
use secrets::{Text, masked_debug, speaks_of_secrets};

pub use advice::advice;
pub use catalog::Catalog;
pub use control::control_socket;
pub use decode::control::SOCKET as CONTROL_SOCKET;
pub use decode::duration::{DurationError, parse as parse_duration};
pub use decode::suggestion::{did_you_mean, one_of};
pub use election::Election;
pub use error::{Errors, Problem};
pub use hints::hints;
pub use interface::{InterfaceError, check_interface};
pub use job::Job;
pub use load::load;
pub use migration::{Migration, migrate};
pub use registry::catalog_of;
pub use render::render;
pub use schema::schema;
pub use secrets::{Secrets, hide_secrets};
pub use source::Source;
pub use telemetry::Telemetry;
pub use template::Template;
pub use variable::{election_variable, pid_variable, service_ip_variable};
pub use watch::Watch;

/// Which spelling the file used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 1.x and 2.x: services, backends, tasks, coprocesses and hooks around one application.
    V2,
    /// 3.x: jobs and watches.
    V3,
}

/// What the program does, validated: everything that could be wrong with the file has been said.
/// Its `Debug` shows no secrets; that of its parts shows hardly any text.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// The spelling the file used.
    pub generation: Generation,
    /// Where services are registered and watched; `None` if nothing is.
    pub catalog: Option<Catalog>,
    /// How the program logs.
    pub logging: Logging,
    /// Jobs in the order in which they start and in which they see events. [`job::JobId`] is an
    /// index into this list.
    pub jobs: Vec<Job>,
    /// What is watched in the catalog. [`watch::WatchId`] is an index into this list.
    pub watches: Vec<Watch>,
    /// What we stand in. [`election::ElectionId`] is an index into this list.
    pub elections: Vec<Election>,
    /// What is rendered. [`template::TemplateId`] is an index into this list.
    pub templates: Vec<Template>,
    /// The metrics endpoint.
    pub telemetry: Option<Telemetry>,
    /// The control socket (3.x only).
    pub control: Option<PathBuf>,
    /// 3.x: from the request to stop to SIGKILL for whatever is left.
    /// 2.x: `None`, its limits are those of the jobs ([`job::Stop::kill_after`]).
    pub stop_timeout: Option<Duration>,
    /// Things that are legal but probably not meant; to be logged once at WARN.
    pub warnings: Vec<String>,
    /// What must not be shown of all this, nor in logs.
    pub secrets: Secrets,
}

impl Config {
    /// Adds what the file itself says to be secret.
    fn add_secrets(&mut self) {
        let secret = match &self.catalog {
            Some(Catalog::Consul(consul)) => match &consul.token {
                Some(catalog::Token::Value(token)) => Some(token),
                Some(catalog::Token::File(_)) | None => None,
            },
            Some(Catalog::Etcd(etcd)) => etcd.password.as_ref(),
            None => None,
        };
        if let Some(Secret(secret)) = secret {
            self.secrets.add(secret);
        }
        for job in &self.jobs {
            for (name, value) in &job.surroundings.env {
                if speaks_of_secrets(name) {
                    self.secrets.add(value.as_deref().unwrap_or(""));
                }
            }
            if let Some(Probe::Http(probe)) = job.health.as_ref().map(|health| &health.probe) {
                let secret = probe.headers.iter().filter(|(name, _)| speaks_of_secrets(name));
                for (_, value) in secret {
                    // `Bearer` and the like are no secret.
                    self.secrets.add(value.split_once(' ').map_or(value, |(_, secret)| secret));
                }
            }
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        secrets::write_masked(&Whole(self), &self.secrets, f)
    }
}

/// A configuration with its secrets.
struct Whole<'a>(&'a Config);

impl fmt::Debug for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // So that a new field cannot be forgotten.
        let Config {
            generation,
            catalog,
            logging,
            jobs,
            watches,
            elections,
            templates,
            telemetry,
            control,
            stop_timeout,
            warnings,
            secrets: _,
        } = self.0;
        f.debug_struct("Config")
            .field("generation", generation)
            .field("catalog", catalog)
            .field("logging", logging)
            .field("jobs", jobs)
            .field("watches", watches)
            .field("elections", elections)
            .field("templates", templates)
            .field("telemetry", telemetry)
            .field("control", &Text(control))
            .field("stop_timeout", stop_timeout)
            .field("warnings", &Text(warnings))
            .finish()
    }
}

/// What the machine tells the configuration: the facts that are not in the file.
/// Its `Debug` shows the names of variables, not their values.
#[derive(Clone, Default)]
pub struct Host {
    /// The environment: templates read it, `CONSUL_*` variables are taken from it.
    pub environment: BTreeMap<String, String>,
    /// The host's name, the second half of every service's id.
    pub hostname: String,
    /// Every address of every interface that is up.
    pub addresses: Vec<InterfaceAddress>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { environment, hostname, addresses } = self;
        f.debug_struct("Host")
            .field("environment", &environment.keys())
            .field("hostname", hostname)
            .field("addresses", addresses)
            .finish()
    }
}

/// One address of one network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The interface's name, `eth0`.
    pub interface: String,
    /// One of its addresses.
    pub address: IpAddr,
}

/// How the program logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// The least severe level that is written.
    pub level: LogLevel,
    /// The shape of a line.
    pub format: LogFormat,
    /// Where lines go.
    pub output: LogOutput,
}

/// Severity. `FATAL` and `PANIC` in a file mean [`LogLevel::Fatal`]: only what ends the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happens.
    Info,
    /// What should not happen and is coped with.
    Warn,
    /// What failed.
    Error,
    /// What ends the program.
    Fatal,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// RFC 3339 time, then the message.
    Default,
    /// logfmt.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where log lines go.
#[derive(Clone, PartialEq, Eq)]
pub enum LogOutput {
    /// Our standard output.
    Stdout,
    /// Our standard error.
    Stderr,
    /// A file, opened for appending, reopened on SIGUSR1.
    File(PathBuf),
}

impl fmt::Debug for LogOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("Stdout"),
            Self::Stderr => f.write_str("Stderr"),
            Self::File(path) => f.debug_tuple("File").field(&Text(path)).finish(),
        }
    }
}

/// A program and its arguments; the program's name is never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// Path, or a name to be looked up in `PATH`.
    pub program: String,
    /// Arguments after the program's name.
    pub args: Vec<String>,
}

masked_debug!(Command { text program, text args });

impl Command {
    /// What goes on in place of a wrong one, for as long as errors are collected.
    pub(crate) fn stand_in() -> Self {
        Self { program: String::new(), args: Vec::new() }
    }
}

/// A string that must not be shown: a token, a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"[hidden]\"")
    }
}
