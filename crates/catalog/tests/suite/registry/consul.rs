//! A real Consul.

use std::sync::{Arc, Mutex};

use catalog::{Catalog, Registration};
use consul::{Address, Options};
use serde_json::json;
use testkit::http;

use super::{Fault, Registry};

pub(crate) struct Consul(Mutex<testkit::Consul>);

impl Consul {
    pub(crate) fn start() -> Consul {
        // The default of 10 s is more than a test can wait for.
        let config = json!({ "session_ttl_min": "1s" });
        Consul(Mutex::new(testkit::Consul::start_with(config)))
    }
}

impl Registry for Consul {
    fn connect(&self) -> Arc<dyn Catalog> {
        connect(&self.0.lock().unwrap().address())
    }

    fn retag(&self, registration: &Registration, tags: &[&str]) {
        retag(&self.0.lock().unwrap().address(), registration, tags);
    }

    fn set(&self, key: &str, value: &[u8]) {
        put(&self.0.lock().unwrap().address(), &format!("/v1/kv/{key}"), value);
    }

    fn unset(&self, key: &str) {
        delete(&self.0.lock().unwrap().address(), key);
    }

    fn fail(&self, fault: Fault) {
        let mut consul = self.0.lock().unwrap();
        match fault {
            Fault::Frozen => consul.freeze(),
            Fault::Emptied => consul.kill(),
        }
    }

    fn mend(&self, fault: Fault) {
        let mut consul = self.0.lock().unwrap();
        match fault {
            Fault::Frozen => consul.thaw(),
            Fault::Emptied => consul.restart_empty(),
        }
    }
}

/// A client of what speaks Consul's HTTP API there.
pub(crate) fn connect(address: &str) -> Arc<dyn Catalog> {
    let (host, port) = address.rsplit_once(':').unwrap();
    let address = Address::Http { host: host.to_owned(), port: port.parse().unwrap() };
    Arc::new(consul::Consul::build(Options::new(vec![address])).unwrap())
}

pub(crate) fn put(address: &str, path: &str, body: &[u8]) {
    let answer = http("PUT", address, path, body).unwrap();
    assert_eq!(answer.status, 200, "PUT {path}: {}", answer.body);
}

pub(crate) fn delete(address: &str, key: &str) {
    let answer = http("DELETE", address, &format!("/v1/kv/{key}"), "").unwrap();
    assert_eq!(answer.status, 200, "DELETE {key}: {}", answer.body);
}

pub(crate) fn retag(address: &str, registration: &Registration, tags: &[&str]) {
    let body = json!({
        "ID": registration.id, "Name": registration.name, "Address": registration.address,
        "Port": registration.port, "Meta": registration.meta, "Tags": tags,
        "EnableTagOverride": registration.enable_tag_override,
    });
    put(address, "/v1/agent/service/register", body.to_string().as_bytes());
}
