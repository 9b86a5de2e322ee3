//! Sessions: what holds locks, for as long as it is renewed and its checks do not fail.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::{Pair, Status, Store, Topic};

/// The longest lock delay; what is asked for beyond is lowered, as in Consul.
const MAX_LOCK_DELAY: Duration = Duration::from_secs(60);
/// How long nobody gets a lock whose holder has ended, unless the session says otherwise.
pub(crate) const LOCK_DELAY: Duration = Duration::from_secs(15);
/// A session lives this many times its TTL after it was renewed: the TTL is a promise to the
/// holder, and the catalog is lenient about it, as Consul is.
const LENIENCE: u32 = 2;

/// A session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Session {
    /// A UUID.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) node: String,
    /// How long nobody gets its locks after it has ended.
    pub(crate) lock_delay: Duration,
    pub(crate) behavior: Behavior,
    /// As the client spelled it.
    pub(crate) ttl: String,
    /// The TTL; zero is for ever.
    pub(crate) lifetime: Duration,
    /// The checks that end it when they turn critical or vanish, as the client sorted them.
    pub(crate) checks: SessionChecks,
    pub(crate) create: u64,
}

/// The ids of the checks that a session depends on, by the field that they were named in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SessionChecks {
    pub(crate) node: Vec<String>,
    pub(crate) service: Vec<String>,
    /// The field of former versions.
    pub(crate) any: Vec<String>,
}

impl SessionChecks {
    fn ids(&self) -> impl Iterator<Item = &String> {
        self.node.iter().chain(&self.service).chain(&self.any)
    }
}

/// What becomes of the keys that a session holds when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// They are unlocked.
    Release,
    /// They are deleted.
    Delete,
}

impl Behavior {
    /// As Consul spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Delete => "delete",
        }
    }
}

/// Why there cannot be such a session; the texts are Consul's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("Missing node registration")]
    Node,
    #[error("Missing check '{0}' registration")]
    Check(String),
    #[error("Check '{0}' is in critical state")]
    Critical(String),
}

/// All sessions, and the keys that nobody gets for a while.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// By id, each with when it ends unless it is renewed.
    by_id: BTreeMap<String, (Session, Option<Instant>)>,
    delays: HashMap<String, Instant>,
}

impl Sessions {
    /// Whether there is a session of that id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// Whether a key is still kept from everybody after its holder's end.
    pub(crate) fn delayed(&self, key: &str, now: Instant) -> bool {
        self.delays.get(key).is_some_and(|until| *until > now)
    }
}

impl Store {
    /// All sessions in the order of their ids.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.by_id.values().map(|(session, _)| session)
    }

    /// A session by its id.
    pub(crate) fn session(&self, id: &str) -> Option<&Session> {
        self.sessions.by_id.get(id).map(|(session, _)| session)
    }

    /// Adds a session, if its node and its checks allow it.
    pub(crate) fn add_session(
        &mut self,
        mut session: Session,
        now: Instant,
    ) -> Result<(), SessionError> {
        self.supports(&session)?;
        self.index += 1;
        session.create = self.index;
        self.touch_session(&session);
        let end = end(&session, now);
        self.sessions.by_id.insert(session.id.clone(), (session, end));
        Ok(())
    }

    /// Lets a session live for its TTL again.
    pub(crate) fn renew_session(&mut self, id: &str, now: Instant) -> Option<&Session> {
        let (session, ends) = self.sessions.by_id.get_mut(id)?;
        *ends = end(session, now);
        Some(session)
    }

    /// Ends a session: its locks are released or deleted, and nobody gets them for its lock delay.
    pub(crate) fn end_session(&mut self, id: &str, now: Instant) {
        let Some((session, _)) = self.sessions.by_id.remove(id) else { return };
        self.index += 1;
        self.touch_session(&session);
        self.topics.retire(&Topic::Session(session.id));
        for key in self.kv.held_by(id) {
            match (session.behavior, self.kv.get(&key)) {
                (Behavior::Release, Some(pair)) => {
                    let released = Pair { session: None, ..pair.clone() };
                    self.kv.set(self.index, &key, released);
                }
                _ => self.kv.delete(self.index, &key),
            }
            let delay = session.lock_delay.min(MAX_LOCK_DELAY);
            if !delay.is_zero() {
                self.sessions.delays.insert(key, now + delay);
            }
        }
        self.kv.keep(self.index);
    }

    /// Ends the sessions that were not renewed in time, and forgets the delays that are over.
    pub(crate) fn expire_sessions(&mut self, now: Instant) {
        let late = self.sessions.by_id.values();
        let late = late.filter(|(_, ends)| ends.is_some_and(|ends| ends <= now));
        let late: Vec<String> = late.map(|(session, _)| session.id.clone()).collect();
        for id in late {
            self.end_session(&id, now);
        }
        self.sessions.delays.retain(|_, until| *until > now);
    }

    /// Ends the sessions of a node that have lost what they depend on.
    pub(super) fn end_sessions(&mut self, node: &str, now: Instant) {
        let lost = self.sessions().filter(|session| session.node == node);
        let lost = lost.filter(|session| self.supports(session).is_err());
        let lost: Vec<String> = lost.map(|session| session.id.clone()).collect();
        for id in lost {
            self.end_session(&id, now);
        }
    }

    /// Keeps a key from everybody for a while: its holder was lost.
    pub(crate) fn delay_lock(&mut self, key: String, until: Instant) {
        self.sessions.delays.insert(key, until);
    }

    /// Whether what a session depends on is there and well.
    fn supports(&self, session: &Session) -> Result<(), SessionError> {
        let node = self.nodes.get(&session.node).ok_or(SessionError::Node)?;
        for id in session.checks.ids() {
            match node.checks.get(id).map(|check| check.status) {
                None => return Err(SessionError::Check(id.clone())),
                Some(Status::Critical) => return Err(SessionError::Critical(id.clone())),
                Some(Status::Passing | Status::Warning) => {}
            }
        }
        Ok(())
    }

    fn touch_session(&mut self, session: &Session) {
        let (node, id) = (session.node.clone(), session.id.clone());
        for topic in [Topic::Sessions, Topic::NodeSessions(node), Topic::Session(id)] {
            self.topics.touch(topic, self.index);
        }
    }
}

fn end(session: &Session, now: Instant) -> Option<Instant> {
    (!session.lifetime.is_zero()).then(|| now + session.lifetime * LENIENCE)
}
