//! The client against the server, and against what is no server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use control::wire::{Event, JobState, JobStatus, Status};
use control::{Client, Error, Filter, News, Reply, Request, Switch};
use support::{Fixture, SOON, eventually, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::time::timeout;

impl Fixture {
    fn client(&self) -> Client {
        Client::new(self.path())
    }

    /// Answers the next call so, and says what it was.
    async fn reply(&mut self, reply: Reply) -> Request {
        let call = self.call().await;
        call.reply.send(reply).unwrap();
        call.request
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn each_request_says_what_it_means() {
    let mut fixture = start();
    let client = fixture.client();
    let (done, asked) = tokio::join!(client.ping(), fixture.reply(Reply::Done));
    assert_eq!((done.unwrap(), asked), ((), Request::Ping));
    let (done, asked) = tokio::join!(client.reload(), fixture.reply(Reply::Done));
    assert_eq!((done.unwrap(), asked), ((), Request::Reload));
    for switch in [Switch::Enable, Switch::Disable] {
        let (done, asked) = tokio::join!(client.maintenance(switch), fixture.reply(Reply::Done));
        assert_eq!((done.unwrap(), asked), ((), Request::Maintenance(switch)));
    }
    let variables = pairs(&[("A", "1"), ("B", "x=\"y\"\nü"), ("C", ""), ("A", "2")]);
    let (done, asked) = tokio::join!(client.putenv(&variables), fixture.reply(Reply::Done));
    let expected = [("A", Some("2")), ("B", Some("x=\"y\"\nü")), ("C", None)];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
    assert_eq!((done.unwrap(), asked), ((), Request::Environ(expected.into_iter().collect())));
}

#[tokio::test]
async fn every_value_of_a_metric_arrives() {
    let mut fixture = start();
    let client = fixture.client();
    let values = pairs(&[("a", "1"), ("b", "2.5"), ("a", "3"), ("a", "4")]);
    let engine = async {
        let mut seen = Vec::new();
        for _ in 0..3 {
            let Request::Metric(values) = fixture.reply(Reply::Done).await else { panic!() };
            seen.extend(values);
        }
        seen
    };
    let (done, seen) = tokio::join!(client.putmetric(&values), engine);
    done.unwrap();
    let expected = [("a", 1.0), ("b", 2.5), ("a", 3.0), ("a", 4.0)];
    assert_eq!(seen, expected.map(|(name, value)| (name.to_owned(), value)));
    let error = client.putmetric(&pairs(&[("a", "much")])).await.unwrap_err();
    assert_eq!(error.to_string(), "\"a\": want a finite number");
}

#[tokio::test]
async fn a_status_arrives_whole() {
    let mut fixture = start();
    let client = fixture.client();
    let job = |number: u32| JobStatus {
        name: format!("job-{number}"),
        state: JobState::Backoff,
        ..JobStatus::default()
    };
    let status = Status { jobs: (0..5000).map(job).collect(), ..Status::default() };
    let reply = Reply::Status(Box::new(status.clone()));
    let (got, _) = tokio::join!(client.status(), fixture.reply(reply));
    assert_eq!(got.unwrap(), status);
}

#[tokio::test]
async fn what_is_refused_is_said_in_the_programs_words() {
    let mut fixture = start();
    let client = fixture.client();
    let reply = Reply::Invalid("app.json5: jobs[0].port: 70000".into());
    let (outcome, _) = tokio::join!(client.reload(), fixture.reply(reply));
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Refused { status: 422, .. }), "{error:?}");
    assert_eq!(error.to_string(), "app.json5: jobs[0].port: 70000");
    let error = client.putenv(&pairs(&[("1", "x")])).await.unwrap_err();
    assert!(error.to_string().contains("no name of a variable"), "{error}");
    let unknown = Filter { events: vec!["heathly".into()], ..Filter::default() };
    let error = client.events(&unknown, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("there is no event"), "{error}");
    fixture.calls.close();
    assert_eq!(client.ping().await.unwrap_err().to_string(), "the program is stopping");
}

#[tokio::test]
async fn events_are_heard_until_the_program_ends() {
    let fixture = start();
    let client = fixture.client();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let filter = Filter { sources: vec!["app & co".into(), "ü".into()], ..Filter::default() };
    let listening =
        tokio::spawn(
            async move { client.events(&filter, |news| ear.lock().unwrap().push(news)).await },
        );
    eventually("it listens", || fixture.events.streams() == 1).await;
    let event = |source: &str| Event { source: source.into(), ..Event::default() };
    for source in ["app & co", "other", "ü"] {
        fixture.events.publish(|| event(source));
    }
    fixture.events.close();
    timeout(SOON, listening).await.unwrap().unwrap().unwrap();
    let expected = [News::Event(event("app & co")), News::Event(event("ü"))];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[tokio::test]
async fn it_hears_that_it_was_too_slow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n:\n\nevent: missed\nda";
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1000]).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(b"ta: {\"missed\":7}\n\n").await.unwrap();
    });
    let mut heard = Vec::new();
    let (client, all) = (Client::new(&path), Filter::default());
    timeout(SOON, client.events(&all, |news| heard.push(news))).await.unwrap().unwrap();
    assert_eq!(heard, [News::Missed(7)]);
}

