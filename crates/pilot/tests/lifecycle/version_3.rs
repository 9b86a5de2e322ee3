//! 3.x: what makes jobs run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Consul, Signal, wait_until};

use crate::HANGING;
use crate::support::{
    APP, PATIENCE, await_lines, await_more_lines, await_status, catalogued_jobs, identity, jobs,
    lines, output, pilot, status,
};

/// The application, which is healthy from its first check on.
fn app() -> Value {
    json!({ "name": "app", "exec": "./app",
        "health": { "exec": "./check", "interval": 1, "ttl": 5 } })
}

/// A job that leaves its name in the journal.
fn say(name: &str, when: Value) -> Value {
    json!({ "name": name, "exec": ["./say", name], "when": when })
}

const SAY: &str = "echo \"$1\" >>journal";

#[test]
fn once_is_once_and_each_is_each() {
    let config = jobs(json!([
        app(),
        say("once", json!({ "source": "app", "once": "healthy" })),
        say("each", json!({ "source": "app", "each": "healthy" })),
        say("after", json!({ "source": "once", "once": "exitSuccess" })),
        say("not", json!({ "source": "app", "each": "unhealthy" })),
    ]));
    let run = pilot(config).script("app", APP).script("check", "exit 0").script("say", SAY).spawn();
    let count = |name: &str| lines(&run, "journal").iter().filter(|line| *line == name).count();
    wait_until("each has run three times", PATIENCE, || {
        if count("each") >= 3 { Ok(()) } else { Err(output(&run)) }
    });
    assert_eq!((count("once"), count("after"), count("not")), (1, 1, 0));
    drop(run);
}

#[test]
fn unhealthy_is_an_event_too() {
    let config = jobs(json!([app(), say("sick", json!({ "source": "app", "each": "unhealthy" }))]));
    let run = pilot(config).script("app", APP).script("check", "exit 1").script("say", SAY).spawn();
    await_lines(&run, "journal", 2);
}

#[test]
fn an_interval_is_kept_and_its_timeout_kills_the_group() {
    let config = jobs(json!([
        { "name": "often", "exec": "./often", "when": { "interval": "500ms" } },
        { "name": "slow", "exec": "./slow", "when": { "interval": "600ms" } },
        { "name": "twice", "exec": "./twice", "when": { "interval": "100ms" }, "restarts": 1 },
    ]));
    let begun = Instant::now();
    let run = pilot(config)
        .script("often", "echo run >>often.runs")
        .script("slow", HANGING)
        .script("twice", "echo run >>twice.runs")
        .spawn();
    await_lines(&run, "often.runs", 6);
    assert!(begun.elapsed() >= 4 * Duration::from_millis(500), "{:?}", begun.elapsed());
    assert_eq!(lines(&run, "twice.runs").len(), 2, "one further period");
    await_lines(&run, "grandchild.pids", 3);
    wait_until("the first grandchildren are gone", PATIENCE, || {
        lines(&run, "grandchild.pids")[..2]
            .iter()
            .all(|pid| identity(pid.parse().unwrap()).is_none())
    });
}

#[test]
fn a_job_that_has_waited_for_its_timeout_gives_up() {
    let config = jobs(json!([
        app(),
        say("never", json!({ "source": "app", "once": "exitSuccess", "timeout": "300ms" })),
        say("given-up", json!({ "source": "never", "once": "stopped" })),
    ]));
    let run = pilot(config).script("app", APP).script("check", "exit 0").script("say", SAY).spawn();
    assert_eq!(await_lines(&run, "journal", 1), ["given-up"]);
}

#[test]
fn a_job_beyond_its_timeout_is_killed_with_its_group_and_has_failed() {
    let config = jobs(json!([
        { "name": "slow", "exec": "./slow", "timeout": "300ms" },
        say("failed", json!({ "source": "slow", "once": "exitFailed" })),
        { "name": "app", "exec": "./app" },
    ]));
    let run = pilot(config).script("app", APP).script("slow", HANGING).script("say", SAY).spawn();
    assert_eq!(await_lines(&run, "journal", 1), ["failed"]);
    let pid = await_lines(&run, "grandchild.pids", 1)[0].parse().unwrap();
    wait_until("the grandchild is gone", PATIENCE, || identity(pid).is_none());
}

#[test]
fn a_missing_executable_is_a_failed_exit() {
    let config = jobs(json!([
        { "name": "missing", "exec": "./missing" },
        say("failed", json!({ "source": "missing", "once": "exitFailed" })),
        { "name": "app", "exec": "./app" },
    ]));
    let mut run = pilot(config).script("app", APP).script("say", SAY).spawn();
    assert_eq!(await_lines(&run, "journal", 1), ["failed"]);
    run.wait_for_line("missing cannot be started");
}

