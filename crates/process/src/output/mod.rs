//! The output thread: children's lines and our own log through one writer.
//!
//! # Theory of operation
//!
//! One thread ([`pump`]) waits with epoll for pipes that have something to read and reads each once
//! a round, so that a chatty child does not silence the others. Bytes are cut into lines
//! ([`pipe`]), formatted into one buffer, and that buffer is written to the sink ([`writer`]).
//! [`Output`] is the handle: it only puts things into a mailbox that the thread empties, and neither
//! side does I/O while it holds the mailbox's lock.
//!
//! **When the reader of our output stops**, the sink takes no more and the buffer grows to a limit.
//! Then pipes of living processes are no longer read: they fill, and writers wait. Those of dead
//! processes are read on up to a higher limit, since each holds a descriptor of ours, and a health
//! check every second would use them all up in minutes. Captured streams never go to the sink and
//! are read always. Our own lines wait in the mailbox up to a limit, and are then dropped and
//! counted. So memory is bounded, no line of a child is lost, and the event loop never waits.
//!
//! **When the sink fails** (the reader is gone, the disk is full), what it refuses is discarded and
//! counted, and the count is reported once lines pass again. Children never notice.

mod pipe;
mod pump;
mod writer;

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::{Pid, Source};
pub(crate) use pipe::{Pipe, Role};
pub use writer::Sink;

/// The most of our own log that waits for the writer, in bytes.
const OWN_LIMIT: usize = 1 << 20;

/// The pump's stack, in bytes. It calls nothing deep but the format.
const STACK: usize = 256 << 10;

/// How long [`Output::finish`] waits in all, however willing the reader: engines kill a container
/// ten seconds after they have asked it to stop.
const LONGEST_FINISH: Duration = Duration::from_secs(5);

/// How often a waiting [`Output::finish`] looks for progress.
const LOOK: Duration = Duration::from_millis(20);

/// How lines look. Used by the output thread alone.
pub trait LineFormat: Send {
    /// Whether lines of this level are logged at all. Asked once, at the start: children's streams
    /// whose level is not wanted go to /dev/null, which costs nothing, unless their source has a
    /// tail.
    fn wants(&self, level: log::Level) -> bool;

    /// Appends one line of a child, as it is to be logged, with its newline. `line` has no newline
    /// and may hold any other bytes.
    fn line(
        &mut self,
        source: &Source,
        pid: Pid,
        level: log::Level,
        line: &[u8],
        out: &mut Vec<u8>,
    );

    /// Appends a notice of the output thread about itself, with its newline.
    fn notice(&mut self, _level: log::Level, notice: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(notice.as_bytes());
        out.push(b'\n');
    }
}

/// Handle of the output thread; clones are the same thread. It ends with its last handle.
#[derive(Clone, Debug)]
pub struct Output {
    handle: Arc<Handle>,
}

/// Closes the mailbox when the last handle goes.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.ask(|mailbox| mailbox.closed = true);
    }
}

/// What both sides know.
#[derive(Debug)]
struct Shared {
    mailbox: Mutex<Mailbox>,
    /// Wakes the thread.
    wake: EventFd,
    /// Tells of finished requests to finish.
    finished: Condvar,
    /// Counts writes to the sink.
    progress: Arc<AtomicU64>,
    /// A bit for each level that the format wants.
    wanted: AtomicUsize,
}

/// What the thread is asked for.
#[derive(Default)]
struct Mailbox {
    /// The thread has been woken and has not looked yet.
    woken: bool,
    own: Vec<u8>,
    /// Own lines that found no room and have not been reported.
    unreported: u64,
    /// All that ever did.
    dropped: u64,
    pipes: Vec<(Pid, Pipe)>,
    reopen: bool,
    replace: Option<Replacement>,
    /// How many times finish was asked for, and up to which of these it is done.
    finish: u64,
    finished: u64,
    closed: bool,
}

/// Another sink and format.
struct Replacement {
    sink: Sink,
    open: writer::Open,
    format: Box<dyn LineFormat>,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").field("own", &self.own.len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something into the mailbox and wakes the thread.
    fn ask<T>(&self, put: impl FnOnce(&mut Mailbox) -> T) -> T {
        let mut mailbox = self.lock();
        let result = put(&mut mailbox);
        if !mailbox.woken {
            mailbox.woken = true;
            drop(mailbox);
            // Fails only if the counter is full, and then the thread is awake.
            let _ = self.wake.write(1);
        }
        result
    }

