//! One request, and what its answer means.

use std::time::Duration;

use http_client::{Call, EndpointId, Reply};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use tokio::time::Instant;

use catalog::Error;

use crate::Consul;

/// Who does what is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The agent itself.
    Agent,
    /// The servers behind it.
    Cluster,
}

impl Consul {
    pub(crate) async fn put(
        &self,
        path: &str,
        body: Vec<u8>,
        scope: Scope,
    ) -> Result<Reply, Error> {
        let call = Call { body: Bytes::from(body), ..Call::new(Method::PUT, path, self.timeout) };
        self.send(call, scope).await
    }

    pub(crate) async fn get(&self, path: &str, scope: Scope) -> Result<Reply, Error> {
        self.send(Call::new(Method::GET, path, self.timeout), scope).await
    }

    pub(crate) async fn send(&self, call: Call<'_>, scope: Scope) -> Result<Reply, Error> {
        let answer = self.answer(call).await;
        self.pass_over(&answer);
        self.judge(answer, scope).await
    }

    /// Whatever the current agent answers.
    pub(crate) async fn answer(&self, call: Call<'_>) -> Result<Reply, Error> {
        let reply = self.dispatch(None, call).await?;
        if !is_gateway_error(reply.status) {
            self.answered(reply.endpoint);
        }
        Ok(reply)
    }

    /// Goes on to the next agent if what stands in front of this one has lost it. Nobody can tell from
    /// the end of a request that waits for a change, which may just have waited too long for it.
    pub(crate) fn pass_over(&self, answer: &Result<Reply, Error>) {
        if let Ok(reply) = answer
            && is_gateway_error(reply.status)
        {
            self.client.avoid(reply.endpoint);
        }
    }

    /// What an answer means, or that there is none.
    pub(crate) async fn judge(
        &self,
        answer: Result<Reply, Error>,
        scope: Scope,
    ) -> Result<Reply, Error> {
        let outcome = answer.and_then(succeed);
        if scope == Scope::Cluster {
            self.cluster_answered(&outcome).await;
        }
        outcome
    }

    /// Sends with the token, to the current agent or to this one.
    pub(crate) async fn dispatch(
        &self,
        to: Option<EndpointId>,
        call: Call<'_>,
    ) -> Result<Reply, http_client::Error> {
        let mut token = self.token.as_ref().map(|file| file.header(Instant::now()));
        loop {
            let call = Call { headers: token.as_slice(), ..call.clone() };
            // What is rare is boxed, for the others' sake: thousands of requests may wait.
            let reply = match to {
                None => self.client.send(call).await?,
                Some(endpoint) => Box::pin(self.client.send_to(endpoint, call)).await?,
            };
            let (Some(file), Some(refused)) = (&self.token, &token) else { return Ok(reply) };
            if reply.status != StatusCode::FORBIDDEN {
                return Ok(reply);
            }
            match file.after_refusal(refused) {
                Some(other) => token = Some(other),
                None => return Ok(reply),
            }
        }
    }

    /// Deadline of a read that may wait for a change so long. One that does not is given the usual
    /// deadline twice: a cluster without a leader holds it for some 7 s (`rpc_hold_timeout`) before it
    /// says so, and that is better known than guessed.
    pub(crate) fn deadline(&self, wait: Duration) -> Duration {
        // Consul adds up to a sixteenth, so that not all come back at once.
        wait + wait / 16 + self.timeout
    }
}

/// What stands in front of the agent has lost it.
fn is_gateway_error(status: StatusCode) -> bool {
    [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT]
        .contains(&status)
}

/// What an answer means by its status. Consul up to 1.10 says that it does not have something
/// with status 500 and a sentence, later ones with 404.
pub(crate) fn succeed(reply: Reply) -> Result<Reply, Error> {
    if reply.status.is_success() {
        return Ok(reply);
    }
    let said = said(&reply.body);
    let text = format!("HTTP {}: {said}", reply.status.as_u16());
    let unknown =
        ["does not have associated TTL", "nknown service", "nknown check", "invalid session"];
    Err(match reply.status {
        StatusCode::NOT_FOUND => Error::Unknown,
        StatusCode::INTERNAL_SERVER_ERROR if unknown.iter().any(|part| said.contains(part)) => {
            Error::Unknown
        }
        status if is_gateway_error(status) => Error::Interrupted(text),
        StatusCode::TOO_MANY_REQUESTS => Error::Failed(text),
        status if status.is_server_error() => Error::Failed(text),
        StatusCode::BAD_REQUEST if said.contains("Enterprise feature") => Error::Refused(format!(
            "{text}: this Consul has no namespaces and partitions; leave them out"
        )),
        _ => Error::Refused(text),
    })
}

/// The beginning of what the server said, fit for a line of a log.
fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim().chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
