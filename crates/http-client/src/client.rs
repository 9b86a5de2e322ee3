//! Requests to one of several servers, over kept connections.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, StatusCode};
use tokio::time::{Instant, timeout_at};

use crate::connection::Connection;
use crate::endpoint::{self, Endpoint, Protocol};
use crate::{Address, BuildError, Error};

/// Connections kept while nobody uses them.
const KEPT: usize = 4;

/// Within its deadline a request waits no longer than this for a connection to one server.
const CONNECT: Duration = Duration::from_secs(3);

/// Longest answer that is read unless a call says otherwise, in bytes.
const LIMIT: usize = 256 << 10;

/// Requests to whichever of several servers answers.
pub struct Client {
    /// At least one.
    endpoints: Vec<Endpoint>,
    /// Sent with every request.
    headers: Vec<(HeaderName, HeaderValue)>,
    current: Mutex<Current>,
}

/// The server with which requests begin.
struct Current {
    id: EndpointId,
    /// Connections to it. The one used last is at the end.
    kept: Vec<Connection>,
    /// When it has answered last, to the end.
    heard: Option<Instant>,
}

/// Who sees to it that connecting ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// The client: each server has a share of the time, and not more than [`CONNECT`].
    Ours,
    /// The caller, in all. The client only sees to it that a server leaves time for those after it.
    Callers,
}

/// One of a client's servers: its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointId(usize);

/// Whether a request may reach a server twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The second changes nothing: if a kept connection turns out to be closed, the request is sent
    /// once more on a fresh one.
    Harmless,
    /// It may go out on a kept connection, once: if that turns out to be closed, the request fails
    /// with [`Error::Interrupted`]. For what a server that is new would answer otherwise.
    Unwanted,
    /// It would do harm: the request goes out on a fresh connection, once.
    Forbidden,
}

/// What is sent.
#[derive(Clone)]
pub struct Call<'a> {
    /// The verb.
    pub method: Method,
    /// With the query, encoded.
    pub path: &'a str,
    /// Sent besides those of the client.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// Sent as it is.
    pub body: Bytes,
    /// Whether it may be sent twice.
    pub repeat: Repeat,
    /// For everything: connecting, sending, reading the whole answer ([`Client::send`]) or its head
    /// ([`Client::open`]).
    pub deadline: Duration,
    /// Longest answer that is read, in bytes.
    pub limit: usize,
}

impl<'a> Call<'a> {
    /// Without headers and body, harmless to repeat, with an answer of at most 256 KiB.
    #[must_use]
    pub fn new(method: Method, path: &'a str, deadline: Duration) -> Self {
        Call {
            method,
            path,
            headers: &[],
            body: Bytes::new(),
            repeat: Repeat::Harmless,
            deadline,
            limit: LIMIT,
        }
    }
}

/// What came back.
pub struct Reply {
    /// Whatever the server says.
    pub status: StatusCode,
    /// All of them.
    pub headers: HeaderMap,
    /// The whole of it.
    pub body: Vec<u8>,
    /// Who has answered.
    pub endpoint: EndpointId,
}

/// An answer whose body is still under way. Its connection is closed when it is dropped.
pub struct Stream<'a> {
    /// Whatever the server says.
    pub status: StatusCode,
    /// All of them.
    pub headers: HeaderMap,
    /// Who answers.
    pub endpoint: EndpointId,
    connection: Connection,
    client: &'a Client,
}

impl Stream<'_> {
    /// The next bytes of the body, some kilobytes; `None`: it has ended properly.
    /// There is no deadline. Cancel safe.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let chunk = self.connection.chunk().await;
        if chunk.is_err() {
            self.client.avoid(self.endpoint);
        }
        chunk.map_err(Error::Interrupted)
    }
}

/// An answer whose body has not been read yet, and where it comes from.
struct Head {
    status: StatusCode,
    headers: HeaderMap,
    connection: Connection,
    endpoint: EndpointId,
}

impl Client {
    /// Reads the certificates; nothing is sent. `headers` go with every request.
    ///
    /// # Errors
    /// No address, a file that cannot be read or does not hold what it should, or a name that is
    /// none.
    pub fn build(
        addresses: &[Address],
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Self, BuildError> {
        let endpoints = endpoint::build(addresses, Protocol::Http1)?;
        let current = Current { id: EndpointId(0), kept: Vec::new(), heard: None };
        Ok(Client { endpoints, headers, current: Mutex::new(current) })
    }

    /// All servers, in the order of their addresses.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointId> + use<> {
        (0..self.endpoints.len()).map(EndpointId)
    }

    /// The server with which the next request begins.
    #[must_use]
    pub fn current(&self) -> EndpointId {
        self.lock().id
    }

    /// A server's address as its user writes it, for the log.
    #[must_use]
    pub fn name(&self, endpoint: EndpointId) -> String {
        self.endpoints.get(endpoint.0).map(ToString::to_string).unwrap_or_default()
    }

