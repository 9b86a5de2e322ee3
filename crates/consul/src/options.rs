//! How to reach a Consul agent.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http_client::Address;

/// How to reach the agent, and as whom.
#[derive(Clone)]
pub struct Options {
    /// Where it listens, or where several agents of one cluster do. At least one. Requests stay with
    /// one for as long as it can be used; then the next one in the list has its turn.
    pub addresses: Vec<Address>,
    /// The ACL token. Never shown.
    pub token: Option<Token>,
    /// Whom a proxy in front of Consul asks for (HTTP's basic authentication): a name and a password.
    /// Never shown.
    pub login: Option<(String, String)>,
    /// The namespace of everything (Consul Enterprise; others refuse it).
    pub namespace: Option<String>,
    /// The admin partition of everything (Consul Enterprise; others refuse it, but versions before
    /// 1.11 do not know of it and use what they have).
    pub partition: Option<String>,
    /// Reads of instances and keys may be answered by any server that has heard of its leader within
    /// this time; an older answer is asked for again, of the leader. `None`: the leader alone.
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
            login: None,
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
            .field("login", &self.login.as_ref().map(|_| "…"))
            .field("namespace", &self.namespace)
            .field("partition", &self.partition)
            .field("max_stale", &self.max_stale)
            .field("timeout", &self.timeout)
            .finish()
    }
}
