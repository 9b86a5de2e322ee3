//! 3.x: stopping.

use serde_json::json;
use testkit::{Consul, Signal};

use crate::support::{
    APP, PATIENCE, SECOND, STUBBORN, await_lines, await_status, catalogued_jobs, exit_code, jobs,
    last_process, lines, pilot, status, stop,
};

#[test]
fn hooks_of_stopping_come_before_and_those_of_stopped_after() {
    let consul = Consul::start();
    let hook = |name: &str, event: &str| {
        json!({ "name": name, "exec": ["./hook", name],
            "when": { "source": "app", "once": event } })
    };
    let config = catalogued_jobs(
        &consul,
        json!([]),
        json!([
            { "name": "app", "exec": "./app", "port": 8000, "interfaces": "static:127.0.0.1",
                "stopTimeout": "60s", "health": { "exec": "true", "interval": 1, "ttl": 5 } },
            hook("before", "stopping"),
            hook("after", "stopped"),
        ]),
    );
    let mut config = config;
    config["stopTimeout"] = json!(60);
    let mut run = pilot(config)
        .script("app", APP)
        .script("hook", "echo $1 >>journal; until [ -e go-$1 ]; do sleep 0.05; done")
        .spawn();
    await_status(&consul, &run, "app", Some("passing"));
    let app = last_process(&run, "app.pids");
    run.signal(Signal::SIGTERM);
    assert_eq!(await_lines(&run, "journal", 1), ["before"]);
    assert!(app.lives(), "it waits for its hook");
    run.write("go-before", "");
    assert_eq!(await_lines(&run, "journal", 3), ["before", "app stops", "after"]);
    assert!(!app.lives());
    assert_eq!(status(&consul, "app"), None);
    assert_eq!(run.ended(), None, "a hook of `stopped` is waited for");
    run.write("go-after", "");
    assert_eq!(exit_code(&run.wait(PATIENCE)), 0);
}

/// As long as the job's own `stopTimeout`.
#[test]
fn a_hook_of_stopping_is_not_waited_for_for_ever() {
    let mut config = jobs(json!([
        { "name": "app", "exec": "./app", "stopTimeout": "300ms" },
        { "name": "hook", "exec": "sleep 1000", "when": { "source": "app", "once": "stopping" } },
        { "name": "after", "exec": ["sh", "-c", "echo after >>journal"],
            "when": { "source": "app", "once": "stopped" } },
    ]));
    config["stopTimeout"] = json!(3);
    let mut run = pilot(config).script("app", APP).spawn();
    await_lines(&run, "app.pids", 1);
    run.signal(Signal::SIGTERM);
    assert_eq!(await_lines(&run, "journal", 2), ["app stops", "after"]);
    assert_eq!(exit_code(&run.wait(PATIENCE)), 0);
}

#[test]
fn stragglers_are_killed_after_the_stop_timeout() {
    let mut config = jobs(json!([
        { "name": "app", "exec": "./app" },
        { "name": "obedient", "exec": "./obedient" },
    ]));
    config["stopTimeout"] = json!(1);
    let obedient = crate::support::COPROCESS;
    let mut run = pilot(config).script("app", STUBBORN).script("obedient", obedient).spawn();
    let app = last_process(&run, "app.pids");
    await_lines(&run, "coprocess.pids", 1);
    let (finished, took) = stop(&mut run);
    assert_eq!(exit_code(&finished), 0, "the stop was asked for: {finished:?}");
    assert!(took >= SECOND && took < 4 * SECOND, "{took:?}");
    assert!(!app.lives());
    let mut journal = lines(&run, "journal");
    journal.sort();
    journal.dedup();
    assert_eq!(journal, ["app shrugs", "coprocess stops"], "both had their SIGTERM");
}

#[test]
fn jobs_on_shutdown_run_while_everything_stops() {
    let config = jobs(json!([
        { "name": "app", "exec": "./app" },
        { "name": "last", "exec": ["sh", "-c", "sleep 0.3; echo last >>journal"],
            "when": { "source": "global", "once": "shutdown" } },
    ]));
    let mut run = pilot(config).script("app", APP).spawn();
    await_lines(&run, "app.pids", 1);
    let (finished, _) = stop(&mut run);
    assert_eq!(exit_code(&finished), 0, "{finished:?}");
    assert_eq!(lines(&run, "journal"), ["app stops", "last"]);
}