    /// Requests begin with the next server from now on, if they still begin with this one: it
    /// answers, but with nothing that helps.
    pub fn avoid(&self, endpoint: EndpointId) {
        self.replace(endpoint, EndpointId((endpoint.0 + 1) % self.endpoints.len()));
    }

    /// Requests begin with `new` from now on, if they still begin with `old`.
    pub fn replace(&self, old: EndpointId, new: EndpointId) {
        let mut current = self.lock();
        if current.id == old {
            // They lead to the old one.
            current.kept.clear();
            current.id = new;
            current.heard = None;
        }
    }

    /// A request that was sent at `begun` has failed. If others have been answered meanwhile, that is
    /// about the request, which the server or something on the way has held for too long: the server
    /// stays.
    fn failed(&self, endpoint: EndpointId, begun: Instant, error: &Error) {
        let heard = |current: &Current| current.heard.is_some_and(|heard| heard > begun);
        match error {
            Error::Timeout(_) | Error::Interrupted(_) if heard(&self.lock()) => {}
            Error::Timeout(_) | Error::Interrupted(_) => self.avoid(endpoint),
            Error::Unreachable(_) | Error::TooLong(_) | Error::Path(_) => {}
        }
    }

    /// Sends, and reads the whole answer.
    ///
    /// # Errors
    /// No whole answer; see [`Error`] for what that means.
    pub async fn send(&self, call: Call<'_>) -> Result<Reply, Error> {
        let begun = Instant::now();
        let until = begun + call.deadline;
        let head = self.head(&call, until).await?;
        let endpoint = head.endpoint;
        let reply = self.rest(head, &call, until).await;
        if let Err(error) = &reply {
            self.failed(endpoint, begun, error);
        }
        reply
    }

