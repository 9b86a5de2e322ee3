//! What the program says of itself: `-status`, `-events`, and the requests behind them.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use serde_json::{Value, json};
use testkit::{Consul, Running, Signal, wait_until};

use crate::support::{
    APP, PATIENCE, await_lines, catalogued_jobs, jobs, last_process, pilot, stop,
};
use crate::{
    SERVE, advertised, await_job, await_status, command, job, look, reload_with, saying, tell,
};

fn job_with(name: &str, exec: Value, more: Value) -> Value {
    let mut job = json!({ "name": name, "exec": exec });
    for (key, value) in more.as_object().unwrap() {
        job[key] = value.clone();
    }
    job
}

#[test]
fn every_state_and_the_last_exit() {
    let never =
        json!({ "all": [{ "source": "app", "once": "exitFailed" }, { "source": "SIGHUP" }] });
    let shell = |script: &str| json!(["sh", "-c", script]);
    let endless = json!({ "restarts": "unlimited" });
    let run = pilot(jobs(json!([
        { "name": "app", "exec": "./app" },
        job_with("waiting", json!("true"), json!({ "when": never })),
        // The fifth restart waits for more than a second.
        job_with("pausing", shell("exit 3"), endless.clone()),
        job_with("idle", shell("exit 0"), json!({ "when": { "interval": "600s" } })),
        job_with("completed", shell("exit 0"), json!({})),
        job_with("killed", shell("kill -KILL $$"), json!({})),
        job_with("missing", json!("./missing"), json!({})),
        { "name": "relaying", "health": { "exec": "true", "interval": 1 } },
    ])))
    .script("app", APP)
    .spawn();
    let app = last_process(&run, "app.pids").pid();
    let waiting = await_job(&run, "waiting", "/state", "waiting");
    assert_eq!(waiting["waitingFor"], "app exitFailed and SIGHUP");
    assert_eq!(waiting["lastExit"], Value::Null);
    let running = await_job(&run, "app", "/state", "running");
    assert_eq!((&running["pid"], &running["restarts"]), (&json!(app), &json!(0)));
    await_job(&run, "pausing", "/restarts", 3);
    let pausing = await_job(&run, "pausing", "/state", "backoff");
    assert_eq!((&pausing["pid"], &pausing["lastExit"]["code"]), (&Value::Null, &json!(3)));
    await_job(&run, "idle", "/state", "idle");
    assert_eq!(job(&run, "idle")["lastExit"]["code"], 0);
    for (name, how, what) in [
        ("completed", "code", json!(0)),
        ("killed", "signal", json!("SIGKILL")),
        ("missing", "code", json!(127)),
    ] {
        let job = await_job(&run, name, "/state", "completed");
        assert_eq!(job["lastExit"][how], what, "{job}");
    }
    assert_eq!(job(&run, "relaying")["state"], "running", "it does what it is there for");
    let table = tell(&run, &["-status"]);
    for (name, words) in [
        ("waiting", vec!["waiting for app exitFailed and SIGHUP"]),
        ("app", vec!["running", &*app.to_string()]),
        ("idle", vec!["idle", "ok, "]),
        ("killed", vec!["completed", "SIGKILL, "]),
        ("missing", vec!["completed", "code 127, "]),
    ] {
        let line = table.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        assert!(words.iter().all(|word| line.contains(word)), "{line}\n{table}");
    }
    assert!(!table.contains('\u{1b}'), "no colours into a pipe");
}

#[test]
fn json_is_what_the_socket_answers() {
    let run = pilot(jobs(json!([{ "name": "app", "exec": "./app" }]))).script("app", APP).spawn();
    await_job_of(&run, "app");
    let said: Value = serde_json::from_str(&tell(&run, &["-status", "-json"])).unwrap();
    let asked = look(&run);
    assert_eq!(said["jobs"][0]["pid"], asked["jobs"][0]["pid"]);
    for (pointer, value) in [
        ("/version", json!(env!("CARGO_PKG_VERSION"))),
        ("/generation", json!(1)),
        ("/pid", json!(run.pid())),
        ("/config", json!("3.x")),
        ("/maintenance", json!(false)),
        ("/stopping", json!(false)),
        ("/watches", json!([])),
    ] {
        assert_eq!((said.pointer(pointer), asked.pointer(pointer)), (Some(&value), Some(&value)));
    }
    assert_eq!(said.get("catalog"), None, "there is none");
}

/// Waits until the socket answers, too.
fn await_job_of(run: &Running, name: &str) {
    await_lines(run, &format!("{name}.pids"), 1);
    await_job(run, name, "/state", "running");
}

#[test]
fn health_with_what_the_check_has_said() {
    let mut app = json!({ "name": "app", "exec": "./app" });
    app["health"] = json!({ "exec": "./check", "interval": 1 });
    let run = pilot(jobs(json!([app])))
        .script("app", APP)
        .script(
            "check",
            "[ -e well ] || { echo 'no connection'; echo 'to the db'; exit 2; }\necho fine",
        )
        .spawn();
    await_lines(&run, "app.pids", 1);
    // The process is known to have ended a moment before its last lines have been read.
    let sick = await_job(&run, "app", "/health/output", "no connection\nto the db");
    assert_eq!(sick["health"]["status"], "unhealthy");
    let table = tell(&run, &["-status"]);
    assert!(table.contains("unhealthy") && table.contains("to the db"), "{table}");
    let since = sick["health"]["since"].clone();
    run.write("well", "");
    let well = await_job(&run, "app", "/health/output", "fine");
    assert_eq!(well["health"]["status"], "healthy");
    assert_ne!(well["health"]["since"], since);
}

