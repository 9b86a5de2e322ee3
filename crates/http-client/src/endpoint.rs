//! Where the server is, and how to get there.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::{Address, BuildError, tls};

/// One server.
pub(crate) enum Endpoint {
    /// TCP, with TLS on top if there is a connector.
    Tcp { host: Host, port: u16, tls: Option<(TlsConnector, ServerName<'static>)> },
    /// A unix socket.
    Unix(PathBuf),
}

/// A literal address needs no resolver, which may hang.
pub(crate) enum Host {
    Address(IpAddr),
    Name(String),
}

impl Host {
    fn new(text: &str) -> Host {
        text.parse().map_or_else(|_| Host::Name(text.to_owned()), Host::Address)
    }
}

/// A connection of any kind. Boxed, so that the HTTP code exists once.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host: Host::Address(IpAddr::V6(ip)), port, .. } => {
                write!(f, "[{ip}]:{port}")
            }
            Endpoint::Tcp { host: Host::Address(ip), port, .. } => write!(f, "{ip}:{port}"),
            Endpoint::Tcp { host: Host::Name(name), port, .. } => write!(f, "{name}:{port}"),
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Endpoint {
    /// Reads the certificates.
    pub(crate) fn build(address: &Address) -> Result<Self, BuildError> {
        Ok(match address {
            Address::Unix(path) => Endpoint::Unix(path.clone()),
            Address::Http { host, port } => {
                Endpoint::Tcp { host: Host::new(host), port: *port, tls: None }
            }
            Address::Https { host, port, tls } => {
                let name = tls.server_name.as_ref().unwrap_or(host);
                let name = ServerName::try_from(name.clone()).map_err(|_| {
                    let fault = "is no host name that a certificate can have";
                    BuildError::Option(format!("{name:?} {fault}"))
                })?;
                let tls = Some((tls::connector(tls)?, name));
                Endpoint::Tcp { host: Host::new(host), port: *port, tls }
            }
        })
    }

    pub(crate) fn host_header(&self) -> HeaderValue {
        let text = match self {
            Endpoint::Tcp { .. } => self.to_string(),
            Endpoint::Unix(_) => "localhost".to_owned(),
        };
        // A name that is no header value does not resolve either; dialling says so.
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("localhost"))
    }

    /// Connects. The caller sets the deadline. The error says what was tried.
    pub(crate) async fn dial(&self) -> Result<TokioIo<Box<dyn Stream>>, String> {
        let stream: Box<dyn Stream> = match self {
            Endpoint::Unix(path) => {
                Box::new(UnixStream::connect(path).await.map_err(|error| error.to_string())?)
            }
            Endpoint::Tcp { host, port, tls } => {
                let tcp = tcp(host, *port).await?;
                match tls {
                    None => Box::new(tcp),
                    Some((connector, name)) => {
                        let tls = connector.connect(name.clone(), tcp).await;
                        Box::new(tls.map_err(|error| format!("TLS: {error}"))?)
                    }
                }
            }
        };
        Ok(TokioIo::new(stream))
    }
}

async fn tcp(host: &Host, port: u16) -> Result<TcpStream, String> {
    match host {
        Host::Address(ip) => connect(SocketAddr::new(*ip, port)).await,
        Host::Name(name) => {
            let found = tokio::net::lookup_host((name.as_str(), port))
                .await
                .map_err(|error| format!("the name does not resolve: {error}"))?;
            let mut last = Err("the name has no address".to_owned());
            let found: Vec<SocketAddr> = found.collect();
            // One address that swallows packets must leave time for the next.
            let each = crate::client::CONNECT / u32::try_from(found.len().clamp(1, 4)).unwrap_or(1);
            for address in found {
                let attempt = tokio::time::timeout(each, connect(address)).await;
                last = attempt
                    .unwrap_or_else(|_| Err(format!("no answer within {each:?}")))
                    .map_err(|error| format!("{address}: {error}"));
                if last.is_ok() {
                    break;
                }
            }
            last
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let tcp = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    // Requests are small and each is waited for. Without this they are only slower.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}
