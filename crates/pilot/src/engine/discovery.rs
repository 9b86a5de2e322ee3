//! What the jobs of one configuration have to do with the catalog: their registrations, the watches
//! that jobs wait for, and the elections that we stand in.

use std::{collections::HashMap, sync::Arc, time::Duration};

use catalog::{Availability, Registrar, Registration, Status};
use config::{
    Config,
    election::ElectionId,
    job::{InitialStatus, JobId, Service},
    watch::WatchId,
};
use tokio::task::JoinSet;

use super::{
    elections::{Elections, Standing, Vote},
    registry::Registry,
    watches::{Seen, Watches},
};
use crate::machine::{Deregistration, Instances, Kept, Notified};

/// How long a deregistration may hold up a stop: an agent that answers does so in milliseconds,
/// and one that is frozen must not keep the application from its SIGTERM.
pub(super) const DEREGISTRATION_PATIENCE: Duration = Duration::from_secs(1);

/// How long a deregistration that nobody waits for any more is tried again, for an outage during
/// maintenance or a reload.
pub(super) const DEREGISTRATION_PERSISTENCE: Duration = Duration::from_secs(3600);

/// Why a marked service is critical.
const MARK: &str = "it is about to stop";

/// Why a service is critical whose process is replaced for its health.
const UNHEALTHY: &str = "it is unhealthy, and started again";

/// The catalog as one configuration sees it.
pub(super) struct Discovery {
    registry: Option<Registry>,
    instances: Vec<Option<Instance>>,
    pub(super) watches: Watches,
    pub(super) elections: Elections,
    departures: JoinSet<(Deregistration, Notified)>,
    /// Whose they are.
    departing: HashMap<Deregistration, JobId>,
}

/// One of our services.
struct Instance {
    registration: Arc<Registration>,
    initial: Option<Status>,
    presence: Presence,
}

/// Whether an instance was ever to be in the catalog since it was last taken out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Never,
    Wanted,
    /// As a critical one.
    Marked,
}

/// How it stands with the catalog.
pub(super) struct Connection {
    /// What it is and where.
    pub(super) name: String,
    /// Why it cannot be used; `None`: it answers.
    pub(super) outage: Option<String>,
    /// Since when that is so.
    pub(super) since: std::time::Instant,
}

/// What a change or an answer of the catalog means.
pub(super) enum News {
    /// A watch sees something else now.
    Changed(WatchId),
    /// A deregistration (or marking) is over.
    Deregistered(JobId, Deregistration, Notified),
    /// In an election something has become of us.
    Voted(Vote),
}

impl Discovery {
    /// Prepares everything; what can fail for the configuration's sake fails here. With
    /// `previous`, a catalog that has not changed is kept. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// Certificates or tokens cannot be read.
    pub(super) fn build(
        config: &Config,
        previous: Option<&Discovery>,
    ) -> Result<Discovery, String> {
        let previous = previous.and_then(|discovery| discovery.registry.as_ref());
        let registry = config.catalog.as_ref();
        Ok(Discovery {
            registry: registry.map(|settings| Registry::build(settings, previous)).transpose()?,
            instances: config.jobs.iter().map(instance).collect(),
            watches: Watches::new(config),
            elections: Elections::new(config),
            departures: JoinSet::new(),
            departing: HashMap::new(),
        })
    }

    /// Registers at once, with the initial status.
    pub(super) fn announce(&mut self, job: JobId) {
        if let Some((registrar, instance)) = self.instance(job)
            && let Some(status) = instance.initial
        {
            instance.presence = Presence::Wanted;
            registrar.announce(&instance.registration, status);
        }
    }

    /// A check has passed.
    pub(super) fn passing(&mut self, job: JobId) {
        if let Some((registrar, instance)) = self.instance(job) {
            instance.presence = Presence::Wanted;
            registrar.passing(&instance.registration);
        }
    }

    /// A check has failed.
    pub(super) fn failing(&mut self, job: JobId) {
        if let Some((registrar, instance)) = self.instance(job) {
            registrar.failing(&instance.registration.id);
        }
    }

