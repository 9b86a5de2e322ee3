//! Several agents in front of one cluster: who is asked, and what was left where.
//!
//! An instance is registered at an *agent*, so requests stay with one as long as it can be used.
//! When another one answers than before, [`Reachability::moved`](catalog::Reachability::moved) makes
//! the registrar compare at once, and the new agent is told what it lacks. The agent that was left
//! may be gone for ever, or come back with what it had: a second copy, which turns critical at its
//! time to live and then stays. So it is noted who may have what, and whenever instances are
//! compared or taken out, those that were left behind are taken out, too, if their agent answers;
//! but not before the agent in use has them, or nobody would for a moment. The notes are this
//! program's: what another run of it has left is the business of `deregister_critical_after`.
//!
//! An agent that answers but is cut off from its cluster is as good as gone, but all of them say so
//! while the cluster elects a leader, or are late with whatever is asked of the cluster. It is left
//! only if that lasts, and another one has a leader.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use http_client::{Call, EndpointId, encode};
use hyper::Method;
use tokio::time::Instant;

use catalog::{Class, Error};

use crate::Consul;
use crate::request::{Scope, succeed};

/// How long whoever compares or leaves may be held up by agents that were left.
const TIDYING: Duration = Duration::from_millis(500);

/// An agent that was left and does not answer is let alone for this long.
const REST: Duration = Duration::from_secs(5);

/// An agent may be without a leader for this long: an election usually takes less.
const LEADERLESS: Duration = Duration::from_secs(5);

/// Time for another agent to say whether it has a leader, and until they are asked again.
const ASKING: Duration = Duration::from_secs(1);

/// What is known about the agents.
#[derive(Default)]
pub(crate) struct Places {
    /// Who has answered last.
    last: Option<EndpointId>,
    /// By the instances' ids.
    instances: BTreeMap<String, Place>,
    /// Nobody is tidied up before.
    rest_until: Option<Instant>,
    /// Since when every answer says that the cluster can do nothing, or there is none in time.
    leaderless: Option<Instant>,
    /// The others are not asked for a leader before.
    ask_at: Option<Instant>,
}

/// Where an instance is.
#[derive(Default)]
struct Place {
    /// Agents that may have it.
    at: Vec<EndpointId>,
    wanted: Wanted,
}

#[derive(Default, PartialEq)]
enum Wanted {
    /// By the agent in use, which may not have it yet.
    #[default]
    Here,
    /// By the agent in use, which has it: the others need not.
    Served,
    /// Nowhere any more.
    Nowhere,
}

impl Places {
    fn add(&mut self, id: &str, endpoint: EndpointId) -> &mut Place {
        let place = self.instances.entry(id.to_owned()).or_default();
        if !place.at.contains(&endpoint) {
            place.at.push(endpoint);
        }
        place
    }

    fn remove(&mut self, id: &str, endpoint: EndpointId) {
        if let Some(place) = self.instances.get_mut(id) {
            place.at.retain(|other| *other != endpoint);
            if place.at.is_empty() {
                self.instances.remove(id);
            }
        }
    }

    fn leftovers(&self, current: EndpointId, now: Instant) -> Vec<(String, EndpointId)> {
        if self.rest_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        let places = self.instances.iter().filter(|(_, place)| place.wanted != Wanted::Here);
        let pairs = places.flat_map(|(id, place)| place.at.iter().map(move |at| (id, *at)));
        let left = pairs.filter(|(_, at)| *at != current);
        left.map(|(id, at)| (id.clone(), at)).collect()
    }

    /// The cluster behind the agent could not do something at `since`. Whether to look for another
    /// agent.
    fn failed(&mut self, since: Instant, now: Instant) -> bool {
        let since = *self.leaderless.get_or_insert(since);
        let due = now >= since + LEADERLESS && self.ask_at.is_none_or(|at| now >= at);
        if due {
            self.ask_at = Some(now + ASKING);
        }
        due
    }
}

impl Consul {
    /// An agent has answered.
    pub(crate) fn answered(&self, endpoint: EndpointId) {
        let mut places = self.places();
        // An old connection may still bring an answer from the agent before.
        if places.last == Some(endpoint) || endpoint != self.client.current() {
            return;
        }
        places.leaderless = None;
        for place in places.instances.values_mut() {
            if place.wanted == Wanted::Served {
                place.wanted = Wanted::Here;
            }
        }
        let before = places.last.replace(endpoint);
        drop(places);
        if before.is_some() {
            self.reachability.moved(&self.client.name(endpoint));
        }
    }

    /// How the cluster has answered, through the current agent.
    pub(crate) async fn cluster_answered<T>(&self, outcome: &Result<T, Error>) {
        let now = Instant::now();
        let due = match outcome {
            Err(Error::Failed(_)) => self.places().failed(now, now),
            // It has been so for as long as that was waited for.
            Err(Error::Timeout(_)) => {
                self.places().failed(now.checked_sub(self.timeout).unwrap_or(now), now)
            }
            Err(error) if error.class() == Class::Outage => false,
            _ => {
                self.places().leaderless = None;
                false
            }
        };
        if due {
            // Rare, and large: it must not weigh on each request that waits.
            Box::pin(self.look_for_leader()).await;
        }
    }

