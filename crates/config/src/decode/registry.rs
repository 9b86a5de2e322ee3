//! `consul` and `etcd`, and the `CONSUL_*` variables.
//!
//! Precedence, as Consul's users expect it: what the file says wins, variables fill the gaps, then
//! come defaults. The scheme is that of the address, else the file's `scheme`, else https if the
//! file has `tls`, else that of `CONSUL_HTTP_SSL`, else http. `CONSUL_HTTP_ADDR` counts only if the
//! file has no address.

mod address;

use std::path::PathBuf;

use super::{Field, Object, Report};
use crate::{
    Host, Secret,
    catalog::{Catalog, Consul, ConsulAddress, Etcd, Tls, Token},
    json5::Value,
};
use address::{Address, Scheme};

/// Where an agent listens if nobody says so.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8500";

/// What a file says about catalogs.
#[derive(Clone, Debug)]
pub(crate) enum Registry {
    /// Nothing.
    Absent,
    /// `consul: false`: there is none, whatever the environment says.
    Off,
    /// Where it is.
    Of(Box<Catalog>),
}

impl Registry {
    /// The catalog, if there is one.
    pub(crate) fn catalog(self) -> Option<Catalog> {
        match self {
            Registry::Of(catalog) => Some(*catalog),
            Registry::Absent | Registry::Off => None,
        }
    }

    /// Whether there is none because the file wants none.
    pub(crate) fn is_off(&self) -> bool {
        matches!(self, Registry::Off)
    }
}

/// The catalog of a file: `consul`, `etcd`, or, if there is neither, what the variable
/// `CONSUL_HTTP_ADDR` says.
pub(crate) fn registry(root: &mut Object<'_>, host: &Host) -> Registry {
    let environment = Environment { report: root.report(), host };
    let of_consul = |consul: &Field<'_>| match &consul.node.value {
        Value::Bool(false) => Registry::Off,
        _ => Registry::Of(Box::new(Catalog::Consul(consul_field(consul, &environment)))),
    };
    match (root.take("consul"), root.take("etcd")) {
        (Some(consul), Some(etcd)) => {
            etcd.refuse("stands beside \"consul\"", "want one of the two");
            of_consul(&consul)
        }
        (Some(consul), None) => of_consul(&consul),
        (None, Some(etcd)) => Registry::Of(Box::new(Catalog::Etcd(etcd_field(&etcd)))),
        (None, None) => match environment.get("CONSUL_HTTP_ADDR") {
            Some(_) => {
                Registry::Of(Box::new(Catalog::Consul(consul(File::default(), &environment))))
            }
            None => Registry::Absent,
        },
    }
}

/// What a file says about Consul.
#[derive(Default)]
struct File<'a> {
    address: Option<(Field<'a>, Address)>,
    scheme: Option<(Field<'a>, Scheme)>,
    token: Option<String>,
    tls: Option<FileTls>,
}

#[derive(Default)]
struct FileTls {
    ca_file: Option<PathBuf>,
    ca_path: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
    server_name: Option<String>,
    verify: Option<bool>,
}

fn consul_field(field: &Field<'_>, environment: &Environment<'_>) -> Consul {
    let mut file = File::default();
    match &field.node.value {
        Value::String(_) => file.address = address(field, environment),
        Value::Object(_) => {
            if let Some(mut object) = field.object() {
                file.address =
                    object.take("address").and_then(|field| address(&field, environment));
                file.scheme = object.take("scheme").and_then(|scheme| {
                    if scheme.is_empty_string() {
                        return None;
                    }
                    let known =
                        scheme.choice(&[("http", Scheme::Http), ("https", Scheme::Https)])?;
                    Some((scheme, known))
                });
                file.token = object.take("token").and_then(|token| token.text());
                file.tls = object.take("tls").as_ref().and_then(tls);
                object.finish();
            }
        }
        Value::Bool(_) => {
            field.refuse("is not a Consul address", "want one, or false for no catalog at all");
        }
        _ => field.refuse("is not a Consul address", address::RULE),
    }
    consul(file, environment)
}

fn address<'a>(field: &Field<'a>, environment: &Environment<'_>) -> Option<(Field<'a>, Address)> {
    let text = field.string()?;
    if text.is_empty() && environment.get("CONSUL_HTTP_ADDR").is_some() {
        return None;
    }
    match address::parse(&text) {
        Ok(address) => Some((field.clone(), address)),
        Err(fault) => {
            field.refuse(fault, address::RULE);
            None
        }
    }
}

