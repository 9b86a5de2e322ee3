//! The helper around the real Consul does what it says.

use std::time::Duration;

use serde_json::json;
use testkit::{Consul, http_within, wait_until};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn registers_freezes_and_restarts_empty() {
    let mut consul = Consul::start();
    consul.register(json!({"Name": "web", "ID": "web-1", "Port": 80}));
    consul.register(json!({"Name": "web", "ID": "web-2", "Check": {"TTL": "10s"}}));
    wait_until("both are in the catalog", SOON, || {
        let health = consul.health("web");
        if health == [("web-1".into(), "passing".into()), ("web-2".into(), "critical".into())] {
            Ok(())
        } else {
            Err(format!("{health:?}"))
        }
    });
    consul.deregister("web-2");
    assert_eq!(consul.services().as_object().unwrap().len(), 1);

    consul.freeze();
    let path = "/v1/agent/services";
    let frozen = http_within(Duration::from_millis(300), "GET", &consul.address(), path, "");
    assert!(frozen.is_err(), "{frozen:?}");
    consul.thaw();
    assert_eq!(consul.http_get(path).0, 200);

    let address = consul.address();
    consul.restart_empty();
    assert_eq!((consul.address(), consul.services()), (address, json!({})));
    consul.kill();
    assert!(http_within(SOON, "GET", &consul.address(), path, "").is_err());
}

#[test]
fn an_agent_joins_its_server() {
    let server = Consul::start_with(json!({"datacenter": "lab"}));
    assert_eq!(server.get("/v1/catalog/datacenters").json(), json!(["lab"]));
    drop(server);

    let server = Consul::start();
    let agent = Consul::agent_of(&server);
    agent.register(json!({"Name": "db"}));
    wait_until("the server hears of it", SOON, || !server.health("db").is_empty());
    assert_eq!(server.services(), json!({}));
}
