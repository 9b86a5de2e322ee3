//! What the whole program does with a catalog beyond registering in Consul: etcd in its place,
//! watches on keys, the change that a job is told of, elections, and drains. One module for each.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

mod support;

#[path = "discovery/change.rs"]
mod change;
#[path = "discovery/drain.rs"]
mod drain;
#[path = "discovery/election.rs"]
mod election;
#[path = "discovery/etcd.rs"]
mod etcd;

use serde_json::{Value, json};
use testkit::{Consul, Running, http, wait_until};

use crate::support::{PATIENCE, output};

/// Lives until SIGTERM. Leaves its process id as a line of `NAME.pids` and its end in `journal`,
/// where `NAME` is its argument.
const SERVE: &str = r#"
sleep 1000 >/dev/null 2>&1 &
trap 'echo "$1 stops" >>journal; kill $! 2>/dev/null; exit 0' TERM
echo $$ >>$1.pids
while :; do wait; done"#;

/// Keeps what it is told of a change: one line of `changes` for each time, `-` for nothing.
const NOTE: &str = r#"
if [ -n "$CONTAINERPILOT_CHANGE" ]; then tr -d '\n' <"$CONTAINERPILOT_CHANGE"; echo; else echo -; fi >>changes
while [ -e wait ]; do sleep 0.05; done"#;

/// What `/v3/status` says.
#[track_caller]
fn look(run: &Running) -> Value {
    let socket = run.path("control.socket");
    let answer = wait_until("the program answers", PATIENCE, || {
        let answer = http("GET", socket.to_str().unwrap(), "/v3/status", "");
        answer.map_err(|error| format!("{error} {}", output(run)))
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Waits until the status has something at this JSON pointer.
#[track_caller]
fn await_look(run: &Running, pointer: &str, wanted: impl Into<Value>) {
    let wanted = wanted.into();
    wait_until(&format!("the status has {wanted} at {pointer}"), PATIENCE, || {
        let status = look(run);
        let there = status.pointer(pointer) == Some(&wanted);
        if there { Ok(()) } else { Err(format!("{status} {}", output(run))) }
    });
}

/// A Consul that grants short sessions.
fn consul() -> Consul {
    Consul::start_with(json!({ "session_ttl_min": "2s" }))
}
