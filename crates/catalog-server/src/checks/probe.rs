//! One look at a checked service, with a deadline. Outputs read as Consul's.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::definition::{HttpProbe, Probe};
use crate::store::Status;

/// How much of an answer is kept as the check's output.
const OUTPUT: usize = 4096;

/// Makes the check once.
pub(crate) async fn run(probe: &Probe, limit: Duration) -> (Status, String) {
    match probe {
        Probe::Ttl(_) => (Status::Critical, String::new()),
        Probe::Tcp(address, _) => match connect(address, limit).await {
            Ok(_) => (Status::Passing, format!("TCP connect {address}: Success")),
            Err(error) => (Status::Critical, error),
        },
        Probe::Http(request, _) => {
            let answer = timeout(limit, get(request, limit)).await;
            let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")));
            match answer {
                Ok((code, text)) => {
                    let status = match code {
                        200..=299 => Status::Passing,
                        429 => Status::Warning,
                        _ => Status::Critical,
                    };
                    (status, format!("HTTP {} {}: {text}", request.method, request.url))
                }
                Err(error) => {
                    (Status::Critical, format!("{} {:?}: {error}", request.method, request.url))
                }
            }
        }
    }
}

async fn connect(address: &str, limit: Duration) -> Result<TcpStream, String> {
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("dial tcp {address}: {}", reason(&error))),
        Err(_) => Err(format!("dial tcp {address}: i/o timeout")),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".into(),
        _ => error.to_string(),
    }
}

/// One HTTP/1.0 request: the server closes at the end and sends no chunks.
async fn get(request: &HttpProbe, limit: Duration) -> Result<(u16, String), String> {
    let Some(rest) = request.url.strip_prefix("http://") else {
        return Err("the development catalog checks http:// only".into());
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(at);
    let slash = if path.starts_with('/') { "" } else { "/" };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port { host.to_owned() } else { format!("{host}:80") };

    let mut text = format!("{} {slash}{path} HTTP/1.0\r\n", request.method);
    let named = |name: &str| request.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    for (name, default) in [("Host", host), ("User-Agent", "Consul Health Check")] {
        if !named(name) {
            text.push_str(&format!("{name}: {default}\r\n"));
        }
    }
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !request.body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
    }
    let clean = text.lines().all(|line| !line.contains('\r')) && !path.contains([' ', '\n', '\r']);
    if !clean {
        return Err("the URL or a header has a line break or blank in it".into());
    }
    text.push_str("\r\n");
    text.push_str(&request.body);

    let mut stream = connect(&address, limit).await?;
    stream.write_all(text.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    // Past the kept output nothing matters: closing early is an answer, too.
    let mut limited = stream.take(2 * OUTPUT as u64);
    loop {
        match limited.read_buf(&mut answer).await {
            Ok(0) => break,
            Ok(_) if whole(&answer) => break,
            Ok(_) => {}
            Err(_) if !answer.is_empty() => break,
            Err(error) => return Err(reason(&error)),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut words = head.lines().next().unwrap_or_default().splitn(3, ' ');
    let (version, code) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let code: u16 = match code.parse() {
        Ok(code) if version.starts_with("HTTP/") => code,
        _ => return Err("malformed HTTP response".into()),
    };
    let reason = words.next().unwrap_or_default();
    let body: String = body.chars().take(OUTPUT).collect();
    Ok((code, format!("{code} {reason} Output: {body}")))
}

/// Whether an answer of stated length is complete, for servers that do not close.
fn whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let start = answer.windows(4).position(|w| w == b"\r\n\r\n").map_or(0, |at| at + 4);
    length.is_some_and(|length| answer.len() - start >= length)
}
