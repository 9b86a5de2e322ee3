//! The catalog's data: nodes, their services and checks, the keys, the sessions that lock them, and
//! the events. Plain data structures: no clock, no I/O. Every change takes the next index and
//! touches the topics that it belongs to.

mod events;
mod kv;
mod record;
mod sessions;
mod topics;
mod transaction;

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) use events::{Event, Events};
pub(crate) use kv::{Kv, Pair};
pub(crate) use record::{Check, Node, Service, Status};
use sessions::Sessions;
pub(crate) use sessions::{Behavior, LOCK_DELAY, Session, SessionChecks};
pub(crate) use topics::Topic;
use topics::Topics;
pub(crate) use transaction::{LockError, Transaction};

/// Everything that queries can see.
#[derive(Debug, Default)]
pub(crate) struct Store {
    index: u64,
    nodes: BTreeMap<String, Node>,
    /// Where the instances of a service are: (node, id).
    by_name: BTreeMap<String, BTreeSet<(String, String)>>,
    topics: Topics,
    kv: Kv,
    sessions: Sessions,
    events: Events,
}

impl Store {
    /// The index of the last change anywhere.
    pub(crate) fn last_index(&self) -> u64 {
        self.index.max(1)
    }

    /// Grows with every change of a node, a service, a check or a key.
    pub(crate) fn version(&self) -> (u64, u64) {
        (self.topics.index(&Topic::Everything), self.kv.prefix_index(""))
    }

    /// Notes a change of the catalog that no query shows.
    pub(crate) fn note_change(&mut self) {
        self.index += 1;
        self.touch(Topic::Everything);
    }

    /// Begins with an index and with what was known when it was given out. What has become of it
    /// since is not known, so everything counts as changed.
    pub(crate) fn restore(&mut self, index: u64, keys: Vec<(String, Pair)>) {
        self.index = index;
        self.topics.begin(self.index);
        self.kv.begin(self.index, keys);
    }

