//! Elections at work: a candidate for each that we stand in, and what its leader advertises.
//!
//! When we stand, lead and give way is decided by the machine. This keeps what follows from that
//! with the catalog: the leader's service is registered while we lead, with heartbeats of its own,
//! and has left by the time that the lock is given back.

use std::{pin::Pin, sync::Arc, time::Instant};

use catalog::{
    Candidacy, Deregistration, Election, Holder, Leadership, Registration, Resignation, Token,
};
use config::{Config, election::ElectionId, job::Service};
use serde_json::{Value, json};
use tokio::task::{AbortHandle, JoinSet};

use super::{
    discovery::{DEREGISTRATION_PATIENCE, DEREGISTRATION_PERSISTENCE, registration},
    registry::Registry,
};
use crate::machine::{Input, Kept};

/// All elections of one configuration.
pub(super) struct Elections {
    candidates: Vec<Option<Candidate>>,
    settings: Vec<config::Election>,
    /// Candidates that wait for something to change.
    listening: JoinSet<(Ticket, Election, Leadership)>,
    /// Those that give their lock back.
    resigning: JoinSet<Ticket>,
    tickets: u64,
}

/// Tells a candidate from all others, of other configurations too.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ticket(u64);

/// One who stands, or has stood.
struct Candidate {
    ticket: Ticket,
    election: Election,
    listening: AbortHandle,
    /// With which it leads, as far as we have been told.
    token: Option<Token>,
    /// Since when we lead or do not.
    since: Instant,
    service: Option<Arc<Registration>>,
    /// The next heartbeat of the service, while we lead.
    beat: Option<tokio::time::Instant>,
    /// The way of the service out of the catalog.
    leaving: Option<Pin<Box<dyn Future<Output = Deregistration> + Send>>>,
}

impl Drop for Candidate {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// What becomes of a candidate.
pub(super) enum Vote {
    /// It leads.
    Elected(ElectionId),
    /// It does not, any more.
    Demoted(ElectionId),
    /// It has given the lock back, or nobody should wait for that any longer.
    Resigned(ElectionId),
}

/// An election as it is seen from outside.
pub(super) struct Standing {
    /// The fencing token, if we lead.
    pub(super) token: Option<u64>,
    /// Who holds the lock, in its own words.
    pub(super) leader: Option<String>,
    /// Since when we lead, or do not.
    pub(super) since: Instant,
    /// Whether the catalog has acknowledged what the leader advertises.
    pub(super) registered: bool,
}

impl Elections {
    /// Those of a configuration; we stand in none.
    pub(super) fn new(config: &Config) -> Elections {
        Elections {
            candidates: config.elections.iter().map(|_| None).collect(),
            settings: config.elections.clone(),
            listening: JoinSet::new(),
            resigning: JoinSet::new(),
            tickets: 0,
        }
    }

    /// Those that are kept go on as they were.
    pub(super) fn keep(&mut self, previous: &mut Elections, kept: &Kept) {
        self.tickets = previous.tickets;
        self.listening = std::mem::take(&mut previous.listening);
        self.resigning = std::mem::take(&mut previous.resigning);
        for (old, new) in kept.elections() {
            if let (Some(before), Some(candidate)) =
                (previous.candidates.get_mut(old.0), self.candidates.get_mut(new.0))
            {
                *candidate = before.take();
            }
        }
    }

