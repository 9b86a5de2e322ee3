//! Checks by a request.

use std::{collections::BTreeSet, ops::RangeInclusive, path::PathBuf};

use super::super::{Field, Object, authority};
use crate::{
    catalog::Tls,
    job::{HttpPlace, HttpProbe},
    json5::Value,
    keys::Kind,
};

const URL: &str =
    "want a URL like \"http://localhost:8080/health\" or \"unix:///run/app.sock:/health\"";
const STATUSES: &str = "want a number from 100 to 599, a range like \"200-399\", or a list of them";
const METHODS: [(&str, &str); 7] = [
    ("GET", "GET"),
    ("HEAD", "HEAD"),
    ("POST", "POST"),
    ("PUT", "PUT"),
    ("PATCH", "PATCH"),
    ("DELETE", "DELETE"),
    ("OPTIONS", "OPTIONS"),
];
/// Headers that say how a message is sent, which is not the user's business.
const OURS: [&str; 4] = ["connection", "content-length", "transfer-encoding", "upgrade"];

/// What is said about the request beside its URL.
pub(super) struct Options<'a> {
    method: Option<Field<'a>>,
    headers: Option<Field<'a>>,
    expect: Option<Field<'a>>,
}

impl<'a> Options<'a> {
    pub(super) fn take(object: &mut Object<'a>) -> Self {
        Self {
            method: object.given("method"),
            headers: object.given("headers"),
            expect: object.given("expect"),
        }
    }

    /// They have no request that they could belong to.
    pub(super) fn refuse(&self, fault: &str) {
        for field in [&self.method, &self.headers, &self.expect].into_iter().flatten() {
            field.refuse(fault, "want it beside \"http\" alone");
        }
    }
}

