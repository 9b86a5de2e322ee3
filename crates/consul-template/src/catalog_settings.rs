//! Which catalog is asked. The reading of addresses, of `CONSUL_*` variables and of what goes
//! together is that of configurations of ours.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value};

use crate::{
    settings::{ConsulSettings, EtcdSettings, TlsSettings},
    value,
};

/// The variable with a name and a password for a proxy in front of Consul.
const LOGIN: &str = "CONSUL_HTTP_AUTH";

/// The older variable for the token.
const OLD_TOKEN: &str = "CONSUL_TOKEN";

/// The catalog, and what of it has no effect.
///
/// # Errors
/// Everything that is wrong with these settings.
pub(crate) fn catalog(
    consul: &ConsulSettings,
    etcd: &EtcdSettings,
    environment: &BTreeMap<String, String>,
) -> Result<(config::Catalog, Vec<String>), Vec<String>> {
    let mut root = Map::new();
    if etcd.endpoints.is_empty() {
        root.insert("consul".to_owned(), consul_object(consul, environment));
    } else {
        if consul.address.is_some() {
            return Err(vec![
                "etcd: stands beside an address of Consul: want one of the two".into(),
            ]);
        }
        root.insert("etcd".to_owned(), etcd_object(etcd));
    }
    let text = Value::Object(root).to_string();
    // Ours are the words of files in which TLS is another stanza.
    let ours =
        |text: String| text.replace("consul.tls", "consul.ssl").replace("etcd.tls", "etcd.ssl");
    match config::catalog_of(&text, environment) {
        Ok((Some(catalog), warnings)) => Ok((catalog, warnings.into_iter().map(ours).collect())),
        // The text names one.
        Ok((None, _)) => Err(vec!["there is no catalog".to_owned()]),
        Err(problems) => {
            let line = |problem: &config::Problem| {
                ours(format!("{}: {}: {}", problem.path, problem.fault, problem.rule))
            };
            Err(problems.iter().map(line).collect())
        }
    }
}

fn consul_object(consul: &ConsulSettings, environment: &BTreeMap<String, String>) -> Value {
    let ConsulSettings { address, token, token_file, namespace, tls, max_stale, .. } = consul;
    let is_set = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
    let old_token = || match is_set("CONSUL_HTTP_TOKEN") || is_set("CONSUL_HTTP_TOKEN_FILE") {
        true => None,
        false => environment.get(OLD_TOKEN).cloned(),
    };
    let token = match token_file {
        None => token.clone().or_else(old_token),
        Some(_) => token.clone(),
    };
    let has_scheme = address.as_ref().is_some_and(|address| address.contains("://"));
    let scheme = match tls.enabled {
        Some(true) => Some("https"),
        // The address knows better than what was meant to be the default.
        Some(false) if !has_scheme => Some("http"),
        _ => None,
    };
    let mut object = said(&[
        ("address", address),
        ("token", &token),
        ("tokenFile", token_file),
        ("namespace", namespace),
        ("scheme", &scheme.map(str::to_owned)),
        ("maxStale", &max_stale.map(in_milliseconds)),
    ]);
    object.extend(tls_object(tls));
    Value::Object(object)
}

fn etcd_object(etcd: &EtcdSettings) -> Value {
    let EtcdSettings { endpoints, prefix, username, password, tls } = etcd;
    let mut object = said(&[("prefix", prefix), ("username", username), ("password", password)]);
    object.insert("endpoints".to_owned(), endpoints.clone().into());
    object.extend(tls_object(tls));
    Value::Object(object)
}

/// With its name; `None` if nothing is said, or if there is to be none.
fn tls_object(tls: &TlsSettings) -> Option<(String, Value)> {
    let TlsSettings { enabled, verify, ca_cert, ca_path, cert, key, server_name } = tls;
    if *enabled == Some(false) {
        return None;
    }
    let mut object = said(&[
        ("cafile", ca_cert),
        ("capath", ca_path),
        ("clientcert", cert),
        // A certificate alone holds its key, too.
        ("clientkey", if key.is_some() { key } else { cert }),
        ("servername", server_name),
    ]);
    object.extend(verify.map(|verify| ("verify".to_owned(), verify.into())));
    (!object.is_empty() || *enabled == Some(true)).then(|| ("tls".to_owned(), object.into()))
}

/// An object of those that somebody has said.
fn said(texts: &[(&str, &Option<String>)]) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, text) in texts {
        if let Some(text) = text {
            object.insert((*name).to_owned(), text.as_str().into());
        }
    }
    object
}

