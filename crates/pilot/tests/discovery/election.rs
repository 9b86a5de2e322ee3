//! Elections between whole programs, on a real Consul and a real etcd.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Consul, Etcd, Running, Signal, wait_until};

use crate::{
    SERVE, await_look, consul, look,
    support::{PATIENCE, await_lines, exit_code, lines, output, pilot, stop},
};

/// Says what it was told, and with which token.
const SAY: &str = r#"echo "$1 ${CONTAINERPILOT_ELECTION_PRIMARY_TOKEN:-none}" >>journal"#;

fn saying(event: &str) -> Value {
    json!({ "name": event, "exec": ["./say", event],
        "when": { "source": "election.primary", "each": event } })
}

/// One who stands for `primary`.
fn candidate(catalog: &Value, more: Value) -> Value {
    let mut election = json!({ "name": "primary", "ttl": "2s", "lockDelay": 0 });
    for (key, value) in more.as_object().unwrap() {
        election[key] = value.clone();
    }
    let mut config = json!({ "elections": [election],
        "control": { "socket": "control.socket" },
        "jobs": [{ "name": "app", "exec": ["./serve", "app"] }, saying("elected"),
            saying("demoted")] });
    for (key, value) in catalog.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

fn spawn(config: Value) -> Running {
    let run = pilot(config).script("serve", SERVE).script("say", SAY).spawn();
    await_lines(&run, "app.pids", 1);
    run
}

/// What it was told in the order in which it was, and the token of each leadership.
fn journal(run: &Running) -> Vec<(String, Option<u64>)> {
    let split = |line: String| {
        let (event, token) = line.split_once(' ').unwrap_or((&line, "none"));
        (event.to_owned(), token.parse().ok())
    };
    lines(run, "journal").into_iter().filter(|line| !line.contains("stops")).map(split).collect()
}

#[track_caller]
fn await_leader(run: &Running) -> u64 {
    await_look(run, "/elections/0/state", "leading");
    look(run)["elections"][0]["token"].as_u64().unwrap()
}

fn one_after_the_other(catalog: &Value) {
    let first_config = candidate(catalog, json!({}));
    let mut first = spawn(first_config.clone());
    let token = await_leader(&first);
    await_lines(&first, "journal", 1);
    assert_eq!(journal(&first), [("elected".into(), Some(token))]);
    let second = spawn(candidate(catalog, json!({})));
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    await_look(&second, "/elections/0/leader", hostname.trim());
    assert_eq!(look(&second)["elections"][0]["state"], "following");
    assert_eq!(look(&second)["elections"][0].get("token"), None);

    // Who stops gives way in order: its jobs know it before anybody else is elected.
    let (finished, _) = stop(&mut first);
    assert_eq!(exit_code(&finished), 0, "{finished:?}");
    let told = journal(&first);
    assert_eq!(told[1], ("demoted".into(), None), "without the token: {told:?}");
    let later = await_leader(&second);
    assert!(later > token, "{later} after {token}");

    // Who is killed is succeeded when its time is over.
    let third = spawn(first_config);
    await_look(&third, "/elections/0/state", "following");
    let mut second = second;
    second.kill();
    let last = await_leader(&third);
    assert!(last > later, "{last} after {later}");
}

#[test]
fn leaders_succeed_each_other_on_consul() {
    let consul = consul();
    one_after_the_other(&json!({ "consul": consul.address() }));
}

#[test]
fn leaders_succeed_each_other_on_etcd() {
    let etcd = Etcd::start();
    one_after_the_other(&json!({ "etcd": { "endpoints": format!("http://{}", etcd.address()) } }));
}

/// Longer than its time: somebody else is elected, and it learns of that before anything else.
#[test]
fn who_is_stopped_for_too_long_leads_no_more() {
    let consul = consul();
    let catalog = json!({ "consul": consul.address() });
    let first = spawn(candidate(
        &catalog,
        json!({ "service": true, "port": 5432,
        "interfaces": "static:127.0.0.1" }),
    ));
    let token = await_leader(&first);
    let second = spawn(candidate(&catalog, json!({})));
    await_look(&second, "/elections/0/state", "following");
    first.signal(Signal::SIGSTOP);
    let later = await_leader(&second);
    assert!(later > token);
    first.signal(Signal::SIGCONT);
    await_lines(&first, "journal", 2);
    assert_eq!(journal(&first)[1].0, "demoted", "{}", output(&first));
    await_look(&first, "/elections/0/state", "following");
    // What it has advertised is gone, and stays so.
    wait_until("the old leader is not advertised", PATIENCE, || {
        consul.health("primary").is_empty()
    });
    let checks = Instant::now();
    while checks.elapsed() < Duration::from_secs(2) {
        assert!(consul.health("primary").is_empty());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_leader_alone_is_advertised_and_leaves_for_maintenance() {
    let consul = consul();
    let catalog = json!({ "consul": consul.address() });
    let more = json!({ "service": true, "port": 5432, "interfaces": "static:127.0.0.1",
        "tags": ["rw"] });
    let mut first = spawn(candidate(&catalog, more.clone()));
    let token = await_leader(&first);
    let passing = |consul: &Consul| consul.get("/v1/health/service/primary?passing").json();
    wait_until("the leader is advertised", PATIENCE, || passing(&consul)[0].is_object());
    let service = &passing(&consul)[0]["Service"];
    assert_eq!((&service["Port"], &service["Tags"]), (&json!(5432), &json!(["rw"])));
    await_look(&first, "/elections/0/service/registered", true);

    let ask = |run: &Running, path: &str| {
        let socket = run.path("control.socket");
        testkit::http("POST", socket.to_str().unwrap(), path, "").unwrap();
    };
    ask(&first, "/v3/maintenance/enable");
    await_look(&first, "/elections/0/state", "out");
    assert_eq!(passing(&consul), json!([]));
    assert_eq!(journal(&first).last().unwrap().0, "demoted");
    ask(&first, "/v3/maintenance/disable");
    assert!(await_leader(&first) > token);
    wait_until("the leader is advertised again", PATIENCE, || passing(&consul)[0].is_object());

    // A reload that has nothing to do with it: the same leadership, and no event.
    // What the jobs write comes a moment after what the program knows.
    await_lines(&first, "journal", 3);
    let told = journal(&first);
    let token = await_leader(&first);
    let mut config = candidate(&catalog, more.clone());
    config["jobs"][0]["restarts"] = json!(1);
    config["jobs"].as_array_mut().unwrap().push(json!({ "name": "new",
        "exec": ["sh", "-c", "echo $CONTAINERPILOT_ELECTION_PRIMARY_TOKEN >>new"],
        "when": { "source": "election.primary", "once": "elected" } }));
    first.write("app.json", config.to_string());
    ask(&first, "/v3/reload");
    assert_eq!(await_lines(&first, "new", 1), [token.to_string()]);
    assert_eq!((await_leader(&first), journal(&first)), (token, told.clone()));

    // Another time to live is another election.
    config["elections"][0]["ttl"] = json!("3s");
    first.write("app.json", config.to_string());
    ask(&first, "/v3/reload");
    wait_until("it is elected anew", PATIENCE, || journal(&first).len() == told.len() + 2);
    assert!(await_leader(&first) > token);
    stop(&mut first);
    assert!(consul.health("primary").is_empty());
}

#[test]
fn a_lock_that_is_taken_away_is_lost_at_once() {
    let consul = consul();
    let run = spawn(candidate(&json!({ "consul": consul.address() }), json!({ "ttl": "60s" })));
    let token = await_leader(&run);
    let sessions = consul.get("/v1/session/list").json();
    let session = sessions[0]["ID"].as_str().unwrap().to_owned();
    consul.request("PUT", &format!("/v1/session/destroy/{session}"), "");
    wait_until("it is elected anew", PATIENCE, || {
        look(&run)["elections"][0]["token"].as_u64().is_some_and(|later| later > token)
    });
    // What the two jobs write may come in either order.
    await_lines(&run, "journal", 3);
    let mut events: Vec<String> = journal(&run).into_iter().map(|(event, _)| event).collect();
    events.sort();
    assert_eq!(events, ["demoted", "elected", "elected"]);
}
