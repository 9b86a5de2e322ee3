//! Checks that are no processes, from a configuration to the catalog: each kind turns, and what
//! follows from that.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{
    PATIENCE, await_lines, await_status, catalogued_jobs, exit_code, jobs, lines, output, pilot,
    talk::{await_job, job, look, start},
};
use testkit::{Consul, HttpStub, Program, Running, free_port, wait_until};

/// Lives until SIGTERM, and leaves its process id as a line of `web.pids`.
const WEB: &str = r#"
sleep 1000 >/dev/null 2>&1 &
trap 'kill $! 2>/dev/null; exit 0' TERM
echo $$ >>web.pids
while :; do wait; done"#;

/// The job `web` with this check, among others.
fn web(health: Value, others: &[Value]) -> Value {
    let mut all = vec![json!({ "name": "web", "exec": "./web", "health": health })];
    all.extend(others.iter().cloned());
    jobs(Value::Array(all))
}

fn program(config: Value) -> Program {
    pilot(config).script("web", WEB).script("say", "echo \"$1\" >>journal")
}

#[track_caller]
fn await_health(run: &Running, status: &str, output: &str) {
    let web = await_job(run, "web", "/health/status", status);
    assert_eq!(web["health"]["output"], output, "{web}");
}

#[track_caller]
fn await_output(run: &Running, output: &str) -> Value {
    await_job(run, "web", "/health/output", output)
}

#[test]
fn an_answer_decides_and_the_log_tells_why() {
    let server = HttpStub::start();
    let health = json!({ "http": server.url("/health?full"), "method": "POST",
        "headers": { "X-Probe": "yes" }, "expect": [200, 204], "interval": 1 });
    let mut run = start(&program(web(health, &[])));
    await_health(&run, "healthy", "status 200");
    server.set_status(503);
    server.set_body("the database is gone");
    let words = "status 503, want 200 or 204: the database is gone";
    await_health(&run, "unhealthy", words);
    run.wait_for_line(&format!("web is unhealthy: {words}"));
    server.set_status(204);
    await_health(&run, "healthy", "status 204");
    let request = server.requests()[0].to_lowercase();
    assert!(request.starts_with("post /health?full "), "{request}");
    assert!(request.contains("x-probe: yes"), "{request}");
    assert_eq!(lines(&run, "web.pids").len(), 1, "nothing else follows from it");
}

#[test]
fn a_port_decides() {
    let server = HttpStub::start();
    let address = server.address();
    let health = json!({ "tcp": address, "interval": 1 });
    let run = start(&program(web(health, &[])));
    await_health(&run, "healthy", &format!("{address} accepts connections"));
    drop(server);
    await_health(&run, "unhealthy", &format!("no connection to {address}: connection refused"));
}