    /// Whoever looks the job's service up is not sent there until a check passes again.
    pub(super) fn mark_unhealthy(&mut self, job: JobId) {
        if let Some((registrar, instance)) = self.instance(job)
            && instance.presence == Presence::Wanted
        {
            // It counts from now on, whether or not anybody waits for it.
            let id = &instance.registration.id;
            drop(registrar.mark(id, UNHEALTHY, DEREGISTRATION_PERSISTENCE));
        }
    }

    /// Begins; [`Discovery::next`] tells when it is over, or has taken so long that nobody should
    /// wait for it.
    pub(super) fn deregister(&mut self, job: JobId, number: Deregistration) {
        let outcome = self.instance(job).map(|(registrar, instance)| {
            let before = std::mem::replace(&mut instance.presence, Presence::Never);
            let id = instance.registration.id.clone();
            let outcome = registrar.deregister(&id, DEREGISTRATION_PERSISTENCE);
            (before, id, outcome)
        });
        let (before, id, outcome) = match outcome {
            Some((before, id, outcome)) => (before, id, Some(outcome)),
            None => (Presence::Never, String::new(), None),
        };
        self.departing.insert(number, job);
        self.departures.spawn(async move {
            let notified = match outcome {
                Some(outcome) => departed(before, &id, "taken out of the catalog", outcome).await,
                None => Notified::No,
            };
            (number, notified)
        });
    }

    /// The same, but the instance stays, as critical.
    pub(super) fn mark(&mut self, job: JobId, number: Deregistration) {
        let outcome = self.instance(job).map(|(registrar, instance)| {
            let before = instance.presence;
            if before == Presence::Wanted {
                instance.presence = Presence::Marked;
            }
            let id = instance.registration.id.clone();
            let outcome = registrar.mark(&id, MARK, DEREGISTRATION_PERSISTENCE);
            (before, id, outcome)
        });
        self.departing.insert(number, job);
        self.departures.spawn(async move {
            let notified = match outcome {
                Some((before, id, outcome)) => {
                    departed(before, &id, "marked as critical in the catalog", outcome).await
                }
                None => Notified::No,
            };
            (number, notified)
        });
    }

    /// The instances of kept jobs are as they were. If the catalog is another one they leave the old
    /// one; if it is the same with other settings (a new token), it needs to hear nothing of that.
    /// Either way they are registered at once, as healthy as they are.
    pub(super) fn keep(
        &mut self,
        previous: &mut Discovery,
        kept: &Kept,
        is_healthy: impl Fn(JobId) -> bool,
    ) {
        self.elections.keep(&mut previous.elections, kept);
        self.departures = std::mem::take(&mut previous.departures);
        let departing = previous.departing.drain();
        self.departing =
            departing.filter_map(|(number, job)| Some((number, kept.new_place(job)?))).collect();
        let (old_registry, registry) = (&previous.registry, &self.registry);
        let same = registry.is_some() && self.asks_as(previous);
        for (old, new) in kept.pairs() {
            let (Some(Some(before)), Some(Some(instance))) =
                (previous.instances.get(old.0), self.instances.get_mut(new.0))
            else {
                continue;
            };
            if same || before.presence == Presence::Never {
                instance.presence = before.presence;
                continue;
            }
            let moved = old_registry
                .as_ref()
                .filter(|old| !registry.as_ref().is_some_and(|new| old.is_where(new)));
            if let Some(left) = moved {
                // It counts from now on, whether or not anybody waits for it.
                let id = &before.registration.id;
                drop(left.registrar.deregister(id, DEREGISTRATION_PERSISTENCE));
            }
            if let Some(Registry { registrar, .. }) = registry {
                instance.presence = before.presence;
                if before.presence == Presence::Marked {
                    registrar.announce(&instance.registration, Status::Critical);
                } else if is_healthy(new) {
                    registrar.passing(&instance.registration);
                } else {
                    let status = instance.initial.unwrap_or(Status::Critical);
                    registrar.announce(&instance.registration, status);
                }
            }
        }
    }

