//! A connection: ordinary requests are read and answered here, with no more memory than they take.
//!
//! Most connections of a catalog do nothing most of the time but wait, for a change or for their
//! client's next request, and there may be thousands. `hyper` keeps buffers of 16 KiB for each;
//! here a connection that waits holds no buffer at all, since bytes are read into one on the stack
//! and only what is left of an unfinished request is kept. What is not ordinary (chunked bodies,
//! `Expect`, HTTP/1.0, other methods, too much, nonsense) is left to `hyper`, from that request to
//! the connection's end.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use http_server::{Accepted, service_fn};
use hyper::Method;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use crate::app::App;
use crate::http::{self, BODY, Request};

/// How long a connection may be silent between requests, and a client not read an answer.
pub(crate) const IDLE: Duration = Duration::from_secs(5 * 60);
/// A client that stops in the middle of a body holds its connection no longer.
const UPLOAD: Duration = Duration::from_secs(30);
/// The longest head that is read here, in bytes.
const HEAD: usize = 8 * 1024;
/// How many headers are read here.
const HEADERS: usize = 32;

/// The head of an ordinary request.
struct Head {
    method: Method,
    target: String,
    /// Bytes of the head, and of the body.
    length: usize,
    body: usize,
    then: Then,
}

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Stay,
    Close,
}

/// What the first bytes of a request are.
enum Start {
    /// Not enough yet.
    Partial,
    Ordinary(Head),
    /// For `hyper`.
    Other,
}

/// Why a connection ends here.
enum End {
    /// For good.
    Closed,
    /// `hyper` goes on.
    Other,
}

/// Serves a connection to its end.
pub(crate) async fn serve(app: Rc<App>, mut accepted: Accepted) {
    let mut held = Vec::new();
    loop {
        match one(&app, &mut accepted, &mut held).await {
            Ok(()) => {}
            Err(End::Closed) => return,
            Err(End::Other) => {
                accepted.unread(held);
                let service = service_fn(move |request| http::answer(Rc::clone(&app), request));
                // It is large, and most connections never get here.
                return Box::pin(accepted.serve(service)).await;
            }
        }
    }
}

/// Reads and answers one request. `held` are bytes that were read and belong to what follows.
async fn one(app: &Rc<App>, accepted: &mut Accepted, held: &mut Vec<u8>) -> Result<(), End> {
    let stopping = accepted.stopping();
    let stream = accepted.stream();
    let head = async {
        loop {
            match start(held) {
                Start::Ordinary(head) => return Ok(head),
                Start::Other => return Err(End::Other),
                Start::Partial => read(stream, held).await?,
            }
        }
    };
    let head = tokio::select! {
        head = timeout(IDLE, head) => head.map_err(|_| End::Closed)??,
        () = stopping => return Err(End::Closed),
    };
    let whole = head.length + head.body;
    let arrived = timeout(UPLOAD, async {
        while held.len() < whole {
            read(stream, held).await?;
        }
        Ok(())
    });
    arrived.await.map_err(|_| End::Closed)??;
    let rest = held.split_off(whole);
    let mut body = std::mem::replace(held, rest);
    body.drain(..head.length);
    held.shrink_to_fit();

    let request = Request::whole(head.method, &head.target, body);
    // A query that waits is nearly all of what its connection costs.
    let answer = Box::pin(http::reply(app, request));
    let reply = tokio::select! {
        reply = answer => reply,
        () = gone(stream, held) => return Err(End::Closed),
    };
    let written = async {
        stream.write_all(&reply_bytes(reply, head.then)).await?;
        stream.flush().await
    };
    match timeout(IDLE, written).await {
        Ok(Ok(())) if head.then == Then::Stay => Ok(()),
        Ok(Ok(())) => {
            let _ = stream.shutdown().await;
            Err(End::Closed)
        }
        _ => Err(End::Closed),
    }
}

/// Looks at the first bytes of a request.
fn start(bytes: &[u8]) -> Start {
    if bytes.is_empty() {
        return Start::Partial;
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD => return Start::Partial,
        _ => return Start::Other,
    };
    ordinary(&request, length).map_or(Start::Other, Start::Ordinary)
}

fn ordinary(request: &httparse::Request<'_, '_>, length: usize) -> Option<Head> {
    let method = match request.method? {
        "GET" => Method::GET,
        "PUT" => Method::PUT,
        "DELETE" => Method::DELETE,
        _ => return None,
    };
    let target = request.path.filter(|path| path.starts_with('/') && !path.contains('#'))?;
    if request.version != Some(1) {
        return None;
    }
    let (mut body, mut then, mut hosts) = (None, Then::Stay, 0);
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let value = str::from_utf8(header.value).ok();
        if is("content-length") {
            let digits = value.filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))?;
            let stated = digits.parse().ok().filter(|length| *length <= BODY)?;
            if body.replace(stated).is_some() {
                return None;
            }
        } else if is("connection") {
            match value?.trim().to_ascii_lowercase().as_str() {
                "close" => then = Then::Close,
                "keep-alive" => {}
                _ => return None,
            }
        } else if is("host") {
            hosts += 1;
        } else if is("transfer-encoding") || is("expect") || is("upgrade") {
            return None;
        }
    }
    let target = target.to_owned();
    (hosts == 1).then(|| Head { method, target, length, body: body.unwrap_or(0), then })
}

/// An answer as it is sent.
fn reply_bytes(reply: http::Sent, then: Then) -> Vec<u8> {
    let http::Sent { status, headers, body } = reply;
    let reason = hyper::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or_default());
    let close = then == Then::Close && !headers.iter().any(|(name, _)| *name == "connection");
    let close = close.then(|| ("connection", "close".to_owned()));
    for (name, value) in headers.iter().chain(&close) {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    let _ = write!(head, "date: {date}\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

/// Waits for bytes, without a buffer, and adds them to `held`.
async fn read(stream: &mut (impl AsyncRead + Unpin), held: &mut Vec<u8>) -> Result<(), End> {
    let read = poll_fn(|context| {
        let mut chunk = [0; 4096];
        let mut buffer = ReadBuf::new(&mut chunk);
        let polled = Pin::new(&mut *stream).poll_read(context, &mut buffer);
        polled.map_ok(|()| {
            held.extend_from_slice(buffer.filled());
            buffer.filled().len()
        })
    });
    match read.await {
        Ok(1..) => Ok(()),
        // Whoever has closed the sending half waits for no answer either.
        Ok(0) | Err(_) => Err(End::Closed),
    }
}

/// Ready when the client has gone; what it sends instead is kept for later.
async fn gone(stream: &mut (impl AsyncRead + Unpin), held: &mut Vec<u8>) {
    while held.len() < HEAD {
        if read(stream, held).await.is_err() {
            return;
        }
    }
    std::future::pending().await
}
