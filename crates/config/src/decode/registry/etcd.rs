//! `etcd`. No variables speak of it: what differs from host to host is put in by templates.

use super::address::{self, Address, Scheme};
use crate::{
    Secret,
    catalog::{Etcd, Tls},
    decode::{
        Field, Object,
        tls::{check_pair, tls},
    },
    json5::Value,
};

const ENDPOINTS: &str = "want a URL like \"http://etcd:2379\", or a list of them";

/// The value of the key `etcd`.
pub(super) fn of_field(field: &Field<'_>) -> Etcd {
    let mut etcd = Etcd {
        endpoints: Vec::new(),
        prefix: "/containerpilot".into(),
        username: None,
        password: None,
        tls: Tls::default(),
    };
    if field.node.value == Value::Bool(false) {
        field.refuse("is not etcd", "want \"consul\": false for no catalog at all");
        return etcd;
    }
    if let Value::String(address) = &field.node.value {
        let rule = format!("want {{ \"endpoints\": {address:?} }}");
        field.refuse("is not an object", rule);
        return etcd;
    }
    let Some(mut object) = field.object() else { return etcd };
    let tls = object.take("tls").as_ref().and_then(tls);
    // As for Consul: who gives certificates means https.
    let fallback = if tls.is_some() { Scheme::Https } else { Scheme::Http };
    let addresses = endpoints(&mut object);
    if let Some(tls) = tls {
        if addresses.iter().any(|address| address.is_https(fallback)) {
            etcd.tls = tls.alone();
            let rule = "want both clientcert and clientkey";
            check_pair(&etcd.tls, object.report(), "etcd.tls", rule);
        } else if !addresses.is_empty() {
            object.report().warn("etcd.tls: is not used: the endpoints are http");
        }
    }
    etcd.endpoints = addresses.iter().map(|address| address.url(fallback)).collect();
    if let Some(prefix) = object.take("prefix").and_then(|prefix| prefix.text()) {
        etcd.prefix = format!("/{}", prefix.trim_matches('/'));
    }
    etcd.username = object.take("username").and_then(|name| name.text());
    etcd.password = object.take("password").and_then(|password| password.text()).map(Secret);
    match (&etcd.username, &etcd.password) {
        (Some(_), None) => object.problem("\"password\" is missing", "want the user's"),
        (None, Some(_)) => object.problem("\"username\" is missing", "want whose password it is"),
        (Some(_), Some(_)) | (None, None) => {}
    }
    object.finish();
    etcd
}

/// The members' addresses.
fn endpoints(object: &mut Object<'_>) -> Vec<Address> {
    let Some(endpoints) = object.require("endpoints", ENDPOINTS) else { return Vec::new() };
    let fields = endpoints.strings();
    if fields.is_empty() && matches!(endpoints.node.value, Value::Array(_)) {
        endpoints.refuse("is empty", ENDPOINTS);
    }
    let mut addresses = Vec::new();
    for endpoint in fields {
        let Some(text) = endpoint.string() else { continue };
        match address::parse(&text) {
            Ok(Address::Unix(_)) => endpoint.refuse("is not a URL of etcd", ENDPOINTS),
            Ok(address) if addresses.contains(&address) => {
                endpoint.refuse("is there already", "want every endpoint once");
            }
            Ok(address) => addresses.push(address),
            Err(fault) => endpoint.refuse(fault, ENDPOINTS),
        }
    }
    addresses
}
