//! Streams of events over a real socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

mod support;

use std::time::Duration;

use control::wire::Event;
use support::{Fixture, SOON, answer, eventually, exchange, request, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

fn event(source: &str, event: &str) -> Event {
    Event { time: "2026-11-21T10:46:12.000Z".into(), source: source.into(), event: event.into() }
}

/// A stream that the program knows of.
async fn listen(fixture: &Fixture, query: &str) -> UnixStream {
    let before = fixture.events.streams();
    let mut stream = fixture.connect().await;
    let asked = format!("GET /v3/events{query} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.unwrap();
    eventually("the stream is there", || fixture.events.streams() == before + 1).await;
    stream
}

/// What has arrived by the time that `end` has.
async fn until(stream: &mut UnixStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut chunk = [0; 4096];
        let read = timeout(SOON, stream.read(&mut chunk)).await;
        let read = read.unwrap_or_else(|_| panic!("no {end:?} in {text:?}")).unwrap();
        assert!(read > 0, "an end instead of {end:?} after {text:?}");
        text.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
    }
    text
}

#[tokio::test]
async fn an_event_arrives_as_it_happens() {
    let fixture = start();
    let mut stream = listen(&fixture, "").await;
    fixture.events.publish(|| event("app", "healthy"));
    let text = until(&mut stream, "}\n\n").await;
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    let expected = concat!(
        "event: healthy\ndata: {\"time\":\"2026-11-21T10:46:12.000Z\",",
        "\"source\":\"app\",\"event\":\"healthy\"}\n\n"
    );
    assert!(text.contains(expected), "{text}");
    fixture.events.publish(|| event("watch.db", "changed"));
    until(&mut stream, "event: changed").await;
    assert!(fixture.counted().contains(&("/v3/events", 200)));
}

#[tokio::test]
async fn a_filter_lets_through_what_it_names() {
    let fixture = start();
    let mut one = listen(&fixture, "?source=app&event=healthy").await;
    let mut two = listen(&fixture, "?source=app&source=db").await;
    for (source, name) in [("app", "stopped"), ("db", "healthy"), ("web", "healthy")] {
        fixture.events.publish(|| event(source, name));
    }
    fixture.events.publish(|| event("app", "healthy"));
    let text = until(&mut one, "healthy\"}").await;
    assert_eq!(text.matches("data:").count(), 1, "{text}");
    let text = until(&mut two, "\"app\",\"event\":\"healthy\"").await;
    assert_eq!(text.matches("data:").count(), 3, "{text}");
    assert!(!text.contains("web"), "{text}");
}

#[tokio::test]
async fn without_listeners_an_event_is_not_even_made() {
    let fixture = start();
    fixture.events.publish(|| panic!("nobody listens"));
    let stream = listen(&fixture, "").await;
    drop(stream);
    // Whoever is gone is noticed at the next event.
    eventually("the stream is gone", || {
        fixture.events.publish(|| event("app", "healthy"));
        fixture.events.streams() == 0
    })
    .await;
    fixture.events.publish(|| panic!("nobody listens"));
}

#[tokio::test]
async fn a_slow_client_is_told_what_it_missed_and_disturbs_nobody() {
    let fixture = start();
    let mut slow = listen(&fixture, "").await;
    let mut quick = listen(&fixture, "?event=shutdown").await;
    // Far more than fits into the queue and the kernel's buffers.
    const SENT: u64 = 20_000;
    for _ in 0..SENT {
        fixture.events.publish(|| event("app", "healthy"));
        tokio::task::yield_now().await;
    }
    fixture.events.publish(|| event("global", "shutdown"));
    until(&mut quick, "event: shutdown").await;
    let mut text = until(&mut slow, "event: missed\ndata: {\"missed\":").await;
    let start = text.find("event: missed").unwrap();
    if !text[start..].contains("}\n\n") {
        text.push_str(&until(&mut slow, "\n\n").await);
    }
    let (before, after) = text.split_once("event: missed\ndata: {\"missed\":").unwrap();
    let arrived = before.matches("data: {\"time\"").count() as u64;
    let missed: u64 = after.split('}').next().unwrap().parse().unwrap();
    // With the last one, which it missed as well.
    assert_eq!(arrived + missed, SENT + 1, "{arrived} arrived");
    // From there on it hears again.
    fixture.events.publish(|| event("db", "stopped"));
    until(&mut slow, "event: stopped").await;
}

#[tokio::test]
async fn there_is_room_for_sixteen_streams_and_for_questions_beside_them() {
    let mut fixture = start();
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(listen(&fixture, "").await);
    }
    let (status, _, body) = exchange(fixture.path(), request("GET", "/v3/events", "")).await;
    assert!(status == 503 && body.contains("too many streams"), "{status} {body}");
    let client = tokio::spawn(exchange(fixture.path(), request("GET", "/v3/ping", "")));
    fixture.call().await.reply.send(control::Reply::Done).unwrap();
    assert_eq!(client.await.unwrap().2, "ok");
    // Those that are gone make room at once, although nothing happens.
    streams.truncate(3);
    let start = tokio::time::Instant::now();
    loop {
        let mut stream = fixture.connect().await;
        stream.write_all(b"GET /v3/events HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let head = until(&mut stream, "\r\n\r\n").await;
        if head.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{head}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn silence_is_broken_every_fifteen_seconds() {
    let fixture = start();
    let mut stream = listen(&fixture, "").await;
    until(&mut stream, "\r\n\r\n").await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(14)).await;
    let mut chunk = [0; 100];
    assert!(stream.try_read(&mut chunk).is_err(), "something came too early");
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    assert_eq!(until(&mut stream, ":\n\n").await, "3\r\n:\n\n\r\n");
}

#[tokio::test]
async fn a_stream_ends_with_the_program() {
    let fixture = start();
    let mut stream = listen(&fixture, "").await;
    fixture.events.publish(|| event("global", "shutdown"));
    fixture.events.close();
    let (status, _, body) = answer_of(&mut stream).await;
    assert_eq!(status, 200);
    assert!(body.contains("event: shutdown") && body.ends_with("0\r\n\r\n"), "{body}");
}

/// The whole answer; the connection is left for another request.
async fn answer_of(stream: &mut UnixStream) -> (u16, String, String) {
    stream.write_all(request("GET", "/", "").as_bytes()).await.unwrap();
    let (status, head, body) = answer(stream).await;
    let end = body.find("0\r\n\r\n").expect("an end") + 5;
    (status, head, body[..end].to_owned())
}
