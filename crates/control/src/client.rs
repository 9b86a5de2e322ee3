//! The sub-commands' side of the socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_client::{Connection, encode};
use hyper::Method;
use hyper::header::{HOST, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::events::Filter;
use crate::server::Switch;
use crate::wire::{Event, Missed, Status};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long to wait before the next try, if the program's queue of connections is full.
const AGAIN: Duration = Duration::from_millis(20);
/// How long an answer may take; longer than the program gives itself.
const ANSWER: Duration = Duration::from_secs(15);
/// A stream of events says something every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);
/// The longest answer, and the longest line of a stream, in bytes.
const LIMIT: usize = 16 * 1024 * 1024;

/// Why a request has failed. Messages name the socket and say what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing at the path.
    #[error(
        "{0}: no such socket: is the program running? Its control socket is what its \
         configuration named when it was read; -socket PATH names it directly"
    )]
    Missing(PathBuf),
    /// Nobody listens.
    #[error("{0}: nobody listens on this socket: the program that made it is not running any more")]
    Stale(PathBuf),
    /// It is another user's.
    #[error("{0}: permission denied: run this as the user that the program runs as")]
    Denied(PathBuf),
    /// It cannot be connected to for another reason.
    #[error("{0}: cannot connect: {1}")]
    Connect(PathBuf, io::Error),
    /// It accepts and does not answer.
    #[error("{0}: the program does not answer (waited {1:?}): it may be stopped or overloaded")]
    Silent(PathBuf, Duration),
    /// It went away before the end of its answer, or what answers is something else.
    #[error("{0}: the program broke off: {1}")]
    Broken(PathBuf, String),
    /// It answered, and does not do what was asked.
    #[error("{message}")]
    Refused {
        /// The status of its answer.
        status: u16,
        /// What it says.
        message: String,
    },
}

/// News from a stream of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Something has happened.
    Event(Event),
    /// We were too slow: so many events were left out here.
    Missed(u64),
}

