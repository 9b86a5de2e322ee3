//! The lock as it was last seen, and when to look again.

use std::time::Duration;

use super::Moment;
use crate::{Holder, Index};

/// Looks at the lock in a row without a pause, and the sustained time for each.
const BURST: u32 = 4;
const EACH: Duration = Duration::from_millis(300);

/// The lock as it was last seen.
pub(super) struct Lock {
    /// Who had it when it was last seen.
    pub(super) holder: Option<Holder>,
    /// That was in this round.
    pub(super) known: bool,
    pub(super) after: Option<Index>,
    pub(super) looking: bool,
    pub(super) look_at: Moment,
    /// When the bucket of looks will be full again.
    pub(super) full: Moment,
}

impl Lock {
    pub(super) fn new(now: Moment) -> Lock {
        Lock { holder: None, known: false, after: None, looking: false, look_at: now, full: now }
    }

    /// What was seen so far, and is being looked at, is from another time.
    pub(super) fn forget(&mut self, now: Moment) {
        self.known = false;
        self.after = None;
        self.looking = false;
        self.look_at = now;
    }

    /// Not faster than the bucket fills.
    pub(super) fn next_look(&self) -> Moment {
        self.look_at.max((self.full + EACH).saturating_sub(EACH * BURST))
    }

    pub(super) fn take(&mut self, now: Moment) {
        self.looking = true;
        self.full = self.full.max(now) + EACH;
    }
}