    /// Stands from now on.
    pub(super) fn stand(&mut self, id: ElectionId, registry: &Registry) {
        let (Some(settings), Some(candidate)) =
            (self.settings.get(id.0), self.candidates.get_mut(id.0))
        else {
            return;
        };
        if let Some(candidate) = candidate {
            return candidate.election.stand();
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let candidacy = Candidacy {
            name: settings.name.clone(),
            key: settings.key.clone(),
            ttl: settings.ttl,
            lock_delay: settings.lock_delay,
            value: words(&settings.candidate, settings.service.as_ref()).into_bytes(),
        };
        let election = catalog::campaign(Arc::clone(&registry.catalog), candidacy);
        let listening = listen(&mut self.listening, ticket, election.clone());
        *candidate = Some(Candidate {
            ticket,
            election,
            listening,
            token: None,
            since: Instant::now(),
            service: settings.service.as_ref().map(|service| Arc::new(registration(service))),
            beat: None,
            leaving: None,
        });
    }

    /// Stands no longer. What the leader has advertised leaves the catalog first, if that answers.
    /// `Some`: we have not stood.
    pub(super) fn resign(&mut self, id: ElectionId) -> Option<Input> {
        let Some(candidate) = self.candidate(id) else { return Some(Input::Resigned(id)) };
        let (ticket, election) = (candidate.ticket, candidate.election.clone());
        let leaving = candidate.leaving.take();
        let name =
            self.settings.get(id.0).map_or_else(String::new, |settings| settings.name.clone());
        self.resigning.spawn(async move {
            if let Some(leaving) = leaving {
                // Whoever is elected next should not find us beside it. But a catalog that is slow
                // has to hear of the lock, too, or nobody is elected for a long time.
                let _ = tokio::time::timeout(DEREGISTRATION_PATIENCE / 2, leaving).await;
            }
            let led = election.token().is_some();
            let resigned = election.resign(DEREGISTRATION_PERSISTENCE);
            match tokio::time::timeout(DEREGISTRATION_PATIENCE, resigned).await {
                Ok(Resignation::Acknowledged) => {}
                _ if !led => {}
                Ok(Resignation::GaveUp(_)) | Err(_) => log::warn!(
                    "election {name}: the lock could not be given back in time: nobody is elected \
                     before it has expired"
                ),
            }
            ticket
        });
        None
    }

    /// Whether we lead at this very moment, whatever was told before.
    pub(super) fn leads(&self, id: ElectionId) -> bool {
        let candidate = self.candidates.get(id.0).and_then(Option::as_ref);
        candidate.is_some_and(|candidate| candidate.election.token().is_some())
    }

    /// Jobs hear now that we are elected: what the leader advertises enters the catalog. Answers
    /// with the variable and the token that is its value.
    pub(super) fn elected(&mut self, id: ElectionId, registry: &Registry) -> Option<(String, u64)> {
        let candidate = self.candidate(id)?;
        // Since this was told we may have lost and won again, and have heard that already.
        candidate.token = candidate.election.token().or(candidate.token);
        candidate.since = Instant::now();
        candidate.leaving = None;
        candidate.heartbeat(registry);
        self.token(id)
    }

    /// Jobs hear now that we lead no more: what the leader has advertised leaves the catalog.
    /// Answers with the variable that held the token.
    pub(super) fn demoted(&mut self, id: ElectionId, registry: &Registry) -> Option<String> {
        let candidate = self.candidate(id)?;
        candidate.since = Instant::now();
        candidate.token = None;
        candidate.beat = None;
        if let Some(service) = &candidate.service {
            // It counts from now on, whether or not anybody waits for it.
            let leaving = registry.registrar.deregister(&service.id, DEREGISTRATION_PERSISTENCE);
            candidate.leaving = Some(Box::pin(leaving));
        }
        Some(self.settings.get(id.0)?.token_variable.clone())
    }

    /// The variable with the token of an election, and its value, as long as we lead there.
    pub(super) fn token(&self, id: ElectionId) -> Option<(String, u64)> {
        let Token(token) = self.candidates.get(id.0)?.as_ref()?.token?;
        Some((self.settings.get(id.0)?.token_variable.clone(), token))
    }

    /// An election as it is now.
    pub(super) fn standing(&self, id: ElectionId, registry: Option<&Registry>) -> Option<Standing> {
        let candidate = self.candidates.get(id.0)?.as_ref()?;
        let registered = candidate.service.as_ref().zip(registry);
        Some(Standing {
            token: candidate.election.token().map(|Token(token)| token),
            leader: candidate.election.leader().map(|holder| name_of(&holder)),
            since: candidate.since,
            registered: registered
                .is_some_and(|(service, registry)| registry.registrar.is_registered(&service.id)),
        })
    }

    /// The next thing that becomes of a candidate. Cancel safe.
    pub(super) async fn next(&mut self, registry: Option<&Registry>) -> Vote {
        loop {
            let beat =
                self.candidates.iter().flatten().filter_map(|candidate| candidate.beat).min();
            tokio::select! {
                Some(heard) = self.listening.join_next() => {
                    // One that was given up has ended. It must not keep us from hearing others.
                    let Ok((ticket, election, leadership)) = heard else { continue };
                    let again = listen(&mut self.listening, ticket, election);
                    let Some(id) = self.id_of(ticket) else {
                        again.abort();
                        continue;
                    };
                    let Some(candidate) = self.candidate(id) else { continue };
                    candidate.listening = again;
                    match leadership {
                        Leadership::Elected { token } => {
                            candidate.token = Some(token);
                            return Vote::Elected(id);
                        }
                        Leadership::Demoted { .. } => {
                            candidate.token = None;
                            return Vote::Demoted(id);
                        }
                    }
                }
                Some(Ok(ticket)) = self.resigning.join_next() => {
                    if let Some(id) = self.id_of(ticket) {
                        return Vote::Resigned(id);
                    }
                }
                () = tokio::time::sleep_until(beat.unwrap_or_else(tokio::time::Instant::now)),
                    if beat.is_some() =>
                {
                    self.beat(registry);
                }
                else => std::future::pending().await,
            }
        }
    }

    /// Heartbeats of what we advertise as leaders, as far as they are due.
    fn beat(&mut self, registry: Option<&Registry>) {
        let now = tokio::time::Instant::now();
        let due = |candidate: &&mut Candidate| candidate.beat.is_some_and(|at| at <= now);
        for candidate in self.candidates.iter_mut().flatten().filter(due) {
            match registry {
                Some(registry) => candidate.heartbeat(registry),
                None => candidate.beat = None,
            }
        }
    }

    fn candidate(&mut self, id: ElectionId) -> Option<&mut Candidate> {
        self.candidates.get_mut(id.0)?.as_mut()
    }

    fn id_of(&self, ticket: Ticket) -> Option<ElectionId> {
        let is = |candidate: &Option<Candidate>| {
            candidate.as_ref().is_some_and(|candidate| candidate.ticket == ticket)
        };
        self.candidates.iter().position(is).map(ElectionId)
    }
}

impl Candidate {
    /// Says that the leader is there, if it is us at this very moment: we may have been stopped
    /// for so long that somebody else is elected, and not have been told yet.
    fn heartbeat(&mut self, registry: &Registry) {
        if let Some(service) = &self.service {
            if self.election.token().is_some() {
                registry.registrar.passing(service);
            }
            self.beat = tokio::time::Instant::now().checked_add(service.ttl / 3);
        } else {
            self.beat = None;
        }
    }
}

/// Waits for the next change of a candidate's leadership.
fn listen(
    listening: &mut JoinSet<(Ticket, Election, Leadership)>,
    ticket: Ticket,
    mut election: Election,
) -> AbortHandle {
    listening.spawn(async move {
        let leadership = election.changed().await;
        (ticket, election, leadership)
    })
}

/// What a lock says of its holder: JSON.
fn words(candidate: &str, service: Option<&Service>) -> String {
    match service {
        Some(Service { address, port, .. }) => {
            json!({ "candidate": candidate, "address": address.to_string(), "port": port })
        }
        None => json!({ "candidate": candidate }),
    }
    .to_string()
}

/// Who that is; somebody else's words may be of another form.
fn name_of(holder: &Holder) -> String {
    match serde_json::from_slice(&holder.value) {
        Ok(Value::Object(words)) => match words.get("candidate") {
            Some(Value::String(candidate)) => candidate.clone(),
            _ => Value::Object(words).to_string(),
        },
        _ => String::from_utf8_lossy(&holder.value).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use catalog::{
        Catalog,
        memory::{Memory, Mood},
    };

    use super::*;

    const A: ElectionId = ElectionId(0);
    const B: ElectionId = ElectionId(1);

    /// Two elections on a catalog in memory, and its keys.
    fn two() -> (Elections, Registry, Arc<Memory>, [String; 2]) {
        let text = r#"{ consul: "c:1", elections: [
            { name: "aa", service: true, port: 1, interfaces: "static:10.0.0.1" }, { name: "bb" }] }"#;
        let source = config::Source { name: "app.json5".into(), text: text.into() };
        let host = config::Host {
            environment: BTreeMap::new(),
            hostname: "here".into(),
            addresses: Vec::new(),
        };
        let config = config::load(&source, &[], &host).unwrap();
        let memory = Arc::new(Memory::new());
        let catalog: Arc<dyn Catalog> = Arc::clone(&memory) as _;
        let registry = Registry::over(config.catalog.as_ref().unwrap(), catalog);
        let keys = [A, B].map(|id| config.elections[id.0].key.clone());
        let mut elections = Elections::new(&config);
        for id in [A, B] {
            elections.stand(id, &registry);
        }
        (elections, registry, memory, keys)
    }

