//! The bytes on their way to the sink.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::{memchr_iter, memrchr};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Where the output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Our standard output.
    Stdout,
    /// Our standard error.
    Stderr,
    /// A file, appended to, created if need be.
    File(PathBuf),
}

impl Sink {
    pub(super) fn open(&self) -> io::Result<Open> {
        let file = match self {
            // Duplicates, so that a file is a file; they share everything with the original.
            Sink::Stdout => File::from(io::stdout().as_fd().try_clone_to_owned()?),
            Sink::Stderr => File::from(io::stderr().as_fd().try_clone_to_owned()?),
            Sink::File(path) => {
                // A named pipe that nobody reads is an error, not something to wait for.
                let mut options = OpenOptions::new();
                options.append(true).create(true).custom_flags(libc::O_NONBLOCK);
                options.open(path).map_err(|error| {
                    io::Error::new(error.kind(), format!("cannot open {}: {error}", path.display()))
                })?
            }
        };
        let kind = file.metadata()?.file_type();
        let may_block = kind.is_fifo() || kind.is_socket() || file.is_terminal();
        Ok(Open { file, may_block })
    }
}

/// An open sink.
#[derive(Debug)]
pub(super) struct Open {
    file: File,
    /// Whether its reader can make us wait: then we ask before we write.
    may_block: bool,
}

/// As much as a pipe takes at once, so that what others write there (a child with inherited
/// streams) never comes in between; and as much as it takes without waiting once it is writable.
const ATOMIC: usize = libc::PIPE_BUF;

/// Writing starts when this much is waiting, and at the end of each round.
const MUCH: usize = 64 << 10;

/// The buffer's memory is given back if it grew larger than this.
const SPARE: usize = 256 << 10;

/// A buffer in front of the sink. Never blocks on a reader, except in [`Writer::write_all`].
#[derive(Debug)]
pub(super) struct Writer {
    open: Open,
    buffer: Vec<u8>,
    /// How much of the buffer has been written.
    written: usize,
    /// The sink took no more. Cleared by the owner when it does again.
    pub(super) blocked: bool,
    /// Lines lost to errors of the sink since the last report.
    lost: u64,
    /// What the last such error was.
    error: Option<io::Error>,
    /// Whether the last write went well.
    healthy: bool,
    /// Counts writes, to be watched by whoever waits for them.
    progress: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn new(open: Open, progress: Arc<AtomicU64>) -> Writer {
        Writer {
            open,
            buffer: Vec::new(),
            written: 0,
            blocked: false,
            lost: 0,
            error: None,
            healthy: true,
            progress,
        }
    }

    /// Whence the rest of the buffer goes elsewhere. Returns the old sink.
    pub(super) fn replace(&mut self, open: Open) -> Open {
        self.blocked = false;
        std::mem::replace(&mut self.open, open)
    }

    /// Where lines are appended.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// How many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.buffer.len().saturating_sub(self.written)
    }

    pub(super) fn write_if_much(&mut self) {
        if self.waiting() >= MUCH {
            self.write();
        }
    }

    /// Writes what the sink takes without waiting.
    pub(super) fn write(&mut self) {
        while !self.blocked && self.waiting() > 0 {
            if self.open.may_block && !self.open.writable(PollTimeout::ZERO) {
                self.blocked = true;
            } else {
                self.write_once();
            }
        }
        self.tidy();
    }

    /// Writes everything, and waits for the sink as long as it takes.
    pub(super) fn write_all(&mut self) {
        while self.waiting() > 0 {
            self.blocked = false;
            if !self.open.may_block || self.open.writable(PollTimeout::NONE) {
                self.write_once();
            }
        }
        self.tidy();
    }

    fn write_once(&mut self) {
        // written never exceeds the length.
        let waiting = self.buffer.get(self.written..).unwrap_or_default();
        let chunk = if self.open.may_block { atomic_part(waiting) } else { waiting };
        let result = match self.open.file.write(chunk) {
            Ok(0) => Err(io::Error::from(ErrorKind::WriteZero)),
            result => result,
        };
        match result {
            Ok(count) => {
                self.written += count;
                self.healthy = true;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // A nonblocking descriptor, and somebody was faster than we.
                self.blocked = true;
                self.open.may_block = true;
                return;
            }
            // The reader is gone, the disk is full: nobody dies of that. Later lines may pass.
            Err(error) => {
                self.lost += memchr_iter(b'\n', chunk).count() as u64;
                self.written += chunk.len();
                self.error = Some(error);
                self.healthy = false;
            }
        }
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// What was lost since the last call, if anything; only once lines pass again, lest the report
    /// be lost too.
    pub(super) fn take_lost(&mut self) -> Option<(u64, io::Error)> {
        let error = self.error.take_if(|_| self.healthy)?;
        Some((std::mem::take(&mut self.lost), error))
    }

    /// Gives back memory, or makes the buffer's waiting part its beginning.
    fn tidy(&mut self) {
        if self.waiting() == 0 {
            self.buffer.clear();
            self.written = 0;
            if self.buffer.capacity() > SPARE {
                self.buffer = Vec::new();
            }
        } else if self.written > self.buffer.len() / 2 {
            self.buffer.drain(..self.written);
            self.written = 0;
        }
    }

    /// How much memory it holds, in bytes; none if it is in use and must not shrink.
    pub(super) fn capacity(&self) -> usize {
        if self.waiting() == 0 { self.buffer.capacity() } else { 0 }
    }

    /// Gives back the memory, if nothing waits.
    pub(super) fn shrink(&mut self) {
        if self.waiting() == 0 {
            self.buffer = Vec::new();
            self.written = 0;
        }
    }

    pub(super) fn sink(&self) -> BorrowedFd<'_> {
        self.open.file.as_fd()
    }
}

impl Open {
    /// Whether a write would not wait (or would fail at once).
    fn writable(&self, timeout: PollTimeout) -> bool {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
        poll(&mut fds, timeout).is_ok_and(|count| count > 0)
    }
}

impl AsFd for Open {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Whole lines as far as one atomic write carries; a longer line in parts.
fn atomic_part(bytes: &[u8]) -> &[u8] {
    let Some(part) = bytes.get(..ATOMIC) else { return bytes };
    match memrchr(b'\n', part) {
        Some(end) => part.get(..=end).unwrap_or(part),
        None => part,
    }
}
