//! The applications that need more than machine code: this program, started as one of them.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal};

use crate::probe::write_stamp;

/// The word that makes this program an application.
pub(crate) const AS: &str = "--as";

/// The length of the lines that [`writer`] writes, with the newline.
pub(crate) const LINE: usize = 100;

/// The command line of an application that takes `delay` to stop on SIGTERM. It writes a time
/// stamp into `fifo` when it is ready to be stopped.
pub(crate) fn stopper(delay: Duration, fifo: &str) -> Result<Vec<String>> {
    command(["stopper", &delay.as_millis().to_string(), fifo])
}

/// The command line of an application that writes that many lines and ends.
pub(crate) fn writer(lines: usize) -> Result<Vec<String>> {
    command(["writer", &lines.to_string()])
}

fn command<const N: usize>(words: [&str; N]) -> Result<Vec<String>> {
    let own = env::current_exe()?.to_string_lossy().into_owned();
    Ok([own.as_str(), AS].into_iter().chain(words).map(str::to_owned).collect())
}

/// Is one of the applications.
pub(crate) fn play(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["stopper", delay, fifo] => stop_slowly(Duration::from_millis(delay.parse()?), fifo),
        ["writer", lines] => write_lines(lines.parse()?),
        _ => bail!("no such application: {words:?}"),
    }
}

fn stop_slowly(delay: Duration, fifo: &str) -> Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    write_stamp(&OpenOptions::new().write(true).open(fifo).context(fifo.to_owned())?)?;
    signals.wait()?;
    thread::sleep(delay);
    Ok(())
}

/// In writes of a full pipe: the writer must never be what is slow.
fn write_lines(lines: usize) -> Result<()> {
    let mut line = vec![b'x'; LINE - 1];
    line.push(b'\n');
    let chunk = line.repeat(640);
    let mut left = lines * LINE;
    let mut out = std::io::stdout().lock();
    while left > 0 {
        let part = chunk.get(..left).unwrap_or(&chunk);
        out.write_all(part)?;
        left -= part.len();
    }
    out.flush()?;
    Ok(())
}
