//! The HTTP API: a request in, a reply or a refusal out. One file for each area of the API.

mod agent;
mod agent_checks;
mod catalog;
mod event;
mod health;
mod internal;
mod kv;
mod request;
mod session;
mod status;
mod txn;
mod ui;

use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;

use crate::app::{App, TooManyBlocked};
use crate::checks::NoTtl;
use crate::fields::Malformed;
use crate::store::LockError;
pub(crate) use request::{BODY, Request};

/// An answer.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

#[derive(Debug, Default)]
enum Body {
    #[default]
    Empty,
    Json(Value),
    Raw(Vec<u8>),
}

impl Reply {
    /// 200 without a body.
    pub(crate) fn empty() -> Self {
        Self { status: 200, ..Self::default() }
    }

    /// 200 with JSON.
    pub(crate) fn json(value: impl Into<Value>) -> Self {
        Self { body: Body::Json(value.into()), ..Self::empty() }
    }

    /// 200 with bytes of a type.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>, kind: &str) -> Self {
        Self { body: Body::Raw(bytes.into()), ..Self::empty() }.header("content-type", kind)
    }

    /// With another status.
    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// With the headers of a query.
    pub(crate) fn at(self, index: u64) -> Self {
        self.header("x-consul-index", index)
            .header("x-consul-knownleader", "true")
            .header("x-consul-lastcontact", "0")
    }

    fn sent(self, pretty: bool) -> Sent {
        let (body, kind) = match self.body {
            Body::Empty => (Vec::new(), None),
            Body::Raw(bytes) => (bytes, None),
            Body::Json(value) => {
                let text = if pretty { format!("{value:#}\n") } else { value.to_string() };
                (text.into_bytes(), Some("application/json"))
            }
        };
        let mut headers = self.headers;
        // A value that no header can hold (a service's name may) is left out.
        headers.retain(|(_, value)| HeaderValue::from_str(value).is_ok());
        headers.extend(kind.map(|kind| ("content-type", kind.to_owned())));
        Sent { status: self.status, headers, body }
    }
}

/// An answer as a client sees it.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) status: u16,
    /// Names in lower case; values that a header can hold.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl From<Sent> for Response<Full<Bytes>> {
    fn from(sent: Sent) -> Self {
        let mut response = Response::new(Full::new(Bytes::from(sent.body)));
        *response.status_mut() =
            StatusCode::from_u16(sent.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in sent.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// Why a request is not answered as asked; the message is the body.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: String,
    allow: Option<&'static str>,
}

impl Refusal {
    /// A refusal with a status.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), allow: None }
    }

    /// The client's mistake.
    pub(crate) fn bad(message: &str) -> Self {
        Self::new(400, message)
    }

    /// What Consul answers 500 to.
    pub(crate) fn internal(message: &str) -> Self {
        Self::new(500, message)
    }

    /// Nothing of that path.
    pub(crate) fn unknown() -> Self {
        Self::new(404, "")
    }
}

impl From<Malformed> for Refusal {
    fn from(error: Malformed) -> Self {
        Self::new(400, error.to_string())
    }
}

impl From<NoTtl> for Refusal {
    fn from(error: NoTtl) -> Self {
        Self::new(500, error.to_string())
    }
}

impl From<LockError> for Refusal {
    fn from(error: LockError) -> Self {
        Self::new(500, error.to_string())
    }
}

impl From<TooManyBlocked> for Refusal {
    fn from(error: TooManyBlocked) -> Self {
        Self::new(429, error.to_string())
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let reply = if refusal.message.is_empty() {
            Self::empty()
        } else {
            Self::raw(refusal.message, "text/plain; charset=utf-8")
        };
        let reply = match refusal.allow {
            Some(allow) => reply.header("allow", allow),
            None => reply,
        };
        // What remains of a body that was refused unread must not be taken for a request.
        let reply = if refusal.status == 413 { reply.header("connection", "close") } else { reply };
        reply.status(refusal.status)
    }
}

/// Answers a request that hyper has read.
pub(crate) async fn answer(
    app: Rc<App>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let request = Request::incoming(parts.method, target, body);
    Ok(reply(&app, request).await.into())
}

/// Answers one request.
pub(crate) async fn reply(app: &Rc<App>, request: Result<Request, Refusal>) -> Sent {
    let mut request = match request {
        Ok(request) => request,
        Err(refusal) => return Reply::from(refusal).sent(false),
    };
    let pretty = request.has("pretty");
    let reply = route(app, &mut request).await.unwrap_or_else(Reply::from);
    reply.sent(pretty)
}

async fn route(app: &Rc<App>, request: &mut Request) -> Result<Reply, Refusal> {
    // As it was sent: a key may have two slashes in a row if they are encoded.
    if request.raw_path.contains("//") {
        let mut path = request.raw_path.clone();
        while path.contains("//") {
            path = path.replace("//", "/");
        }
        return Ok(Reply::empty().status(301).header("location", path));
    }
    if request.parameter("filter").is_some_and(|text| !text.is_empty()) {
        return Err(Refusal::bad("the development catalog has no filter expressions"));
    }
    let path = request.path.clone();
    if let Some(file) = path.strip_prefix("/ui/") {
        return ui::answer(request, file);
    }
    if ["/", "/ui"].contains(&path.as_str()) {
        return Ok(Reply::empty().status(301).header("location", "/ui/"));
    }
    let rest = path.strip_prefix("/v1/").ok_or_else(Refusal::unknown)?;
    if rest == "txn" {
        return txn::answer(app, request).await;
    }
    let (area, rest) = rest.split_once('/').ok_or_else(Refusal::unknown)?;
    if area == "kv" {
        return kv::answer(app, request, rest).await;
    }
    let (endpoint, name) = rest.split_once('/').unwrap_or((rest, ""));
    match area {
        "agent" => agent::answer(app, request, endpoint, name).await,
        "catalog" => catalog::answer(app, request, endpoint, name).await,
        "health" => health::answer(app, request, endpoint, name).await,
        "session" => session::answer(app, request, endpoint, name).await,
        "event" => event::answer(app, request, endpoint, name).await,
        "internal" if endpoint == "ui" => internal::answer(app, request, name).await,
        "acl" => Err(Refusal::new(401, "ACL support disabled")),
        "status" => status::answer(app, request, endpoint),
        _ => Err(Refusal::unknown()),
    }
}
