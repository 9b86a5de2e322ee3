//! 1.x/2.x: hooks, coprocesses, tasks, checks, stopping.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::{Consul, Running, wait_until};

use crate::support::{
    APP, COPROCESS, NO_CATALOG, PATIENCE, SECOND, STUBBORN, await_lines, await_more_lines,
    await_status, exit_code, identity, instance, last_process, lines, output, pilot, status, stop,
};
use crate::{HANGING, service};

/// Each hook of the end waits for a file, so that the world can be looked at meanwhile.
const GATED: &str = "echo \"$1\" >>journal; until [ -e \"go-$1\" ]; do sleep 0.05; done";

#[test]
fn hooks_coprocesses_and_the_application_take_their_turns() {
    let consul = Consul::start();
    let config = json!({
        "consul": consul.address(),
        "services": [service("app")],
        "preStart": "./hook preStart",
        "preStop": "./hook preStop",
        "postStop": "./hook postStop",
        "coprocesses": [{ "name": "helper", "command": "./coprocess" }],
        "stopTimeout": 60,
    });
    let mut run = pilot(config)
        .arg("./app")
        .script("hook", GATED)
        // A coprocess that runs is known to what is started later.
        .script(
            "app",
            &format!("echo \"app after ${{CONTAINERPILOT_HELPER_PID:-nobody}}\" >>journal{APP}"),
        )
        .script("coprocess", COPROCESS)
        .script("check", "exit 0")
        .spawn();
    assert_eq!(await_lines(&run, "journal", 1), ["preStart"]);
    run.write("go-preStart", "");
    let app = last_process(&run, "app.pids");
    let coprocess = last_process(&run, "coprocess.pids");
    await_status(&consul, &run, "app", Some("passing"));
    let started = ["preStart".to_owned(), format!("app after {}", coprocess.pid())];
    assert_eq!(lines(&run, "journal"), started);

    run.signal(testkit::Signal::SIGTERM);
    assert_eq!(await_lines(&run, "journal", 3)[2], "preStop");
    assert_eq!(status(&consul, "app"), None, "out of the catalog before preStop runs");
    assert!(app.lives() && coprocess.lives());
    run.write("go-preStop", "");
    assert_eq!(await_lines(&run, "journal", 5)[3..], ["app stops", "postStop"]);
    assert!(!app.lives());
    assert!(coprocess.lives(), "it may be what deregistration and hooks need");
    run.write("go-postStop", "");
    assert_eq!(exit_code(&run.wait(PATIENCE)), 0);
    assert_eq!(lines(&run, "journal")[5..], ["coprocess stops"]);
}

/// A failing preStop is told of, and stopping goes on.
#[test]
fn a_failing_prestop_stops_nothing() {
    let config = json!({ "consul": NO_CATALOG, "preStop": "./prestop" });
    let mut run = pilot(config)
        .arg("./app")
        .script("app", APP)
        .script("prestop", "echo prestop >>journal; exit 5")
        .spawn();
    await_lines(&run, "app.pids", 1);
    let (finished, _) = stop(&mut run);
    assert_eq!(exit_code(&finished), 0, "{finished:?}");
    assert_eq!(lines(&run, "journal"), ["prestop", "app stops"]);
}

#[test]
fn an_application_that_ignores_sigterm_is_killed_after_the_stop_timeout() {
    let config = json!({ "consul": NO_CATALOG, "stopTimeout": 1 });
    let mut run = pilot(config).arg("./app").script("app", STUBBORN).spawn();
    let app = last_process(&run, "app.pids");
    let (finished, took) = stop(&mut run);
    assert_eq!(exit_code(&finished), 137, "{finished:?}");
    assert_eq!(lines(&run, "journal"), ["app shrugs"], "SIGTERM came first");
    assert!(took >= SECOND && took < 4 * SECOND, "{took:?}");
    assert!(!app.lives());
}

#[test]
fn a_negative_stop_timeout_kills_at_once() {
    let config = json!({ "consul": NO_CATALOG, "stopTimeout": -1 });
    let mut run = pilot(config).arg("./app").script("app", STUBBORN).spawn();
    await_lines(&run, "app.pids", 1);
    let (finished, took) = stop(&mut run);
    assert_eq!(exit_code(&finished), 137, "{finished:?}");
    assert_eq!(lines(&run, "journal"), [""; 0], "no SIGTERM");
    assert!(took < 3 * SECOND, "{took:?}");
}

#[test]
fn the_program_runs_without_an_application_until_it_is_stopped() {
    let coprocess = json!([{ "command": "./coprocess" }]);
    let config = json!({ "consul": NO_CATALOG, "coprocesses": coprocess });
    let mut run = pilot(config).script("coprocess", COPROCESS).spawn();
    await_lines(&run, "coprocess.pids", 1);
    let (finished, _) = stop(&mut run);
    assert_eq!(exit_code(&finished), 0, "{finished:?}");
    assert_eq!(lines(&run, "journal"), ["coprocess stops"]);
}

