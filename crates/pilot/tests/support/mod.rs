//! What the tests of the whole program share: a configuration, scripted children that keep
//! journals in the folder that they run in, and who is who among processes.

#![allow(dead_code, reason = "each test binary uses another part of this")]

pub(crate) mod talk;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Consul, Ended, Finished, Program, Running, Signal, wait_until};

/// What happens at all has happened by then, even where two cores serve many.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// An application that obeys. Its process id is a line of `app.pids`, its end one of `journal`.
pub(crate) const APP: &str = r#"
sleep 1000 >/dev/null 2>&1 &
trap 'echo "app stops" >>journal; kill $! 2>/dev/null; exit 0' TERM
echo $$ >>app.pids
while :; do wait; done"#;

/// A coprocess that obeys. Its process id is a line of `coprocess.pids`, its end one of `journal`.
pub(crate) const COPROCESS: &str = r#"
sleep 1000 >/dev/null 2>&1 &
trap 'echo "coprocess stops" >>journal; kill $! 2>/dev/null; exit 0' TERM
echo $$ >>coprocess.pids
while :; do wait; done"#;

/// Does not obey. Its process id is a line of `app.pids`.
pub(crate) const STUBBORN: &str = r#"
trap 'echo "app shrugs" >>journal' TERM
echo $$ >>app.pids
while :; do sleep 1000 & wait; done"#;

/// A 2.x file needs a catalog, and tests without services never talk to it.
pub(crate) const NO_CATALOG: &str = "127.0.0.1:1";

/// The program with this configuration in `app.json`.
pub(crate) fn pilot(config: Value) -> Program {
    Program::new(env!("CARGO_BIN_EXE_containerpilot"))
        .file("app.json", config.to_string())
        .args(["-config", "app.json"])
}

/// A 3.x configuration of these jobs, without a catalog.
pub(crate) fn jobs(jobs: Value) -> Value {
    json!({ "jobs": jobs, "control": { "socket": "control.socket" } })
}

/// A 3.x configuration with a catalog.
pub(crate) fn catalogued_jobs(consul: &Consul, watches: Value, jobs: Value) -> Value {
    json!({ "consul": consul.address(), "watches": watches, "jobs": jobs,
        "control": { "socket": "control.socket" } })
}

/// The id of our instance of a service.
pub(crate) fn instance(service: &str) -> String {
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").expect("a hostname");
    format!("{service}-{}", hostname.trim())
}

/// The lines of a file that children write; none if there is no file yet.
pub(crate) fn lines(run: &Running, file: &str) -> Vec<String> {
    run.read(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Waits until a file has so many lines, and returns all it has.
#[track_caller]
pub(crate) fn await_lines(run: &Running, file: &str, count: usize) -> Vec<String> {
    wait_until(&format!("{file} has {count} lines"), PATIENCE, || {
        let lines = lines(run, file);
        let enough = lines.len() >= count && run.read(file).unwrap_or_default().ends_with('\n');
        if enough { Ok(lines) } else { Err(format!("{lines:?}\n{}", output(run))) }
    })
}

/// Waits until a file has so many more lines than now.
#[track_caller]
pub(crate) fn await_more_lines(run: &Running, file: &str, more: usize) {
    await_lines(run, file, lines(run, file).len() + more);
}

/// Waits until that long has passed since `start`: for an outage that is to last.
pub(crate) fn await_age(start: Instant, age: Duration) {
    wait_until(&format!("{age:?} have passed"), age + PATIENCE, || start.elapsed() >= age);
}

/// Both streams, for a failure's message.
pub(crate) fn output(run: &Running) -> String {
    format!("--- stdout\n{}\n--- stderr\n{}", run.stdout_so_far(), run.stderr_so_far())
}

/// Asks it to stop and waits until it has. Answers with how long that took, too.
#[track_caller]
pub(crate) fn stop(run: &mut Running) -> (Finished, Duration) {
    let asked = Instant::now();
    run.signal(Signal::SIGTERM);
    let finished = run.wait(PATIENCE);
    (finished, asked.elapsed())
}

/// Runs it to its end and answers with its exit code and what it wrote.
#[track_caller]
pub(crate) fn run_to_end(program: &Program) -> (i32, Finished) {
    let finished = program.spawn().wait(PATIENCE);
    (exit_code(&finished), finished)
}

#[track_caller]
pub(crate) fn exit_code(finished: &Finished) -> i32 {
    match finished.ended {
        Ended::Code(code) => code,
        Ended::Signal(signal) => panic!("killed by signal {signal}: {finished:#?}"),
    }
}

/// A process, told from a later one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pid: u32,
    /// In clock ticks after the machine's start.
    started: u64,
}

/// The process that has written its id to the last line of a file.
#[track_caller]
pub(crate) fn last_process(run: &Running, file: &str) -> Identity {
    let lines = await_lines(run, file, 1);
    let pid = lines.last().and_then(|line| line.trim().parse().ok());
    let pid = pid.unwrap_or_else(|| panic!("no process id in {file}: {lines:?}"));
    identity(pid).unwrap_or_else(|| panic!("{pid} of {file} is gone\n{}", output(run)))
}

/// Who has that id now. A zombie is nobody.
pub(crate) fn identity(pid: u32) -> Option<Identity> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so the fields are counted from its end.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let started = fields.get(19)?.parse().ok()?;
    (fields.first() != Some(&"Z")).then_some(Identity { pid, started })
}

impl Identity {
    pub(crate) fn pid(self) -> u32 {
        self.pid
    }

    pub(crate) fn lives(self) -> bool {
        identity(self.pid) == Some(self)
    }
}

/// The status of our check of a service as the agent itself has it: `passing`, `critical`, or
/// `None` if it has none.
pub(crate) fn status(consul: &Consul, service: &str) -> Option<String> {
    let checks = consul.get("/v1/agent/checks").json();
    let of_service = |check: &&Value| check["ServiceID"] == *instance(service);
    let check = checks.as_object()?.values().find(of_service)?;
    check["Status"].as_str().map(str::to_owned)
}

#[track_caller]
pub(crate) fn await_status(consul: &Consul, run: &Running, service: &str, wanted: Option<&str>) {
    wait_until(&format!("{service} is {wanted:?} in the catalog"), PATIENCE, || {
        let status = status(consul, service);
        if status.as_deref() == wanted {
            Ok(())
        } else {
            Err(format!("{status:?} {}", output(run)))
        }
    });
}
