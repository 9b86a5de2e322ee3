//! Events for those who listen: server-sent events, each stream with a short queue.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_server::{Bytes, Frame, Stream};
use tokio::time::{Instant, Sleep, sleep};

use crate::wire::{Event, Missed};

/// How many streams there may be.
const STREAMS: usize = 16;
/// How many events wait for a slow client.
const QUEUE: usize = 256;
/// A stream is never silent for longer, so that both ends notice when the other is gone.
const SILENCE: Duration = Duration::from_secs(15);

/// What clients ignore.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// Which events a stream carries. Nothing named: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Sources, any of which will do.
    pub sources: Vec<String>,
    /// Events, any of which will do.
    pub events: Vec<String>,
}

impl Filter {
    fn admits(&self, event: &Event) -> bool {
        (self.sources.is_empty() || self.sources.contains(&event.source))
            && (self.events.is_empty() || self.events.contains(&event.event))
    }
}

/// The hub. Clones are the same hub.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Hub>);

#[derive(Debug, Default)]
struct Hub {
    /// As many as there are in `streams`, to be looked at without a lock.
    count: AtomicUsize,
    streams: Mutex<Vec<Arc<Queue>>>,
}

#[derive(Debug)]
struct Queue {
    filter: Filter,
    state: Mutex<Waiting>,
}

/// What waits for one client.
#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    /// Events left out after the last of `frames`.
    missed: u64,
    /// Something has to be written, so that a client that is gone is noticed.
    probe: bool,
    closed: bool,
    waker: Option<Waker>,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what waits, and lets the stream see it.
    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        let waker = {
            let mut waiting = self.state();
            change(&mut waiting);
            waiting.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Events {
    /// A hub without streams.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells everybody who listens. Never waits; if nobody listens, `event` is not even made.
    pub fn publish(&self, event: impl FnOnce() -> Event) {
        if self.streams() > 0 {
            self.0.deliver(&event());
        }
    }

    /// How many streams there are.
    pub fn streams(&self) -> usize {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Ends all streams, after what waits in them.
    pub fn close(&self) {
        for queue in self.0.streams().iter() {
            queue.change(|waiting| waiting.closed = true);
        }
    }

    /// A new stream; `None` if there are too many. Those whose clients are gone then make room for
    /// a next try.
    pub(crate) fn subscribe(&self, filter: Filter) -> Option<Subscription> {
        let mut streams = self.0.streams();
        if streams.len() >= STREAMS {
            streams.iter().for_each(|queue| queue.change(|waiting| waiting.probe = true));
            return None;
        }
        let queue = Arc::new(Queue { filter, state: Mutex::default() });
        streams.push(Arc::clone(&queue));
        self.0.count.store(streams.len(), Ordering::Relaxed);
        Some(Subscription { hub: Arc::clone(&self.0), queue, silence: Box::pin(sleep(SILENCE)) })
    }
}

impl Hub {
    fn streams(&self) -> MutexGuard<'_, Vec<Arc<Queue>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, event: &Event) {
        let mut frame = None;
        for queue in self.streams().iter().filter(|queue| queue.filter.admits(event)) {
            let frame = frame.get_or_insert_with(|| sse(&event.event, event));
            queue.change(|waiting| {
                if waiting.missed > 0 || waiting.frames.len() >= QUEUE {
                    waiting.missed += 1;
                } else {
                    waiting.frames.push_back(frame.clone());
                }
            });
        }
    }
}

/// One server-sent event. JSON has no line breaks of its own.
fn sse(name: &str, data: &impl serde::Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// One client's stream, as the body of an answer.
#[derive(Debug)]
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    queue: Arc<Queue>,
    silence: Pin<Box<Sleep>>,
}

impl Stream for Subscription {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = {
            let mut waiting = self.queue.state();
            match waiting.frames.pop_front() {
                Some(frame) => Some(frame),
                None if waiting.missed > 0 => {
                    let missed = std::mem::take(&mut waiting.missed);
                    Some(sse("missed", &Missed { missed }))
                }
                None if waiting.closed => return Poll::Ready(None),
                None if std::mem::take(&mut waiting.probe) => Some(COMMENT),
                None => {
                    waiting.waker = Some(context.waker().clone());
                    None
                }
            }
        };
        let frame = match next {
            Some(frame) => frame,
            None if self.silence.as_mut().poll(context).is_ready() => COMMENT,
            None => return Poll::Pending,
        };
        self.silence.as_mut().reset(Instant::now() + SILENCE);
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut streams = self.hub.streams();
        streams.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        self.hub.count.store(streams.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "events/tests.rs"]
mod tests;
