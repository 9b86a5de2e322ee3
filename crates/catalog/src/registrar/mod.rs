//! Keeps instances registered: the handle.
//!
//! The table of what should be is shared between the handles and one task, so a call never
//! blocks and never queues: it changes a row and wakes the task. `table` decides, purely; `task`
//! sends.

mod table;
mod task;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::{Catalog, Registration, Status};
use table::Table;

/// How a deregistration has ended, or a mark ([`Registrar::mark`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deregistration {
    /// The registry does not have the instance any more, or never had it; a mark: nobody sees it as
    /// passing.
    Acknowledged,
    /// It may still have it, or show it as passing; why.
    GaveUp(String),
}

/// Handle to the task that keeps instances registered. The task ends when the last handle is
/// gone and the deregistrations under way have ended.
#[derive(Clone)]
pub struct Registrar {
    handle: Arc<Handle>,
}

/// What the handles and the task share.
struct Shared {
    catalog: Arc<dyn Catalog>,
    table: Mutex<Table>,
    /// The table has changed, or the last handle is gone.
    changed: Notify,
}

/// Its end is the end of the last handle.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.table().close();
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registrar {
    /// Starts the task. Must be called within a tokio runtime.
    #[must_use]
    pub fn spawn(catalog: Arc<dyn Catalog>) -> (Registrar, JoinHandle<()>) {
        let shared = Arc::new(Shared {
            table: Mutex::new(Table::new(catalog.expiry())),
            changed: Notify::new(),
            catalog,
        });
        let task = tokio::spawn(task::run(Arc::clone(&shared)));
        (Registrar { handle: Arc::new(Handle { shared }) }, task)
    }

    /// A check has passed: makes sure that the instance is registered and passing.
    pub fn passing(&self, registration: &Arc<Registration>) {
        self.change(|table| table.passing(registration, Instant::now()));
    }

    /// A check has failed: no heartbeat, and one that has not been sent yet is withdrawn. An
    /// instance that is registered stays so: should the registry lose it, it is put in again as
    /// critical. Where instances that expire are taken out ([`Expiry`](crate::Expiry)), that is their end until a
    /// check passes again.
    pub fn failing(&self, id: &str) {
        self.change(|table| table.failing(id));
    }

    /// Registers the instance with this status before its first check. From then on it counts as
    /// registered, even if the registry has to be waited for.
    pub fn announce(&self, registration: &Arc<Registration>, status: Status) {
        self.change(|table| table.announce(registration, status, Instant::now()));
    }

    /// Whether the registry has acknowledged the instance as it was last asked for, has not lost it
    /// since as far as we know, and nobody is taking it out. Its check may well be failing, and the
    /// registry may not answer at the moment.
    #[must_use]
    pub fn is_registered(&self, id: &str) -> bool {
        self.handle.shared.table().is_registered(id)
    }

    /// Takes the instance out. Counts from this call on, whether or not the future is polled: no
    /// registration or heartbeat for the id follows, unless it is asked for anew. The future
    /// resolves when the registry has acknowledged, has refused, or when `deadline` has passed;
    /// then nothing further is tried.
    pub fn deregister(
        &self,
        id: &str,
        deadline: Duration,
    ) -> impl Future<Output = Deregistration> + Send + use<> {
        let (done, acknowledged) = oneshot::channel();
        let until = Instant::now() + deadline;
        self.change(|table| table.deregister(id, done, until));
        self.outcome(id, acknowledged, until)
    }

    /// Shows an instance as critical, with `output` for a reason, and sends no more heartbeats: it
    /// stays registered, as long as an instance does without heartbeats, and nobody is sent there any
    /// more. That lasts until it is deregistered or [`Registrar::passing`] again. Counts from this call on; the future resolves as that of
    /// [`Registrar::deregister`], also with [`Deregistration::Acknowledged`] if the registry does
    /// not have the instance.
    pub fn mark(
        &self,
        id: &str,
        output: &str,
        deadline: Duration,
    ) -> impl Future<Output = Deregistration> + Send + use<> {
        let (done, acknowledged) = oneshot::channel();
        let until = Instant::now() + deadline;
        self.change(|table| table.mark(id, output, done, until));
        self.outcome(id, acknowledged, until)
    }

    /// What comes of a request that somebody waits for.
    fn outcome(
        &self,
        id: &str,
        acknowledged: oneshot::Receiver<Deregistration>,
        until: Instant,
    ) -> impl Future<Output = Deregistration> + Send + use<> {
        // Whoever stops should not wait for the next probe of an outage.
        self.handle.shared.catalog.reachability().hurry();
        let shared = Arc::clone(&self.handle.shared);
        let id = id.to_owned();
        async move {
            match tokio::time::timeout_at(until, acknowledged).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Deregistration::GaveUp("the registrar has ended".to_owned()),
                Err(_) => {
                    let outage = shared.catalog.reachability().outage();
                    let reason = shared.table().reason(&id).or(outage);
                    Deregistration::GaveUp(table::late(reason.as_deref()))
                }
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        change(&mut self.handle.shared.table());
        self.handle.shared.changed.notify_one();
    }
}
