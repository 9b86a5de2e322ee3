//! A constant load of HTTP requests, each of which is counted and looked at.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::http::{complete, parse};
use crate::{Response, wait_until};

/// How long one request may take, with what it waits for on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Failures beyond this many are counted but not told.
const TOLD: usize = 20;

/// A client that sends the same request again and again, each as soon as the one before it has
/// been answered and a pause is over.
#[derive(Debug, Clone)]
pub struct Client {
    /// GET, POST and so on.
    pub method: &'static str,
    /// The path; a number that is different in each request is appended to it.
    pub path: String,
    /// Sent with each request; empty: none.
    pub body: String,
    /// What carries the requests.
    pub connections: Connections,
    /// From an answer to the next request.
    pub pause: Duration,
}

/// What carries a client's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// One connection, for as long as the server keeps it. If that closes it before the first byte
    /// of an answer, the request is sent again on a new connection: a server may close a
    /// connection that it believes to be idle, and every client has to cope with that (RFC 9112,
    /// section 9.3.1). It is counted as a renewal, not as a failure.
    Kept,
    /// A new connection for each request, which the client asks to be closed. Nothing is ever sent
    /// again.
    New,
}

/// What has become of the requests so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many were answered as they should be.
    pub answered: usize,
    /// Of those, how many by whom.
    pub by: BTreeMap<String, usize>,
    /// How often a kept connection had been closed when it was to be used again.
    pub renewals: usize,
    /// How many failed.
    pub failed: usize,
    /// The first of them: when, since the load began, and how.
    pub failures: Vec<String>,
    /// The longest time that an answer took.
    pub slowest: Duration,
    /// How many requests of each client are over.
    over: Vec<usize>,
}

/// Clients at work, each on a thread of its own. They end when it is dropped.
pub struct Load {
    tally: Arc<Mutex<Tally>>,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Looks at an answer, given the number that the request's path ended with: who has answered, or
/// what is wrong.
pub type Look = fn(u64, &Response) -> Result<String, String>;

impl Load {
    /// Begins. `address` is `host:port`.
    pub fn start(address: &str, clients: Vec<Client>, look: Look) -> Self {
        let tally = Tally { over: vec![0; clients.len()], ..Tally::default() };
        let tally = Arc::new(Mutex::new(tally));
        let over = Arc::new(AtomicBool::new(false));
        let start = Instant::now();
        let threads = clients.into_iter().enumerate().map(|(index, client)| {
            let (tally, over) = (Arc::clone(&tally), Arc::clone(&over));
            let address = address.to_owned();
            thread::spawn(move || {
                let mut line = Line { address, client, kept: None };
                let first = index as u64 * 1_000_000_000;
                for number in (first..).take_while(|_| !over.load(Ordering::SeqCst)) {
                    let sent = Instant::now();
                    let outcome = line.ask(number, &tally);
                    let outcome = outcome.map_err(|error| error.to_string());
                    let outcome = outcome.and_then(|answer| look(number, &answer));
                    let mut tally = tally.lock().unwrap();
                    tally.over[index] += 1;
                    tally.count(outcome, sent.elapsed(), || {
                        let Client { method, path, connections, .. } = &line.client;
                        format!("{:?}: {method} {path}{number} ({connections:?})", start.elapsed())
                    });
                    drop(tally);
                    thread::sleep(line.client.pause);
                }
            })
        });
        Self { threads: threads.collect(), tally, over }
    }

    /// What has become of the requests so far.
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap().clone()
    }

    /// Forgets who has answered so far, so that [`Tally::by`] tells who answers from now on.
    pub fn forget_who_answered(&self) {
        self.tally.lock().unwrap().by.clear();
    }

    /// Waits until of each client the request under way is over, and one that has begun since.
    ///
    /// # Panics
    /// If that takes longer than two requests may.
    #[track_caller]
    pub fn await_turn(&self) {
        let before = self.tally().over;
        wait_until("every client has had its turn", 2 * PATIENCE, || {
            let over = self.tally().over;
            let through = over.iter().zip(&before).all(|(over, before)| *over >= before + 2);
            if through { Ok(()) } else { Err(format!("{over:?} after {before:?}")) }
        });
    }

    /// Ends the load, when the requests under way have been answered.
    pub fn stop(mut self) -> Tally {
        self.end();
        self.tally()
    }

    fn end(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

impl Tally {
    fn count(
        &mut self,
        outcome: Result<String, String>,
        took: Duration,
        what: impl FnOnce() -> String,
    ) {
        self.slowest = self.slowest.max(took);
        match outcome {
            Ok(who) => {
                self.answered += 1;
                *self.by.entry(who).or_default() += 1;
            }
            Err(why) => {
                self.failed += 1;
                if self.failures.len() < TOLD {
                    self.failures.push(format!("{}: {why} (after {took:?})", what()));
                }
            }
        }
    }
}

/// A client's way to the server.
struct Line {
    address: String,
    client: Client,
    kept: Option<TcpStream>,
}

/// Why there is no answer.
enum Silence {
    /// Closed before the first byte.
    Closed(io::Error),
    /// Anything else.
    Other(io::Error),
}

impl Line {
    fn ask(&mut self, number: u64, tally: &Mutex<Tally>) -> io::Result<Response> {
        if let Some(stream) = self.kept.take() {
            match self.exchange(stream, number) {
                Err(Silence::Closed(_)) => tally.lock().unwrap().renewals += 1,
                Err(Silence::Other(error)) => return Err(error),
                Ok(response) => return Ok(response),
            }
        }
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        self.exchange(stream, number).map_err(|silence| match silence {
            Silence::Closed(error) => {
                io::Error::new(error.kind(), format!("no answer on a new connection: {error}"))
            }
            Silence::Other(error) => error,
        })
    }

    fn exchange(&mut self, mut stream: TcpStream, number: u64) -> Result<Response, Silence> {
        let Client { method, path, body, connections, .. } = &self.client;
        let mut request = format!("{method} {path}{number} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if *connections == Connections::New {
            request.push_str("Connection: close\r\n");
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(body);
        stream.write_all(request.as_bytes()).map_err(Silence::Closed)?;
        let answer = read(&mut stream)?;
        let response = parse(&answer).map_err(Silence::Other)?;
        let closes =
            response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if *connections == Connections::Kept && !closes {
            self.kept = Some(stream);
        }
        Ok(response)
    }
}

/// One whole answer.
fn read(stream: &mut TcpStream) -> Result<Vec<u8>, Silence> {
    let deadline = Instant::now() + PATIENCE;
    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    while !complete(&answer) {
        let left = deadline.saturating_duration_since(Instant::now());
        // Zero would be no limit at all.
        let left = left.max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left)).map_err(Silence::Other)?;
        match stream.read(&mut chunk) {
            Ok(0) if answer.is_empty() => {
                return Err(Silence::Closed(io::ErrorKind::UnexpectedEof.into()));
            }
            Ok(0) => return Err(Silence::Other(cut(&answer, "closed"))),
            Ok(n) => answer.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Silence::Other(cut(&answer, "silent for too long")));
            }
            Err(error) if answer.is_empty() => return Err(Silence::Closed(error)),
            Err(error) => return Err(Silence::Other(cut(&answer, &error.to_string()))),
        }
    }
    Ok(answer)
}

fn cut(answer: &[u8], why: &str) -> io::Error {
    let seen = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
    io::Error::other(format!("cut after {} bytes ({why}): {seen:?}", answer.len()))
}

#[cfg(test)]
mod tests;
