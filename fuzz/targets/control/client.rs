//! A client whose server is not ours: it understands or complains, soon.

use std::time::Duration;

use control::{Client, Filter, News};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::time::Instant;

use crate::sockets;

/// Longer than an answer and a silence may take together.
const LONG: Duration = Duration::from_secs(70);

/// What the server does when it has sent everything.
#[derive(Clone, Copy)]
enum Server {
    Ends,
    Lingers,
}

impl Server {
    /// From the lowest bit.
    fn from_byte(byte: u8) -> Server {
        if byte & 1 == 0 { Server::Ends } else { Server::Lingers }
    }
}

/// A byte for the server and the size of its pieces, and a stream of events: where it is cut does
/// not matter.
pub(crate) fn check_events(input: &[u8]) {
    let Some((&byte, stream)) = input.split_first() else { return };
    let server = Server::from_byte(byte);
    let heard = events(server, stream, stream.len().max(1));
    assert_eq!(heard, events(server, stream, usize::from(byte) + 1));
}

fn events(server: Server, stream: &[u8], piece: usize) -> (Vec<News>, Result<(), String>) {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in stream.chunks(piece) {
        answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"\r\n");
    }
    if matches!(server, Server::Ends) {
        answer.extend_from_slice(b"0\r\n\r\n");
    }
    exchange(server, &answer, async |client| {
        let mut news = Vec::new();
        let outcome = client.events(&Filter::default(), |piece| news.push(piece)).await;
        (news, outcome.map_err(|error| error.to_string()))
    })
}

/// A byte for the server, and the raw answer to the question for a status.
pub(crate) fn check_answer(input: &[u8]) {
    let Some((&byte, answer)) = input.split_first() else { return };
    let outcome = exchange(Server::from_byte(byte), answer, async |client| client.status().await);
    if let Err(error) = outcome {
        // An empty message is the server's own.
        let refused = matches!(error, control::Error::Refused { .. });
        assert!(refused || !error.to_string().is_empty());
    }
}

/// Asks a server that answers with some bytes.
fn exchange<T>(server: Server, answer: &[u8], ask: impl AsyncFnOnce(&Client) -> T) -> T {
    sockets::run(async {
        let path = sockets::path();
        let listener = UnixListener::bind(&path).expect("a socket");
        let answer = answer.to_vec();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut request).await.expect("a request") == 0 {
                    break;
                }
            }
            // The client may have heard enough before the end.
            let _ = stream.write_all(&answer).await;
            if matches!(server, Server::Lingers) {
                let _ = stream.read_to_end(&mut request).await;
            }
        });
        let start = Instant::now();
        let outcome = ask(&Client::new(&path)).await;
        assert!(start.elapsed() < LONG, "took {:?}", start.elapsed());
        server.await.expect("a server");
        std::fs::remove_file(&path).expect("the socket");
        outcome
    })
}
