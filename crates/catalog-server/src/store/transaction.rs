//! Changes of keys that happen together, at one index, or not at all.

use tokio::time::Instant;

use super::sessions::Sessions;
use super::{Kv, Pair, Store};

/// Keys while they are changed; what it shows is what will be if the transaction succeeds.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    kv: &'a mut Kv,
    sessions: &'a Sessions,
    now: Instant,
    next: u64,
}

/// Why a key cannot be locked or unlocked; the texts are Consul's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LockError {
    #[error("missing session")]
    Missing,
    #[error("failed session lookup: index error: UUID must be 36 characters")]
    NoUuid,
    #[error("invalid session {0:?}")]
    Unknown(String),
}

impl Store {
    /// Changes keys. If `change` fails, none of its changes happen.
    pub(crate) fn transaction<T, E>(
        &mut self,
        now: Instant,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (kv, sessions, next) = (&mut self.kv, &self.sessions, self.index + 1);
        let result = change(&mut Transaction { kv, sessions, now, next });
        if result.is_err() {
            self.kv.take_back();
        } else if self.kv.keep(next) {
            self.index = next;
        }
        result
    }
}

impl Transaction<'_> {
    /// The keys.
    pub(crate) fn keys(&self) -> &Kv {
        self.kv
    }

    /// Whether a key cannot be locked yet, because its last holder's session ended.
    pub(crate) fn delayed(&self, key: &str) -> bool {
        self.sessions.delayed(key, self.now)
    }

    /// Sets a key, whoever holds it. As in Consul, this forgets how often it was locked.
    pub(crate) fn set(&mut self, key: &str, value: Vec<u8>, flags: u64) {
        let session = self.kv.get(key).and_then(|old| old.session.clone());
        self.kv.set(self.next, key, Pair { value, flags, session, ..Pair::default() });
    }

    /// Sets a key if it was last changed at `index`; at 0, if it is not there.
    pub(crate) fn set_unchanged(
        &mut self,
        key: &str,
        value: Vec<u8>,
        flags: u64,
        index: u64,
    ) -> bool {
        let unchanged = self.modified(key) == index;
        if unchanged {
            self.set(key, value, flags);
        }
        unchanged
    }

    /// Locks a key for a session and sets it; false if another session holds it, or held it when
    /// it ended a short while ago. The holder may lock it again.
    pub(crate) fn lock(
        &mut self,
        key: &str,
        value: Vec<u8>,
        flags: u64,
        session: &str,
    ) -> Result<bool, LockError> {
        if self.delayed(key) {
            return Ok(false);
        }
        if session.is_empty() {
            return Err(LockError::Missing);
        }
        if !self.sessions.has(session) {
            return Err(match session.len() {
                36 => LockError::Unknown(session.to_owned()),
                _ => LockError::NoUuid,
            });
        }
        let old = self.kv.get(key);
        let locked = old.map_or(0, |old| old.lock_index);
        let lock_index = match old.and_then(|old| old.session.as_deref()) {
            Some(holder) if holder == session => locked,
            Some(_) => return Ok(false),
            None => locked + 1,
        };
        let session = Some(session.to_owned());
        self.kv.set(self.next, key, Pair { value, flags, lock_index, session, ..Pair::default() });
        Ok(true)
    }

    /// Unlocks a key and sets it; false if the session does not hold it.
    pub(crate) fn unlock(
        &mut self,
        key: &str,
        value: Vec<u8>,
        flags: u64,
        session: &str,
    ) -> Result<bool, LockError> {
        if session.is_empty() {
            return Err(LockError::Missing);
        }
        let held = self.kv.get(key).filter(|old| old.session.as_deref() == Some(session));
        let Some(lock_index) = held.map(|old| old.lock_index) else { return Ok(false) };
        self.kv.set(self.next, key, Pair { value, flags, lock_index, ..Pair::default() });
        Ok(true)
    }

    /// Deletes a key, if it is there.
    pub(crate) fn delete(&mut self, key: &str) {
        self.kv.delete(self.next, key);
    }

    /// Deletes a key if it was last changed at `index`. What is not there needs no deleting,
    /// whatever its index was expected to be.
    pub(crate) fn delete_unchanged(&mut self, key: &str, index: u64) -> bool {
        let unchanged = self.kv.get(key).is_none_or(|pair| pair.modify == index);
        if unchanged {
            self.delete(key);
        }
        unchanged
    }

    /// Deletes all keys that begin so.
    pub(crate) fn delete_below(&mut self, prefix: &str) {
        let keys: Vec<String> = self.kv.below(prefix).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| self.delete(key));
    }

    /// When a key was last changed; 0 if it is not there.
    fn modified(&self, key: &str) -> u64 {
        self.kv.get(key).map_or(0, |pair| pair.modify)
    }
}
