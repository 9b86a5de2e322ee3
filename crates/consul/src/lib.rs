//! Consul, by way of the HTTP API of its agent.

mod options;
mod wire;

pub use http_client::{Address, BuildError, Tls};
pub use options::{Options, Token};

use std::fmt::Write as _;
use std::time::Duration;

use http_client::{Call, Client, Reply, encode};
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use catalog::{
    Answer, Catalog, Error, Index, Query, Reachability, Registered, Registration, Snapshot, Status,
};

/// Longest answer about a service's instances.
const INSTANCES_LIMIT: usize = 16 << 20;

/// Longest answer of the agent about one service, or of what it says to a change.
const ANSWER_LIMIT: usize = 256 << 10;

/// A Consul agent.
pub struct Consul {
    client: Client,
    timeout: Duration,
    reachability: Reachability,
}

impl Consul {
    /// Reads the certificates. Whatever can be wrong with the options is found here; nothing is
    /// sent.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what it should, or a name that is none.
    pub fn build(options: Options) -> Result<Consul, BuildError> {
        let addresses: Vec<String> = options.addresses.iter().map(ToString::to_string).collect();
        let name = format!("consul at {}", addresses.join(", "));
        let mut headers = Vec::new();
        if let Some(Token::Value(token)) = &options.token {
            let mut value = HeaderValue::from_str(token).map_err(|_| {
                BuildError::Option("the token holds characters that no token has".to_owned())
            })?;
            value.set_sensitive(true);
            headers.push((HeaderName::from_static("x-consul-token"), value));
        }
        let client = Client::build(&options.addresses, headers)?;
        let reachability = Reachability::new(name);
        Ok(Consul { client, timeout: options.timeout, reachability })
    }

    async fn put(&self, path: &str, body: Vec<u8>) -> Result<(), Error> {
        let body = Bytes::from(body);
        let call = Call { body, ..Call::new(Method::PUT, path, self.timeout) };
        succeed(self.client.send(call).await?).map(|_| ())
    }

    async fn get(&self, path: &str, deadline: Duration, limit: usize) -> Result<Reply, Error> {
        let call = Call { limit, ..Call::new(Method::GET, path, deadline) };
        succeed(self.client.send(call).await?)
    }
}

impl Catalog for Consul {
    fn reachability(&self) -> &Reachability {
        &self.reachability
    }

    fn register<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        output: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let body = wire::service(registration, status)?;
            self.put("/v1/agent/service/register", body).await.map_err(known)?;
            // A registration cannot carry the check's output.
            if output.is_empty() { Ok(()) } else { self.update(registration, status, output).await }
        })
    }

    fn heartbeat<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        output: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(self.update(registration, status, output))
    }

    fn deregister<'a>(&'a self, registration: &'a Registration) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut path = String::from("/v1/agent/service/deregister/");
            encode(&mut path, &registration.id);
            match self.put(&path, Vec::new()).await {
                Err(Error::Unknown) => Ok(()),
                other => other,
            }
        })
    }

    fn lookup<'a>(&'a self, registration: &'a Registration) -> Answer<'a, Option<Registered>> {
        Box::pin(async move {
            let mut path = String::from("/v1/agent/service/");
            encode(&mut path, &registration.id);
            match self.get(&path, self.timeout, ANSWER_LIMIT).await {
                Ok(reply) => wire::registered(&reply.body).map(Some),
                Err(Error::Unknown) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn instances<'a>(
        &'a self,
        query: &'a Query,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Snapshot> {
        Box::pin(async move {
            let (path, deadline) = match after {
                None => (health_path(query), self.timeout),
                Some(index) => {
                    let mut path = health_path(query);
                    let _ = write!(path, "&index={}&wait={}ms", index.0, wait.as_millis());
                    // Consul adds up to a sixteenth, so that not all come back at once.
                    (path, wait + wait / 16 + self.timeout)
                }
            };
            let reply = self.get(&path, deadline, INSTANCES_LIMIT).await.map_err(known)?;
            let index = reply
                .headers
                .get("x-consul-index")
                .and_then(|value| value.to_str().ok()?.parse().ok())
                .unwrap_or(0u64);
            // Below 1 a query does not block.
            Ok(Snapshot { instances: wire::instances(&reply.body)?, index: Index(index.max(1)) })
        })
    }
}

impl Consul {
    async fn update(&self, wanted: &Registration, to: Status, output: &str) -> Result<(), Error> {
        let plain = to == Status::Passing && output.is_empty();
        let mut path =
            String::from(if plain { "/v1/agent/check/pass/" } else { "/v1/agent/check/update/" });
        encode(&mut path, &wanted.check_id);
        let body = if plain { Vec::new() } else { wire::update(to, output)? };
        self.put(&path, body).await
    }
}

fn health_path(query: &Query) -> String {
    let mut path = String::from("/v1/health/service/");
    encode(&mut path, &query.service);
    path.push_str("?passing=1");
    for (name, value) in [("&tag=", &query.tag), ("&dc=", &query.datacenter)] {
        if let Some(value) = value {
            path.push_str(name);
            encode(&mut path, value);
        }
    }
    path
}

/// A path that every agent has. One who does not know it is something else.
fn known(error: Error) -> Error {
    match error {
        Error::Unknown => Error::Refused(
            "HTTP 404: what answers there does not know Consul's paths; is it a Consul agent?"
                .to_owned(),
        ),
        other => other,
    }
}

/// What an answer means by its status. Consul up to 1.10 says that it does not have something
/// with status 500 and a sentence, later ones with 404.
fn succeed(reply: Reply) -> Result<Reply, Error> {
    if reply.status.is_success() {
        return Ok(reply);
    }
    let said = said(&reply.body);
    let text = format!("HTTP {}: {said}", reply.status.as_u16());
    let unknown = ["does not have associated TTL", "nknown service", "nknown check"];
    Err(match reply.status {
        StatusCode::NOT_FOUND => Error::Unknown,
        StatusCode::INTERNAL_SERVER_ERROR if unknown.iter().any(|part| said.contains(part)) => {
            Error::Unknown
        }
        // What stands in front of the agent has lost it.
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Error::Interrupted(text)
        }
        StatusCode::TOO_MANY_REQUESTS => Error::Failed(text),
        status if status.is_server_error() => Error::Failed(text),
        _ => Error::Refused(text),
    })
}

/// The beginning of what the server said, fit for a line of a log.
fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim().chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
