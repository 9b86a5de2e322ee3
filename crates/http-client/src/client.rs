//! Requests to one server, over kept connections.

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::endpoint::Endpoint;
use crate::{Address, BuildError, Error};

/// Connections kept while nobody uses them.
const KEPT: usize = 4;

/// Within its deadline a request waits no longer than this for a connection.
pub(crate) const CONNECT: Duration = Duration::from_secs(3);

/// Requests to one server.
pub struct Client {
    endpoint: Endpoint,
    /// Sent with every request.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The one used last is at the end.
    kept: Mutex<Vec<Connection>>,
}

/// What is sent.
pub struct Call<'a> {
    /// The verb.
    pub method: Method,
    /// With the query, encoded.
    pub path: &'a str,
    /// Sent as it is.
    pub body: Bytes,
    /// For everything: connecting, sending, reading the whole answer.
    pub deadline: Duration,
    /// Longest answer that is read, in bytes.
    pub limit: usize,
}

/// What came back.
pub struct Reply {
    /// Whatever the server says.
    pub status: StatusCode,
    /// All of them.
    pub headers: HeaderMap,
    /// The whole of it.
    pub body: Vec<u8>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    _driver: Driver,
}

/// The task that moves a connection's bytes; it ends with the connection, whatever the peer does.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How an exchange on a connection has failed.
enum Lost {
    /// Before the answer began.
    Early(String),
    /// With the answer begun.
    Late(Error),
}

impl Client {
    /// Reads the certificates; nothing is sent. `headers` go with every request.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what it should, or a name that is none.
    pub fn build(
        address: &Address,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Self, BuildError> {
        let endpoint = Endpoint::build(address)?;
        let mut headers = headers;
        headers.push((HOST, endpoint.host_header()));
        Ok(Client { endpoint, headers, kept: Mutex::new(Vec::new()) })
    }

    /// Sends and reads the whole answer.
    ///
    /// # Errors
    /// No whole answer; see [`Error`] for what that means.
    pub async fn send(&self, call: Call<'_>) -> Result<Reply, Error> {
        let outcome = self.attempt(&call).await;
        if matches!(outcome, Err(Error::Interrupted(_) | Error::Timeout(_))) {
            // The others lead to the same place.
            self.kept().clear();
        }
        outcome
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Reply, Error> {
        let until = Instant::now() + call.deadline;
        let late = |_| Error::Timeout(call.deadline);
        let kept = self.kept().pop();
        let reused = kept.is_some();
        if let Some(connection) = kept {
            match timeout_at(until, self.exchange(connection, call)).await.map_err(late)? {
                Ok(reply) => return Ok(reply),
                Err(Lost::Late(error)) => return Err(error),
                Err(Lost::Early(reason)) => {
                    log::trace!("a kept connection to {} is gone: {reason}", self.endpoint);
                }
            }
        }
        let connecting = until.min(Instant::now() + CONNECT);
        let connection = match timeout_at(connecting, self.connect()).await {
            Ok(Ok(connection)) => connection,
            // The kept connection may have carried the request.
            Ok(Err(reason)) if reused => return Err(Error::Interrupted(reason)),
            Ok(Err(reason)) => return Err(Error::Unreachable(reason)),
            Err(_) => return Err(Error::Unreachable("no connection in time".to_owned())),
        };
        match timeout_at(until, self.exchange(connection, call)).await.map_err(late)? {
            Ok(reply) => Ok(reply),
            Err(Lost::Late(error)) => Err(error),
            Err(Lost::Early(reason)) => Err(Error::Interrupted(reason)),
        }
    }

    async fn connect(&self) -> Result<Connection, String> {
        let io = self.endpoint.dial().await?;
        let (sender, driver) = hyper::client::conn::http1::handshake(io).await.map_err(chain)?;
        let driver = tokio::spawn(async {
            // Whoever waits for an answer gets the error.
            let _ = driver.await;
        });
        Ok(Connection { sender, _driver: Driver(driver.abort_handle()) })
    }

    async fn exchange(&self, mut connection: Connection, call: &Call<'_>) -> Result<Reply, Lost> {
        let early = |error: hyper::Error| Lost::Early(chain(error));
        connection.sender.ready().await.map_err(early)?;
        let request = self.request(call).map_err(Lost::Late)?;
        let response = connection.sender.send_request(request).await.map_err(early)?;
        let reply = read(response, call.limit).await.map_err(Lost::Late)?;
        let mut kept = self.kept();
        if kept.len() < KEPT && !connection.sender.is_closed() {
            kept.push(connection);
        }
        Ok(reply)
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = call
            .path
            .parse()
            .map_err(|error| Error::Path(format!("{} is no path: {error}", call.path)))?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        Ok(request)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(response: Response<Incoming>, limit: usize) -> Result<Reply, Error> {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| Error::Interrupted(chain(error)))?;
        if let Ok(data) = frame.into_data() {
            if body.len() + data.len() > limit {
                return Err(Error::TooLong(limit));
            }
            body.extend_from_slice(&data);
        }
    }
    Ok(Reply { status: head.status, headers: head.headers, body })
}

/// An error and what caused it; hyper's own messages leave out the causes.
fn chain(error: hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
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
