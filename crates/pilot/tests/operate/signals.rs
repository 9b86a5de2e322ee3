//! Signals that concern the program itself: its log file, and what a signal does not do.

use serde_json::{Value, json};
use testkit::{Consul, Running, Signal, wait_until};

use crate::support::{
    APP, PATIENCE, await_lines, await_more_lines, await_status, jobs, last_process, lines, output,
    pilot,
};
use crate::{SAY, look, reload_with, saying, tell};

/// A job that says one line a signal.
fn logging(output: &str) -> Value {
    let mut config = jobs(json!([
        { "name": "app", "exec": "./app" },
        { "name": "talk", "exec": ["echo", "a line"], "when": { "source": "SIGUSR2" } },
    ]));
    config["logging"] = json!({ "output": output });
    config
}

/// Waits for lines of [`logging`]'s job in a file.
#[track_caller]
fn await_talk(run: &Running, file: &str, count: usize) {
    wait_until(&format!("{file} has {count} lines of it"), PATIENCE, || {
        let text = run.read(file).unwrap_or_default();
        let there = text.lines().filter(|line| line.ends_with("a line")).count();
        if there == count { Ok(()) } else { Err(format!("{text} {}", output(run))) }
    });
}

#[test]
fn a_log_file_is_opened_anew() {
    let run = pilot(logging("pilot.log")).script("app", APP).spawn();
    await_lines(&run, "app.pids", 1);
    run.signal(Signal::SIGUSR2);
    await_talk(&run, "pilot.log", 1);
    std::fs::rename(run.path("pilot.log"), run.path("pilot.log.1")).unwrap();
    run.signal(Signal::SIGUSR2);
    await_talk(&run, "pilot.log.1", 2);
    assert!(!run.path("pilot.log").exists());
    run.signal(Signal::SIGUSR1);
    wait_until("there is a new file", PATIENCE, || run.path("pilot.log").exists());
    run.signal(Signal::SIGUSR2);
    await_talk(&run, "pilot.log", 1);
    await_talk(&run, "pilot.log.1", 2);
    assert_eq!(look(&run)["maintenance"], false, "that is what it means in 2.x");
    assert_eq!((run.stdout_so_far(), run.stderr_so_far()), (String::new(), String::new()));
}

#[test]
fn a_reload_changes_where_the_log_goes_and_its_form() {
    let run = pilot(logging("first.log")).script("app", APP).spawn();
    await_lines(&run, "app.pids", 1);
    run.signal(Signal::SIGUSR2);
    await_talk(&run, "first.log", 1);
    let mut config = logging("second.log");
    config["logging"]["format"] = json!("json");
    reload_with(&run, config);
    run.signal(Signal::SIGUSR2);
    wait_until("it is in the second file", PATIENCE, || {
        let text = run.read("second.log").unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = lines.into_iter().find(|line| line["msg"] == "a line").ok_or(text)?;
        assert_eq!((&found["job"], &found["level"]), (&json!("talk"), &json!("info")));
        Ok::<_, String>(())
    });
    await_talk(&run, "first.log", 1);
    // A file that cannot be opened is a bad configuration.
    crate::rewrite(&run, logging("app.pids/x.log"));
    assert!(crate::refused(&run, &["-reload"]).contains("logging.output"));
    assert_eq!(look(&run)["generation"], 2);
}

#[test]
fn in_version_2_the_same_signal_is_maintenance_too() {
    let consul = Consul::start();
    let config = json!({ "consul": consul.address(), "logging": { "output": "pilot.log" },
        "services": [{ "name": "web", "port": 8000, "interfaces": "lo", "poll": 1, "ttl": 5,
            "health": "./check" }] });
    let run = pilot(config)
        .arg("./app")
        .script("app", APP)
        .script("check", "echo checked >>checks")
        .spawn();
    await_status(&consul, &run, "web", Some("passing"));
    std::fs::rename(run.path("pilot.log"), run.path("pilot.log.1")).unwrap();
    run.signal(Signal::SIGUSR1);
    await_status(&consul, &run, "web", None);
    wait_until("the new file tells of it", PATIENCE, || {
        let text = run.read("pilot.log").unwrap_or_default();
        if text.contains("maintenance: services leave") { Ok(()) } else { Err(text) }
    });
    assert!(!run.read("pilot.log.1").unwrap().contains("maintenance"));
    run.signal(Signal::SIGUSR1);
    await_status(&consul, &run, "web", Some("passing"));
    // Nothing of 3.x in 2.x.
    let app = last_process(&run, "app.pids");
    run.signal(Signal::SIGUSR2);
    await_more_lines(&run, "checks", 2);
    assert!(app.lives());
}

/// In 3.x a reload is asked for on the socket.
#[test]
fn a_hangup_is_no_reload_in_version_3() {
    let config = jobs(json!([
        { "name": "app", "exec": "./app" },
        saying("hup", json!({ "source": "SIGHUP" })),
    ]));
    let run = pilot(config).script("app", APP).script("say", SAY).spawn();
    await_lines(&run, "app.pids", 1);
    run.write("app.json", "{ no file }");
    run.signal(Signal::SIGHUP);
    assert_eq!(await_lines(&run, "journal", 1), ["hup"]);
    assert_eq!(look(&run)["generation"], 1);
    assert!(!run.stdout_so_far().contains("reload"), "{}", output(&run));
    // Without a job for it, it does nothing at all.
    let config = jobs(json!([{ "name": "app", "exec": "./app" }]));
    reload_with(&run, config);
    for signal in [Signal::SIGHUP, Signal::SIGUSR2] {
        run.signal(signal);
        assert_eq!(tell(&run, &["-ping"]), "ok\n");
    }
    assert_eq!(lines(&run, "journal").len(), 1);
    assert!(last_process(&run, "app.pids").lives());
}
