//! What a query can wait for, when each of it last changed, and who waits.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use tokio::sync::Notify;

/// A part of the catalog with an index of its own: a blocked query is woken by changes of its
/// topic alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// All nodes, services and checks.
    Everything,
    /// The list of nodes.
    Nodes,
    /// A node and the services on it.
    Node(String),
    /// The checks on a node.
    NodeChecks(String),
    /// The names of all services and their tags.
    Services,
    /// The instances of a service.
    Service(String),
    /// The instances of a service and every check that decides about them.
    Health(String),
    /// A service's own checks.
    ServiceChecks(String),
    /// The checks in a state, or in `any`.
    State(String),
    /// The list of sessions.
    Sessions,
    /// The sessions of a node.
    NodeSessions(String),
    /// A session by its id.
    Session(String),
    /// The events that were fired.
    Events,
    /// A key.
    Key(String),
    /// The keys that begin so.
    Prefix(String),
}

/// Who waits for what; an entry lives as long as somebody waits.
#[derive(Debug)]
pub(crate) struct Waiters<K>(HashMap<K, Rc<Notify>>);

impl<K> Default for Waiters<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq> Waiters<K> {
    /// The bell that rings when `key` changes.
    pub(crate) fn subscribe(&mut self, key: K) -> Rc<Notify> {
        Rc::clone(self.0.entry(key).or_default())
    }

    /// To be called when a waiter has dropped its bell: the last one turns off the light.
    pub(crate) fn tidy<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        if self.0.get(key).is_some_and(|bell| Rc::strong_count(bell) == 1) {
            self.0.remove(key);
        }
    }

    /// Wakes those who wait for `key`.
    pub(crate) fn ring<Q: Hash + Eq + ?Sized>(&self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        if let Some(bell) = self.0.get(key) {
            bell.notify_waiters();
        }
    }

    /// Wakes everybody.
    pub(crate) fn ring_all(&self) {
        self.0.values().for_each(|bell| bell.notify_waiters());
    }

    /// How many keys somebody waits for.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The index of each topic of the catalog proper (keys keep their own).
#[derive(Debug, Default)]
pub(crate) struct Topics {
    changed: HashMap<Topic, u64>,
    /// The last change of any topic that was retired: what is gone, or never was, is as old as
    /// this, so that an index never goes back without remembering every name that ever was.
    floor: u64,
    pub(crate) waiters: Waiters<Topic>,
}

impl Topics {
    /// When the topic last changed; at least 1.
    pub(crate) fn index(&self, topic: &Topic) -> u64 {
        self.changed.get(topic).copied().unwrap_or(self.floor).max(1)
    }

    /// Everything is as old as `index`.
    pub(crate) fn begin(&mut self, index: u64) {
        self.changed.clear();
        self.floor = index;
    }

    /// Notes a change and wakes those who wait for it.
    pub(crate) fn touch(&mut self, topic: Topic, index: u64) {
        self.waiters.ring(&topic);
        self.changed.insert(topic, index);
    }

    /// Forgets a topic that nothing belongs to any more.
    pub(crate) fn retire(&mut self, topic: &Topic) {
        if let Some(index) = self.changed.remove(topic) {
            self.floor = self.floor.max(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_never_goes_back() {
        let mut topics = Topics::default();
        let web = Topic::Service("web".into());
        assert_eq!(topics.index(&web), 1);
        topics.touch(web.clone(), 7);
        topics.touch(Topic::Services, 8);
        assert_eq!((topics.index(&web), topics.index(&Topic::Services)), (7, 8));
        topics.retire(&web);
        assert_eq!(topics.index(&web), 7);
        topics.touch(web.clone(), 9);
        assert_eq!(topics.index(&web), 9);
    }

    #[test]
    fn an_entry_goes_with_its_last_waiter() {
        let mut waiters = Waiters::<String>::default();
        let (one, two) = (waiters.subscribe("a".into()), waiters.subscribe("a".into()));
        drop(one);
        waiters.tidy("a");
        assert_eq!(waiters.len(), 1);
        drop(two);
        waiters.tidy("a");
        assert_eq!(waiters.len(), 0);
    }
}
