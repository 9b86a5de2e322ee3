//! Waiting for changes to come to rest.

use tokio::time::Instant;

use crate::Wait;

/// When a text that goes on changing is to be rendered: `min` after its last change, but at the
/// latest `max` after its first. Pure: the clock is a parameter.
#[derive(Debug)]
pub(crate) struct Quiescence {
    wait: Option<Wait>,
    changes: Option<Changes>,
}

#[derive(Debug)]
struct Changes {
    first: Instant,
    last: Instant,
}

impl Quiescence {
    /// Nothing has changed yet. Without `wait`, every change is due at once.
    pub(crate) fn new(wait: Option<Wait>) -> Quiescence {
        Quiescence { wait, changes: None }
    }

    /// The text has changed.
    pub(crate) fn changed(&mut self, now: Instant) {
        let first = self.changes.as_ref().map_or(now, |changes| changes.first);
        self.changes = Some(Changes { first, last: now });
    }

    /// What was changed is dealt with, or is again what it was.
    pub(crate) fn rest(&mut self) {
        self.changes = None;
    }

    /// When to render; `None`: nothing has changed. A time that no clock will show is never
    /// reached, which is what so long a wait asks for.
    pub(crate) fn due(&self) -> Option<Instant> {
        let Changes { first, last } = self.changes.as_ref()?;
        let Some(wait) = self.wait else { return Some(*last) };
        match (last.checked_add(wait.min), first.checked_add(wait.max)) {
            (Some(quiet), Some(latest)) => Some(quiet.min(latest)),
            (quiet, latest) => quiet.or(latest),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Changes at these seconds, and when they are due, in seconds.
    fn due(min: u64, max: u64, changes: &[u64]) -> Option<u64> {
        let begin = Instant::now();
        let wait = Wait { min: seconds(min), max: seconds(max) };
        let mut quiescence = Quiescence::new(Some(wait));
        for &at in changes {
            quiescence.changed(begin + seconds(at));
        }
        quiescence.due().map(|due| (due - begin).as_secs())
    }

    #[test]
    fn a_change_is_due_when_nothing_has_followed_it() {
        assert_eq!(due(5, 20, &[]), None);
        assert_eq!(due(5, 20, &[0]), Some(5));
        assert_eq!(due(5, 20, &[0, 4, 8]), Some(13));
    }

    #[test]
    fn changes_that_never_rest_are_due_at_the_latest_after_the_maximum() {
        assert_eq!(due(5, 20, &[0, 4, 8, 12, 16]), Some(20));
        assert_eq!(due(5, 20, &[0, 4, 8, 12, 16, 19]), Some(20));
        // The first change counts, whatever has come between.
        assert_eq!(due(5, 20, &[0, 40]), Some(20));
        // A maximum below the minimum wins.
        assert_eq!(due(5, 2, &[0]), Some(2));
    }

    #[test]
    fn rest_begins_anew() {
        let begin = Instant::now();
        let wait = Wait { min: seconds(5), max: seconds(20) };
        let mut quiescence = Quiescence::new(Some(wait));
        quiescence.changed(begin);
        quiescence.rest();
        assert_eq!(quiescence.due(), None);
        quiescence.changed(begin + seconds(100));
        assert_eq!(quiescence.due(), Some(begin + seconds(105)));
    }

    #[test]
    fn without_a_wait_a_change_is_due_at_once_and_an_endless_one_never_overflows() {
        let begin = Instant::now();
        let mut quiescence = Quiescence::new(None);
        quiescence.changed(begin);
        assert_eq!(quiescence.due(), Some(begin));
        let mut quiescence = Quiescence::new(Some(Wait { min: Duration::MAX, max: seconds(1) }));
        quiescence.changed(begin);
        assert_eq!(quiescence.due(), Some(begin + seconds(1)));
        let mut quiescence = Quiescence::new(Some(Wait { min: Duration::MAX, max: Duration::MAX }));
        quiescence.changed(begin);
        assert_eq!(quiescence.due(), None);
    }
}
