//! Those who use a service have time to notice that it goes, before it goes.

use std::{
    io::Read,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testkit::{Consul, Running, Signal, free_port, http, wait_until};

use crate::{
    SERVE, await_look, look,
    support::{
        PATIENCE, await_lines, await_status, catalogued_jobs, exit_code, instance, output, pilot,
        stop,
    },
};

/// Answers every connection with a word, as long as it lives.
const SERVER: &str = r#"
exec python3 -c '
import socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen(64)
open("listening", "w").close()
while True:
    peer, _ = server.accept()
    peer.sendall(b"ok")
    peer.close()
' "$1""#;

fn drained(port: u16, drain: Value) -> Value {
    json!({ "name": "web", "exec": ["./serve", port.to_string()], "port": port,
        "interfaces": "static:127.0.0.1", "drain": drain,
        "health": { "exec": "test -e listening", "interval": 1, "ttl": 10 } })
}

/// A client that looks into the catalog ten times a second and connects, as often as it can, to
/// what it has seen there last. Counts how often, and ends when nothing is there any more.
fn client(consul: &str, connected: &AtomicU32) -> Result<(), String> {
    let mut looked: Option<(Instant, Value)> = None;
    loop {
        let old = looked.as_ref().is_none_or(|(at, _)| at.elapsed() > Duration::from_millis(100));
        if old {
            let answer = http("GET", consul, "/v1/health/service/web?passing", "")
                .map_err(|error| error.to_string())?;
            looked = Some((Instant::now(), answer.json()));
        }
        let Some((_, seen)) = &looked else { continue };
        let connected_before = connected.load(Ordering::SeqCst);
        let entry = match seen.get(0) {
            Some(entry) => entry,
            None if connected_before == 0 => continue,
            None => return Ok(()),
        };
        let port = entry["Service"]["Port"].as_u64().unwrap();
        let mut word = String::new();
        TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap()))
            .and_then(|mut peer| peer.read_to_string(&mut word))
            .map_err(|error| format!("after {connected_before} connections: {error}"))?;
        if word != "ok" {
            return Err(format!("after {connected_before} connections: {word:?}"));
        }
        connected.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn nobody_who_looks_into_the_catalog_is_refused() {
    for mark in [false, true] {
        let consul = Consul::start();
        let port = free_port();
        let drain = json!({ "time": "2s", "mark": mark });
        let config = catalogued_jobs(&consul, json!([]), json!([drained(port, drain)]));
        let mut run = pilot(config).script("serve", SERVER).spawn();
        await_status(&consul, &run, "web", Some("passing"));
        let connected = Arc::new(AtomicU32::new(0));
        let (address, count) = (consul.address(), Arc::clone(&connected));
        let client = thread::spawn(move || client(&address, &count));
        wait_until("the client is served", PATIENCE, || connected.load(Ordering::SeqCst) > 3);
        run.signal(Signal::SIGTERM);
        wait_until("the client has left", PATIENCE, || client.is_finished());
        assert_eq!(client.join().unwrap(), Ok(()), "{}", output(&run));
        if mark {
            // Critical until its process has ended.
            await_status(&consul, &run, "web", Some("critical"));
        }
        let finished = run.wait(PATIENCE);
        assert_eq!(exit_code(&finished), 0, "{finished:?}");
        assert!(!consul.services().to_string().contains(&instance("web")), "it has left");
    }
}

/// The original has it leave the catalog and go on.
#[test]
fn a_drain_is_seen_and_cut_by_a_second_interrupt() {
    let consul = Consul::start();
    let mut config = catalogued_jobs(
        &consul,
        json!([]),
        json!([{ "name": "web", "exec": ["./serve", "web"], "port": 8000, "drain": "500s",
            "interfaces": "static:127.0.0.1",
            "health": { "exec": "true", "interval": 1, "ttl": 10 } }]),
    );
    config["stopTimeout"] = json!("600s");
    let mut run = pilot(config).script("serve", SERVE).spawn();
    await_status(&consul, &run, "web", Some("passing"));
    await_lines(&run, "web.pids", 1);
    run.signal(Signal::SIGINT);
    await_look(&run, "/jobs/0/state", "draining");
    await_status(&consul, &run, "web", None);
    assert_eq!(look(&run)["stopping"], true);
    assert_eq!(run.read("journal"), None, "its process has not been asked to stop");
    run.signal(Signal::SIGINT);
    run.wait(PATIENCE);
    assert_eq!(run.read("journal"), None, "it was killed");
}

#[test]
fn a_catalog_that_does_not_answer_is_not_waited_for() {
    let consul = Consul::start();
    let mut config = catalogued_jobs(
        &consul,
        json!([]),
        json!([{ "name": "web", "exec": ["./serve", "web"], "port": 8000, "drain": "500s",
            "interfaces": "static:127.0.0.1",
            "health": { "exec": "true", "interval": 1, "ttl": 10 } }]),
    );
    config["stopTimeout"] = json!("600s");
    let mut run = pilot(config).script("serve", SERVE).spawn();
    await_status(&consul, &run, "web", Some("passing"));
    await_lines(&run, "web.pids", 1);
    consul.freeze();
    let (finished, took) = stop(&mut run);
    assert_eq!(exit_code(&finished), 0, "{finished:?}");
    assert!(took < Duration::from_secs(60), "{took:?}: nobody can know that it goes");
    consul.thaw();
}

#[test]
fn in_2x_the_application_hears_of_it_when_its_services_are_drained() {
    let consul = Consul::start();
    let config = json!({ "consul": consul.address(), "preStop": "./prestop",
        "services": [{ "name": "app", "port": 8000, "interfaces": "static:127.0.0.1",
            "health": "true", "poll": 1, "ttl": 10, "drain": "2s" }] });
    let mut run = pilot(config)
        .args(["./serve", "app"])
        .script("serve", SERVE)
        .script("prestop", "echo preStop >>journal")
        .spawn();
    await_status(&consul, &run, "app", Some("passing"));
    await_lines(&run, "app.pids", 1);
    run.signal(Signal::SIGTERM);
    await_status(&consul, &run, "app", None);
    let left = Instant::now();
    let journal = await_lines(&run, "journal", 2);
    assert_eq!(journal, ["preStop", "app stops"]);
    // We have seen that it left a moment after it did.
    assert!(left.elapsed() > Duration::from_secs(1), "{:?}", left.elapsed());
    assert_eq!(exit_code(&run.wait(PATIENCE)), 0);
}

fn heard(run: &Running) -> Vec<String> {
    run.read("heard").unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn jobs_hear_of_maintenance_when_services_are_drained() {
    let consul = Consul::start();
    let config = catalogued_jobs(
        &consul,
        json!([]),
        json!([
            { "name": "web", "exec": ["./serve", "web"], "port": 8000, "drain": "2s",
                "interfaces": "static:127.0.0.1",
                "health": { "exec": "true", "interval": 1, "ttl": 10 } },
            { "name": "hook", "exec": ["sh", "-c", "echo entered >>heard"],
                "when": { "source": "global", "each": "enterMaintenance" } }
        ]),
    );
    let run = pilot(config).script("serve", SERVE).spawn();
    await_status(&consul, &run, "web", Some("passing"));
    let socket = run.path("control.socket");
    let asked = Instant::now();
    http("POST", socket.to_str().unwrap(), "/v3/maintenance/enable", "").unwrap();
    await_status(&consul, &run, "web", None);
    await_lines(&run, "heard", 1);
    assert!(asked.elapsed() >= Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(heard(&run), ["entered"]);
}
