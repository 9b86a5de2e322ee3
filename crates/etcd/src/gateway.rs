//! The one path of all requests: log in, ask a member that is of use, understand the answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catalog::Error;
use http_client::{BuildError, Call, Client, EndpointId, Reply, Stream};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::Options;
use crate::wire::{number, text};

/// Longest answer.
const LIMIT: usize = 16 << 20;

/// Makes a member that knows of no leader say so at once, and end its watches, instead of answering
/// late or never. The gateway makes gRPC metadata of headers that begin like this one.
const WITH_LEADER: &str = "grpc-metadata-hasleader";

/// What members say of a token that they do not take (any more), or of none.
const STALE: [&str; 3] =
    ["invalid auth token", "revision of auth store is old", "user name is empty"];

// gRPC's codes.
const INVALID_ARGUMENT: i64 = 3;
const NOT_FOUND: i64 = 5;
const PERMISSION_DENIED: i64 = 7;
const FAILED_PRECONDITION: i64 = 9;
const OUT_OF_RANGE: i64 = 11;
const UNIMPLEMENTED: i64 = 12;
const UNAVAILABLE: i64 = 14;
const UNAUTHENTICATED: i64 = 16;

/// The members of a cluster.
pub(crate) struct Gateway {
    client: Client,
    /// How many they are.
    members: usize,
    /// What logging in sends; `None`: we are nobody.
    credentials: Option<Bytes>,
    login: Mutex<Login>,
    /// Deadline of each request.
    timeout: Duration,
}

/// How the members know us.
#[derive(Clone, PartialEq)]
enum Login {
    /// Not yet, or not any more.
    Needed,
    /// By this token.
    Token(HeaderValue),
    /// They ask nobody.
    Pointless,
}

/// An answer that is an error.
struct Fault {
    /// gRPC's; 0 if the answer has none.
    code: i64,
    error: Error,
}

impl Gateway {
    pub(crate) fn build(options: &Options) -> Result<Gateway, BuildError> {
        let credentials = match (&options.username, &options.password) {
            (Some(name), Some(password)) => {
                let body = serde_json::json!({"name": name, "password": password});
                Some(Bytes::from(body.to_string()))
            }
            (None, None) => None,
            (Some(_), None) => {
                return Err(BuildError::Option("a user name without its password".to_owned()));
            }
            (None, Some(_)) => {
                return Err(BuildError::Option("a password without its user name".to_owned()));
            }
        };
        let header = (HeaderName::from_static(WITH_LEADER), HeaderValue::from_static("true"));
        Ok(Gateway {
            client: Client::build(&options.endpoints, vec![header])?,
            members: options.endpoints.len(),
            credentials,
            login: Mutex::new(Login::Needed),
            timeout: options.timeout,
        })
    }

    /// The deadline of a request that begins now.
    pub(crate) fn until(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// Sends a request and reads the whole answer, by `until`. It may be carried out more than
    /// once.
    pub(crate) async fn call(
        &self,
        path: &str,
        body: String,
        until: Instant,
    ) -> Result<Value, Error> {
        let body = Bytes::from(body);
        let mut renewed = false;
        loop {
            let login = self.login(until).await?;
            match self.send(path, body.clone(), &login, until).await {
                // It has not been carried out, and the login is forgotten.
                Err(Error::Refused(why)) if !renewed && self.is_stale(&why) => renewed = true,
                outcome => return outcome,
            }
        }
    }

    /// Opens a request whose answer goes on, by `until`.
    pub(crate) async fn open(
        &self,
        path: &str,
        body: String,
        until: Instant,
    ) -> Result<Opened<'_>, Error> {
        let body = Bytes::from(body);
        let login = self.login(until).await?;
        let (mut left, mut useless) = (self.members, None);
        loop {
            left -= 1;
            let (headers, deadline) = (header(&login), share(until, left));
            let asked = self.client.current();
            let mut stream = match self.client.open(call(path, &body, &headers, deadline)).await {
                Ok(stream) if stream.status.is_success() => {
                    return Ok(Opened { gateway: self, stream, login });
                }
                Ok(stream) => stream,
                Err(error) if left > 0 && is_silence(&error) => {
                    self.client.avoid(asked);
                    continue;
                }
                Err(error) => return Err(self.lost(error)),
            };
            let said = timeout_at(until, stream.chunk()).await;
            let said = said.ok().and_then(Result::ok).flatten().unwrap_or_default();
            let fault = fault(stream.status, &said);
            self.note(stream.endpoint, &login, &fault);
            let alone = useless.replace(stream.endpoint) == Some(stream.endpoint);
            if left == 0 || alone || fault.code != UNAVAILABLE {
                return Err(fault.error);
            }
        }
    }

