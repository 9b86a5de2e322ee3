//! The command line `consul-template`: files rendered from the catalog, for scripts that call it.
//!
//! # Theory of operation
//! Flags (`table`, `arguments`) and files (`file`, in HCL or JSON) say the same kind of things
//! (`settings`, of which `field` has those that are one value); laid over each other they become a
//! `plan`, where everything that is wrong with them is said at once. The `runner` then has one
//! loop: a [`render::Renderer`] keeps the files and tells of changes, commands follow these one
//! after another (`hooks`), a program may run `beside`, and signals end it all, or have everything
//! read again. A bad reload changes nothing.
//!
//! It may be PID 1 of its container: orphans are reaped, and signals that arrive early are heard.

mod arguments;
mod beside;
mod catalog_settings;
mod environment;
mod exit;
mod field;
mod file;
mod hcl;
mod help;
mod hooks;
mod logging;
mod pid_file;
mod plan;
mod runner;
mod settings;
mod signals;
mod stanza;
mod table;
mod value;

use std::{ffi::OsString, io::Write as _, process::ExitCode};

use arguments::{Arguments, Request};
use plan::{Plan, Surroundings};
use runner::Runner;
use signals::Signals;

/// Runs it with the words behind the program's name, of which one may not be UTF-8.
#[must_use]
pub fn main(words: Result<Vec<String>, OsString>) -> ExitCode {
    let words = words.map_err(|word| format!("{}: not UTF-8", word.display()));
    let code = match words.and_then(arguments::parse) {
        Ok(Request::Print(text)) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => exit::OK,
            Err(_) => exit::SYSTEM,
        },
        Ok(Request::Render(arguments)) => render(*arguments).unwrap_or_else(|(code, problem)| {
            complain(&problem);
            code
        }),
        Err(problem) => {
            complain(&problem);
            exit::FLAGS
        }
    };
    ExitCode::from(code)
}

/// Whether this program has a flag of that name, which another that was given it may want to say.
#[must_use]
pub fn has_flag(name: &str) -> bool {
    table::FLAGS.iter().flat_map(|group| group.flags).any(|flag| flag.name == name)
}

/// What a file of this name and text says, for the fuzzer.
///
/// # Errors
/// Everything that is wrong with it.
#[cfg(fuzzing)]
pub fn settings_of(
    name: &str,
    text: &str,
) -> Result<impl PartialEq + std::fmt::Debug + use<>, Vec<String>> {
    let (problems, loaded) = file::read(std::path::Path::new(name), text);
    let file::Loaded { settings, warnings } = loaded;
    if problems.is_empty() { Ok((settings, warnings.len())) } else { Err(problems) }
}

/// Says what is wrong on stderr, the program's name before each line, which stands for the one that
/// Go puts before errors of templates. If even that cannot be written, the exit code has to do.
fn complain(problems: &str) {
    for problem in problems.lines() {
        let problem = problem.strip_prefix("template: ").unwrap_or(problem);
        let _ = writeln!(std::io::stderr(), "consul-template: {problem}");
    }
}

fn render(arguments: Arguments) -> Result<u8, (u8, String)> {
    let system = |error: std::io::Error| (exit::SYSTEM, format!("cannot start: {error}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    // First of all: as PID 1 a signal that we do not catch is lost.
    let signals = {
        let _runtime = runtime.enter();
        Signals::catch().map_err(system)?
    };
    let surroundings = surroundings();
    let plan = Plan::make(&arguments, &surroundings).map_err(|problems| {
        // What the flags alone have wrong is a matter of the command line.
        let code = if arguments.configs.is_empty() { exit::FLAGS } else { exit::SETTINGS };
        (code, problems.join("\n"))
    })?;
    if arguments.parse_only {
        render::check(&plan.templates, &surroundings.text)
            .map_err(|problems| (exit::RENDERING, problems))?;
        return Ok(exit::OK);
    }
    let output = logging::start().map_err(system)?;
    logging::change(plan.log_level);
    for warning in &plan.warnings {
        log::warn!("{warning}");
    }
    let ended = runtime.block_on(async {
        Ok(Runner::start(arguments, surroundings, plan, signals, &output)?.run().await)
    });
    // A lookup of a name that hangs must not keep us.
    runtime.shutdown_background();
    logging::finish(&output);
    ended
}

fn surroundings() -> Surroundings {
    let all = std::env::vars_os().collect();
    let text = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Surroundings { all, text }
}