    /// Goes on to the first other agent whose cluster has a leader.
    async fn look_for_leader(&self) {
        let current = self.client.current();
        let until = Instant::now() + ASKING;
        for other in self.client.endpoints().filter(|other| *other != current) {
            let left = until.saturating_duration_since(Instant::now());
            let call = Call::new(Method::GET, "/v1/status/leader", left);
            let answer = self.dispatch(Some(other), call).await;
            // Without one it is an empty string.
            let led = |body: &[u8]| body.trim_ascii().len() > 2;
            if answer.is_ok_and(|reply| reply.status.is_success() && led(&reply.body)) {
                self.client.replace(current, other);
                return;
            }
        }
    }

    /// An agent has acknowledged a registration or a heartbeat.
    pub(crate) fn served(&self, id: &str, endpoint: EndpointId) {
        let is_current = endpoint == self.client.current();
        let mut places = self.places();
        let place = places.add(id, endpoint);
        if is_current {
            place.wanted = Wanted::Served;
        } else if place.wanted == Wanted::Nowhere {
            place.wanted = Wanted::Here;
        }
    }

    /// Nobody knows which agent has taken a registration.
    pub(crate) fn scattered(&self, id: &str) {
        let mut places = self.places();
        for endpoint in self.client.endpoints() {
            places.add(id, endpoint);
        }
    }

    /// Takes an instance out of the current agent.
    pub(crate) async fn take_out(&self, id: &str) -> Result<(), Error> {
        let path = deregistration(id);
        let call = Call::new(Method::PUT, &path, self.timeout);
        let endpoint = match self.send(call, Scope::Agent).await {
            Ok(reply) => reply.endpoint,
            // Whoever said that is the current one, unless it has changed just now; then it is asked
            // once more, as one that was left.
            Err(Error::Unknown) => self.client.current(),
            Err(error) => return Err(error),
        };
        let mut places = self.places();
        places.remove(id, endpoint);
        if let Some(place) = places.instances.get_mut(id) {
            place.wanted = Wanted::Nowhere;
        }
        Ok(())
    }

    /// Takes out what was left at other agents, if they answer.
    pub(crate) async fn tidy(&self) {
        let left = self.places().leftovers(self.client.current(), Instant::now());
        let until = Instant::now() + TIDYING;
        for (id, endpoint) in left {
            if endpoint == self.client.current() {
                continue;
            }
            let path = deregistration(&id);
            let time = until.saturating_duration_since(Instant::now());
            let call = Call::new(Method::PUT, &path, time);
            let answer = self.dispatch(Some(endpoint), call).await.map_err(Error::from);
            let agent = self.client.name(endpoint);
            match answer.and_then(succeed) {
                Ok(_) => log::debug!("{id}: taken out at {agent}"),
                // One that does not have it, or refuses and will refuse again.
                Err(error) if error.class() == Class::GiveUp => {
                    log::debug!("{id}: not taken out at {agent}: {error}");
                }
                Err(error) => {
                    log::trace!("{id}: still at {agent}: {error}");
                    self.places().rest_until = Some(Instant::now() + REST);
                    return;
                }
            }
            self.places().remove(&id, endpoint);
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn deregistration(id: &str) -> String {
    let mut path = String::from("/v1/agent/service/deregister/");
    encode(&mut path, id);
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_client::{Address, Client};

    /// Three agents.
    fn agents() -> Vec<EndpointId> {
        let address = |port| Address::Http { host: "127.0.0.1".into(), port };
        Client::build(&[address(1), address(2), address(3)], Vec::new())
            .unwrap()
            .endpoints()
            .collect()
    }

    #[test]
    fn what_was_left_is_taken_out_once_it_is_served_here_or_wanted_nowhere() {
        let (agents, now) = (agents(), Instant::now());
        let (a, b) = (agents[0], agents[1]);
        let mut places = Places::default();
        places.add("x", a).wanted = Wanted::Served;
        assert_eq!(places.leftovers(a, now), []);
        // Another agent, which may not have it yet.
        places.add("x", a).wanted = Wanted::Here;
        assert_eq!(places.leftovers(b, now), []);
        places.add("x", b).wanted = Wanted::Served;
        places.add("y", b);
        assert_eq!(places.leftovers(b, now), [("x".to_owned(), a)]);
        places.add("y", a).wanted = Wanted::Nowhere;
        assert_eq!(places.leftovers(b, now), [("x".to_owned(), a), ("y".to_owned(), a)]);
        places.rest_until = Some(now + REST);
        assert_eq!(places.leftovers(b, now), []);
        let later = now + REST;
        places.remove("x", a);
        assert_eq!(places.leftovers(b, later), [("y".to_owned(), a)]);
        places.remove("x", b);
        places.remove("y", a);
        places.remove("y", b);
        assert!(places.instances.is_empty());
    }

    #[test]
    fn others_are_asked_for_a_leader_after_a_while_and_now_and_then() {
        let (mut places, now) = (Places::default(), Instant::now());
        let mut at = |millis| {
            let now = now + Duration::from_millis(millis);
            places.failed(now, now)
        };
        assert!(!at(0));
        assert!(!at(4999));
        assert!(at(5000));
        assert!(!at(5999));
        assert!(at(6000));
        places.leaderless = None;
        let later = now + Duration::from_secs(20);
        assert!(!places.failed(later, later), "it begins anew");
        places.leaderless = None;
        assert!(places.failed(later, later + LEADERLESS), "a late answer was waited for");
    }
}
