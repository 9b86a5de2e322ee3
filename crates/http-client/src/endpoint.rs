//! Where the server is, and how to get there.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use hyper::header::HeaderValue;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::connection::{Connection, Duplex};
use crate::{Address, BuildError, Name, Tls, tls};

/// One server.
pub(crate) struct Endpoint {
    /// For the log.
    name: String,
    way: Way,
}

enum Way {
    /// TCP, with TLS on top if there is a connector.
    Tcp { host: Host, port: u16, tls: Option<(TlsConnector, ServerName<'static>)> },
    /// A unix socket.
    Unix(PathBuf),
}

/// A literal address needs no resolver, which may hang.
pub(crate) enum Host {
    Address(IpAddr),
    Name(Name),
}

impl Host {
    fn new(text: &str) -> Host {
        text.parse().map_or_else(|_| Host::Name(Name::new(text)), Host::Address)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What is spoken over a connection, of which TLS tells the peer in advance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// What everybody understands: nothing is told.
    Http1,
    Http2,
}

/// Reads the certificates.
pub(crate) fn build(
    addresses: &[Address],
    protocol: Protocol,
) -> Result<Vec<Endpoint>, BuildError> {
    if addresses.is_empty() {
        return Err(BuildError::Option("no address is given".to_owned()));
    }
    // Servers with the same options share what is read for them, which may be hundreds of
    // authorities.
    let mut connectors: Vec<(&Tls, TlsConnector)> = Vec::new();
    let mut connector = |options| match connectors.iter().find(|(other, _)| *other == options) {
        Some((_, connector)) => Ok(connector.clone()),
        None => {
            let connector = tls::connector(options, protocol)?;
            connectors.push((options, connector.clone()));
            Ok::<_, BuildError>(connector)
        }
    };
    let endpoint = |address: &Address, way| Endpoint { name: address.to_string(), way };
    let mut endpoints = Vec::new();
    for address in addresses {
        let way = match address {
            Address::Unix(path) => Way::Unix(path.clone()),
            Address::Http { host, port } => {
                Way::Tcp { host: Host::new(host), port: *port, tls: None }
            }
            Address::Https { host, port, tls } => {
                let name = tls.server_name.as_ref().unwrap_or(host);
                let name = ServerName::try_from(name.clone()).map_err(|_| {
                    let fault = "is no host name that a certificate can have";
                    BuildError::Option(format!("{name:?} {fault}"))
                })?;
                let tls = Some((connector(tls)?, name));
                Way::Tcp { host: Host::new(host), port: *port, tls }
            }
        };
        endpoints.push(endpoint(address, way));
    }
    Ok(endpoints)
}

impl Endpoint {
    pub(crate) fn host_header(&self) -> HeaderValue {
        let text = match &self.way {
            Way::Tcp { host: Host::Address(IpAddr::V6(ip)), port, .. } => format!("[{ip}]:{port}"),
            Way::Tcp { host: Host::Address(ip), port, .. } => format!("{ip}:{port}"),
            Way::Tcp { host: Host::Name(name), port, .. } => format!("{}:{port}", name.host()),
            Way::Unix(_) => "localhost".to_owned(),
        };
        // A name that is no header value does not resolve either; dialling says so.
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("localhost"))
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if matches!(self.way, Way::Tcp { tls: Some(_), .. }) { "https" } else { "http" }
    }

    /// A connection for HTTP/1.1; see [`Endpoint::stream`].
    pub(crate) async fn dial(&self, time: Duration) -> Result<Connection, String> {
        self.stream(time, Protocol::Http1).await.map(Connection::on)
    }

    /// Connects; a name is resolved anew. The caller sees to the deadline, `time` from now. The
    /// error says what was tried.
    pub(crate) async fn stream(
        &self,
        time: Duration,
        protocol: Protocol,
    ) -> Result<Box<dyn Duplex>, String> {
        Ok(match &self.way {
            Way::Unix(path) => {
                let stream = UnixStream::connect(path).await;
                Box::new(stream.map_err(|error| error.to_string())?)
            }
            Way::Tcp { host, port, tls } => {
                let tcp = tcp(host, *port, time).await?;
                // Handshakes and frames are several small writes that are waited for one by one; a
                // plain request is a single one, and its answer acknowledges it.
                if tls.is_some() || protocol == Protocol::Http2 {
                    let _ = tcp.set_nodelay(true);
                }
                match tls {
                    None => Box::new(tcp),
                    Some((connector, name)) => {
                        let tls = connector.connect(name.clone(), tcp).await;
                        Box::new(tls.map_err(|error| in_words(&error))?)
                    }
                }
            }
        })
    }
}

/// What is wrong with a handshake.
fn in_words(error: &std::io::Error) -> String {
    let fault = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match fault {
        Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => {
            "TLS: what comes back is no TLS: is it plain http?".to_owned()
        }
        // Its own words are made for developers.
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(why))) => {
            format!("TLS: invalid peer certificate: {}", why.0)
        }
        _ => format!("TLS: {error}"),
    }
}

async fn tcp(host: &Host, port: u16, time: Duration) -> Result<TcpStream, String> {
    match host {
        Host::Address(ip) => connect(SocketAddr::new(*ip, port)).await,
        Host::Name(name) => {
            let found = name.addresses(port).await;
            let found = found.map_err(|error| format!("the name does not resolve: {error}"))?;
            // One address that swallows packets must leave time for the next.
            let each = time / u32::try_from(found.len().clamp(1, 4)).unwrap_or(1);
            let mut reasons = Vec::new();
            for address in found {
                let attempt = tokio::time::timeout(each, connect(address)).await;
                match attempt.unwrap_or_else(|_| Err(format!("no answer within {each:?}"))) {
                    Ok(stream) => return Ok(stream),
                    Err(reason) => reasons.push(format!("{address}: {reason}")),
                }
            }
            match reasons.is_empty() {
                true => Err("the name has no address".to_owned()),
                false => Err(reasons.join("; ")),
            }
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    TcpStream::connect(address).await.map_err(|error| error.to_string())
}
