//! Settings that are read again.

use serde_json::json;
use testkit::{Consul, Signal};

use crate::support::{await_file, end, program, put, settings, stop};

#[test]
fn settings_and_templates_are_read_again() {
    let consul = Consul::start();
    put(&consul, "a", "1");
    let template = |contents: &str| {
        settings(json!({ "consul": { "address": consul.address() },
            "template": [{ "contents": contents, "destination": "out", "command": "cat out >>ran" }] }))
    };
    let mut running =
        program(&["-config", "c.json"]).file("c.json", template("{{ key `a` }}\n")).spawn();
    await_file(&running, "ran", "1\n");
    // Bad ones change nothing.
    running.write("c.json", "{");
    running.signal(Signal::SIGHUP);
    running.wait_for_line("nothing has changed: c.json:1:1:");
    running.write("c.json", "{ \"onec\": 1, \"exce\": 1 }");
    running.signal(Signal::SIGHUP);
    running.wait_for_line("nothing has changed: c.json:1:3: \"onec\"");
    running.wait_for_line("nothing has changed: c.json:1:14: \"exce\"");
    put(&consul, "a", "2");
    await_file(&running, "ran", "1\n2\n");
    running.write("c.json", template("{{ key `a` }} and {{ key `b` }}\n"));
    put(&consul, "b", "3");
    running.signal(Signal::SIGHUP);
    await_file(&running, "ran", "1\n2\n2 and 3\n");
    assert_eq!(stop(&mut running).0, 0);
}

#[test]
fn what_is_the_same_runs_on() {
    let text = |value: &str, code: &str| {
        let command = format!(
            "echo {code} >>ran; trap 'exit {code}' TERM INT; trap 'echo USR1 >>ran' USR1
            while :; do sleep 0.05; done"
        );
        settings(json!({ "template": { "contents": value, "destination": "out" },
            "exec": { "command": command, "reload_signal": "SIGUSR1" } }))
    };
    let mut running = program(&["-config", "c"]).file("c", text("1", "5")).spawn();
    await_file(&running, "ran", "5\n");
    running.write("c", text("2", "5"));
    running.signal(Signal::SIGHUP);
    await_file(&running, "ran", "5\nUSR1\n");
    // Another command takes its place.
    running.write("c", text("2", "6"));
    running.signal(Signal::SIGHUP);
    await_file(&running, "ran", "5\nUSR1\n6\n");
    running.signal(Signal::SIGTERM);
    assert_eq!(end(&mut running).0, 6);
}

#[test]
fn which_signals_mean_what() {
    let mut running = program(&["-reload-signal", "SIGUSR1", "-kill-signal", "SIGUSR2"])
        .args(["-config", "c"])
        .file("c", settings(json!({ "template": { "contents": "1", "destination": "out" } })))
        .spawn();
    await_file(&running, "out", "1");
    let text = settings(json!({ "template": { "contents": "2", "destination": "out" } }));
    running.write("c", text);
    running.signal(Signal::SIGHUP);
    running.signal(Signal::SIGUSR1);
    await_file(&running, "out", "2");
    running.signal(Signal::SIGUSR2);
    assert_eq!(end(&mut running).0, 0);
}

#[test]
fn without_a_signal_for_reloads_sighup_is_the_programs() {
    let app = "trap 'echo HUP >>ran; exit 5' HUP; echo start >>ran; while :; do sleep 0.05; done";
    let mut running = program(&["-reload-signal", "", "-template", "in:out", "-exec", app])
        .file("in", "1")
        .spawn();
    await_file(&running, "ran", "start\n");
    running.signal(Signal::SIGHUP);
    assert_eq!(end(&mut running).0, 5);
    assert_eq!(running.read("ran").as_deref(), Some("start\nHUP\n"));
}
