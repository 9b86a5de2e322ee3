//! Whether somebody accepts connections.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use http_client::Name;
use tokio::net::TcpStream;

use super::{authority, reason};

/// An address, or a name that is resolved each time.
pub(super) struct Tcp {
    host: Name,
    port: u16,
    place: String,
}

impl Tcp {
    pub(super) fn new(host: &str, port: u16) -> Tcp {
        Tcp { host: Name::new(host), port, place: authority(host, port) }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Connects to one address after the other; the connection is closed at once.
    pub(super) async fn find_out(&self, deadline: Duration) -> Result<String, String> {
        let addresses = self.addresses().await;
        let addresses = addresses.map_err(|error| {
            format!("{} does not resolve: {}", self.host.host(), reason(&error))
        })?;
        let accepts = |address| Ok(format!("{address} accepts connections"));
        // Until the whole deadline, to which others see.
        if let [address] = addresses[..] {
            return match TcpStream::connect(address).await {
                Ok(_) => accepts(address),
                Err(error) => Err(format!("no connection to {address}: {}", reason(&error))),
            };
        }
        // One that swallows packets must leave time for the next.
        let each = deadline / u32::try_from(addresses.len().clamp(1, 4)).unwrap_or(1);
        let mut tried = Vec::new();
        for address in addresses {
            tried.push(match tokio::time::timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(_)) => return accepts(address),
                Ok(Err(error)) => format!("to {address}: {}", reason(&error)),
                Err(_) => format!("to {address} within {each:?}"),
            });
        }
        match tried.is_empty() {
            true => Err(format!("{} has no address", self.host.host())),
            false => Err(format!("no connection {}", tried.join(", nor "))),
        }
    }

    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let known = known_addresses(self.host.host()).map(|ip| SocketAddr::new(ip, self.port));
        let known: Vec<SocketAddr> = known.collect();
        if !known.is_empty() {
            return Ok(known);
        }
        self.host.addresses(self.port).await
    }
}

/// What needs no resolver: an address, and the name that means our own host everywhere (RFC 6761).
pub(super) fn known_addresses(host: &str) -> impl Iterator<Item = IpAddr> {
    let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let local = local.into_iter().filter(|_| host.eq_ignore_ascii_case("localhost"));
    host.parse().into_iter().chain(local)
}