/// The interpreter with grpcio: `PY_GRPC`, else what `scripts/install-py-grpc` installs.
fn python() -> PathBuf {
    if let Some(path) = std::env::var_os("PY_GRPC") {
        return path.into();
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/py-grpc/bin/python");
    assert!(python.exists(), "this test needs grpcio: run scripts/install-py-grpc");
    python
}

#[test]
fn a_server_decides_that_speaks_grpc() {
    let port = free_port();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../http-client/tests/grpc_server.py");
    let mut server = Program::new(python()).arg(script).arg(port.to_string()).spawn();
    server.wait_for_line("ready");
    let grpc = |service: &str| {
        json!({ "grpc": format!("localhost:{port}/{service}"),
        "interval": 1 })
    };
    let tired = json!({ "name": "tired", "exec": ["sleep", "1000"], "health": grpc("tired") });
    let run = start(&program(web(grpc("ready"), &[tired])));
    await_health(&run, "healthy", "SERVING");
    let tired = await_job(&run, "tired", "/health/status", "unhealthy");
    assert_eq!(tired["health"]["output"], "NOT_SERVING");
    server.kill();
    let gone = await_job(&run, "web", "/health/status", "unhealthy");
    let words = gone["health"]["output"].as_str().unwrap();
    assert!(words.starts_with(&format!("no connection to localhost:{port}: ")), "{words}");
}

#[test]
fn a_file_decides() {
    let program = program(jobs(json!([])));
    let path = program.path("alive");
    let path = path.to_str().unwrap();
    let health = json!({ "file": { "path": path, "youngerThan": "3s" }, "interval": 1 });
    let run = start(&program.file("app.json", web(health, &[]).to_string()));
    await_health(&run, "unhealthy", &format!("{path} does not exist"));
    run.write("alive", "");
    await_job(&run, "web", "/health/status", "healthy");
    await_job(&run, "web", "/health/status", "unhealthy");
    let words = job(&run, "web")["health"]["output"].as_str().unwrap().to_owned();
    assert!(words.ends_with("old, want less than 3s"), "{words}");
}

/// A request that hangs ends when its time is up, and holds up nobody else.
#[test]
fn a_silent_server_has_failed_when_its_time_is_up() {
    let server = HttpStub::start();
    server.set_delay(PATIENCE);
    let address = server.address();
    let health = json!({ "http": format!("http://{address}/"), "interval": "5s",
        "timeout": "500ms" });
    let ticking = json!({ "name": "ticking", "exec": ["./say", "tick"],
        "when": { "interval": "100ms" } });
    let mut run = start(&program(web(health, &[ticking])));
    let words = format!("no answer from {address} within 500ms");
    await_health(&run, "unhealthy", &words);
    // It was the first one: that is no news.
    run.wait_for_line(&format!("web is not healthy yet: {words}"));
    assert!(lines(&run, "journal").len() >= 2, "{}", output(&run));
}

#[test]
fn it_takes_as_many_as_are_wanted_and_heartbeats_go_on_until_then() {
    let consul = Consul::start();
    let server = HttpStub::start();
    let health = json!({ "http": server.url("/"), "interval": 1, "ttl": 3, "failures": 6,
        "successes": 2 });
    let web = json!({ "name": "web", "exec": "./web", "port": 8000,
        "interfaces": "static:127.0.0.1", "health": health });
    let told = json!({ "name": "told", "exec": ["./say", "unhealthy"],
        "when": { "source": "web", "each": "unhealthy" } });
    let run = start(&program(catalogued_jobs(&consul, json!([]), json!([web, told]))));
    await_status(&consul, &run, "web", Some("passing"));
    assert!(server.count() >= 2, "one is not enough");
    server.set_status(500);
    // Longer than the TTL, and not as often as it takes.
    let before = server.count();
    wait_until("it has failed four times", PATIENCE, || server.count() >= before + 4);
    let healthy = job(&run, "web");
    if server.count() < before + 6 {
        assert_eq!(healthy["health"]["status"], "healthy", "{healthy}");
        assert_eq!(support::status(&consul, "web").as_deref(), Some("passing"));
    }
    await_lines(&run, "journal", 1);
    assert!(server.count() >= before + 6, "{}", output(&run));
    await_status(&consul, &run, "web", Some("critical"));
}

#[test]
fn an_unhealthy_process_is_started_again_and_critical_meanwhile() {
    let consul = Consul::start();
    let server = HttpStub::start();
    // A TTL that does not run out by itself here.
    let health = json!({ "http": server.url("/"), "interval": 1, "ttl": 300, "startPeriod": "30s",
        "onFailure": "restart" });
    let web = json!({ "name": "web", "exec": "./web", "port": 8000,
        "interfaces": "static:127.0.0.1", "health": health });
    let hook = |event: &str| {
        json!({ "name": format!("on-{event}"), "exec": ["./say", event],
        "when": { "source": "web", "once": event } })
    };
    let hooks = [hook("unhealthy"), hook("exitSuccess"), hook("stopping"), hook("stopped")];
    let all: Vec<Value> = [web].into_iter().chain(hooks).collect();
    let run = start(&program(catalogued_jobs(&consul, json!([]), Value::Array(all))));
    await_status(&consul, &run, "web", Some("passing"));
    server.set_status(500);
    await_status(&consul, &run, "web", Some("critical"));
    let pids = await_lines(&run, "web.pids", 2);
    assert_ne!(pids[0], pids[1]);
    // Its time to start: what fails now does not count, and it is not well either.
    let asked = server.count();
    wait_until("it is asked again", PATIENCE, || server.count() >= asked + 3);
    await_output(&run, "status 500, want 200-399: ok");
    let starting = job(&run, "web");
    assert_eq!(starting["health"]["status"], "unknown", "{starting}");
    assert_eq!(starting["restarts"], 1, "{starting}");
    server.set_status(200);
    await_status(&consul, &run, "web", Some("passing"));
    await_job(&run, "web", "/health/status", "healthy");
    assert_eq!(lines(&run, "web.pids").len(), 2);
    let mut journal = lines(&run, "journal");
    journal.sort();
    // The job does not leave: nothing is hooked to that.
    assert_eq!(journal, ["exitSuccess", "unhealthy"], "{}", output(&run));
    assert_eq!(look(&run)["stopping"], false);
}

#[test]
fn bad_health_can_end_everything() {
    let server = HttpStub::start();
    let health = json!({ "http": server.url("/"), "interval": 1, "failures": 2,
        "onFailure": "shutdown" });
    let hook = json!({ "name": "last", "exec": ["./say", "stopping"],
        "when": { "source": "web", "once": "stopping" } });
    let mut run = start(&program(web(health, &[hook])));
    await_job(&run, "web", "/health/status", "healthy");
    server.set_status(500);
    run.wait_for_line("the bad health of web is the end of all: stopping, with 1");
    let finished = run.wait(PATIENCE);
    assert_eq!(exit_code(&finished), 1, "{finished:?}");
    assert_eq!(lines(&run, "journal"), ["stopping"], "in order");
}

/// 100 that never answer cost no process, and delay nothing.
#[test]
fn many_checks_need_no_processes() {
    let server = HttpStub::start();
    let checks = (0..100).map(|number| {
        let health = json!({ "http": server.url(&format!("/{number}")), "interval": 1 });
        json!({ "name": format!("check-{number}"), "health": health })
    });
    let web = json!({ "name": "web", "exec": "./web" });
    let all: Vec<Value> = [web].into_iter().chain(checks).collect();
    let run = start(&program(jobs(Value::Array(all))));
    wait_until("all are healthy", PATIENCE, || {
        let status = look(&run);
        let jobs = status["jobs"].as_array().unwrap();
        let healthy = jobs.iter().filter(|job| job["health"]["status"] == "healthy").count();
        if healthy == 100 { Ok(()) } else { Err(format!("{healthy}")) }
    });
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.pid()));
    assert_eq!(children.unwrap().split_whitespace().count(), 1, "the application alone");
}

/// Who reads the log is not left with a reason that has long been another.
#[test]
fn another_reason_is_told() {
    let health = json!({ "exec": ["./check"], "interval": "1s", "timeout": "1s" });
    let program = program(web(health, &[])).file("code", "1");
    let program = program.script("check", "exit $(cat code)");
    let mut run = start(&program);
    run.wait_for_line("web is not healthy yet: its check exited with 1");
    run.write("code", "2");
    run.wait_for_line("web is still unhealthy: its check exited with 2");
    run.write("code", "0");
    run.wait_for_line("web is healthy");
    let told = output(&run);
    assert_eq!(told.matches("exited with").count(), 2, "{told}");
}