/// Restarts come at once, and the one without a limit, which backs off, has the time for five
/// runs that the others do not use.
#[test]
fn coprocesses_are_restarted_as_often_as_they_may() {
    let coprocess = |name: &str, restarts: serde_json::Value| json!({ "name": name, "command": ["./coprocess", name], "restarts": restarts });
    let config = json!({ "consul": NO_CATALOG, "coprocesses": [
        { "name": "default", "command": "./coprocess default" },
        coprocess("never", json!("never")), coprocess("none", json!(0)),
        coprocess("two", json!(2)), coprocess("ever", json!("unlimited"))] });
    let mut run = pilot(config)
        .arg("./app")
        .script("app", APP)
        .script("coprocess", "echo run >>$1.runs; exit 1")
        .spawn();
    await_lines(&run, "two.runs", 3);
    await_lines(&run, "ever.runs", 5);
    let runs = |name: &str| lines(&run, &format!("{name}.runs")).len();
    assert_eq!(["default", "never", "none", "two"].map(runs), [1, 1, 1, 3], "{}", output(&run));
    assert!(last_process(&run, "app.pids").lives(), "a coprocess that fails ends nothing else");
    let (finished, _) = stop(&mut run);
    assert_eq!(exit_code(&finished), 0, "{finished:?}");
}

#[test]
fn tasks_run_on_their_frequency() {
    let config = json!({ "consul": NO_CATALOG, "tasks": [
        { "name": "often", "command": "./task often", "frequency": "500ms" },
        { "name": "rarely", "command": "./task rarely", "frequency": "1h" }] });
    let begun = Instant::now();
    let run =
        pilot(config).arg("./app").script("app", APP).script("task", "echo run >>$1.runs").spawn();
    await_lines(&run, "often.runs", 6);
    assert!(begun.elapsed() >= 4 * Duration::from_millis(500), "{:?}", begun.elapsed());
    assert_eq!(lines(&run, "rarely.runs").len(), 1);
}

/// Waits until a hanging script has been killed, with what it had started.
#[track_caller]
fn await_kill_of_the_group(run: &Running, count: usize) {
    await_lines(run, "grandchild.pids", count);
    wait_until("all grandchildren but the newest are gone", PATIENCE, || {
        let pids = lines(run, "grandchild.pids");
        let old = pids.iter().take(count).filter_map(|pid| identity(pid.parse().ok()?));
        let alive: Vec<_> = old.collect();
        if alive.is_empty() { Ok(()) } else { Err(format!("{alive:?}\n{}", output(run))) }
    });
}

#[test]
fn a_task_beyond_its_timeout_is_killed_with_its_group() {
    let task = json!({ "command": "./task", "frequency": "500ms", "timeout": "300ms" });
    let config = json!({ "consul": NO_CATALOG, "tasks": [task] });
    let run = pilot(config).arg("./app").script("app", APP).script("task", HANGING).spawn();
    await_kill_of_the_group(&run, 3);
}

/// The timeout is the frequency if there is none.
#[test]
fn a_task_without_a_timeout_has_its_frequency() {
    let task = json!({ "command": "./task", "frequency": "500ms" });
    let config = json!({ "consul": NO_CATALOG, "tasks": [task] });
    let run = pilot(config).arg("./app").script("app", APP).script("task", HANGING).spawn();
    await_kill_of_the_group(&run, 2);
}

#[test]
fn a_check_beyond_its_timeout_is_killed_with_its_group_and_sends_no_heartbeat() {
    let consul = Consul::start();
    let mut app = service("app");
    app["timeout"] = json!("300ms");
    app["ttl"] = json!(3);
    let run = pilot(json!({ "consul": consul.address(), "services": [app] }))
        .arg("./app")
        .script("app", APP)
        .script("check", &format!("echo checked >>checks\n[ -e hang ] || exit 0\n{HANGING}"))
        .spawn();
    await_status(&consul, &run, "app", Some("passing"));
    run.write("hang", "");
    // Checks go on, each of them killed, while the TTL runs out.
    await_kill_of_the_group(&run, 2);
    await_status(&consul, &run, "app", Some("critical"));
    await_more_lines(&run, "checks", 2);
    assert_eq!(status(&consul, "app").as_deref(), Some("critical"));
    assert!(consul.services().get(instance("app")).is_some(), "it stays registered");
    assert!(last_process(&run, "app.pids").lives());
    std::fs::remove_file(run.path("hang")).unwrap();
    await_status(&consul, &run, "app", Some("passing"));
}

#[test]
fn a_service_is_not_registered_before_a_check_passes() {
    let consul = Consul::start();
    let run = pilot(json!({ "consul": consul.address(), "services": [service("app")] }))
        .arg("./app")
        .script("app", APP)
        .script("check", "echo checked >>checks\n[ -e well ]")
        .spawn();
    await_lines(&run, "checks", 3);
    assert_eq!(status(&consul, "app"), None);
    run.write("well", "");
    await_status(&consul, &run, "app", Some("passing"));
}
