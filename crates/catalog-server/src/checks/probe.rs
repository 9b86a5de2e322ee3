//! One look at a checked service, with a deadline. Outputs read as Consul's.

use std::io;
use std::time::Duration;

use http_client::{Address, Call, Client, Repeat, Tls};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{grpc, script};
use crate::definition::{HttpProbe, Pace, Probe, Verify};
use crate::store::Status;

/// Makes one check again and again.
pub(crate) struct Maker<'a> {
    probe: &'a Probe,
    pace: Pace,
    /// For HTTP checks: reading the authorities that the system trusts takes a while.
    client: Option<Result<HttpCheck, String>>,
}

/// An HTTP check's request, ready to be sent.
struct HttpCheck {
    client: Client,
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl<'a> Maker<'a> {
    /// What cannot be done is said when it is tried: Consul takes any check, too.
    pub(crate) fn new(probe: &'a Probe, pace: Pace) -> Self {
        let client = match probe {
            Probe::Http(request, _) => Some(HttpCheck::new(request)),
            _ => None,
        };
        Self { probe, pace, client }
    }

    /// Makes the check once.
    pub(crate) async fn make(&self) -> (Status, String) {
        let limit = self.pace.timeout;
        match (self.probe, &self.client) {
            (Probe::Http(request, _), Some(check)) => self.http(request, check.as_ref()).await,
            (Probe::Tcp(address, _), _) => match connect(address, limit).await {
                Ok(_) => (Status::Passing, format!("TCP connect {address}: Success")),
                Err(error) => (Status::Critical, error),
            },
            (Probe::Grpc(server, _), _) => match grpc::ask(server, limit).await {
                Ok(()) => (Status::Passing, format!("gRPC check {}: success", server.target)),
                Err(error) => (Status::Critical, error),
            },
            (Probe::Script(args, _), _) => script::run(args, self.pace).await,
            // Clients make these.
            (Probe::Ttl(_) | Probe::Http(..), _) => (Status::Critical, String::new()),
        }
    }

    async fn http(
        &self,
        request: &HttpProbe,
        check: Result<&HttpCheck, &String>,
    ) -> (Status, String) {
        let HttpProbe { method, url, body, .. } = request;
        let answer = match check {
            Ok(check) => check.send(body, self.pace).await,
            Err(error) => Err(error.clone()),
        };
        match answer {
            Ok((code, text)) => {
                let status = match code {
                    200..=299 => Status::Passing,
                    429 => Status::Warning,
                    _ => Status::Critical,
                };
                (status, format!("HTTP {} {url}: {text}", verb(method)))
            }
            Err(error) => (Status::Critical, format!("{} {url:?}: {error}", verb(method))),
        }
    }
}

fn verb(method: &str) -> &str {
    if method.is_empty() { "GET" } else { method }
}

impl HttpCheck {
    fn new(request: &HttpProbe) -> Result<Self, String> {
        let url: Uri = request.url.parse().map_err(|error| format!("no URL: {error}"))?;
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err("the URL has no host".to_owned());
        }
        let tls = Tls { insecure: request.verify == Verify::Nothing, ..Tls::default() };
        let address = match url.scheme_str() {
            Some("http") => Address::Http { host, port: url.port_u16().unwrap_or(80) },
            Some("https") => Address::Https { host, port: url.port_u16().unwrap_or(443), tls },
            _ => return Err("the URL begins with neither http:// nor https://".to_owned()),
        };
        let client = Client::build(&[address], Vec::new()).map_err(|error| error.to_string())?;
        let method = verb(&request.method);
        let method = method.parse().map_err(|_| format!("{method:?} is no method"))?;
        let path = url.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            let pair = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            headers.push(pair.ok_or_else(|| format!("{name}: {value:?} is no header"))?);
        }
        for (name, value) in
            [(USER_AGENT, "Consul Health Check"), (ACCEPT, "text/plain, text/*, */*")]
        {
            if headers.iter().all(|(own, _)| *own != name) {
                headers.push((name, HeaderValue::from_static(value)));
            }
        }
        Ok(Self { client, method, path, headers })
    }

    /// Status, and the text that Consul makes of an answer.
    async fn send(&self, body: &str, pace: Pace) -> Result<(u16, String), String> {
        let call = Call {
            headers: &self.headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
            repeat: Repeat::Forbidden,
            ..Call::new(self.method.clone(), &self.path, pace.timeout)
        };
        let answered = timeout(pace.timeout, async {
            let mut answer = self.client.open(call).await.map_err(|error| error.to_string())?;
            let mut kept = Vec::new();
            // Past the kept output nothing matters: an answer that breaks off is one, too.
            while let Ok(Some(chunk)) = answer.chunk().await {
                kept.extend_from_slice(&chunk);
                if kept.len() >= pace.output {
                    break;
                }
            }
            kept.truncate(pace.output);
            let text = String::from_utf8_lossy(&kept).into_owned();
            Ok((answer.status.as_u16(), format!("{} Output: {text}", answer.status)))
        });
        answered.await.unwrap_or_else(|_| Err(format!("no answer within {:?}", pace.timeout)))
    }
}

/// Connects to `host:port`.
pub(super) async fn connect(address: &str, limit: Duration) -> Result<TcpStream, String> {
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
