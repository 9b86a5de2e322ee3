//! The `docker` command and its deadline.

use std::{ffi::OsStr, process::Command};

/// How long a call of `docker` may take, in seconds: a laptop under load starts a container in
/// a few.
const DEADLINE: &str = "90";

/// What `timeout` exits with when it had to end its program.
const TIMED_OUT: [i32; 2] = [124, 137];

/// What a program that has succeeded or failed wrote.
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

    fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim().to_owned()
    }
}

/// Calls `docker` and answers with what it wrote.
///
/// # Panics
/// If it fails or is not done in time.
#[track_caller]
pub(crate) fn docker<A: AsRef<OsStr>>(args: &[A]) -> Finished {
    let finished = try_docker(args);
    let words: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect();
    assert_eq!(finished.code, 0, "docker {}: {}", words.join(" "), finished.errors());
    finished
}

/// Calls `docker`, which may fail.
///
/// # Panics
/// If it is not done in time.
#[track_caller]
pub(crate) fn try_docker<A: AsRef<OsStr>>(args: &[A]) -> Finished {
    let mut words = vec![OsStr::new("docker")];
    words.extend(args.iter().map(AsRef::as_ref));
    within_deadline(&words)
}

/// Runs a program and waits for its end.
///
/// # Panics
/// If it cannot be started or is not done in time.
#[track_caller]
#[allow(
    clippy::disallowed_methods,
    reason = "the engine's client is no child of the init program; `timeout` sees to its end"
)]
pub(crate) fn within_deadline(words: &[&OsStr]) -> Finished {
    let output = Command::new("timeout")
        .args(["--kill-after=5", DEADLINE])
        .args(words)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run timeout: {error}"));
    let code = output.status.code().unwrap_or(-1);
    let finished = Finished { code, stdout: output.stdout, stderr: output.stderr };
    let foreground = words.get(1).is_some_and(|word| *word == "run");
    // The code of a foreground `docker run` is that of its container, 137 included.
    let late = if foreground { &TIMED_OUT[..1] } else { &TIMED_OUT[..] };
    assert!(!late.contains(&code), "not done in {DEADLINE} s: {words:?}\n{}", finished.errors());
    finished
}
