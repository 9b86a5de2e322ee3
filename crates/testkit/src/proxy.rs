//! Stands before an HTTP server, counts what it is asked, and answers in its place or not at all.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::Host;

/// How a [`Proxy`] treats requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// What the server says, as it says it.
    Honest,
    /// The same, but each answer begins so much later.
    Slow(Duration),
    /// Every answer has this status and a line of text; the server is not asked.
    Status(u16),
    /// Every answer is 200 and JSON, but not what it should be; the server is not asked.
    Garbage,
    /// Bytes that are no HTTP, and the end of the connection.
    Noise,
    /// Connections are refused, as by a host on which nobody listens.
    Refusing,
}

/// A proxy in a host, before a server on the same host's loopback interface. A change of its
/// [`Mood`] breaks the connections that exist: what was asked before is not answered.
pub struct Proxy {
    shared: Arc<Shared>,
    host: Host,
}

struct Shared {
    listens: SocketAddr,
    server: SocketAddr,
    mood: Mutex<Mood>,
    /// Both ends of every connection, to break them.
    open: Mutex<Vec<TcpStream>>,
    requests: AtomicUsize,
    /// Ends the thread that accepts.
    closing: Mutex<Arc<AtomicBool>>,
}

impl Proxy {
    /// Listens at the host's address for what is served at its `127.0.0.1`, on the same port.
    pub fn start(host: &Host, port: u16) -> Self {
        let shared = Arc::new(Shared {
            listens: SocketAddrV4::new(host.address(), port).into(),
            server: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into(),
            mood: Mutex::new(Mood::Honest),
            open: Mutex::default(),
            requests: AtomicUsize::new(0),
            closing: Mutex::default(),
        });
        let proxy = Self { shared, host: host.clone() };
        proxy.listen();
        proxy
    }

    /// Where it listens: `ADDRESS:PORT`.
    pub fn address(&self) -> String {
        self.shared.listens.to_string()
    }

    /// How many requests have come, whatever became of them.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// From now on.
    pub fn set(&self, mood: Mood) {
        let before = std::mem::replace(&mut *lock(&self.shared.mood), mood);
        if before == mood {
            return;
        }
        if mood == Mood::Refusing {
            self.close();
        }
        for stream in lock(&self.shared.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if before == Mood::Refusing {
            self.listen();
        }
    }

    fn listen(&self) {
        let address = self.shared.listens;
        let listener = self.host.within(|| TcpListener::bind(address));
        let listener = listener.unwrap_or_else(|error| panic!("proxy at {address}: {error}"));
        let closing = Arc::new(AtomicBool::new(false));
        *lock(&self.shared.closing) = Arc::clone(&closing);
        let (shared, host) = (Arc::clone(&self.shared), self.host.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                if closing.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, host) = (Arc::clone(&shared), host.clone());
                if let Ok(client) = client {
                    thread::spawn(move || shared.carry(client, &host));
                }
            }
        });
    }

    /// The port is free when this returns.
    fn close(&self) {
        lock(&self.shared.closing).store(true, Ordering::SeqCst);
        // Wakes the thread that accepts; refused as soon as its listener is gone.
        let address = self.shared.listens;
        self.host.within(|| {
            let until = Instant::now() + Duration::from_secs(10);
            while TcpStream::connect(address).is_ok() {
                assert!(Instant::now() < until, "{address} goes on listening");
                thread::sleep(Duration::from_millis(1));
            }
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Mood::Refusing);
    }
}

