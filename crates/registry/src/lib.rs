//! The client of the catalog that a configuration names.
//!
//! # Theory of operation
//! `config` knows no client, and neither [`consul`] nor [`etcd`] know configurations: this is where
//! the two meet, for all programs of ours that read one.

use std::sync::Arc;

use catalog::Catalog;
use config::{Secret, catalog::ConsulAddress};
use consul::{Address, Consul, Tls};
use etcd::Etcd;

/// Where etcd listens, if its URL does not say.
const ETCD_PORT: u16 = 2379;

/// The client. It asks nothing yet.
///
/// # Errors
/// Certificates or tokens cannot be read.
pub fn client(settings: &config::Catalog) -> Result<Arc<dyn Catalog>, String> {
    client_with_login(settings, None)
}

/// The same, with the name and the password that a proxy in front of Consul asks for.
///
/// # Errors
/// As of [`client`].
pub fn client_with_login(
    settings: &config::Catalog,
    login: Option<(String, String)>,
) -> Result<Arc<dyn Catalog>, String> {
    Ok(match settings {
        config::Catalog::Consul(settings) => {
            let options = consul::Options { login, ..consul_options(settings) };
            Arc::new(Consul::build(options).map_err(|error| error.to_string())?)
        }
        config::Catalog::Etcd(settings) => {
            let options = etcd_options(settings)?;
            Arc::new(Etcd::build(options).map_err(|error| error.to_string())?)
        }
    })
}

fn consul_options(settings: &config::catalog::Consul) -> consul::Options {
    let token = settings.token.as_ref().map(|token| match token {
        config::catalog::Token::Value(Secret(value)) => consul::Token::Value(value.clone()),
        config::catalog::Token::File(path) => consul::Token::File(path.clone()),
    });
    let addresses = settings.addresses.iter().map(|address| match address {
        ConsulAddress::Http { host, port } => Address::Http { host: host.clone(), port: *port },
        ConsulAddress::Https { host, port, tls: settings } => {
            Address::Https { host: host.clone(), port: *port, tls: tls(settings) }
        }
        ConsulAddress::Unix(path) => Address::Unix(path.clone()),
    });
    consul::Options {
        token,
        namespace: settings.namespace.clone(),
        partition: settings.partition.clone(),
        max_stale: settings.max_stale,
        ..consul::Options::new(addresses.collect())
    }
}

fn etcd_options(settings: &config::catalog::Etcd) -> Result<etcd::Options, String> {
    let endpoints = settings.endpoints.iter().map(|url| endpoint(url, &settings.tls));
    let endpoints: Vec<Address> = endpoints
        .collect::<Option<_>>()
        .ok_or_else(|| format!("etcd.endpoints: want URLs: {}", settings.endpoints.join(", ")))?;
    Ok(etcd::Options {
        username: settings.username.clone(),
        password: settings.password.as_ref().map(|Secret(password)| password.clone()),
        prefix: settings.prefix.clone(),
        ..etcd::Options::new(endpoints)
    })
}

/// A member's URL, as the configuration has it.
fn endpoint(url: &str, settings: &config::catalog::Tls) -> Option<Address> {
    let (scheme, authority) = url.split_once("://")?;
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address are within brackets.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, ETCD_PORT),
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    match scheme {
        "http" => Some(Address::Http { host, port }),
        "https" => Some(Address::Https { host, port, tls: tls(settings) }),
        _ => None,
    }
}

/// What to believe and what to show, in the client's terms.
#[must_use]
pub fn tls(tls: &config::catalog::Tls) -> Tls {
    Tls {
        ca_file: tls.ca_file.clone(),
        ca_path: tls.ca_path.clone(),
        client_cert: tls.client_cert.clone(),
        client_key: tls.client_key.clone(),
        server_name: tls.server_name.clone(),
        insecure: tls.insecure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_members_listen() {
        let text = |url| endpoint(url, &config::catalog::Tls::default()).unwrap().to_string();
        for (url, expected) in [
            ("http://etcd", "http://etcd:2379"),
            ("http://etcd:4001", "http://etcd:4001"),
            ("https://10.0.0.1:2379", "https://10.0.0.1:2379"),
            ("http://[::1]", "http://[::1]:2379"),
            ("http://[2001:db8::1]:2379", "http://[2001:db8::1]:2379"),
        ] {
            assert_eq!(text(url), expected);
        }
    }
}
