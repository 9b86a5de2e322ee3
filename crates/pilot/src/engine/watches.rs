//! Watches at work: what each follows, and what it has seen last.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::{Catalog, Entry, Freshness, Instance, KeyQuery, Keys, Query};
use config::{
    Config, Generation,
    watch::{Subject, WatchId},
};
use tokio::{sync::mpsc, task::JoinSet};

use crate::machine::Instances;

/// Changes that a slow moment of the event loop may leave waiting, before watches wait in turn.
const CHANGES: usize = 64;

/// What a watch has seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// Healthy instances.
    Instances(Arc<[Instance]>),
    /// Keys and their values.
    Entries(Arc<[Entry]>),
}

impl Seen {
    /// What a watch has seen before it has seen anything.
    pub(super) fn nothing(subject: &Subject) -> Seen {
        match subject {
            Subject::Service(_) => Seen::Instances(Arc::from([])),
            Subject::Key(_) | Subject::Keys(_) => Seen::Entries(Arc::from([])),
        }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        match self {
            Seen::Instances(instances) => instances.len(),
            Seen::Entries(entries) => entries.len(),
        }
    }

    /// Whether there are any.
    pub(super) fn instances(&self) -> Instances {
        if self.len() == 0 { Instances::None } else { Instances::Some }
    }
}

/// All watches of one configuration.
pub(super) struct Watches {
    identity: Identity,
    watches: Vec<Watch>,
    tasks: JoinSet<()>,
    changes: mpsc::Receiver<(WatchId, Seen)>,
    changed: mpsc::Sender<(WatchId, Seen)>,
}

struct Watch {
    settings: config::Watch,
    /// `None`: nothing yet.
    seen: Option<Seen>,
    /// How old that knowledge is.
    freshness: Option<Freshness>,
}

/// What makes two instances the same, in each generation of configurations.
#[derive(Clone, Copy)]
enum Identity {
    /// 2.x: where it is. An instance that comes back under another id is no change.
    Place,
    /// 3.x: its id too.
    IdAndPlace,
}

impl Identity {
    fn of(self, instances: &[Instance]) -> Vec<String> {
        let place = |instance: &Instance| {
            let Instance { id, address, port, .. } = instance;
            match self {
                Identity::Place => format!("{address}:{port}"),
                Identity::IdAndPlace => format!("{address}:{port} {id}"),
            }
        };
        let mut places: Vec<String> = instances.iter().map(place).collect();
        places.sort_unstable();
        places
    }
}

impl Watches {
    /// Those of a configuration; none has begun.
    pub(super) fn new(config: &Config) -> Watches {
        let (changed, changes) = mpsc::channel(CHANGES);
        let watch =
            |watch: &config::Watch| Watch { settings: watch.clone(), seen: None, freshness: None };
        Watches {
            identity: match config.generation {
                Generation::V2 => Identity::Place,
                Generation::V3 => Identity::IdAndPlace,
            },
            watches: config.watches.iter().map(watch).collect(),
            tasks: JoinSet::new(),
            changes,
            changed,
        }
    }

    /// What the same watches of the previous configuration have seen is no change.
    pub(super) fn inherit(&mut self, previous: &Watches) {
        for watch in &mut self.watches {
            let same = |other: &&Watch| {
                (&other.settings.subject, &other.settings.datacenter)
                    == (&watch.settings.subject, &watch.settings.datacenter)
            };
            if let Some(same) = previous.watches.iter().find(same) {
                watch.seen.clone_from(&same.seen);
            }
        }
    }

    /// Begins to watch.
    pub(super) fn begin(&mut self, id: WatchId, catalog: &Arc<dyn Catalog>) {
        let Some(watch) = self.watches.get_mut(id.0) else { return };
        let (catalog, changed) = (Arc::clone(catalog), self.changed.clone());
        let known = watch.seen.clone().unwrap_or_else(|| Seen::nothing(&watch.settings.subject));
        let settings = &watch.settings;
        let datacenter = settings.datacenter.clone();
        let max_staleness = settings.interval;
        watch.freshness = match (&settings.subject, known) {
            (Subject::Service(query), Seen::Instances(known)) => {
                let query = Query {
                    service: query.service.clone(),
                    tag: query.tag.clone(),
                    near: query.near.clone(),
                    datacenter,
                    max_staleness,
                };
                let identity = self.identity;
                let mut seen = identity.of(&known);
                let mut watch = catalog::watch_from(catalog, query, known);
                let freshness = watch.freshness();
                self.tasks.spawn(async move {
                    loop {
                        let instances = watch.changed().await;
                        let now = identity.of(&instances);
                        if std::mem::replace(&mut seen, now.clone()) == now {
                            continue;
                        }
                        if changed.send((id, Seen::Instances(instances))).await.is_err() {
                            return;
                        }
                    }
                });
                Some(freshness)
            }
            (Subject::Key(name) | Subject::Keys(name), Seen::Entries(known)) => {
                let keys = match settings.subject {
                    Subject::Key(_) => Keys::One(name.clone()),
                    _ => Keys::Under(name.clone()),
                };
                let query = KeyQuery { keys, datacenter, max_staleness };
                let mut watch = catalog::watch_keys_from(catalog, query, known);
                let freshness = watch.freshness();
                self.tasks.spawn(async move {
                    loop {
                        let entries = watch.changed().await;
                        if changed.send((id, Seen::Entries(entries))).await.is_err() {
                            return;
                        }
                    }
                });
                Some(freshness)
            }
            // What is seen is of the subject's kind.
            _ => None,
        };
    }

    /// Ends all. A change that was seen and that nobody has heard of yet is not known.
    pub(super) fn end(&mut self) {
        self.tasks.abort_all();
        (self.changed, self.changes) = mpsc::channel(CHANGES);
    }

    /// What a watch has seen last; `None`: nothing yet.
    pub(super) fn seen(&self, id: WatchId) -> Option<&Seen> {
        self.watches.get(id.0)?.seen.as_ref()
    }

    /// How long ago the catalog has confirmed that; `None`: it has not answered yet.
    pub(super) fn age(&self, id: WatchId, now: Instant) -> Option<Duration> {
        self.watches.get(id.0)?.freshness.as_ref()?.age(now)
    }

    /// The next change. Cancel safe.
    pub(super) async fn next(&mut self) -> WatchId {
        match self.changes.recv().await {
            Some((id, seen)) => {
                if let Some(watch) = self.watches.get_mut(id.0) {
                    watch.seen = Some(seen);
                }
                id
            }
            // We have a sender ourselves.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_under_another_id_is_another_in_3_x() {
        let instance = |id: &str, address: &str, port| Instance {
            id: id.to_owned(),
            name: "db".to_owned(),
            address: address.to_owned(),
            port,
            tags: Vec::new(),
            meta: std::collections::BTreeMap::new(),
            node: String::new(),
        };
        let known = [instance("a", "10.0.0.1", 80), instance("b", "10.0.0.2", 80)];
        let turned = [known[1].clone(), known[0].clone()];
        let renamed = [instance("c", "10.0.0.1", 80), known[1].clone()];
        let moved = [instance("a", "10.0.0.1", 81), known[1].clone()];
        for (identity, same) in [(Identity::Place, true), (Identity::IdAndPlace, false)] {
            assert_eq!(identity.of(&known), identity.of(&turned));
            assert_eq!(identity.of(&known) == identity.of(&renamed), same);
            assert_ne!(identity.of(&known), identity.of(&moved));
            assert_ne!(identity.of(&known), identity.of(&known[..1]));
        }
    }
}