pub(super) fn probe(
    field: &Field<'_>,
    options: Options<'_>,
    tls: Option<(Field<'_>, Tls)>,
) -> Option<HttpProbe> {
    let url = super::written(field).and_then(|text| {
        let url = parse(&text);
        url.map_err(|(fault, rule)| field.refuse(fault, rule)).ok()
    });
    if let (Some((field, _)), Some(url)) = (&tls, &url)
        && url.scheme != Scheme::Https
    {
        field.refuse("is for nothing: the URL is not https", "want it left out, or https");
    }
    let method = options.method.and_then(|field| field.choice(&METHODS)).unwrap_or("GET");
    let headers = options.headers.as_ref().map_or_else(Vec::new, headers);
    let expect = options.expect.as_ref().map_or_else(|| vec![200..=399], statuses);
    let url = url?;
    Some(HttpProbe {
        place: url.place(tls.map(|(_, tls)| tls)),
        path: url.path,
        method: method.into(),
        headers,
        expect,
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Unix,
}

/// A URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Url {
    scheme: Scheme,
    /// Of a socket its path.
    host: String,
    /// As far as the URL says it.
    port: Option<u16>,
    /// With the query, from `/` on.
    path: String,
}

impl Url {
    fn place(&self, tls: Option<Tls>) -> HttpPlace {
        let (host, port) = (self.host.clone(), self.port);
        match self.scheme {
            Scheme::Http => HttpPlace::Http { host, port: port.unwrap_or(80) },
            Scheme::Https => {
                HttpPlace::Https { host, port: port.unwrap_or(443), tls: tls.unwrap_or_default() }
            }
            Scheme::Unix => HttpPlace::Unix(PathBuf::from(host)),
        }
    }
}

/// Whether a check could ask there.
pub(crate) fn is_url(text: &str) -> bool {
    parse(text).is_ok()
}

/// Whether it is a number that may be meant as a port.
fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What is wrong with a URL, and what would be right.
type Fault = (&'static str, String);

fn parse(text: &str) -> Result<Url, Fault> {
    let fault = |fault| (fault, URL.to_owned());
    let (scheme, rest) = match text.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some(("unix", rest)) => (Scheme::Unix, rest),
        Some(_) => return Err(fault("has an unknown scheme")),
        None if text.is_empty() => return Err(fault("is empty")),
        // A password in it must not be repeated.
        None if text.contains('@') => return Err(fault("has no scheme")),
        None if text.starts_with('/') => {
            return Err(("has no host", format!("want \"http://localhost{text}\"")));
        }
        None if is_port(text) => {
            return Err(("has no host", format!("want \"http://localhost:{text}/\"")));
        }
        None => return Err(("has no scheme", format!("want \"http://{text}\""))),
    };
    let bare = rest.trim_end_matches('/');
    if scheme != Scheme::Unix && is_port(bare) {
        return Err(("has no host", format!("want \"http://localhost:{bare}/\"")));
    }
    let (place, path) = match scheme {
        // The socket's path ends where that of the request begins.
        Scheme::Unix => rest
            .find(":/")
            .and_then(|colon| Some((rest.get(..colon)?, rest.get(colon + 1..)?)))
            .unwrap_or((rest, "")),
        Scheme::Http | Scheme::Https => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            rest.split_at_checked(end).unwrap_or((rest, ""))
        }
    };
    if path.contains('#') {
        return Err(("has a #, behind which nothing is sent", "want it left out".into()));
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        let rule = "want %XX in place of each byte of it, like %20";
        return Err(("has a space or a letter that no URL can hold", rule.into()));
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    if scheme == Scheme::Unix {
        if !place.starts_with('/') || place.ends_with('/') {
            return Err(fault("has no path of a socket"));
        }
        return Ok(Url { scheme, host: place.into(), port: None, path });
    }
    if place == "unix:" {
        return Err(("is written otherwise here", "want \"unix:///run/app.sock:/health\"".into()));
    }
    let (host, port) = authority::parse(place).map_err(|wrong| match wrong {
        "has a user in it" => (wrong, "want a header \"Authorization\" in \"headers\"".into()),
        "has an IPv6 address without brackets" => {
            (wrong, "want them, like \"http://[::1]:8080/\"".into())
        }
        wrong => fault(wrong),
    })?;
    Ok(Url { scheme, host, port, path })
}

/// The headers, in the order of the file.
fn headers(field: &Field<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let mut names = BTreeSet::new();
    for entry in field.entries() {
        let name = entry.key;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            let rule = "want letters, digits and -";
            entry.refuse_key(&format!("{name:?} is not the name of a header"), rule);
        } else if OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
            let rule = "want it left out: it says how the request is sent";
            entry.refuse_key(&format!("{name:?} is set by the program"), rule);
        } else if !names.insert(name.to_ascii_lowercase()) {
            entry.refuse_key(&format!("{name:?} is there already"), "want every header once");
        }
        if entry.value.node.value == Value::Null {
            continue;
        }
        let Some(value) = entry.value.scalar() else { continue };
        if value.contains(|char: char| char.is_control() && char != '\t') {
            entry.value.refuse("has a character that no header can hold", "want it on one line");
        }
        headers.push((name.to_owned(), value));
    }
    headers
}

/// One status code, a range, or a list of both.
fn statuses(field: &Field<'_>) -> Vec<RangeInclusive<u16>> {
    field.assert_kind(|kind| matches!(kind, Kind::Statuses));
    let Value::Array(items) = &field.node.value else {
        return status(field).into_iter().collect();
    };
    if items.is_empty() {
        field.refuse("is empty", STATUSES);
    }
    field.items().iter().filter_map(status).collect()
}

fn status(field: &Field<'_>) -> Option<RangeInclusive<u16>> {
    let code = |text: &str| text.trim().parse().ok().filter(|code| (100..600).contains(code));
    let range = match &field.node.value {
        Value::Number(_) => field.integer().and_then(|integer| code(&integer.to_string())),
        Value::String(text) => match text.split_once('-') {
            Some((from, to)) => {
                let range = code(from).zip(code(to)).map(|(from, to)| from..=to);
                if let Some(range) = range.filter(|range| !range.is_empty()) {
                    return Some(range);
                }
                None
            }
            None => code(text),
        },
        _ => None,
    };
    if range.is_none() {
        field.refuse("is no status", rule(field));
    }
    range.map(|code| code..=code)
}

/// `2xx` is what others write.
fn rule(field: &Field<'_>) -> String {
    if let Value::String(text) = &field.node.value
        && let Some(first @ '1'..='5') = text.trim().chars().next()
        && text.trim().get(1..).is_some_and(|rest| rest.eq_ignore_ascii_case("xx"))
    {
        return format!("want \"{first}00-{first}99\"");
    }
    STATUSES.into()
}
