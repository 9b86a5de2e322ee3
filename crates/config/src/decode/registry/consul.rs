//! `consul` and the `CONSUL_*` variables.
//!
//! Precedence, as Consul's users expect it: what the file says wins, variables fill the gaps, then
//! come defaults. The scheme is that of the address, else the file's `scheme`, else https if the
//! file has `tls`, else that of `CONSUL_HTTP_SSL`, else http. `CONSUL_HTTP_ADDR` counts only if the
//! file has no address, and the variables with the token only if the file has none.

use std::{path::PathBuf, time::Duration};

use super::address::{self, Address, Scheme};
use crate::{
    Host, Secret,
    catalog::{Consul, ConsulAddress, Tls, Token},
    decode::{
        Field, Object, Report,
        tls::{FileTls, check_pair, tls},
    },
    json5::Value,
};

/// Where an agent listens if nobody says so.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8500";

/// What a file says about Consul.
#[derive(Default)]
struct File<'a> {
    addresses: Vec<Address>,
    scheme: Option<(Field<'a>, Scheme)>,
    token: Option<Token>,
    tls: Option<FileTls>,
    namespace: Option<String>,
    partition: Option<String>,
    max_stale: Option<Duration>,
}

/// The value of the key `consul`, which is not false.
pub(super) fn of_field(field: &Field<'_>, environment: &Environment<'_>) -> Consul {
    let mut file = File::default();
    match &field.node.value {
        Value::String(_) => {
            file.addresses = addresses(std::slice::from_ref(field), environment);
        }
        Value::Object(_) => {
            if let Some(mut object) = field.object() {
                file = File::read(&mut object, environment);
                object.finish();
            }
        }
        Value::Bool(_) => {
            field.refuse("is not a Consul address", "want one, or false for no catalog at all");
        }
        _ => field.refuse("is not a Consul address", address::RULE),
    }
    file.complete(environment)
}

/// What the variables say alone.
pub(super) fn of_environment(environment: &Environment<'_>) -> Consul {
    File::default().complete(environment)
}

/// The key `address`: one, or a list of them.
fn several(field: &Field<'_>, environment: &Environment<'_>) -> Vec<Address> {
    let fields = field.strings();
    if fields.is_empty() && matches!(field.node.value, Value::Array(_)) {
        field.refuse("is empty", address::RULE);
    }
    addresses(&fields, environment)
}

