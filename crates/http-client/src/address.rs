//! Where a server listens, as users write it.

use std::fmt;
use std::path::PathBuf;

use crate::Tls;

/// Where a server listens.
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
struct Authority<'a>(&'a str, u16);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Authority(host, port) = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}
