//! What the jobs of one configuration have to do with the catalog: their registrations, and the
//! watches that jobs wait for.

use std::{sync::Arc, time::Duration};

use catalog::{Availability, Catalog, Freshness, Query, Registrar, Registration, Status};
use config::{
    Config, Generation,
    catalog::ConsulAddress,
    job::{InitialStatus, JobId},
    watch::{Subject, WatchId},
};
use consul::{Address, Consul, Options, Tls, Token};
use tokio::{sync::mpsc, task::JoinSet};

use crate::machine::{Deregistration, Instances, Kept, Notified};

/// What etcd is answered with.
pub(super) const NO_ETCD: &str =
    "etcd: this version registers in Consul only; name a Consul agent with `consul` instead";

/// How long a deregistration may hold up a stop: an agent that answers does so in milliseconds,
/// and one that is frozen must not keep the application from its SIGTERM.
const DEREGISTRATION_PATIENCE: Duration = Duration::from_secs(1);

/// How long a deregistration that nobody waits for any more is tried again, for an outage during
/// maintenance or a reload.
const DEREGISTRATION_PERSISTENCE: Duration = Duration::from_secs(3600);

/// Changes that a slow moment of the event loop may leave waiting, before watches wait in turn.
const CHANGES: usize = 64;

/// The catalog as one configuration sees it.
pub(super) struct Discovery {
    registry: Option<Registry>,
    identity: Identity,
    instances: Vec<Option<Instance>>,
    /// What is watched, and what was seen there last; `None`: nothing yet.
    queries: Vec<(Query, Option<Arc<[catalog::Instance]>>)>,
    /// How old that knowledge is.
    freshness: Vec<Option<Freshness>>,
    watches: JoinSet<()>,
    changes: mpsc::Receiver<(WatchId, Arc<[catalog::Instance]>)>,
    changed: mpsc::Sender<(WatchId, Arc<[catalog::Instance]>)>,
    deregistrations: JoinSet<(JobId, Deregistration, Notified)>,
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
    fn of(self, instances: &[catalog::Instance]) -> Vec<(String, String, u16)> {
        let id = |instance: &catalog::Instance| match self {
            Identity::Place => String::new(),
            Identity::IdAndPlace => instance.id.clone(),
        };
        let mut places: Vec<_> = instances
            .iter()
            .map(|instance| (id(instance), instance.address.clone(), instance.port))
            .collect();
        places.sort_unstable();
        places
    }
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
}

/// A catalog and the task that keeps our instances registered there. It outlives a
/// configuration whose successor names the same catalog.
struct Registry {
    settings: config::Catalog,
    catalog: Arc<dyn Catalog>,
    registrar: Registrar,
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
    /// These instances are healthy now.
    Changed(WatchId, Arc<[catalog::Instance]>),
    /// A deregistration (or marking) is over.
    Deregistered(JobId, Deregistration, Notified),
}

