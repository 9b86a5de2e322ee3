//! Asks a server about its health as gRPC knows it: `grpc.health.v1.Health/Check`.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::Duplex;
use crate::endpoint::{self, Endpoint, Protocol};
use crate::http2::{self, Answer};
use crate::{Address, BuildError, Error};

/// The longest message of a server that is repeated, in bytes.
const MESSAGE: usize = 200;

/// Asks one server, which may have several addresses. Each check has a connection of its own, which
/// tells more than one that was made while the server was well.
pub struct Health {
    /// At least one.
    endpoints: Vec<Endpoint>,
    /// `host:port`, as the server knows itself.
    authority: String,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serving {
    /// It serves.
    Yes,
    /// It does not; or it says something else, in its words.
    No(String),
}

impl Health {
    /// Reads the certificates; nothing is sent. All addresses are those of `authority`, the
    /// `host:port` that the server is asked as.
    ///
    /// # Errors
    /// As [`Client::build`](crate::Client::build)'s.
    pub fn build(addresses: &[Address], authority: &str) -> Result<Self, BuildError> {
        let endpoints = endpoint::build(addresses, Protocol::Http2)?;
        Ok(Health { endpoints, authority: authority.to_owned() })
    }

    /// Asks about a service; an empty name is the server as a whole. The first address that can be
    /// connected to counts.
    ///
    /// # Errors
    /// No whole answer: [`Error::Unreachable`], [`Error::Interrupted`] or [`Error::Timeout`].
    pub async fn check(&self, service: &str, deadline: Duration) -> Result<Serving, Error> {
        let until = Instant::now() + deadline;
        let asked = async {
            let (endpoint, mut stream) = self.connect(until).await.map_err(Error::Unreachable)?;
            let headers = [
                (":method", "POST"),
                (":scheme", endpoint.scheme()),
                (":path", "/grpc.health.v1.Health/Check"),
                (":authority", self.authority.as_str()),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            ];
            let question = question(service);
            let call = http2::call(&mut *stream, &headers, &question);
            call.await.map(|answer| understand(&answer)).map_err(Error::Interrupted)
        };
        timeout_at(until, asked).await.unwrap_or(Err(Error::Timeout(deadline)))
    }

    /// Tries one address after the other. One that swallows packets leaves time for those after it.
    async fn connect(&self, until: Instant) -> Result<(&Endpoint, Box<dyn Duplex>), String> {
        let mut reasons = Vec::new();
        let mut rest = self.endpoints.as_slice();
        while let [endpoint, after @ ..] = rest {
            let left = until.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(rest.len()).unwrap_or(1);
            rest = after;
            // The last one has until the whole deadline, to which others see.
            let limit = if rest.is_empty() { Duration::MAX } else { share };
            let connected = timeout(limit, endpoint.stream(share, Protocol::Http2)).await;
            match connected.unwrap_or_else(|_| Err("no connection in time".to_owned())) {
                Ok(stream) => return Ok((endpoint, stream)),
                Err(reason) if self.endpoints.len() == 1 => return Err(reason),
                Err(reason) => reasons.push(format!("{endpoint}: {reason}")),
            }
        }
        Err(reasons.join("; "))
    }
}

/// The message: whether it is compressed, its length, and of what is asked only the first field,
/// the service's name.
fn question(service: &str) -> Vec<u8> {
    let mut field = Vec::new();
    if !service.is_empty() {
        field.push(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            field.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        field.push(length as u8);
        field.extend_from_slice(service.as_bytes());
    }
    let mut message = vec![0];
    message.extend_from_slice(&u32::try_from(field.len()).unwrap_or(0).to_be_bytes());
    message.extend_from_slice(&field);
    message
}

fn understand(answer: &Answer) -> Serving {
    let header = |name: &str| {
        let found = answer.headers.iter().rev().find(|(found, _)| found == name.as_bytes());
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    let no = |text: &str| Serving::No(text.to_owned());
    match (header(":status"), header("grpc-status")) {
        (_, Some(code)) if code != "0" => {
            let message = header("grpc-message").unwrap_or_default();
            let separator = if message.is_empty() { "" } else { ": " };
            let number = code.parse().unwrap_or(usize::MAX);
            let name = CODES.get(number).map(|name| format!(" ({name})")).unwrap_or_default();
            Serving::No(format!("status {}{name}{separator}{}", plain(&code), plain(&message)))
        }
        (_, Some(_)) => match status(&answer.body) {
            Some(0) => no("UNKNOWN"),
            Some(1) => Serving::Yes,
            Some(2) => no("NOT_SERVING"),
            Some(3) => no("SERVICE_UNKNOWN"),
            Some(other) => Serving::No(format!("health {other}, whatever that means")),
            None => no("the answer is no HealthCheckResponse"),
        },
        (Some(status), None) => Serving::No(format!("HTTP status {}, no gRPC", plain(&status))),
        (None, None) => no("an answer without a status"),
    }
}

/// Names of the codes of gRPC.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// For one line of a log, and not all of a long one.
fn plain(text: &str) -> String {
    let clean = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    clean.take(MESSAGE).collect()
}

/// The first field of the response, a number; `None`: that is no response.
fn status(body: &[u8]) -> Option<u64> {
    let (head, mut message) = body.split_first_chunk::<5>()?;
    let [0, length @ ..] = *head else { return None };
    if u32::from_be_bytes(length) as usize != message.len() {
        return None;
    }
    // What is not said is 0.
    let mut status = 0;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let length = match key & 7 {
            0 => {
                let value = varint(&mut message)?;
                if key >> 3 == 1 {
                    status = value;
                }
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)?).ok()?,
            5 => 4,
            _ => return None,
        };
        message = message.get(length..)?;
    }
    Some(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
