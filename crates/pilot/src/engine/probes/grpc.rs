//! What a server says of its health by gRPC.

use std::time::Duration;

use config::catalog::Tls;
use http_client::{
    Address, Error,
    grpc::{Health, Serving},
};
use registry::tls;

use super::{authority, plain, tcp::known_addresses};

/// A server, and about which of its services it is asked.
pub(super) struct Grpc {
    /// One for each address that is known without a resolver; the first that answers counts.
    servers: Vec<Health>,
    service: String,
    place: String,
}

impl Grpc {
    /// Reads certificates.
    pub(super) fn build(
        name: &str,
        port: u16,
        service: &str,
        settings: Option<&Tls>,
    ) -> Result<Grpc, String> {
        let address = |host: String| match settings {
            None => Address::Http { host, port },
            Some(settings) => {
                // The certificate is the name's, whichever address is asked.
                let mut tls = tls(settings);
                tls.server_name.get_or_insert_with(|| name.to_owned());
                Address::Https { host, port, tls }
            }
        };
        let known: Vec<String> = known_addresses(name).map(|ip| ip.to_string()).collect();
        let hosts = if known.is_empty() { vec![name.to_owned()] } else { known };
        let servers = hosts.into_iter().map(|host| Health::build(&address(host)));
        Ok(Grpc {
            servers: servers.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
            service: service.to_owned(),
            place: authority(name, port),
        })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Asks.
    pub(super) async fn find_out(&self, deadline: Duration) -> Result<String, String> {
        let place = &self.place;
        let mut unreachable = String::new();
        for server in &self.servers {
            match server.check(&self.service, deadline).await {
                Ok(Serving::Yes) => return Ok("SERVING".to_owned()),
                Ok(Serving::No(words)) => return Err(words),
                Err(Error::Unreachable(why)) => {
                    let why = plain(&why).to_lowercase();
                    unreachable = format!("no connection to {place}: {why}");
                }
                Err(Error::Timeout(_)) => {
                    return Err(format!("no answer from {place} within {deadline:?}"));
                }
                Err(error) => return Err(format!("{place}: {}", plain(&error.to_string()))),
            }
        }
        Err(unreachable)
    }
}
