//! etcd in the place of Consul: what works there works here.

use serde_json::{Value, json};
use testkit::{Consul, Etcd, Running, wait_until};

use crate::{
    NOTE, SERVE, await_look, look,
    support::{PATIENCE, await_lines, exit_code, instance, lines, output, pilot, stop},
};

fn settings(etcd: &Etcd) -> Value {
    json!({ "endpoints": format!("http://{}", etcd.address()) })
}

/// What stands under a service's folder.
fn registered(etcd: &Etcd, service: &str) -> Vec<Value> {
    let keys = etcd.keys(&format!("/containerpilot/{service}/"));
    keys.iter().map(|(_, value)| serde_json::from_str(value).unwrap()).collect()
}

#[track_caller]
fn await_registered(etcd: &Etcd, run: &Running, service: &str, count: usize) -> Vec<Value> {
    wait_until(&format!("{count} of {service} in etcd"), PATIENCE, || {
        let found = registered(etcd, service);
        if found.len() == count { Ok(found) } else { Err(format!("{found:?} {}", output(run))) }
    })
}

fn put(etcd: &Etcd, service: &str, id: &str, port: u16) {
    let value =
        json!({ "id": id, "name": service, "address": "10.0.0.1", "port": port, "tags": [] });
    etcd.put(&format!("/containerpilot/{service}/{id}"), &value.to_string());
}

/// The whole of a 2.x file: `preStart`, a service that is checked, a backend, the hooks.
#[test]
fn a_2x_application_on_etcd() {
    let mut etcd = Etcd::start();
    let config = json!({ "etcd": settings(&etcd), "preStart": "./hook preStart",
        "preStop": "./hook preStop", "postStop": "./hook postStop",
        "services": [{ "name": "app", "port": 8000, "interfaces": "static:127.0.0.1",
            "health": "test ! -e sick", "poll": 1, "ttl": 3, "tags": ["a"] }],
        "coprocesses": [{ "name": "helper", "command": "./serve helper", "restarts": "unlimited" }],
        "tasks": [{ "name": "task", "command": "touch task", "frequency": "1s", "timeout": "1s" }],
        "telemetry": { "port": testkit::free_port(), "interfaces": "static:127.0.0.1",
            "sensors": [{ "name": "answer", "help": "-", "type": "gauge", "poll": 1,
                "check": "echo 42" }] },
        "backends": [{ "name": "db", "poll": 1, "onChange": "./note" }] });
    let mut run = pilot(config)
        .args(["./serve", "app"])
        .script("serve", SERVE)
        .script("note", NOTE)
        .script("hook", "echo $1 >>journal")
        .spawn();
    let app = await_registered(&etcd, &run, "app", 1).remove(0);
    assert_eq!((&app["id"], &app["port"]), (&json!(instance("app")), &json!(8000)));
    assert_eq!(app["tags"], json!(["a"]));
    await_registered(&etcd, &run, "containerpilot", 1);
    wait_until("the task has run", PATIENCE, || run.path("task").exists());
    put(&etcd, "db", "db-1", 1);
    let change: Value = serde_json::from_str(&await_lines(&run, "changes", 1)[0]).unwrap();
    assert_eq!((&change["before"], &change["after"][0]["id"]), (&json!([]), &json!("db-1")));

    // Its time to live runs out with its health.
    run.write("sick", "");
    await_registered(&etcd, &run, "app", 0);
    std::fs::remove_file(run.path("sick")).unwrap();
    await_registered(&etcd, &run, "app", 1);

    // A cluster that has lost everything is whole again by itself.
    etcd.restart_empty();
    await_registered(&etcd, &run, "app", 1);
    let (finished, _) = stop(&mut run);
    assert_eq!(exit_code(&finished), 0, "{finished:?}");
    assert_eq!(
        lines(&run, "journal"),
        ["preStart", "preStop", "app stops", "postStop", "helper stops"]
    );
    assert_eq!(registered(&etcd, "app"), [Value::Null; 0]);
}

