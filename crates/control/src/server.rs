//! The server on the socket: requests become calls to the engine.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use http_server::{Limits, Response};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;

use crate::events::{Events, Filter};
use crate::parse::{Refusal, Routed, label, parse};
use crate::socket::{Socket, SocketFile};
use crate::wire;

/// How many calls wait for the engine.
const CALLS: usize = 16;

/// What the engine is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Whether its loop goes round. Answer: [`Reply::Done`].
    Ping,
    /// Set (or unset) variables in the environment of future children. Names are valid.
    Environ(BTreeMap<String, Option<String>>),
    /// Values for metrics, in the order of the request; no name is there twice, all values are
    /// finite. Nothing is to change if a name is unknown.
    Metric(Vec<(String, f64)>),
    /// Read the configuration again.
    Reload,
    /// Enter or leave maintenance. Idempotent.
    Maintenance(Switch),
    /// What is going on. Answer: [`Reply::Status`].
    Status,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// On.
    Enable,
    /// Off.
    Disable,
}

/// The engine's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Carried out.
    Done,
    /// Not carried out: the client's mistake, in words (400).
    Refused(String),
    /// Not carried out: the configuration is bad, in words (422).
    Invalid(String),
    /// The status.
    Status(Box<wire::Status>),
}

/// A request, and where the answer goes. The client may be gone by then.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes. Dropping it says that the program is stopping (503).
    pub reply: oneshot::Sender<Reply>,
}

/// Called once for each answered request, with its path (or `other`) and the answer's status.
pub type Observer = Arc<dyn Fn(&'static str, u16) + Send + Sync>;

/// A running control server. Dropping it cuts off every client at once and removes the socket.
pub struct Server {
    /// Removed first, so that nobody connects to what is ending.
    file: SocketFile,
    server: http_server::Server,
    events: Events,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Server {
    /// Begins to answer on `socket`; calls arrive at the receiver. Must be called within a tokio
    /// runtime with I/O and time.
    ///
    /// # Errors
    /// The runtime cannot watch the socket.
    pub fn start(
        socket: Socket,
        events: Events,
        observer: Observer,
    ) -> io::Result<(Server, mpsc::Receiver<Call>)> {
        let (calls, receiver) = mpsc::channel(CALLS);
        let (listener, file) = socket.into_parts();
        let listener = UnixListener::from_std(listener)?;
        let shared = Arc::new(Shared { calls, events: events.clone(), observer });
        let handler = http_server::handler(move |request| {
            let shared = Arc::clone(&shared);
            async move { shared.answer(request).await }
        });
        let server = http_server::Server::start(listener, Limits::default(), handler);
        Ok((Server { file, server, events }, receiver))
    }

    /// Accepts no more, ends the streams of events, lets what has been asked be answered for at
    /// most a second (the engine must answer meanwhile, or drop the receiver), and removes the
    /// socket. No task is left.
    pub async fn close(self) {
        let Server { file, server, events } = self;
        drop(file);
        events.close();
        server.close().await;
    }
}

struct Shared {
    calls: mpsc::Sender<Call>,
    events: Events,
    observer: Observer,
}

impl Shared {
    async fn answer(&self, request: http_server::Request) -> Response {
        let path = label(request.path());
        let response = self.outcome(request).await.unwrap_or_else(|refusal| refuse(&refusal));
        (self.observer)(path, response.status().as_u16());
        response
    }

    async fn outcome(&self, mut request: http_server::Request) -> Result<Response, Refusal> {
        let body = request
            .body()
            .await
            .map_err(|error| Refusal::new(error.status(), error.to_string()))?;
        match parse(request.method().as_str(), request.path(), request.query(), &body)? {
            Routed::Events(filter) => self.stream(filter),
            Routed::Call(call) => {
                let ping = call == Request::Ping;
                let reply = timeout_at(request.deadline(), self.call(call)).await;
                let reply = reply.map_err(|_| {
                    let limit = Limits::default().request;
                    Refusal::new(503, format!("the program has not answered within {limit:?}"))
                })??;
                respond(reply, ping)
            }
        }
    }

    async fn call(&self, request: Request) -> Result<Reply, Refusal> {
        let stopping = || Refusal::new(503, "the program is stopping");
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call { request, reply }).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    fn stream(&self, filter: Filter) -> Result<Response, Refusal> {
        let stream = self.events.subscribe(filter).ok_or_else(|| {
            Refusal::new(503, "too many streams of events: end one, or try again later")
        })?;
        Ok(http_server::stream("text/event-stream", stream))
    }
}

fn respond(reply: Reply, ping: bool) -> Result<Response, Refusal> {
    match reply {
        Reply::Done if ping => Ok(http_server::text(200, "text/plain; charset=utf-8", "ok")),
        Reply::Done => Ok(http_server::empty(200)),
        Reply::Refused(message) => Err(Refusal::new(400, message)),
        Reply::Invalid(message) => Err(Refusal::new(422, message)),
        Reply::Status(status) => match serde_json::to_vec(&status) {
            Ok(json) => Ok(http_server::json(200, json)),
            Err(error) => Err(Refusal::new(500, error.to_string())),
        },
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let json = serde_json::json!({ "error": refusal.message }).to_string();
    let mut response = http_server::json(refusal.status, json);
    if let Some(allow) = refusal.allow {
        response
            .headers_mut()
            .insert(hyper::header::ALLOW, hyper::header::HeaderValue::from_static(allow));
    }
    response
}