/// A client of one socket. Each request has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// Nothing is connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Client {
        Client { socket: socket.into() }
    }

    /// Where the program is.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether the program's loop goes round.
    ///
    /// # Errors
    /// As every request's: the socket, the program or what was asked is not as it should be.
    pub async fn ping(&self) -> Result<(), Error> {
        self.call(Method::GET, "/v3/ping", String::new()).await.map(drop)
    }

    /// Makes the program read its configuration again.
    ///
    /// # Errors
    /// Also when the configuration is bad, with its errors.
    pub async fn reload(&self) -> Result<(), Error> {
        self.call(Method::POST, "/v3/reload", String::new()).await.map(drop)
    }

    /// Enters or leaves maintenance.
    ///
    /// # Errors
    /// As every request's.
    pub async fn maintenance(&self, switch: Switch) -> Result<(), Error> {
        let path = match switch {
            Switch::Enable => "/v3/maintenance/enable",
            Switch::Disable => "/v3/maintenance/disable",
        };
        self.call(Method::POST, path, String::new()).await.map(drop)
    }

    /// Sets variables in the environment of future children; an empty value unsets. Of a name
    /// that is there twice, the last value counts.
    ///
    /// # Errors
    /// Also when a name is none; nothing is changed then.
    pub async fn putenv(&self, pairs: &[(String, String)]) -> Result<(), Error> {
        let body: Map<String, Value> =
            pairs.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        self.call(Method::POST, "/v3/environ", Value::from(body).to_string()).await.map(drop)
    }

    /// Adds, sets or observes values of metrics, in this order.
    ///
    /// # Errors
    /// Also when a value is no number, or a metric is unknown. What stands before a repeated name
    /// has then been carried out.
    pub async fn putmetric(&self, pairs: &[(String, String)]) -> Result<(), Error> {
        let mut body = Map::new();
        for (name, value) in pairs {
            // An object has room for one value of each name; a counter wants them all.
            if body.contains_key(name) {
                self.send_metrics(std::mem::take(&mut body)).await?;
            }
            body.insert(name.clone(), value.as_str().into());
        }
        self.send_metrics(body).await
    }

    async fn send_metrics(&self, body: Map<String, Value>) -> Result<(), Error> {
        self.call(Method::POST, "/v3/metric", Value::from(body).to_string()).await.map(drop)
    }

    /// What is going on in the program.
    ///
    /// # Errors
    /// As every request's.
    pub async fn status(&self) -> Result<Status, Error> {
        let body = self.call(Method::GET, "/v3/status", String::new()).await?;
        serde_json::from_slice(&body)
            .map_err(|error| self.broken(format!("its status is not understood: {error}")))
    }

    /// Hands each event to `hear`, until the program ends the stream. Dropping the future ends it
    /// too.
    ///
    /// # Errors
    /// As every request's; also when the program is silent for too long.
    pub async fn events(&self, filter: &Filter, mut hear: impl FnMut(News)) -> Result<(), Error> {
        let mut path = String::from("/v3/events");
        let sources = filter.sources.iter().map(|source| ("source", source));
        let events = filter.events.iter().map(|event| ("event", event));
        for (index, (name, value)) in sources.chain(events).enumerate() {
            path.push(if index == 0 { '?' } else { '&' });
            path.push_str(name);
            path.push('=');
            encode(&mut path, value);
        }
        let until = Instant::now() + ANSWER;
        let mut connection = self.connect().await?;
        let head = self.send(&mut connection, Method::GET, &path, String::new());
        let silent = |time| move |_| Error::Silent(self.socket.clone(), time);
        timeout_at(until, head).await.map_err(silent(ANSWER))??;
        let mut lines = Lines::default();
        loop {
            let chunk = timeout(SILENCE, connection.chunk()).await.map_err(silent(SILENCE))?;
            let Some(data) = chunk.map_err(|what| self.broken(what))? else { return Ok(()) };
            lines.feed(&data, &mut hear).map_err(|what| self.broken(what))?;
        }
    }

    /// One request and its whole answer.
    async fn call(&self, method: Method, path: &str, body: String) -> Result<Vec<u8>, Error> {
        let exchange = async {
            let mut connection = self.connect().await?;
            self.send(&mut connection, method, path, body).await?;
            self.read(&mut connection).await
        };
        let answer = timeout(ANSWER, exchange).await;
        answer.map_err(|_| Error::Silent(self.socket.clone(), ANSWER))?
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let path = || self.socket.clone();
        let until = Instant::now() + CONNECT;
        loop {
            let attempt = timeout_at(until, UnixStream::connect(&self.socket)).await;
            let error = match attempt {
                Ok(Ok(stream)) => return Ok(Connection::new(stream)),
                Ok(Err(error)) => error,
                Err(_) => return Err(Error::Silent(path(), CONNECT)),
            };
            match error.kind() {
                io::ErrorKind::NotFound => return Err(Error::Missing(path())),
                io::ErrorKind::ConnectionRefused => return Err(Error::Stale(path())),
                io::ErrorKind::PermissionDenied => return Err(Error::Denied(path())),
                // Its queue is full.
                io::ErrorKind::WouldBlock if Instant::now() < until => sleep(AGAIN).await,
                io::ErrorKind::WouldBlock => return Err(Error::Silent(path(), CONNECT)),
                _ => return Err(Error::Connect(path(), error)),
            }
        }
    }

    /// Sends, and reads the head of a success.
    async fn send(
        &self,
        connection: &mut Connection,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<(), Error> {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
        let sent = connection.exchange(&method, path, headers, body.as_bytes()).await;
        let (status, _) = sent.map_err(|what| self.broken(what))?;
        if status.is_success() {
            return Ok(());
        }
        #[derive(Deserialize)]
        struct Wrong {
            error: String,
        }
        let body = self.read(connection).await?;
        let message = match serde_json::from_slice::<Wrong>(&body) {
            Ok(wrong) => wrong.error,
            Err(_) => format!("{}: the answer is {status}", self.socket.display()),
        };
        Err(Error::Refused { status: status.as_u16(), message })
    }

    async fn read(&self, connection: &mut Connection) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(data) = connection.chunk().await.map_err(|what| self.broken(what))? {
            if bytes.len() + data.len() > LIMIT {
                return Err(self.broken(format!("its answer is longer than {LIMIT} bytes")));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    }

    fn broken(&self, what: String) -> Error {
        Error::Broken(self.socket.clone(), what)
    }
}

/// Server-sent events, as far as our own server makes them: one line of data each.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
    name: String,
}

impl Lines {
    fn feed(&mut self, data: &[u8], hear: &mut impl FnMut(News)) -> Result<(), String> {
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            if self.partial.len() + piece.len() > LIMIT {
                return Err(format!("a line is longer than {LIMIT} bytes"));
            }
            self.partial.extend_from_slice(piece);
            if self.partial.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                self.line(String::from_utf8_lossy(&line).trim_end(), hear)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str, hear: &mut impl FnMut(News)) -> Result<(), String> {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim_start();
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" if self.name == "missed" => {
                hear(News::Missed(read::<Missed>(value)?.missed));
            }
            "data" => hear(News::Event(read(value)?)),
            _ => {}
        }
        Ok(())
    }
}

fn read<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, String> {
    serde_json::from_str(data).map_err(|error| format!("an event is not understood: {error}"))
}
