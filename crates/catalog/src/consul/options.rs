//! How to reach a Consul agent.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How to reach the agent, and as whom.
#[derive(Clone)]
pub struct Options {
    /// Where it listens.
    pub address: Address,
    /// The ACL token. Never shown.
    pub token: Option<String>,
    /// Deadline of each request; a blocking query has its waiting time on top.
    pub timeout: Duration,
}

impl Options {
    /// No token, and the usual deadline of 5 s.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Options { address, token: None, timeout: Duration::from_secs(5) }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("address", &self.address)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Where an agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Plain HTTP.
    Http {
        /// Name or address; an IPv6 address without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// HTTP over TLS.
    Https {
        /// Name or address; an IPv6 address without brackets.
        host: String,
        /// Port.
        port: u16,
        /// How the peer is verified and what we present.
        tls: Tls,
    },
    /// HTTP over a unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Http { host, port } => write!(f, "http://{}", Authority(host, *port)),
            Address::Https { host, port, .. } => write!(f, "https://{}", Authority(host, *port)),
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) struct Authority<'a>(pub(crate) &'a str, pub(crate) u16);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Authority(host, port) = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// TLS options of a client. Everything empty: the system's authorities, verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// File with the authorities' certificates (PEM).
    pub ca_file: Option<PathBuf>,
    /// Folder of such files.
    pub ca_path: Option<PathBuf>,
    /// Our certificate (PEM).
    pub client_cert: Option<PathBuf>,
    /// Its key (PEM).
    pub client_key: Option<PathBuf>,
    /// The name that the peer's certificate must have, instead of the host's.
    pub server_name: Option<String>,
    /// Do not verify the peer's certificate.
    pub insecure: bool,
}

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file or folder cannot be read.
    #[error("{what} {}: {source}", .path.display())]
    Read {
        /// What it should hold.
        what: &'static str,
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{what} {}: {reason}", .path.display())]
    Content {
        /// What it should hold.
        what: &'static str,
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An option does not make sense.
    #[error("{0}")]
    Option(String),
}
