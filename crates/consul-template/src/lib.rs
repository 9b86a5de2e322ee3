//! The command line `consul-template`: files rendered from the catalog, for scripts that call it.

use std::{ffi::OsString, process::ExitCode};

/// Runs it with the words behind the program's name, of which one may not be UTF-8.
#[must_use]
pub fn main(words: Result<Vec<String>, OsString>) -> ExitCode {
    let _ = words;
    eprintln!("consul-template: not yet");
    ExitCode::FAILURE
}
