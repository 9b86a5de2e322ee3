//! Watches: what the program observes in the catalog.

use std::{fmt, time::Duration};

use crate::{
    job::Trigger,
    secrets::{Text, masked_debug},
};

/// Index of a watch in [`crate::Config::watches`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub usize);

/// Something in the catalog that is watched.
#[derive(Clone, PartialEq)]
pub struct Watch {
    /// Name in logs and events; not unique (two tags of one service are two watches).
    pub name: String,
    /// What is watched.
    pub subject: Subject,
    /// The datacenter; `None`: the agent's own.
    pub datacenter: Option<String>,
    /// The longest time that a change may go unnoticed.
    pub interval: Duration,
    /// When watching begins (2.x: after `preStart`).
    pub after: Trigger,
}

masked_debug!(Watch { text name, part subject, text datacenter, part interval, part after });

/// What a watch follows.
#[derive(Clone, PartialEq, Eq)]
pub enum Subject {
    /// The healthy instances of a service.
    Service(ServiceQuery),
    /// One key.
    Key(String),
    /// All keys that begin with this.
    Keys(String),
}

/// The healthy instances of a service.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceQuery {
    /// The service's name in the catalog.
    pub service: String,
    /// Only instances with this tag.
    pub tag: Option<String>,
    /// In the order of their distance from this node; `_agent` is the agent's own.
    pub near: Option<String>,
}

masked_debug!(ServiceQuery { text service, text tag, text near });

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(query) => f.debug_tuple("Service").field(query).finish(),
            Self::Key(key) => f.debug_tuple("Key").field(&Text(key)).finish(),
            Self::Keys(prefix) => f.debug_tuple("Keys").field(&Text(prefix)).finish(),
        }
    }
}
