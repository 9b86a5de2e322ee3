//! The registry of a world: sessions that end when they please, one lock, looks that wait.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Random, TTL};
use crate::election::candidate::{Moment, Round};
use crate::{Error, Holder, Holding, Index, Session, Token};

#[derive(Default)]
pub(super) struct Registry {
    pub(super) index: u64,
    pub(super) opened: u64,
    pub(super) token: u64,
    /// When each ends.
    pub(super) sessions: BTreeMap<String, Duration>,
    pub(super) holder: Option<(Session, Token)>,
    pub(super) free_at: Duration,
    pub(super) lock_delay: Duration,
    pub(super) waiting: Vec<Waiting>,
}

/// A look that waits for a change.
pub(super) struct Waiting {
    pub(super) node: usize,
    pub(super) id: u64,
    pub(super) after: Index,
    pub(super) round: Round,
    pub(super) until: Duration,
    pub(super) back: Option<Duration>,
    pub(super) sent: Moment,
}

/// How long a session lasts without a renewal: never less than its time to live, often exactly that,
/// up to twice.
pub(super) fn lasts(random: &mut Random) -> Duration {
    if random.percent(60) { TTL } else { TTL + random.upto(TTL) }
}

impl Registry {
    /// When it does something by itself.
    pub(super) fn next(&self) -> Option<Duration> {
        let waiting = self.waiting.iter().map(|waiting| waiting.until);
        self.sessions.values().copied().chain(waiting).min()
    }

    /// Ends the sessions whose time is over. Whether a lock has become free by that.
    pub(super) fn settle(&mut self, now: Duration) -> bool {
        self.sessions.retain(|_, ends| *ends > now);
        let Some((holder, _)) = &self.holder else { return false };
        if self.sessions.contains_key(&holder.0) {
            return false;
        }
        self.holder = None;
        self.free_at = now + self.lock_delay;
        self.index += 1;
        true
    }

    /// The looks that have waited long enough.
    pub(super) fn over(&mut self, now: Duration) -> Vec<Waiting> {
        self.waiting.extract_if(.., |waiting| waiting.until <= now).collect()
    }

    pub(super) fn acquire(
        &mut self,
        session: &Session,
        now: Duration,
    ) -> Result<Option<Token>, Error> {
        if !self.sessions.contains_key(&session.0) {
            return Err(Error::Unknown);
        }
        match &self.holder {
            Some((holder, token)) if holder == session => Ok(Some(*token)),
            Some(_) => Ok(None),
            None if self.free_at > now => Ok(None),
            None => {
                self.token += 1;
                self.index += 1;
                self.holder = Some((session.clone(), Token(self.token)));
                Ok(Some(Token(self.token)))
            }
        }
    }

    pub(super) fn holding(&self) -> Holding {
        let holder = self.holder.clone().map(|(session, token)| Holder {
            session,
            token,
            value: Vec::new(),
        });
        Holding { holder, index: Index(self.index) }
    }
}
