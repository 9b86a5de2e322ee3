//! The control socket of a running program, `control.socket` in its folder, and its reloads.

use serde_json::Value;
use testkit::{Program, Response, Running, http, wait_until};

use super::{PATIENCE, output};

/// Starts it, and waits until it can be asked.
#[track_caller]
pub(crate) fn start(program: &Program) -> Running {
    let run = program.spawn();
    // Its file is there a moment before anybody listens.
    let socket = run.path("control.socket");
    wait_until("the control socket answers", PATIENCE, || {
        let answer = http("GET", socket.to_str().unwrap(), "/v3/ping", "");
        answer.map(drop).map_err(|error| format!("{error} {}", output(&run)))
    });
    run
}

/// The answer of the control socket.
#[track_caller]
pub(crate) fn ask(run: &Running, method: &str, path: &str, body: impl AsRef<[u8]>) -> Response {
    let socket = run.path("control.socket");
    http(method, socket.to_str().unwrap(), path, body)
        .unwrap_or_else(|error| panic!("{method} {path}: {error} {}", output(run)))
}

/// What `/v3/status` says.
#[track_caller]
pub(crate) fn look(run: &Running) -> Value {
    let answer = ask(run, "GET", "/v3/status", "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// What it says of one job, or null.
#[track_caller]
pub(crate) fn job(run: &Running, name: &str) -> Value {
    let status = look(run);
    let jobs = status["jobs"].as_array().unwrap();
    jobs.iter().find(|job| job["name"] == *name).cloned().unwrap_or(Value::Null)
}

/// Waits until that has something at this JSON pointer.
#[track_caller]
pub(crate) fn await_job(
    run: &Running,
    name: &str,
    pointer: &str,
    wanted: impl Into<Value>,
) -> Value {
    let wanted = wanted.into();
    wait_until(&format!("{name} has {wanted} at {pointer}"), PATIENCE, || {
        let job = job(run, name);
        let there = job.pointer(pointer) == Some(&wanted);
        if there { Ok(job) } else { Err(format!("{job} {}", output(run))) }
    })
}

/// Waits until `/v3/status` has something at this JSON pointer.
#[track_caller]
pub(crate) fn await_status(run: &Running, pointer: &str, wanted: impl Into<Value>) {
    let wanted = wanted.into();
    wait_until(&format!("the status has {wanted} at {pointer}"), PATIENCE, || {
        let status = look(run);
        let there = status.pointer(pointer) == Some(&wanted);
        if there { Ok(()) } else { Err(format!("{status} {}", output(run))) }
    });
}

/// Replaces the file as an editor does: nobody sees half of it.
pub(crate) fn rewrite(run: &Running, text: impl ToString) {
    run.write("app.json.new", text.to_string());
    std::fs::rename(run.path("app.json.new"), run.path("app.json")).unwrap();
}

/// Reloads a valid file, and waits until it is in force.
#[track_caller]
pub(crate) fn reload_with(run: &Running, text: impl ToString) {
    let before = look(run)["generation"].as_u64().unwrap();
    rewrite(run, text);
    let answer = ask(run, "POST", "/v3/reload", "");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{}", output(run));
    await_status(run, "/generation", before + 1);
}
