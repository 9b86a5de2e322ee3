//! Operating the whole program: its control socket, reloads, maintenance, metrics, what it says of
//! itself, and the fields that make a job's surroundings. One module for each.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

mod support;

#[path = "operate/burst.rs"]
mod burst;
#[path = "operate/control.rs"]
mod control;
#[path = "operate/entries.rs"]
mod entries;
#[path = "operate/environ.rs"]
mod environ;
#[path = "operate/fields.rs"]
mod fields;
#[path = "operate/maintenance.rs"]
mod maintenance;
#[path = "operate/measures.rs"]
mod measures;
#[path = "operate/reload.rs"]
mod reload;
#[path = "operate/signals.rs"]
mod signals;
#[path = "operate/socket.rs"]
mod socket;
#[path = "operate/status.rs"]
mod status;
#[path = "operate/telemetry.rs"]
mod telemetry;
#[path = "operate/user.rs"]
mod user;

use serde_json::{Value, json};
use testkit::{Finished, Program, Response, Running, http, wait_until};

use crate::support::{PATIENCE, exit_code, output};

/// Lives until SIGTERM. Leaves its process id as a line of `NAME.pids` and its end in `journal`,
/// where `NAME` is its argument.
const SERVE: &str = r#"
sleep 1000 >/dev/null 2>&1 &
trap 'echo "$1 stops" >>journal; kill $! 2>/dev/null; exit 0' TERM
echo $$ >>$1.pids
while :; do wait; done"#;

/// Leaves its argument as a line of `journal`.
const SAY: &str = "echo \"$1\" >>journal";

/// A job that runs [`SERVE`].
fn serving(name: &str) -> Value {
    json!({ "name": name, "exec": ["./serve", name] })
}

/// The same, advertised and healthy, checked once a second.
fn advertised(name: &str) -> Value {
    json!({ "name": name, "exec": ["./serve", name], "port": 8000,
        "interfaces": "static:127.0.0.1",
        "health": { "exec": "true", "interval": 1, "ttl": 10 } })
}

/// A job that runs [`SAY`] with its own name.
fn saying(name: &str, when: Value) -> Value {
    json!({ "name": name, "exec": ["./say", name], "when": when })
}

/// Runs a sub-command in the folder of a running program, with that program's configuration.
fn command(run: &Running, words: &[&str]) -> Program {
    // Not as a second program of that folder, whose end would end all that work there.
    Program::new("env")
        .arg("-C")
        .arg(run.dir())
        .args([env!("CARGO_BIN_EXE_containerpilot"), "-config", "app.json"])
        .args(words)
}

/// What a sub-command says that does what it is told.
#[track_caller]
fn tell(run: &Running, words: &[&str]) -> String {
    let finished = command(run, words).spawn().wait(PATIENCE);
    assert_eq!(exit_code(&finished), 0, "{words:?}: {finished:?} {}", output(run));
    assert_eq!(finished.stderr, "", "{words:?}");
    finished.stdout
}

/// What a sub-command says on stderr that cannot do what it is told.
#[track_caller]
fn refused(run: &Running, words: &[&str]) -> String {
    let Finished { stdout, stderr, ended } = command(run, words).spawn().wait(PATIENCE);
    assert_eq!((ended, stdout.as_str()), (testkit::Ended::Code(1), ""), "{words:?}: {stderr}");
    stderr
}

/// The answer of the control socket.
#[track_caller]
fn ask(run: &Running, method: &str, path: &str, body: impl AsRef<[u8]>) -> Response {
    let socket = run.path("control.socket");
    http(method, socket.to_str().unwrap(), path, body)
        .unwrap_or_else(|error| panic!("{method} {path}: {error} {}", output(run)))
}

/// What `/v3/status` says.
#[track_caller]
fn look(run: &Running) -> Value {
    let answer = ask(run, "GET", "/v3/status", "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// What it says of one job, or null.
#[track_caller]
fn job(run: &Running, name: &str) -> Value {
    let status = look(run);
    let jobs = status["jobs"].as_array().unwrap();
    jobs.iter().find(|job| job["name"] == *name).cloned().unwrap_or(Value::Null)
}

/// Waits until that has something at this JSON pointer.
#[track_caller]
fn await_job(run: &Running, name: &str, pointer: &str, wanted: impl Into<Value>) -> Value {
    let wanted = wanted.into();
    wait_until(&format!("{name} has {wanted} at {pointer}"), PATIENCE, || {
        let job = job(run, name);
        let there = job.pointer(pointer) == Some(&wanted);
        if there { Ok(job) } else { Err(format!("{job} {}", output(run))) }
    })
}

/// Waits until `/v3/status` has something at this JSON pointer.
#[track_caller]
fn await_status(run: &Running, pointer: &str, wanted: impl Into<Value>) {
    let wanted = wanted.into();
    wait_until(&format!("the status has {wanted} at {pointer}"), PATIENCE, || {
        let status = look(run);
        let there = status.pointer(pointer) == Some(&wanted);
        if there { Ok(()) } else { Err(format!("{status} {}", output(run))) }
    });
}

/// Replaces the file as an editor does: nobody sees half of it.
fn rewrite(run: &Running, text: impl ToString) {
    run.write("app.json.new", text.to_string());
    std::fs::rename(run.path("app.json.new"), run.path("app.json")).unwrap();
}

/// Reloads a valid file, and waits until it is in force.
#[track_caller]
fn reload_with(run: &Running, text: impl ToString) {
    let before = look(run)["generation"].as_u64().unwrap();
    rewrite(run, text);
    let answer = ask(run, "POST", "/v3/reload", "");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{}", output(run));
    await_status(run, "/generation", before + 1);
}