#[tokio::test]
async fn a_socket_that_cannot_be_used_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.socket");
    let said = async || {
        let error = Client::new(&path).ping().await.unwrap_err();
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
        error
    };
    let error = said().await;
    assert!(matches!(error, Error::Missing(_)), "{error:?}");
    assert!(error.to_string().contains("is the program running?"), "{error}");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let error = said().await;
    assert!(matches!(error, Error::Stale(_)), "{error:?}");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "").unwrap();
    let error = said().await;
    // The kernel says the same of a file that is no socket.
    assert!(matches!(error, Error::Stale(_)), "{error:?}");
}

#[tokio::test]
async fn a_program_that_does_not_answer_is_given_up() {
    let mut fixture = start();
    let client = fixture.client();
    let pinging = tokio::spawn(async move { client.ping().await });
    let call = fixture.call().await;
    // Somebody who is stopped accepts no connection, but the kernel does for him.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let _stopped = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let stopped = tokio::spawn(async move { Client::new(path).ping().await });
    tokio::time::pause();
    let error = timeout(Duration::from_secs(20), stopped).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, Error::Silent(_, after) if after.as_secs() == 15), "{error:?}");
    let error = pinging.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Refused { status: 503, .. }), "{error:?}");
    drop(call);
}

#[tokio::test]
async fn a_stream_that_has_fallen_silent_is_given_up() {
    let fixture = start();
    let (heard, mut hearing) = tokio::sync::mpsc::unbounded_channel();
    let client = fixture.client();
    let listening = tokio::spawn(async move {
        client.events(&Filter::default(), move |news| heard.send(news).unwrap()).await
    });
    eventually("it listens", || fixture.events.streams() == 1).await;
    fixture.events.publish(Event::default);
    timeout(SOON, hearing.recv()).await.unwrap().unwrap();
    // The program says something every fifteen seconds, and lives.
    tokio::time::pause();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(!listening.is_finished());
    }
    tokio::time::resume();
    drop(listening);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let (heard, mut hearing) = tokio::sync::mpsc::unbounded_channel();
    let listening = tokio::spawn(async move {
        let client = Client::new(path);
        client.events(&Filter::default(), move |news| heard.send(news).unwrap()).await
    });
    let (mut stream, _) = listener.accept().await.unwrap();
    let _ = stream.read(&mut [0; 1000]).await;
    let head = "HTTP/1.1 200 OK\r\n\r\nevent: missed\ndata: {\"missed\":1}\n\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    timeout(SOON, hearing.recv()).await.unwrap().unwrap();
    tokio::time::pause();
    let error = timeout(SOON * 10, listening).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, Error::Silent(_, after) if after.as_secs() == 45), "{error:?}");
}

#[tokio::test]
async fn what_is_no_control_server_is_said() {
    for answer in ["", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1000]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let error = timeout(SOON, Client::new(path).status()).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Broken(..)), "{answer:?}: {error:?}");
    }
}
