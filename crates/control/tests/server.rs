//! The control server over a real socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use control::wire::Status;
use control::{Reply, Request, Switch};
use support::{SOON, answer, eventually, exchange, request, start};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

#[tokio::test]
async fn calls_reach_the_engine_and_answers_the_client() {
    let mut fixture = start();
    let variables =
        BTreeMap::from([("A".to_owned(), Some("b".to_owned())), ("C".to_owned(), None)]);
    let status = Status { version: "4.0".into(), generation: 3, ..Status::default() };
    let cases = [
        (("GET", "/v3/ping", ""), Request::Ping, Reply::Done, 200, "ok".to_owned()),
        (
            ("POST", "/v3/environ", r#"{"A":"b","C":null}"#),
            Request::Environ(variables),
            Reply::Done,
            200,
            String::new(),
        ),
        (
            ("POST", "/v3/metric", r#"{"z":1.5,"a":-2}"#),
            Request::Metric(vec![("z".into(), 1.5), ("a".into(), -2.0)]),
            Reply::Refused("there is no metric \"z\"".into()),
            400,
            r#"{"error":"there is no metric \"z\""}"#.to_owned(),
        ),
        (("POST", "/v3/reload", ""), Request::Reload, Reply::Done, 200, String::new()),
        (
            ("POST", "/v3/reload", "ignored"),
            Request::Reload,
            Reply::Invalid("line 1:\nno".into()),
            422,
            r#"{"error":"line 1:\nno"}"#.to_owned(),
        ),
        (
            ("POST", "/v3/maintenance/enable", ""),
            Request::Maintenance(Switch::Enable),
            Reply::Done,
            200,
            String::new(),
        ),
        (
            ("POST", "/v3/maintenance/disable", "{}"),
            Request::Maintenance(Switch::Disable),
            Reply::Done,
            200,
            String::new(),
        ),
        (
            ("GET", "/v3/status", ""),
            Request::Status,
            Reply::Status(Box::new(status.clone())),
            200,
            serde_json::to_string(&status).unwrap(),
        ),
    ];
    for ((method, path, body), asked, reply, code, text) in cases {
        let client = tokio::spawn(exchange(fixture.path(), request(method, path, body)));
        let call = fixture.call().await;
        assert_eq!(call.request, asked, "{method} {path}");
        call.reply.send(reply).unwrap();
        let (status, _, body) = client.await.unwrap();
        assert_eq!((status, body), (code, text), "{method} {path}");
        assert_eq!(fixture.counted(), [(path, code)]);
    }
}

#[tokio::test]
async fn what_is_wrong_never_reaches_the_engine() {
    let mut fixture = start();
    let large = format!(r#"{{"A":"{}"}}"#, "x".repeat(64 * 1024));
    for (method, path, body, code, says, label) in [
        ("GET", "/", "", 404, "no such path", "other"),
        ("GET", "/v3/pong", "", 404, "no such path", "other"),
        ("POST", "/v3/ping/", "", 404, "no such path", "other"),
        ("POST", "/v3/maintenance/perhaps", "", 404, "no such path", "other"),
        ("POST", "/v3/ping", "", 405, "wants GET", "/v3/ping"),
        ("GET", "/v3/reload", "", 405, "wants POST", "/v3/reload"),
        ("PUT", "/v3/environ", "{}", 405, "wants POST", "/v3/environ"),
        ("POST", "/v3/environ", "", 400, "the body is empty", "/v3/environ"),
        ("POST", "/v3/environ", "[1]", 400, "not a JSON object", "/v3/environ"),
        ("POST", "/v3/environ", r#"{"0":"x"}"#, 400, "no name of a variable", "/v3/environ"),
        ("POST", "/v3/metric", r#"{"a":"x"}"#, 400, "want a finite number", "/v3/metric"),
        ("POST", "/v3/environ", large.as_str(), 413, "longer than 65536 bytes", "/v3/environ"),
        ("GET", "/v3/events?event=heathly", "", 400, "no event", "/v3/events"),
    ] {
        let (status, head, body) = exchange(fixture.path(), request(method, path, body)).await;
        assert_eq!(status, code, "{method} {path}: {body}");
        let error: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let error = error["error"].as_str().unwrap();
        assert!(error.contains(says), "{method} {path}: {error}");
        assert!(head.contains("content-type: application/json"), "{head}");
        let allow = if label == "/v3/ping" { "allow: get" } else { "allow: post" };
        assert_eq!(head.contains(allow), code == 405, "{head}");
        assert_eq!(fixture.counted(), [(label, code)]);
    }
    assert!(fixture.calls.try_recv().is_err(), "the engine was called");
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_503() {
    let mut fixture = start();
    let client = tokio::spawn(exchange(fixture.path(), request("GET", "/v3/ping", "")));
    let call = fixture.call().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(9)).await;
    tokio::task::yield_now().await;
    assert!(!client.is_finished());
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    let (status, _, body) = client.await.unwrap();
    assert_eq!(status, 503);
    assert!(body.contains("has not answered within 10s"), "{body}");
    assert_eq!(fixture.counted(), [("/v3/ping", 503)]);
    assert!(call.reply.is_closed(), "the engine can see that nobody waits");
}

#[tokio::test]
async fn an_engine_that_has_ended_is_503_at_once() {
    let mut fixture = start();
    let client = tokio::spawn(exchange(fixture.path(), request("POST", "/v3/reload", "")));
    drop(fixture.call().await);
    assert_eq!(client.await.unwrap().0, 503);
    fixture.calls.close();
    let (status, _, body) = exchange(fixture.path(), request("GET", "/v3/ping", "")).await;
    assert!(status == 503 && body.contains("is stopping"), "{status} {body}");
}

#[tokio::test]
async fn a_client_that_goes_away_is_carried_out_nevertheless() {
    let mut fixture = start();
    let mut client = fixture.connect().await;
    client.write_all(request("POST", "/v3/reload", "").as_bytes()).await.unwrap();
    drop(client);
    let call = fixture.call().await;
    assert_eq!(call.request, Request::Reload);
    let _ = call.reply.send(Reply::Done);
    eventually("it is counted", || !fixture.counted.lock().unwrap().is_empty()).await;
    // And nobody else is disturbed.
    let client = tokio::spawn(exchange(fixture.path(), request("GET", "/v3/ping", "")));
    fixture.call().await.reply.send(Reply::Done).unwrap();
    assert_eq!(client.await.unwrap().2, "ok");
}

#[tokio::test]
async fn a_client_that_closes_its_half_is_answered() {
    let mut fixture = start();
    let mut client = fixture.connect().await;
    client.write_all(request("GET", "/v3/ping", "").as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    fixture.call().await.reply.send(Reply::Done).unwrap();
    assert_eq!(answer(&mut client).await.2, "ok");
}

#[tokio::test]
async fn two_hundred_clients_at_once_are_all_answered() {
    let mut fixture = start();
    let clients: Vec<_> = (0..200)
        .map(|_| tokio::spawn(exchange(fixture.path(), request("GET", "/v3/ping", ""))))
        .collect();
    for _ in 0..200 {
        fixture.call().await.reply.send(Reply::Done).unwrap();
    }
    for client in clients {
        assert_eq!(client.await.unwrap().2, "ok");
    }
    assert_eq!(fixture.counted().len(), 200);
}

#[tokio::test]
async fn a_close_answers_what_was_asked_and_leaves_nothing() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut fixture = start();
    let path = fixture.path();
    let mut asking = fixture.connect().await;
    asking.write_all(request("POST", "/v3/reload", "").as_bytes()).await.unwrap();
    let call = fixture.call().await;
    let mut events = fixture.connect().await;
    events.write_all(b"GET /v3/events HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    eventually("the stream is there", || fixture.events.streams() == 1).await;
    let closing = tokio::spawn(fixture.server.take().unwrap().close());
    eventually("the socket is gone", || !path.exists()).await;
    call.reply.send(Reply::Done).unwrap();
    assert_eq!(answer(&mut asking).await.0, 200);
    let (status, _, rest) = answer(&mut events).await;
    assert_eq!((status, rest.as_str()), (200, "0\r\n\r\n"), "a stream ends properly");
    timeout(SOON, closing).await.expect("an end").unwrap();
    assert_eq!((tasks(), fixture.events.streams()), (before, 0));
    assert!(UnixStream::connect(&path).await.is_err());
}

#[tokio::test]
async fn dropping_it_removes_the_socket() {
    let fixture = start();
    let path = fixture.path();
    assert!(path.exists());
    drop(fixture.server);
    assert!(!path.exists());
}
