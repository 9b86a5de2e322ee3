//! Connections: whatever way requests arrive, they are answered alike, and one that waits costs
//! little memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

mod catalog;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use catalog::{Catalog, SOON};
use testkit::{Program, http, wait_until};

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads one answer of stated length: its status and body.
#[track_caller]
fn answer(stream: &mut TcpStream) -> (u16, String) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.expect("a length").parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    assert!(head.contains("\r\ndate: "), "{head}");
    (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
}

#[track_caller]
fn closed(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn requests_in_pieces_and_in_a_row_and_of_any_kind_are_answered() {
    let catalog = Catalog::start(|_| {});
    let mut stream = connect(&catalog.address());
    let put = "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    for byte in put.bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(answer(&mut stream), (200, "true".into()));
    let get = "GET /v1/kv/a?raw HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(format!("{get}{put}{get}").as_bytes()).unwrap();
    assert_eq!(answer(&mut stream), (200, "hello".into()));
    assert_eq!(answer(&mut stream), (200, "true".into()));
    assert_eq!(answer(&mut stream), (200, "hello".into()));
    // A request that comes while another one waits is answered after it.
    let wait = "GET /v1/kv/none?index=1&wait=50ms HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(format!("{wait}{get}").as_bytes()).unwrap();
    assert_eq!(answer(&mut stream).0, 404);
    assert_eq!(answer(&mut stream), (200, "hello".into()));

    // What is not ordinary, on the same connection.
    let chunked = "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(format!("{chunked}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n{get}").as_bytes()).unwrap();
    assert_eq!(answer(&mut stream), (200, "true".into()));
    assert_eq!(answer(&mut stream), (200, "abcde".into()));
    stream.write_all(get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(answer(&mut stream), (200, "abcde".into()));
    closed(&mut stream);

    let mut stream = connect(&catalog.address());
    stream.write_all(get.replace("\r\n\r\n", "\r\nconnection: Close\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(answer(&mut stream), (200, "abcde".into()));
    closed(&mut stream);

    let mut stream = connect(&catalog.address());
    stream.write_all(b"GET /v1/kv/a?raw HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(answer(&mut stream), (200, "abcde".into()));
    closed(&mut stream);

    let mut stream = connect(&catalog.address());
    let expect =
        "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(expect.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"z").unwrap();
    assert_eq!(answer(&mut stream), (200, "true".into()));
}

#[test]
fn what_could_be_understood_in_two_ways_is_refused() {
    let catalog = Catalog::start(|_| {});
    let long = "x".repeat(70_000);
    for head in [
        "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
        "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        "GET /v1/kv/a HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n",
        "GET /v1/kv/a HTTP/9.9\r\n\r\n",
        &format!("GET /v1/kv/a HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
    ] {
        let mut stream = connect(&catalog.address());
        // It may be closed before all of it is written.
        let _ = stream.write_all(head.as_bytes());
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text);
        assert!(text.starts_with("HTTP/1.1 4"), "{head:.80}: {text}");
    }
    assert_eq!(catalog.get("/v1/kv/?keys").body, "[]");
}

#[test]
fn a_blocked_query_costs_a_few_kilobytes() {
    // Below the usual limit of descriptors.
    const QUERIES: usize = 800;
    let mut running = Program::new(env!("CARGO_BIN_EXE_catalog-server"))
        .args(["-http", "127.0.0.1:0", "-dns", "off"])
        .spawn();
    let line = running.wait_for_line("listening on http://");
    let address = line.rsplit('/').next().unwrap();
    let resident = || {
        let path = format!("/proc/{}/smaps_rollup", running.pid());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    };
    let waiting = || {
        let answer = http("GET", address, "/v1/agent/self", "").unwrap().json();
        answer["DebugConfig"]["Blocked"]["queries"].as_u64().unwrap() as usize
    };
    assert_eq!(waiting(), 0);
    let before = resident();
    let streams: Vec<TcpStream> = (0..QUERIES)
        .map(|n| {
            let mut stream = connect(address);
            let path = format!("/v1/health/service/service-{n}?passing=1&index=1&wait=10m");
            let head =
                "Host: 127.0.0.1:8500\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip";
            write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
            stream
        })
        .collect();
    wait_until("all queries wait", Duration::from_secs(30), || {
        let now = waiting();
        if now == QUERIES { Ok(()) } else { Err(now.to_string()) }
    });
    let each = (resident() - before) as f64 / QUERIES as f64;
    println!("a blocked query on a connection of its own: {each:.1} KiB");
    assert!(each < 7.0, "{each} KiB each");
    drop(streams);
    wait_until("none waits any more", Duration::from_secs(30), || waiting() == 0);
}
