//! A registry within the process, for tests: it can be emptied, frozen and made to fail, and it
//! remembers what it was asked.

mod finding;
mod locks;
mod time;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::{
    Answer, Catalog, Error, Expiry, Found, Holding, Index, Instance, Query, Question, Reachability,
    Registered, Registration, Session, SessionTerms, Snapshot, Status, Token,
};
use locks::Locks;
pub use time::Time;

/// How long a request waits for a frozen registry.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Requests that are remembered; older ones are forgotten.
const REMEMBERED: usize = 10_000;

/// The registry.
pub struct Memory {
    reachability: Reachability,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

/// What the registry does with requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Mood {
    /// It answers.
    #[default]
    Well,
    /// It takes requests and does not answer. They fail after 5 s and are carried out when it is
    /// well before that.
    Frozen,
    /// It answers all but what is about this.
    Deaf(String),
    /// Every request fails like this.
    Failing(Error),
}

/// A request, as the registry has seen it: its verb and what it is about: the id of an instance or
/// of a session, the name of a service or of a session that is opened, a key, a question in words.
pub type Seen = (Verb, String);

/// Which request it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Verb {
    Register(Status),
    Heartbeat(Status),
    Deregister,
    Lookup,
    Instances,
    Find,
    OpenSession,
    RenewSession,
    CloseSession,
    Acquire,
    Holder,
}

#[derive(Default)]
struct State {
    mood: Mood,
    rows: BTreeMap<String, Row>,
    locks: Locks,
    index: u64,
    seen: Vec<Seen>,
}

struct Row {
    registration: Registration,
    status: Status,
    output: String,
    expires: Instant,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// An empty registry that is well.
    #[must_use]
    pub fn new() -> Self {
        Memory {
            reachability: Reachability::new("the catalog in memory".to_owned()),
            state: Mutex::new(State { index: 1, ..State::default() }),
            changed: watch::Sender::new(()),
        }
    }

    /// From now on it treats requests like this.
    pub fn set_mood(&self, mood: Mood) {
        self.lock().mood = mood;
        self.changed.send_replace(());
    }

    /// Forgets everything and starts its index and its tokens anew, as an agent does that is started
    /// again.
    pub fn wipe(&self) {
        let mut state = self.lock();
        state.rows.clear();
        state.locks = Locks::default();
        state.index = 1;
        drop(state);
        self.changed.send_replace(());
    }

    /// Puts an instance in, or changes it, behind everybody's back.
    pub fn put(&self, registration: Registration, status: Status) {
        self.change(|state| state.put(registration, status, ""));
    }

    /// Takes an instance out behind everybody's back.
    pub fn remove(&self, id: &str) {
        self.change(|state| state.remove(id));
    }

    /// Sets a key, behind everybody's back. If it is locked it stays so.
    pub fn set(&self, key: &str, value: &[u8]) {
        self.change(|state| {
            let next = state.index + 1;
            state.index += u64::from(state.locks.set(key, value, next));
        });
    }

    /// Deletes a key and the lock there, behind everybody's back. The lock is free at once.
    pub fn unset(&self, key: &str) {
        self.change(|state| state.index += u64::from(state.locks.unset(key)));
    }

    /// Ends a session as if its time had run out.
    pub fn end_session(&self, session: &Session) {
        self.change(|state| state.index += u64::from(state.locks.end(session, Instant::now())));
    }

    /// What a check has said last about an instance.
    #[must_use]
    pub fn output(&self, id: &str) -> Option<String> {
        Some(self.lock().rows.get(id)?.output.clone())
    }