fn in_milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// The name and the password for a proxy in front of Consul.
pub(crate) fn login(
    consul: &ConsulSettings,
    environment: &BTreeMap<String, String>,
) -> Option<(String, String)> {
    let variable = || environment.get(LOGIN).filter(|login| !login.is_empty());
    consul.login.clone().or_else(|| variable().map(|login| value::login(login)))
}

/// What children are told of Consul, if it was not their environment that told us.
pub(crate) fn variables(consul: &ConsulSettings) -> Vec<(&'static str, String)> {
    let ConsulSettings { address, token, token_file, login, namespace, tls, .. } = consul;
    let login = login.as_ref().map(|(name, password)| format!("{name}:{password}"));
    let flag = |is: &Option<bool>| is.map(|is| is.to_string());
    [
        ("CONSUL_HTTP_ADDR", address.clone()),
        ("CONSUL_HTTP_TOKEN", token.clone()),
        ("CONSUL_HTTP_TOKEN_FILE", token_file.clone()),
        (LOGIN, login),
        ("CONSUL_NAMESPACE", namespace.clone()),
        ("CONSUL_HTTP_SSL", flag(&tls.enabled)),
        ("CONSUL_HTTP_SSL_VERIFY", flag(&tls.verify)),
        ("CONSUL_CACERT", tls.ca_cert.clone()),
        ("CONSUL_CAPATH", tls.ca_path.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use config::catalog::{ConsulAddress, Tls, Token};

    fn consul(settings: &ConsulSettings, variables: &[(&str, &str)]) -> config::catalog::Consul {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = variables.iter().map(pair).collect();
        match catalog(settings, &EtcdSettings::default(), &variables).unwrap().0 {
            config::Catalog::Consul(consul) => consul,
            other => panic!("{other:?}"),
        }
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn certificates_and_verification() {
        let tls = TlsSettings {
            enabled: Some(true),
            verify: Some(false),
            ca_cert: text("ca"),
            cert: text("cert"),
            server_name: text("name"),
            ..TlsSettings::default()
        };
        let settings = ConsulSettings { address: text("x:1"), tls, ..ConsulSettings::default() };
        let expected = Tls {
            ca_file: Some("ca".into()),
            ca_path: None,
            client_cert: Some("cert".into()),
            // The certificate's file holds the key, too.
            client_key: Some("cert".into()),
            server_name: text("name"),
            insecure: true,
        };
        let address = ConsulAddress::Https { host: "x".into(), port: 1, tls: expected };
        assert_eq!(consul(&settings, &[]).addresses, [address]);
    }

    #[test]
    fn tls_that_is_off_is_off_whatever_else_is_said() {
        let tls = TlsSettings { enabled: Some(false), ..TlsSettings::default() };
        let plain = ConsulSettings { address: text("x:1"), tls, ..ConsulSettings::default() };
        let address = |host: &str| ConsulAddress::Http { host: host.into(), port: 1 };
        let ssl = [("CONSUL_HTTP_SSL", "true")];
        assert_eq!(consul(&plain, &ssl).addresses, [address("x")]);
        let tls = TlsSettings { ca_cert: text("ca"), ..plain.tls.clone() };
        assert_eq!(consul(&ConsulSettings { tls, ..plain }, &ssl).addresses, [address("x")]);
        let addressed = [("CONSUL_HTTP_ADDR", "there:1")];
        assert_eq!(consul(&ConsulSettings::default(), &addressed).addresses, [address("there")]);
    }

    #[test]
    fn the_token_of_whom() {
        let token = |settings: &ConsulSettings, variables: &[(&str, &str)]| match consul(
            settings, variables,
        )
        .token
        {
            Some(Token::Value(config::Secret(token))) => token,
            Some(Token::File(path)) => format!("file {}", path.display()),
            None => String::new(),
        };
        let (old, new) = (("CONSUL_TOKEN", "old"), ("CONSUL_HTTP_TOKEN", "new"));
        let nothing = ConsulSettings::default();
        assert_eq!(token(&nothing, &[]), "");
        assert_eq!(token(&nothing, &[old]), "old");
        assert_eq!(token(&nothing, &[old, new]), "new");
        assert_eq!(token(&nothing, &[old, ("CONSUL_HTTP_TOKEN_FILE", "x")]), "file x");
        let file = ConsulSettings { token_file: text("f"), ..ConsulSettings::default() };
        assert_eq!(token(&file, &[old, new]), "file f");
        let given = ConsulSettings { token: text("t"), ..ConsulSettings::default() };
        assert_eq!(token(&given, &[old, new]), "t");
    }
}
