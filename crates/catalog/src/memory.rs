//! A registry within the process, for tests: it can be emptied, frozen and made to fail, and it
//! remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::{
    Answer, Catalog, Error, Index, Instance, Query, Reachability, Registered, Registration,
    Snapshot, Status,
};

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
    /// Every request fails like this.
    Failing(Error),
}

/// A request, as the registry has seen it: its verb and the id of the instance, or the name of
/// the service for [`Verb::Instances`].
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
}

#[derive(Default)]
struct State {
    mood: Mood,
    rows: BTreeMap<String, Row>,
    index: u64,
    seen: Vec<Seen>,
}

struct Row {
    registration: Registration,
    status: Status,
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

    /// Forgets all instances and starts its index anew, as an agent does that is started again.
    pub fn wipe(&self) {
        let mut state = self.lock();
        state.rows.clear();
        state.index = 1;
        drop(state);
        self.changed.send_replace(());
    }

    /// Puts an instance in, or changes it, behind everybody's back.
    pub fn put(&self, registration: Registration, status: Status) {
        self.lock().put(registration, status);
        self.changed.send_replace(());
    }

    /// Takes an instance out behind everybody's back.
    pub fn remove(&self, id: &str) {
        let mut state = self.lock();
        state.rows.remove(id);
        state.index += 1;
        drop(state);
        self.changed.send_replace(());
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
                Mood::Frozen => {}
            }
            if tokio::time::timeout_at(until, changed.changed()).await.is_err() {
                return Err(Error::Timeout(TIMEOUT));
            }
        }
    }
}

impl State {
    fn put(&mut self, registration: Registration, status: Status) {
        let expires = Instant::now() + registration.ttl;
        self.rows.insert(registration.id.clone(), Row { registration, status, expires });
        self.index += 1;
    }

    fn passing(&self, query: &Query, now: Instant) -> Vec<Instance> {
        let wanted = |row: &&Row| {
            row.registration.name == query.service
                && row.status(now) == Status::Passing
                && query.tag.as_ref().is_none_or(|tag| row.registration.tags.contains(tag))
        };
        self.rows.values().filter(wanted).map(|row| instance(&row.registration)).collect()
    }

    /// When the next instance expires.
    fn expiry(&self, now: Instant) -> Option<Instant> {
        self.rows.values().filter(|row| row.expires > now).map(|row| row.expires).min()
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

    fn register<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        _output: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.admit(Verb::Register(status), &registration.id).await?;
            self.put(registration.clone(), status);
            Ok(())
        })
    }

    fn heartbeat<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        _output: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.admit(Verb::Heartbeat(status), &registration.id).await?;
            let now = Instant::now();
            let mut state = self.lock();
            let row = state.rows.get_mut(&registration.id).ok_or(Error::Unknown)?;
            let changed = row.status(now) != status;
            row.status = status;
            row.expires = now + row.registration.ttl;
            if changed {
                state.index += 1;
                drop(state);
                self.changed.send_replace(());
            }
            Ok(())
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
            let mut changed = self.changed.subscribe();
            let until = Instant::now() + wait;
            let before = self.lock().passing(query, Instant::now());
            loop {
                let now = Instant::now();
                let wake = {
                    let mut state = self.lock();
                    if let Mood::Failing(error) = &state.mood {
                        return Err(error.clone());
                    }
                    let instances = state.passing(query, now);
                    // An expiry is a change that nobody has counted.
                    if instances != before {
                        state.index += 1;
                    }
                    let index = Index(state.index);
                    let is_new = after.is_none_or(|after| index != after);
                    if state.mood == Mood::Well && (is_new || now >= until) {
                        return Ok(Snapshot { instances, index });
                    }
                    if now >= until + TIMEOUT {
                        return Err(Error::Timeout(wait + TIMEOUT));
                    }
                    let latest = if now < until { until } else { until + TIMEOUT };
                    state.expiry(now).map_or(latest, |expiry| expiry.min(latest))
                };
                let _ = tokio::time::timeout_at(wake, changed.changed()).await;
            }
        })
    }
}
