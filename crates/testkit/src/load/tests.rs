use std::net::TcpListener;

use super::*;
use crate::HttpStub;

const SOON: Duration = Duration::from_secs(20);

fn client(connections: Connections) -> Client {
    let pause = Duration::from_millis(1);
    Client { method: "GET", path: "/".into(), body: String::new(), connections, pause }
}

fn well(_: u64, response: &Response) -> Result<String, String> {
    if response.status == 200 {
        Ok(response.body.clone())
    } else {
        Err(format!("status {}", response.status))
    }
}

#[test]
fn every_answer_is_counted_and_looked_at() {
    let stub = HttpStub::start();
    let clients = vec![client(Connections::Kept), client(Connections::New)];
    let load = Load::start(&stub.address(), clients, well);
    wait_until("a hundred answers", SOON, || load.tally().answered >= 100);
    assert_eq!(load.tally().failed, 0, "{:?}", load.tally());
    let before = stub.count();
    load.await_turn();
    assert!(stub.count() >= before + 2, "each of both began another");
    stub.set_status(503);
    wait_until("failures", SOON, || load.tally().failed >= 2 * TOLD);
    stub.set_status(200);
    load.forget_who_answered();
    stub.set_body("another");
    wait_until("another answers", SOON, || load.tally().by.contains_key("another"));
    let tally = load.stop();
    assert_eq!(tally.answered + tally.failed, stub.count(), "{tally:?}");
    assert_eq!(tally.failures.len(), TOLD);
    assert!(tally.failures[0].contains("GET /") && tally.failures[0].contains("status 503"));
    assert!(tally.by.keys().all(|who| who == "ok" || who == "another"), "{tally:?}");
}

/// Answers each connection's first request with `first`, and then closes it.
fn once(first: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            if stream.read(&mut request).is_ok_and(|n| n > 0) {
                let _ = stream.write_all(first.as_bytes());
            }
        }
    });
    address
}

#[test]
fn a_connection_that_was_closed_while_idle_is_no_failure() {
    let address = once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let load = Load::start(&address, vec![client(Connections::Kept)], well);
    wait_until("a hundred answers", SOON, || load.tally().answered >= 100);
    let tally = load.stop();
    assert_eq!(tally.failed, 0, "{tally:?}");
    assert!(tally.renewals >= 90, "{tally:?}");
}

#[test]
fn an_answer_that_is_cut_is_a_failure_and_so_is_none() {
    for (said, told) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhi", "cut after"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi", "cut after"),
        ("", "no answer on a new connection"),
    ] {
        for connections in [Connections::Kept, Connections::New] {
            let load = Load::start(&once(said), vec![client(connections)], well);
            wait_until("failures", SOON, || load.tally().failed >= 5);
            let tally = load.stop();
            assert_eq!((tally.answered, tally.renewals), (0, 0), "{tally:?}");
            assert!(tally.failures.iter().all(|line| line.contains(told)), "{tally:?}");
        }
    }
}
