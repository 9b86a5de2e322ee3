//! Follows what one query finds, whatever goes wrong meanwhile: what watches and surveys share.

mod bounds;
mod pace;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Answer, Catalog, Class, Error, Index, Operation};
pub(crate) use bounds::{Bounds, UNASKED};
use pace::{Cuts, Pace, Trouble};

/// Bounds of the time that a blocking query hangs. Below, an idle query would cost something;
/// above, a connection that died without a word would be noticed too late.
const WAIT: std::ops::RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(60);

/// Reads of one among many that may be cut off before that is an outage.
const FORGIVEN: u32 = 3;

/// One query, and where its answers go.
pub(crate) trait Source: Send + Sync {
    /// For the log.
    fn name(&self) -> &dyn Display;

    /// What a read counts as.
    fn operation(&self, after: Option<Index>) -> Operation;

    /// Reads, and passes on what has changed. `None`: the registry cannot wait for a change of that.
    fn ask<'a>(
        &'a self,
        catalog: &'a dyn Catalog,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Option<Index>>;

    /// How many such queries may be under way; `None`: this one always may.
    fn bounds(&self) -> Option<&Bounds> {
        None
    }

    /// The registry has answered, be it with what was known.
    fn answered(&self) {}

    /// The registry answers with this, and not for a moment only. Called each time that it does.
    fn troubled(&self, error: &Error);

    /// There is an answer again.
    fn recovered(&self);
}

/// How long a query hangs if a lost notification may go unnoticed for so long.
pub(crate) fn wait(max_staleness: Duration) -> Duration {
    max_staleness.clamp(*WAIT.start(), *WAIT.end())
}

/// Asks for ever: at once, and then by queries that wait for a change.
pub(crate) async fn follow(catalog: Arc<dyn Catalog>, source: impl Source, wait: Duration) {
    let mut recoveries = catalog.reachability().recoveries();
    let mut pace = Pace::new();
    let mut trouble = Trouble::default();
    let mut cuts = Cuts::default();
    // Reads in a row that were cut off.
    let mut refused = 0;
    let mut after: Option<Index> = None;
    loop {
        pace.pause().await;
        // Before the turn: who has one during an outage must not wait for others.
        let permit = match source.bounds() {
            None => None,
            Some(bounds) => match bounds.permit(after).await {
                None => {
                    // Boxed: few come here, and each query would keep the room for it.
                    if !Box::pin(bounds.more(&mut recoveries)).await {
                        after = None;
                    }
                    continue;
                }
                permit => permit,
            },
        };
        let turn = catalog.reachability().turn().await;
        // A probe must not hang on for a change: everybody waits for what comes of it. And an outage
        // that came and went since the last answer: the registry may be another one, which has come
        // as far as that index, or not yet, and would be silent about what is new there.
        let is_over = recoveries.has_changed().unwrap_or(true);
        if turn.is_probe() || is_over {
            after = None;
        }
        if is_over {
            // What the outage has cost must not make us late for what is new after it.
            pace = Pace::new();
        }
        recoveries.mark_unchanged();
        let operation = source.operation(after);
        let sent = Instant::now();
        let wait = source.bounds().map_or(wait, |bounds| bounds.wait(wait));
        let request = source.ask(&*catalog, after, wait);
        let outcome = tokio::select! {
            outcome = catalog.reachability().observed(operation, request) => outcome,
            // Whatever this query hangs on may have died in the outage.
            _ = recoveries.changed() => {
                (after, pace) = (None, Pace::new());
                continue;
            }
        };
        drop(permit);
        match outcome {
            Ok(index) => {
                turn.report(&Ok::<(), Error>(()));
                drop(turn);
                source.answered();
                if trouble.over() {
                    source.recovered();
                }
                refused = 0;
                if after.is_some() {
                    cuts.over();
                }
                let Some(index) = index else {
                    let _ = tokio::time::timeout(wait, recoveries.changed()).await;
                    continue;
                };
                // An index that goes backwards: the registry has started anew.
                after = match after {
                    Some(previous) if index < previous => None,
                    _ => Some(index),
                };
            }
            // A connection that sat idle may be cut by anything on the way. That is no outage
            // yet: an immediate read decides.
            Err(error) if after.is_some() && error.class() == Class::Outage => {
                log::debug!("{}: {error}", source.name());
                after = None;
                drop(turn);
                tokio::time::sleep(cuts.pause(sent.elapsed())).await;
            }
            // Where there are many, a registry may take no more connections for a moment.
            Err(error @ Error::Interrupted(_))
                if source.bounds().is_some() && !turn.is_probe() && refused < FORGIVEN =>
            {
                log::debug!("{}: {error}", source.name());
                refused += 1;
                drop(turn);
                tokio::time::sleep(pace::RETRY.pause(refused)).await;
            }
            Err(error) => {
                after = None;
                let class = turn.report(&Err::<(), Error>(error.clone()));
                drop(turn);
                if class != Some(Class::Outage) {
                    let (pause, lasting) = trouble.failed(&error);
                    if lasting {
                        source.troubled(&error);
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}
