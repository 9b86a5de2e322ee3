//! Watches: what the program observes in the catalog.

use std::time::Duration;

use crate::{job::Trigger, secrets::masked_debug};

/// Index of a watch in [`crate::Config::watches`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub usize);

/// One service whose healthy instances are watched.
#[derive(Clone, PartialEq)]
pub struct Watch {
    /// Name in logs and events; not unique (two tags of one service are two watches).
    pub name: String,
    /// The service's name in the catalog.
    pub service: String,
    /// Only instances with this tag.
    pub tag: Option<String>,
    /// The datacenter; `None`: the agent's own.
    pub datacenter: Option<String>,
    /// The longest time that a change may go unnoticed.
    pub interval: Duration,
    /// When watching begins (2.x: after `preStart`).
    pub after: Trigger,
}

masked_debug!(Watch { text name, text service, text tag, text datacenter, part interval, part after });
