//! etcd v3 as a catalog, by way of its JSON gateway.
//!
//! # Theory of operation
//!
//! An [`Etcd`] is a cluster: several members that know the same. A request goes to one of them and,
//! if that one is gone, silent or without a leader, to the others within the same deadline; all
//! requests are such that a second time does no harm. Every read has a quorum behind it.
//!
//! # What is stored
//!
//! An instance is the key `PREFIX/SERVICE/ID`. Its value is a JSON object: `id`, `name`, `address`,
//! `port`, `tags`, and only if they say something `meta` and `status` (absent: passing). Whoever
//! follows a service counts the passing instances; others may write such keys too, and values that
//! cannot be understood are passed over.
//!
//! The key is bound to a lease of the service's time to live, which heartbeats alone renew. Where a
//! Consul would show an instance as critical, etcd therefore forgets it:
//! [`Registration::deregister_critical_after`] means nothing here. [`Registration::check_id`] does
//! not either. With [`Registration::enable_tag_override`] others may change the tags in the value
//! (keeping its lease), until the instance is registered anew. A lease is of whole seconds (we round
//! up), and a cluster has a minimum: one and a half of its election timeout, rounded up, which is
//! 2 s unless it is configured otherwise. Registering anew puts the key under a new lease; the one
//! before ends by itself, without the key.
//!
//! [`Catalog::find`] reads any key as it is written, from `/` on or not: the prefix counts for
//! services only.
//!
//! # Waiting
//!
//! An [`Index`] is a revision of the whole store. A request that waits watches from the revision
//! after it, and reads when the watch tells of an event, or when its time is over. What was
//! compacted away meanwhile does not matter, as the present is read. Each request that waits has a
//! connection of its own.
//!
//! # Locks
//!
//! How sessions, locks, their tokens and the lock delay are made of leases and transactions is told
//! in the module `lock`.
//!
//! # Versions
//!
//! Held to etcd 3.4.23 by its tests. The paths (`/v3/…`) are the same in 3.5 and 3.6; 3.3 has
//! others. What differs is understood in each form: errors have `error` and `code` (3.4, 3.5) or
//! `code` and `message` (3.6), within a stream `grpc_code` or `code`; numbers of 64 bits are strings
//! everywhere. Users come by name and password: the gateway does not know them by the name in a
//! client's certificate. A member that demands certificates of its clients demands one of its own
//! gateway, so the server's certificate must not exclude the use by clients.

mod find;
mod follow;
mod gateway;
mod lock;
mod options;
mod txn;
mod wire;

pub use http_client::{Address, BuildError, Tls};
pub use options::Options;

use std::time::Duration;

use catalog::{
    Answer, Catalog, Error, Expiry, Found, Holding, Index, Query, Question, Reachability,
    Registered, Registration, Session, SessionTerms, Snapshot, Status, Token,
};
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::lock::Losses;
use crate::txn::{Outcome, Txn};
use crate::wire::{Kv, Span, number};

/// An etcd cluster.
pub struct Etcd {
    gateway: Gateway,
    /// Without a slash at its end.
    prefix: String,
    reachability: Reachability,
    losses: Losses,
}

impl Etcd {
    /// Reads the certificates. Whatever can be wrong with the options is found here; nothing is
    /// sent.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what it should, or an option that makes no
    /// sense.
    pub fn build(options: Options) -> Result<Etcd, BuildError> {
        let gateway = Gateway::build(&options)?;
        let members: Vec<String> = options.endpoints.iter().map(Address::to_string).collect();
        let reachability = Reachability::new(format!("etcd at {}", members.join(", ")));
        let prefix = options.prefix.trim_end_matches('/').to_owned();
        Ok(Etcd { gateway, prefix, reachability, losses: Losses::default() })
    }

    fn folder(&self, service: &str) -> Result<String, Error> {
        if service.is_empty() || service.contains('/') {
            return Err(Error::Refused(format!("{service:?} cannot be a service's name in etcd")));
        }
        Ok(format!("{}/{service}/", self.prefix))
    }

    fn key(&self, registration: &Registration) -> Result<String, Error> {
        Ok(self.folder(&registration.name)? + &registration.id)
    }

    /// The instance's key, if it is there and will not stay for ever.
    async fn found(&self, key: &str, until: Instant) -> Result<Option<Kv>, Error> {
        let found = self.gateway.read(&Span::one(key), until).await?;
        Ok(found.kvs.into_iter().next().filter(|kv| kv.lease != 0))
    }

