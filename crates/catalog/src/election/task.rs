//! Sends what the candidate says is due.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use super::Shared;
use super::candidate::{Due, Plan, Reply, Request};
use super::clock::Moment;
use crate::reachability::{Reachability, Turn};
use crate::{Answer, Class, Error, Holding, Operation};

/// Bounds of the time that a look at the lock waits for a change. It is the session's time to live in
/// between: who looks at a connection that died without a word need not know earlier.
const WAIT: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(30);

pub(super) async fn run(shared: Arc<Shared>) {
    let reachability = shared.catalog.reachability().clone();
    let mut requests = JoinSet::new();
    let mut look: Option<AbortHandle> = None;
    // Since the look before.
    let mut recoveries = reachability.recoveries();
    let mut end = None;
    loop {
        let plan = {
            let mut candidate = shared.candidate();
            let now = shared.clock.now();
            candidate.settle(now);
            shared.publish(&candidate, now);
            if shared.news.borrow().is_over {
                let end = *end.get_or_insert(now + shared.terms.ttl);
                if candidate.is_out() || now >= end {
                    return;
                }
            }
            candidate.plan(now)
        };
        let wake = plan.wake.into_iter().chain(end).min();
        tokio::select! {
            biased;
            () = shared.wished.notified() => {}
            turn = turn(&reachability, plan), if plan.due != Due::Nothing => {
                // Things may have changed while the turn was waited for.
                let request = shared.candidate().take(shared.clock.now());
                let Some(request) = request else { continue };
                let looks = matches!(request, Request::Look(..));
                // An index from before an outage: the registry may be another one, that has come as
                // far or not, and would be silent about who holds the lock there.
                let request = match request {
                    Request::Look(_, round) if recoveries.has_changed().unwrap_or(true) => {
                        Request::Look(None, round)
                    }
                    request => request,
                };
                if looks {
                    recoveries.mark_unchanged();
                }
                let sent = requests.spawn(send(Arc::clone(&shared), turn, request));
                if looks && let Some(old) = look.replace(sent) {
                    // Of a round that is over.
                    old.abort();
                }
            }
            Some(answered) = requests.join_next() => {
                if let Ok((reply, sent)) = answered {
                    shared.candidate().done(reply, sent, shared.clock.now());
                }
            }
            () = until(&shared, wake) => {}
        }
    }
}

async fn turn(reachability: &Reachability, plan: Plan) -> Turn {
    match plan.due {
        Due::AtOnce => reachability.turn_at_once(),
        Due::InTurn | Due::Nothing => reachability.turn().await,
    }
}

async fn until(shared: &Shared, wake: Option<Moment>) {
    match wake {
        Some(wake) => shared.clock.until(wake).await,
        None => std::future::pending().await,
    }
}

/// What came back, and when it was asked for.
async fn send(shared: Arc<Shared>, turn: Turn, request: Request) -> (Reply, Moment) {
    let (catalog, terms) = (&*shared.catalog, &shared.terms);
    // Not later than the registry can have heard of it.
    let sent = shared.clock.now();
    log::trace!("election {}: {request:?}", shared.name);
    let reply = match request {
        Request::Open => Reply::Opened(ask(&turn, &shared, catalog.open_session(terms)).await),
        Request::Renew(session) => {
            let outcome = ask(&turn, &shared, catalog.renew_session(&session)).await;
            Reply::Renewed(session, outcome)
        }
        Request::Acquire(session) => {
            let request = catalog.acquire(&shared.key, &session, terms, &shared.value);
            let outcome = ask(&turn, &shared, request).await;
            Reply::Acquired(session, outcome)
        }
        Request::Close(session) => {
            let outcome = ask(&turn, &shared, catalog.close_session(&session)).await;
            Reply::Closed(session, outcome)
        }
        Request::Look(after, round) => {
            // Everybody waits for what comes of a probe: it must not hang on for a change.
            let after = after.filter(|_| !turn.is_probe());
            let wait = terms.ttl.clamp(*WAIT.start(), *WAIT.end());
            let request = catalog.holder(&shared.key, after, wait);
            let outcome = match after {
                None => ask(&turn, &shared, request).await,
                Some(_) => change(&turn, &shared, request).await,
            };
            Reply::Seen(after, round, outcome)
        }
    };
    log::trace!("election {}: {reply:?}", shared.name);
    (reply, sent)
}

async fn ask<T>(turn: &Turn, shared: &Shared, request: Answer<'_, T>) -> Result<T, Error> {
    let outcome = shared.catalog.reachability().observed(Operation::Lock, request).await;
    turn.report(&outcome);
    outcome
}

/// Waits for a change.
async fn change(
    turn: &Turn,
    shared: &Shared,
    request: Answer<'_, Holding>,
) -> Result<Holding, Error> {
    let reachability = shared.catalog.reachability();
    let mut recoveries = reachability.recoveries();
    tokio::select! {
        outcome = reachability.observed(Operation::Wait, request) => {
            // A broken connection is no outage yet: an immediate look decides.
            if !outcome.as_ref().is_err_and(|error| error.class() == Class::Outage) {
                turn.report(&outcome);
            }
            outcome
        }
        // Whatever this hangs on may have died in the outage.
        _ = recoveries.changed() => Err(Error::Interrupted("there was an outage".to_owned())),
    }
}