    /// Asks each member at most once, until one is of use; the only one that answers is asked a
    /// second time, for the client passes over those who cannot be connected to.
    async fn send(
        &self,
        path: &str,
        body: Bytes,
        login: &Login,
        until: Instant,
    ) -> Result<Value, Error> {
        let headers = header(login);
        let (mut left, mut useless) = (self.members, None);
        loop {
            left -= 1;
            let call = call(path, &body, &headers, share(until, left));
            let asked = self.client.current();
            let (fault, alone) = match self.client.send(call).await {
                Ok(reply) => match answer(&reply) {
                    Ok(value) => return Ok(value),
                    Err(fault) => {
                        self.note(reply.endpoint, login, &fault);
                        (fault, useless.replace(reply.endpoint) == Some(reply.endpoint))
                    }
                },
                Err(error) if left > 0 && is_silence(&error) => {
                    self.client.avoid(asked);
                    continue;
                }
                Err(error) => return Err(self.lost(error)),
            };
            if left == 0 || alone || fault.code != UNAVAILABLE {
                return Err(fault.error);
            }
        }
    }

    /// No answer. One of several members had only a part of the time.
    fn lost(&self, error: http_client::Error) -> Error {
        match error {
            http_client::Error::Timeout(_) => Error::Timeout(self.timeout),
            other => other.into(),
        }
    }

    /// Draws conclusions for the next request.
    fn note(&self, member: EndpointId, login: &Login, fault: &Fault) {
        if fault.code == UNAVAILABLE {
            self.client.avoid(member);
        }
        if matches!(&fault.error, Error::Refused(why) if self.is_stale(why)) {
            self.forget(login);
        }
    }

    async fn login(&self, until: Instant) -> Result<Login, Error> {
        let Some(credentials) = &self.credentials else { return Ok(Login::Pointless) };
        let known = self.lock().clone();
        if known != Login::Needed {
            return Ok(known);
        }
        let path = "/v3/auth/authenticate";
        let login = match self.send(path, credentials.clone(), &Login::Pointless, until).await {
            Ok(answer) => {
                let mut token = HeaderValue::from_str(text(&answer, "token"))
                    .map_err(|_| Error::Failed("the token is no header".to_owned()))?;
                token.set_sensitive(true);
                Login::Token(token)
            }
            // Until somebody turns it on; we are told when we come without a token.
            Err(Error::Refused(why)) if why.contains("authentication is not enabled") => {
                Login::Pointless
            }
            Err(error) => return Err(error),
        };
        *self.lock() = login.clone();
        Ok(login)
    }

    /// Whether logging in anew may help.
    fn is_stale(&self, why: &str) -> bool {
        self.credentials.is_some() && STALE.iter().any(|part| why.contains(part))
    }

    /// Logs in anew before the next request, unless somebody has done so meanwhile.
    fn forget(&self, stale: &Login) {
        let mut login = self.lock();
        if *login == *stale {
            *login = Login::Needed;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Login> {
        self.login.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose answer goes on: one JSON object a line.
pub(crate) struct Opened<'a> {
    gateway: &'a Gateway,
    stream: Stream<'a>,
    login: Login,
}

impl Opened<'_> {
    /// The next bytes; `None`: the member has ended it.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.stream.chunk().await.map_err(Error::from)
    }

    /// Understands a line.
    pub(crate) fn line(&self, line: &[u8]) -> Result<Value, Error> {
        understand(StatusCode::OK, line).map_err(|fault| {
            self.gateway.note(self.stream.endpoint, &self.login, &fault);
            match fault.error {
                // Of this member. Another one may know better.
                Error::Failed(why) if fault.code == UNAVAILABLE => Error::Interrupted(why),
                other => other,
            }
        })
    }

    /// The member has ended it and says why: gRPC's error in words.
    pub(crate) fn canceled(&self, why: &str) -> Error {
        let refusals = ["PermissionDenied", "InvalidArgument", "Unauthenticated"];
        if self.gateway.is_stale(why) {
            self.gateway.forget(&self.login);
        } else if refusals.iter().any(|code| why.contains(code)) {
            return Error::Refused(why.to_owned());
        }
        Error::Interrupted(format!("the watch was canceled: {why}"))
    }
}

fn header(login: &Login) -> Vec<(HeaderName, HeaderValue)> {
    match login {
        Login::Token(token) => vec![(AUTHORIZATION, token.clone())],
        Login::Needed | Login::Pointless => Vec::new(),
    }
}

fn call<'a>(
    path: &'a str,
    body: &Bytes,
    headers: &'a [(HeaderName, HeaderValue)],
    deadline: Duration,
) -> Call<'a> {
    Call { headers, body: body.clone(), limit: LIMIT, ..Call::new(Method::POST, path, deadline) }
}

