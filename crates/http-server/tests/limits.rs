//! The server over real sockets, with raw bytes: what is allowed, for how long, and what is left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_server::{
    Bytes, Frame, HalfClosed, Limits, Overflow, Server, Stream, empty, handler, stream, text,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(100);
const PING: &str = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n";

struct Fixture {
    folder: tempfile::TempDir,
    server: Option<Server>,
    /// Handlers of `/hang` that have not been dropped.
    hanging: Arc<AtomicUsize>,
    /// Lets `/wait` answer.
    open: Arc<Notify>,
    waiting: Arc<AtomicUsize>,
    /// Pieces that `/stream` was asked for.
    pieces: Arc<AtomicUsize>,
}

struct Count(Arc<AtomicUsize>);

impl Count {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Count(Arc::clone(count))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// 1 KiB for ever.
struct Endless(Arc<AtomicUsize>);

impl Stream for Endless {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; 1024])))))
    }
}

fn start(change: impl FnOnce(&mut Limits)) -> Fixture {
    let mut limits = Limits::default();
    change(&mut limits);
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("s")).unwrap();
    let (hanging, waiting, pieces) = <(Arc<_>, Arc<_>, Arc<_>)>::default();
    let open = Arc::new(Notify::new());
    let shared = (Arc::clone(&hanging), Arc::clone(&waiting), Arc::clone(&pieces));
    let gate = Arc::clone(&open);
    let handler = handler(move |mut request| {
        let (hanging, waiting, pieces) = shared.clone();
        let gate = Arc::clone(&gate);
        async move {
            match request.path() {
                "/ping" => text(200, "text/plain", "pong"),
                "/hang" => {
                    let _count = Count::new(&hanging);
                    std::future::pending().await
                }
                "/wait" => {
                    let _count = Count::new(&waiting);
                    gate.notified().await;
                    text(200, "text/plain", "waited")
                }
                "/large" => text(200, "text/plain", vec![b'x'; 8 * 1024 * 1024]),
                "/stream" => stream("text/plain", Endless(pieces)),
                "/echo" => match request.body().await {
                    Ok(body) => text(200, "text/plain", body),
                    Err(error) => text(error.status(), "text/plain", error.to_string()),
                },
                _ => empty(404),
            }
        }
    });
    let server = Some(Server::start(listener, limits, handler));
    Fixture { folder, server, hanging, open, waiting, pieces }
}

impl Fixture {
    async fn connect(&self) -> UnixStream {
        let path = self.folder.path().join("s");
        timeout(SOON, UnixStream::connect(path)).await.unwrap().unwrap()
    }

    /// Sends bytes on a new connection and reads until the server closes it.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        let _ = stream.write_all(bytes.as_ref()).await;
        rest(&mut stream).await
    }
}

/// What comes until the server closes the connection.
async fn rest(stream: &mut UnixStream) -> String {
    let mut answer = Vec::new();
    // A connection that is closed with something unread is reset.
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("an end");
    String::from_utf8(answer).unwrap()
}

/// What comes until `end` does.
async fn until(stream: &mut UnixStream, end: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(end) {
        let mut chunk = [0; 4096];
        let read = timeout(SOON, stream.read(&mut chunk)).await.expect("an answer").unwrap();
        assert!(read > 0, "the connection ended after {answer:?}");
        answer.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
    }
    answer
}

async fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let start = Instant::now();
    while !look() {
        assert!(start.elapsed() < SOON, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn close(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let fixture = start(|_| {});
    let mut stream = fixture.connect().await;
    for _ in 0..3 {
        stream.write_all(PING.as_bytes()).await.unwrap();
        assert_eq!(status(&until(&mut stream, "pong").await), "200");
    }
    // And many at once.
    stream.write_all(PING.repeat(3).as_bytes()).await.unwrap();
    stream.write_all(close("POST", "/echo", "last").as_bytes()).await.unwrap();
    assert_eq!(rest(&mut stream).await.matches("pong").count(), 3);
}

#[tokio::test]
async fn the_same_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler =
        handler(|request| async move { text(200, "text/plain", request.path().to_owned()) });
    let server = Server::start(listener, Limits::default(), handler);
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /a%20b?c HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.ends_with("\r\n\r\n/a%20b"), "{answer}");
    server.close().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_head_that_does_not_arrive_costs_the_connection() {
    let fixture = start(|limits| limits.head = SHORT);
    // Nothing; a part; a part again and again; nothing after an answer.
    assert_eq!(fixture.exchange("").await, "");
    assert_eq!(fixture.exchange("GET /ping HTTP/1.1\r\nHo").await, "");
    let mut stream = fixture.connect().await;
    let begun = Instant::now();
    stream.write_all(b"GET /ping HTTP/1.1\r\n").await.unwrap();
    while stream.write_all(b"X-A: b\r\n").await.is_ok() {
        assert!(begun.elapsed() < SOON, "a slow head goes on for ever");
        tokio::time::sleep(SHORT / 10).await;
    }
    assert!(fixture.exchange(PING).await.ends_with("pong"));
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let fixture = start(|limits| limits.body = 1000);
    let fits = fixture.exchange(close("POST", "/echo", &"x".repeat(1000))).await;
    assert_eq!(status(&fits), "200", "{fits}");
    // Small enough to be thrown away, and too large even for that.
    for (length, taken) in [(1001, true), (300_000, true), (3_000_000, false)] {
        let mut stream = fixture.connect().await;
        let body = close("POST", "/echo", &"x".repeat(length));
        let written = timeout(SOON, stream.write_all(body.as_bytes())).await.unwrap();
        assert_eq!(written.is_ok(), taken, "{length}: {written:?}");
        let answer = rest(&mut stream).await;
        assert_eq!(status(&answer), "413", "{length}: {answer}");
        assert!(answer.contains("longer than 1000 bytes"), "{answer}");
    }
    let chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("258\r\n{}\r\n", "x".repeat(600));
    let answer = fixture.exchange(format!("{chunked}{chunk}{chunk}0\r\n\r\n")).await;
    assert_eq!(status(&answer), "413", "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    // Who asks first is told at once, and not told to go on.
    let asks =
        "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n";
    let answer = fixture.exchange(asks).await;
    assert_eq!(status(&answer), "413", "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408() {
    let fixture = start(|limits| limits.request = SHORT);
    let answer =
        fixture.exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc").await;
    assert_eq!(status(&answer), "408", "{answer}");
}

#[tokio::test]
async fn a_handler_that_does_not_answer_is_503() {
    let fixture = start(|limits| limits.request = SHORT);
    let answer = fixture.exchange(close("GET", "/hang", "")).await;
    assert_eq!(status(&answer), "503", "{answer}");
    assert_eq!(fixture.hanging.load(Ordering::SeqCst), 0, "the handler goes on");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let fixture = start(|limits| {
        limits.request = SHORT;
        limits.stalled = Duration::from_secs(3600);
        limits.connections = 1;
    });
    let mut silent = fixture.connect().await;
    silent.write_all(close("GET", "/large", "").as_bytes()).await.unwrap();
    // Its place is free only when it has been cut off.
    assert!(fixture.exchange(close("GET", "/ping", "")).await.ends_with("pong"));
    assert!(rest(&mut silent).await.len() < 8 * 1024 * 1024);
}

#[tokio::test]
async fn a_stream_lasts_while_it_is_read_and_is_made_only_as_it_is_read() {
    let fixture = start(|limits| limits.request = SHORT);
    let mut reader = fixture.connect().await;
    let begun = Instant::now();
    reader.write_all(close("GET", "/stream", "").as_bytes()).await.unwrap();
    let mut chunk = [0; 4096];
    while begun.elapsed() < SHORT * 5 {
        assert!(timeout(SOON, reader.read(&mut chunk)).await.unwrap().unwrap() > 0);
    }
    // Nobody reads: soon nothing is made.
    let mut before = usize::MAX;
    while fixture.pieces.load(Ordering::SeqCst) != before {
        before = fixture.pieces.load(Ordering::SeqCst);
        tokio::time::sleep(SHORT).await;
    }
    // Far longer than a request may take, and it can still be read.
    assert!(timeout(SOON, reader.read(&mut chunk)).await.unwrap().unwrap() > 0);
    eventually("more is made", || {
        let _ = reader.try_read(&mut chunk);
        fixture.pieces.load(Ordering::SeqCst) > before
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_cut_off_in_the_end() {
    let fixture = start(|limits| {
        limits.stalled = SHORT;
        limits.connections = 1;
    });
    let mut silent = fixture.connect().await;
    silent.write_all(close("GET", "/stream", "").as_bytes()).await.unwrap();
    assert!(fixture.exchange(close("GET", "/ping", "")).await.ends_with("pong"));
}

#[tokio::test]
async fn who_finds_no_place_waits() {
    let fixture = start(|limits| limits.connections = 4);
    let clients = (0..200).map(|_| fixture.exchange(close("GET", "/ping", "")));
    let mut clients: Vec<_> = clients.map(Box::pin).collect();
    // All are under way before the first is over.
    for client in &mut clients {
        let once = std::future::poll_fn(|context| {
            let _ = client.as_mut().poll(context);
            Poll::Ready(())
        });
        once.await;
    }
    for client in clients {
        assert!(client.await.ends_with("pong"));
    }
}

#[tokio::test]
async fn who_finds_no_place_is_told_if_that_is_wanted() {
    let fixture = start(|limits| {
        limits.connections = 1;
        limits.overflow = Overflow::Refuse;
    });
    let mut first = fixture.connect().await;
    first.write_all(PING.as_bytes()).await.unwrap();
    until(&mut first, "pong").await;
    let refused = fixture.exchange(PING).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.ends_with("Too many connections\n"));
    drop(first);
    let start = Instant::now();
    while !fixture.exchange(close("GET", "/ping", "")).await.ends_with("pong") {
        assert!(start.elapsed() < SOON, "its place is never free");
    }
}

#[tokio::test]
async fn a_client_that_has_sent_all_is_answered() {
    let fixture = start(|_| {});
    let mut stream = fixture.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    eventually("the request is there", || fixture.waiting.load(Ordering::SeqCst) == 1).await;
    fixture.open.notify_one();
    assert!(rest(&mut stream).await.ends_with("waited"));
}

#[tokio::test]
async fn a_client_that_has_sent_all_is_gone_if_that_is_wanted() {
    let fixture = start(|limits| {
        limits.half_closed = HalfClosed::Gone;
        limits.request = Duration::from_secs(3600);
    });
    let mut stream = fixture.connect().await;
    stream.write_all(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    eventually("the request is there", || fixture.hanging.load(Ordering::SeqCst) == 1).await;
    stream.shutdown().await.unwrap();
    eventually("it is dropped", || fixture.hanging.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_close_lets_what_was_asked_be_answered() {
    let mut fixture = start(|limits| limits.drain = SOON);
    let mut idle = fixture.connect().await;
    idle.write_all(PING.as_bytes()).await.unwrap();
    until(&mut idle, "pong").await;
    let mut asking = fixture.connect().await;
    asking.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    eventually("the request is there", || fixture.waiting.load(Ordering::SeqCst) == 1).await;
    let closing = tokio::spawn(fixture.server.take().unwrap().close());
    assert_eq!(rest(&mut idle).await, "", "idle connections end at once");
    let connected = UnixStream::connect(fixture.folder.path().join("s")).await;
    assert!(connected.is_err(), "connections are still accepted");
    tokio::time::pause();
    tokio::time::advance(SOON / 2).await;
    tokio::time::resume();
    tokio::task::yield_now().await;
    assert!(!closing.is_finished());
    fixture.open.notify_one();
    assert!(rest(&mut asking).await.ends_with("waited"));
    timeout(SOON, closing).await.expect("an end").unwrap();
}

#[tokio::test]
async fn a_close_does_not_wait_for_ever_and_leaves_no_task() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut fixture = start(|limits| limits.drain = SHORT);
    let mut clients = Vec::new();
    for request in [close("GET", "/hang", ""), close("GET", "/stream", ""), "GET".to_owned()] {
        let mut client = fixture.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        clients.push(client);
    }
    eventually("all are served", || {
        fixture.hanging.load(Ordering::SeqCst) == 1
            && fixture.pieces.load(Ordering::SeqCst) > 0
            && tasks() == before + 4
    })
    .await;
    timeout(SOON, fixture.server.take().unwrap().close()).await.expect("an end");
    assert_eq!((tasks(), fixture.hanging.load(Ordering::SeqCst)), (before, 0));
    for mut client in clients {
        rest(&mut client).await;
    }
}

#[tokio::test]
async fn dropping_it_ends_everything() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    // Not even what is being answered is waited for.
    let mut fixture = start(|limits| {
        limits.drain = Duration::from_secs(3600);
        limits.request = Duration::from_secs(3600);
    });
    let mut client = fixture.connect().await;
    client.write_all(close("GET", "/hang", "").as_bytes()).await.unwrap();
    eventually("it is served", || fixture.hanging.load(Ordering::SeqCst) == 1).await;
    fixture.server = None;
    assert_eq!(rest(&mut client).await, "");
    eventually("no task is left", || tasks() == before).await;
    assert_eq!(fixture.hanging.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn nonsense_is_answered_and_survived() {
    let fixture = start(|_| {});
    let nonsense: [&[u8]; 4] = [
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
    ];
    for nonsense in nonsense {
        let answer = fixture.exchange(nonsense).await;
        assert!(answer.is_empty() || status(&answer) == "400", "{nonsense:?}: {answer}");
    }
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(500));
    assert_eq!(status(&fixture.exchange(many).await), "431");
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(100_000));
    assert_eq!(status(&fixture.exchange(long).await), "431");
    assert!(fixture.exchange(close("GET", "/ping", "")).await.ends_with("pong"));
}
