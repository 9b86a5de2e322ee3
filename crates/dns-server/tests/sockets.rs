//! The server over real sockets: `dig` as a client, and clients that behave badly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests report by panicking"
)]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use dns_server::{Cut, Error, Limits, Sockets};
use support::{Dns, Lists, dig};
use testkit::{free_port, wait_until};

const SOON: Duration = Duration::from_secs(20);
/// `web.service.consul A`, with the id 7.
const QUESTION: &[u8] =
    b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x07service\x06consul\x00\x00\x01\x00\x01";

fn start(instances: u16, limits: Limits) -> Dns {
    let web = |i| ("web", "", format!("10.0.0.{i}"), 8000 + i);
    Dns::start(Lists { services: (1..=instances).map(web).collect(), nodes: Vec::new() }, limits)
}

fn connect(dns: &Dns) -> TcpStream {
    let stream = TcpStream::connect(dns.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

/// The next answer of a connection, if there is one.
fn answer(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

/// Whether the server has closed the connection: nothing comes, and not because of a timeout.
fn closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_client_that_is_told_asks_again_over_tcp() {
    let dns = start(30, Limits { cut: Cut::Told, ..Limits::default() });
    let told = dig(dns.address, &["web.service.consul A +noedns"]);
    assert!(told.contains("Truncated, retrying in TCP mode"), "{told}");
    assert!(told.contains("ANSWER: 30") && told.contains("(TCP)"), "{told}");
    let short = dig(dns.address, &["web.service.consul SRV +short +tcp"]);
    assert_eq!(short.lines().count(), 30, "{short}");
    assert!(short.contains("1 1 8030 0a00001e.addr.dc1.consul."), "{short}");
}

#[test]
fn one_connection_asks_many_times() {
    let dns = start(1, Limits::default());
    let mut stream = connect(&dns);
    // All at once, and in pieces.
    let all = framed(QUESTION).repeat(20);
    for piece in all.chunks(7) {
        stream.write_all(piece).unwrap();
    }
    for _ in 0..20 {
        let answer = answer(&mut stream).unwrap();
        assert_eq!(answer[..2], [0, 7]);
        assert_eq!(answer[answer.len() - 4..], [10, 0, 0, 1]);
    }
}

#[test]
fn nonsense_harms_nobody() {
    let dns = start(1, Limits::default());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.connect(dns.address).unwrap();
    for nonsense in [&b""[..], b"x", &[0xff; 600], &[0; 11], &[0; 5000]] {
        socket.send(nonsense).unwrap();
    }
    socket.send(QUESTION).unwrap();
    let mut buffer = [0; 512];
    wait_until("the question is answered", SOON, || {
        let length = socket.recv(&mut buffer).map_err(|error| error.to_string())?;
        let good = buffer[..2] == [0, 7] && buffer[length - 4..length] == [10, 0, 0, 1];
        if good { Ok(()) } else { Err(format!("{:?}", &buffer[..length])) }
    });
    // Too long, no message, an answer: the end of each connection, and of no other.
    let mut other = connect(&dns);
    let an_answer = [&[0, 7, 0x80, 0][..], &QUESTION[4..]].concat();
    for nonsense in [vec![0xff, 0xff], framed(b"x"), framed(&an_answer)] {
        let mut stream = connect(&dns);
        stream.write_all(&nonsense).unwrap();
        assert!(closed(&mut stream), "{nonsense:?}");
    }
    other.write_all(&framed(QUESTION)).unwrap();
    assert!(answer(&mut other).is_some());
}

#[test]
fn connections_are_bounded() {
    let dns = start(1, Limits { connections: 2, ..Limits::default() });
    let mut held: Vec<TcpStream> = (0..2).map(|_| connect(&dns)).collect();
    for stream in &mut held {
        stream.write_all(&framed(QUESTION)).unwrap();
        assert!(answer(stream).is_some());
    }
    assert!(closed(&mut connect(&dns)));
    drop(held.pop());
    wait_until("a place is free", SOON, || {
        let mut stream = connect(&dns);
        stream.write_all(&framed(QUESTION)).ok()?;
        answer(&mut stream)
    });
    held[0].write_all(&framed(QUESTION)).unwrap();
    assert!(answer(&mut held[0]).is_some());
}

#[test]
fn a_silent_client_is_cut_off() {
    let dns = start(1, Limits { idle: Duration::from_millis(100), ..Limits::default() });
    for begun in [&b""[..], b"\x00", b"\x00\x20abc"] {
        let mut stream = connect(&dns);
        stream.write_all(begun).unwrap();
        assert!(closed(&mut stream), "{begun:?}");
    }
}

#[test]
fn a_close_leaves_nothing() {
    let mut dns = start(1, Limits { idle: SOON * 3, drain: SOON * 3, ..Limits::default() });
    let mut waiting = connect(&dns);
    waiting.write_all(&framed(QUESTION)).unwrap();
    assert!(answer(&mut waiting).is_some());
    dns.close();
    assert!(closed(&mut waiting));
    // The port is free again, for both protocols, unless a connection of another test has come out
    // at it for a moment.
    wait_until("the port is free again", SOON, || {
        Sockets::bind(dns.address).map(drop).map_err(|error| error.to_string())
    });
}

#[test]
fn port_0_is_one_for_both() {
    for _ in 0..20 {
        let sockets = Sockets::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(TcpListener::bind(sockets.address()).is_err());
        assert!(UdpSocket::bind(sockets.address()).is_err());
    }
}

#[test]
fn a_taken_port_is_said_to_be_taken() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let tcp = TcpListener::bind(address).unwrap();
    let error = Sockets::bind(address).unwrap_err();
    assert!(matches!(error, Error::Listen { protocol: "TCP", .. }), "{error}");
    drop(tcp);
    let _udp = UdpSocket::bind(address).unwrap();
    let error = Sockets::bind(address).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot listen on {address} for DNS over UDP: ")),
        "{error}"
    );
}
