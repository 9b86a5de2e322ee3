//! A real etcd.

use std::sync::{Arc, Mutex};

use catalog::{Catalog, Registration};
use etcd::{Address, Options};
use serde_json::json;

use super::{Fault, Registry};

pub(crate) struct Etcd(Mutex<testkit::Etcd>);

impl Etcd {
    pub(crate) fn start() -> Etcd {
        Etcd(Mutex::new(testkit::Etcd::start()))
    }
}

impl Registry for Etcd {
    fn connect(&self) -> Arc<dyn Catalog> {
        let address = self.0.lock().unwrap().address();
        let (host, port) = address.rsplit_once(':').unwrap();
        let address = Address::Http { host: host.to_owned(), port: port.parse().unwrap() };
        Arc::new(etcd::Etcd::build(Options::new(vec![address])).unwrap())
    }

    fn retag(&self, registration: &Registration, tags: &[&str]) {
        let Registration { id, name, address, port, meta, .. } = registration;
        let key = format!("/containerpilot/{name}/{id}");
        let value = json!({
            "id": id, "name": name, "address": address, "port": port, "meta": meta, "tags": tags,
        });
        self.0.lock().unwrap().put_under_its_lease(&key, &value.to_string());
    }

    fn set(&self, key: &str, value: &[u8]) {
        self.0.lock().unwrap().put_bytes(key, value);
    }

    fn unset(&self, key: &str) {
        self.0.lock().unwrap().delete(key);
    }

    fn fail(&self, fault: Fault) {
        let mut etcd = self.0.lock().unwrap();
        match fault {
            Fault::Frozen => etcd.freeze(0),
            Fault::Emptied => etcd.kill(0),
        }
    }

    fn mend(&self, fault: Fault) {
        let mut etcd = self.0.lock().unwrap();
        match fault {
            Fault::Frozen => etcd.thaw(0),
            Fault::Emptied => etcd.restart_empty(),
        }
    }
}
