//! Sends what the table says is due.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Shared;
use super::table::{Job, Verb};
use crate::reachability::Turn;
use crate::{Catalog, Error, Operation, Status};

pub(super) async fn run(shared: Arc<Shared>) {
    let reachability = shared.catalog.reachability().clone();
    let mut recoveries = reachability.recoveries();
    let mut requests = JoinSet::new();
    loop {
        let plan = {
            let table = shared.table();
            if table.is_finished() {
                return;
            }
            table.plan(Instant::now())
        };
        // Any time does for a timer that is switched off.
        let wake = plan.wake.unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            Some(_) = requests.join_next() => {}
            Ok(()) = recoveries.changed() => shared.table().recovered(Instant::now()),
            () = shared.changed.notified() => {}
            turn = reachability.turn(), if plan.ready => {
                // Facts may have changed while the turn was waited for.
                let job = shared.table().take(Instant::now());
                if let Some(job) = job {
                    requests.spawn(send(Arc::clone(&shared), turn, job));
                }
            }
            () = tokio::time::sleep_until(wake), if plan.wake.is_some() => {
                let outage = reachability.outage();
                shared.table().expire(Instant::now(), outage.as_deref());
            }
        }
    }
}

async fn send(shared: Arc<Shared>, turn: Turn, job: Job) {
    let outcome = perform(&*shared.catalog, &job).await;
    log::trace!("{}: {:?}: {outcome:?}", job.id, job.verb);
    turn.report(&outcome);
    shared.table().done(&job, outcome, Instant::now());
}

async fn perform(catalog: &dyn Catalog, job: &Job) -> Result<bool, Error> {
    let (wanted, reachability) = (&*job.registration, catalog.reachability());
    let output = job.output.as_deref().unwrap_or_default();
    let (operation, request) = match job.verb {
        Verb::Register(status) => (Operation::Register, catalog.register(wanted, status, output)),
        Verb::Heartbeat => (Operation::Heartbeat, catalog.heartbeat(wanted, Status::Passing, "")),
        Verb::Mark => (Operation::Heartbeat, catalog.heartbeat(wanted, Status::Critical, output)),
        Verb::Deregister => (Operation::Deregister, catalog.deregister(wanted)),
        Verb::Compare => {
            let request = catalog.lookup(wanted);
            return match reachability.observed(Operation::Lookup, request).await? {
                Some(found) => Ok(found.matches(wanted)),
                None => Err(Error::Unknown),
            };
        }
    };
    reachability.observed(operation, request).await.map(|()| true)
}
