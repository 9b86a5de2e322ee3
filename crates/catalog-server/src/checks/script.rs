//! A program as a check. This is no init program: it starts few children and waits for each, which
//! tokio does well; what matters is that a check that is late, or no longer wanted, goes with all
//! that it has started.

use std::io;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout_at};

use crate::definition::Pace;
use crate::store::Status;

/// How much is read at a time, in bytes.
const CHUNK: usize = 4096;
/// No pipe of ours holds more than this, in bytes.
const PIPE: usize = 128 * 1024;

/// Runs the program once; its output is what it wrote to both streams.
pub(super) async fn run(args: &[String], pace: Pace) -> (Status, String) {
    let deadline = Instant::now() + pace.timeout;
    let mut output = Output { last: Vec::new(), written: 0, keep: pace.output };
    match follow(args, deadline, &mut output).await {
        Ok(Some(status)) => {
            let meaning = match status.code() {
                Some(0) => Status::Passing,
                Some(1) => Status::Warning,
                _ => Status::Critical,
            };
            (meaning, output.text())
        }
        Ok(None) => {
            let text = format!("Timed out ({:?}) running check\n\n{}", pace.timeout, output.text());
            (Status::Critical, text)
        }
        Err(error) => (Status::Critical, error.to_string()),
    }
}

/// How the program ended; `None` if it did not in time, and was killed.
async fn follow(
    args: &[String],
    deadline: Instant,
    output: &mut Output,
) -> io::Result<Option<ExitStatus>> {
    let (mut child, reader) = start(args)?;
    let mut reader = Receiver::from_owned_fd(reader.into())?;
    let ended = timeout_at(deadline, async {
        loop {
            tokio::select! {
                biased;
                read = output.take(&mut reader) => match read {
                    // Nobody writes any more; it may still run.
                    Ok(0) => return child.0.wait().await,
                    Ok(_) => {}
                    Err(error) => return Err(error),
                },
                status = child.0.wait() => return status,
            }
        }
    })
    .await;
    let Ok(status) = ended else { return Ok(None) };
    let status = status?;
    child.1 = None;
    // What it has written is in the pipe, which holds less than this; whoever else still writes
    // is of no interest.
    for _ in 0..PIPE / CHUNK {
        if !output.rest(&mut reader) {
            break;
        }
    }
    Ok(Some(status))
}

/// A child that leads a group of its own, which is killed with it unless it has ended by itself.
struct Leader(Child, Option<Pid>);

impl Drop for Leader {
    fn drop(&mut self) {
        // It has not been waited for, so the id is still its own.
        if let Some(group) = self.1 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

fn start(args: &[String]) -> io::Result<(Leader, io::PipeReader)> {
    let (program, args) = args.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let (reader, writer) = io::pipe()?;
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot run {program}: {error}")))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    Ok((Leader(child, group), reader))
}

/// The end of what a program writes.
struct Output {
    last: Vec<u8>,
    written: usize,
    keep: usize,
}

impl Output {
    /// Waits for something to be written; 0 is the end.
    async fn take(&mut self, reader: &mut Receiver) -> io::Result<usize> {
        loop {
            reader.readable().await?;
            match self.read(reader) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    /// Takes what is there; false if there is no more.
    fn rest(&mut self, reader: &mut Receiver) -> bool {
        matches!(self.read(reader), Ok(1..))
    }

    fn read(&mut self, reader: &mut Receiver) -> io::Result<usize> {
        let mut chunk = [0; CHUNK];
        let read = reader.try_read(&mut chunk)?;
        self.written += read;
        self.last.extend_from_slice(chunk.get(..read).unwrap_or_default());
        self.last.drain(..self.last.len().saturating_sub(self.keep));
        Ok(read)
    }

    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.last);
        match self.written > self.last.len() {
            true => format!("Captured {} of {} bytes\n...\n{text}", self.last.len(), self.written),
            false => text.into_owned(),
        }
    }
}