    /// What it has under an id, and its status, expiry counted in.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<(Registration, Status)> {
        let state = self.lock();
        let row = state.rows.get(id)?;
        Some((row.registration.clone(), row.status(Instant::now())))
    }

    /// The requests since the last call, oldest first. Those that failed are among them.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.lock().seen)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something and wakes those who wait for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        state.index += u64::from(state.locks.settle(Instant::now()));
        let before = state.index;
        let result = change(&mut state);
        let changed = state.index != before;
        drop(state);
        if changed {
            self.changed.send_replace(());
        }
        result
    }

    /// What `read` finds: at once, or when the index is another one than `after`, or when `wait` is
    /// over.
    async fn follow<T: PartialEq + Send>(
        &self,
        after: Option<Index>,
        wait: Duration,
        read: impl Fn(&State, Instant) -> T + Send,
    ) -> Result<(T, Index), Error> {
        let mut changed = self.changed.subscribe();
        let until = Instant::now() + wait;
        let mut before = None;
        loop {
            let now = Instant::now();
            let wake = {
                let mut state = self.lock();
                if let Mood::Failing(error) = &state.mood {
                    return Err(error.clone());
                }
                state.index += u64::from(state.locks.settle(now));
                let found = read(&state, now);
                // An instance that expires is a change that nobody has counted.
                let seen = state.index;
                let expired = before
                    .as_ref()
                    .is_some_and(|(before, index)| *index == seen && *before != found);
                state.index += u64::from(expired);
                let index = Index(state.index);
                let is_new = expired || after.is_none_or(|after| index != after);
                if matches!(state.mood, Mood::Well | Mood::Deaf(_)) && (is_new || now >= until) {
                    return Ok((found, index));
                }
                if now >= until + TIMEOUT {
                    return Err(Error::Timeout(wait + TIMEOUT));
                }
                before = Some((found, seen));
                let latest = if now < until { until } else { until + TIMEOUT };
                state.expiry(now).map_or(latest, |expiry| expiry.min(latest))
            };
            let _ = tokio::time::timeout_at(wake, changed.changed()).await;
        }
    }

    /// Notes the request and waits until it may be carried out.
    async fn admit(&self, verb: Verb, what: &str) -> Result<(), Error> {
        let mut changed = self.changed.subscribe();
        {
            let mut state = self.lock();
            if state.seen.len() >= REMEMBERED {
                state.seen.remove(0);
            }
            state.seen.push((verb, what.to_owned()));
        }
        let until = Instant::now() + TIMEOUT;
        loop {
            let mood = self.lock().mood.clone();
            match mood {
                Mood::Well => return Ok(()),
                Mood::Failing(error) => return Err(error),
                Mood::Deaf(subject) if subject != what => return Ok(()),
                Mood::Deaf(_) | Mood::Frozen => {}
            }
            if tokio::time::timeout_at(until, changed.changed()).await.is_err() {
                return Err(Error::Timeout(TIMEOUT));
            }
        }
    }
}

impl State {
    fn put(&mut self, registration: Registration, status: Status, output: &str) {
        let (id, output) = (registration.id.clone(), output.to_owned());
        let expires = Instant::now() + registration.ttl;
        self.rows.insert(id, Row { registration, status, output, expires });
        self.index += 1;
    }

    fn remove(&mut self, id: &str) {
        self.index += u64::from(self.rows.remove(id).is_some());
    }

    fn passing(&self, query: &Query, now: Instant) -> Vec<Instance> {
        let wanted = |row: &&Row| {
            row.registration.name == query.service
                && row.status(now) == Status::Passing
                && query.tag.as_ref().is_none_or(|tag| row.registration.tags.contains(tag))
        };
        self.rows.values().filter(wanted).map(|row| instance(&row.registration)).collect()
    }

    /// When the next instance or session expires.
    fn expiry(&self, now: Instant) -> Option<Instant> {
        let instances = self.rows.values().filter(|row| row.expires > now).map(|row| row.expires);
        instances.chain(self.locks.expiry()).min()
    }
}

impl Row {
    fn status(&self, now: Instant) -> Status {
        if self.expires <= now { Status::Critical } else { self.status }
    }
}

fn instance(registration: &Registration) -> Instance {
    Instance {
        id: registration.id.clone(),
        name: registration.name.clone(),
        address: registration.address.clone(),
        port: registration.port,
        tags: registration.tags.clone(),
        meta: registration.meta.clone(),
        node: String::new(),
    }
}

