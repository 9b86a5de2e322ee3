//! How to reach a Consul agent.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http_client::Address;

/// How to reach the agent, and as whom.
#[derive(Clone)]
pub struct Options {
    /// Where it listens; further ones are asked when those before do not answer. At least one.
    pub addresses: Vec<Address>,
    /// The ACL token. Never shown.
    pub token: Option<Token>,
    /// The namespace of everything (Consul Enterprise).
    pub namespace: Option<String>,
    /// The admin partition of everything (Consul Enterprise).
    pub partition: Option<String>,
    /// Reads may be answered by any server, if what it knows is not older than this.
    pub max_stale: Option<Duration>,
    /// Deadline of each request; a blocking query has its waiting time on top.
    pub timeout: Duration,
}

impl Options {
    /// No token, and the usual deadline of 5 s.
    #[must_use]
    pub fn new(addresses: Vec<Address>) -> Self {
        Options {
            addresses,
            token: None,
            namespace: None,
            partition: None,
            max_stale: None,
            timeout: Duration::from_secs(5),
        }
    }
}

/// Where the ACL token is.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// Here.
    Value(String),
    /// In this file, which is read again when it changes.
    File(PathBuf),
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("addresses", &self.addresses)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("namespace", &self.namespace)
            .field("partition", &self.partition)
            .field("max_stale", &self.max_stale)
            .field("timeout", &self.timeout)
            .finish()
    }
}