    async fn soon<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(30), future).await.unwrap()
    }

    #[tokio::test]
    async fn who_is_given_up_keeps_nobody_from_being_heard() {
        let (mut elections, registry, memory, [_, key]) = two();
        for _ in [A, B] {
            let vote = soon(elections.next(Some(&registry))).await;
            assert!(matches!(vote, Vote::Elected(_)));
        }
        elections.candidates[A.0] = None;
        let lost = async {
            // The end of the first is heard in between.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            memory.unset(&key);
        };
        let (vote, ()) = soon(async { tokio::join!(elections.next(Some(&registry)), lost) }).await;
        assert!(matches!(vote, Vote::Demoted(B)));
    }

    /// What is told comes after what is heard, by as much as is queued.
    #[tokio::test]
    async fn who_is_told_late_finds_the_token_of_now() {
        let (mut elections, registry, memory, [key, _]) = two();
        elections.candidates[B.0] = None;
        for lead in [true, false, true] {
            let vote = soon(elections.next(Some(&registry))).await;
            assert_eq!(matches!(vote, Vote::Elected(A)), lead);
            if lead {
                // The first time; the second lock is another one.
                memory.unset(&key);
            }
        }
        // The machine is told: elected, demoted, elected.
        let elected = elections.elected(A, &registry);
        assert!(elected.is_some());
        elections.demoted(A, &registry);
        assert_eq!(elections.elected(A, &registry), elected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_catalog_that_is_slow_hears_of_the_lock_before_we_go() {
        let (mut elections, registry, memory, [key, _]) = two();
        elections.candidates[B.0] = None;
        soon(elections.next(Some(&registry))).await;
        elections.elected(A, &registry);
        while !registry.registrar.is_registered("aa-here") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        memory.set_mood(Mood::Frozen);
        elections.demoted(A, &registry);
        elections.resign(A);
        let thaw = async {
            tokio::time::sleep(Duration::from_millis(1200)).await;
            memory.set_mood(Mood::Well);
        };
        let until_resigned =
            async { while !matches!(elections.next(Some(&registry)).await, Vote::Resigned(A)) {} };
        soon(async { tokio::join!(thaw, until_resigned) }).await;
        let lock = memory.holder(&key, None, Duration::ZERO).await.unwrap();
        assert_eq!(lock.holder, None);
    }

    #[test]
    fn who_holds_a_lock() {
        let holder = |value: &str| Holder {
            session: catalog::Session("s".into()),
            token: Token(1),
            value: value.into(),
        };
        assert_eq!(name_of(&holder(&words("here", None))), "here");
        assert_eq!(name_of(&holder("me")), "me");
        assert_eq!(name_of(&holder("{\"a\":1}")), "{\"a\":1}");
    }
}
