//! Where services are registered and watched.

use std::{fmt, path::PathBuf, time::Duration};

/// Where a Consul agent listens.
pub use crate::place::HttpPlace as ConsulAddress;
use crate::{
    Secret,
    secrets::{Text, masked_debug},
};

/// The registry in use.
#[derive(Clone, Debug, PartialEq)]
pub enum Catalog {
    /// A Consul agent.
    Consul(Consul),
    /// An etcd cluster.
    Etcd(Etcd),
}

/// How to reach the Consul agent.
#[derive(Clone, PartialEq)]
pub struct Consul {
    /// Where it listens; further ones for when the first does not answer. Never empty.
    pub addresses: Vec<ConsulAddress>,
    /// The ACL token.
    pub token: Option<Token>,
    /// The namespace of everything that we register and ask for (Consul Enterprise).
    pub namespace: Option<String>,
    /// The same for the admin partition.
    pub partition: Option<String>,
    /// Reads may be answered by any server, if what it knows is not older than this.
    pub max_stale: Option<Duration>,
}

masked_debug!(Consul { part addresses, part token, text namespace, text partition, part max_stale });

/// Where the ACL token is.
#[derive(Clone, PartialEq)]
pub enum Token {
    /// Here.
    Value(Secret),
    /// In this file, which is read again when it changes.
    File(PathBuf),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(secret) => f.debug_tuple("Value").field(secret).finish(),
            Self::File(path) => f.debug_tuple("File").field(&Text(path)).finish(),
        }
    }
}

/// TLS options of a client. Everything empty: the system's authorities, verified.
#[derive(Clone, Default, PartialEq)]
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

masked_debug!(Tls { text ca_file, text ca_path, text client_cert, text client_key, text server_name, part insecure });

/// How to reach etcd.
#[derive(Clone, PartialEq)]
pub struct Etcd {
    /// URLs of the members, at least one.
    pub endpoints: Vec<String>,
    /// Folder of all keys, `/containerpilot`.
    pub prefix: String,
    /// The user that we are.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// How `https` members are verified and what we present.
    pub tls: Tls,
}

masked_debug!(Etcd { text endpoints, text prefix, text username, part password, part tls });
