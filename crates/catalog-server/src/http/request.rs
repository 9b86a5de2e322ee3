//! A request: its path and parameters decoded, its body read within a limit, and how long it is
//! ready to wait.

use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Method;
use hyper::body::{Body, Incoming};

use super::{Refusal, Reply};
use crate::app::App;
use crate::duration;
use crate::random;
use crate::store::{Store, Topic};

/// Consul's limit for a key's value; here it holds for every body.
pub(crate) const BODY: usize = 512 * 1024;
/// How long a query waits that does not say.
const WAIT: Duration = Duration::from_secs(5 * 60);
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);
/// A client that stops in the middle of a body holds its connection no longer.
const UPLOAD: Duration = Duration::from_secs(30);

/// A request in parts.
#[derive(Debug)]
pub(crate) struct Request {
    method: Method,
    /// Decoded.
    pub(crate) path: String,
    pub(crate) raw_path: String,
    parameters: Vec<(String, String)>,
    body: Content,
}

/// A request's body.
#[derive(Debug)]
enum Content {
    /// All of it, no longer than is allowed.
    Whole(Vec<u8>),
    /// It may be under way, and longer than is allowed.
    Incoming(Incoming),
}

impl Request {
    /// A request that has arrived whole; `target` is its path and parameters as they were sent.
    pub(crate) fn whole(method: Method, target: &str, body: Vec<u8>) -> Result<Self, Refusal> {
        Self::new(method, target, Content::Whole(body))
    }

    /// A request whose body may be under way.
    pub(crate) fn incoming(method: Method, target: &str, body: Incoming) -> Result<Self, Refusal> {
        Self::new(method, target, Content::Incoming(body))
    }

    fn new(method: Method, target: &str, body: Content) -> Result<Self, Refusal> {
        let (raw_path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = decode(raw_path, false)
            .ok_or_else(|| Refusal::bad("the path is not percent-encoded UTF-8"))?;
        let mut parameters = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decode(name, true).zip(decode(value, true));
            let bad = || Refusal::bad("a parameter is not percent-encoded UTF-8");
            parameters.push(decoded.ok_or_else(bad)?);
        }
        Ok(Self { method, path, raw_path: raw_path.to_owned(), parameters, body })
    }

    /// The method, one of `allowed` (in Consul's order, such as `GET,PUT`).
    pub(crate) fn allow(&self, allowed: &'static str) -> Result<&Method, Refusal> {
        if allowed.split(',').any(|method| method == self.method.as_str()) {
            return Ok(&self.method);
        }
        let allow = match allowed {
            "GET" => "OPTIONS,GET",
            "PUT" => "OPTIONS,PUT",
            _ => "OPTIONS,GET,PUT,DELETE",
        };
        let (status, message) = match self.method {
            Method::OPTIONS => (200, String::new()),
            _ => (405, format!("method {} not allowed", self.method)),
        };
        Err(Refusal { status, message, allow: Some(allow) })
    }

    /// The first parameter of that name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All parameters of that name.
    pub(crate) fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether there is a parameter of that name, with a value or without.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.parameter(name).is_some()
    }

    /// A number; Consul's answer to what is none comes from its language.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.parameter(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            Refusal::new(500, format!("strconv.ParseUint: parsing {text:?}: invalid syntax"))
        })
    }

    /// At most one of these parameters may be there.
    pub(crate) fn one_of(&self, names: &[&str]) -> Result<(), Refusal> {
        if names.iter().filter(|name| self.has(name)).count() < 2 {
            return Ok(());
        }
        let mut all: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        all.sort();
        Err(Refusal::bad(&format!("Conflicting flags: {}", all.join("&"))))
    }

    /// The whole body; a second time it is empty.
    pub(crate) async fn body(&mut self) -> Result<Vec<u8>, Refusal> {
        let body = match std::mem::replace(&mut self.body, Content::Whole(Vec::new())) {
            Content::Whole(body) => return Ok(body),
            Content::Incoming(body) => body,
        };
        let too_large = |size: &str| {
            Refusal::new(413, format!("Request body({size}) too large, max size: {BODY} bytes."))
        };
        let stated = body.size_hint().lower();
        if stated > BODY as u64 {
            return Err(too_large(&format!("{stated} bytes")));
        }
        let reading = tokio::time::timeout(UPLOAD, Limited::new(body, BODY).collect());
        let read = reading.await.map_err(|_| Refusal::new(408, "the body did not arrive"))?;
        match read {
            Ok(body) => Ok(body.to_bytes().to_vec()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(too_large(&format!("more than {BODY} bytes")))
            }
            Err(error) => Err(Refusal::bad(&format!("the body cannot be read: {error}"))),
        }
    }

    /// A query: once the topic has changed, if the client asked to wait for that, the reply that
    /// `show` makes of the store, with the topic's index.
    pub(crate) async fn query(
        &self,
        app: &Rc<App>,
        topic: Topic,
        show: impl FnOnce(&Store) -> Reply,
    ) -> Result<Reply, Refusal> {
        self.own_datacenter(app)?;
        let (index, wait) = self.patience()?;
        app.changed(&topic, index, wait).await?;
        let store = app.store.borrow();
        Ok(show(&store).at(store.index(&topic)))
    }

    /// The index that the client has seen (0 if it does not wait), and how long it waits.
    pub(crate) fn patience(&self) -> Result<(u64, Duration), Refusal> {
        let wait = match self.parameter("wait").filter(|text| !text.is_empty()) {
            None => WAIT,
            Some(text) => duration::parse(text).ok_or_else(|| Refusal::bad("Invalid wait time"))?,
        };
        let index = match self.parameter("index").filter(|text| !text.is_empty()) {
            None => 0,
            Some(text) => text.parse().map_err(|_| Refusal::bad("Invalid index"))?,
        };
        let wait = wait.min(LONGEST_WAIT);
        // Clients that began together do not come back together.
        Ok((index, wait + random::up_to(wait / 16)))
    }

    /// There is one datacenter.
    pub(crate) fn own_datacenter(&self, app: &App) -> Result<(), Refusal> {
        match self.parameter("dc") {
            Some(dc) if !dc.is_empty() && dc != app.options.datacenter => {
                Err(Refusal::internal("No path to datacenter"))
            }
            _ => Ok(()),
        }
    }
}

/// Undoes percent encoding; in parameters `+` is a blank.
fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' if plus => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone() {
        assert_eq!(decode("a%20b%2Fc+d", false).as_deref(), Some("a b/c+d"));
        assert_eq!(decode("a+b%2B", true).as_deref(), Some("a b+"));
        for bad in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decode(bad, false), None, "{bad}");
        }
    }
}
