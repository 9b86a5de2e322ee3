//! Accepting connections, serving each, and ending them.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::listener::{Listener, Transport, Unread};
use crate::patience::{Deadline, Patient};
use crate::{HalfClosed, Limits, Overflow};

/// How long to wait after the system refused to accept: most likely we are out of descriptors,
/// and some connection has to end first.
const BREATH: Duration = Duration::from_millis(50);

/// An accepted connection, with its place among those that are allowed.
pub struct Accepted {
    stream: Box<dyn Transport>,
    _place: OwnedSemaphorePermit,
    stopping: watch::Receiver<()>,
    limits: Limits,
    pub(crate) deadline: Deadline,
}

/// Accepts connections until `stop` is ready; then it accepts no more, gives what is being
/// answered [`Limits::drain`] to end, and cuts off the rest. Dropping the future cuts off all.
///
/// `serve` is to spawn, on the set, a task that awaits [`Accepted::serve`]; or is told that
/// accepting failed, which is tried again.
pub async fn accept(
    listener: impl Into<Listener>,
    limits: Limits,
    stop: impl Future<Output = ()>,
    mut serve: impl FnMut(&mut JoinSet<()>, io::Result<Accepted>),
) {
    let listener = listener.into();
    let places = Arc::new(Semaphore::new(limits.connections));
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut place = None;
    tokio::pin!(stop);
    loop {
        let free = Arc::clone(&places).acquire_owned();
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            free = free, if place.is_none() && limits.overflow == Overflow::Wait => {
                place = free.ok();
            }
            accepted = listener.next(), if place.is_some() || limits.overflow == Overflow::Refuse => {
                let stream = match accepted {
                    Ok(stream) => stream,
                    Err(error) => {
                        serve(&mut connections, Err(error));
                        sleep(BREATH).await;
                        continue;
                    }
                };
                match place.take().or_else(|| Arc::clone(&places).try_acquire_owned().ok()) {
                    None => refuse(stream),
                    Some(place) => {
                        let accepted = Accepted {
                            stream,
                            _place: place,
                            stopping: stopped.clone(),
                            limits,
                            deadline: Deadline::default(),
                        };
                        serve(&mut connections, Ok(accepted));
                    }
                }
            }
        }
    }
    drop(listener);
    drop(stopping);
    let drain = async { while connections.join_next().await.is_some() {} };
    // Whoever is left does not read, or does not send.
    let _ = timeout(limits.drain, drain).await;
    connections.shutdown().await;
}

fn refuse(mut stream: Box<dyn Transport>) {
    const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\
        Content-Length: 21\r\n\r\nToo many connections\n";
    // Without waiting: what does not fit into the socket's empty buffer is not worth it.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = std::pin::Pin::new(&mut stream).poll_write(&mut context, BUSY);
}

impl Accepted {
    /// The connection itself, for whoever answers ordinary requests more sparingly than
    /// [`Accepted::serve`], which keeps large buffers, and leaves the rest to it.
    pub fn stream(&mut self) -> &mut (impl AsyncRead + AsyncWrite + Unpin) {
        &mut self.stream
    }

    /// Gives back what was read: it is the first that will be read again.
    pub fn unread(&mut self, bytes: Vec<u8>) {
        let inner = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.stream = Box::new(Unread { bytes: bytes.into(), inner });
    }

    /// Ready once no more requests are to be answered.
    pub fn stopping(&self) -> impl Future<Output = ()> + use<> {
        let mut stopping = self.stopping.clone();
        async move {
            let _ = stopping.changed().await;
        }
    }

    /// Serves the connection to its end. The future can be sent if `service` and its futures can.
    pub async fn serve<S, B>(self, service: S)
    where
        S: Service<hyper::Request<Incoming>, Response = hyper::Response<B>, Error = Infallible>,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Accepted { stream, _place, mut stopping, limits, deadline } = self;
        let stream = Patient::new(stream, deadline, limits.stalled);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .half_close(limits.half_closed == HalfClosed::Waiting)
            .max_buf_size(16 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            // A client that breaks off is its own business.
            _ = connection.as_mut() => return,
            _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
        }
        // Bounded by the drain.
        let _ = connection.await;
    }
}