    /// Adds a node with what is on it, as it was; what is on it already stays, and so does a node
    /// of that name.
    pub(crate) fn restore_node(&mut self, node: Node) {
        let name = node.name.clone();
        let instances: Vec<_> = node
            .services
            .values()
            .map(|service| (service.name.clone(), service.id.clone()))
            .collect();
        for (service, id) in instances {
            self.by_name.entry(service).or_default().insert((name.clone(), id));
        }
        match self.nodes.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(node);
            }
            Entry::Occupied(mut entry) => {
                let old = entry.get_mut();
                for (id, service) in node.services {
                    old.services.entry(id).or_insert(service);
                }
                for (id, check) in node.checks {
                    old.checks.entry(id).or_insert(check);
                }
            }
        }
    }

    /// When what a query asks for last changed.
    pub(crate) fn index(&self, topic: &Topic) -> u64 {
        match topic {
            Topic::Key(key) => self.kv.key_index(key),
            Topic::Prefix(prefix) => self.kv.prefix_index(prefix),
            topic => self.topics.index(topic),
        }
    }

    /// The bell that rings when the topic changes. [`Store::unsubscribe`] once it is dropped.
    pub(crate) fn subscribe(&mut self, topic: &Topic) -> Rc<Notify> {
        match topic {
            Topic::Key(key) => self.kv.keys.subscribe(key.clone()),
            Topic::Prefix(prefix) => self.kv.prefixes.subscribe(prefix.clone()),
            topic => self.topics.waiters.subscribe(topic.clone()),
        }
    }

    /// Forgets a topic that nobody waits for.
    pub(crate) fn unsubscribe(&mut self, topic: &Topic) {
        match topic {
            Topic::Key(key) => self.kv.keys.tidy(key.as_str()),
            Topic::Prefix(prefix) => self.kv.prefixes.tidy(prefix.as_str()),
            topic => self.topics.waiters.tidy(topic),
        }
    }

    /// Wakes everybody who waits.
    pub(crate) fn ring_all(&self) {
        self.topics.waiters.ring_all();
        self.kv.keys.ring_all();
        self.kv.prefixes.ring_all();
    }

    /// How many topics somebody waits for.
    pub(crate) fn awaited(&self) -> usize {
        self.topics.waiters.len() + self.kv.keys.len() + self.kv.prefixes.len()
    }

    /// The keys.
    pub(crate) fn kv(&self) -> &Kv {
        &self.kv
    }

    /// All nodes by name.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// A node by name.
    pub(crate) fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// Every service's name and its tags over all instances.
    pub(crate) fn service_names(&self) -> impl Iterator<Item = (&str, BTreeSet<&str>)> {
        self.by_name.keys().map(|name| {
            let tags = self.instances(name).flat_map(|(_, service)| &service.tags);
            (name.as_str(), tags.map(String::as_str).collect())
        })
    }

    /// The instances of a service.
    pub(crate) fn instances(&self, name: &str) -> impl Iterator<Item = (&Node, &Service)> {
        self.by_name.get(name).into_iter().flatten().filter_map(|(node, id)| {
            let node = self.nodes.get(node)?;
            Some((node, node.services.get(id)?))
        })
    }

    /// Adds a node or changes its address and meta; its services and checks stay.
    pub(crate) fn set_node(&mut self, mut node: Node) {
        let index = self.index + 1;
        let name = node.name.clone();
        match self.nodes.entry(name.clone()) {
            Entry::Vacant(entry) => {
                (node.create, node.modify) = (index, index);
                entry.insert(node);
            }
            Entry::Occupied(mut entry) => {
                let old = entry.get_mut();
                if old.same(&node) {
                    return;
                }
                (old.id, old.address, old.meta) = (node.id, node.address, node.meta);
                old.tagged_addresses = node.tagged_addresses;
                old.modify = index;
            }
        }
        self.index = index;
        self.touch(Topic::Nodes);
        self.touch_node(&name);
    }

    /// Removes a node with all that is on it; false if there is none of that name.
    pub(crate) fn remove_node(&mut self, name: &str, now: Instant) -> bool {
        let Some(node) = self.nodes.get(name) else { return false };
        let services: Vec<String> = node.services.keys().cloned().collect();
        for id in services {
            self.remove_service(name, &id, now);
        }
        let checks = self.nodes.get(name).into_iter().flat_map(|node| node.checks.keys());
        let checks: Vec<String> = checks.cloned().collect();
        for id in checks {
            self.remove_check(name, &id, now);
        }
        self.index += 1;
        self.nodes.remove(name);
        self.end_sessions(name, now);
        self.touch(Topic::Nodes);
        for topic in [Topic::Node(name.to_owned()), Topic::NodeChecks(name.to_owned())] {
            self.touch(topic.clone());
            self.topics.retire(&topic);
        }
        self.topics.retire(&Topic::NodeSessions(name.to_owned()));
        true
    }

    /// Adds or replaces a service on a node, if that changes anything.
    pub(crate) fn set_service(&mut self, node: &str, mut service: Service) {
        let Some(home) = self.nodes.get_mut(node) else { return };
        let old = home.services.get(&service.id);
        if old.is_some_and(|old| old.same(&service)) {
            return;
        }
        let renamed = old.filter(|old| old.name != service.name).map(|old| old.name.clone());
        let listed = old.is_some_and(|old| old.name == service.name && old.tags == service.tags);
        self.index += 1;
        service.create = old.map_or(self.index, |old| old.create);
        service.modify = self.index;
        let (name, id) = (service.name.clone(), service.id.clone());
        home.services.insert(id.clone(), service);
        if let Some(old_name) = renamed {
            self.unlist(&old_name, node, &id);
        }
        self.by_name.entry(name.clone()).or_default().insert((node.to_owned(), id.clone()));
        if !listed {
            self.touch(Topic::Services);
            self.touch_checks_of(node, &id, &name);
        }
        self.touch(Topic::Node(node.to_owned()));
        self.touch(Topic::Health(name.clone()));
        self.touch(Topic::Service(name));
    }

    /// Removes a service and its checks; false if there is none of that id.
    pub(crate) fn remove_service(&mut self, node: &str, id: &str, now: Instant) -> bool {
        let Some(home) = self.nodes.get_mut(node) else { return false };
        let Some(service) = home.services.remove(id) else { return false };
        self.index += 1;
        let checks: Vec<String> = home.checks_of(id).map(|check| check.id.clone()).collect();
        for check in checks {
            self.take_check(node, &check, Some(&service.name));
        }
        self.touch(Topic::Services);
        self.touch(Topic::Node(node.to_owned()));
        self.unlist(&service.name, node, id);
        self.end_sessions(node, now);
        true
    }

    /// Adds or replaces a check on a node, if that changes anything. Its service must exist.
    pub(crate) fn set_check(&mut self, node: &str, mut check: Check, now: Instant) {
        let Some(home) = self.nodes.get_mut(node) else { return };
        let old = home.checks.get(&check.id);
        if old.is_some_and(|old| old.same(&check)) {
            return;
        }
        self.index += 1;
        check.create = old.map_or(self.index, |old| old.create);
        check.modify = self.index;
        let failed = check.status == Status::Critical;
        let mut states = BTreeSet::from([check.status]);
        states.extend(old.map(|old| old.status));
        let mut services = BTreeSet::from([check.service_id.clone()]);
        services.extend(old.map(|old| old.service_id.clone()));
        home.checks.insert(check.id.clone(), check);
        for id in services {
            let name = self
                .nodes
                .get(node)
                .and_then(|home| home.services.get(&id))
                .map(|s| s.name.clone());
            self.touch_check(node, name.as_deref());
        }
        self.touch_states(states);
        if failed {
            self.end_sessions(node, now);
        }
    }

    /// Sets a check's status and output, if they differ; false if there is no such check.
    pub(crate) fn update_check(
        &mut self,
        node: &str,
        id: &str,
        status: Status,
        output: String,
        now: Instant,
    ) -> bool {
        let Some(check) = self.nodes.get(node).and_then(|home| home.checks.get(id)) else {
            return false;
        };
        self.set_check(node, Check { status, output, ..check.clone() }, now);
        true
    }

    /// Removes a check; false if there is none of that id.
    pub(crate) fn remove_check(&mut self, node: &str, id: &str, now: Instant) -> bool {
        let Some(home) = self.nodes.get(node) else { return false };
        let Some(check) = home.checks.get(id) else { return false };
        let name = home.services.get(&check.service_id).map(|service| service.name.clone());
        self.index += 1;
        self.take_check(node, id, name.as_deref());
        self.end_sessions(node, now);
        true
    }

    fn take_check(&mut self, node: &str, id: &str, service: Option<&str>) {
        let check = self.nodes.get_mut(node).and_then(|home| home.checks.remove(id));
        if let Some(check) = check {
            self.touch_check(node, service);
            self.touch_states(BTreeSet::from([check.status]));
        }
    }

    /// Takes an instance off its service's list; the last one takes the service's topics along.
    fn unlist(&mut self, name: &str, node: &str, id: &str) {
        let topics = [
            Topic::Service(name.to_owned()),
            Topic::Health(name.to_owned()),
            Topic::ServiceChecks(name.to_owned()),
        ];
        for topic in &topics {
            self.touch(topic.clone());
        }
        let Some(instances) = self.by_name.get_mut(name) else { return };
        instances.remove(&(node.to_owned(), id.to_owned()));
        if instances.is_empty() {
            self.by_name.remove(name);
            topics.iter().for_each(|topic| self.topics.retire(topic));
        }
    }

    fn touch(&mut self, topic: Topic) {
        self.topics.touch(topic, self.index);
        self.topics.touch(Topic::Everything, self.index);
    }

    /// A node's own data is part of every answer about its services.
    fn touch_node(&mut self, node: &str) {
        self.touch(Topic::Node(node.to_owned()));
        for name in self.names_on(node) {
            self.touch(Topic::Service(name.clone()));
            self.touch(Topic::Health(name));
        }
    }

    /// A check of one service, or of a node: then it decides about every service on it.
    fn touch_check(&mut self, node: &str, service: Option<&str>) {
        self.touch(Topic::NodeChecks(node.to_owned()));
        match service {
            Some(name) => {
                self.touch(Topic::ServiceChecks(name.to_owned()));
                self.touch(Topic::Health(name.to_owned()));
            }
            None => {
                for name in self.names_on(node) {
                    self.touch(Topic::Health(name));
                }
            }
        }
    }

    /// A service's name and tags are part of every answer about its checks.
    fn touch_checks_of(&mut self, node: &str, id: &str, name: &str) {
        let checks = self.nodes.get(node).into_iter().flat_map(|home| home.checks_of(id));
        let states: BTreeSet<Status> = checks.map(|check| check.status).collect();
        if !states.is_empty() {
            self.touch_check(node, Some(name));
            self.touch_states(states);
        }
    }

    fn touch_states(&mut self, states: BTreeSet<Status>) {
        self.touch(Topic::State("any".to_owned()));
        for state in states {
            self.touch(Topic::State(state.as_str().to_owned()));
        }
    }

    fn names_on(&self, node: &str) -> BTreeSet<String> {
        let services = self.nodes.get(node).into_iter().flat_map(|home| home.services.values());
        services.map(|service| service.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
