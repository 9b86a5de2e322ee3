//! Raw bytes to a server: in the end everybody has been answered or cut off, soon, what reached the
//! engine is what the contract promises, and nothing is left.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use control::wire::{Event, Status};
use control::{Call, Events, Reply, Request, Server, Socket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::{request, sockets};

/// Longer than a head, a body and silence may take together: what lasts is a stream.
const LONG: Duration = Duration::from_secs(60);
/// Longer than the orderly end of a server may take.
const DRAIN: Duration = Duration::from_secs(2);
/// What requests are answered with by us; an engine that is never slow is never 503.
const STATUSES: [u16; 6] = [200, 400, 404, 405, 408, 413];
/// What the observer may see.
const LABELS: [&str; 9] = [
    "/v3/environ",
    "/v3/metric",
    "/v3/reload",
    "/v3/maintenance/enable",
    "/v3/maintenance/disable",
    "/v3/ping",
    "/v3/status",
    "/v3/events",
    "other",
];

/// What the client does when it has sent everything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// It closes its sending half.
    Ends,
    /// Nothing.
    Lingers,
}

pub(crate) fn check(bytes: &[u8], client: Client) {
    sockets::run(exchange(bytes, client));
}

async fn exchange(bytes: &[u8], client: Client) {
    let path = sockets::path();
    let events = Events::new();
    let counted = Arc::new(Mutex::new(Vec::new()));
    let counter = Arc::clone(&counted);
    let observer = Arc::new(move |label, status| counter.lock().unwrap().push((label, status)));
    let socket = Socket::bind(&path).expect("a socket");
    let (server, calls) = Server::start(socket, events.clone(), observer).expect("a server");
    let engine = tokio::spawn(engine(calls));

    let mut stream = UnixStream::connect(&path).await.expect("a connection");
    // The server may have heard enough before the end.
    let _ = stream.write_all(bytes).await;
    if client == Client::Ends {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let ended = timeout(LONG, stream.read_to_end(&mut answer)).await.is_ok();
    if !ended {
        let text = String::from_utf8_lossy(&answer);
        assert!(text.contains("text/event-stream"), "no end: {text:?}");
        assert_eq!(events.streams(), 1);
        events.publish(|| Event { event: "changed".into(), ..Event::default() });
    }
    let start = Instant::now();
    server.close().await;
    assert!(start.elapsed() < DRAIN, "the server ended after {:?}", start.elapsed());
    let rest = timeout(DRAIN, stream.read_to_end(&mut answer)).await;
    assert!(rest.is_ok(), "the connection outlives its server");
    assert_eq!(events.streams(), 0);
    assert!(!path.exists());
    let calls = engine.await.expect("an engine");

    let counted = counted.lock().unwrap();
    for (label, status) in counted.iter() {
        assert!(LABELS.contains(label) && STATUSES.contains(status), "{label} {status}");
    }
    // What is not of its own making has been carried out.
    let carried_out =
        counted.iter().filter(|(label, status)| *status == 200 && *label != "/v3/events");
    assert_eq!(calls, carried_out.count());
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1."), "{answer:?}");
    assert!(!answer.contains("HTTP/1.1 5"), "{answer:?}");
}

/// Answers everything; how much that was.
async fn engine(mut calls: mpsc::Receiver<Call>) -> usize {
    let mut count = 0;
    while let Some(Call { request, reply }) = calls.recv().await {
        request::check_promises(&request);
        count += 1;
        let answer = match request {
            Request::Status => Reply::Status(Box::<Status>::default()),
            _ => Reply::Done,
        };
        let _ = reply.send(answer);
    }
    count
}