    /// A new lease and the time to live that it has.
    async fn grant(&self, ttl: Duration, until: Instant) -> Result<(i64, Duration), Error> {
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let body = format!(r#"{{"TTL":"{}"}}"#, seconds.max(1));
        let granted = self.gateway.call("/v3/lease/grant", body, until).await?;
        let ttl = u64::try_from(number(&granted, "TTL")).unwrap_or_default();
        match number(&granted, "ID") {
            0 => Err(Error::Failed("the answer makes no sense: a lease without an ID".to_owned())),
            lease => Ok((lease, Duration::from_secs(ttl))),
        }
    }

    /// Lets a lease's time to live begin anew. Answers with the member that was asked for it.
    async fn keep_alive(&self, lease: i64, until: Instant) -> Result<String, Error> {
        let body = format!(r#"{{"ID":"{lease}"}}"#);
        let kept = self.gateway.call("/v3/lease/keepalive", body, until).await?;
        let member = wire::member(&kept).to_owned();
        if number(&kept, "TTL") > 0 { Ok(member) } else { Err(Error::Unknown) }
    }
}

impl Catalog for Etcd {
    fn reachability(&self) -> &Reachability {
        &self.reachability
    }

    fn expiry(&self) -> Expiry {
        Expiry::Removed
    }

    fn register<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        _output: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let (key, value) = (self.key(registration)?, wire::stored(registration, status)?);
            let until = self.gateway.until();
            let (lease, ttl) = self.grant(registration.ttl, until).await?;
            if ttl > registration.ttl {
                let (id, asked) = (&registration.id, registration.ttl);
                log::debug!("{id}: etcd keeps it {ttl:?} without a heartbeat, not {asked:?}");
            }
            let body = format!("{{{}}}", wire::put(&key, &value, lease));
            self.gateway.call("/v3/kv/put", body, until).await.map(|_| ())
        })
    }

    fn heartbeat<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        _output: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let (key, until) = (self.key(registration)?, self.gateway.until());
            let kv = self.found(&key, until).await?.ok_or(Error::Unknown)?;
            self.keep_alive(kv.lease, until).await?;
            let Some(value) = wire::restated(&kv.value, status)? else { return Ok(()) };
            let change = Txn::default().if_unmoved(&key, kv.mod_revision);
            match change.put(&key, &value, kv.lease).send(&self.gateway, until).await? {
                Outcome::Done(_) => Ok(()),
                Outcome::Otherwise(_) => {
                    Err(Error::Failed("somebody else has changed it at the same moment".to_owned()))
                }
            }
        })
    }

    fn deregister<'a>(&'a self, registration: &'a Registration) -> Answer<'a, ()> {
        Box::pin(async move {
            let body = format!("{{{}}}", Span::one(&self.key(registration)?).fields());
            self.gateway.call("/v3/kv/deleterange", body, self.gateway.until()).await.map(|_| ())
        })
    }

    fn lookup<'a>(&'a self, registration: &'a Registration) -> Answer<'a, Option<Registered>> {
        Box::pin(async move {
            let key = self.key(registration)?;
            let found = self.found(&key, self.gateway.until()).await?;
            Ok(found.and_then(|kv| wire::registered(&kv.value)))
        })
    }

    fn instances<'a>(
        &'a self,
        query: &'a Query,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Snapshot> {
        Box::pin(async move {
            local(query.datacenter.as_deref())?;
            find::near(query.near.as_deref())?;
            let span = Span::under(&self.folder(&query.service)?);
            let found = self.gateway.follow(&span, after, wait).await?;
            let mut instances: Vec<_> = found.kvs.iter().filter_map(wire::passing).collect();
            if let Some(tag) = &query.tag {
                instances.retain(|instance| instance.tags.contains(tag));
            }
            Ok(Snapshot { instances, index: found.index })
        })
    }

    fn find<'a>(
        &'a self,
        question: &'a Question,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Found> {
        Box::pin(self.answer_to(question, after, wait))
    }

    fn open_session<'a>(&'a self, terms: &'a SessionTerms) -> Answer<'a, Session> {
        Box::pin(self.open(terms))
    }

    fn renew_session<'a>(&'a self, session: &'a Session) -> Answer<'a, ()> {
        Box::pin(self.renew(session))
    }

    fn close_session<'a>(&'a self, session: &'a Session) -> Answer<'a, ()> {
        Box::pin(self.close(session))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        session: &'a Session,
        terms: &'a SessionTerms,
        value: &'a [u8],
    ) -> Answer<'a, Option<Token>> {
        Box::pin(self.take(key, session, terms, value))
    }

    fn holder<'a>(
        &'a self,
        key: &'a str,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Holding> {
        Box::pin(self.held(key, after, wait))
    }
}

/// A cluster is one datacenter.
fn local(datacenter: Option<&str>) -> Result<(), Error> {
    match datacenter {
        None => Ok(()),
        Some(name) => Err(Error::Refused(format!("etcd has no datacenters such as {name:?}"))),
    }
}
