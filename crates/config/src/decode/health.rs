//! `health`: what a check does, and when its results count.

mod http;

pub(crate) use http::is_url;

use super::{Field, Object, authority, tls};
use crate::{
    catalog::Tls,
    job::{OnFailure, Probe},
    json5::Value,
};

/// The kinds of checks by the keys that choose them, in the order of the table.
const KINDS: [&str; 5] = ["exec", "http", "tcp", "grpc", "file"];

/// What `health` says beside how often.
pub(crate) struct Checked<'a> {
    pub(crate) probe: Probe,
    pub(crate) start_period: std::time::Duration,
    pub(crate) failures: u32,
    pub(crate) successes: u32,
    /// With its field, for errors.
    pub(crate) on_failure: Option<(Field<'a>, OnFailure)>,
}

/// The check of an object; `choices` are those of `onFailure`.
pub(crate) fn checked<'a>(object: &mut Object<'a>, choices: &[(&str, OnFailure)]) -> Checked<'a> {
    Checked {
        probe: probe(object),
        start_period: object
            .given("startPeriod")
            .and_then(|field| field.any_duration())
            .unwrap_or_default(),
        failures: object.given("failures").and_then(|field| field.count()).unwrap_or(1),
        successes: object.given("successes").and_then(|field| field.count()).unwrap_or(1),
        on_failure: object
            .given("onFailure")
            .and_then(|field| field.choice(choices).map(|choice| (field, choice))),
    }
}

/// What is done to find out: one thing, or nothing. Something that is wrong is nothing too.
fn probe(object: &mut Object<'_>) -> Probe {
    // An empty one is wrong: what a template leaves of an unset variable must not mean "healthy".
    let mut given = Vec::new();
    for kind in KINDS {
        given.extend(object.take(kind).map(|field| (kind, field)));
    }
    let mut given = given.into_iter();
    let first = given.next();
    if let Some((kind, _)) = &first {
        for (_, field) in given {
            let fault = format!("stands beside {kind:?}, which is another kind of check");
            field.refuse(&fault, "want one of the two");
        }
    }
    let options = http::Options::take(object);
    let tls = tls(object);
    let found = match &first {
        Some((kind, _)) => format!("and this is one by {kind:?}"),
        None => "and there is none".to_owned(),
    };
    let kind = first.as_ref().map(|(kind, _)| *kind);
    if kind != Some("http") {
        options.refuse(&format!("belongs to a check by \"http\", {found}"));
    }
    if let Some((field, _)) = &tls
        && !matches!(kind, Some("http" | "grpc"))
    {
        let fault = format!("belongs to a check by \"http\" or \"grpc\", {found}");
        field.refuse(&fault, "want it beside these alone");
    }
    let Some((kind, field)) = first else { return Probe::Always };
    let probe = match kind {
        "exec" => field.command().map(Probe::Exec),
        "http" => http::probe(&field, options, tls).map(|probe| Probe::Http(Box::new(probe))),
        "tcp" => tcp(&field),
        "grpc" => grpc(&field, tls.map(|(_, tls)| tls)),
        _ => file(&field),
    };
    probe.unwrap_or(Probe::Always)
}

/// `host:port`.
fn tcp(field: &Field<'_>) -> Option<Probe> {
    let (host, port) = place(field, &written(field)?, 5432)?;
    Some(Probe::Tcp { host, port })
}

/// `tls`, with its field for errors.
fn tls<'a>(object: &mut Object<'a>) -> Option<(Field<'a>, Tls)> {
    let field = object.given("tls")?;
    let tls = tls::tls(&field)?.alone();
    tls::check_pair(&tls, object.report(), &field.path(), "want both clientcert and clientkey");
    Some((field, tls))
}

/// `host:port` or `host:port/service`.
fn grpc(field: &Field<'_>, tls: Option<Tls>) -> Option<Probe> {
    let text = written(field)?;
    let scheme = text.split_once("://").is_some();
    let (authority, service) = match text.split_once('/') {
        Some((authority, service)) if !scheme => (authority, service),
        _ => (text.as_str(), ""),
    };
    let (host, port) = place(field, authority, 50051)?;
    if service.contains(|char: char| char.is_whitespace() || char.is_control()) {
        let rule = "want its full name, like \"localhost:50051/shop.Cart\"";
        field.refuse("has no name of a service behind its /", rule);
        return None;
    }
    Some(Probe::Grpc { host, port, service: service.into(), tls: tls.map(Box::new) })
}

/// A string; or a number, which is a port without a host.
fn written(field: &Field<'_>) -> Option<String> {
    match field.node.value {
        Value::Number(_) => field.scalar(),
        _ => field.string(),
    }
}

/// A host and a port, both of which must be there; `usual` is a port for examples.
fn place(field: &Field<'_>, text: &str, usual: u16) -> Option<(String, u16)> {
    let rule = || format!("want host:port, like \"localhost:{usual}\"");
    if let Some((_, rest)) = text.split_once("://") {
        // A password in it must not be repeated.
        let is_place = |place: &&str| !place.contains('@') && authority::parse(place).is_ok();
        let place = rest.split('/').next().filter(is_place);
        let rule = place.map_or_else(rule, |place| format!("want \"{place}\""));
        field.refuse("is a URL", rule);
        return None;
    }
    let port = text.strip_prefix(':').unwrap_or(text);
    if !port.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()) {
        field.refuse("has no host", format!("want \"localhost:{port}\""));
        return None;
    }
    match authority::parse(text) {
        Ok((host, Some(port))) => return Some((host, port)),
        Ok((_, None)) => field.refuse("has no port", rule()),
        Err(fault @ "has an IPv6 address without brackets") => {
            field.refuse(fault, format!("want them, like \"[::1]:{usual}\""));
        }
        Err(fault) => field.refuse(fault, rule()),
    }
    None
}

/// A path, or `{path, youngerThan}`.
fn file(field: &Field<'_>) -> Option<Probe> {
    let Value::Object(_) = field.node.value else {
        return Some(Probe::File { path: field.given_path()?, younger_than: None });
    };
    let mut object = field.object()?;
    let path = object.require("path", "want the file's, \"/…\"");
    let path = path.and_then(|field| field.given_path());
    let younger_than = object.given("youngerThan").and_then(|field| field.timeout());
    object.finish();
    Some(Probe::File { path: path?, younger_than })
}
