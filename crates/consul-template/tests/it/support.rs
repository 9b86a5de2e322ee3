//! What the tests share.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use testkit::{Consul, Ended, Finished, Program, Running, Signal, wait_until};

/// What happens at all has happened by then, even where two cores serve many.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program with these arguments.
pub(crate) fn program(args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_consul-template")).args(args)
}

/// Runs it to its end: its exit code, and what it wrote.
#[track_caller]
pub(crate) fn run(program: &Program) -> (i32, Finished) {
    end(&mut program.spawn())
}

/// Waits for its end: its exit code, and what it wrote.
#[track_caller]
pub(crate) fn end(running: &mut Running) -> (i32, Finished) {
    let finished = running.wait(PATIENCE);
    match finished.ended {
        Ended::Code(code) => (code, finished),
        Ended::Signal(signal) => panic!("killed by signal {signal}: {finished:#?}"),
    }
}

/// Asks it to stop, and waits for its end.
#[track_caller]
pub(crate) fn stop(running: &mut Running) -> (i32, Finished) {
    running.signal(Signal::SIGTERM);
    end(running)
}

/// What was logged, without the times that stand before it (and must).
#[track_caller]
pub(crate) fn without_times(log: &str) -> String {
    let bare = |line: &str| {
        let time = line.get(..25).filter(|time| time.ends_with("Z ") && time.starts_with("20"));
        assert!(time.is_some() || !line.starts_with('['), "no time in {line:?}");
        format!("{}\n", time.map_or(line, |time| line.strip_prefix(time).unwrap()))
    };
    log.lines().map(bare).collect()
}

/// Waits until a file of the folder has this text.
#[track_caller]
pub(crate) fn await_file(running: &Running, name: &str, text: &str) {
    wait_until(&format!("{name} is {text:?}"), PATIENCE, || {
        let is = fs::read_to_string(running.path(name)).ok();
        match is.as_deref() == Some(text) {
            true => Ok(()),
            false => Err(format!("{is:?}\n{}", running.stderr_so_far())),
        }
    });
}

/// Registers an instance that passes.
#[track_caller]
pub(crate) fn register(consul: &Consul, name: &str, port: u16) {
    consul.register(json!({ "Name": name, "ID": format!("{name}-{port}"), "Port": port,
        "Address": "10.0.0.1" }));
}

/// Sets a key.
#[track_caller]
pub(crate) fn put(consul: &Consul, key: &str, value: &str) {
    let response = consul.request("PUT", &format!("/v1/kv/{key}"), value);
    assert_eq!(response.status, 200, "{}", response.body);
}

/// Settings as a file in JSON.
pub(crate) fn settings(value: Value) -> String {
    value.to_string()
}
