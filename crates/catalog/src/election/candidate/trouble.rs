//! Errors that are no outage: how long to wait, and what the log is told.

use std::time::Duration;

use crate::{Backoff, Class, Error};

/// After an error that is no outage. In an outage everybody waits by way of the reachability.
const RETRY: Backoff =
    Backoff { min: Duration::from_millis(200), max: Duration::from_secs(5), jitter: 0.5 };

/// Longest pause after an error that may pass, such as that of a cluster which elects a leader of
/// its own: who pauses does not see that ours resigns.
const SOON: Duration = Duration::from_secs(1);

/// Failures in a row that are worth no line in the log.
const PATIENCE: u32 = 5;

/// What a candidate asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Open,
    Renew,
    Acquire,
    Close,
    Look,
}

/// Errors of each step: one that succeeds says nothing about the others.
#[derive(Default)]
pub(super) struct Troubles([Trouble; 5]);

/// Errors of one step in a row.
#[derive(Default)]
struct Trouble {
    failures: u32,
    told: bool,
}

impl Step {
    fn as_str(self) -> &'static str {
        match self {
            Step::Open => "opening a session",
            Step::Renew => "renewing the session",
            Step::Acquire => "taking the lock",
            Step::Close => "closing the session",
            Step::Look => "looking at the lock",
        }
    }
}

impl Troubles {
    /// How long to wait before the next attempt.
    pub(super) fn pause(&mut self, step: Step, name: &str, error: &Error) -> Duration {
        if error.class() == Class::Outage {
            return RETRY.pause(1);
        }
        let trouble = self.of(step);
        trouble.failures = trouble.failures.saturating_add(1);
        // What fails may pass; what is refused now stays refused.
        let refused = error.class() == Class::GiveUp;
        if (refused || trouble.failures > PATIENCE) && !trouble.told {
            trouble.told = true;
            log::warn!("election {name}: {}: {error}", step.as_str());
        }
        let longest = if refused { RETRY.max } else { SOON };
        Backoff { max: longest, ..RETRY }.pause(trouble.failures)
    }

    pub(super) fn over(&mut self, step: Step, name: &str) {
        if std::mem::take(self.of(step)).told {
            log::info!("election {name}: {} works again", step.as_str());
        }
    }

    fn of(&mut self, step: Step) -> &mut Trouble {
        let Troubles([open, renew, acquire, close, look]) = self;
        match step {
            Step::Open => open,
            Step::Renew => renew,
            Step::Acquire => acquire,
            Step::Close => close,
            Step::Look => look,
        }
    }
}
