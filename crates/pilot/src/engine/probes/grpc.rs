//! What a server says of its health by gRPC.

use std::time::Duration;

use config::catalog::Tls;
use http_client::{
    Address, Error,
    grpc::{Health, Serving},
};
use registry::tls;

use super::{authority, each, plain, unreachable};

/// A server, and about which of its services it is asked.
pub(super) struct Grpc {
    server: Health,
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
        let place = authority(name, port);
        let server = Health::build(&each(name, address), &place);
        let server = server.map_err(|error| error.to_string())?;
        Ok(Grpc { server, service: service.to_owned(), place })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Asks.
    pub(super) async fn find_out(&self, deadline: Duration) -> Result<String, String> {
        let place = &self.place;
        match self.server.check(&self.service, deadline).await {
            Ok(Serving::Yes) => Ok("SERVING".to_owned()),
            Ok(Serving::No(words)) => Err(words),
            Err(Error::Unreachable(why)) => {
                Err(format!("no connection to {place}: {}", unreachable(&why)))
            }
            Err(Error::Timeout(_)) => Err(format!("no answer from {place} within {deadline:?}")),
            Err(error) => Err(format!("{place}: {}", plain(&error.to_string()))),
        }
    }
}
