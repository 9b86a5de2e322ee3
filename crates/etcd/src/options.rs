//! How to reach etcd.

use std::fmt;
use std::time::Duration;

use http_client::Address;

/// How to reach etcd, and as whom.
#[derive(Clone)]
pub struct Options {
    /// Its members; each is asked when those before do not answer. At least one.
    pub endpoints: Vec<Address>,
    /// Folder of the services' keys, `/containerpilot`. Slashes at its end make no difference.
    pub prefix: String,
    /// The user that we are.
    pub username: Option<String>,
    /// Its password; given if and only if there is a user. Never shown.
    pub password: Option<String>,
    /// Deadline of each request; one that waits for a change has its waiting time on top.
    pub timeout: Duration,
}

impl Options {
    /// The usual folder, no user, and the usual deadline of 5 s.
    #[must_use]
    pub fn new(endpoints: Vec<Address>) -> Self {
        Options {
            endpoints,
            prefix: "/containerpilot".to_owned(),
            username: None,
            password: None,
            timeout: Duration::from_secs(5),
        }
    }
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
