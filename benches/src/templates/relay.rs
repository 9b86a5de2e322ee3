//! Stands between a renderer and its catalog and counts requests. It costs time, so it is there in
//! a run of its own, in which nothing else is measured.

use std::net::TcpListener as Listener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Result;
use nix::sys::socket::{Backlog, listen};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// What ends the head of a request. Those of a renderer have no body.
const END: [u8; 4] = *b"\r\n\r\n";

/// A relay at work, until it is dropped.
pub(super) struct Relay {
    address: String,
    requests: Arc<AtomicUsize>,
    _over: oneshot::Sender<()>,
}

impl Relay {
    pub(super) fn start(target: &str) -> Result<Self> {
        let listener = Listener::bind("127.0.0.1:0")?;
        // A renderer connects in thousands at once: none of them must find the queue full.
        listen(&listener, Backlog::MAXCONN)?;
        let address = listener.local_addr()?.to_string();
        listener.set_nonblocking(true)?;
        let requests = Arc::new(AtomicUsize::new(0));
        let (over, ended) = oneshot::channel();
        let runtime = super::runtime()?;
        let (target, counter) = (target.to_owned(), Arc::clone(&requests));
        thread::spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    result = accept(listener, target, counter) => result,
                    _ = ended => Ok(()),
                }
            })
        });
        Ok(Self { address, requests, _over: over })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// How many requests have begun so far.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn accept(listener: Listener, target: String, requests: Arc<AtomicUsize>) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(relay(client, target.clone(), Arc::clone(&requests)));
    }
}

/// One connection, until both have closed it.
async fn relay(client: TcpStream, target: String, requests: Arc<AtomicUsize>) -> Result<()> {
    let server = TcpStream::connect(target).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
    let mut chunk = [0; 4096];
    let mut last = [0; 4];
    loop {
        let count = from_client.read(&mut chunk).await?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        for byte in bytes {
            last.rotate_left(1);
            last[3] = *byte;
            if last == END {
                requests.fetch_add(1, Ordering::SeqCst);
            }
        }
        to_server.write_all(bytes).await?;
    }
    drop(to_server);
    answers.await??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_counted_and_answered() {
        let stub = testkit::HttpStub::start();
        let relay = Relay::start(&stub.address()).unwrap();
        for _ in 0..3 {
            assert_eq!(testkit::http("GET", relay.address(), "/", "").unwrap().body, "ok");
        }
        assert_eq!((relay.requests(), stub.count()), (3, 3));
    }
}
