//! From a request on the command line to an exit code.

use std::{fs, io::Write as _, path::PathBuf};

use config::{Config, Generation, Host, Source, job::Role};

use crate::{
    cli::{Order, Request, View},
    engine::{self, Engine},
    environment::Changes,
    host, logging,
    signals::Signals,
    talk::talk,
};

/// The configuration cannot be used.
const UNUSABLE: u8 = 1;

/// Does what was asked; answers with our exit code. What goes wrong is said on stderr.
pub(crate) fn serve(request: Request) -> u8 {
    let outcome = match request {
        Request::Print(text) => print("-", &text),
        Request::Show { what, config, application, out } => {
            show(what, config.as_deref(), &application, &out)
        }
        Request::Talk { config, socket, orders } => tell(config.as_deref(), socket, &orders),
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

/// `-version`.
pub(crate) fn version() -> String {
    let hash = option_env!("CONTAINERPILOT_GIT_HASH").unwrap_or("unknown");
    format!("Version: {}\nGitHash: {hash}\n", env!("CARGO_PKG_VERSION"))
}

/// Talks to the program that runs this configuration, or listens on this socket.
fn tell(config: Option<&str>, socket: Option<String>, orders: &[Order]) -> Result<u8, String> {
    let named = socket.is_some();
    let path = socket_path(config, socket)?;
    talk(&path, orders).map_err(|error| {
        // Whoever is told that nobody is there should know that the path may be a guess.
        if !named
            && !path.exists()
            && let Err(errors) = load(config, &[], &host::facts())
        {
            return format!("{error}\nand the configuration that names it is bad: {errors}");
        }
        error
    })
}

/// Where the program that runs this configuration listens.
fn socket_path(config: Option<&str>, socket: Option<String>) -> Result<PathBuf, String> {
    if let Some(socket) = socket {
        return Ok(socket.into());
    }
    let host = host::facts();
    let source = source(config, &host)
        .map_err(|error| format!("{error}; or name the socket itself with -socket PATH"))?;
    config::control_socket(&source, &host).map_err(|errors| errors.to_string())
}

/// Prints what is to be said of a configuration.
fn show(what: View, config: Option<&str>, application: &[String], out: &str) -> Result<u8, String> {
    if let View::Schema(generation) = what {
        return print(out, &config::schema(generation));
    }
    let host = host::facts();
    let source = source(config, &host)?;
    let text = match what {
        View::Check => check(&source, application, &host),
        View::Template => config::render(&source.text, &host.environment)
            .map_err(|error| format!("{}: {error}", source.name)),
        View::Migrate => migrate(&source, application, &host),
        View::Schema(generation) => Ok(config::schema(generation)),
    }?;
    print(out, &text)
}

/// What is not the same in the new file is said on stderr, too.
fn migrate(source: &Source, application: &[String], host: &Host) -> Result<String, String> {
    let migration =
        config::migrate(source, application, host).map_err(|errors| errors.to_string())?;
    for warning in &migration.warnings {
        complain(&format!("{}: warning: {warning}", source.name));
    }
    Ok(migration.text)
}

/// Errors as at a start; else what to think about again, and one line that says that it is valid.
fn check(source: &Source, application: &[String], host: &Host) -> Result<String, String> {
    let config = config::load(source, application, host).map_err(|errors| errors.to_string())?;
    let name = &source.name;
    let mut text = String::new();
    for warning in config.warnings.iter().chain(&config::advice(&config, &host.environment)) {
        text.push_str(&format!("{name}: warning: {warning}\n"));
    }
    let generation = match config.generation {
        Generation::V2 => "1.x/2.x",
        Generation::V3 => "3.x",
    };
    let faults = engine::faults(&config, &host.environment);
    let faults = faults.map_err(|errors| format!("{name}: {errors}"))?;
    for warning in engine::advice(&config).iter().chain(&faults) {
        text.push_str(&format!("{name}: warning: {warning}\n"));
    }
    for hint in config::hints(&config, &host.environment) {
        text.push_str(&format!("{name}: hint: {hint}\n"));
    }
    let count = |count: usize, one: &str, more: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    };
    // That which advertises the metrics is ours.
    let theirs = config.jobs.iter().filter(|job| job.role != Role::Companion).count();
    let jobs = count(theirs, "job", "jobs");
    let watches = count(config.watches.len(), "watch", "watches");
    let some = |some: usize, one: &str, more: &str| match some {
        0 => String::new(),
        some => format!(", {}", count(some, one, more)),
    };
    let elections = some(config.elections.len(), "election", "elections");
    let templates = some(config.templates.len(), "template", "templates");
    text.push_str(&format!(
        "{name}: valid: {generation}, {jobs}, {watches}{elections}{templates}\n"
    ));
    Ok(text)
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

fn load(config: Option<&str>, application: &[String], host: &Host) -> Result<Config, String> {
    let source = source(config, host)?;
    config::load(&source, application, host).map_err(|errors| errors.to_string())
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
    let loaded = load(config.as_deref(), &application, &host::facts())?;
    let output = logging::start(&loaded.logging)
        .map_err(|error| format!("logging.output: cannot write there: {error}"))?;
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    let read = Box::new(move |changes: &Changes| {
        let mut host = host::facts();
        for (name, value) in changes {
            match value {
                Some(value) => host.environment.insert(name.clone(), value.clone()),
                None => host.environment.remove(name),
            };
        }
        let source = config::source::reread(config.as_deref(), &host.environment)
            .map_err(|error| error.to_string())?;
        config::load(&source, &application, &host).map_err(|errors| errors.to_string())
    });
    let code = runtime.block_on(async {
        let engine = Engine::build(loaded, signals, output.clone(), read)?;
        Ok(engine.run().await)
    });
    // A lookup of a name that hangs must not keep us.
    runtime.shutdown_background();
    output.finish(logging::READER_PATIENCE);
    code
}
