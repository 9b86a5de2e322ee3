//! The one state that all requests share. Everything runs on one thread: `RefCell` borrows never
//! outlive a call, and none is held across an await.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::checks::Running;
use crate::definition::plain_service;
use crate::options::Options;
use crate::random;
use crate::state::Saved;
use crate::store::{Check, LOCK_DELAY, Node, Status, Store, Topic};

/// The service and the check that stand for the catalog itself; clients cannot remove them.
pub(crate) const OWN_SERVICE: &str = "consul";
pub(crate) const OWN_CHECK: &str = "serfHealth";

/// The catalog and the agent in front of it.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) store: RefCell<Store>,
    /// This agent's checks by id.
    pub(crate) checks: RefCell<HashMap<String, Running>>,
    pub(crate) options: Options,
    /// The name of this agent's node.
    pub(crate) node: String,
    /// Where this agent listens, `host:port`.
    pub(crate) address: String,
    writes: Cell<u64>,
    blocked: Cell<usize>,
    stopping: Cell<bool>,
}

/// More queries wait than the options allow.
#[derive(Debug, thiserror::Error)]
#[error("Too many blocked queries: {0} wait already")]
pub(crate) struct TooManyBlocked(usize);

impl App {
    /// A catalog with this node and, as in Consul, itself as a service; and with what the last run
    /// has left, but for the checks, which [`App::start_check`] starts.
    pub(crate) fn new(options: Options, address: std::net::SocketAddr, saved: Saved) -> Rc<Self> {
        let Saved { index, agent, mut nodes, keys, locked, .. } = saved;
        let mut store = Store::default();
        store.restore(index, keys);
        for key in locked {
            store.delay_lock(key, Instant::now() + LOCK_DELAY);
        }
        let name = options.node.clone();
        let own = nodes.iter_mut().find(|node| node.name == agent);
        let id = own.map(|own| {
            own.services.remove(OWN_SERVICE);
            own.checks.remove(OWN_CHECK);
            // It may have another name today.
            own.name.clone_from(&name);
            own.id.clone()
        });
        let ip = if address.ip().is_unspecified() {
            "127.0.0.1".to_owned()
        } else {
            address.ip().to_string()
        };
        let node = Node {
            id: id.unwrap_or_else(random::uuid),
            name: name.clone(),
            tagged_addresses: ["lan", "lan_ipv4", "wan", "wan_ipv4"]
                .map(|kind| (kind.to_owned(), ip.clone()))
                .into(),
            address: ip,
            meta: BTreeMap::from([("consul-network-segment".into(), String::new())]),
            ..Node::default()
        };
        store.set_node(node);
        store.set_service(&name, plain_service(OWN_SERVICE, address.port()));
        store.set_check(
            &name,
            Check {
                id: OWN_CHECK.into(),
                name: "Serf Health Status".into(),
                status: Status::Passing,
                notes: String::new(),
                output: "Agent alive and reachable".into(),
                service_id: String::new(),
                kind: "",
                definition: serde_json::Map::new(),
                create: 0,
                modify: 0,
            },
            Instant::now(),
        );
        nodes.into_iter().for_each(|node| store.restore_node(node));
        Rc::new(Self {
            store: RefCell::new(store),
            checks: RefCell::default(),
            node: name,
            address: address.to_string(),
            options,
            writes: Cell::new(0),
            blocked: Cell::new(0),
            stopping: Cell::new(false),
        })
    }

    /// The output of a check of this agent.
    pub(crate) fn output(&self, check: &str) -> String {
        let store = self.store.borrow();
        let node = store.node(&self.node);
        node.and_then(|n| n.checks.get(check)).map(|c| c.output.clone()).unwrap_or_default()
    }

    /// This agent's services with their checks' states, for summaries.
    pub(crate) fn with_node<T>(&self, read: impl FnOnce(&Node) -> T) -> Option<T> {
        self.store.borrow().node(&self.node).map(read)
    }

    /// Returns once the topic has changed after `index`, or `wait` is over. An index that this
    /// catalog has not reached is of another one's life (this one was restarted): its owner is
    /// answered at once, and sees that the index went back.
    pub(crate) async fn changed(
        self: &Rc<Self>,
        topic: &Topic,
        index: u64,
        wait: Duration,
    ) -> Result<(), TooManyBlocked> {
        let unchanged =
            |store: &Store| index > 0 && index <= store.last_index() && store.index(topic) <= index;
        self.wait_while(topic, wait, &unchanged).await
    }

    /// Returns once `seen` is no longer true, which is looked at whenever the topic changes; or
    /// `wait` is over.
    pub(crate) async fn wait_while(
        self: &Rc<Self>,
        topic: &Topic,
        wait: Duration,
        seen: &dyn Fn(&Store) -> bool,
    ) -> Result<(), TooManyBlocked> {
        let must_wait = || !self.stopping.get() && seen(&self.store.borrow());
        if !must_wait() {
            return Ok(());
        }
        let _slot = Slot::take(self)?;
        let deadline = Instant::now() + wait;
        let bell = Some(self.store.borrow_mut().subscribe(topic));
        let seat = Seat { app: Rc::clone(self), topic, bell };
        while let Some(bell) = seat.bell.as_ref().filter(|_| must_wait()) {
            // No change comes between looking and listening: there is one thread and no await.
            if timeout_at(deadline, bell.notified()).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Answers every query that waits, now and from now on: there is nothing to wait for.
    pub(crate) fn stop_waiting(&self) {
        self.stopping.set(true);
        self.store.borrow().ring_all();
    }

    /// Notes that the state file is written.
    pub(crate) fn count_write(&self) {
        self.writes.set(self.writes.get() + 1);
    }

    /// How often the state file was written.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.get()
    }

    /// How many queries wait, and for how many topics.
    pub(crate) fn blocked(&self) -> BTreeMap<&'static str, usize> {
        let awaited = self.store.borrow().awaited();
        BTreeMap::from([("queries", self.blocked.get()), ("topics", awaited)])
    }
}

/// One of the places for blocked queries.
struct Slot(Rc<App>);

impl Slot {
    fn take(app: &Rc<App>) -> Result<Self, TooManyBlocked> {
        let blocked = app.blocked.get();
        if blocked >= app.options.max_blocked {
            return Err(TooManyBlocked(blocked));
        }
        app.blocked.set(blocked + 1);
        Ok(Self(Rc::clone(app)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.blocked.set(self.0.blocked.get().saturating_sub(1));
    }
}

/// Tidies up behind a waiter, also one whose client went away.
struct Seat<'a> {
    app: Rc<App>,
    topic: &'a Topic,
    bell: Option<Rc<Notify>>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.bell = None;
        self.app.store.borrow_mut().unsubscribe(self.topic);
    }
}
