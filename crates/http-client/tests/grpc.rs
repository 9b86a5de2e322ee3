//! Health by gRPC: a real server of it, and peers that do what the real one seldom does.
//! Needs scripts/install-py-grpc, and openssl.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_client::grpc::{Health, Serving};
use http_client::{Address, Error, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// The real server; ended when dropped.
struct Real(Child);

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Real {
    #[expect(clippy::disallowed_methods, reason = "a test's own server")]
    fn start(port: u16, files: &[&Path]) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(python());
        command.arg(here.join("tests/grpc_server.py")).arg(port.to_string()).args(files);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Real(child)
    }
}

/// The interpreter with grpcio: `PY_GRPC`, else what `scripts/install-py-grpc` installs.
fn python() -> PathBuf {
    if let Some(path) = std::env::var_os("PY_GRPC") {
        return path.into();
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/py-grpc/bin/python");
    assert!(
        python.exists(),
        "this test needs grpcio, and {} is not there: run scripts/install-py-grpc",
        python.display()
    );
    python
}

/// As what servers are asked: not by their addresses.
const AUTHORITY: &str = "shop.example:50051";

fn plain(port: u16) -> Health {
    let addresses = [Address::Http { host: "127.0.0.1".into(), port }];
    Health::build(&addresses, AUTHORITY).unwrap()
}

fn no(text: &str) -> Result<Serving, Error> {
    Ok(Serving::No(text.to_owned()))
}

#[tokio::test]
async fn a_real_server_is_understood() {
    let port = testkit::free_port();
    let server = Real::start(port, &[]);
    let health = plain(port);
    for service in ["", "ready", &"x".repeat(300)] {
        assert_eq!(health.check(service, LONG).await, Ok(Serving::Yes), "{service}");
    }
    assert_eq!(health.check("tired", LONG).await, no("NOT_SERVING"));
    // An answer of trailers only.
    let unknown = health.check("who", LONG).await;
    assert_eq!(unknown, no("status 5 (NOT_FOUND)"));
    drop(server);
    let gone = health.check("", LONG).await;
    assert!(matches!(gone, Err(Error::Unreachable(_))), "{gone:?}");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "makes a certificate")]
async fn a_real_server_is_understood_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (key, cert) = (folder.path().join("key.pem"), folder.path().join("cert.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = testkit::free_port();
    let _server = Real::start(port, &[&key, &cert]);
    let tls = Tls { ca_file: Some(cert), ..Tls::default() };
    let address = Address::Https { host: "127.0.0.1".into(), port, tls };
    let health = Health::build(&[address], AUTHORITY).unwrap();
    assert_eq!(health.check("ready", LONG).await, Ok(Serving::Yes));
    assert_eq!(health.check("tired", LONG).await, no("NOT_SERVING"));
    // Without TLS it breaks off.
    assert!(matches!(plain(port).check("", LONG).await, Err(Error::Interrupted(_))));
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        match text.len() {
            length @ ..127 => bytes.push(u8::try_from(length).unwrap()),
            length => {
                let rest = length - 127;
                bytes.extend([0x7f, (rest & 0x7f) as u8 | 0x80, (rest >> 7 & 0x7f) as u8 | 0x80]);
                bytes.push((rest >> 14) as u8);
            }
        }
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// `SERVING`.
const MESSAGE: [u8; 7] = [0, 0, 0, 0, 2, 8, 1];

/// The status 200, the message, and `grpc-status: 0`.
fn good() -> Vec<u8> {
    let trailers = frame(1, 5, 1, &literal("grpc-status", "0"));
    [frame(1, 4, 1, &[0x88]), frame(0, 0, 1, &MESSAGE), trailers].concat()
}

/// What a check finds where a peer answers with these bytes once it has been asked, and what it
/// says besides the question.
async fn told(bytes: Vec<u8>) -> (Result<Serving, Error>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4096];
        // The question ends with the frame of its message: five bytes here, for no service.
        let end = frame(0, 1, 1, &[0; 5]);
        let mut length = 0;
        while !asked[..length].ends_with(&end) {
            length += stream.read(&mut asked[length..]).await.unwrap();
        }
        let authority = AUTHORITY.as_bytes();
        assert!(asked.windows(authority.len()).any(|part| part == authority));
        let _ = stream.write_all(&bytes).await;
        let mut said = Vec::new();
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut said).await;
        said
    });
    let found = plain(port).check("", LONG).await;
    (found, server.await.unwrap())
}

