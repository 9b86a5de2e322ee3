//! The program beside (`-exec`).

use std::fs;

use testkit::{Consul, Ended, Running, Signal, wait_until};

use crate::support::{PATIENCE, await_file, end, program, put, run};

/// Says what it gets. `$1`: what it writes at its start.
const APP: &str = r#"
trap 'echo HUP >>journal' HUP
trap 'echo USR1 >>journal' USR1
trap 'echo INT >>journal; exit 3' INT
trap 'echo TERM >>journal; exit 4' TERM
echo "start $(cat out)" >>journal
echo $$ >>pids
while :; do sleep 0.05; done"#;

fn await_journal(running: &Running, lines: &[&str]) {
    await_file(running, "journal", &(lines.join("\n") + "\n"));
}

fn pids(running: &Running) -> Vec<String> {
    running.read("pids").unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn it_starts_when_all_is_rendered_and_ends_us_with_its_code() {
    for (command, code) in
        [("cat a b; exit 7", 7), ("sh -c 'cat a b; exit 8'", 8), ("kill -9 $$", 137)]
    {
        let program = program(&["-template", "in:a", "-template", "in:b", "-exec", command])
            .file("in", "1\n");
        let (is, finished) = run(&program);
        assert_eq!(is, code, "{command}: {}", finished.stderr);
        if code != 137 {
            assert_eq!(finished.stdout, "1\n1\n");
        }
    }
}

#[test]
fn what_cannot_be_started_is_said() {
    let (code, finished) =
        run(&program(&["-template", "in:a", "-exec", "no-such-program"]).file("in", "1"));
    assert_eq!(code, 127, "{}", finished.stderr);
    assert!(finished.stderr.contains("no-such-program"), "{}", finished.stderr);
    let settings = r#"{"template": {"contents": "x", "destination": "a"},
        "exec": {"command": ["/no/such/program", "x"]}}"#;
    let (code, finished) = run(&program(&["-config", "c"]).file("c", settings));
    assert_eq!(code, 127, "{}", finished.stderr);
    assert!(finished.stderr.contains("[ERR] exec: cannot run"), "{}", finished.stderr);
}

#[test]
fn once_renders_once_and_then_it_is_a_program_like_any_other() {
    let mut running = program(&["-once", "-template", "in:out", "-exec", "./app"])
        .file("in", "1")
        .script("app", APP)
        .spawn();
    await_journal(&running, &["start 1"]);
    running.signal(Signal::SIGUSR1);
    await_journal(&running, &["start 1", "USR1"]);
    // There is nothing left to be read again.
    running.signal(Signal::SIGHUP);
    await_journal(&running, &["start 1", "USR1", "HUP"]);
    running.signal(Signal::SIGTERM);
    assert_eq!(end(&mut running).0, 4);
}

#[test]
fn it_is_told_of_changes_by_a_signal() {
    let consul = Consul::start();
    put(&consul, "a", "1");
    let mut running = program(&["-consul", &consul.address(), "-template", "in:out"])
        .args(["-exec", "./app", "-exec-reload-signal", "SIGHUP", "-exec-kill-signal", "SIGINT"])
        .file("in", "{{ key \"a\" }}")
        .script("app", APP)
        .spawn();
    await_journal(&running, &["start 1"]);
    put(&consul, "a", "2");
    await_journal(&running, &["start 1", "HUP"]);
    // What we are told to do with a signal is ours alone; SIGUSR1 is not.
    running.signal(Signal::SIGUSR1);
    await_journal(&running, &["start 1", "HUP", "USR1"]);
    assert_eq!(pids(&running).len(), 1);
    running.signal(Signal::SIGTERM);
    assert_eq!(end(&mut running).0, 3, "its own code, after the signal for its end");
    await_journal(&running, &["start 1", "HUP", "USR1", "INT"]);
}

#[test]
fn without_a_signal_for_changes_it_is_started_anew() {
    let consul = Consul::start();
    put(&consul, "a", "1");
    let mut running = program(&["-consul", &consul.address(), "-template", "in:out"])
        .args(["-exec", "./app", "-exec-splay", "50ms"])
        .file("in", "{{ key \"a\" }}")
        .script("app", APP)
        .spawn();
    await_journal(&running, &["start 1"]);
    put(&consul, "a", "2");
    await_journal(&running, &["start 1", "INT", "start 2"]);
    running.signal(Signal::SIGTERM);
    assert_eq!(end(&mut running).0, 4, "the signal that we got is passed on");
    assert_eq!(pids(&running).len(), 2);
}

#[test]
fn what_does_not_stop_is_killed() {
    let mut running = program(&["-template", "in:out", "-exec-kill-timeout", "200ms"])
        .args(["-exec", "trap '' TERM INT; touch began; while :; do sleep 0.05; done"])
        .file("in", "1")
        .spawn();
    await_file(&running, "began", "");
    running.signal(Signal::SIGTERM);
    let (code, finished) = end(&mut running);
    assert_eq!(code, 137);
    assert!(finished.stderr.contains("has not stopped within 200ms"), "{}", finished.stderr);
}

#[test]
fn a_command_that_fails_stops_it_too() {
    let consul = Consul::start();
    put(&consul, "a", "true");
    let mut running = program(&["-consul", &consul.address(), "-template", "in:out:sh out"])
        .args(["-exec", "./app"])
        .file("in", "{{ key \"a\" }}")
        .script("app", APP)
        .spawn();
    await_journal(&running, &["start true"]);
    put(&consul, "a", "false");
    let finished = running.wait(PATIENCE);
    assert_eq!(finished.ended, Ended::Code(14), "{}", finished.stderr);
    let pid = pids(&running).pop().expect("it ran");
    wait_until("it is gone", PATIENCE, || !fs::exists(format!("/proc/{pid}")).unwrap());
}
