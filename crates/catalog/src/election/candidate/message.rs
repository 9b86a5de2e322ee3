//! What goes in and out of a candidate.

use super::Moment;
use crate::{Error, Holding, Index, Session, Token};

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::election) enum Request {
    /// Open a session.
    Open,
    /// Renew it.
    Renew(Session),
    /// Take the lock with it.
    Acquire(Session),
    /// Give it back, and the lock with it.
    Close(Session),
    /// See who has the lock, waiting for a change after this.
    Look(Option<Index>, Round),
}

/// What came back.
#[derive(Clone, Debug)]
pub(in crate::election) enum Reply {
    Opened(Result<Session, Error>),
    Renewed(Session, Result<(), Error>),
    Acquired(Session, Result<Option<Token>, Error>),
    Closed(Session, Result<(), Error>),
    Seen(Option<Index>, Round, Result<Holding, Error>),
}

/// Which leadership, or time without one, a look belongs to: an earlier one has seen the lock as it
/// was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::election) struct Round(pub(super) u64);

/// What a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::election) enum Role {
    Leader {
        token: Token,
        /// No longer than this, unless a renewal succeeds.
        until: Moment,
        /// Tells leaderships apart: a registry that starts anew gives the same token again.
        round: Round,
    },
    Follower,
}

/// What the candidate waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::election) struct Plan {
    pub(in crate::election) due: Due,
    /// When to look again although nothing has happened.
    pub(in crate::election) wake: Option<Moment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::election) enum Due {
    Nothing,
    /// When it is our turn.
    InTurn,
    /// Even while others wait for the end of an outage: leadership depends on it.
    AtOnce,
}