    /// The catalog itself; `None`: there is none.
    pub(super) fn catalog(&self) -> Option<&Arc<dyn catalog::Catalog>> {
        self.registry.as_ref().map(|registry| &registry.catalog)
    }

    /// Whether both ask the same catalog by the same client.
    pub(super) fn asks_as(&self, other: &Discovery) -> bool {
        match (&self.registry, &other.registry) {
            (Some(one), Some(other)) => one.is(other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// What a watch has seen last; `None`: it has seen nothing yet.
    pub(super) fn seen(&self, id: WatchId) -> Option<Instances> {
        self.watches.seen(id).map(Seen::instances)
    }

    /// Begins to watch.
    pub(super) fn watch(&mut self, id: WatchId) {
        if let Some(registry) = &self.registry {
            self.watches.begin(id, &registry.catalog);
        }
    }

    /// Stands in an election.
    pub(super) fn stand(&mut self, id: ElectionId) {
        if let Some(registry) = &self.registry {
            self.elections.stand(id, registry);
        }
    }

    /// Jobs hear now that we are elected. Answers with the variable and its value that they find.
    pub(super) fn elected(&mut self, id: ElectionId) -> Option<(String, u64)> {
        self.elections.elected(id, self.registry.as_ref()?)
    }

    /// Jobs hear now that we lead no more. Answers with the variable that they find no more.
    pub(super) fn demoted(&mut self, id: ElectionId) -> Option<String> {
        self.elections.demoted(id, self.registry.as_ref()?)
    }

    /// An election as it is now.
    pub(super) fn standing(&self, id: ElectionId) -> Option<Standing> {
        self.elections.standing(id, self.registry.as_ref())
    }

    /// Tells of every request to the catalog from now on.
    pub(super) fn observe(&self, observer: &Arc<dyn catalog::Observer>) {
        if let Some(registry) = &self.registry {
            registry.catalog.reachability().observe(Arc::clone(observer));
        }
    }

    /// Whether the catalog has acknowledged a job's service.
    pub(super) fn is_registered(&self, job: JobId) -> bool {
        let instance = self.instances.get(job.0).and_then(Option::as_ref);
        let registrar = self.registry.as_ref().map(|registry| &registry.registrar);
        instance
            .zip(registrar)
            .is_some_and(|(instance, registrar)| registrar.is_registered(&instance.registration.id))
    }

    /// How it stands with the catalog; `None`: there is none.
    pub(super) fn connection(&self) -> Option<Connection> {
        let reachability = self.registry.as_ref()?.catalog.reachability();
        let (outage, since) = match reachability.availability() {
            Availability::Up { since } => (None, since),
            Availability::Down { since, reason } => (Some(reason), since),
        };
        Some(Connection { name: reachability.name().to_owned(), outage, since })
    }

    /// The next thing that the catalog says. Cancel safe.
    pub(super) async fn next(&mut self) -> News {
        loop {
            tokio::select! {
                vote = self.elections.next(self.registry.as_ref()) => return News::Voted(vote),
                watch = self.watches.next() => return News::Changed(watch),
                Some(over) = self.departures.join_next() => {
                    // A task that panicked would have ended the program; none is ever aborted.
                    if let Ok((number, notified)) = over
                        && let Some(job) = self.departing.remove(&number)
                    {
                        return News::Deregistered(job, number, notified);
                    }
                }
            }
        }
    }

    fn instance(&mut self, job: JobId) -> Option<(&Registrar, &mut Instance)> {
        let instance = self.instances.get_mut(job.0)?.as_mut()?;
        Some((&self.registry.as_ref()?.registrar, instance))
    }
}

/// Waits for what comes of a deregistration, or a mark, but not for long.
async fn departed(
    before: Presence,
    id: &str,
    wish: &str,
    outcome: impl Future<Output = catalog::Deregistration>,
) -> Notified {
    let outcome = tokio::time::timeout(DEREGISTRATION_PATIENCE, outcome).await;
    match outcome {
        _ if before == Presence::Never => Notified::No,
        Ok(catalog::Deregistration::Acknowledged) => Notified::Yes,
        Ok(catalog::Deregistration::GaveUp(why)) => {
            log::warn!("{id} could not be {wish}: {why}");
            Notified::No
        }
        Err(_) => {
            log::warn!(
                "{id} could not be {wish} within {DEREGISTRATION_PATIENCE:?}; it is tried again \
                 as long as we run, and stays there otherwise until its time to live is over"
            );
            Notified::No
        }
    }
}

fn instance(job: &config::Job) -> Option<Instance> {
    let service = job.service.as_ref()?;
    let initial = service.initial_status.map(|status| match status {
        InitialStatus::Passing => Status::Passing,
        InitialStatus::Warning => Status::Warning,
        InitialStatus::Critical => Status::Critical,
    });
    let registration = Arc::new(registration(service));
    Some(Instance { registration, initial, presence: Presence::Never })
}

/// A service as the catalog is told of it.
pub(super) fn registration(service: &Service) -> Registration {
    Registration {
        id: service.id.clone(),
        name: service.name.clone(),
        check_id: service.check_id.clone(),
        address: service.address.to_string(),
        port: service.port,
        tags: service.tags.clone(),
        meta: service.meta.clone(),
        ttl: service.ttl,
        enable_tag_override: service.enable_tag_override,
        deregister_critical_after: service.deregister_critical_after,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Instant};

    use catalog::{Catalog, memory::Memory};

    use super::*;
    use crate::machine::{Input, Machine};

    const WEB: JobId = JobId(0);

    fn advertising(token: &str) -> Arc<Config> {
        let text = r#"{ consul: { address: "c:1", token: "TOKEN" }, jobs: [{ name: "web",
            exec: "web", port: 80, interfaces: "static:10.0.0.1", drain: { time: 2, mark: true },
            health: { exec: "true", interval: 1, ttl: 5 } }] }"#;
        let text = text.replace("TOKEN", token);
        let source = config::Source { name: "app.json5".into(), text };
        let host = config::Host {
            environment: BTreeMap::new(),
            hostname: "here".into(),
            addresses: Vec::new(),
        };
        Arc::new(config::load(&source, &[], &host).unwrap())
    }