/// None if they are left to the environment.
fn addresses(fields: &[Field<'_>], environment: &Environment<'_>) -> Vec<Address> {
    // What a template leaves of an unset variable is none, unless there would be none at all.
    let given: Vec<&Field<'_>> = fields.iter().filter(|field| !field.is_empty_string()).collect();
    let given = match given.is_empty() && environment.get("CONSUL_HTTP_ADDR").is_none() {
        true => fields.iter().take(1).collect(),
        false => given,
    };
    let mut addresses = Vec::new();
    for field in given {
        let Some(text) = field.string() else { continue };
        match address::parse(&text) {
            Ok(address) if addresses.contains(&address) => {
                field.refuse("is there already", "want every address once");
            }
            Ok(address) => addresses.push(address),
            Err(fault) => field.refuse(fault, address::RULE),
        }
    }
    addresses
}

impl<'a> File<'a> {
    fn read(object: &mut Object<'a>, environment: &Environment<'_>) -> Self {
        let mut text = |key| object.take(key).and_then(|field| field.text());
        let (namespace, partition) = (text("namespace"), text("partition"));
        let token = text("token").map(|token| Token::Value(Secret(token)));
        let file_field = object.take("tokenFile").filter(|field| !field.is_empty_string());
        let file = file_field.as_ref().and_then(Field::text);
        if let (Some(_), Some(field)) = (&token, &file_field) {
            field.refuse("stands beside \"token\"", "want one of the two");
        }
        let stale = object.take("maxStale").filter(|field| !field.is_empty_string());
        Self {
            addresses: object
                .take("address")
                .map_or_else(Vec::new, |field| several(&field, environment)),
            scheme: object.take("scheme").and_then(|scheme| {
                if scheme.is_empty_string() {
                    return None;
                }
                let known = scheme.choice(&[("http", Scheme::Http), ("https", Scheme::Https)])?;
                Some((scheme, known))
            }),
            token: token.or(file.map(|path| Token::File(path.into()))),
            tls: object.take("tls").as_ref().and_then(tls),
            namespace,
            partition,
            max_stale: stale
                .and_then(|field| field.any_duration())
                .filter(|longest| !longest.is_zero()),
        }
    }

    /// Fills the gaps from the environment.
    fn complete(self, environment: &Environment<'_>) -> Consul {
        let token = self.token.or_else(|| environment.token());
        let namespace = self.namespace.or_else(|| environment.get("CONSUL_NAMESPACE"));
        let partition = self.partition.or_else(|| environment.get("CONSUL_PARTITION"));
        let addresses = match self.addresses.is_empty() {
            true => vec![environment.address().unwrap_or_else(Address::stand_in)],
            false => self.addresses,
        };
        if let Some((field, scheme)) = &self.scheme {
            let differs = |address: &Address| matches!(address, Address::Tcp { scheme: Some(own), .. } if own != scheme);
            if addresses.iter().any(differs) {
                field.refuse("is not the scheme of the address", "want one of the two alone");
            }
        }
        let fallback = self.scheme.map(|(_, scheme)| scheme).unwrap_or_else(|| {
            let ssl = || environment.boolean("CONSUL_HTTP_SSL") == Some(true);
            let needed = |address: &Address| matches!(address, Address::Tcp { scheme: None, .. });
            let is_https = self.tls.is_some() || addresses.iter().any(needed) && ssl();
            if is_https { Scheme::Https } else { Scheme::Http }
        });
        let has_tls = self.tls.is_some();
        // Variables that nobody needs may be wrong.
        let uses_tls = addresses.iter().any(|address| address.is_https(fallback));
        let tls = match uses_tls {
            true => environment.tls(self.tls.unwrap_or_default()),
            false => Tls::default(),
        };
        let rule = "want both clientcert (CONSUL_CLIENT_CERT) and clientkey (CONSUL_CLIENT_KEY)";
        check_pair(&tls, environment.report, "consul.tls", rule);
        let is_tcp = |address: &Address| matches!(address, Address::Tcp { .. });
        if has_tls && !uses_tls && addresses.iter().any(is_tcp) {
            environment.report.warn("consul.tls: is not used: the scheme is http");
        }
        let agent = |address| match address {
            Address::Unix(path) => ConsulAddress::Unix(path),
            Address::Tcp { scheme, host, port } => match scheme.unwrap_or(fallback) {
                Scheme::Http => ConsulAddress::Http { host, port: port.unwrap_or(80) },
                Scheme::Https => {
                    ConsulAddress::Https { host, port: port.unwrap_or(443), tls: tls.clone() }
                }
            },
        };
        let addresses = addresses.into_iter().map(agent).collect();
        Consul { addresses, token, namespace, partition, max_stale: self.max_stale }
    }
}

/// The `CONSUL_*` variables; an empty one is not set.
pub(super) struct Environment<'a> {
    pub(super) report: &'a Report<'a>,
    pub(super) host: &'a Host,
}

impl Environment<'_> {
    pub(super) fn get(&self, variable: &str) -> Option<String> {
        self.host.environment.get(variable).filter(|value| !value.is_empty()).cloned()
    }

    fn path(&self, variable: &str) -> Option<PathBuf> {
        self.get(variable).map(PathBuf::from)
    }

    fn token(&self) -> Option<Token> {
        let file = self.path("CONSUL_HTTP_TOKEN_FILE");
        let Some(token) = self.get("CONSUL_HTTP_TOKEN") else { return file.map(Token::File) };
        if file.is_some() {
            self.report
                .warn("CONSUL_HTTP_TOKEN_FILE: is not used: CONSUL_HTTP_TOKEN has a token already");
        }
        Some(Token::Value(Secret(token)))
    }

    /// The forms of Go's `strconv.ParseBool`.
    fn boolean(&self, variable: &str) -> Option<bool> {
        match self.get(variable)?.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            other => {
                let fault = format!("{other:?} in the environment is not a boolean");
                self.report.problem_nowhere(variable, fault, "want true or false");
                None
            }
        }
    }

    fn address(&self) -> Option<Address> {
        let variable = "CONSUL_HTTP_ADDR";
        let text = self.get(variable).unwrap_or_else(|| DEFAULT_ADDRESS.into());
        address::parse(&text)
            .map_err(|fault| {
                // What stands before an @ may be a password.
                let shown = text.rsplit('@').next().unwrap_or("");
                let fault = format!("{shown:?} in the environment {fault}");
                self.report.problem_nowhere(variable, fault, address::RULE);
            })
            .ok()
    }

    fn tls(&self, file: FileTls) -> Tls {
        let verify = file.verify.or_else(|| self.boolean("CONSUL_HTTP_SSL_VERIFY"));
        Tls {
            ca_file: file.ca_file.or_else(|| self.path("CONSUL_CACERT")),
            ca_path: file.ca_path.or_else(|| self.path("CONSUL_CAPATH")),
            client_cert: file.client_cert.or_else(|| self.path("CONSUL_CLIENT_CERT")),
            client_key: file.client_key.or_else(|| self.path("CONSUL_CLIENT_KEY")),
            server_name: file.server_name.or_else(|| self.get("CONSUL_TLS_SERVER_NAME")),
            insecure: verify == Some(false),
        }
    }
}
