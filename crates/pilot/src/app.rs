//! From a request on the command line to an exit code.

use std::{fs, io::Write as _};

use config::{Config, Generation, Host, Source};

use crate::{cli::Request, engine::Engine, host, logging, signals::Signals};

/// The configuration cannot be used.
const UNUSABLE: u8 = 1;

/// Does what was asked; answers with our exit code. What goes wrong is said on stderr.
pub(crate) fn serve(request: Request) -> u8 {
    let outcome = match request {
        Request::Help => print("-", cli_help()),
        Request::Version => print("-", &version()),
        Request::Check { config, application } => check(config.as_deref(), &application),
        Request::Template { config, out } => template(config.as_deref(), &out),
        Request::Run { config, application } => run(config, application),
    };
    outcome.unwrap_or_else(|error| {
        complain(&error);
        UNUSABLE
    })
}

/// Says on stderr what is wrong. If even that cannot be written, the exit code has to do.
pub(crate) fn complain(error: &str) {
    let _ = writeln!(std::io::stderr(), "containerpilot: {error}");
}

fn cli_help() -> &'static str {
    crate::cli::HELP
}

fn version() -> String {
    let hash = option_env!("CONTAINERPILOT_GIT_HASH").unwrap_or("unknown");
    format!("Version: {}\nGitHash: {hash}\n", env!("CARGO_PKG_VERSION"))
}

/// Errors as at a start; else what to think about again, and one line that says that it is valid.
fn check(config: Option<&str>, application: &[String]) -> Result<u8, String> {
    let host = host::facts();
    let source = source(config, &host)?;
    let config = config::load(&source, application, &host).map_err(|errors| errors.to_string())?;
    let name = &source.name;
    let mut text = String::new();
    for warning in config.warnings.iter().chain(&config::advice(&config, &host.environment)) {
        text.push_str(&format!("{name}: warning: {warning}\n"));
    }
    let generation = match config.generation {
        Generation::V2 => "1.x/2.x",
        Generation::V3 => "3.x",
    };
    let (jobs, watches) = (config.jobs.len(), config.watches.len());
    text.push_str(&format!("{name}: valid: {generation}, {jobs} jobs, {watches} watches\n"));
    print("-", &text)
}

fn template(config: Option<&str>, out: &str) -> Result<u8, String> {
    let host = host::facts();
    let source = source(config, &host)?;
    let text = config::render(&source.text, &host.environment)
        .map_err(|error| format!("{}: {error}", source.name))?;
    print(out, &text)
}

/// Writes to stdout (`-`) or to a file (`file://PATH` or `PATH`).
fn print(out: &str, text: &str) -> Result<u8, String> {
    let written = match out {
        "-" => std::io::stdout().lock().write_all(text.as_bytes()),
        path => fs::write(path.strip_prefix("file://").unwrap_or(path), text),
    };
    written.map(|()| 0).map_err(|error| format!("-out: cannot write to {out}: {error}"))
}

fn source(config: Option<&str>, host: &Host) -> Result<Source, String> {
    config::source::read(config, &host.environment).map_err(|error| error.to_string())
}

fn load(config: Option<&str>, application: &[String]) -> Result<Config, String> {
    let host = host::facts();
    let source = source(config, &host)?;
    config::load(&source, application, &host).map_err(|errors| errors.to_string())
}

fn run(config: Option<String>, application: Vec<String>) -> Result<u8, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    // First of all: as PID 1 a signal that we do not catch is lost.
    let signals = {
        let _runtime = runtime.enter();
        Signals::catch().map_err(|error| format!("cannot listen for signals: {error}"))?
    };
    let loaded = load(config.as_deref(), &application)?;
    let output = logging::start(&loaded.logging)
        .map_err(|error| format!("logging.output: cannot write there: {error}"))?;
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    if loaded.telemetry.is_some() {
        log::warn!("telemetry: this version checks the settings but serves no metrics yet");
    }
    let reload = Box::new(move || load(config.as_deref(), &application));
    let code = runtime.block_on(async {
        let engine = Engine::build(loaded, signals, output.clone(), reload)?;
        Ok(engine.run().await)
    });
    // A lookup of a name that hangs must not keep us.
    runtime.shutdown_background();
    output.finish(logging::READER_PATIENCE);
    code
}
