//! Sessions and locks.
//!
//! A session is a lease; its name is not stored. A lock is held while its key is there, under the
//! lease of the session that holds it. Its token is the revision at which the key was created: the
//! store's own count of changes, which no other holder of any lock has ever had, and which grows as
//! long as the cluster keeps its data.
//!
//! etcd knows no lock delay. So whoever takes a lock writes a second key beside it in the same
//! transaction, `KEY/.unreleased`, without a lease; whoever gives the lock back removes both. If the
//! lock is free and the second key is there, the last holder was lost without a word and may still
//! act: everybody waits for the delay from when they have first seen that, on their own clock. The
//! second key's revision tells one loss from the next, so that nobody counts the time of an earlier
//! one. A loss that nobody sees has no delay before somebody does. The delay that counts is that of
//! the one who waits. Whoever removes a lock by hand should remove both keys.
//!
//! etcd does not end a lease before its time: a new leader lets all of them begin anew. Before 3.4.31
//! and 3.5.13 there are two exceptions, both about a member that was the leader, was frozen (or cut
//! off, or starved), and wakes up. In the moment before it learns about its successor it may confirm
//! a renewal that the successor knows nothing of. So each renewal is preceded by a read with a quorum
//! behind it: whoever leads after that read is followed by a leader that lets the lease begin anew
//! later than that, and a renewal counts at least from when it was asked for. Both go to the same
//! member, for only that one has certainly heard of the leader by then: it says who it is, and what
//! another one has confirmed does not count. (A user who may not read where the prefix is gets no such
//! word with the refusal, and has to go without this.) And it may have leases
//! ended that it takes to be over although they were renewed with its successor. Nobody but etcd can
//! prevent that. A lock delay that is not shorter than the time to live makes up for it: the holder
//! is lost to all others, and learns about it or runs out of time before anybody else has the lock.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use catalog::{Error, Holder, Holding, Index, Session, SessionTerms, Token, base64};
use serde_json::Value;
use tokio::time::Instant;

use crate::Etcd;
use crate::txn::{Outcome, Txn};
use crate::wire::{self, Kv, Span};

/// How often a renewal is asked for that two members have answered, as those behind one address may.
const ATTEMPTS: u32 = 5;

/// When each lock was first seen without its last holder: by its key, with the revision at which
/// that one took it.
#[derive(Default)]
pub(crate) struct Losses(Mutex<BTreeMap<String, (i64, Instant)>>);

impl Losses {
    /// When this loss was first seen; that is now if it was not.
    fn since(&self, key: &str, taken: i64, now: Instant) -> Instant {
        let mut losses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match losses.get(key) {
            Some((known, since)) if *known == taken => *since,
            _ => {
                losses.insert(key.to_owned(), (taken, now));
                now
            }
        }
    }

    fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// The key that tells a lock whose holder was lost from one that was given back.
fn unreleased(key: &str) -> String {
    format!("{key}/.unreleased")
}

fn lease(session: &Session) -> Result<i64, Error> {
    // What is no number was never one of ours.
    session.0.parse().map_err(|_| Error::Unknown)
}

impl Etcd {
    pub(crate) async fn open(&self, terms: &SessionTerms) -> Result<Session, Error> {
        let (lease, _) = self.grant(terms.ttl, self.gateway.until()).await?;
        Ok(Session(lease.to_string()))
    }

    pub(crate) async fn renew(&self, session: &Session) -> Result<(), Error> {
        let (lease, until) = (lease(session)?, self.gateway.until());
        let span = Span::one(&format!("{}/", self.prefix));
        for _ in 0..ATTEMPTS {
            // What is read does not matter, nor whether we may: that is asked behind the quorum.
            let leader_known_to = match self.gateway.read(&span, until).await {
                Ok(found) => Some(found.member),
                Err(Error::Refused(_)) => None,
                Err(error) => return Err(error),
            };
            let confirmed_by = self.keep_alive(lease, until).await?;
            if leader_known_to.is_none_or(|member| member == confirmed_by) {
                return Ok(());
            }
        }
        Err(Error::Failed("one member after the other has answered".to_owned()))
    }

    pub(crate) async fn close(&self, session: &Session) -> Result<(), Error> {
        let Ok(lease) = lease(session) else { return Ok(()) };
        let until = self.gateway.until();
        let body = format!(r#"{{"ID":"{lease}","keys":true}}"#);
        let state = self.gateway.call("/v3/lease/timetolive", body, until).await?;
        for key in state.get("keys").and_then(Value::as_array).into_iter().flatten() {
            let key = key.as_str().and_then(base64::decode).unwrap_or_default();
            let Ok(key) = String::from_utf8(key) else { continue };
            let release = Txn::default().if_under(&key, lease);
            let release = release.delete(&key).delete(&unreleased(&key));
            release.send(&self.gateway, until).await?;
        }
        let body = format!(r#"{{"ID":"{lease}"}}"#);
        match self.gateway.call("/v3/lease/revoke", body, until).await {
            Ok(_) | Err(Error::Unknown) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn take(
        &self,
        key: &str,
        session: &Session,
        terms: &SessionTerms,
        value: &[u8],
    ) -> Result<Option<Token>, Error> {
        if key.is_empty() {
            return Err(Error::Refused("no key in etcd is empty".to_owned()));
        }
        let (lease, until, second) = (lease(session)?, self.gateway.until(), unreleased(key));
        let seize = |condition: Txn| {
            let seize = condition.if_absent(key).put(key, value, lease);
            let seize = seize.put(&second, session.0.as_bytes(), 0);
            seize.otherwise_read(key).otherwise_read(&second).send(&self.gateway, until)
        };
        let answers = match seize(Txn::default().if_absent(&second)).await? {
            Outcome::Done(revision) => return Ok(Some(self.taken(key, revision))),
            Outcome::Otherwise(answers) => answers,
        };
        if let Some(held) = nth(&answers, 0)? {
            // Ours already, perhaps by a request that has lost its answer.
            let ours = held.lease == lease;
            return Ok(ours.then(|| self.taken(key, held.create_revision)));
        }
        // Given back since: the next attempt gets it.
        let Some(lost) = nth(&answers, 1)? else { return Ok(None) };
        let now = Instant::now();
        let since = self.losses.since(key, lost.mod_revision, now);
        if now.saturating_duration_since(since) < terms.lock_delay {
            return Ok(None);
        }
        match seize(Txn::default().if_unmoved(&second, lost.mod_revision)).await? {
            Outcome::Done(revision) => Ok(Some(self.taken(key, revision))),
            Outcome::Otherwise(_) => Ok(None),
        }
    }

    fn taken(&self, key: &str, revision: i64) -> Token {
        self.losses.forget(key);
        Token(u64::try_from(revision).unwrap_or_default())
    }

    pub(crate) async fn held(
        &self,
        key: &str,
        after: Option<Index>,
        wait: Duration,
    ) -> Result<Holding, Error> {
        let found = self.gateway.follow(&Span::one(key), after, wait).await?;
        let holder = found.kvs.into_iter().next().map(|kv| Holder {
            session: Session(kv.lease.to_string()),
            token: Token(u64::try_from(kv.create_revision).unwrap_or_default()),
            value: kv.value,
        });
        Ok(Holding { holder, index: found.index })
    }
}

/// The key that a transaction has read with its nth request, if it is there.
fn nth(answers: &[Value], n: usize) -> Result<Option<Kv>, Error> {
    let range = answers.get(n).and_then(|answer| answer.get("response_range"));
    let found = range.map_or_else(|| Ok(Vec::new()), wire::kvs)?;
    Ok(found.into_iter().next())
}