    /// As [`Client::send`], but to this server alone and on a connection of its own, whichever
    /// server the others use.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_to(&self, endpoint: EndpointId, call: Call<'_>) -> Result<Reply, Error> {
        let until = Instant::now() + call.deadline;
        let path = path(&call)?;
        let connected = self.connect(endpoint, until, 1, Patience::Ours);
        let connection = connected.await.map_err(Error::Unreachable)?;
        let head = self.exchange(endpoint, connection, &call, &path, until).await?;
        self.rest(head, &call, until).await
    }

    /// As [`Client::open`], but on a connection that is made for it, and without a deadline: the
    /// caller sees to that, and says in [`Call::deadline`] what it is, so that a server that swallows
    /// what is sent leaves time for the others. For checks: what is kept open says nothing about
    /// whether others could connect, and who makes hundreds a second has a timer already.
    ///
    /// # Errors
    /// As [`Client::open`], without [`Error::Timeout`].
    pub async fn probe(&self, call: Call<'_>) -> Result<Stream<'_>, Error> {
        let path = path(&call)?;
        let until = Instant::now() + call.deadline;
        let connected = Box::pin(self.connect_to_one(self.current(), until, Patience::Callers));
        let (endpoint, mut connection) = connected.await.map_err(Error::Unreachable)?;
        let headers = self.headers(endpoint, &call);
        let exchange = connection.exchange(&call.method, path.as_str(), headers, &call.body);
        let (status, headers) = exchange.await.map_err(Error::Interrupted)?;
        Ok(Stream { status, headers, endpoint, connection, client: self })
    }

    /// Sends, and reads the head of the answer only.
    ///
    /// # Errors
    /// No head in time; see [`Error`] for what that means.
    pub async fn open(&self, call: Call<'_>) -> Result<Stream<'_>, Error> {
        let head = self.head(&call, Instant::now() + call.deadline).await?;
        let Head { status, headers, connection, endpoint } = head;
        Ok(Stream { status, headers, endpoint, connection, client: self })
    }

    /// On a kept connection, or else from the first server that can be connected to.
    async fn head(&self, call: &Call<'_>, until: Instant) -> Result<Head, Error> {
        let path = path(call)?;
        let begun = Instant::now();
        let (first, kept) = self.begin(call.repeat);
        let reused = kept.is_some();
        if let Some(connection) = kept {
            match self.exchange(first, connection, call, &path, until).await {
                Ok(head) => return Ok(head),
                Err(Error::Interrupted(reason)) if call.repeat == Repeat::Harmless => {
                    log::trace!("a kept connection to {} is gone: {reason}", self.name(first));
                }
                Err(late) => {
                    self.failed(first, begun, &late);
                    return Err(late);
                }
            }
        }
        // The kept connection may have carried the request.
        let failed = if reused { Error::Interrupted } else { Error::Unreachable };
        // Large and rare: not a part of every request that waits.
        let connected = Box::pin(self.connect_to_one(first, until, Patience::Ours));
        let (endpoint, connection) = connected.await.map_err(failed)?;
        let head = self.exchange(endpoint, connection, call, &path, until).await;
        if let Err(error) = &head {
            self.failed(endpoint, begun, error);
        }
        head
    }

    /// The server to begin with, and a connection to it if one is kept.
    fn begin(&self, repeat: Repeat) -> (EndpointId, Option<Connection>) {
        let mut current = self.lock();
        let kept = match repeat {
            Repeat::Harmless | Repeat::Unwanted => {
                current.kept.retain_mut(Connection::is_open);
                current.kept.pop()
            }
            // One cannot know whether what was written to a stale one has arrived.
            Repeat::Forbidden => None,
        };
        (current.id, kept)
    }

    /// Tries each server once, beginning with `first`. The one that answers is the current one from
    /// then on.
    async fn connect_to_one(
        &self,
        first: EndpointId,
        until: Instant,
        patience: Patience,
    ) -> Result<(EndpointId, Connection), String> {
        let count = self.endpoints.len();
        let mut reasons = String::new();
        for nth in 0..count {
            let endpoint = EndpointId((first.0 + nth) % count);
            match self.connect(endpoint, until, count - nth, patience).await {
                Ok(connection) => {
                    if endpoint != first {
                        self.replace(first, endpoint);
                    }
                    return Ok((endpoint, connection));
                }
                Err(reason) if count == 1 => return Err(reason),
                Err(reason) => {
                    let separator = if nth == 0 { "" } else { "; " };
                    let _ = write!(reasons, "{separator}{}: {reason}", self.name(endpoint));
                }
            }
        }
        Err(reasons)
    }

    /// Connects within a fair share of the time that is left for `candidates` servers.
    async fn connect(
        &self,
        endpoint: EndpointId,
        until: Instant,
        candidates: usize,
        patience: Patience,
    ) -> Result<Connection, String> {
        let Some(server) = self.endpoints.get(endpoint.0) else {
            return Err("there is no such server".to_owned());
        };
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(candidates).unwrap_or(1);
        if patience == Patience::Callers && candidates == 1 {
            return server.dial(share).await;
        }
        let share = if patience == Patience::Ours { share.min(CONNECT) } else { share };
        let connected = server.dial(share);
        match tokio::time::timeout(share, connected).await {
            Ok(connection) => connection,
            Err(_) => Err("no connection in time".to_owned()),
        }
    }

    /// Sends, and reads the head of the answer.
    async fn exchange(
        &self,
        endpoint: EndpointId,
        mut connection: Connection,
        call: &Call<'_>,
        path: &PathAndQuery,
        until: Instant,
    ) -> Result<Head, Error> {
        let headers = self.headers(endpoint, call);
        let exchange = connection.exchange(&call.method, path.as_str(), headers, &call.body);
        match timeout_at(until, exchange).await {
            Ok(Ok((status, headers))) => Ok(Head { status, headers, connection, endpoint }),
            Ok(Err(reason)) => Err(Error::Interrupted(reason)),
            Err(_) => Err(Error::Timeout(call.deadline)),
        }
    }

    fn headers(&self, endpoint: EndpointId, call: &Call<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(server) = self.endpoints.get(endpoint.0) {
            headers.insert(HOST, server.host_header());
        }
        for (name, value) in self.headers.iter().chain(call.headers) {
            headers.insert(name, value.clone());
        }
        headers
    }

    /// Reads the body; keeps the connection.
    async fn rest(&self, head: Head, call: &Call<'_>, until: Instant) -> Result<Reply, Error> {
        let Head { status, headers, mut connection, endpoint } = head;
        let body = timeout_at(until, read(&mut connection, call.limit))
            .await
            .map_err(|_| Error::Timeout(call.deadline))??;
        let mut current = self.lock();
        if current.id == endpoint {
            current.heard = Some(Instant::now());
            // Nobody has looked at those since they were last used.
            current.kept.retain_mut(Connection::is_open);
            if current.kept.len() < KEPT && connection.is_open() {
                current.kept.push(connection);
            }
        }
        Ok(Reply { status, headers, body, endpoint })
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path(call: &Call<'_>) -> Result<PathAndQuery, Error> {
    let wrong = |reason: &str| Error::Path(format!("{} is no path: {reason}", call.path));
    if !call.path.starts_with('/') {
        return Err(wrong("it does not begin with /"));
    }
    call.path.parse().map_err(|error: hyper::http::uri::InvalidUri| wrong(&error.to_string()))
}

async fn read(connection: &mut Connection, limit: usize) -> Result<Vec<u8>, Error> {
    let expected = usize::try_from(connection.expected().unwrap_or(0)).unwrap_or(usize::MAX);
    if expected > limit {
        return Err(Error::TooLong(limit));
    }
    let mut body = Vec::with_capacity(expected);
    while let Some(data) = connection.chunk().await.map_err(Error::Interrupted)? {
        if body.len() + data.len() > limit {
            return Err(Error::TooLong(limit));
        }
        body.extend_from_slice(&data);
    }
    Ok(body)
}

/// Appends `text` to a path or query, with everything but unreserved characters encoded.
pub fn encode(path: &mut String, text: &str) {
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn what_has_a_meaning_in_a_url_is_encoded() {
        let mut path = String::from("/v1/x/");
        encode(&mut path, "a-B_0.~/? &#%ü");
        assert_eq!(path, "/v1/x/a-B_0.~%2F%3F%20%26%23%25%C3%BC");
    }
}
