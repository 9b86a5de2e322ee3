//! Keys, sessions and locks of the registry in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::{Error, Holder, Keys, Pair, Session, SessionTerms, Token};

/// Sessions opened so far, in all registries: none is ever mistaken for another.
static OPENED: AtomicU64 = AtomicU64::new(1);

/// Sessions end exactly when their time to live is over: the hardest case for those who rely on
/// them. A lock is a key, as in Consul, and stays one when it is released.
#[derive(Default)]
pub(super) struct Locks {
    keys: BTreeMap<String, Key>,
    sessions: BTreeMap<String, Open>,
    /// The newest token.
    token: u64,
}

#[derive(Default)]
struct Key {
    /// `None`: only a lock delay is left of it.
    value: Option<Vec<u8>>,
    holder: Option<(Session, Token)>,
    /// Nobody may have the lock before then.
    free_at: Option<Instant>,
    /// The registry's index when it was set first, and last.
    created: u64,
    modified: u64,
}

struct Open {
    terms: SessionTerms,
    expires: Instant,
}

impl Locks {
    /// Ends the sessions whose time is over. Whether that has changed who holds a lock.
    pub(super) fn settle(&mut self, now: Instant) -> bool {
        let over = |(id, open): (&String, &Open)| {
            (open.expires <= now).then(|| (Session(id.clone()), open.expires))
        };
        let over: Vec<(Session, Instant)> = self.sessions.iter().filter_map(over).collect();
        over.iter().fold(false, |changed, (session, at)| self.end(session, *at) || changed)
    }

    /// When the next session ends.
    pub(super) fn expiry(&self) -> Option<Instant> {
        self.sessions.values().map(|open| open.expires).min()
    }

    /// Whether that is a change, which makes the registry's index `index`.
    pub(super) fn set(&mut self, key: &str, value: &[u8], index: u64) -> bool {
        let key = self.keys.entry(key.to_owned()).or_default();
        let before = key.value.replace(value.to_owned());
        let changed = before.as_deref() != Some(value);
        if changed {
            key.modified = index;
        }
        if before.is_none() {
            key.created = index;
        }
        changed
    }

    /// Whether that is a change.
    pub(super) fn unset(&mut self, key: &str) -> bool {
        self.keys.remove(key).is_some_and(|key| key.value.is_some())
    }

    pub(super) fn pairs(&self, keys: &Keys) -> Vec<Pair> {
        let wanted = |key: &&String| match keys {
            Keys::One(one) => key == &one,
            Keys::Under(prefix) => key.starts_with(prefix),
        };
        let pair = |(key, row): (&String, &Key)| {
            let (session, lock_index) = match &row.holder {
                Some((session, token)) => (session.0.clone(), token.0),
                None => (String::new(), 0),
            };
            Some(Pair {
                key: key.clone(),
                value: row.value.clone()?,
                flags: 0,
                create_index: row.created,
                modify_index: row.modified,
                lock_index,
                session,
            })
        };
        self.keys.iter().filter(|(key, _)| wanted(key)).filter_map(pair).collect()
    }

    pub(super) fn open(&mut self, terms: &SessionTerms, now: Instant) -> Session {
        let id = format!("session-{}", OPENED.fetch_add(1, Ordering::Relaxed));
        let expires = now + terms.ttl;
        self.sessions.insert(id.clone(), Open { terms: terms.clone(), expires });
        Session(id)
    }

    pub(super) fn renew(&mut self, session: &Session, now: Instant) -> Result<(), Error> {
        let open = self.sessions.get_mut(&session.0).ok_or(Error::Unknown)?;
        open.expires = now + open.terms.ttl;
        Ok(())
    }

    /// Its locks are free at once. Whether it had any.
    pub(super) fn close(&mut self, session: &Session) -> bool {
        self.sessions.remove(&session.0);
        self.release(session, None)
    }

    /// Its locks are nobody's for the lock delay. Whether it had any.
    pub(super) fn end(&mut self, session: &Session, at: Instant) -> bool {
        let Some(open) = self.sessions.remove(&session.0) else { return false };
        self.release(session, Some(at + open.terms.lock_delay))
    }

    fn release(&mut self, session: &Session, free_at: Option<Instant>) -> bool {
        let mut released = false;
        for key in self.keys.values_mut() {
            if key.holder.as_ref().is_some_and(|(holder, _)| holder == session) {
                key.holder = None;
                key.free_at = free_at;
                released = true;
            }
        }
        released
    }

    pub(super) fn acquire(
        &mut self,
        key: &str,
        session: &Session,
        value: &[u8],
        now: Instant,
    ) -> Result<Option<Token>, Error> {
        if !self.sessions.contains_key(&session.0) {
            return Err(Error::Unknown);
        }
        let row = self.keys.entry(key.to_owned()).or_default();
        let token = match &row.holder {
            Some((holder, token)) if holder == session => *token,
            Some(_) => return Ok(None),
            None if row.free_at.is_some_and(|at| at > now) => return Ok(None),
            None => {
                self.token += 1;
                Token(self.token)
            }
        };
        *row = Key {
            value: Some(value.to_owned()),
            holder: Some((session.clone(), token)),
            free_at: None,
            ..*row
        };
        Ok(Some(token))
    }

    pub(super) fn holder(&self, key: &str) -> Option<Holder> {
        let row = self.keys.get(key)?;
        let (session, token) = row.holder.clone()?;
        Some(Holder { session, token, value: row.value.clone().unwrap_or_default() })
    }
}
