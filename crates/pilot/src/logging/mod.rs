//! Our log and our children's lines: one shape, one writer (the process crate's output thread).

mod format;
mod structured;

use std::{
    io,
    sync::{Mutex, OnceLock, PoisonError},
};

use config::{LogFormat, LogLevel, LogOutput, Logging};
use log::{Level, LevelFilter, Metadata, Record};
use process::{Clock, LineFormat, Output, Pid, Sink, Source};

use format::Line;
use structured::Entry;

/// How long we wait at exit for a log reader that takes nothing at all.
pub(crate) const READER_PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// What `log`'s macros write to. Set once; there is one log.
static LOGGER: OnceLock<Logger> = OnceLock::new();

struct Logger {
    output: Output,
    format: Mutex<LogFormat>,
}

/// Starts the output thread and sends our own log there.
///
/// # Errors
/// The log file cannot be opened, or the thread cannot be started.
pub(crate) fn start(logging: &Logging) -> io::Result<Output> {
    let output = Output::start(sink(logging), lines(logging))?;
    let format = Mutex::new(logging.format);
    let logger = LOGGER.get_or_init(|| Logger { output: output.clone(), format });
    // Fails only if a logger is set already, and then it is this one.
    let _ = log::set_logger(logger);
    log::set_max_level(filter(logging.level));
    Ok(output)
}

/// Logs as another configuration wants it from now on.
///
/// # Errors
/// The log file cannot be opened; nothing has changed then.
pub(crate) fn change(logging: &Logging) -> io::Result<()> {
    if let Some(logger) = LOGGER.get() {
        logger.output.replace(sink(logging), lines(logging))?;
        *logger.format.lock().unwrap_or_else(PoisonError::into_inner) = logging.format;
        log::set_max_level(filter(logging.level));
    }
    Ok(())
}

fn sink(logging: &Logging) -> Sink {
    match &logging.output {
        LogOutput::Stdout => Sink::Stdout,
        LogOutput::Stderr => Sink::Stderr,
        LogOutput::File(path) => Sink::File(path.clone()),
    }
}

fn lines(logging: &Logging) -> Box<dyn LineFormat> {
    let clock = Clock::default();
    Box::new(ChildLines { format: logging.format, level: filter(logging.level), clock })
}

/// `log`'s level of one of ours. FATAL is the word of the last line before the end: an error.
pub(crate) fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Debug => Level::Debug,
        LogLevel::Info => Level::Info,
        LogLevel::Warn => Level::Warn,
        LogLevel::Error | LogLevel::Fatal => Level::Error,
    }
}

fn filter(least: LogLevel) -> LevelFilter {
    level(least).to_level_filter()
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries may say what is wrong; their chatter is not ours.
        let ours = [
            "pilot",
            "containerpilot",
            "catalog",
            "config",
            "consul",
            "etcd",
            "process",
            "registry",
            "render",
        ];
        let target = metadata.target();
        let crate_name = target.split("::").next().unwrap_or(target);
        metadata.level() <= Level::Warn || ours.contains(&crate_name)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let message = record.args().to_string();
            let mut out = Vec::with_capacity(message.len() + 64);
            let message = message.as_bytes();
            let line = Line { level: record.level(), child: None, message, entry: None };
            let format = *self.format.lock().unwrap_or_else(PoisonError::into_inner);
            line.write(format, &mut Clock::default(), &mut out);
            self.output.write(&out);
        }
    }

    fn flush(&self) {}
}

/// The shape of children's lines.
struct ChildLines {
    format: LogFormat,
    level: LevelFilter,
    clock: Clock,
}

impl LineFormat for ChildLines {
    fn wants(&self, level: Level) -> bool {
        level <= self.level
    }

    fn line(&mut self, source: &Source, pid: Pid, level: Level, line: &[u8], out: &mut Vec<u8>) {
        let entry = if source.structured { Entry::read(line) } else { None };
        let level = entry.as_ref().and_then(|entry| entry.level).unwrap_or(level);
        // Of a source whose lines tell their level, none has been left out yet.
        if source.structured && !self.wants(level) {
            return;
        }
        let child = Some((source.name.as_str(), pid));
        let message = entry.as_ref().map_or(line, |entry| entry.message.as_bytes());
        let line = Line { level, child, message, entry: entry.as_ref() };
        line.write(self.format, &mut self.clock, out);
    }

    fn notice(&mut self, level: Level, notice: &str, out: &mut Vec<u8>) {
        let line = Line { level, child: None, message: notice.as_bytes(), entry: None };
        line.write(self.format, &mut self.clock, out);
    }
}
