//! The collected stdout of one child, such as a sensor's value.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::Source;

/// Collects one child's stdout, up to a limit. Clones share the buffer: one goes to
/// [`crate::Streams::Capture`], the other waits. For one process only.
#[derive(Clone, Debug)]
pub struct Capture {
    buffer: Arc<Buffer>,
    stderr: Option<Arc<Source>>,
}

#[derive(Debug)]
pub(crate) struct Buffer {
    limit: usize,
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    ended: bool,
}

impl Capture {
    /// Keeps the first `limit` bytes; the rest is read and discarded, so that the child never waits.
    pub fn new(limit: usize) -> Capture {
        let buffer = Buffer { limit, state: Mutex::default(), ended: Notify::new() };
        Capture { buffer: Arc::new(buffer), stderr: None }
    }

    /// Logs the child's stderr as lines of `source`, instead of discarding it.
    pub fn with_stderr(self, source: Arc<Source>) -> Capture {
        Capture { stderr: Some(source), ..self }
    }

    /// Waits until the child and whoever inherited its stdout have closed it, and takes what was
    /// written. A descendant that keeps the pipe open delays this without limit: put a deadline
    /// around it. Cancel safe.
    pub async fn finished(&self) -> Vec<u8> {
        loop {
            // Made before the look at the state: it is woken by an end after this point.
            let ended = self.buffer.ended.notified();
            {
                let mut state = self.buffer.lock();
                if state.ended {
                    return std::mem::take(&mut state.bytes);
                }
            }
            ended.await;
        }
    }

    /// Takes what was written so far, for when the deadline of [`Capture::finished`] has passed.
    pub fn so_far(&self) -> Vec<u8> {
        std::mem::take(&mut self.buffer.lock().bytes)
    }

    pub(crate) fn buffer(&self) -> Arc<Buffer> {
        Arc::clone(&self.buffer)
    }

    pub(crate) fn stderr(&self) -> Option<&Arc<Source>> {
        self.stderr.as_ref()
    }
}

impl Buffer {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let room = self.limit.saturating_sub(state.bytes.len()).min(bytes.len());
        state.bytes.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }

    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.ended.notify_waiters();
    }
}
