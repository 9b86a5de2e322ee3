//! The output thread itself.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::writer::{Open, Writer};
use super::{LineFormat, Pipe, Role, Shared, Sink};
use crate::Pid;

/// With this much waiting for the sink, pipes of living processes are left alone.
const FULL: usize = 256 << 10;

/// With this much waiting for the sink, all pipes with lines are left alone.
const OVERFULL: usize = 4 << 20;

/// The most that is read at once: what a pipe holds by default.
const READ: usize = 64 << 10;

/// The most that is read at once while the sink is blocked, since a format may make a lot of it.
const READ_BLOCKED: usize = 4 << 10;

/// Events taken from the system in one round.
const ROUND: usize = 64;

/// After so much silence, in milliseconds, buffers larger than this altogether are given back: most
/// programs are silent most of the time.
const IDLE: u16 = 1000;
const SPARE: usize = 16 << 10;

/// What epoll reports; pipes have the tokens from [`FIRST_PIPE`].
const WAKE: u64 = 0;
const SINK: u64 = 1;
const FIRST_PIPE: u64 = 2;

/// The thread's state.
pub(super) struct Pump {
    shared: Arc<Shared>,
    epoll: Epoll,
    sink: Sink,
    format: Box<dyn LineFormat>,
    writer: Writer,
    /// Whether epoll knows the sink, and whether it will report it.
    sink_known: bool,
    sink_armed: bool,
    pipes: BTreeMap<u64, (Pid, Pipe)>,
    next_token: u64,
    /// Pipes that epoll does not report for now, as the sink is blocked.
    parked: Vec<u64>,
    /// Where reads go. Allocated when first needed: many programs log nothing.
    scratch: Vec<u8>,
}

