//! One connection to a server: what is asked is written, what is answered is read, and in between
//! it holds nothing.
//!
//! Most requests of a program that watches a catalog wait for minutes, and there may be thousands.
//! hyper's client keeps 17 kB for each of them all the time, whatever its settings (a buffer for
//! writing, and the first block of a channel to the task that drives the connection), besides what
//! it reads into. Here bytes are read into a buffer on the stack, and only what is left of an
//! unfinished answer is kept. There is no task: whoever waits for the answer reads it.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::answer::{self, Body};

/// Bytes that are read at once; a record of TLS has no more.
const PIECE: usize = 16 << 10;

/// A connection of any kind. Boxed, so that the HTTP code exists once.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connection that carries one request at a time. A request that is given up leaves it of no use:
/// it must be dropped then, which closes it.
pub struct Connection {
    stream: Box<dyn Duplex>,
    /// Read, and not yet taken.
    held: Vec<u8>,
    /// Of the answer that is read now.
    body: Body,
    /// Whether a request may follow that answer.
    stays: bool,
}

impl Connection {
    /// On a stream to a server that speaks HTTP/1.1.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Connection::on(Box::new(stream))
    }

    pub(crate) fn on(stream: Box<dyn Duplex>) -> Self {
        Connection { stream, held: Vec::new(), body: Body::Ended, stays: true }
    }

    /// Sends a request, and reads the head of its answer. The length of the body is added to the
    /// headers. There is no deadline.
    ///
    /// # Errors
    /// The connection broke, or what came back is no HTTP.
    pub async fn exchange(
        &mut self,
        method: &Method,
        path: &str,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<(StatusCode, HeaderMap), String> {
        self.stays = false;
        let sent = self.send(request(method, path, headers, body)).await;
        // A server that does not want all of a request says why before it closes the connection.
        loop {
            if let Some(head) = answer::head(&mut self.held, method)? {
                (self.body, self.stays) = (head.body, head.stays && sent.is_ok());
                return Ok((head.status, head.headers));
            }
            let closed = match self.read().await {
                Ok(0) => "the connection was closed before the answer".to_owned(),
                Ok(_) => continue,
                Err(error) => error,
            };
            return Err(sent.err().unwrap_or(closed));
        }
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        let sent = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error: std::io::Error| error.to_string())
    }

    /// The next bytes of the body, 16 KiB at most; `None`: it has ended properly. There is
    /// no deadline. Cancel safe.
    ///
    /// # Errors
    /// The connection broke, or what came is no HTTP.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            if let Some(data) = self.body.data(&mut self.held)? {
                return Ok(Some(data));
            }
            if self.body == Body::Ended {
                return Ok(None);
            }
            if self.read().await? == 0 && !self.body.end() {
                return Err("the connection was closed in the middle of the answer".to_owned());
            }
        }
    }

    /// What is known of the length of the rest of the body, in bytes.
    pub(crate) fn expected(&self) -> Option<u64> {
        match self.body {
            Body::Length(length) => Some(length),
            _ => None,
        }
    }

    /// Whether another request can be sent: the answer has been read to its end, and the server has
    /// neither closed the connection nor said anything unasked.
    pub(crate) fn is_open(&mut self) -> bool {
        let idle = self.stays && self.body == Body::Ended && self.held.is_empty();
        let mut context = Context::from_waker(Waker::noop());
        idle && poll_read(&mut *self.stream, &mut self.held, &mut context).is_pending()
    }

    /// Waits for bytes, without a buffer, and adds them to `held`; 0: there will be no more.
    async fn read(&mut self) -> Result<usize, String> {
        let Connection { stream, held, .. } = self;
        let read = std::future::poll_fn(|context| poll_read(&mut **stream, held, context));
        read.await.map_err(|error| error.to_string())
    }
}

fn poll_read(
    stream: &mut dyn Duplex,
    held: &mut Vec<u8>,
    context: &mut Context<'_>,
) -> Poll<std::io::Result<usize>> {
    let mut piece = [MaybeUninit::uninit(); PIECE];
    let mut buffer = ReadBuf::uninit(&mut piece);
    ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
    // What is read is nearly always taken at once: no room for more.
    held.reserve_exact(buffer.filled().len());
    held.extend_from_slice(buffer.filled());
    Poll::Ready(Ok(buffer.filled().len()))
}

/// A request as it is sent.
fn request(method: &Method, path: &str, mut headers: HeaderMap, body: &[u8]) -> Vec<u8> {
    // It is ours to say where the body ends.
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONTENT_LENGTH);
    // A server expects a length from these.
    if !body.is_empty() || [Method::POST, Method::PUT, Method::PATCH].contains(method) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let mut head = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    for (name, value) in &headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"\r\n");
    head.extend_from_slice(body);
    head
}
