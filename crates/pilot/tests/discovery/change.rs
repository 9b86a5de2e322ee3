//! What a job is told of the change that has started it.

use std::{fs, os::unix::fs::MetadataExt as _};

use serde_json::{Value, json};
use testkit::{Consul, Running, wait_until};

use crate::{
    NOTE, await_look, look,
    support::{PATIENCE, await_lines, catalogued_jobs, lines, pilot, stop},
};

fn noting(when: Value) -> Value {
    json!([{ "name": "note", "exec": "./note", "when": when }])
}

fn changed(watch: &str) -> Value {
    json!({ "source": format!("watch.{watch}"), "each": "changed" })
}

fn put(consul: &Consul, key: &str, value: &[u8]) {
    let answer = consul.request("PUT", &format!("/v1/kv/{key}"), value);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// The lines of `changes`, once there are so many.
#[track_caller]
fn told(run: &Running, count: usize) -> Vec<Value> {
    let lines = await_lines(run, "changes", count);
    assert_eq!(lines.len(), count, "{lines:?}");
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or(Value::Null)).collect()
}

fn register(consul: &Consul, id: &str, port: u16) {
    consul.register(json!({ "ID": id, "Name": "db", "Address": "10.0.0.1", "Port": port,
        "Tags": ["primary"], "Meta": { "zone": "a" } }));
}

#[test]
fn instances_before_and_after_however_many_changes_that_were() {
    let consul = Consul::start();
    let watches = json!([{ "name": "db", "interval": 1, "tag": "primary" }]);
    let mut run = pilot(catalogued_jobs(&consul, watches, noting(changed("db"))))
        .script("note", NOTE)
        .spawn();
    await_look(&run, "/watches/0/instances", json!([]));
    run.write("wait", "");
    register(&consul, "db-1", 1);
    let one = json!({ "id": "db-1", "name": "db", "address": "10.0.0.1", "port": 1,
        "tags": ["primary"], "meta": { "zone": "a" }, "node": consul.node() });
    let first = told(&run, 1).remove(0);
    assert_eq!(
        first,
        json!({ "watch": "db", "event": "changed", "service": "db", "tag": "primary",
            "before": [], "after": [one] })
    );
    // Two while the job runs are one start.
    register(&consul, "db-2", 2);
    await_look(&run, "/watches/0/instances/1/id", "db-2");
    consul.deregister("db-1");
    await_look(&run, "/watches/0/instances/0/id", "db-2");
    fs::remove_file(run.path("wait")).unwrap();
    let second = told(&run, 2).remove(1);
    let ids = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (ids(&second["before"]), ids(&second["after"])),
        (vec!["db-1".into()], vec!["db-2".into()])
    );
    stop(&mut run);
}

#[test]
fn keys_and_their_values_on_consul() {
    let consul = Consul::start();
    let watches = json!([{ "key": "app/settings", "interval": 1 },
        { "name": "all", "keyPrefix": "app/", "interval": 1 }]);
    let jobs = json!([
        { "name": "note", "exec": "./note", "when": changed("app/settings") },
        { "name": "gone", "exec": ["sh", "-c", "echo gone >>gone"],
            "when": { "source": "watch.app/settings", "each": "unhealthy" } },
        { "name": "all", "exec": ["sh", "-c", "cat $CONTAINERPILOT_CHANGE | tr -d '\\n' >>all; echo >>all"],
            "when": changed("all") }
    ]);
    let mut run = pilot(catalogued_jobs(&consul, watches, jobs)).script("note", NOTE).spawn();
    await_look(&run, "/watches/0/key", "app/settings");
    put(&consul, "app/settings", b"a \"quoted\" value");
    assert_eq!(
        told(&run, 1)[0],
        json!({ "watch": "app/settings", "event": "changed", "key": "app/settings", "before": [],
            "after": [{ "key": "app/settings", "value": "a \"quoted\" value" }] })
    );
    put(&consul, "app/settings", b"\xff\x00");
    let second = told(&run, 2).remove(1);
    assert_eq!(second["before"][0]["value"], "a \"quoted\" value");
    assert_eq!(second["after"], json!([{ "key": "app/settings", "value64": "/wA=" }]));
    // The same value again, and another key: no change of this one.
    put(&consul, "app/settings", b"\xff\x00");
    put(&consul, "app/other", b"1");
    // However many runs that takes.
    wait_until("the prefix has both keys", PATIENCE, || {
        let lines = lines(&run, "all");
        let last: Option<Value> = lines.last().and_then(|line| serde_json::from_str(line).ok());
        let told = last.filter(|last| last["keyPrefix"] == "app/");
        told.is_some_and(|last| last["after"].as_array().is_some_and(|after| after.len() == 2))
    });
    assert_eq!(look(&run)["watches"][1]["keys"], json!(["app/other", "app/settings"]));
    consul.request("DELETE", "/v1/kv/app/settings", "");
    assert_eq!(told(&run, 3)[2]["after"], json!([]));
    await_lines(&run, "gone", 1);
    stop(&mut run);
}

/// A restart is told the same again, up to now; what comes of something else is told nothing.
#[test]
fn a_restart_and_a_start_that_no_watch_has_brought_about() {
    let consul = Consul::start();
    let watches = json!([{ "name": "db", "interval": 1 }]);
    let jobs = json!([
        { "name": "note", "exec": ["sh", "-c", "./note; [ $(wc -l <changes) -ge 2 ]"],
            "restarts": 1, "when": { "source": "watch.db", "once": "healthy" } },
        { "name": "plain", "exec": ["sh", "-c", "echo \"[$CONTAINERPILOT_CHANGE]\" >>plain"] }
    ]);
    let mut run = pilot(catalogued_jobs(&consul, watches, jobs)).script("note", NOTE).spawn();
    register(&consul, "db-1", 1);
    let told = told(&run, 2);
    assert_eq!(told[0]["event"], "healthy");
    assert_eq!(told[0], told[1]);
    assert_eq!(await_lines(&run, "plain", 1), ["[]"]);
    stop(&mut run);
}