impl Shared {
    /// One connection, request by request.
    fn carry(&self, mut client: TcpStream, host: &Host) {
        if self.keep(&client).is_err() {
            return;
        }
        let mut server = None;
        // When the answer to the last request may begin.
        let due = Arc::new(Mutex::new(Instant::now()));
        let mut received = Vec::new();
        while let Ok(Some(request)) = next_request(&mut client, &mut received) {
            self.requests.fetch_add(1, Ordering::SeqCst);
            let mood = *lock(&self.mood);
            let own = match mood {
                Mood::Honest | Mood::Slow(_) => None,
                Mood::Status(status) => Some(answer(status, "the proxy says so\n")),
                Mood::Garbage => Some(answer(200, "{\"what\": [\"is\", \"this\"]}")),
                Mood::Noise => Some("\u{1}\u{2}noise\r\n\r\nnoise\r\n".to_owned()),
                Mood::Refusing => break,
            };
            if let Some(own) = own {
                if client.write_all(own.as_bytes()).is_err() || mood == Mood::Noise {
                    break;
                }
                continue;
            }
            if let Mood::Slow(delay) = mood {
                *lock(&due) = Instant::now() + delay;
            }
            if server.is_none() {
                server = self.connect(&client, host, &due).ok();
            }
            let Some(server) = &mut server else { break };
            if server.write_all(&request).is_err() {
                break;
            }
        }
        for stream in server.iter().chain([&client]) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// To the server; what it says goes to the client as it comes.
    fn connect(
        &self,
        client: &TcpStream,
        host: &Host,
        due: &Arc<Mutex<Instant>>,
    ) -> io::Result<TcpStream> {
        let server = host.within(|| TcpStream::connect(self.server))?;
        self.keep(&server)?;
        let (mut from, mut to, due) = (server.try_clone()?, client.try_clone()?, Arc::clone(due));
        thread::spawn(move || {
            let mut chunk = [0; 16 * 1024];
            while let Ok(n @ 1..) = from.read(&mut chunk) {
                let due = *lock(&due);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if to.write_all(&chunk[..n]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
        Ok(server)
    }

    fn keep(&self, stream: &TcpStream) -> io::Result<()> {
        let mut open = lock(&self.open);
        // A port of the other end: still connected.
        open.retain(|stream| stream.peer_addr().is_ok());
        open.push(stream.try_clone()?);
        stream.set_nodelay(true)
    }
}

/// The next request, head and body; `None` at the end of the connection. `received` keeps what
/// comes behind it.
fn next_request(client: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(head) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap_or(0));
            let end = head + 4 + length;
            if received.len() >= end {
                let rest = received.split_off(end);
                return Ok(Some(std::mem::replace(received, rest)));
            }
        }
        match client.read(&mut chunk)? {
            0 => return Ok(None),
            n => received.extend_from_slice(&chunk[..n]),
        }
    }
}

fn answer(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Proxy\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n\
         {body}",
        body.len()
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HttpStub, Network, http_within};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn counts_and_answers_by_its_mood() {
        let network = Network::new(&["web", "user"]);
        let (web, user) = (network.host("web"), network.host("user"));
        let server = web.within(HttpStub::start);
        let proxy = Proxy::start(&web, server.port());
        let address = proxy.address();
        let ask = || user.http("PUT", &address, "/x", "body");
        assert_eq!(ask().unwrap().body, "ok");
        assert!(server.requests().pop().unwrap().ends_with("body"));

        proxy.set(Mood::Status(500));
        assert_eq!(ask().unwrap().status, 500);
        proxy.set(Mood::Garbage);
        assert!(ask().unwrap().json()["what"].is_array());
        proxy.set(Mood::Noise);
        assert_eq!(ask().unwrap_err().kind(), io::ErrorKind::InvalidData);
        proxy.set(Mood::Refusing);
        assert_eq!(ask().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!((proxy.requests(), server.count()), (4, 1));

        proxy.set(Mood::Slow(SECOND));
        let asked = Instant::now();
        assert_eq!(ask().unwrap().body, "ok");
        assert!(asked.elapsed() >= SECOND);
        // What is under way is cut, not answered late.
        thread::scope(|scope| {
            let cut =
                scope.spawn(|| user.within(|| http_within(30 * SECOND, "GET", &address, "/", "")));
            crate::wait_until("it has asked", 10 * SECOND, || proxy.requests() == 6);
            proxy.set(Mood::Honest);
            assert!(cut.join().unwrap().is_err());
        });
        assert_eq!(ask().unwrap().body, "ok");
    }
}