    fn learn(&self, format: &dyn LineFormat) {
        let bits = log::Level::iter().filter(|&level| format.wants(level)).map(bit).sum();
        self.wanted.store(bits, Ordering::Relaxed);
    }
}

fn bit(level: log::Level) -> usize {
    1 << level as usize
}

impl Output {
    /// Opens the sink and starts the thread.
    ///
    /// # Errors
    /// If the sink cannot be opened (the message names the file), or the system is out of
    /// descriptors or threads.
    pub fn start(sink: Sink, format: Box<dyn LineFormat>) -> io::Result<Output> {
        let shared = Arc::new(Shared {
            mailbox: Mutex::default(),
            wake: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
            finished: Condvar::new(),
            progress: Arc::default(),
            wanted: AtomicUsize::new(0),
        });
        shared.learn(format.as_ref());
        let open = sink.open()?;
        let pump = pump::Pump::new(Arc::clone(&shared), sink, open, format)?;
        std::thread::Builder::new()
            .name("output".to_owned())
            .stack_size(STACK)
            .spawn(move || pump.run())?;
        Ok(Output { handle: Arc::new(Handle(shared)) })
    }

    /// Logs one finished line of our own, with its newline. Never blocks: what finds no room is
    /// dropped and counted, and the count is logged when there is room again.
    pub fn write(&self, line: &[u8]) {
        self.shared().ask(|mailbox| {
            if mailbox.own.len() + line.len() > OWN_LIMIT {
                mailbox.unreported += 1;
                mailbox.dropped += 1;
            } else {
                mailbox.own.extend_from_slice(line);
            }
        });
    }

    /// How many of our own lines have been dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.shared().lock().dropped
    }

    /// Opens the file anew, after log rotation moved it away. If that fails, the old one stays in
    /// use and a notice is written to it. Other sinks are left as they are.
    pub fn reopen(&self) {
        self.shared().ask(|mailbox| mailbox.reopen = true);
    }

    /// Changes to another sink and format, as a reload may ask for. What has been formatted and not
    /// written yet goes to the new sink.
    ///
    /// # Errors
    /// If the sink cannot be opened; then nothing changes.
    pub fn replace(&self, sink: Sink, format: Box<dyn LineFormat>) -> io::Result<()> {
        let open = sink.open()?;
        self.shared().learn(format.as_ref());
        self.shared().ask(|mailbox| mailbox.replace = Some(Replacement { sink, open, format }));
        Ok(())
    }

    /// For the end: writes all that we logged and that children have written by now, last lines
    /// without newline included, and returns when that is done: true. Gives up only when the reader
    /// has taken nothing at all for `patience`, or after five seconds: false. Blocks the thread.
    pub fn finish(&self, patience: Duration) -> bool {
        let shared = self.shared();
        let ticket = shared.ask(|mailbox| {
            mailbox.finish += 1;
            mailbox.finish
        });
        let mut seen = shared.progress.load(Ordering::Relaxed);
        let begin = Instant::now();
        let mut since = begin;
        let mut mailbox = shared.lock();
        while mailbox.finished < ticket {
            let progress = shared.progress.load(Ordering::Relaxed);
            if progress != seen {
                seen = progress;
                since = Instant::now();
            }
            let rest = patience.saturating_sub(since.elapsed());
            if rest.is_zero() || begin.elapsed() >= LONGEST_FINISH {
                return false;
            }
            mailbox = shared
                .finished
                .wait_timeout(mailbox, rest.min(LOOK))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Hands over the pipes of a new child.
    pub(crate) fn adopt(&self, pid: Pid, pipes: Vec<Pipe>) {
        if !pipes.is_empty() {
            let pipes = pipes.into_iter().map(|pipe| (pid, pipe));
            self.shared().ask(|mailbox| mailbox.pipes.extend(pipes));
        }
    }

    /// Whether lines of this level are logged.
    pub(crate) fn wants(&self, level: log::Level) -> bool {
        self.shared().wanted.load(Ordering::Relaxed) & bit(level) != 0
    }

    fn shared(&self) -> &Shared {
        &self.handle.0
    }
}
