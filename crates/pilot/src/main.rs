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

use std::process::ExitCode;

/// The command line cannot be used.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    match cli::parse(words) {
        Ok(request) => ExitCode::from(app::serve(request)),
        Err(error) => {
            eprintln!("containerpilot: {error}");
            ExitCode::from(USAGE)
        }
    }
}
