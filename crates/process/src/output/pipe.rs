//! Our end of a pipe that a child writes to.

use std::io::{self, PipeReader, PipeWriter};
use std::sync::Arc;

use memchr::memchr_iter;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::LineFormat;
use super::writer::Writer;
use crate::capture::Buffer;
use crate::{Pid, Source};

/// The longest line that is kept whole; a longer one is logged in pieces.
const LONGEST_LINE: usize = 1 << 20;

/// A partial line's memory is given back if it was larger than this.
const SPARE: usize = 16 << 10;

/// The reading end, nonblocking and close-on-exec.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(super) reader: PipeReader,
    pub(super) role: Role,
}

/// What becomes of the bytes.
#[derive(Debug)]
pub(crate) enum Role {
    /// They become log lines.
    Lines(Lines),
    /// They are collected.
    Capture(Arc<Buffer>),
}

/// Cuts a stream into lines.
#[derive(Debug)]
pub(crate) struct Lines {
    source: Arc<Source>,
    level: log::Level,
    /// The line whose end has not come yet.
    partial: Vec<u8>,
    /// Whether a piece of this line has been logged already.
    cut: bool,
}

impl Pipe {
    /// A pipe, and the end that is the child's.
    pub(crate) fn new(role: Role) -> io::Result<(Pipe, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        // Of our end only: the child's end has flags of its own.
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((Pipe { reader, role }, writer))
    }

    /// How many bytes it can hold.
    pub(super) fn capacity(&self) -> usize {
        let size = fcntl(&self.reader, FcntlArg::F_GETPIPE_SZ).unwrap_or(1 << 20);
        usize::try_from(size).unwrap_or(1 << 20)
    }
}

impl Role {
    pub(crate) fn lines(source: Arc<Source>, level: log::Level) -> Role {
        Role::Lines(Lines { source, level, partial: Vec::new(), cut: false })
    }
}

impl Lines {
    /// Logs the lines that end in `bytes` and keeps the rest for later.
    pub(super) fn feed(
        &mut self,
        pid: Pid,
        bytes: &[u8],
        format: &mut dyn LineFormat,
        writer: &mut Writer,
    ) {
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            // memchr returns ascending positions within bytes, so there is always such a slice.
            let line = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            if self.partial.is_empty() {
                if !(self.cut && line.is_empty()) {
                    format.line(&self.source, pid, self.level, line, writer.buffer());
                }
            } else {
                self.partial.extend_from_slice(line);
                self.log_partial(pid, format, writer);
            }
            self.cut = false;
            writer.write_if_much();
        }
        self.partial.extend_from_slice(bytes.get(start..).unwrap_or_default());
        if self.partial.len() >= LONGEST_LINE {
            self.log_partial(pid, format, writer);
            self.cut = true;
        }
    }

    /// Logs what has come without its end of line.
    pub(super) fn end(&mut self, pid: Pid, format: &mut dyn LineFormat, writer: &mut Writer) {
        if !self.partial.is_empty() {
            self.log_partial(pid, format, writer);
            self.cut = true;
        }
    }

    fn log_partial(&mut self, pid: Pid, format: &mut dyn LineFormat, writer: &mut Writer) {
        format.line(&self.source, pid, self.level, &self.partial, writer.buffer());
        self.partial.clear();
        if self.partial.capacity() > SPARE {
            self.partial = Vec::new();
        }
    }
}
