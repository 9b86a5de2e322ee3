//! What the static program leaves out (`src/lean.rs`), it does not miss. Needs what `make test`
//! builds.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test reports by panicking"
)]

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs the example, as it was built for the static program.
#[expect(clippy::disallowed_methods, reason = "not a child of ours to supervise")]
fn last_words(argument: &str) -> Output {
    let program = std::env::var_os("CONTAINERPILOT_STATIC").map(PathBuf::from);
    let program = program.expect(
        "CONTAINERPILOT_STATIC names the static program, and last-words stands in examples/ beside \
         it: run `make test`",
    );
    let example = program.with_file_name("examples").join("last-words");
    let mut command = Command::new(&example);
    command.arg(argument).env("RUST_BACKTRACE", "1");
    command.output().unwrap_or_else(|error| panic!("{}: {error}", example.display()))
}

#[test]
fn a_panic_says_what_and_where_and_aborts() {
    for (argument, words) in [("panic", "last words"), ("thread", "last words of a thread")] {
        let output = last_words(argument);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(&format!("\n{words}\n")), "{text}");
        assert!(text.contains("examples/last-words.rs:"), "{text}");
        assert_eq!(output.status.signal(), Some(6), "SIGABRT: {:?}", output.status);
    }
}

#[test]
fn an_overflow_of_the_stack_is_the_end() {
    let output = last_words("overflow");
    assert_eq!(output.status.signal(), Some(11), "SIGSEGV: {:?}", output.status);
}

#[test]
fn a_backtrace_is_empty() {
    let output = last_words("backtrace");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "unsupported backtrace\n");
    assert!(output.status.success());
}

#[test]
fn the_rest_works_as_ever() {
    let output = last_words("nothing");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "1001\n");
}