fn tls(field: &Field<'_>) -> Option<FileTls> {
    let mut object = field.object()?;
    let mut path = |key| object.take(key).and_then(|file| file.text()).map(PathBuf::from);
    let mut tls = FileTls {
        ca_file: path("cafile"),
        ca_path: path("capath"),
        client_cert: path("clientcert"),
        client_key: path("clientkey"),
        ..FileTls::default()
    };
    tls.server_name = object.take("servername").and_then(|name| name.text());
    tls.verify = object.take("verify").and_then(|verify| verify.boolean());
    object.finish();
    Some(tls)
}

/// Fills the file's gaps from the environment.
fn consul(file: File<'_>, environment: &Environment<'_>) -> Consul {
    let token = file.token.or_else(|| environment.get("CONSUL_HTTP_TOKEN"));
    let token = token.map(|token| Token::Value(Secret(token)));
    let address = match &file.address {
        Some((_, address)) => address.clone(),
        None => environment.address().unwrap_or_else(Address::stand_in),
    };
    let (scheme, host, port) = match address {
        Address::Unix(path) => return agent(ConsulAddress::Unix(path), token),
        Address::Tcp { scheme, host, port } => (scheme, host, port),
    };
    if let (Some(own), Some((field, other))) = (scheme, &file.scheme)
        && own != *other
    {
        field.refuse("is not the scheme of the address", "want one of the two alone");
    }
    let scheme = scheme.or(file.scheme.map(|(_, scheme)| scheme)).unwrap_or_else(|| {
        let ssl = || environment.boolean("CONSUL_HTTP_SSL") == Some(true);
        if file.tls.is_some() || ssl() { Scheme::Https } else { Scheme::Http }
    });
    let address = match scheme {
        Scheme::Http => {
            if file.tls.is_some() {
                environment.report.warn("consul.tls: is not used: the scheme is http");
            }
            ConsulAddress::Http { host, port: port.unwrap_or(80) }
        }
        Scheme::Https => {
            let tls = environment.tls(file.tls.unwrap_or_default());
            if tls.client_cert.is_some() != tls.client_key.is_some() {
                environment.report.problem_nowhere(
                    "consul.tls",
                    "a client's certificate and its key go together",
                    "want both clientcert (CONSUL_CLIENT_CERT) and clientkey (CONSUL_CLIENT_KEY)",
                );
            }
            ConsulAddress::Https { host, port: port.unwrap_or(443), tls }
        }
    };
    agent(address, token)
}

fn agent(address: ConsulAddress, token: Option<Token>) -> Consul {
    Consul { addresses: vec![address], token, namespace: None, partition: None, max_stale: None }
}

/// The `CONSUL_*` variables; an empty one is not set.
struct Environment<'a> {
    report: &'a Report<'a>,
    host: &'a Host,
}

impl Environment<'_> {
    fn get(&self, variable: &str) -> Option<String> {
        self.host.environment.get(variable).filter(|value| !value.is_empty()).cloned()
    }

    fn path(&self, variable: &str) -> Option<PathBuf> {
        self.get(variable).map(PathBuf::from)
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

fn etcd_field(field: &Field<'_>) -> Etcd {
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
    let Some(mut object) = field.object() else { return etcd };
    let want = "want a URL like \"http://etcd:2379\", or a list of them";
    if let Some(endpoints) = object.require("endpoints", want) {
        let fields = endpoints.strings();
        if fields.is_empty() && matches!(endpoints.node.value, Value::Array(_)) {
            endpoints.refuse("is empty", want);
        }
        for endpoint in fields {
            let Some(text) = endpoint.string() else { continue };
            match address::parse(&text) {
                Ok(Address::Tcp { scheme, host, port }) => {
                    let scheme = if scheme == Some(Scheme::Https) { "https" } else { "http" };
                    let host = if host.contains(':') { format!("[{host}]") } else { host };
                    let port = port.map_or_else(String::new, |port| format!(":{port}"));
                    etcd.endpoints.push(format!("{scheme}://{host}{port}"));
                }
                Ok(Address::Unix(_)) => endpoint.refuse("is not a URL of etcd", want),
                Err(fault) => endpoint.refuse(fault, want),
            }
        }
    }
    if let Some(prefix) = object.take("prefix").and_then(|prefix| prefix.text()) {
        etcd.prefix = format!("/{}", prefix.trim_matches('/'));
    }
    object.finish();
    etcd
}