impl Catalog for Memory {
    fn reachability(&self) -> &Reachability {
        &self.reachability
    }

    fn expiry(&self) -> Expiry {
        Expiry::Critical
    }

    fn register<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        output: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.admit(Verb::Register(status), &registration.id).await?;
            self.change(|state| state.put(registration.clone(), status, output));
            Ok(())
        })
    }

    fn heartbeat<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        output: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.admit(Verb::Heartbeat(status), &registration.id).await?;
            self.change(|state| {
                let now = Instant::now();
                let row = state.rows.get_mut(&registration.id).ok_or(Error::Unknown)?;
                let changed = row.status(now) != status;
                row.status = status;
                output.clone_into(&mut row.output);
                row.expires = now + row.registration.ttl;
                state.index += u64::from(changed);
                Ok(())
            })
        })
    }

    fn deregister<'a>(&'a self, registration: &'a Registration) -> Answer<'a, ()> {
        Box::pin(async move {
            self.admit(Verb::Deregister, &registration.id).await?;
            self.remove(&registration.id);
            Ok(())
        })
    }

    fn lookup<'a>(&'a self, registration: &'a Registration) -> Answer<'a, Option<Registered>> {
        Box::pin(async move {
            self.admit(Verb::Lookup, &registration.id).await?;
            Ok(self.lock().rows.get(&registration.id).map(|row| Registered {
                name: row.registration.name.clone(),
                address: row.registration.address.clone(),
                port: row.registration.port,
                tags: row.registration.tags.clone(),
                meta: row.registration.meta.clone(),
            }))
        })
    }

    fn instances<'a>(
        &'a self,
        query: &'a Query,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Snapshot> {
        Box::pin(async move {
            self.admit(Verb::Instances, &query.service).await?;
            let passing = |state: &State, now| state.passing(query, now);
            let (instances, index) = self.follow(after, wait, passing).await?;
            Ok(Snapshot { instances, index })
        })
    }

    fn find<'a>(
        &'a self,
        question: &'a Question,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Found> {
        Box::pin(async move {
            self.admit(Verb::Find, &question.to_string()).await?;
            let read = |state: &State, now| state.finding(question, now);
            let (finding, index) = self.follow(after, wait, read).await?;
            // As a Consul, which cannot wait for another datacenter.
            let index = (*question != Question::Datacenters).then_some(index);
            Ok(Found { finding, index })
        })
    }

    fn open_session<'a>(&'a self, terms: &'a SessionTerms) -> Answer<'a, Session> {
        Box::pin(async move {
            self.admit(Verb::OpenSession, &terms.name).await?;
            let session = self.change(|state| state.locks.open(terms, Instant::now()));
            // Those who wait must know when it expires.
            self.changed.send_replace(());
            Ok(session)
        })
    }

    fn renew_session<'a>(&'a self, session: &'a Session) -> Answer<'a, ()> {
        Box::pin(async move {
            self.admit(Verb::RenewSession, &session.0).await?;
            self.change(|state| state.locks.renew(session, Instant::now()))
        })
    }

    fn close_session<'a>(&'a self, session: &'a Session) -> Answer<'a, ()> {
        Box::pin(async move {
            self.admit(Verb::CloseSession, &session.0).await?;
            self.change(|state| state.index += u64::from(state.locks.close(session)));
            Ok(())
        })
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        session: &'a Session,
        _terms: &'a SessionTerms,
        value: &'a [u8],
    ) -> Answer<'a, Option<Token>> {
        Box::pin(async move {
            self.admit(Verb::Acquire, key).await?;
            self.change(|state| {
                let taken = state.locks.acquire(key, session, value, Instant::now())?;
                state.index += u64::from(taken.is_some());
                Ok(taken)
            })
        })
    }

    fn holder<'a>(
        &'a self,
        key: &'a str,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Holding> {
        Box::pin(async move {
            self.admit(Verb::Holder, key).await?;
            let read = |state: &State, _| state.locks.holder(key);
            let (holder, index) = self.follow(after, wait, read).await?;
            Ok(Holding { holder, index })
        })
    }
}
