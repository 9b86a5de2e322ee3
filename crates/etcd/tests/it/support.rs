//! The code under test runs on one thread, as in the init program; the tests look on from another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, Error, Index, Instance, KeyQuery, Keys, Query, Registration, Snapshot};
use etcd::{Address, Etcd as Client, Options};
use serde_json::Value;
use testkit::Etcd;

pub(crate) use testkit::{Pending, Runtime};

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Where the registration of `app` is.
pub(crate) const KEY: &str = "/containerpilot/app/app-host";

pub(crate) fn address(address: &str) -> Address {
    let (host, port) = address.rsplit_once(':').unwrap();
    Address::Http { host: host.to_owned(), port: port.parse().unwrap() }
}

/// A client of all members, the first one first.
pub(crate) fn options(etcd: &Etcd) -> Options {
    Options::new(etcd.addresses().iter().map(|member| address(member)).collect())
}

pub(crate) fn build(options: Options) -> Arc<dyn Catalog> {
    Arc::new(Client::build(options).unwrap())
}

pub(crate) fn client(etcd: &Etcd) -> Arc<dyn Catalog> {
    build(options(etcd))
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
        ttl: Duration::from_secs(60),
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}

pub(crate) fn query(service: &str) -> Query {
    Query {
        service: service.to_owned(),
        tag: None,
        datacenter: None,
        near: None,
        max_staleness: Duration::from_secs(10),
    }
}

pub(crate) fn keys(keys: Keys) -> KeyQuery {
    KeyQuery { keys, datacenter: None, max_staleness: Duration::from_secs(10) }
}

/// An instance as `id address:port`.
pub(crate) fn shown(instances: &[Instance]) -> Vec<String> {
    instances.iter().map(|i| format!("{} {}:{}", i.id, i.address, i.port)).collect()
}

/// What a test needs.
pub(crate) struct Scene {
    pub(crate) etcd: Etcd,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) runtime: Runtime,
}

impl Scene {
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::around(Etcd::start())
    }

    pub(crate) fn around(etcd: Etcd) -> Self {
        let catalog = client(&etcd);
        Scene { etcd, catalog, runtime: Runtime::start() }
    }

    /// Runs a request to its end.
    #[track_caller]
    pub(crate) fn ask<T, F>(&self, request: impl FnOnce(Arc<dyn Catalog>) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.runtime.wait(request(Arc::clone(&self.catalog)))
    }

    /// Asks for the instances of `service`.
    pub(crate) fn look(
        &self,
        service: &str,
        after: Option<Index>,
        wait: Duration,
    ) -> Pending<Result<Snapshot, Error>> {
        let (catalog, query) = (Arc::clone(&self.catalog), query(service));
        self.runtime.start_one(async move { catalog.instances(&query, after, wait).await })
    }

    /// The instances of `service` at the moment.
    #[track_caller]
    pub(crate) fn now(&self, service: &str) -> Snapshot {
        self.look(service, None, Duration::ZERO).get().unwrap()
    }

    /// Registers `app` behind everybody's back: an instance of somebody else.
    #[track_caller]
    pub(crate) fn put(&self, id: &str, service: &str, port: u16) {
        let value = serde_json::json!({"id": id, "name": service, "address": "10.0.0.1",
            "port": port, "tags": [format!("port-{port}")]});
        self.etcd.put(&format!("/containerpilot/{service}/{id}"), &value.to_string());
    }

    /// The value of `app`'s key.
    #[track_caller]
    pub(crate) fn value(&self) -> Value {
        let found = self.etcd.keys(KEY);
        assert_eq!(found.len(), 1, "{found:?}");
        serde_json::from_str(&found[0].1).unwrap()
    }
}
