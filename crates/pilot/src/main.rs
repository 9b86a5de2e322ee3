//! `containerpilot`: an init program that lets an application operate itself inside its
//! container. See ARCHITECTURE.md for the whole and the modules for the parts.

mod app;
mod cli;
mod engine;
mod environment;
mod event;
mod host;
mod logging;
mod machine;
mod signals;
mod talk;
mod telemetry;

use std::{os::unix::ffi::OsStrExt as _, path::Path, process::ExitCode};

/// The command line cannot be used.
const USAGE: u8 = 2;

/// By a name that begins so (some put a version behind it) we are another program.
const CONSUL_TEMPLATE: &[u8] = b"consul-template";

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    let words = std::env::args_os().skip(1).map(std::ffi::OsString::into_string);
    let words: Result<Vec<String>, _> = words.collect();
    let name = Path::new(&called).file_name().unwrap_or_default();
    if name.as_bytes().starts_with(CONSUL_TEMPLATE) {
        return consul_template::main(words);
    }
    // Each word of the application is a template, and a template is text.
    let words = words.map_err(|word| format!("{}: not UTF-8", word.display()));
    match words.and_then(cli::parse) {
        Ok(request) => ExitCode::from(app::serve(request)),
        Err(error) => {
            app::complain(&error);
            ExitCode::from(USAGE)
        }
    }
}