#[test]
fn jobs_watches_keys_and_maintenance_on_etcd() {
    let etcd = Etcd::start();
    let config = json!({ "etcd": settings(&etcd), "control": { "socket": "control.socket" },
        "watches": [{ "name": "db", "interval": 1 }, { "key": "/app/settings", "interval": 1 }],
        "jobs": [
            { "name": "web", "exec": ["./serve", "web"], "port": 8000, "initialStatus": "critical",
                "interfaces": "static:127.0.0.1", "drain": { "time": "1s", "mark": true },
                "health": { "exec": "true", "interval": 1, "ttl": 10 } },
            { "name": "note", "exec": "./note",
                "when": { "source": "watch.db", "each": "changed" } },
            { "name": "settings", "exec": ["sh", "-c", "cp $CONTAINERPILOT_CHANGE settings"],
                "when": { "source": "watch./app/settings", "each": "healthy" } }
        ] });
    let mut run = pilot(config).script("serve", SERVE).script("note", NOTE).spawn();
    await_registered(&etcd, &run, "web", 1);
    await_look(&run, "/jobs/0/service/registered", true);
    assert!(look(&run)["catalog"]["name"].as_str().unwrap().starts_with("etcd at "));
    put(&etcd, "db", "db-1", 1);
    await_lines(&run, "changes", 1);
    await_look(&run, "/watches/0/instances/0/id", "db-1");
    etcd.put("/app/settings", "x");
    let settings = await_lines(&run, "settings", 1).join("");
    assert!(
        settings.contains(r#""key":"/app/settings""#) && settings.contains(r#""event":"healthy""#)
    );

    let socket = run.path("control.socket").to_str().unwrap().to_owned();
    testkit::http("POST", &socket, "/v3/maintenance/enable", "").unwrap();
    let status = |etcd: &Etcd| registered(etcd, "web").first().map(|it| it["status"].clone());
    wait_until("it is marked", PATIENCE, || status(&etcd) == Some(json!("critical")));
    testkit::http("POST", &socket, "/v3/maintenance/disable", "").unwrap();
    wait_until("it is back", PATIENCE, || status(&etcd) == Some(Value::Null));
    let (finished, _) = stop(&mut run);
    assert_eq!(exit_code(&finished), 0, "{finished:?}");
    assert_eq!(registered(&etcd, "web"), [Value::Null; 0]);
}

/// What is kept moves with its whole state; a candidate stands anew.
#[test]
fn a_reload_from_consul_to_etcd() {
    let (consul, etcd) = (crate::consul(), Etcd::start());
    let config = |catalog: (&str, Value)| {
        let mut config = json!({ "control": { "socket": "control.socket" },
            "elections": [{ "name": "primary", "ttl": "2s" }],
            "jobs": [{ "name": "web", "exec": ["./serve", "web"], "port": 8000,
                "interfaces": "static:127.0.0.1",
                "health": { "exec": "true", "interval": 1, "ttl": 10 } }] });
        config[catalog.0] = catalog.1;
        config
    };
    let mut run = pilot(config(("consul", json!(consul.address())))).script("serve", SERVE).spawn();
    crate::support::await_status(&consul, &run, "web", Some("passing"));
    await_look(&run, "/elections/0/state", "leading");
    let pids = await_lines(&run, "web.pids", 1);
    run.write("app.json", config(("etcd", settings(&etcd))).to_string());
    let socket = run.path("control.socket").to_str().unwrap().to_owned();
    testkit::http("POST", &socket, "/v3/reload", "").unwrap();
    await_registered(&etcd, &run, "web", 1);
    crate::support::await_status(&consul, &run, "web", None);
    await_look(&run, "/elections/0/state", "leading");
    let lock = |consul: &Consul| {
        consul.get("/v1/kv/containerpilot/election/primary/leader").json()[0]["Session"].clone()
    };
    assert_eq!(lock(&consul), Value::Null, "the old lock was given back");
    assert_eq!(lines(&run, "web.pids"), pids, "its process goes on");
    stop(&mut run);
}

#[test]
fn what_cannot_be_is_said_at_the_start() {
    let etcd = Etcd::start();
    let mut config = json!({ "etcd": settings(&etcd), "jobs": [{ "name": "a", "exec": "true" }] });
    config["etcd"]["tls"] = json!({ "cafile": "/nowhere/ca.pem" });
    config["etcd"]["endpoints"] = json!(format!("https://{}", etcd.address()));
    let finished = pilot(config).spawn().wait(PATIENCE);
    assert_eq!(exit_code(&finished), 1);
    assert!(finished.stderr.contains("/nowhere/ca.pem"), "{finished:?}");
}
