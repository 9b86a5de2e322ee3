//! A control server in a temporary folder, and a client that sends raw bytes.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control::{Call, Events, Server, Socket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: Option<Server>,
    pub(crate) calls: mpsc::Receiver<Call>,
    pub(crate) events: Events,
    /// Path and status of each answered request.
    pub(crate) counted: Arc<Mutex<Vec<(&'static str, u16)>>>,
}

/// Must be called within a runtime.
pub(crate) fn start() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let socket = Socket::bind(&folder.path().join("run/control.socket")).unwrap();
    let events = Events::new();
    let counted = Arc::new(Mutex::new(Vec::new()));
    let counter = Arc::clone(&counted);
    let observer = Arc::new(move |path, code| counter.lock().unwrap().push((path, code)));
    let (server, calls) = Server::start(socket, events.clone(), observer).unwrap();
    Fixture { folder, server: Some(server), calls, events, counted }
}

impl Fixture {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("run/control.socket")
    }

    pub(crate) async fn connect(&self) -> UnixStream {
        connect(&self.path()).await
    }

    pub(crate) fn counted(&self) -> Vec<(&'static str, u16)> {
        std::mem::take(&mut self.counted.lock().unwrap())
    }

    /// The next call, which must come.
    pub(crate) async fn call(&mut self) -> Call {
        timeout(SOON, self.calls.recv()).await.expect("a call").expect("a server")
    }
}

pub(crate) async fn connect(path: &std::path::Path) -> UnixStream {
    timeout(SOON, UnixStream::connect(path)).await.unwrap().unwrap()
}

/// A whole request that ends its connection.
pub(crate) fn request(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Status, head and body of the answer to some bytes.
pub(crate) async fn exchange(path: PathBuf, bytes: String) -> (u16, String, String) {
    let mut stream = connect(&path).await;
    let _ = stream.write_all(bytes.as_bytes()).await;
    answer(&mut stream).await
}

pub(crate) async fn answer(stream: &mut UnixStream) -> (u16, String, String) {
    let mut answer = String::new();
    let _ = timeout(SOON * 2, stream.read_to_string(&mut answer)).await.expect("an end");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

pub(crate) async fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let start = Instant::now();
    while !look() {
        assert!(start.elapsed() < SOON, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
