//! The agent's checks: waiting for heartbeats, making requests, and removing services that have
//! been critical for too long. Each check is a task; dropping its [`Running`] ends it.

mod grpc;
mod probe;
mod script;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::app::{App, OWN_CHECK, OWN_SERVICE};
use crate::definition::{CheckDefinition, Pace, Probe};
use crate::random;
use crate::store::{Check, Status};

/// A check at work.
#[derive(Debug)]
pub(crate) struct Running {
    /// A TTL check's time to live, and when it expires.
    ttl: Option<(Duration, Rc<Cell<Instant>>)>,
    deregister_after: Duration,
    service_id: String,
    critical_since: Cell<Option<Instant>>,
    name: String,
    /// As it was sent, in JSON.
    source: String,
    task: JoinHandle<()>,
}

impl Running {
    /// What it takes to start it again.
    pub(crate) fn saved(&self, id: &str) -> Value {
        let definition: Value = serde_json::from_str(&self.source).unwrap_or_default();
        json!({ "CheckID": id, "Name": self.name, "ServiceID": self.service_id,
            "Definition": definition })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A heartbeat for a check that takes none; the text is Consul's.
#[derive(Debug, thiserror::Error)]
#[error("CheckID {0:?} does not have associated TTL")]
pub(crate) struct NoTtl(String);

impl App {
    /// Registers a check with this agent and starts it. If there was one of that id, the new one
    /// takes over its state: registering again is no change of health.
    pub(crate) fn start_check(self: &Rc<Self>, definition: CheckDefinition) {
        let CheckDefinition { id, probe, thresholds, name: title, source, .. } = definition;
        let known = self.store.borrow().node(&self.node).and_then(|n| n.checks.get(&id).cloned());
        let (status, output) =
            known.map_or((definition.status, String::new()), |old| (old.status, old.output));
        let check = Check {
            id: id.clone(),
            name: title.clone(),
            status,
            notes: definition.notes,
            output,
            service_id: definition.service_id.clone(),
            kind: probe.kind(),
            definition: serde_json::Map::new(),
            create: 0,
            modify: 0,
        };
        self.store.borrow_mut().set_check(&self.node, check, Instant::now());
        let app = Rc::clone(self);
        let name = id.clone();
        let (ttl, task) = match probe {
            Probe::Ttl(ttl) => {
                let expiry = Rc::new(Cell::new(Instant::now() + ttl));
                let task = spawn_local(expire(app, name, Rc::clone(&expiry), ttl));
                (Some((ttl, expiry)), task)
            }
            Probe::Http(_, pace)
            | Probe::Tcp(_, pace)
            | Probe::Grpc(_, pace)
            | Probe::Script(_, pace) => {
                (None, spawn_local(repeat(app, name, probe, pace, thresholds)))
            }
        };
        let deregister_after = match definition.deregister_after {
            Duration::ZERO => Duration::ZERO,
            after => after.max(self.options.min_deregister),
        };
        let critical_since = Cell::new(None);
        let service_id = definition.service_id;
        let running = Running {
            ttl,
            deregister_after,
            service_id,
            critical_since,
            name: title,
            source,
            task,
        };
        let source = running.source.clone();
        let old = self.checks.borrow_mut().insert(id, running);
        if old.is_some_and(|old| old.source != source) {
            self.store.borrow_mut().note_change();
        }
    }

    /// A client's word about a TTL check, which also keeps it alive.
    pub(crate) fn heartbeat(&self, id: &str, status: Status, output: String) -> Result<(), NoTtl> {
        {
            let checks = self.checks.borrow();
            let ttl = checks.get(id).and_then(|running| running.ttl.as_ref());
            let (ttl, expiry) = ttl.ok_or_else(|| NoTtl(id.to_owned()))?;
            expiry.set(Instant::now() + *ttl);
        }
        self.report(id, status, output);
        Ok(())
    }

    /// The result of a check of this agent.
    fn report(&self, id: &str, status: Status, output: String) {
        if let Some(running) = self.checks.borrow().get(id) {
            let since = running.critical_since.get().unwrap_or_else(Instant::now);
            running.critical_since.set((status == Status::Critical).then_some(since));
        }
        let now = Instant::now();
        self.store.borrow_mut().update_check(&self.node, id, status, output, now);
    }

    /// Removes a check of this agent; false if there is none.
    pub(crate) fn stop_check(&self, id: &str) -> bool {
        self.checks.borrow_mut().remove(id);
        id != OWN_CHECK && self.store.borrow_mut().remove_check(&self.node, id, Instant::now())
    }

    /// Removes a service of this agent and its checks; false if there is none.
    pub(crate) fn stop_service(&self, id: &str) -> bool {
        self.checks.borrow_mut().retain(|_, running| running.service_id != id);
        id != OWN_SERVICE && self.store.borrow_mut().remove_service(&self.node, id, Instant::now())
    }

    /// Removes services that have been critical for longer than their checks allow, and sessions
    /// that were not renewed, for ever.
    pub(crate) async fn reap(self: Rc<Self>) {
        let every = (self.options.min_deregister.min(self.options.min_session_ttl) / 10)
            .clamp(Duration::from_millis(20), Duration::from_secs(1));
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            self.store.borrow_mut().expire_sessions(Instant::now());
            for (check, service) in self.overdue() {
                if self.stop_service(&service) {
                    let log = &self.options.log;
                    log.line(&format!("check {check} critical too long: removed {service}"));
                }
            }
        }
    }

    /// The checks that have been critical for too long, and their services.
    fn overdue(&self) -> Vec<(String, String)> {
        let checks = self.checks.borrow();
        let late = checks.iter().filter(|(_, running)| {
            !running.deregister_after.is_zero()
                && !running.service_id.is_empty()
                && running
                    .critical_since
                    .get()
                    .is_some_and(|t| t.elapsed() > running.deregister_after)
        });
        late.map(|(id, running)| (id.clone(), running.service_id.clone())).collect()
    }
}

/// Turns a TTL check critical whenever its time is up.
async fn expire(app: Rc<App>, id: String, expiry: Rc<Cell<Instant>>, ttl: Duration) {
    loop {
        let at = expiry.get();
        sleep_until(at).await;
        // A heartbeat moves the expiry without waking this task.
        if expiry.get() > at {
            continue;
        }
        let last = app.output(&id);
        let output = match last.as_str() {
            "" => "TTL expired".to_owned(),
            last if last.starts_with("TTL expired") => last.to_owned(),
            last => format!("TTL expired (last output before timeout follows): {last}"),
        };
        app.report(&id, Status::Critical, output);
        expiry.set(Instant::now() + ttl);
    }
}

/// Makes a check at its pace; the state changes once enough results in a row agree.
async fn repeat(app: Rc<App>, id: String, probe: Probe, pace: Pace, thresholds: (u32, u32)) {
    let every = pace.interval.max(app.options.min_interval);
    let maker = probe::Maker::new(&probe, pace);
    let (mut good, mut bad) = (0_u32, 0_u32);
    loop {
        let (status, output) = maker.make().await;
        if status == Status::Critical {
            (good, bad) = (0, bad.saturating_add(1));
        } else {
            (good, bad) = (good.saturating_add(1), 0);
        }
        if good >= thresholds.0 || bad >= thresholds.1 {
            app.report(&id, status, output);
        }
        // Checks registered together do not stay together.
        sleep(every + random::up_to(every / 32)).await;
    }
}
