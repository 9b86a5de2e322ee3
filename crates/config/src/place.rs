//! Where catalogs and checks are asked.

use std::{fmt, path::PathBuf};

use crate::{catalog::Tls, secrets::Text};

/// Where HTTP is spoken.
#[derive(Clone, PartialEq)]
pub enum HttpPlace {
    /// `http://`
    Http {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// `https://`
    Https {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// How the peer is verified and what we present.
        tls: Tls,
    },
    /// `unix:///path/of/socket`: a socket in the file system
    Unix(PathBuf),
}

impl fmt::Debug for HttpPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { host, port } => {
                f.debug_struct("Http").field("host", &Text(host)).field("port", port).finish()
            }
            Self::Https { host, port, tls } => f
                .debug_struct("Https")
                .field("host", &Text(host))
                .field("port", port)
                .field("tls", tls)
                .finish(),
            Self::Unix(path) => f.debug_tuple("Unix").field(&Text(path)).finish(),
        }
    }
}
