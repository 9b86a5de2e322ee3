//! What can be set when the catalog starts.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::definition::ScriptChecks;

/// How to start a catalog; [`Options::default`] is what `catalog-server` does without flags, but
/// without DNS.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where HTTP is served; port 0 takes any free one.
    pub http: SocketAddr,
    /// Where DNS is answered, over UDP and TCP.
    pub dns: Dns,
    /// Where keys and registrations are kept over restarts. `None`: nowhere.
    pub state: Option<PathBuf>,
    /// The name of the node.
    pub node: String,
    /// The name of the datacenter.
    pub datacenter: String,
    /// The shortest `DeregisterCriticalServiceAfter`; what is asked for below this is raised.
    pub min_deregister: Duration,
    /// The shortest interval of checks that the agent makes; what is asked for below this is raised.
    pub min_interval: Duration,
    /// The shortest TTL of a session; what is asked for below this is refused.
    pub min_session_ttl: Duration,
    /// Whether clients may have programs run as checks.
    pub script_checks: ScriptChecks,
    /// How many connections may be open; further ones are refused with 503.
    pub max_connections: usize,
    /// How many queries may wait; further ones are refused with 429.
    pub max_blocked: usize,
    /// Where the log goes.
    pub log: Log,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            http: SocketAddr::from(([127, 0, 0, 1], 8500)),
            dns: Dns::Off,
            state: None,
            node: "localhost".into(),
            datacenter: "dc1".into(),
            min_deregister: Duration::from_secs(60),
            min_interval: Duration::from_secs(1),
            min_session_ttl: Duration::from_secs(10),
            script_checks: ScriptChecks::Refused,
            max_connections: 4096,
            max_blocked: 4096,
            log: Log::Stderr,
        }
    }
}

/// Where DNS is answered; port 0 takes any free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dns {
    /// Nowhere.
    Off,
    /// There, or nowhere if somebody else has the address: nobody has asked for it.
    IfFree(SocketAddr),
    /// There, or the catalog does not start.
    At(SocketAddr),
}

/// Where the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// To standard error, a line each.
    Stderr,
    /// Nowhere: a catalog inside a test.
    Silent,
}

impl Log {
    pub(crate) fn line(self, text: &str) {
        if self == Self::Stderr {
            // Nobody may be left to read it.
            let _ = writeln!(std::io::stderr(), "catalog-server: {text}");
        }
    }
}
