//! From a request on the command line to an exit code.

use std::{fs, io::Write as _};

use config::{Config, Host, Source};

use crate::{cli::Request, engine::Engine, host, logging};

/// The configuration cannot be used.
const UNUSABLE: u8 = 1;

/// Does what was asked; answers with our exit code. What goes wrong is said on stderr.
pub(crate) fn serve(request: Request) -> u8 {
    let outcome = match request {
        Request::Help => print("-", cli_help()),
        Request::Version => print("-", &version()),
        Request::Template { config, out } => template(config.as_deref(), &out),
        Request::Run { config, application } => run(config, application),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("containerpilot: {error}");
        UNUSABLE
    })
}

fn cli_help() -> &'static str {
    crate::cli::HELP
}

fn version() -> String {
    let hash = option_env!("CONTAINERPILOT_GIT_HASH").unwrap_or("unknown");
    format!("Version: {}\nGitHash: {hash}\n", env!("CARGO_PKG_VERSION"))
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

fn load(config: Option<&str>, application: &[String]) -> Result<(Config, Host), String> {
    let host = host::facts();
    let source = source(config, &host)?;
    match config::load(&source, application, &host) {
        Ok(config) => Ok((config, host)),
        Err(errors) => Err(errors.to_string()),
    }
}

fn run(config: Option<String>, application: Vec<String>) -> Result<u8, String> {
    let (loaded, host) = load(config.as_deref(), &application)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let output = logging::start(&loaded.logging)
        .map_err(|error| format!("logging.output: cannot write there: {error}"))?;
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    let reload = Box::new(move || load(config.as_deref(), &application));
    let code = runtime.block_on(async {
        let engine = Engine::build(loaded, host, output.clone(), reload)?;
        Ok(engine.run().await)
    });
    // A lookup of a name that hangs must not keep us.
    runtime.shutdown_background();
    output.finish(logging::READER_PATIENCE);
    code
}
