//! What is registered, what is asked for, and what comes back.

use std::collections::BTreeMap;
use std::time::Duration;

/// One instance of a service, as we want it to stand in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Unique on the agent, by convention `NAME-HOSTNAME`.
    pub id: String,
    /// The service.
    pub name: String,
    /// Id of the check with the time to live.
    pub check_id: String,
    /// Where the instance is reached.
    pub address: String,
    /// Its port; 0 if it has none.
    pub port: u16,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata.
    pub meta: BTreeMap<String, String>,
    /// Without a heartbeat for this long the instance turns critical, or is taken out ([`Expiry`]).
    pub ttl: Duration,
    /// Others may change the tags; we then leave them alone.
    pub enable_tag_override: bool,
    /// Critical for this long: the registry takes it out by itself.
    pub deregister_critical_after: Option<Duration>,
}

/// Health of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Healthy: shown to those who ask for the service.
    Passing,
    /// Doubtful: not shown.
    Warning,
    /// Unhealthy: not shown.
    Critical,
}

impl Status {
    /// The word that catalogs use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Passing => "passing",
            Status::Warning => "warning",
            Status::Critical => "critical",
        }
    }
}

/// What a registry makes of an instance whose time to live is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It stays, as critical.
    Critical,
    /// It is taken out: there are no instances whose checks fail for long.
    Removed,
}

/// What a registry has of an instance, as far as others may have changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The service.
    pub name: String,
    /// Where the instance is reached.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata.
    pub meta: BTreeMap<String, String>,
}

impl Registered {
    /// Whether this is what `wanted` asks for. Tags count only while they are ours alone.
    #[must_use]
    pub fn matches(&self, wanted: &Registration) -> bool {
        self.name == wanted.name
            && self.address == wanted.address
            && self.port == wanted.port
            && self.meta == wanted.meta
            && (wanted.enable_tag_override || self.tags == wanted.tags)
    }
}

/// Which instances a watch follows: the passing ones of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// The service.
    pub service: String,
    /// Only instances with this tag.
    pub tag: Option<String>,
    /// The datacenter; `None`: the agent's own.
    pub datacenter: Option<String>,
    /// Sorted by the distance from this node (Consul; `_agent`: the agent's own); `None`: not.
    pub near: Option<String>,
    /// The longest time that a change may go unnoticed should a notification be lost.
    pub max_staleness: Duration,
}

/// Which keys a watch follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyQuery {
    /// One or many.
    pub keys: Keys,
    /// The datacenter; `None`: the agent's own.
    pub datacenter: Option<String>,
    /// The longest time that a change may go unnoticed should a notification be lost.
    pub max_staleness: Duration,
}

/// One key or many.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keys {
    /// This one.
    One(String),
    /// All that begin with this.
    Under(String),
}

impl Keys {
    /// The key, or the beginning of many.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Keys::One(key) | Keys::Under(key) => key,
        }
    }
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Any bytes.
    pub value: Vec<u8>,
}

/// An instance that somebody has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Unique on its node.
    pub id: String,
    /// The service.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata.
    pub meta: BTreeMap<String, String>,
    /// The node it runs on; empty if the registry has none.
    pub node: String,
}

impl Instance {
    /// What makes an instance another one in the eyes of a watch.
    pub(crate) fn key(&self) -> (&str, &str, u16) {
        (&self.id, &self.address, self.port)
    }
}

/// State of a registry at which an answer was true. It grows with changes, unless the registry
/// starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Index(pub u64);

/// Answer to [`crate::Catalog::entries`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    /// In the order of their keys.
    pub entries: Vec<Entry>,
    /// What to wait for the next change after.
    pub index: Index,
}

/// A claim on locks that ends by itself: Consul's session, etcd's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session(pub String);

/// What a session is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionTerms {
    /// Shown to those who look.
    pub name: String,
    /// Without a renewal for this long the registry may end it; it never ends it before.
    pub ttl: Duration,
    /// When the registry has ended it, its locks are nobody's for this long. A lock that is
    /// released is free at once.
    pub lock_delay: Duration,
}

/// Grows each time that a lock changes hands: whoever guards what the lock is about refuses those
/// who come with a smaller one than it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// By this session.
    pub session: Session,
    /// Since it was acquired.
    pub token: Token,
    /// What the holder has said about itself.
    pub value: Vec<u8>,
}

/// Answer to [`crate::Catalog::holder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// `None`: nobody.
    pub holder: Option<Holder>,
    /// What to wait for the next change after.
    pub index: Index,
}

/// Answer to [`crate::Catalog::instances`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The passing instances.
    pub instances: Vec<Instance>,
    /// What to wait for the next change after.
    pub index: Index,
}
