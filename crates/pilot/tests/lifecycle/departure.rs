//! Nothing stops before the catalog has acknowledged that the service is gone: until then others
//! still send requests here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testkit::{HttpStub, Signal, wait_until};

use crate::service;
use crate::support::{PATIENCE, await_lines, exit_code, jobs, output, pilot};

/// How long every answer of the catalog takes: less than what a stop waits for at most.
const DELAY: Duration = Duration::from_millis(500);

/// Leaves the time (since the epoch, in nanoseconds) of what happens to it in `times`.
const APP: &str = r#"
sleep 1000 >/dev/null 2>&1 &
trap 'date +%s%N >>times; kill $!; exit 0' TERM
echo $$ >>app.pids
while :; do wait; done"#;

/// However slow the machine is, `times` are later than the signal by at least the delay.
fn leaves_first(catalog: &HttpStub, config: Value, arguments: &[&str], times: usize) {
    let mut run = pilot(config)
        .args(arguments)
        .script("app", APP)
        .script("check", "exit 0")
        .script("prestop", "date +%s%N >>times")
        .spawn();
    await_lines(&run, "app.pids", 1);
    let asked_to = |what: &str| catalog.requests().iter().any(|request| request.contains(what));
    wait_until("it is registered", PATIENCE, || {
        if asked_to("/v1/agent/service/register") { Ok(()) } else { Err(output(&run)) }
    });
    catalog.set_delay(DELAY);
    let asked = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    run.signal(Signal::SIGTERM);
    let finished = run.wait(PATIENCE);
    assert_eq!(exit_code(&finished), 0, "{finished:?}");
    assert!(asked_to("/v1/agent/service/deregister/"));
    assert!(finished.stdout.contains("is out of the catalog"), "in time: {finished:?}");
    let seen = await_lines(&run, "times", times);
    assert_eq!(seen.len(), times);
    for time in seen {
        let after = Duration::from_nanos(time.parse().unwrap()).saturating_sub(asked);
        assert!(after >= DELAY, "{after:?} after SIGTERM: {finished:?}");
    }
}

#[test]
fn a_service_leaves_before_prestop_and_the_application() {
    let catalog = HttpStub::start();
    let config = json!({ "consul": catalog.address(), "preStop": "./prestop",
        "services": [service("app")] });
    leaves_first(&catalog, config, &["./app"], 2);
}

#[test]
fn a_jobs_service_leaves_before_the_job() {
    let catalog = HttpStub::start();
    let mut config = jobs(json!([{ "name": "app", "exec": "./app", "port": 8000,
        "interfaces": "static:127.0.0.1",
        "health": { "exec": "./check", "interval": 1, "ttl": 5 } }]));
    config["consul"] = json!(catalog.address());
    leaves_first(&catalog, config, &[], 1);
}
