//! The registries, and in what they differ.

mod consul;
mod development;
mod etcd;
mod memory;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog::{Catalog, Expiry, KeyQuery, Keys, Query, Registration, SessionTerms};

pub(crate) use development::serve_if_told;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MS: Duration = Duration::from_millis(1);

/// Longer than anything takes that is waited for.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Which registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Consul,
    Etcd,
    Development,
}

/// What a registry does otherwise than others. Whatever is not here they do alike.
pub(crate) struct Traits {
    /// What becomes of an instance without heartbeats.
    pub(crate) expired: Expiry,
    /// What becomes of a lock's key when the lock is given back.
    pub(crate) released: Released,
    /// How a lock that is deleted by hand goes on counting its tokens.
    pub(crate) deleted: Tokens,
    /// What it makes of datacenters and distances.
    pub(crate) places: Places,
    /// The least time to live that it knows, of sessions and instances.
    pub(crate) ttl: Duration,
    /// An instance or a session without a sign of life is gone this many times its time to live
    /// later, at the latest.
    pub(crate) patience: u32,
}

/// The key of a lock that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// Stays, perhaps without its value.
    Stays,
    /// Is deleted.
    IsDeleted,
}

/// Queries for another datacenter, or in the order of distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Places {
    /// Datacenters have names and nodes have distances.
    Known,
    /// There is neither, and a query that asks for them is refused.
    Refused,
    /// There is neither, and nobody cares.
    Ignored,
}

/// The tokens of a lock that was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// Go on growing.
    GoOn,
    /// Begin anew.
    BeginAnew,
}

/// How a registry is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its process is stopped: connections are accepted, and nobody answers.
    Frozen,
    /// It is killed, and starts again with nothing in it.
    Emptied,
}

/// A registry that runs, and what can be done to it behind everybody's back.
pub(crate) trait Registry: Send + Sync {
    /// A client of its own, but for memory.
    fn connect(&self) -> Arc<dyn Catalog>;

    /// Somebody else changes an instance's tags.
    fn retag(&self, registration: &Registration, tags: &[&str]);

    /// Somebody writes a key.
    fn set(&self, key: &str, value: &[u8]);

    /// Somebody deletes a key.
    fn unset(&self, key: &str);

    /// Breaks it.
    fn fail(&self, fault: Fault);

    /// Mends it; when this returns it answers again.
    fn mend(&self, fault: Fault);
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Kind::Memory, Kind::Consul, Kind::Etcd, Kind::Development];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Memory => "memory",
            Kind::Consul => "consul",
            Kind::Etcd => "etcd",
            Kind::Development => "development",
        }
    }

    pub(crate) fn start(self) -> Arc<dyn Registry> {
        match self {
            Kind::Memory => Arc::new(memory::Memory::start()),
            Kind::Consul => Arc::new(consul::Consul::start()),
            Kind::Etcd => Arc::new(etcd::Etcd::start()),
            Kind::Development => Arc::new(development::Development::start()),
        }
    }

    pub(crate) fn traits(self) -> Traits {
        match self {
            Kind::Memory => Traits {
                expired: Expiry::Critical,
                released: Released::Stays,
                deleted: Tokens::GoOn,
                places: Places::Ignored,
                ttl: SECOND,
                patience: 1,
            },
            // Instances and locks are keys under leases, and leases remove their keys. Tokens are
            // revisions of the whole store.
            Kind::Etcd => Traits {
                expired: Expiry::Removed,
                released: Released::IsDeleted,
                deleted: Tokens::GoOn,
                places: Places::Refused,
                ttl: SECOND,
                patience: 2,
            },
            // The tokens count how often this key was locked.
            Kind::Consul | Kind::Development => Traits {
                expired: Expiry::Critical,
                released: Released::Stays,
                deleted: Tokens::BeginAnew,
                places: Places::Known,
                ttl: SECOND,
                patience: 2,
            },
        }
    }
}

/// What a behaviour is tried with: a registry and a name that nobody else uses there.
pub(crate) struct Scene {
    pub(crate) traits: Traits,
    pub(crate) registry: Arc<dyn Registry>,
    name: String,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    pub(crate) fn new(kind: Kind, registry: Arc<dyn Registry>, behaviour: &str) -> Scene {
        let name = behaviour.replace([':', '_'], "-");
        Scene { traits: kind.traits(), registry, name, notes: Arc::default() }
    }

    pub(crate) fn notes(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.notes)
    }

    /// Adds to what is printed about this trial.
    pub(crate) fn note(&self, text: String) {
        self.notes.lock().unwrap().push(text);
    }

    pub(crate) fn connect(&self) -> Arc<dyn Catalog> {
        self.registry.connect()
    }

    /// An instance of this scene's service.
    pub(crate) fn registration(&self, number: u16) -> Registration {
        let id = format!("{}-{number}", self.name);
        Registration {
            check_id: format!("service:{id}"),
            id,
            name: self.name.clone(),
            address: "10.1.2.3".to_owned(),
            port: 8000 + number,
            tags: vec!["a".to_owned(), "b".to_owned()],
            meta: BTreeMap::from([("version".to_owned(), "1".to_owned())]),
            ttl: LONG * 4,
            enable_tag_override: false,
            deregister_critical_after: None,
        }
    }

    pub(crate) fn query(&self) -> Query {
        Query {
            service: self.name.clone(),
            tag: None,
            datacenter: None,
            near: None,
            max_staleness: 10 * SECOND,
        }
    }

    /// A key of this scene.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    pub(crate) fn one(&self, name: &str) -> KeyQuery {
        KeyQuery { keys: Keys::One(self.key(name)), datacenter: None, max_staleness: 10 * SECOND }
    }

    pub(crate) fn under(&self, prefix: &str) -> KeyQuery {
        KeyQuery { keys: Keys::Under(self.key(prefix)), ..self.one("") }
    }

    pub(crate) fn terms(&self, ttl: Duration, lock_delay: Duration) -> SessionTerms {
        SessionTerms { name: self.name.clone(), ttl, lock_delay }
    }
}

/// Waits until `look` yields something, and fails with what it said last.
pub(crate) async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let begun = tokio::time::Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if begun.elapsed() > LONG => panic!("{what}: not in {LONG:?}; {seen}"),
            Err(_) => tokio::time::sleep(20 * MS).await,
        }
    }
}