impl Discovery {
    /// Prepares everything; what can fail for the configuration's sake fails here. With
    /// `previous`, a catalog that has not changed is kept. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// Certificates cannot be read, or the catalog is of a kind that this version cannot use.
    pub(super) fn build(
        config: &Config,
        previous: Option<&Discovery>,
    ) -> Result<Discovery, String> {
        let queries: Vec<_> = config.watches.iter().map(|watch| (query(watch), None)).collect();
        let previous = previous.and_then(|discovery| discovery.registry.as_ref());
        let registry = match (&config.catalog, previous) {
            (None, _) => None,
            (Some(settings), Some(same)) if same.settings == *settings => Some(Registry {
                settings: settings.clone(),
                catalog: Arc::clone(&same.catalog),
                registrar: same.registrar.clone(),
            }),
            (Some(settings), _) => Some(Registry::build(settings)?),
        };
        let (changed, changes) = mpsc::channel(CHANGES);
        Ok(Discovery {
            registry,
            identity: match config.generation {
                Generation::V2 => Identity::Place,
                Generation::V3 => Identity::IdAndPlace,
            },
            instances: config.jobs.iter().map(instance).collect(),
            freshness: vec![None; queries.len()],
            queries,
            watches: JoinSet::new(),
            changes,
            changed,
            deregistrations: JoinSet::new(),
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

    /// Begins; [`Discovery::next`] tells when it is over, or has taken so long that nobody should
    /// wait for it.
    pub(super) fn deregister(&mut self, job: JobId, number: Deregistration) {
        let outcome = self.instance(job).map(|(registrar, instance)| {
            let before = std::mem::replace(&mut instance.presence, Presence::Never);
            let id = instance.registration.id.clone();
            let outcome = registrar.deregister(&id, DEREGISTRATION_PERSISTENCE);
            (before, id, outcome)
        });
        self.deregistrations.spawn(async move {
            let Some((before, id, outcome)) = outcome else { return (job, number, Notified::No) };
            let outcome = tokio::time::timeout(DEREGISTRATION_PATIENCE, outcome).await;
            let notified = match outcome {
                _ if before == Presence::Never => Notified::No,
                Ok(catalog::Deregistration::Acknowledged) => Notified::Yes,
                Ok(catalog::Deregistration::GaveUp(why)) => {
                    log::warn!("{id} could not be taken out of the catalog: {why}");
                    Notified::No
                }
                Err(_) => {
                    log::warn!(
                        "{id} could not be taken out of the catalog within \
                         {DEREGISTRATION_PATIENCE:?}; it is tried again for an hour, or as long as we run"
                    );
                    Notified::No
                }
            };
            (job, number, notified)
        });
    }

    /// What the same watches of the previous configuration have seen is no change.
    pub(super) fn inherit(&mut self, previous: &Discovery) {
        for (query, known) in &mut self.queries {
            if let Some((_, seen)) = previous.queries.iter().find(|(other, _)| same(other, query)) {
                known.clone_from(seen);
            }
        }
    }

    /// The instances of kept jobs are as they were. If the catalog is another one they leave the old
    /// one; if it is the same with other settings (a new token), it needs to hear nothing of that.
    /// Either way they are registered at once, as healthy as they are.
    pub(super) fn keep(
        &mut self,
        previous: &Discovery,
        kept: &Kept,
        is_healthy: impl Fn(JobId) -> bool,
    ) {
        let (old_registry, registry) = (&previous.registry, &self.registry);
        let same = match (old_registry, registry) {
            (Some(old), Some(new)) => Arc::ptr_eq(&old.catalog, &new.catalog),
            _ => false,
        };
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
                instance.presence = Presence::Wanted;
                if is_healthy(new) {
                    registrar.passing(&instance.registration);
                } else {
                    let status = instance.initial.unwrap_or(Status::Critical);
                    registrar.announce(&instance.registration, status);
                }
            }
        }
    }

    /// What a watch has seen last; `None`: it has seen nothing yet.
    pub(super) fn seen(&self, id: WatchId) -> Option<Instances> {
        let (_, known) = self.queries.get(id.0)?;
        Some(Instances::of(known.as_ref()?))
    }

    /// Begins to watch.
    pub(super) fn watch(&mut self, id: WatchId) {
        let (Some(registry), Some((query, known))) = (&self.registry, self.queries.get(id.0))
        else {
            return;
        };
        let catalog = Arc::clone(&registry.catalog);
        let known = known.clone().unwrap_or_else(|| Arc::from([]));
        let mut watch = catalog::watch_from(catalog, query.clone(), Arc::clone(&known));
        if let Some(freshness) = self.freshness.get_mut(id.0) {
            *freshness = Some(watch.freshness());
        }
        let changed = self.changed.clone();
        let identity = self.identity;
        let mut seen = identity.of(&known);
        self.watches.spawn(async move {
            loop {
                let instances = watch.changed().await;
                let now = identity.of(&instances);
                if std::mem::replace(&mut seen, now.clone()) == now {
                    continue;
                }
                if changed.send((id, instances)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Ends all watches. A change that they have seen and nobody has heard of yet is not known.
    pub(super) fn unwatch(&mut self) {
        self.watches.abort_all();
        (self.changed, self.changes) = mpsc::channel(CHANGES);
    }

    /// The healthy instances that a watch has seen last.
    pub(super) fn instances(&self, id: WatchId) -> &[catalog::Instance] {
        self.queries.get(id.0).and_then(|(_, known)| known.as_deref()).unwrap_or_default()
    }

    /// How long ago the catalog has confirmed that; `None`: it has not answered yet.
    pub(super) fn age(&self, id: WatchId, now: std::time::Instant) -> Option<Duration> {
        self.freshness.get(id.0)?.as_ref()?.age(now)
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
                Some((watch, instances)) = self.changes.recv() => {
                    if let Some((_, known)) = self.queries.get_mut(watch.0) {
                        *known = Some(Arc::clone(&instances));
                    }
                    return News::Changed(watch, instances);
                }
                Some(over) = self.deregistrations.join_next() => {
                    // A task that panicked would have ended the program; none is ever aborted.
                    if let Ok((job, number, notified)) = over {
                        return News::Deregistered(job, number, notified);
                    }
                }
                else => std::future::pending().await,
            }
        }
    }

    fn instance(&mut self, job: JobId) -> Option<(&Registrar, &mut Instance)> {
        let instance = self.instances.get_mut(job.0)?.as_mut()?;
        Some((&self.registry.as_ref()?.registrar, instance))
    }
}

impl Registry {
    /// Whether both are the same catalog, whatever else differs.
    fn is_where(&self, other: &Registry) -> bool {
        match (&self.settings, &other.settings) {
            (config::Catalog::Consul(one), config::Catalog::Consul(other)) => {
                one.addresses == other.addresses
            }
            (one, other) => one == other,
        }
    }

    fn build(settings: &config::Catalog) -> Result<Registry, String> {
        let catalog: Arc<dyn Catalog> = match settings {
            config::Catalog::Consul(consul) => {
                let options = Options {
                    token: consul.token.as_ref().map(token),
                    namespace: consul.namespace.clone(),
                    partition: consul.partition.clone(),
                    max_stale: consul.max_stale,
                    ..Options::new(consul.addresses.iter().map(address).collect())
                };
                Arc::new(Consul::build(options).map_err(|error| error.to_string())?)
            }
            config::Catalog::Etcd(_) => {
                return Err(NO_ETCD.to_owned());
            }
        };
        // The task ends with the last handle, that is with the last configuration that uses it.
        let (registrar, _task) = Registrar::spawn(Arc::clone(&catalog));
        Ok(Registry { settings: settings.clone(), catalog, registrar })
    }
}

fn token(token: &config::catalog::Token) -> Token {
    match token {
        config::catalog::Token::Value(secret) => Token::Value(secret.0.clone()),
        config::catalog::Token::File(path) => Token::File(path.clone()),
    }
}

fn address(address: &ConsulAddress) -> Address {
    match address {
        ConsulAddress::Http { host, port } => Address::Http { host: host.clone(), port: *port },
        ConsulAddress::Https { host, port, tls } => Address::Https {
            host: host.clone(),
            port: *port,
            tls: Tls {
                ca_file: tls.ca_file.clone(),
                ca_path: tls.ca_path.clone(),
                client_cert: tls.client_cert.clone(),
                client_key: tls.client_key.clone(),
                server_name: tls.server_name.clone(),
                insecure: tls.insecure,
            },
        },
        ConsulAddress::Unix(path) => Address::Unix(path.clone()),
    }
}

fn instance(job: &config::Job) -> Option<Instance> {
    let service = job.service.as_ref()?;
    let registration = Registration {
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
    };
    let initial = service.initial_status.map(|status| match status {
        InitialStatus::Passing => Status::Passing,
        InitialStatus::Warning => Status::Warning,
        InitialStatus::Critical => Status::Critical,
    });
    let registration = Arc::new(registration);
    Some(Instance { registration, initial, presence: Presence::Never })
}

fn query(watch: &config::Watch) -> Query {
    let (service, tag, near) = match &watch.subject {
        Subject::Service(query) => (query.service.clone(), query.tag.clone(), query.near.clone()),
        Subject::Key(key) | Subject::Keys(key) => (key.clone(), None, None),
    };
    Query {
        service,
        tag,
        near,
        datacenter: watch.datacenter.clone(),
        max_staleness: watch.interval,
    }
}

/// Whether two queries ask for the same instances.
fn same(a: &Query, b: &Query) -> bool {
    (&a.service, &a.tag, &a.datacenter) == (&b.service, &b.tag, &b.datacenter)
}
