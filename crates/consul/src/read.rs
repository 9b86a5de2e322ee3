//! Reading what the cluster knows, and waiting for it to change.

use std::fmt::Write as _;
use std::time::Duration;

use http_client::{Call, Repeat, Reply, encode};
use hyper::{Method, StatusCode};

use catalog::{Error, Index};

use crate::Consul;
use crate::request::Scope;

/// Longest answer about instances or keys.
const LIMIT: usize = 16 << 20;

const INDEX: &str = "x-consul-index";

/// How fresh an answer must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// What any server knows, if that is not too old for the options; else what the leader knows.
    Allowed,
    /// What the leader knows, having made sure that it is still the leader.
    Consistent,
}

/// An answer to a read.
pub(crate) struct Found {
    pub(crate) body: Vec<u8>,
    pub(crate) index: Index,
}

impl Consul {
    /// Reads `path`, to which parameters can be appended.
    pub(crate) async fn read(
        &self,
        path: &str,
        freshness: Freshness,
        after: Option<Index>,
        wait: Duration,
    ) -> Result<Found, Error> {
        let Some(limit) = self.max_stale.filter(|_| freshness == Freshness::Allowed) else {
            let mode = if freshness == Freshness::Consistent { "&consistent" } else { "" };
            return self.look(path, mode, after, wait).await.map(|(found, _)| found);
        };
        let (found, age) = self.look(path, "&stale", after, wait).await?;
        // A server that lags behind has not seen what we have seen already.
        if age.is_some_and(|age| age <= limit) && after.is_none_or(|after| found.index >= after) {
            return Ok(found);
        }
        log::debug!("{path}: an answer that is too old");
        // At once: the time to wait may be over.
        Box::pin(self.look(path, "", None, wait)).await.map(|(found, _)| found)
    }

    /// An answer, and how long ago who gave it has heard of the leader; `None`: it knows of none.
    async fn look(
        &self,
        path: &str,
        mode: &str,
        after: Option<Index>,
        wait: Duration,
    ) -> Result<(Found, Option<Duration>), Error> {
        let mut path = format!("{path}{mode}");
        if let Some(index) = after {
            let _ = write!(path, "&index={}&wait={}ms", index.0, wait.as_millis().max(1));
        }
        let deadline = self.deadline(after.map_or(self.timeout, |_| wait));
        // A server that is new would hold a question after the old one's index for all of `wait`.
        let repeat = if after.is_some() { Repeat::Unwanted } else { Repeat::Harmless };
        let call = Call { limit: LIMIT, repeat, ..Call::new(Method::GET, &path, deadline) };
        let mut answer = self.answer(call).await;
        if after.is_none() {
            self.pass_over(&answer);
        }
        // A key that is not there is an answer like any other.
        if let Ok(reply) = &mut answer
            && reply.status == StatusCode::NOT_FOUND
            && reply.headers.contains_key(INDEX)
        {
            reply.status = StatusCode::OK;
            reply.body = b"[]".to_vec();
        }
        let reply = self.judge(answer, Scope::Cluster).await.map_err(known)?;
        // Below 1 a query does not block.
        let index = Index(number(&reply, INDEX).unwrap_or(0).max(1));
        let age = match header(&reply, "x-consul-knownleader") {
            Some("false") => None,
            _ => Some(Duration::from_millis(number(&reply, "x-consul-lastcontact").unwrap_or(0))),
        };
        Ok((Found { body: reply.body, index }, age))
    }
}

/// A key, and what is asked of it.
pub(crate) fn key_path(key: &str, verb: &str) -> String {
    let mut path = String::from("/v1/kv/");
    encode(&mut path, key);
    path.push('?');
    path.push_str(verb);
    path
}

pub(crate) fn parameter(path: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        path.push_str(name);
        encode(path, value);
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.get(name)?.to_str().ok()
}

fn number(reply: &Reply, name: &str) -> Option<u64> {
    header(reply, name)?.parse().ok()
}

/// A path that every agent has. One who does not know it is something else.
pub(crate) fn known(error: Error) -> Error {
    match error {
        Error::Unknown => Error::Refused(
            "HTTP 404: what answers there does not know Consul's paths; is it a Consul agent?"
                .to_owned(),
        ),
        other => other,
    }
}

/// Consul sends whoever asks for a key like `/a`, `a//b` or `a/../b` to another one.
pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    let odd = |part: &str| matches!(part, "." | "..");
    if key.starts_with('/') || key.contains("//") || key.split('/').any(odd) {
        let fault = "begins with `/`, or has an empty part or one of dots";
        return Err(Error::Refused(format!("Consul has no key `{key}`: it {fault}")));
    }
    Ok(())
}
