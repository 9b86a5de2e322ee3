//! Elections: which of those who stand for the same thing is the one.

use std::time::Duration;

use crate::{job::Service, secrets::masked_debug};

/// Index of an election in [`crate::Config::elections`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElectionId(pub usize);

/// An election that we stand in from the start of the configuration until it ends, maintenance
/// aside. Whoever holds the lock at `key` is elected.
#[derive(Clone, PartialEq)]
pub struct Election {
    /// Name in logs and events, unique.
    pub name: String,
    /// The lock, as the catalog knows it. The same for all who stand against each other.
    pub key: String,
    /// Without a renewal for this long the catalog may give the lock to somebody else.
    pub ttl: Duration,
    /// How long nobody is elected after the elected one was lost without a word.
    pub lock_delay: Duration,
    /// Who we are: what the lock says about its holder.
    pub candidate: String,
    /// Variable that holds the fencing token in the environment of children while we are elected,
    /// `CONTAINERPILOT_ELECTION_PRIMARY_TOKEN`.
    pub token_variable: String,
    /// What the elected one advertises, and nobody else does.
    pub service: Option<Service>,
}

masked_debug!(Election { text name, text key, part ttl, part lock_delay, text candidate, text token_variable, part service });
