//! A server in a task of its own.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::accept::{Accepted, accept};
use crate::patience::Deadline;
use crate::{Body, Limits, Listener, Request, Response, text};

/// What a handler answers with, later.
pub type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Turns a request into an answer.
pub type Handler = Arc<dyn Fn(Request) -> Answer + Send + Sync>;

/// A handler from a function.
pub fn handler<F>(answer: impl Fn(Request) -> F + Send + Sync + 'static) -> Handler
where
    F: Future<Output = Response> + Send + 'static,
{
    Arc::new(move |request| Box::pin(answer(request)))
}

/// A running server. Dropping it cuts off every client at once.
#[derive(Debug)]
pub struct Server {
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<Infallible>>,
}

impl Server {
    /// Begins to serve. Must be called within a tokio runtime with I/O and time.
    pub fn start(listener: impl Into<Listener>, limits: Limits, handler: Handler) -> Server {
        Self::launch(listener.into(), limits, handler)
    }

    /// Once for both kinds of listeners.
    fn launch(listener: Listener, limits: Limits, handler: Handler) -> Server {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            let mut ailing = false;
            accept(listener, limits, stop, |tasks, accepted| match accepted {
                Ok(accepted) => {
                    ailing = false;
                    tasks.spawn(connection(accepted, limits, Arc::clone(&handler)));
                }
                // It is tried many times a second.
                Err(error) => {
                    if !std::mem::replace(&mut ailing, true) {
                        complain(&error);
                    }
                }
            })
            .await;
        });
        Server { task, stop: Some(stop) }
    }

    /// Accepts no more, lets what has been asked be answered, and returns when no task and no
    /// connection is left: after [`Limits::drain`] at the latest.
    pub async fn close(mut self) {
        self.stop = None;
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn complain(error: &io::Error) {
    log::warn!("cannot accept a connection: {error}");
}

async fn connection(accepted: Accepted, limits: Limits, handler: Handler) {
    let deadline = accepted.deadline.clone();
    let service =
        service_fn(move |request| answer(request, limits, Arc::clone(&handler), deadline.clone()));
    accepted.serve(service).await;
}

async fn answer(
    request: hyper::Request<Incoming>,
    limits: Limits,
    handler: Handler,
    deadline: Deadline,
) -> Result<Response, Infallible> {
    let request = Request::new(request, &limits);
    let answered = timeout_at(request.deadline(), handler(request)).await;
    let mut response = answered
        .unwrap_or_else(|_| text(503, "text/plain; charset=utf-8", "not answered in time\n"));
    deadline.set(match response.body() {
        Body::Whole(_) => Some(Instant::now() + limits.request),
        Body::Stream(_) => None,
    });
    if matches!(response.status(), StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
        // What remains of a body that was refused unread must not be taken for a request.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
