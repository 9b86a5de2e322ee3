//! What a server says of its health, by `grpc.health.v1`.

use std::time::Duration;

use http_client::Address;
use http_client::grpc::{Health, Serving};
use hyper::http::uri::Authority;

use crate::definition::GrpcProbe;

/// Ends well if the server says that it serves.
pub(super) async fn ask(server: &GrpcProbe, limit: Duration) -> Result<(), String> {
    let found = health(&server.address)?.check(&server.service, limit).await;
    match found.map_err(|error| format!("{}: {error}", server.address))? {
        Serving::Yes => Ok(()),
        Serving::No(words) => Err(words),
    }
}

fn health(address: &str) -> Result<Health, String> {
    let place = address.parse::<Authority>().ok();
    let place = place.and_then(|place| {
        let host = place.host().trim_matches(['[', ']']).to_owned();
        Some(Address::Http { host, port: place.port_u16()? })
    });
    let place = place.ok_or_else(|| format!("{address:?} is no address: want \"host:port\""))?;
    Health::build(&[place], address).map_err(|error| error.to_string())
}
