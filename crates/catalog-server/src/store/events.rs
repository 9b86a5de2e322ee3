//! The events that were fired: small messages that clients leave for each other.

use std::collections::VecDeque;

use super::{Store, Topic};

/// How many events are kept, as in Consul.
const KEPT: usize = 256;

/// An event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// A UUID.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) payload: Vec<u8>,
    /// Regular expressions of those that it is meant for; empty is everybody.
    pub(crate) node: String,
    pub(crate) service: String,
    pub(crate) tag: String,
    /// How many were fired before it.
    pub(crate) time: u64,
}

impl Event {
    /// What a query has that has seen this event last. Consul makes it of the id, and its command
    /// line computes it from the id again.
    pub(crate) fn index(&self) -> u64 {
        let hex: String = self.id.chars().filter(|c| *c != '-').collect();
        let id = u128::from_str_radix(&hex, 16).unwrap_or_default();
        ((id >> 64) ^ id) as u64
    }
}

/// The latest events, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Events {
    kept: VecDeque<Event>,
    fired: u64,
}

impl Store {
    /// The events of a name, oldest first; an empty name is all.
    pub(crate) fn events<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Event> {
        self.events.kept.iter().filter(move |event| name.is_empty() || event.name == name)
    }

    /// What a query has that has seen all events of a name. It does not grow: it only differs.
    pub(crate) fn event_index(&self, name: &str) -> u64 {
        self.events(name).last().map_or(1, Event::index)
    }

    /// Adds an event.
    pub(crate) fn add_event(&mut self, event: Event) {
        let events = &mut self.events;
        events.fired += 1;
        events.kept.push_back(Event { time: events.fired, ..event });
        if events.kept.len() > KEPT {
            events.kept.pop_front();
        }
        self.topics.waiters.ring(&Topic::Events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, name: &str) -> Event {
        let (id, name) = (id.to_owned(), name.to_owned());
        let (node, service, tag) = Default::default();
        Event { id, name, payload: Vec::new(), node, service, tag, time: 0 }
    }

    #[test]
    fn an_index_is_what_consul_makes_of_the_id() {
        // As a Consul answered.
        let event = event("b18f6f0c-f0fe-80bb-5038-d997adfe1dc4", "e");
        assert_eq!(event.index(), 16_264_669_357_668_343_167);
    }

    #[test]
    fn the_latest_are_kept() {
        let mut store = Store::default();
        assert_eq!(store.event_index(""), 1);
        for n in 0..KEPT + 1 {
            store.add_event(event(&format!("{n:032x}"), if n % 2 == 0 { "even" } else { "odd" }));
        }
        assert_eq!(store.events("").count(), KEPT);
        assert_eq!(store.events("").next().map(|event| event.time), Some(2));
        assert_eq!(store.event_index("even"), KEPT as u64);
        assert_eq!(store.event_index("odd"), KEPT as u64 - 1);
    }
}
