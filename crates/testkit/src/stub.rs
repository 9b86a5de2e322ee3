//! An HTTP server that answers as it is told: the target of health checks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Answers every request with one settable status and body, and counts them.
pub struct HttpStub {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    status: AtomicU16,
    body: Mutex<String>,
    delay: Mutex<Duration>,
    count: AtomicUsize,
    requests: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl HttpStub {
    /// Listens on a free port of 127.0.0.1 and answers 200 with the body `ok`.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let shared = Arc::new(Shared {
            status: AtomicU16::new(200),
            body: Mutex::new("ok".into()),
            delay: Mutex::new(Duration::ZERO),
            count: AtomicUsize::new(0),
            requests: Mutex::new(Vec::new()),
            stopped: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if server.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let server = Arc::clone(&server);
                // A thread each: a delayed answer must not delay the next.
                thread::spawn(move || server.answer(stream));
            }
        });
        Self { port, shared }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `http://127.0.0.1:PORT` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The status of all answers from now on.
    pub fn set_status(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// The body of all answers from now on.
    pub fn set_body(&self, body: &str) {
        *self.shared.body.lock().unwrap() = body.to_owned();
    }

    /// How long every answer is held back from now on.
    pub fn set_delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap() = delay;
    }

    /// How many requests have arrived.
    pub fn count(&self) -> usize {
        self.shared.count.load(Ordering::SeqCst)
    }

    /// The requests so far, each as its request line, headers and body.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Shared {
    fn answer(&self, stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let Ok(mut output) = stream.try_clone() else { return };
        let mut input = BufReader::new(stream);
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let start = request.len();
            match input.read_line(&mut request) {
                Ok(n) if n > 0 => {}
                _ => return,
            }
            let line = request[start..].trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if input.read_exact(&mut body).is_err() {
            return;
        }
        request.push_str(&String::from_utf8_lossy(&body));
        self.requests.lock().unwrap().push(request);
        self.count.fetch_add(1, Ordering::SeqCst);
        let delay = *self.delay.lock().unwrap();
        thread::sleep(delay);
        let status = self.status.load(Ordering::SeqCst);
        let body = self.body.lock().unwrap().clone();
        let _ = write!(
            output,
            "HTTP/1.1 {status} Stub\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
    }
}

impl Drop for HttpStub {
    /// Frees the port.
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{http, wait_until};

    #[test]
    fn answers_as_told_and_counts() {
        let stub = HttpStub::start();
        assert_eq!(http("GET", &stub.address(), "/a", "").unwrap().status, 200);
        stub.set_status(503);
        stub.set_body("no");
        let response = http("POST", &stub.address(), "/b", "hello").unwrap();
        assert_eq!((response.status, response.body.as_str()), (503, "no"));
        assert_eq!(stub.count(), 2);
        let last = stub.requests().pop().unwrap();
        assert!(last.starts_with("POST /b HTTP/1.1\r\n") && last.ends_with("hello"), "{last}");
    }

    #[test]
    fn frees_its_port() {
        let port = HttpStub::start().port();
        wait_until("the port is free", Duration::from_secs(5), || {
            TcpListener::bind(("127.0.0.1", port)).map(drop)
        });
    }
}