/// How long one member may take if so many are left to ask: half of the time, so that a frozen one
/// leaves some, and a slow one is not cut off too early.
fn share(until: Instant, left: usize) -> Duration {
    let time = until.saturating_duration_since(Instant::now());
    if left > 0 { time / 2 } else { time }
}

/// Another member may answer. (If no connection can be made [`http_client`] has tried all of them.)
fn is_silence(error: &http_client::Error) -> bool {
    matches!(error, http_client::Error::Timeout(_) | http_client::Error::Interrupted(_))
}

fn answer(reply: &Reply) -> Result<Value, Fault> {
    understand(reply.status, &reply.body)
}

/// An answer, or one message of an answer that goes on.
fn understand(status: StatusCode, body: &[u8]) -> Result<Value, Fault> {
    if !status.is_success() {
        return Err(fault(status, body));
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value.get("error").is_some() => Err(fault(status, body)),
        Ok(mut value) => {
            let value = value.get_mut("result").map(Value::take).unwrap_or(value);
            // What is zero or empty does not come, so any object could be an answer that says that
            // there is nothing; but who has answered always comes.
            value.get("header").is_some().then_some(value).ok_or_else(|| senseless("no header"))
        }
        Err(error) => Err(senseless(&error.to_string())),
    }
}

fn senseless(why: &str) -> Fault {
    Fault { code: 0, error: Error::Failed(format!("the answer makes no sense: {why}")) }
}

/// What an error means. 3.4 says `{"error": TEXT, "code": N}`, 3.6 `{"code": N, "message": TEXT}`;
/// in a stream it is `{"error": {"grpc_code": N, "message": TEXT}}`, later with `code`.
fn fault(status: StatusCode, body: &[u8]) -> Fault {
    let value = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let value = match value.get("error") {
        Some(inner) if inner.is_object() => inner,
        _ => &value,
    };
    let code = match number(value, "grpc_code") {
        0 => number(value, "code"),
        code => code,
    };
    let message =
        [text(value, "message"), text(value, "error")].into_iter().find(|m| !m.is_empty());
    let said = match message {
        Some(message) => message.to_owned(),
        None => format!("HTTP {}: {}", status.as_u16(), beginning(body)),
    };
    let own = said.starts_with("etcdserver:");
    let error = match code {
        NOT_FOUND if own => Error::Unknown,
        // The member says it of itself or of the cluster; otherwise the gateway has lost it.
        UNAVAILABLE if own => Error::Failed(said),
        UNAVAILABLE => Error::Interrupted(said),
        INVALID_ARGUMENT | PERMISSION_DENIED | FAILED_PRECONDITION | OUT_OF_RANGE
        | UNIMPLEMENTED | UNAUTHENTICATED => Error::Refused(said),
        _ => unknown(status, said),
    };
    Fault { code, error }
}

/// What an error means by its status: something else has answered, or with an unusual code.
fn unknown(status: StatusCode, said: String) -> Error {
    match status {
        StatusCode::NOT_FOUND => Error::Refused(
            "HTTP 404: what answers there does not know etcd's paths; is it etcd 3.4 or later?"
                .to_owned(),
        ),
        // What stands in front of the member has lost it.
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Error::Interrupted(said)
        }
        StatusCode::TOO_MANY_REQUESTS => Error::Failed(said),
        status if status.is_client_error() => Error::Refused(said),
        _ => Error::Failed(said),
    }
}

/// Fit for a line of a log.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim().chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