#[test]
fn signals_are_sources() {
    let config = jobs(json!([
        { "name": "app", "exec": "./app" },
        say("hup", json!({ "source": "SIGHUP" })),
        say("usr2", json!({ "source": "SIGUSR2" })),
    ]));
    let run = pilot(config).script("app", APP).script("say", SAY).spawn();
    await_lines(&run, "app.pids", 1);
    let mut expected = Vec::new();
    for (signal, name) in [
        (Signal::SIGHUP, "hup"),
        (Signal::SIGUSR2, "usr2"),
        (Signal::SIGUSR2, "usr2"),
        (Signal::SIGHUP, "hup"),
    ] {
        run.signal(signal);
        expected.push(name);
        assert_eq!(await_lines(&run, "journal", expected.len()), expected);
    }
    assert_eq!(lines(&run, "app.pids").len(), 1);
}

#[test]
fn a_watch_tells_of_changes_and_of_health() {
    let consul = Consul::start();
    let on = |event: &str| say(event, json!({ "source": "watch.db", "each": event }));
    let reactions = json!([on("changed"), on("healthy"), on("unhealthy")]);
    let watches = json!([{ "name": "db", "interval": 1 }]);
    let run = pilot(catalogued_jobs(&consul, watches, reactions)).script("say", SAY).spawn();
    let register = |id: &str| {
        consul.register(json!({ "ID": id, "Name": "db", "Address": "127.0.0.1", "Port": 5000,
            "Check": { "CheckID": format!("check-{id}"), "TTL": "1h", "Status": "passing" } }));
    };
    // Both reactions to one change run at the same time.
    let mut seen = 0;
    let mut reaction = || {
        seen += 2;
        let mut last = await_lines(&run, "journal", seen).split_off(seen - 2);
        last.sort();
        last
    };
    register("one");
    assert_eq!(reaction(), ["changed", "healthy"]);
    register("two");
    assert_eq!(reaction(), ["changed", "healthy"]);
    consul.request("PUT", "/v1/agent/check/fail/check-one", "");
    assert_eq!(reaction(), ["changed", "healthy"], "one is left");
    consul.deregister("two");
    assert_eq!(reaction(), ["changed", "unhealthy"]);
    consul.request("PUT", "/v1/agent/check/pass/check-one", "");
    assert_eq!(reaction(), ["changed", "healthy"]);
}

#[test]
fn an_initial_status_registers_before_the_first_check() {
    let consul = Consul::start();
    for key in ["initialStatus", "initial_status"] {
        let mut app = app();
        app["port"] = json!(8000);
        app["interfaces"] = json!("static:127.0.0.1");
        app["health"] = json!({ "exec": "./check", "interval": 60, "ttl": 90 });
        app[key] = json!("warning");
        let run = pilot(catalogued_jobs(&consul, json!([]), json!([app])))
            .script("app", APP)
            .script("check", "until [ -e well ]; do sleep 0.05; done")
            .spawn();
        await_status(&consul, &run, "app", Some("warning"));
        run.write("well", "");
        await_status(&consul, &run, "app", Some("passing"));
        consul.deregister(&crate::support::instance("app"));
    }
}

/// Triggers that come while a job runs are held, and several are one.
#[test]
fn a_job_that_runs_is_not_started_a_second_time() {
    let config = jobs(json!([
        { "name": "app", "exec": "./app" },
        say("slow", json!({ "source": "SIGHUP" })),
        say("mark", json!({ "source": "SIGUSR2" })),
    ]));
    let slow = "echo \"$1\" >>journal\n[ $1 = mark ] || until [ -e go ]; do sleep 0.05; done";
    let run = pilot(config).script("app", APP).script("say", slow).spawn();
    await_lines(&run, "app.pids", 1);
    run.signal(Signal::SIGHUP);
    assert_eq!(await_lines(&run, "journal", 1), ["slow"]);
    run.signal(Signal::SIGHUP);
    run.signal(Signal::SIGHUP);
    run.signal(Signal::SIGUSR2);
    assert_eq!(await_lines(&run, "journal", 2), ["slow", "mark"]);
    run.write("go", "");
    assert_eq!(await_lines(&run, "journal", 3), ["slow", "mark", "slow"]);
    run.signal(Signal::SIGUSR2);
    assert_eq!(await_lines(&run, "journal", 4), ["slow", "mark", "slow", "mark"]);
}

#[test]
fn a_job_is_registered_by_its_first_passing_check_and_leaves_with_its_stop() {
    let consul = Consul::start();
    let mut app = app();
    app["port"] = json!(8000);
    app["interfaces"] = json!("static:127.0.0.1");
    let mut run = pilot(catalogued_jobs(&consul, json!([]), json!([app])))
        .script("app", APP)
        .script("check", "echo checked >>checks; [ -e well ]")
        .spawn();
    await_more_lines(&run, "checks", 2);
    assert_eq!(status(&consul, "app"), None);
    run.write("well", "");
    await_status(&consul, &run, "app", Some("passing"));
    crate::support::stop(&mut run);
    assert_eq!(status(&consul, "app"), None);
}
