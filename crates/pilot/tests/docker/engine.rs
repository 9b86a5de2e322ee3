//! The `docker` command and its deadline.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long a call of `docker` may take: a laptop under load starts a container in a few seconds.
const DEADLINE: Duration = Duration::from_secs(90);

/// A program that has ended, and what it wrote.
pub(crate) struct Finished {
    /// Its exit code.
    pub(crate) code: i32,
    /// All of its standard output.
    pub(crate) stdout: Vec<u8>,
    /// All of its standard error.
    pub(crate) stderr: Vec<u8>,
}

impl Finished {
    /// Standard output as text, without the white space around it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}

/// Calls `docker` and answers with what it wrote.
///
/// # Panics
/// If it fails or is not done in time.
#[track_caller]
pub(crate) fn docker(args: &[&str]) -> Finished {
    let finished = docker_run(args);
    let errors = String::from_utf8_lossy(&finished.stderr);
    assert_eq!(finished.code, 0, "docker {}: {errors}", args.join(" "));
    finished
}

/// Calls `docker run` in the foreground: its exit code is the container's.
///
/// # Panics
/// If it is not done in time.
#[track_caller]
pub(crate) fn docker_run(args: &[&str]) -> Finished {
    timed("docker", args).unwrap_or_else(|error| panic!("{error}"))
}

/// Calls `docker` where a failure must not hide another: in drops.
pub(crate) fn docker_quietly(args: &[&str]) -> Option<Finished> {
    timed("docker", args).map_err(|error| eprintln!("{error}")).ok()
}

/// Runs a program and waits for its end.
///
/// # Errors
/// It cannot be started, or is not done in time.
#[allow(
    clippy::disallowed_methods,
    reason = "the engine's client is no child of the init program; `timeout` sees to its end"
)]
pub(crate) fn timed(program: impl AsRef<OsStr>, args: &[&str]) -> Result<Finished, String> {
    let begin = Instant::now();
    let output = Command::new("timeout")
        .arg("--kill-after=5")
        .arg(DEADLINE.as_secs().to_string())
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run timeout: {error}"))?;
    // The codes that `timeout` has for this may be the program's own too.
    if begin.elapsed() >= DEADLINE {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("not done in {DEADLINE:?}: {args:?}\n{errors}"));
    }
    let code = output.status.code().unwrap_or(-1);
    Ok(Finished { code, stdout: output.stdout, stderr: output.stderr })
}