/// One that hangs until its time is up would hide the reason for most of the time.
#[test]
fn a_check_that_runs_does_not_hide_what_the_last_one_has_said() {
    let mut app = json!({ "name": "app", "exec": "./app" });
    app["health"] = json!({ "exec": "./check", "interval": 1, "timeout": 600 });
    let run = pilot(jobs(json!([app])))
        .script("app", APP)
        .script("check", "[ -e hang ] && echo >>hanging && exec sleep 1000; echo because; exit 1")
        .spawn();
    await_lines(&run, "app.pids", 1);
    await_job(&run, "app", "/health/output", "because");
    run.write("hang", "");
    await_lines(&run, "hanging", 1);
    let told = job(&run, "app")["health"].clone();
    assert_eq!((&told["status"], &told["output"]), (&json!("unhealthy"), &json!("because")));
    reload_with(&run, run.read("app.json").unwrap());
    assert_eq!(job(&run, "app")["health"], told);
}

/// At once, not when the next one begins: that may be a long time.
#[test]
fn what_a_check_has_said_is_there_when_it_has_ended() {
    let mut app = json!({ "name": "app", "exec": "./app" });
    app["health"] = json!({ "exec": "./check", "interval": 600 });
    let run = pilot(jobs(json!([app])))
        .script("app", APP)
        .script("check", "echo because; exit 1")
        .spawn();
    await_lines(&run, "app.pids", 1);
    let told = await_job(&run, "app", "/health/output", "because");
    assert_eq!(told["health"]["status"], "unhealthy");
}

#[test]
fn what_watches_see_and_that_the_catalog_is_out() {
    let mut consul = Consul::start();
    let watches = json!([{ "name": "db", "interval": 1, "tag": "primary" }]);
    let run = pilot(catalogued_jobs(&consul, watches, json!([advertised("web")])))
        .script("serve", SERVE)
        .spawn();
    await_job_of(&run, "web");
    await_job(&run, "web", "/service/registered", true);
    assert_eq!(look(&run)["watches"][0]["instances"], json!([]));
    consul.register(json!({ "ID": "db-1", "Name": "db", "Address": "10.0.0.1", "Port": 5432,
        "Tags": ["primary"] }));
    let instance = json!([{ "id": "db-1", "address": "10.0.0.1", "port": 5432 }]);
    await_status(&run, "/watches/0/instances", instance.clone());
    await_status(&run, "/catalog/reachable", true);
    let status = look(&run);
    assert_eq!(status["watches"][0]["tag"], "primary");
    let name = status["catalog"]["name"].as_str().unwrap().to_owned();
    assert!(name.contains(&consul.address()), "{name}");
    consul.kill();
    await_status(&run, "/catalog/reachable", false);
    let status = look(&run);
    assert!(!status["catalog"]["outage"].as_str().unwrap().is_empty());
    assert_eq!(status["watches"][0]["instances"], instance, "an outage is no change");
    let table = tell(&run, &["-status"]);
    assert!(table.contains("unreachable for") && table.contains("10.0.0.1:5432"), "{table}");
    consul.restart();
    await_status(&run, "/catalog/reachable", true);
    await_job(&run, "web", "/service/registered", true);
}

#[test]
fn events_are_told_as_they_happen_and_as_they_are_wanted() {
    let config = jobs(json!([
        { "name": "app", "exec": "./app", "health": { "exec": "true", "interval": 1 } },
        saying("hup", json!({ "source": "SIGHUP" })),
    ]));
    let mut run = pilot(config).script("app", APP).script("say", crate::SAY).spawn();
    await_job_of(&run, "app");
    let mut filtered = command(&run, &["-events", "-source", "hup", "-event=exitSuccess"]).spawn();
    let mut json = command(&run, &["-events", "-json", "-source", "SIGHUP"]).spawn();
    let mut stream = UnixStream::connect(run.path("control.socket")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /v3/events?source=hup HTTP/1.0\r\n\r\n").unwrap();
    // Who listens is told of what comes then.
    wait_until("all three listen", PATIENCE, || {
        run.signal(Signal::SIGHUP);
        let silent = filtered.stdout_so_far().is_empty() || json.stdout_so_far().is_empty();
        if silent { Err(crate::support::output(&run)) } else { Ok(()) }
    });
    stop(&mut run);
    for line in filtered.wait(PATIENCE).stdout.lines() {
        assert!(line.ends_with("Z hup exitSuccess"), "{line}");
    }
    for line in json.wait(PATIENCE).stdout.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&event["source"], &event["event"]), (&json!("SIGHUP"), &json!("SIGHUP")));
    }
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.to_ascii_lowercase().contains("content-type: text/event-stream"), "{heard}");
    assert!(heard.contains("\nevent: exitSuccess\ndata: {"), "{heard}");
    assert!(heard.contains("\nevent: stopped\ndata: {"), "up to the end: {heard}");
    assert!(heard.contains(r#""source":"hup","event":"stopped"}"#), "{heard}");
    assert!(!heard.contains("healthy"), "{heard}");
}
