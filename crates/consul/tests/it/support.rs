//! The code under test runs on one thread, as in the init program; the tests look on from another.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use catalog::{Catalog, Deregistration, Registrar, Registration};
use consul::{Address, Consul as Client, Options};
use testkit::{Consul, Pending, wait_until};

pub(crate) use testkit::Runtime;

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A client of the agent at `127.0.0.1:PORT`.
pub(crate) fn client(address: &str) -> Arc<dyn Catalog> {
    client_with(address, |_| {})
}

pub(crate) fn client_with(address: &str, change: impl FnOnce(&mut Options)) -> Arc<dyn Catalog> {
    let mut options = Options::new(vec![at(address)]);
    change(&mut options);
    Arc::new(Client::build(options).unwrap())
}

/// A client of whichever of these agents answers.
pub(crate) fn client_of(addresses: &[&str]) -> Arc<dyn Catalog> {
    let addresses = addresses.iter().map(|address| at(address)).collect();
    Arc::new(Client::build(Options::new(addresses)).unwrap())
}

/// `HOST:PORT` without TLS.
pub(crate) fn at(address: &str) -> Address {
    let (host, port) = address.rsplit_once(':').unwrap();
    Address::Http { host: host.to_owned(), port: port.parse().unwrap() }
}

/// One instance of `name`.
pub(crate) fn registration(name: &str) -> Registration {
    Registration {
        id: format!("{name}-host"),
        name: name.to_owned(),
        check_id: format!("service:{name}-host"),
        address: "10.1.2.3".to_owned(),
        port: 8000,
        tags: vec!["a".to_owned(), "b".to_owned()],
        meta: BTreeMap::from([("version".to_owned(), "1".to_owned())]),
        ttl: Duration::from_secs(10),
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}

/// Everything that a test of the registrar needs.
pub(crate) struct Scene {
    pub(crate) consul: Consul,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) registrar: Registrar,
    pub(crate) runtime: Runtime,
}

impl Scene {
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::around(Consul::start())
    }

    pub(crate) fn around(consul: Consul) -> Self {
        listen();
        let runtime = Runtime::start();
        let catalog = client(&consul.address());
        let (registrar, _) = runtime.enter(|| Registrar::spawn(Arc::clone(&catalog)));
        Scene { consul, catalog, registrar, runtime }
    }

    /// States that `registrations` pass, each `every`, until the guard is dropped.
    pub(crate) fn checks(
        &self,
        registrations: &[Arc<Registration>],
        every: Duration,
    ) -> Pending<()> {
        let (registrar, registrations) = (self.registrar.clone(), registrations.to_vec());
        self.runtime.start_one(async move {
            let mut tick = tokio::time::interval(every);
            loop {
                tick.tick().await;
                for registration in &registrations {
                    registrar.passing(registration);
                }
            }
        })
    }

    #[track_caller]
    pub(crate) fn deregister(&self, id: &str, deadline: Duration) -> Deregistration {
        self.runtime.wait(self.registrar.deregister(id, deadline))
    }

    /// Waits until the service has one instance, of that status.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, status: &str) {
        let wanted = vec![(format!("{name}-host"), status.to_owned())];
        wait_until(&format!("{name} is {status}"), LONG, || {
            let seen = self.consul.health(name);
            if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
        });
    }

    /// The lines of the log from `level` on that speak of this scene's agent.
    pub(crate) fn lines(&self, level: log::Level) -> Vec<String> {
        lines(level, &self.consul.address())
    }
}

/// Keeps the log. Tests share the process, so what they look for must be theirs alone.
struct Recorder;

static LOG: LazyLock<Mutex<Vec<(log::Level, String)>>> = LazyLock::new(Mutex::default);

impl log::Log for Recorder {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        if ["catalog", "consul"].iter().any(|ours| record.target().starts_with(ours)) {
            LOG.lock().unwrap().push((record.level(), record.args().to_string()));
        }
    }
    fn flush(&self) {}
}

/// Starts to keep the log.
pub(crate) fn listen() {
    if log::set_logger(&Recorder).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
}

/// The lines at `level` or above that contain `what`.
pub(crate) fn lines(level: log::Level, what: &str) -> Vec<String> {
    let log = LOG.lock().unwrap();
    let wanted = log.iter().filter(|(at, line)| *at <= level && line.contains(what));
    wanted.map(|(_, line)| line.clone()).collect()
}
