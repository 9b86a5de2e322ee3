//! An agent that does as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog::Catalog;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Runtime, client_with, listen};

/// What becomes of a connection.
#[derive(Clone)]
pub(crate) enum Deed {
    /// Requests are answered with these bytes.
    Answer(Vec<u8>),
    /// One request is answered with these bytes, then the connection is closed.
    AnswerAndClose(Vec<u8>),
    /// One request is answered properly, the next one finds the connection closed.
    Stale,
    /// Requests are answered with what this makes of them.
    By(fn(&str) -> Vec<u8>),
    /// Requests are read, nothing is answered.
    Silence,
    /// Bytes for ever.
    Flood,
}

pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

pub(crate) fn status(code: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {code} X\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(crate) struct Fake {
    pub(crate) address: String,
    deed: Arc<Mutex<Deed>>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<AtomicUsize>,
    /// Their first lines.
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    pub(crate) runtime: Runtime,
}

impl Fake {
    pub(crate) fn start(deed: Deed) -> Self {
        listen();
        let runtime = Runtime::start();
        let listener = runtime.wait(TcpListener::bind("127.0.0.1:0")).unwrap();
        let fake = Fake {
            address: listener.local_addr().unwrap().to_string(),
            deed: Arc::new(Mutex::new(deed)),
            connections: Arc::default(),
            requests: Arc::default(),
            lines: Arc::default(),
            runtime,
        };
        let (deed, connections) = (Arc::clone(&fake.deed), Arc::clone(&fake.connections));
        let (requests, lines) = (Arc::clone(&fake.requests), Arc::clone(&fake.lines));
        fake.runtime.enter(|| {
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (deed, requests) = (Arc::clone(&deed), Arc::clone(&requests));
                    tokio::spawn(serve(stream, deed, requests, Arc::clone(&lines)));
                }
            })
        });
        fake
    }

    pub(crate) fn set(&self, deed: Deed) {
        *self.deed.lock().unwrap() = deed;
    }

    pub(crate) fn client(&self) -> Arc<dyn Catalog> {
        client_with(&self.address, |options| options.timeout = Duration::from_secs(1))
    }
}

async fn serve(
    mut stream: TcpStream,
    deed: Arc<Mutex<Deed>>,
    requests: Arc<AtomicUsize>,
    lines: Arc<Mutex<Vec<String>>>,
) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let answer = |by: fn(&str) -> Vec<u8>| by(&text);
        requests.fetch_add(1, Ordering::SeqCst);
        lines.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
        let deed = deed.lock().unwrap().clone();
        let going = match deed {
            Deed::Answer(bytes) => stream.write_all(&bytes).await.is_ok(),
            Deed::By(by) => stream.write_all(&answer(by)).await.is_ok(),
            Deed::AnswerAndClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                false
            }
            Deed::Stale => {
                let _ = stream.write_all(&ok("")).await;
                // Closed only when the next request is on its way.
                let _ = stream.read(&mut buffer).await;
                false
            }
            Deed::Silence => true,
            Deed::Flood => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(chunk.as_bytes()).await.is_ok() {}
                false
            }
        };
        if !going {
            return;
        }
    }
}
