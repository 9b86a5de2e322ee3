//! Several servers, kept connections, answers in pieces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_client::{Address, Call, Client, Error, Repeat, Tls};
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use testkit::Swallower;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// What a server does with a request.
#[derive(Clone, Copy, PartialEq)]
enum Deed {
    /// Answers 200 with its name.
    Answer,
    /// Closes the connection.
    Close,
    /// Nothing.
    Silence,
    /// Half an answer, then closes.
    Half,
    /// An answer in two chunks, the second after the first has been read and a nudge has come.
    Chunks,
    /// An endless chunk.
    Endless,
}

/// A server that notes what it is asked, and how many connections it has had.
struct Server {
    port: u16,
    deed: Arc<Mutex<Deed>>,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(name: &'static str, deed: Deed) -> Self {
        Self::at(testkit::free_port(), name, deed).await
    }

    async fn at(port: u16, name: &'static str, deed: Deed) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let deed = Arc::new(Mutex::new(deed));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let connections: Arc<Mutex<usize>> = Arc::default();
        let (will, notes, count) =
            (Arc::clone(&deed), Arc::clone(&requests), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            // Dropped with the listener, so that a server that is gone has no connections.
            let mut serving = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                serving.spawn(serve(stream, name, Arc::clone(&will), Arc::clone(&notes)));
            }
        });
        Server { port, deed, requests, connections, task }
    }

    /// Refuses connections from now on, and closes those that it has.
    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    fn set(&self, deed: Deed) {
        *self.deed.lock().unwrap() = deed;
    }

    fn address(&self) -> Address {
        Address::Http { host: "127.0.0.1".into(), port: self.port }
    }

    fn name(&self) -> String {
        self.address().to_string()
    }

    fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    name: &'static str,
    deed: Arc<Mutex<Deed>>,
    requests: Arc<Mutex<Vec<String>>>,
) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        requests.lock().unwrap().push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        let deed = *deed.lock().unwrap();
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let length = name.len();
        let (text, stays) = match deed {
            Deed::Answer => {
                (format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{name}"), true)
            }
            Deed::Close => return,
            Deed::Silence => continue,
            Deed::Half => ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_owned(), false),
            Deed::Chunks => {
                stream.write_all(format!("{chunked}3\r\none\r\n").as_bytes()).await.unwrap();
                let _ = stream.read(&mut buffer).await;
                return;
            }
            Deed::Endless => {
                let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
                let _ = stream.write_all(chunked.as_bytes()).await;
                while stream.write_all(chunk.as_bytes()).await.is_ok() {}
                return;
            }
        };
        if stream.write_all(text.as_bytes()).await.is_err() || !stays {
            return;
        }
    }
}

/// Where nobody listens.
fn nobody() -> Address {
    Address::Http { host: "127.0.0.1".into(), port: testkit::free_port() }
}

fn client(addresses: &[Address]) -> Client {
    Client::build(addresses, Vec::new()).unwrap()
}

async fn get(client: &Client, deadline: Duration) -> Result<String, Error> {
    let reply = client.send(Call::new(Method::GET, "/", deadline)).await?;
    Ok(String::from_utf8(reply.body).unwrap())
}

#[tokio::test]
async fn the_first_that_can_be_connected_to_is_kept() {
    let (gone, a, b) =
        (nobody(), Server::start("a", Deed::Answer).await, Server::start("b", Deed::Answer).await);
    let client = client(&[gone.clone(), a.address(), b.address()]);
    assert_eq!(client.name(client.current()), gone.to_string());
    for _ in 0..5 {
        assert_eq!(get(&client, LONG).await.unwrap(), "a");
    }
    assert_eq!(client.name(client.current()), a.name());
    assert_eq!((a.connections(), b.connections()), (1, 0));

    // It dies: its kept connection is stale, it refuses another, the next one answers.
    let port = a.port;
    a.stop().await;
    assert_eq!(get(&client, LONG).await.unwrap(), "b");
    // It comes back, and nothing goes back to it.
    let a = Server::at(port, "a", Deed::Answer).await;
    assert_eq!(get(&client, LONG).await.unwrap(), "b");
    assert_eq!((a.connections(), b.connections()), (0, 1));
    // From the last one it goes on with the first; the request that broke is not sent again.
    b.set(Deed::Half);
    assert!(matches!(get(&client, LONG).await, Err(Error::Interrupted(_))));
    assert_eq!(get(&client, LONG).await.unwrap(), "a");
}

