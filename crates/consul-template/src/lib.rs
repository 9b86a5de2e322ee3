//! The command line `consul-template`: files rendered from the catalog, for scripts that call it.

use std::process::ExitCode;

/// Runs it with these words, the program's name left out, and answers with its exit code.
#[must_use]
pub fn run(words: Vec<String>) -> ExitCode {
    let _ = words;
    eprintln!("consul-template: not yet");
    ExitCode::FAILURE
}
