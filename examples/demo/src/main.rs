//! The application of `make demo`, and the few commands that its configurations call. It knows
//! nothing of the pilot: everything around it (starting, checking, registering, stopping) is in
//! the two configurations beside this package.
//!
//! - `demo shop PORT` serves HTTP: `GET /health`, and `POST /ill` and `POST /well` to change it.
//! - `demo get URL` succeeds if the answer is 200, like `curl --fail`.
//! - `demo post URL` sends an empty POST.
//! - `demo port` prints a port that nobody uses.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream, ToSocketAddrs as _},
    process::ExitCode,
    time::Duration,
};

/// Nobody here waits longer than that for anybody.
const PATIENCE: Duration = Duration::from_secs(2);

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["shop", port] => shop(port),
        ["get", url] => request("GET", url),
        ["post", url] => request("POST", url),
        ["port"] => port(),
        _ => Err("want one of: shop PORT, get URL, post URL, port".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until it is told to stop; one request at a time is plenty.
fn shop(port: &str) -> Outcome {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("the shop is open on port {port}");
    let mut well = true;
    for stream in listener.incoming() {
        let mut stream = stream?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // The whole head is read: a connection that is closed with bytes unread is reset.
        let head: Vec<String> = BufReader::new(&stream)
            .lines()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .collect();
        let mut words = head.first().map(String::as_str).unwrap_or_default().split_whitespace();
        let status = match (words.next(), words.next()) {
            (Some("POST"), Some("/ill")) => {
                well = false;
                "200 OK"
            }
            (Some("POST"), Some("/well")) => {
                well = true;
                "200 OK"
            }
            (Some("GET"), Some("/health")) if well => "200 OK",
            (Some("GET"), Some("/health")) => "503 Service Unavailable",
            _ => "404 Not Found",
        };
        // A client that has gone away is no reason to close the shop.
        let _ =
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    Ok(())
}

/// Sends a request that must be answered with 200.
fn request(method: &str, url: &str) -> Outcome {
    let rest = url.strip_prefix("http://").ok_or("want a URL that begins with http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = host.to_socket_addrs()?.next().ok_or("no such host")?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.lines().next().unwrap_or_default();
    if status.split_whitespace().nth(1) != Some("200") {
        return Err(format!("{url}: {status}").into());
    }
    Ok(())
}

fn port() -> Outcome {
    println!("{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    Ok(())
}