    fn discovery(config: &Config) -> (Discovery, Arc<Memory>) {
        let memory = Arc::new(Memory::new());
        let catalog: Arc<dyn Catalog> = Arc::clone(&memory) as _;
        let mut discovery = Discovery::build(config, None).unwrap();
        discovery.registry = Some(Registry::over(config.catalog.as_ref().unwrap(), catalog));
        (discovery, memory)
    }

    async fn status(memory: &Memory) -> Status {
        let look = async {
            loop {
                if let Some((_, status)) = memory.get("web-here") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), look).await.unwrap()
    }

    /// By another token, say, in the middle of maintenance, although its last check has passed.
    #[tokio::test]
    async fn what_is_marked_is_not_healthy_by_a_reload() {
        let (config, next) = (advertising("one"), advertising("other"));
        let now = Instant::now();
        let mut machine = Machine::new(Arc::clone(&config), now);
        machine.on(Input::Start, now);
        machine.retire(Arc::clone(&next), now);
        let (_, kept) = machine.succeed(|_| None, |_| Vec::new(), now).unwrap();
        for marked in [false, true] {
            let (mut before, memory) = discovery(&config);
            before.passing(WEB);
            assert_eq!(status(&memory).await, Status::Passing);
            if marked {
                before.mark(WEB, Deregistration::default());
            }
            let (mut after, memory) = discovery(&next);
            after.keep(&mut before, &kept, |_| true);
            let wanted = if marked { Status::Critical } else { Status::Passing };
            assert_eq!(status(&memory).await, wanted);
        }
    }
}
