//! A blocking HTTP/1.1 client in a page: one request, one connection, a deadline.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names as sent, values trimmed.
    pub headers: Vec<(String, String)>,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
}

impl Response {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none, with status and body.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in an answer {}: {}", self.status, self.body))
    }
}

/// [`http_within`] ten seconds.
pub fn http(
    method: &str,
    address: &str,
    path: &str,
    body: impl AsRef<[u8]>,
) -> io::Result<Response> {
    http_within(Duration::from_secs(10), method, address, path, body)
}

/// Sends one request and reads the answer to its end. `address` is `host:port`, or the path of a
/// unix socket, recognized by its `/`. `timeout` bounds the whole of it.
pub fn http_within(
    timeout: Duration,
    method: &str,
    address: &str,
    path: &str,
    body: impl AsRef<[u8]>,
) -> io::Result<Response> {
    let deadline = Instant::now() + timeout;
    let mut stream = Stream::connect(address, timeout)?;
    let body = body.as_ref();
    let host = if address.contains('/') { "localhost" } else { address };
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    if !body.is_empty() || method != "GET" {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    stream.expire(deadline)?;
    // A server may answer and close before it has read a body that it refuses.
    let written = stream.write_all(&bytes);

    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        stream.expire(deadline)?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&chunk[..n]),
            // A read with a time limit is not restarted after a stop and a continuation.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(late()),
            Err(error) if answer.is_empty() => {
                written?;
                return Err(error);
            }
            Err(_) => break,
        }
        if complete(&answer) {
            break;
        }
    }
    parse(&answer)
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn connect(address: &str, timeout: Duration) -> io::Result<Self> {
        if address.contains('/') {
            return UnixStream::connect(address).map(Self::Unix);
        }
        let address = address
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::other("the address has no IP"))?;
        TcpStream::connect_timeout(&address, timeout).map(Self::Tcp)
    }

    fn expire(&self, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late());
        }
        match self {
            Self::Tcp(s) => s.set_read_timeout(Some(left)).and(s.set_write_timeout(Some(left))),
            Self::Unix(s) => s.set_read_timeout(Some(left)).and(s.set_write_timeout(Some(left))),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(s) => s.write_all(bytes),
            Self::Unix(s) => s.write_all(bytes),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.read(buffer),
            Self::Unix(s) => s.read(buffer),
        }
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no complete answer before the deadline")
}

/// Whether a body of a stated length is whole, so that a server need not close the connection.
pub(crate) fn complete(answer: &[u8]) -> bool {
    let Some(end) = find(answer, b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    if head.lines().any(|line| line.starts_with("transfer-encoding:") && line.contains("chunked")) {
        return answer.ends_with(b"0\r\n\r\n");
    }
    head.lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())
        .is_some_and(|length| answer.len() >= end + 4 + length)
}

pub(crate) fn parse(answer: &[u8]) -> io::Result<Response> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let end = find(answer, b"\r\n\r\n").ok_or_else(|| bad("the answer has no end of headers"))?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .ok_or_else(|| bad("the answer has no status"))?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let chunked = headers
        .iter()
        .any(|(n, v)| n.eq_ignore_ascii_case("transfer-encoding") && v.contains("chunked"));
    let raw = &answer[end + 4..];
    let body = if chunked { unchunk(raw).ok_or_else(|| bad("bad chunks"))? } else { raw.to_vec() };
    Ok(Response { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unchunk(mut raw: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = find(raw, b"\r\n")?;
        let size = std::str::from_utf8(&raw[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(raw.get(end + 2..end + 2 + size)?);
        raw = raw.get(end + 2 + size + 2..)?;
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_and_lengths_are_read() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert!(complete(chunked));
        assert_eq!(parse(chunked).unwrap().body, "abcde");
        let sized = b"HTTP/1.1 404 Not Found\r\nX-A:  b \r\nContent-Length: 2\r\n\r\nhi";
        assert!(complete(sized) && !complete(&sized[..sized.len() - 1]));
        let response = parse(sized).unwrap();
        assert_eq!((response.status, response.header("x-a")), (404, Some("b")));
    }

    #[test]
    fn a_silent_server_is_an_error_not_a_hang() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let error =
            http_within(Duration::from_millis(50), "GET", &address, "/", "").expect_err("silence");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