/// The file is its user's alone, and gone with the process; the folder with the program.
#[test]
fn the_file_is_private_and_does_not_stay() {
    let consul = Consul::start();
    let watches = json!([{ "name": "db", "interval": 1 }]);
    let script = r#"echo "$CONTAINERPILOT_CHANGE" >>paths; cat "$CONTAINERPILOT_CHANGE" >read; while [ -e wait ]; do sleep 0.05; done"#;
    let jobs = json!([{ "name": "note", "exec": ["sh", "-c", script], "user": "nobody",
        "when": changed("db") }]);
    let mut run = pilot(catalogued_jobs(&consul, watches, jobs)).spawn();
    fs::set_permissions(run.dir(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    run.write("wait", "");
    await_look(&run, "/watches/0/name", "db");
    register(&consul, "db-1", 1);
    let path = await_lines(&run, "paths", 1).remove(0);
    let file = fs::metadata(&path).unwrap();
    let nobody = fs::read_to_string("/etc/passwd").unwrap();
    let nobody = nobody.lines().find(|line| line.starts_with("nobody:")).unwrap().to_owned();
    assert_eq!(file.uid().to_string(), nobody.split(':').nth(2).unwrap());
    assert_eq!(file.mode() & 0o777, 0o600);
    let folder = std::path::Path::new(&path).parent().unwrap().to_owned();
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o711);
    fs::remove_file(run.path("wait")).unwrap();
    wait_until("the file is gone", PATIENCE, || !fs::exists(&path).unwrap());
    wait_until("the folder is gone", PATIENCE, || !folder.exists());
    stop(&mut run);
}

#[test]
fn in_2x_a_backends_command_is_told_too() {
    let consul = Consul::start();
    let config = json!({ "consul": consul.address(),
        "backends": [{ "name": "db", "poll": 1, "onChange": "./note" }] });
    let mut run = pilot(config)
        .args(["./serve", "app"])
        .script("note", NOTE)
        .script("serve", crate::SERVE)
        .spawn();
    await_lines(&run, "app.pids", 1);
    register(&consul, "db-1", 1);
    let first = told(&run, 1).remove(0);
    assert_eq!((&first["watch"], &first["before"]), (&json!("db"), &json!([])));
    assert_eq!(first["after"][0]["port"], 1);
    stop(&mut run);
}

/// Two watches of one name are one source, and a file is about the one that has changed; others
/// that have changed meanwhile stand beside it. A reload forgets nothing, and a new job begins with
/// nothing.
#[test]
fn several_watches_and_a_reload() {
    let consul = Consul::start();
    let watches = json!([{ "name": "db", "interval": 1, "tag": "standby" },
        { "name": "db", "interval": 1, "tag": "primary" },
        { "name": "cache", "interval": 1 }]);
    let when = json!({ "any": [{ "source": "watch.db", "each": "changed" },
        { "source": "watch.cache", "each": "changed" }] });
    let config = catalogued_jobs(&consul, watches, noting(when));
    let mut run = pilot(config.clone()).script("note", NOTE).spawn();
    await_look(&run, "/watches/2/instances", json!([]));
    run.write("wait", "");
    register(&consul, "db-1", 1);
    let first = told(&run, 1).remove(0);
    assert_eq!((&first["tag"], first.get("also")), (&json!("primary"), None));
    // Both while it runs: the last one has started it.
    register(&consul, "db-2", 2);
    await_look(&run, "/watches/1/instances/1/id", "db-2");
    consul.register(json!({ "ID": "cache-1", "Name": "cache", "Port": 3 }));
    await_look(&run, "/watches/2/instances/0/id", "cache-1");

    let mut next = config;
    let mut new = next["jobs"][0].clone();
    new["name"] = json!("new");
    new["exec"] = json!(["sh", "-c", "tr -d '\\n' <$CONTAINERPILOT_CHANGE >>new; echo >>new"]);
    next["jobs"].as_array_mut().unwrap().insert(0, new);
    next["watches"].as_array_mut().unwrap().swap(0, 2);
    run.write("app.json", next.to_string());
    let socket = run.path("control.socket");
    testkit::http("POST", socket.to_str().unwrap(), "/v3/reload", "").unwrap();
    await_look(&run, "/generation", 2);
    fs::remove_file(run.path("wait")).unwrap();

    let second = told(&run, 2).remove(1);
    assert_eq!(second["watch"], "cache", "{second}");
    assert_eq!((&second["before"], &second["after"][0]["id"]), (&json!([]), &json!("cache-1")));
    let also = &second["also"][0];
    assert_eq!((&also["watch"], &also["tag"]), (&json!("db"), &json!("primary")), "{second}");
    assert_eq!(also["before"], first["after"]);
    assert_eq!(also["after"].as_array().unwrap().len(), 2);
    assert_eq!(second["also"].as_array().unwrap().len(), 1, "nothing has become of standbys");
    let new: Value = serde_json::from_str(&await_lines(&run, "new", 1)[0]).unwrap();
    assert_eq!(new["before"], json!([]), "{new}");
    stop(&mut run);
}
