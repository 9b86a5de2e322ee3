//! What the checks of one job have found, seen from outside: what the machine makes of it must
//! follow from that.

use std::time::Instant;

use config::job::{Health, JobEvent, OnFailure};

use super::super::Verdict;

/// One job's health.
#[derive(Clone, Default)]
pub(super) struct Judged {
    /// What checks have found since what they judge has started: when each began, and the result.
    results: Vec<(Instant, Verdict)>,
    /// What the job is by that, and since when.
    state: Option<(JobEvent, Instant)>,
    /// Its service has left the catalog, and nothing has been checked since then.
    away: bool,
    /// Its service has left the catalog, and its process had been seen to work by then.
    tried: bool,
    /// Its process is replaced for its health.
    recycling: bool,
}

impl Judged {
    /// What the job was said to be last.
    pub(super) fn state(&self) -> Option<JobEvent> {
        self.state.map(|(state, _)| state)
    }

    /// What its last check has found.
    pub(super) fn last(&self) -> Option<Verdict> {
        self.results.last().map(|(_, verdict)| *verdict)
    }

    pub(super) fn is_recycling(&self) -> bool {
        self.recycling
    }

    /// A process has started: what was found about the one before may be of no meaning now.
    pub(super) fn starts(&mut self, health: Option<&Health>) {
        self.recycling = false;
        if health.is_some_and(judges_processes) {
            *self = Judged { away: self.away, ..Judged::default() };
        }
    }

    /// Its service leaves the catalog.
    pub(super) fn leaves(&mut self) {
        self.away = true;
    }

    /// A check begins. After an absence its results are counted anew, so that a single failure does
    /// not keep the service out of the catalog, but nothing may bring it back.
    pub(super) fn is_checked(&mut self, health: &Health, begun: Option<Instant>) {
        if std::mem::take(&mut self.away) && health.failures > 1 {
            self.state = None;
            self.tried |= std::mem::take(&mut self.results).into_iter().any(|(since, verdict)| {
                verdict == Verdict::Passed && begun.is_none_or(|begun| since >= begun)
            });
        }
    }

    /// A check that began then has ended, and counts.
    pub(super) fn found(&mut self, since: Instant, verdict: Verdict) {
        self.results.push((since, verdict));
    }

    /// It turns: as many results as it takes have led to that, and none that does not count.
    pub(super) fn turns(
        &mut self,
        event: JobEvent,
        health: &Health,
        begun: Option<Instant>,
        now: Instant,
    ) {
        assert_ne!(self.state(), Some(event), "it turns to what it is");
        self.state = Some((event, now));
        let (verdict, needed) = match event {
            JobEvent::Healthy => (Verdict::Passed, health.successes),
            _ => (Verdict::Failed, health.failures),
        };
        let begun = begun.filter(|_| judges_processes(health));
        let of_this = |since: &Instant| begun.is_none_or(|begun| *since >= begun);
        let works =
            |(since, found): &(Instant, Verdict)| *found == Verdict::Passed && of_this(since);
        let worked_first = self.results.iter().position(works);
        let counts = |(nth, (since, found)): &(usize, &(Instant, Verdict))| {
            let settled = begun.is_none_or(|begun| *since >= begun + health.start_period);
            let worked = self.tried || worked_first.is_some_and(|first| first < *nth);
            of_this(since) && (*found == Verdict::Passed || settled || worked)
        };
        let counted = self.results.iter().enumerate().filter(counts);
        let in_a_row = counted.rev().take_while(|(_, (_, found))| *found == verdict).count();
        assert!(in_a_row >= needed as usize, "it turns after {in_a_row} of {needed}");
    }

    /// Its process is to be replaced: it has just turned unhealthy.
    pub(super) fn recycles(&mut self, health: &Health, now: Instant) {
        assert_eq!(health.on_failure, OnFailure::Restart);
        assert_eq!(self.state, Some((JobEvent::Unhealthy, now)));
        assert!(!self.recycling, "it is replaced twice");
        self.recycling = true;
    }
}

/// Whether each process is judged by its own results, and by none of the one before.
fn judges_processes(health: &Health) -> bool {
    health.on_failure == OnFailure::Restart || !health.start_period.is_zero()
}