#[tokio::test]
async fn what_comes_between_is_answered_or_passed_over() {
    let settings = frame(4, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]);
    let ping = frame(6, 0, 0, b"12345678");
    let bytes = [
        settings,
        frame(8, 0, 0, &[0, 0, 1, 0]),
        ping,
        // An answer to a ping that nobody sent, a priority, a frame that nobody knows.
        frame(6, 1, 0, b"abcdefgh"),
        frame(2, 0, 1, &[0; 5]),
        frame(0x77, 0, 0, b"what"),
        // It goes away, after this request.
        frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
        good(),
    ];
    let (found, said) = told(bytes.concat()).await;
    assert_eq!(found, Ok(Serving::Yes));
    assert_eq!(said, [frame(4, 1, 0, &[]), frame(6, 1, 0, b"12345678")].concat());
}

#[tokio::test]
async fn headers_may_be_filled_large_and_in_pieces() {
    // Filled, with a priority.
    let first = frame(1, 0x2c, 1, &[&[2, 0, 0, 0, 0, 9][..], &[0x88], &[0, 0]].concat());
    let large = literal("x-large", &"l".repeat(20_000));
    let block = [large, literal("grpc-status", "0")].concat();
    let (one, two) = block.split_at(16_000);
    let rest = [frame(1, 1, 1, one), frame(9, 4, 1, two)].concat();
    let body = frame(0, 8, 1, &[&[1][..], &MESSAGE, &[0]].concat());
    assert_eq!(told([first, body, rest].concat()).await.0, Ok(Serving::Yes));
}

#[tokio::test]
async fn what_is_said_instead_is_told() {
    let trailers = |text: &[(&str, &str)]| {
        let block: Vec<u8> = text.iter().flat_map(|(name, value)| literal(name, value)).collect();
        frame(1, 5, 1, &[&[0x88][..], &block].concat())
    };
    for (bytes, words) in [
        (
            trailers(&[("grpc-status", "12"), ("grpc-message", "no such\nthing")]),
            "status 12 (UNIMPLEMENTED): no such thing",
        ),
        (trailers(&[("grpc-status", "99")]), "status 99"),
        (trailers(&[("grpc-status", "0")]), "the answer is no HealthCheckResponse"),
        (frame(1, 5, 1, &[0x8d]), "HTTP status 404, no gRPC"),
    ] {
        assert_eq!(told(bytes).await.0, no(words));
    }
}

#[tokio::test]
async fn what_is_wrong_is_an_error() {
    let endless = frame(1, 0, 1, &[0x88]);
    let pieces = frame(9, 0, 1, &[0x88; 16_000]).repeat(3);
    for (bytes, words) in [
        (frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11]), "the server goes away (HTTP/2 code 11)"),
        (frame(3, 0, 1, &[0, 0, 0, 7]), "the server breaks off (HTTP/2 code 7)"),
        (frame(5, 4, 1, &[0, 0, 0, 2]), "the server pushes, which it was asked not to"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "what answers does not speak HTTP/2"),
        (frame(1, 5, 1, &[0xbe]), "the server sends headers that are none"),
        (frame(0, 9, 1, &[9, 0]), "the server sends a bad frame"),
        ([endless.clone(), good()].concat(), "the server does not end its headers"),
        ([endless, pieces].concat(), "the headers are longer than 32768 bytes"),
        // Each byte is a header, and each block is short.
        (frame(1, 4, 1, &[0x88; 1_000]).repeat(900), "the headers are longer than 32768 bytes"),
        (frame(1, 4, 1, &[0x20; 16_000]).repeat(3), "the headers are longer than 32768 bytes"),
        (frame(0, 0, 1, &[0; 16_000]).repeat(3), "the answer is longer than 32768 bytes"),
        (frame(8, 0, 0, &[0; 4]).repeat(2_000), "the answer does not end"),
        (frame(4, 0, 0, &[]), "the connection was closed before the answer"),
        (vec![], "the connection was closed before the answer"),
    ] {
        assert_eq!(told(bytes).await.0, Err(Error::Interrupted(words.to_owned())));
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let health = plain(listener.local_addr().unwrap().port());
    let deadline = Duration::from_millis(100);
    assert_eq!(health.check("", deadline).await, Err(Error::Timeout(deadline)));
}