#[tokio::test]
async fn if_all_refuse_each_is_tried_once_and_named() {
    let (a, b) = (nobody(), nobody());
    let client = client(&[a.clone(), b.clone()]);
    let error = get(&client, LONG).await.unwrap_err();
    let refused = "Connection refused (os error 111)";
    assert_eq!(error, Error::Unreachable(format!("{a}: {refused}; {b}: {refused}")));
    assert_eq!(client.name(client.current()), a.to_string());
}

/// Its connections are accepted, and then nothing comes: as good as packets that are swallowed.
#[tokio::test]
async fn one_that_swallows_everything_leaves_time_for_the_next() {
    let (mute, b) =
        (Server::start("mute", Deed::Silence).await, Server::start("b", Deed::Answer).await);
    let tls = Tls { insecure: true, ..Tls::default() };
    let swallows = Address::Https { host: "127.0.0.1".into(), port: mute.port, tls };
    let client = client(&[swallows.clone(), swallows, b.address()]);
    let begun = Instant::now();
    assert_eq!(get(&client, Duration::from_secs(6)).await.unwrap(), "b");
    // Two thirds of the deadline.
    assert!(begun.elapsed() >= Duration::from_millis(3900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn after_a_broken_or_late_answer_the_next_request_begins_with_the_next_server() {
    for deed in [Deed::Half, Deed::Close, Deed::Silence] {
        let (a, b) = (Server::start("a", deed).await, Server::start("b", Deed::Answer).await);
        let client = client(&[a.address(), b.address()]);
        let deadline = if deed == Deed::Silence { Duration::from_millis(300) } else { LONG };
        match get(&client, deadline).await {
            Err(Error::Timeout(after)) => assert!(deed == Deed::Silence && after == deadline),
            Err(Error::Interrupted(_)) => assert!(deed != Deed::Silence),
            other => panic!("{other:?}"),
        }
        assert_eq!(a.asked(), 1);
        assert_eq!(get(&client, LONG).await.unwrap(), "b");
        // Both in trouble: one request, one server.
        b.set(deed);
        assert!(get(&client, deadline).await.is_err());
        assert_eq!(a.asked(), 1);
        a.set(Deed::Answer);
        assert_eq!(get(&client, LONG).await.unwrap(), "a");
    }
}

#[tokio::test]
async fn one_late_answer_is_no_reason_to_leave_a_server_that_answers_others() {
    let (a, b) = (Server::start("a", Deed::Silence).await, Server::start("b", Deed::Answer).await);
    let client = client(&[a.address(), b.address()]);
    let deadline = Duration::from_secs(2);
    let held = get(&client, deadline);
    let others = async {
        while a.asked() == 0 {
            tokio::task::yield_now().await;
        }
        a.set(Deed::Answer);
        assert_eq!(get(&client, LONG).await.unwrap(), "a");
    };
    let (held, ()) = tokio::join!(held, others);
    assert_eq!(held, Err(Error::Timeout(deadline)));
    assert_eq!(get(&client, LONG).await.unwrap(), "a");
    assert_eq!(b.asked(), 0);
}

#[tokio::test]
async fn one_broken_answer_is_no_reason_to_leave_a_server_that_answers_others() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let b = Server::start("b", Deed::Answer).await;
    let client = client(&[Address::Http { host: "127.0.0.1".into(), port }, b.address()]);
    let (cut, cutting) = tokio::sync::oneshot::channel::<()>();
    let serve = async {
        let mut buffer = [0; 4096];
        let (mut held, _) = listener.accept().await.unwrap();
        assert!(held.read(&mut buffer).await.unwrap() > 0);
        let (mut other, _) = listener.accept().await.unwrap();
        assert!(other.read(&mut buffer).await.unwrap() > 0);
        other.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na").await.unwrap();
        cutting.await.unwrap();
        other
    };
    let others = async {
        // The first one is under way.
        tokio::task::yield_now().await;
        assert_eq!(get(&client, LONG).await.unwrap(), "a");
        cut.send(()).unwrap();
    };
    let (held, (), _kept) = tokio::join!(get(&client, LONG), others, serve);
    assert!(matches!(held, Err(Error::Interrupted(_))), "{held:?}");
    assert_eq!(client.name(client.current()), format!("http://127.0.0.1:{port}"));
    assert_eq!(b.asked(), 0);
}

#[tokio::test]
async fn a_server_that_answers_nonsense_can_be_avoided_and_asked_by_name() {
    let (a, b) = (Server::start("a", Deed::Answer).await, Server::start("b", Deed::Answer).await);
    let client = client(&[a.address(), b.address()]);
    let first = client.send(Call::new(Method::GET, "/", LONG)).await.unwrap().endpoint;
    assert_eq!(first, client.current());
    client.avoid(first);
    // A second complaint about the same one changes nothing.
    client.avoid(first);
    assert_eq!(get(&client, LONG).await.unwrap(), "b");
    let reply = client.send_to(first, Call::new(Method::GET, "/", LONG)).await.unwrap();
    assert_eq!((reply.body.as_slice(), reply.endpoint), (&b"a"[..], first));
    assert_eq!(client.name(client.current()), b.name());
    let all: Vec<_> = client.endpoints().collect();
    assert_eq!(all[0], first);
    client.replace(first, all[1]);
    assert_eq!(client.current(), all[1]);
    client.replace(all[1], first);
    assert_eq!(get(&client, LONG).await.unwrap(), "a");
}

#[tokio::test]
async fn what_must_not_be_repeated_is_sent_once_on_a_connection_of_its_own() {
    let a = Server::start("a", Deed::Answer).await;
    let client = client(&[nobody(), a.address()]);
    let post = |repeat| Call { repeat, ..Call::new(Method::POST, "/", LONG) };
    client.send(post(Repeat::Forbidden)).await.unwrap();
    client.send(post(Repeat::Harmless)).await.unwrap();
    assert_eq!(a.connections(), 1, "kept for the others");
    // The server closes connections that have been used: the next request on one is lost.
    a.set(Deed::Close);
    assert!(matches!(client.send(post(Repeat::Harmless)).await, Err(Error::Interrupted(_))));
    assert_eq!((a.asked(), a.connections()), (4, 2), "sent twice");
    a.set(Deed::Answer);
    client.send(post(Repeat::Harmless)).await.unwrap();
    a.set(Deed::Close);
    assert!(matches!(client.send(post(Repeat::Forbidden)).await, Err(Error::Interrupted(_))));
    assert_eq!((a.asked(), a.connections()), (6, 4), "sent once");
    a.set(Deed::Answer);
    client.send(post(Repeat::Harmless)).await.unwrap();
    a.set(Deed::Close);
    assert!(matches!(client.send(post(Repeat::Unwanted)).await, Err(Error::Interrupted(_))));
    assert_eq!((a.asked(), a.connections()), (8, 5), "sent once, on the connection that was kept");
}

#[tokio::test]
async fn headers_of_a_call_replace_those_of_the_client() {
    let a = Server::start("a", Deed::Answer).await;
    let (name, other) = (HeaderName::from_static("x-who"), HeaderName::from_static("x-more"));
    let header = |value| HeaderValue::from_static(value);
    let headers = vec![(name.clone(), header("client"))];
    let client = Client::build(&[a.address()], headers).unwrap();
    let headers = [(name, header("call")), (other, header("too"))];
    let call = Call { headers: &headers, ..Call::new(Method::GET, "/", LONG) };
    client.send(call).await.unwrap();
    get(&client, LONG).await.unwrap();
    let requests = a.requests.lock().unwrap().clone();
    assert!(requests[0].contains("x-who: call\r\nx-more: too\r\n"), "{}", requests[0]);
    assert!(!requests[0].contains("client"), "{}", requests[0]);
    assert!(requests[1].contains("x-who: client\r\n"), "{}", requests[1]);
    assert!(requests[1].contains(&format!("host: 127.0.0.1:{}\r\n", a.port)), "{}", requests[1]);
}

#[tokio::test]
async fn an_answer_in_pieces_is_read_as_it_comes() {
    let (a, b) = (Server::start("a", Deed::Chunks).await, Server::start("b", Deed::Answer).await);
    let client = client(&[a.address(), b.address()]);
    let mut stream = client.open(Call::new(Method::GET, "/", LONG)).await.unwrap();
    assert_eq!(stream.status, 200);
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "one");
    let quiet = tokio::time::timeout(Duration::from_millis(50), stream.chunk()).await;
    assert!(quiet.is_err(), "nothing comes");
    // Others are served meanwhile.
    a.set(Deed::Answer);
    assert_eq!(get(&client, LONG).await.unwrap(), "a");
    // The server goes: an error, and no end.
    a.stop().await;
    assert!(matches!(stream.chunk().await, Err(Error::Interrupted(_))));
    drop(stream);
    let mut stream = client.open(Call::new(Method::GET, "/", LONG)).await.unwrap();
    assert_eq!(stream.chunk().await.unwrap().unwrap(), "b");
    assert_eq!(stream.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_is_bounded_and_ends_with_its_reader() {
    let a = Server::start("a", Deed::Endless).await;
    let client = client(&[a.address()]);
    let mut stream = client.open(Call::new(Method::GET, "/", LONG)).await.unwrap();
    for _ in 0..100 {
        let chunk = stream.chunk().await.unwrap().unwrap();
        assert!(chunk.len() <= 512 << 10, "{}", chunk.len());
    }
    drop(stream);
    let error = get(&client, LONG).await.unwrap_err();
    assert_eq!(error, Error::TooLong(256 << 10));
    a.set(Deed::Silence);
    let late = client.open(Call::new(Method::GET, "/", Duration::from_millis(100))).await;
    assert!(matches!(late, Err(Error::Timeout(_))));
}

/// A host name is asked for with each connection, and each of its addresses is tried.
#[tokio::test]
async fn a_name_is_resolved() {
    let a = Server::start("a", Deed::Answer).await;
    let client = client(&[Address::Http { host: "localhost".into(), port: a.port }]);
    assert_eq!(get(&client, LONG).await.unwrap(), "a");
    assert!(a.requests.lock().unwrap()[0].contains(&format!("host: localhost:{}", a.port)));
}

#[tokio::test]
async fn a_probe_has_a_connection_of_its_own() {
    let server = Server::start("a", Deed::Answer).await;
    let client = Client::build(&[server.address()], Vec::new()).unwrap();
    for round in 1..=2 {
        let mut answer = client.probe(Call::new(Method::GET, "/x", LONG)).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200);
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "a");
        assert_eq!(server.connections(), round);
    }
    // What is kept is not for it.
    assert_eq!(get(&client, LONG).await.unwrap(), "a");
    client.probe(Call::new(Method::GET, "/x", LONG)).await.map(drop).unwrap();
    assert_eq!(server.connections(), 4);
    server.set(Deed::Close);
    let half = client.probe(Call::new(Method::GET, "/x", LONG)).await.map(drop);
    assert!(matches!(half, Err(Error::Interrupted(_))));
    server.stop().await;
    let gone = client.probe(Call::new(Method::GET, "/x", LONG)).await.map(drop);
    assert!(matches!(gone, Err(Error::Unreachable(_))));
}

/// A server that swallows what is sent has a share of the time, and others are asked in the rest.
#[tokio::test]
async fn a_probe_leaves_time_for_the_next_server() {
    let swallower = Swallower::start();
    let full = Address::Http { host: "127.0.0.1".into(), port: swallower.port() };
    let good = Server::start("good", Deed::Answer).await;
    let client = client(&[full.clone(), good.address()]);
    let begun = Instant::now();
    let call = Call::new(Method::GET, "/x", Duration::from_secs(2));
    client.probe(call.clone()).await.map(drop).unwrap();
    let took = begun.elapsed();
    assert!((1..2).contains(&took.as_secs()), "{took:?}");
    assert_eq!(good.connections(), 1);
    // And it is said what was tried.
    let refuses = Server::start("gone", Deed::Answer).await;
    let (address, name) = (refuses.address(), refuses.name());
    refuses.stop().await;
    let both = Client::build(&[full.clone(), address], Vec::new()).unwrap();
    let Err(Error::Unreachable(words)) = both.probe(call).await.map(drop) else { panic!() };
    assert!(words.contains(&full.to_string()) && words.contains(&name), "{words}");
}

/// What speaks TLS is asked without, and the other way round.
#[tokio::test]
async fn the_wrong_one_of_http_and_https_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        for words in
            [b"\x15\x03\x01\x00\x02\x02\x46".as_slice(), b"HTTP/1.1 400 Bad Request\r\n\r\n"]
        {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(words).await.unwrap();
        }
    });
    let host = || "127.0.0.1".to_owned();
    let plain = client(&[Address::Http { host: host(), port }]);
    let words = get(&plain, LONG).await.unwrap_err().to_string();
    assert!(words.contains("it speaks TLS; is it https?"), "{words}");
    let tls = Tls { insecure: true, ..Tls::default() };
    let secure = client(&[Address::Https { host: host(), port, tls }]);
    let words = get(&secure, LONG).await.unwrap_err().to_string();
    assert!(words.contains("is no TLS: is it plain http?"), "{words}");
    server.await.unwrap();
}

/// A server that has heard enough answers, and closes before the request has been sent whole.
#[tokio::test]
async fn an_answer_may_come_before_the_request_has_been_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut some = [0; 1024];
        let _ = stream.read(&mut some).await.unwrap();
        let answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 8\r\n\r\ntoo much";
        stream.write_all(answer).await.unwrap();
    });
    let client = Client::build(&[Address::Unix(path)], Vec::new()).unwrap();
    let body = vec![b'x'; 16 << 20].into();
    let call = Call { body, ..Call::new(Method::PUT, "/", LONG) };
    let reply = client.send(call).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.body), (413, b"too much".to_vec()));
    server.await.unwrap();
}
