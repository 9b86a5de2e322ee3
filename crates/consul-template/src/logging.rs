//! Our log: lines on stderr, a time and `[WARN] text`, by the output thread, so that whoever reads
//! them never delays us.

use std::{
    io,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use log::{Level, LevelFilter, Metadata, Record};
use process::{LineFormat, Output, Pid, Sink, Source, timestamp};

/// How long we wait at the end for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);

static LOGGER: OnceLock<Logger> = OnceLock::new();

struct Logger(Output);

/// Starts the output thread, and sends our log there.
///
/// # Errors
/// The system is out of threads or descriptors.
pub(crate) fn start() -> io::Result<Output> {
    let output = Output::start(Sink::Stderr, Box::new(Bare))?;
    let logger = LOGGER.get_or_init(|| Logger(output.clone()));
    // Fails only if there is one already, and then it is this one.
    let _ = log::set_logger(logger);
    Ok(output)
}

/// From now on only lines of this level and above it are logged.
pub(crate) fn change(level: LevelFilter) {
    log::set_max_level(level);
}

/// Writes what is still to be written.
pub(crate) fn finish(output: &Output) {
    output.finish(PATIENCE);
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries may say what is wrong; their chatter is not ours.
        let ours =
            ["consul_template", "render", "catalog", "consul", "etcd", "process", "registry"];
        let target = metadata.target();
        let crate_name = target.split("::").next().unwrap_or(target);
        metadata.level() <= Level::Warn || ours.contains(&crate_name)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let name = match record.level() {
                Level::Error => "ERR",
                level => level.as_str(),
            };
            let time = timestamp(SystemTime::now());
            self.0.write(format!("{time} [{name}] {}\n", record.args()).as_bytes());
        }
    }

    fn flush(&self) {}
}

/// Children write to our streams themselves.
struct Bare;

impl LineFormat for Bare {
    fn wants(&self, _level: Level) -> bool {
        true
    }

    fn line(&mut self, _: &Source, _: Pid, _: Level, line: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}
