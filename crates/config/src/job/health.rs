//! Checks: what is done to find out, and what its results are worth.

use std::{fmt, ops::RangeInclusive, path::PathBuf, time::Duration};

use super::Streams;
/// Where a check asks.
pub use crate::place::HttpPlace;
use crate::{
    Command,
    catalog::Tls,
    secrets::{Text, masked_debug},
};

/// A health check.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// What is done to find out.
    pub probe: Probe,
    /// From the start of one check to the start of the next.
    pub interval: Duration,
    /// The check has failed after this long; a command's process group gets SIGKILL.
    pub timeout: Option<Duration>,
    /// The output of a command.
    pub streams: Streams,
    /// So long after the job's process has started failures do not count, unless a check has
    /// passed since then.
    pub start_period: Duration,
    /// So many failures in a row make it unhealthy; at least 1.
    pub failures: u32,
    /// So many successes in a row make it healthy; at least 1.
    pub successes: u32,
    /// What happens to the job when it turns unhealthy.
    pub on_failure: OnFailure,
}

impl Health {
    /// A check as the originals knew it: each result counts at once, and moves nothing but events.
    pub fn plain(
        probe: Probe,
        interval: Duration,
        timeout: Option<Duration>,
        streams: Streams,
    ) -> Health {
        Health {
            probe,
            interval,
            timeout,
            streams,
            start_period: Duration::ZERO,
            failures: 1,
            successes: 1,
            on_failure: OnFailure::Nothing,
        }
    }

    /// The command, if it runs one.
    pub fn command(&self) -> Option<&Command> {
        match &self.probe {
            Probe::Exec(command) => Some(command),
            _ => None,
        }
    }
}

/// What a check does.
#[derive(Clone, PartialEq)]
pub enum Probe {
    /// Nothing: it always passes.
    Always,
    /// Runs a command: exit code 0 means healthy.
    Exec(Command),
    /// Sends a request.
    Http(Box<HttpProbe>),
    /// Connects.
    Tcp {
        /// Where to: a name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// Asks a server about its health by gRPC (`grpc.health.v1`).
    Grpc {
        /// Where it is: a name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Of which of its services; empty: of the server itself.
        service: String,
        /// Over TLS, and what to believe then; `None`: in plain text.
        tls: Option<Box<Tls>>,
    },
    /// Looks at a file.
    File {
        /// It must exist.
        path: PathBuf,
        /// And have been changed less than this ago.
        younger_than: Option<Duration>,
    },
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("Always"),
            Self::Exec(command) => f.debug_tuple("Exec").field(command).finish(),
            Self::Http(probe) => f.debug_tuple("Http").field(probe).finish(),
            Self::Tcp { host, port } => {
                f.debug_struct("Tcp").field("host", &Text(host)).field("port", port).finish()
            }
            Self::Grpc { host, port, service, tls } => f
                .debug_struct("Grpc")
                .field("host", &Text(host))
                .field("port", port)
                .field("service", &Text(service))
                .field("tls", tls)
                .finish(),
            Self::File { path, younger_than } => f
                .debug_struct("File")
                .field("path", &Text(path))
                .field("younger_than", younger_than)
                .finish(),
        }
    }
}

/// A request and what its answer should be.
#[derive(Clone, PartialEq)]
pub struct HttpProbe {
    /// Where it goes.
    pub place: HttpPlace,
    /// The path with the query, from `/` on.
    pub path: String,
    /// GET, HEAD, POST and so on.
    pub method: String,
    /// Headers beside those that every request has; a `Host` here replaces its own.
    pub headers: Vec<(String, String)>,
    /// The status codes that mean healthy: from and up to these. `200..=399` unless it is said.
    pub expect: Vec<RangeInclusive<u16>>,
}

masked_debug!(HttpProbe { part place, text path, text method, text headers, part expect });

/// What happens to a job that turns unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing but the event.
    Nothing,
    /// Its process is asked to stop, and started again with the job's back-off.
    Restart,
    /// The program stops, in order, with exit code 1.
    Shutdown,
}
