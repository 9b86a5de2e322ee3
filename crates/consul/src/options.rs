//! How to reach a Consul agent.

use std::fmt;
use std::time::Duration;

use http_client::Address;

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
