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
use testkit::{Finished, Program, Running};

use crate::support::{PATIENCE, exit_code, output};
use support::talk::{ask, await_job, await_status, job, look, reload_with, rewrite};

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
