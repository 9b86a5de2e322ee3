//! Keys on a real agent.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, Entries, Error, Index, KeyQuery, Keys};
use testkit::Consul;

use crate::support::{LONG, Runtime, client};

struct Store {
    consul: Consul,
    catalog: Arc<dyn Catalog>,
    runtime: Runtime,
}

impl Store {
    fn start() -> Self {
        let consul = Consul::start();
        let catalog = client(&consul.address());
        Store { consul, catalog, runtime: Runtime::start() }
    }

    fn put(&self, key: &str, value: &[u8]) {
        assert_eq!(self.consul.request("PUT", &format!("/v1/kv/{key}"), value).status, 200);
    }

    fn delete(&self, key: &str) {
        assert_eq!(self.consul.request("DELETE", &format!("/v1/kv/{key}"), "").status, 200);
    }

    #[track_caller]
    fn read(&self, keys: Keys, after: Option<Index>) -> Result<Entries, Error> {
        self.runtime.wait(read(Arc::clone(&self.catalog), keys, after))
    }
}

async fn read(
    catalog: Arc<dyn Catalog>,
    keys: Keys,
    after: Option<Index>,
) -> Result<Entries, Error> {
    let query = KeyQuery { keys, datacenter: None, max_staleness: LONG };
    catalog.entries(&query, after, Duration::from_secs(10)).await
}

fn pairs(found: &Entries) -> Vec<(&str, &[u8])> {
    found.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_slice())).collect()
}

fn one(key: &str) -> Keys {
    Keys::One(key.to_owned())
}

fn under(prefix: &str) -> Keys {
    Keys::Under(prefix.to_owned())
}

#[test]
fn a_key_comes_changes_and_goes_and_each_is_noticed() {
    let store = Store::start();
    let mut found = store.read(one("app/set"), None).unwrap();
    assert_eq!(pairs(&found), []);
    // What a query that waits sees of the change that is made while it waits.
    let next = |found: &Entries, change: &dyn Fn()| {
        let (catalog, index) = (Arc::clone(&store.catalog), found.index);
        let (tell, told) = std::sync::mpsc::channel();
        let waiting = store.runtime.enter(|| {
            tokio::spawn(async move {
                let mut waiting = Box::pin(read(catalog, one("app/set"), Some(index)));
                let quiet = Duration::from_millis(200);
                tell.send(tokio::time::timeout(quiet, &mut waiting).await.is_err()).unwrap();
                waiting.await
            })
        });
        assert!(told.recv_timeout(LONG).unwrap(), "it does not wait");
        change();
        store.runtime.wait(waiting).unwrap().unwrap()
    };
    found = next(&found, &|| store.put("app/set", b"one\0\xff"));
    assert_eq!(pairs(&found), [("app/set", &b"one\0\xff"[..])]);
    found = next(&found, &|| store.put("app/set", b""));
    assert_eq!(pairs(&found), [("app/set", &b""[..])]);
    let before = found.index;
    found = next(&found, &|| store.delete("app/set"));
    assert_eq!(pairs(&found), []);
    assert!(found.index > before);
}

#[test]
fn all_keys_under_a_prefix_in_their_order() {
    let store = Store::start();
    for key in ["b/2", "a", "b/1", "b/1/x", "bc"] {
        store.put(key, key.as_bytes());
    }
    let keys = |prefix: &str| {
        let found = store.read(under(prefix), None).unwrap();
        found.entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>()
    };
    assert_eq!(keys("b/"), ["b/1", "b/1/x", "b/2"]);
    assert_eq!(keys("b"), ["b/1", "b/1/x", "b/2", "bc"]);
    assert_eq!(keys(""), ["a", "b/1", "b/1/x", "b/2", "bc"]);
    assert_eq!(keys("none/"), [""; 0]);
    let odd = "odd key?x=1&recurse#é+%2F";
    let mut path = String::new();
    http_client::encode(&mut path, odd);
    store.put(&path, b"odd");
    assert_eq!(pairs(&store.read(one(odd), None).unwrap()), [(odd, &b"odd"[..])]);
    assert_eq!(keys("odd key?"), [odd]);
}

#[test]
fn keys_that_consul_cannot_have_and_datacenters_that_are_not_there_are_clear_errors() {
    let store = Store::start();
    for wrong in ["/a", "a//b", "a/../b", "."] {
        for keys in [one(wrong), under(wrong)] {
            let error = store.read(keys, None).unwrap_err();
            assert!(matches!(&error, Error::Refused(why) if why.contains(wrong)), "{error}");
        }
    }
    let catalog = Arc::clone(&store.catalog);
    let elsewhere = Some("elsewhere".to_owned());
    let query = KeyQuery { keys: one("a"), datacenter: elsewhere, max_staleness: LONG };
    let error = store.runtime.wait(async move { catalog.entries(&query, None, LONG).await });
    assert!(matches!(&error, Err(Error::Failed(why)) if why.contains("datacenter")), "{error:?}");
}