impl Pump {
    pub(super) fn new(
        shared: Arc<Shared>,
        sink: Sink,
        open: Open,
        format: Box<dyn LineFormat>,
    ) -> io::Result<Pump> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&shared.wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let writer = Writer::new(open, Arc::clone(&shared.progress));
        Ok(Pump {
            shared,
            epoll,
            sink,
            format,
            writer,
            sink_known: false,
            sink_armed: false,
            pipes: BTreeMap::new(),
            next_token: FIRST_PIPE,
            parked: Vec::new(),
            scratch: Vec::new(),
        })
    }

    pub(super) fn run(mut self) {
        let mut events = [EpollEvent::empty(); ROUND];
        loop {
            let large = self.scratch.capacity() + self.writer.capacity() > SPARE;
            let timeout = if large { EpollTimeout::from(IDLE) } else { EpollTimeout::NONE };
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(0) => {
                    self.scratch = Vec::new();
                    self.writer.shrink();
                    continue;
                }
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                // Our own descriptor is no epoll any more: there is nothing left to do.
                Err(_) => return,
            };
            for event in events.iter().take(count) {
                match event.data() {
                    WAKE => {
                        let _ = self.shared.wake.read();
                    }
                    SINK => {
                        self.writer.blocked = false;
                        self.sink_armed = false;
                    }
                    token => self.ready(token, event.events()),
                }
            }
            // First, so that there is room for our own lines unless the sink is blocked.
            self.writer.write();
            let closed = self.requests();
            self.writer.write();
            self.report_lost();
            self.writer.write();
            if closed {
                return;
            }
            if self.writer.blocked {
                self.arm_sink();
            }
            if self.writer.waiting() < FULL / 2 {
                self.unpark();
            }
        }
    }

    /// Empties the mailbox. True if there will be nothing in it any more.
    fn requests(&mut self) -> bool {
        let mut mailbox = self.shared.lock();
        mailbox.woken = false;
        let pipes = std::mem::take(&mut mailbox.pipes);
        let replace = mailbox.replace.take();
        let reopen = std::mem::take(&mut mailbox.reopen);
        let finish = (mailbox.finished < mailbox.finish).then_some(mailbox.finish);
        let closed = mailbox.closed;
        drop(mailbox);

        if let Some(replacement) = replace {
            self.format = replacement.format;
            self.sink = replacement.sink;
            self.change(replacement.open);
        }
        if reopen && matches!(self.sink, Sink::File(_)) {
            match self.sink.open() {
                Ok(open) => self.change(open),
                Err(error) => self.notice(&format!("log file not reopened: {error}")),
            }
        }
        for (pid, pipe) in pipes {
            self.adopt(pid, pipe);
        }
        if finish.is_some() || self.writer.waiting() < FULL {
            self.take_own();
        }
        if let Some(ticket) = finish {
            self.drain();
            self.shared.lock().finished = ticket;
            self.shared.finished.notify_all();
        }
        closed
    }

    /// Moves our own lines from the mailbox to the writer.
    fn take_own(&mut self) {
        let mut mailbox = self.shared.lock();
        let own = std::mem::take(&mut mailbox.own);
        let dropped = std::mem::take(&mut mailbox.unreported);
        drop(mailbox);
        self.writer.buffer().extend_from_slice(&own);
        if dropped > 0 {
            self.notice(&format!(
                "{dropped} lines of our own log were dropped: our output was not read"
            ));
        }
    }

    fn report_lost(&mut self) {
        if let Some((lost, error)) = self.writer.take_lost() {
            self.notice(&format!("{lost} log lines were lost: {error}"));
        }
    }

    fn notice(&mut self, notice: &str) {
        self.format.notice(log::Level::Warn, notice, self.writer.buffer());
    }

    fn change(&mut self, open: Open) {
        let old = self.writer.replace(open);
        if std::mem::take(&mut self.sink_known) {
            // Needed: a duplicate of a descriptor that stays open is not forgotten when closed.
            let _ = self.epoll.delete(&old);
        }
        self.sink_armed = false;
    }

    /// Asks epoll to tell once when the sink takes more.
    fn arm_sink(&mut self) {
        if self.sink_armed {
            return;
        }
        let mut event = EpollEvent::new(EpollFlags::EPOLLOUT | EpollFlags::EPOLLONESHOT, SINK);
        let result = if self.sink_known {
            self.epoll.modify(self.writer.sink(), &mut event)
        } else {
            self.epoll.add(self.writer.sink(), event)
        };
        match result {
            Ok(()) => {
                self.sink_known = true;
                self.sink_armed = true;
            }
            // It cannot be waited for that way, so it must be by writing.
            Err(_) => self.writer.write_all(),
        }
    }

    fn adopt(&mut self, pid: Pid, pipe: Pipe) {
        let token = self.next_token;
        self.next_token += 1;
        if self.epoll.add(&pipe.reader, EpollEvent::new(EpollFlags::EPOLLIN, token)).is_err() {
            // Out of kernel memory: tried again with the next round.
            self.parked.push(token);
        }
        self.pipes.insert(token, (pid, pipe));
    }

    /// A pipe has something to read, or has been closed by all writers.
    fn ready(&mut self, token: u64, flags: EpollFlags) {
        let Some((_, pipe)) = self.pipes.get(&token) else { return };
        let waiting = self.writer.waiting();
        if waiting >= FULL && pipe.role.needs_sink() {
            let closed = flags.contains(EpollFlags::EPOLLHUP);
            if closed && waiting >= OVERFULL {
                // epoll would not stop to report a closed pipe, whatever its interest.
                let _ = self.epoll.delete(&pipe.reader);
                self.parked.push(token);
                return;
            }
            if !closed {
                // From now on it is reported only when it is closed.
                let mut event = EpollEvent::new(EpollFlags::empty(), token);
                let _ = self.epoll.modify(&pipe.reader, &mut event);
                self.parked.push(token);
                return;
            }
        }
        let most = if self.writer.blocked { READ_BLOCKED } else { READ };
        self.read(token, most);
    }

    /// Lets epoll report all pipes again.
    fn unpark(&mut self) {
        for token in std::mem::take(&mut self.parked) {
            let Some((_, pipe)) = self.pipes.get(&token) else { continue };
            let mut event = EpollEvent::new(EpollFlags::EPOLLIN, token);
            let known = self.epoll.modify(&pipe.reader, &mut event).is_ok();
            if !known && self.epoll.add(&pipe.reader, event).is_err() {
                self.parked.push(token);
            }
        }
    }

    /// Reads once, at most this many bytes. How many it got; None if there is nothing for now.
    fn read(&mut self, token: u64, most: usize) -> Option<usize> {
        let (pid, pipe) = self.pipes.get_mut(&token)?;
        if self.scratch.is_empty() {
            self.scratch.resize(READ, 0);
        }
        let room = self.scratch.get_mut(..most.min(READ))?;
        let count = match pipe.reader.read(room) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Some(0),
            // A pipe has no other errors; whatever it is, the pipe is of no use any more.
            Err(_) => 0,
        };
        let bytes = self.scratch.get(..count).unwrap_or_default();
        match &mut pipe.role {
            Role::Lines(lines) if count == 0 => {
                lines.end(*pid, self.format.as_mut(), &mut self.writer);
            }
            Role::Lines(lines) => {
                lines.feed(*pid, bytes, self.format.as_mut(), &mut self.writer);
            }
            Role::Capture(buffer) if count == 0 => buffer.end(),
            Role::Capture(buffer) => buffer.push(bytes),
        }
        if count == 0 {
            if let Some((_, pipe)) = self.pipes.remove(&token) {
                // Needed: a child between fork and exec has a copy of the descriptor, and until
                // it execs epoll would report the end of the pipe over and over.
                let _ = self.epoll.delete(&pipe.reader);
            }
            return None;
        }
        Some(count)
    }

    /// Reads what is in the pipes now and writes everything, as slowly as the sink's reader wants.
    /// Of each pipe at most what it can hold, so that a descendant that writes for ever is no
    /// hindrance.
    fn drain(&mut self) {
        let tokens: Vec<u64> = self.pipes.keys().copied().collect();
        for token in tokens {
            let Some((_, pipe)) = self.pipes.get(&token) else { continue };
            let mut rest = pipe.capacity();
            while rest > 0
                && let Some(count) = self.read(token, rest)
            {
                rest = rest.saturating_sub(count);
                self.writer.write_all();
            }
            if let Some((pid, Pipe { role: Role::Lines(lines), .. })) = self.pipes.get_mut(&token) {
                lines.end(*pid, self.format.as_mut(), &mut self.writer);
            }
        }
        self.writer.write_all();
        self.report_lost();
        self.writer.write_all();
    }
}
