//! From a request's bytes to what is asked for, without a network.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::events::Filter;
use crate::server::{Request, Switch};
use crate::wire;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Routed {
    /// Something that the engine answers.
    Call(Request),
    /// A stream of events.
    Events(Filter),
}

/// Why a request is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// What is wrong, and what would be right.
    pub message: String,
    /// The method that would be right, with status 405.
    pub allow: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Refusal { status, message: message.into(), allow: None }
    }
}

/// Paths and their methods.
const ROUTES: [(&str, &str); 8] = [
    ("/v3/environ", "POST"),
    ("/v3/metric", "POST"),
    ("/v3/reload", "POST"),
    ("/v3/maintenance/enable", "POST"),
    ("/v3/maintenance/disable", "POST"),
    ("/v3/ping", "GET"),
    ("/v3/status", "GET"),
    ("/v3/events", "GET"),
];

/// The path if there is such a one, else `other`: what a counter of requests may be labelled with.
pub(crate) fn label(path: &str) -> &'static str {
    ROUTES.iter().find(|(known, _)| *known == path).map_or("other", |(known, _)| known)
}

/// Reads a request: its method, its path without the query, the query without its `?`, its body.
///
/// # Errors
/// 404, 405 or 400, with a message.
pub fn parse(
    method: &str,
    path: &str,
    query: Option<&str>,
    body: &[u8],
) -> Result<Routed, Refusal> {
    let Some((path, allowed)) = ROUTES.iter().find(|(known, _)| *known == path) else {
        let paths: Vec<&str> = ROUTES.iter().map(|(known, _)| *known).collect();
        return Err(Refusal::new(404, format!("no such path: want one of {}", paths.join(", "))));
    };
    if method != *allowed {
        let message = format!("{path} wants {allowed}");
        return Err(Refusal { allow: Some(allowed), ..Refusal::new(405, message) });
    }
    Ok(Routed::Call(match *path {
        "/v3/environ" => Request::Environ(environ(body)?),
        "/v3/metric" => Request::Metric(metrics(body)?),
        "/v3/reload" => Request::Reload,
        "/v3/maintenance/enable" => Request::Maintenance(Switch::Enable),
        "/v3/maintenance/disable" => Request::Maintenance(Switch::Disable),
        "/v3/ping" => Request::Ping,
        "/v3/status" => Request::Status,
        _ => return filter(query.unwrap_or_default()).map(Routed::Events),
    }))
}

const ENVIRON: &str = r#"{"NAME": "value", "OTHER": null}"#;
const METRIC: &str = r#"{"name": 1.5}"#;

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(400, message)
}

fn environ(body: &[u8]) -> Result<BTreeMap<String, Option<String>>, Refusal> {
    let mut variables = BTreeMap::new();
    for (name, value) in pairs(body, ENVIRON)? {
        if !is_variable(&name) {
            return Err(bad(format!(
                "{name:?} is no name of a variable: want letters, digits and _, no digit first"
            )));
        }
        let value = match Scalar::read(&value) {
            Some(Scalar::Null) => None,
            Some(Scalar::Text(text)) if text.contains('\0') => {
                return Err(bad(format!("{name}: a variable cannot hold a NUL character")));
            }
            Some(Scalar::Text(text)) => Some(text).filter(|text| !text.is_empty()),
            // As they are written: 1.50 stays 1.50.
            Some(Scalar::Number(text)) => Some(text.to_owned()),
            Some(Scalar::Bool(value)) => Some(value.to_string()),
            None => {
                return Err(bad(format!(
                    "{name}: want a string (or a number, true, false), or null to unset it"
                )));
            }
        };
        variables.insert(name, value);
    }
    Ok(variables)
}

/// Whether a child's environment may have a variable of this name.
pub(crate) fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn metrics(body: &[u8]) -> Result<Vec<(String, f64)>, Refusal> {
    let mut metrics = Vec::new();
    for (name, value) in pairs(body, METRIC)? {
        let number = match Scalar::read(&value) {
            Some(Scalar::Number(text)) => text.parse().ok(),
            Some(Scalar::Text(text)) => text.trim().parse().ok(),
            _ => None,
        };
        match number.filter(|number: &f64| number.is_finite()) {
            Some(number) => metrics.push((name, number)),
            None => return Err(bad(format!("{name:?}: want a finite number"))),
        }
    }
    Ok(metrics)
}

/// The entries of a JSON object, as written.
fn pairs(body: &[u8], example: &str) -> Result<Vec<(String, Box<RawValue>)>, Refusal> {
    match serde_json::from_slice::<Pairs>(body) {
        Ok(Pairs(pairs)) => Ok(pairs),
        Err(_) if body.trim_ascii().is_empty() => {
            Err(bad(format!("the body is empty: want a JSON object such as {example}")))
        }
        Err(error) => Err(bad(format!("the body is not a JSON object such as {example}: {error}"))),
    }
}

struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs: Vec<(String, Box<RawValue>)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            pairs.push((name, value));
        }
        // One of the two is a mistake, and we cannot know which.
        let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|two| two.first() == two.last()).and_then(|two| two.first()) {
            Some(twice) => Err(A::Error::custom(format_args!("{twice:?} is there twice"))),
            None => Ok(Pairs(pairs)),
        }
    }
}

/// A JSON value that is no list or object.
enum Scalar<'a> {
    Null,
    Bool(bool),
    /// As written.
    Number(&'a str),
    Text(String),
}

impl<'a> Scalar<'a> {
    fn read(value: &'a RawValue) -> Option<Self> {
        let text = value.get();
        Some(match text {
            "null" => Scalar::Null,
            "true" => Scalar::Bool(true),
            "false" => Scalar::Bool(false),
            _ if text.starts_with('"') => Scalar::Text(serde_json::from_str(text).ok()?),
            _ if text.starts_with(['[', '{']) => return None,
            _ => Scalar::Number(text),
        })
    }
}

fn filter(query: &str) -> Result<Filter, Refusal> {
    let mut filter = Filter::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value).ok_or_else(|| bad("a parameter is not percent-encoded UTF-8"))?;
        match name {
            "source" if value.is_empty() => {
                return Err(bad(
                    "source: want a job's name, watch.NAME, election.NAME, global, SIGHUP or SIGUSR2",
                ));
            }
            "source" => filter.sources.push(value),
            "event" if wire::EVENTS.contains(&value.as_str()) => filter.events.push(value),
            "event" => {
                let known = wire::EVENTS.join(", ");
                return Err(bad(format!(
                    "event: there is no event {value:?}: want one of {known}"
                )));
            }
            _ => {
                return Err(bad(format!("{name:?}: no such parameter: want source and event")));
            }
        }
    }
    Ok(filter)
}

/// Undoes percent encoding; `+` is a blank.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[path = "parse/tests.rs"]
mod tests;
