//! How to reach etcd.

use std::fmt;
use std::time::Duration;

use http_client::Address;

/// How to reach etcd, and as whom.
#[derive(Clone)]
pub struct Options {
    /// Its members; each is asked when those before do not answer. At least one.
    pub endpoints: Vec<Address>,
    /// Folder of all keys, `/containerpilot`.
    pub prefix: String,
    /// The user that we are.
    pub username: Option<String>,
    /// Its password. Never shown.
    pub password: Option<String>,
    /// Deadline of each request.
    pub timeout: Duration,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("timeout", &self.timeout)
            .finish()
    }
}
