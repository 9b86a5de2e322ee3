//! A request, and its body within limits.

use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{EXPECT, HeaderMap};
use hyper::http::request::Parts;
use tokio::time::{Instant, timeout_at};

use crate::Limits;

/// So much of a body that is too long is read and thrown away, in bytes: a client that writes all
/// before it reads would otherwise see a broken connection instead of the answer.
const SPILL: usize = 1024 * 1024;

/// A request whose head has arrived.
#[derive(Debug)]
pub struct Request {
    head: Parts,
    body: Option<Incoming>,
    limit: usize,
    deadline: Instant,
}

/// Why a body cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than allowed. To be answered with 413.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    /// It did not arrive in time. To be answered with 408.
    #[error("the body did not arrive in time")]
    Late,
    /// It is no HTTP, or the client went away. To be answered with 400.
    #[error("the body cannot be read: {0}")]
    Broken(hyper::Error),
}

impl BodyError {
    /// The status that it is to be answered with.
    pub fn status(&self) -> u16 {
        match self {
            BodyError::TooLong(_) => 413,
            BodyError::Late => 408,
            BodyError::Broken(_) => 400,
        }
    }
}

impl Request {
    pub(crate) fn new(request: hyper::Request<Incoming>, limits: &Limits) -> Self {
        let (head, body) = request.into_parts();
        let deadline = Instant::now() + limits.request;
        Request { head, body: Some(body), limit: limits.body, deadline }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path, as it was sent (percent-encoded).
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// What follows the `?`, as it was sent.
    pub fn query(&self) -> Option<&str> {
        self.head.uri.query()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// When the answer must begin; after that the client is told 503.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The whole body; a second time it is empty.
    ///
    /// # Errors
    /// It is too long, late or broken.
    pub async fn body(&mut self) -> Result<Bytes, BodyError> {
        let Some(body) = self.body.take() else { return Ok(Bytes::new()) };
        let stated = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let asks = self.head.headers.contains_key(EXPECT);
        if stated > self.limit && (asks || stated > SPILL) {
            return Err(BodyError::TooLong(self.limit));
        }
        let read = timeout_at(self.deadline, read(body, self.limit)).await;
        read.map_err(|_| BodyError::Late)?
    }
}

async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let (mut bytes, mut length) = (Vec::new(), 0usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= limit {
            bytes.extend_from_slice(&data);
        } else if length > SPILL.max(limit) {
            break;
        }
    }
    if length > limit { Err(BodyError::TooLong(limit)) } else { Ok(bytes.into()) }
}
