//! Our end of a pipe that a child writes to.

use std::io::{self, PipeReader, PipeWriter};
use std::sync::Arc;

use memchr::{memchr, memchr_iter, memrchr};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::LineFormat;
use super::writer::Writer;
use crate::capture::Buffer;
use crate::{Identity, Pid, Source, Tail};

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
    /// Whether the log wants them; else they are read for the source's tail alone.
    logged: bool,
    /// The line whose end has not come yet.
    partial: Vec<u8>,
    /// Whether a piece of this line has been logged already.
    cut: bool,
}

impl Pipe {
    /// A pipe, and the end that is the child's. `owner`: as whom the child runs, if not as we do.
    pub(crate) fn new(role: Role, owner: Option<&Identity>) -> io::Result<(Pipe, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        if let Some(owner) = owner {
            // Or it could not open /dev/stdout, as many a configuration of a server does. Without
            // the right to give things away it is no worse off than that.
            let _ = std::os::unix::fs::fchown(&writer, Some(owner.uid()), Some(owner.gid()));
        }
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
    pub(crate) fn lines(source: Arc<Source>, level: log::Level, logged: bool) -> Role {
        Role::Lines(Lines { source, level, logged, partial: Vec::new(), cut: false })
    }

    /// Whether what is read goes to the sink, and so must wait while that is blocked.
    pub(super) fn needs_sink(&self) -> bool {
        matches!(self, Role::Lines(Lines { logged: true, .. }))
    }
}

impl Lines {
    /// Logs the lines that end in `bytes` and keeps the rest for later.
    pub(super) fn feed(
        &mut self,
        pid: Pid,
        mut bytes: &[u8],
        format: &mut dyn LineFormat,
        writer: &mut Writer,
    ) {
        if self.cut || !self.partial.is_empty() {
            let Some((line, rest)) = memchr(b'\n', bytes).and_then(|end| split(bytes, end)) else {
                return self.keep(pid, bytes, format, writer);
            };
            self.partial.extend_from_slice(line);
            // An end of line right after a piece is no line.
            if !self.partial.is_empty() || !self.cut {
                self.log_partial(pid, 1, format, writer);
            }
            self.cut = false;
            writer.write_if_much();
            bytes = rest;
        }
        let whole = memrchr(b'\n', bytes).map_or(0, |end| end + 1);
        // A position within bytes, or their length.
        let (whole, rest) = bytes.split_at(whole);
        if !whole.is_empty() {
            if self.logged {
                self.log_whole(pid, whole, format, writer);
            }
            if let Some(tail) = self.source.tail() {
                tail.push(whole);
            }
        }
        self.keep(pid, rest, format, writer);
    }

    /// Logs what has come without its end of line.
    pub(super) fn end(&mut self, pid: Pid, format: &mut dyn LineFormat, writer: &mut Writer) {
        if !self.partial.is_empty() {
            self.log_partial(pid, 0, format, writer);
            self.cut = true;
        }
    }

    /// Logs lines that are all there.
    fn log_whole(&self, pid: Pid, lines: &[u8], format: &mut dyn LineFormat, writer: &mut Writer) {
        let (mut start, mut count) = (0, 0);
        for end in memchr_iter(b'\n', lines) {
            // memchr returns ascending positions within lines, so there is always such a slice.
            let line = lines.get(start..end).unwrap_or_default();
            start = end + 1;
            count += 1;
            format.line(&self.source, pid, self.level, line, writer.buffer());
            writer.write_if_much();
        }
        self.source.count(count, lines.len());
    }

    /// Keeps the beginning of a line until its end comes, or for so long as it is not too long.
    fn keep(&mut self, pid: Pid, bytes: &[u8], format: &mut dyn LineFormat, writer: &mut Writer) {
        self.partial.extend_from_slice(bytes);
        let longest = if self.logged { LONGEST_LINE } else { Tail::LIMIT };
        if self.partial.len() >= longest {
            self.log_partial(pid, 0, format, writer);
            self.cut = true;
        }
    }

    /// Logs the partial line, of which `end` bytes more are no part of the text.
    fn log_partial(
        &mut self,
        pid: Pid,
        end: usize,
        format: &mut dyn LineFormat,
        writer: &mut Writer,
    ) {
        if self.logged {
            format.line(&self.source, pid, self.level, &self.partial, writer.buffer());
            self.source.count(1, self.partial.len() + end);
        }
        // Of a line in pieces, the first one.
        if let Some(tail) = self.source.tail().filter(|_| !self.cut) {
            tail.push_line(&self.partial);
        }
        self.partial.clear();
        if self.partial.capacity() > SPARE {
            self.partial = Vec::new();
        }
    }
}

/// What stands before and behind a position.
fn split(bytes: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}
