//! Registering services in a catalog, watching services and keys there, and electing a leader.
//!
//! # Theory of operation
//!
//! A [`Catalog`] is one registry (Consul, etcd, [`memory`]) seen through a handful of requests, each
//! with a deadline of its own. Nobody but this crate sends them one by one:
//!
//! * The [`Registrar`] keeps instances registered. *The catalog is a cache of the truth, which is
//!   here*: callers state facts ("a check has passed", "it has failed", "take it out"), which go
//!   into a table with one row for each instance, so that the newest fact wins and memory is
//!   bounded. A task compares the table with what the registry has acknowledged and sends what
//!   is missing, a few requests at a time.
//! * A [`Watch`] follows the passing instances of one service, or keys, by blocking queries and
//!   tells its owner about a new set only if its content differs from the set told last.
//! * A [`Survey`] follows many [`Question`]s about everything that a registry knows, for templates.
//! * An [`Election`] holds a lock by a session that it renews, or waits for the lock. A pure
//!   candidate decides, by a clock that counts suspended time; it leads only as long as nobody else
//!   can have been given the lock, whatever the registry says later.
//!
//! All share the catalog's [`Reachability`]: the first request that gets no answer declares an
//! outage (one line in the log), everybody waits, one request at a time goes out as a probe with
//! back-off, and the first answer ends the outage for all (one line in the log). An error is never
//! taken for a fact about a service. An [`Observer`] is told of every request, and
//! [`Reachability::availability`], [`Registrar::is_registered`] and [`Watch::freshness`] tell how
//! things stand.
//!
//! One suite of behaviours (`tests/suite`) holds all registries to the same, and says in what they
//! differ.

mod backoff;
pub mod base64;
mod election;
mod error;
mod follow;
pub mod memory;
mod model;
mod observer;
mod question;
mod reachability;
mod registrar;
mod survey;
mod watch;

pub use backoff::Backoff;
pub use election::{
    BootTime, Candidacy, Clock, Demotion, Election, Leadership, Moment, Resignation, campaign,
    campaign_with,
};
pub use error::{Class, Error};
pub use model::{
    Entries, Entry, Expiry, Holder, Holding, Index, Instance, KeyQuery, Keys, Query, Registered,
    Registration, Session, SessionTerms, Snapshot, Status, Token,
};
pub use observer::{Observer, Operation, Outcome};
pub use question::{
    Endpoint, Finding, Found, Health, HealthCheck, Listed, Node, NodeService, NodeServices, Pair,
    Question, ServiceQuestion, Weights,
};
pub use reachability::{Availability, Reachability};
pub use registrar::{Deregistration, Registrar};
pub use survey::Survey;
pub use watch::{
    Change, Freshness, Watch, WatchHandle, watch, watch_from, watch_keys, watch_keys_from,
};

use std::pin::Pin;
use std::time::Duration;

/// What a request to a catalog comes back with.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A registry of services.
///
/// Each request has a deadline of its own: the future always resolves. Dropping it gives the
/// request up; whether it was carried out is then unknown.
pub trait Catalog: Send + Sync + 'static {
    /// Whether the registry answers. One for each catalog, shared by all who use it.
    fn reachability(&self) -> &Reachability;

    /// What becomes of an instance whose time to live is over.
    fn expiry(&self) -> Expiry;

    /// Puts an instance in with the given status, or replaces it; then the registry may keep the
    /// status that it has. `output` says why.
    fn register<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        output: &'a str,
    ) -> Answer<'a, ()>;

    /// Renews the time to live of a registered instance. [`Error::Unknown`]: the registry does
    /// not have it.
    fn heartbeat<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        output: &'a str,
    ) -> Answer<'a, ()>;

    /// Takes an instance out. One that the registry does not have is no error.
    fn deregister<'a>(&'a self, registration: &'a Registration) -> Answer<'a, ()>;

    /// What the registry has under the registration's id, for comparing.
    fn lookup<'a>(&'a self, registration: &'a Registration) -> Answer<'a, Option<Registered>>;

    /// The passing instances of a service. With `after`, the answer waits until something newer
    /// than that is there, but not longer than `wait`.
    fn instances<'a>(
        &'a self,
        query: &'a Query,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Snapshot>;

    /// Keys and their values: what [`Catalog::find`] answers, without what registries keep about
    /// them. `after` and `wait` as for [`Catalog::instances`].
    fn entries<'a>(
        &'a self,
        query: &'a KeyQuery,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Entries> {
        Box::pin(async move {
            let KeyQuery { keys, datacenter, .. } = query.clone();
            let found = self.find(&Question::Keys { keys, datacenter }, after, wait).await?;
            let pairs = match found.finding {
                Finding::Keys(pairs) => pairs,
                _ => Vec::new(),
            };
            let entry = |Pair { key, value, .. }: Pair| Entry { key, value };
            let entries = pairs.into_iter().map(entry).collect();
            Ok(Entries { entries, index: found.index.unwrap_or(Index(0)) })
        })
    }

    /// Answers a question. `after` and `wait` as for [`Catalog::instances`], if the registry can wait
    /// for a change of that. [`Error::Refused`]: the registry does not know such things.
    fn find<'a>(
        &'a self,
        question: &'a Question,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Found>;

    /// How many requests of ours may wait for a change at the same time, with some room for others.
    /// `None`, at once or as the answer: any number.
    fn places(&self) -> Option<Answer<'_, Option<usize>>> {
        None
    }

    /// Opens a session.
    fn open_session<'a>(&'a self, terms: &'a SessionTerms) -> Answer<'a, Session>;

    /// Lets a session's time to live begin anew. [`Error::Unknown`]: it has ended.
    fn renew_session<'a>(&'a self, session: &'a Session) -> Answer<'a, ()>;

    /// Ends a session and releases its locks; they are free at once. One that has ended is no
    /// error.
    fn close_session<'a>(&'a self, session: &'a Session) -> Answer<'a, ()>;

    /// Takes a lock if it is free, and says `value` about its holder. `None`: somebody else has it,
    /// or it is not free yet. If this session has it already the token is the same as before.
    /// [`Error::Unknown`]: the session has ended.
    fn acquire<'a>(
        &'a self,
        key: &'a str,
        session: &'a Session,
        terms: &'a SessionTerms,
        value: &'a [u8],
    ) -> Answer<'a, Option<Token>>;

    /// Who has a lock. `after` and `wait` as for [`Catalog::instances`].
    fn holder<'a>(
        &'a self,
        key: &'a str,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Holding>;
}
