//! Sends what the table says is due.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Shared;
use super::table::{Job, Verb};
use crate::reachability::Turn;
use crate::{Catalog, Error, Status};

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
    let wanted = &*job.registration;
    match job.verb {
        Verb::Register(status) => catalog.register(wanted, status, "").await.map(|()| true),
        Verb::Heartbeat => catalog.heartbeat(wanted, Status::Passing, "").await.map(|()| true),
        Verb::Deregister => catalog.deregister(wanted).await.map(|()| true),
        Verb::Compare => match catalog.lookup(wanted).await? {
            Some(found) => Ok(found.matches(wanted)),
            None => Err(Error::Unknown),
        },
    }
}
