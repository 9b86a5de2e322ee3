//! Sessions, and the locks that they hold.
//!
//! # Which ends of a session come early
//!
//! A session's time to live is a promise of the servers: they end it when nobody has renewed it for
//! at least that long (in fact up to twice as long, and a change of leader lets it begin anew). A
//! session can also depend on health checks, by default on gossip with its node. Ours depends on
//! none: it would end while its holder, whose clock knows only of renewals, still believes in it.
//! What can still end it, or take its lock, before its time:
//!
//! * the node of the agent that has opened it leaves the cluster or is taken out of the catalog;
//! * somebody destroys the session, or deletes the lock's key (then even without the lock delay);
//! * the cluster loses its data.
//!
//! So a holder watches the lock besides renewing its session. Until it knows, `lock_delay` keeps
//! others out in the first two cases (but for the deleted key); so it should be as long as the time
//! to live.
//!
//! # The fencing token
//!
//! The token is the key's lock index: it counts how often the lock has been acquired by a session
//! that did not hold it. It survives releases and lost sessions. It starts anew when the key is
//! deleted, when somebody overwrites it with a plain `kv put`, and when the cluster loses its data.

use std::sync::PoisonError;

use http_client::{Call, Repeat};
use hyper::Method;
use hyper::body::Bytes;

use catalog::{Class, Error, Session, SessionTerms, Token};

use crate::read::{Freshness, check_key, key_path, known};
use crate::request::Scope;
use crate::{Consul, wire};

/// Locks of so many sessions are noted at most: one that was lost may never be heard of again.
const NOTED: usize = 256;

impl Consul {
    pub(crate) async fn open(&self, terms: &SessionTerms) -> Result<Session, Error> {
        let body = Bytes::from(wire::session(terms)?);
        let call = Call::new(Method::PUT, "/v1/session/create", self.timeout);
        // A second one would hold nothing, but it would stay for a while.
        let call = Call { body, repeat: Repeat::Forbidden, ..call };
        match self.send(call, Scope::Cluster).await.map_err(known) {
            Ok(reply) => wire::opened(&reply.body),
            Err(Error::Failed(said) | Error::Refused(said)) if said.contains("Session TTL") => {
                Err(Error::Refused(format!(
                    "{said}: the servers' option session_ttl_min is the least time to live"
                )))
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn renew(&self, session: &Session) -> Result<(), Error> {
        let path = session_path("renew", session);
        let outcome = self.put(&path, Vec::new(), Scope::Cluster).await.map(drop);
        if outcome == Err(Error::Unknown) {
            self.forget_locks(session);
        }
        outcome
    }

    /// Releases the locks first: those that are lost with their session are nobody's for its lock
    /// delay.
    pub(crate) async fn close(&self, session: &Session) -> Result<(), Error> {
        for key in self.locks_of(session) {
            let path = key_path(&key, &format!("release={}", session.0));
            match self.put(&path, Vec::new(), Scope::Cluster).await {
                Ok(_) => {}
                // It would not be released by trying again either.
                Err(error) if error.class() == Class::GiveUp => {}
                Err(error) => return Err(error),
            }
        }
        let path = session_path("destroy", session);
        match self.put(&path, Vec::new(), Scope::Cluster).await {
            Ok(_) | Err(Error::Unknown) => {}
            Err(error) => return Err(error),
        }
        self.forget_locks(session);
        Ok(())
    }

    pub(crate) async fn lock(
        &self,
        key: &str,
        session: &Session,
        value: &[u8],
    ) -> Result<Option<Token>, Error> {
        check_key(key)?;
        // Whatever comes of it: what was asked for may be granted without an answer.
        self.note_lock(session, key);
        let path = key_path(key, &format!("acquire={}", session.0));
        let reply = self.put(&path, value.to_vec(), Scope::Cluster).await?;
        if reply.body.trim_ascii() != b"true" {
            return Ok(None);
        }
        let path = key_path(key, "");
        let found = self.read(&path, Freshness::Consistent, None, self.timeout).await?;
        let holder = wire::holder(&found.body)?.filter(|holder| holder.session == *session);
        Ok(holder.map(|holder| holder.token))
    }

    fn note_lock(&self, session: &Session, key: &str) {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if !locks.iter().any(|(of, noted)| of == session && noted == key) {
            if locks.len() == NOTED {
                locks.remove(0);
            }
            locks.push((session.clone(), key.to_owned()));
        }
    }

    fn locks_of(&self, session: &Session) -> Vec<String> {
        let locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.iter().filter(|(of, _)| of == session).map(|(_, key)| key.clone()).collect()
    }

    fn forget_locks(&self, session: &Session) {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|(of, _)| of != session);
    }
}

fn session_path(verb: &str, session: &Session) -> String {
    let mut path = format!("/v1/session/{verb}/");
    http_client::encode(&mut path, &session.0);
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, Options};

    #[test]
    fn sessions_that_are_lost_are_forgotten_one_day() {
        let address = Address::Http { host: "127.0.0.1".into(), port: 1 };
        let consul = Consul::build(Options::new(vec![address])).unwrap();
        let session = |n: usize| Session(n.to_string());
        for n in 0..10 * NOTED {
            consul.note_lock(&session(n), "key");
            consul.note_lock(&session(n), "key");
        }
        assert_eq!(consul.locks.lock().unwrap().len(), NOTED);
        assert_eq!(consul.locks_of(&session(10 * NOTED - 1)), ["key"]);
    }
}
