//! What files and variables say about the catalog.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use std::time::Duration;

use config::{
    Catalog, Config, Secret,
    catalog::{Consul, ConsulAddress, Etcd, Tls, Token},
};
use support::good;

/// A file of each generation with these members, and something to run.
fn both(members: &str, environment: &[(&str, &str)]) -> [Config; 2] {
    ["coprocesses: [{ command: 'a' }]", "jobs: [{ exec: 'a' }]"]
        .map(|rest| good(&format!("{{ {members}, {rest} }}"), "", environment))
}

/// Its catalog, the same in both generations.
fn catalog(members: &str, environment: &[(&str, &str)]) -> Catalog {
    let [old, new] = both(members, environment);
    assert_eq!(old.catalog, new.catalog, "{members}");
    new.catalog.expect("a catalog")
}

fn consul(members: &str, environment: &[(&str, &str)]) -> Consul {
    match catalog(members, environment) {
        Catalog::Consul(consul) => consul,
        Catalog::Etcd(_) => panic!("etcd"),
    }
}

fn etcd(members: &str) -> Etcd {
    match catalog(members, &[]) {
        Catalog::Etcd(etcd) => etcd,
        Catalog::Consul(_) => panic!("Consul"),
    }
}

fn http(host: &str, port: u16) -> ConsulAddress {
    ConsulAddress::Http { host: host.into(), port }
}

fn https(host: &str, port: u16, tls: Tls) -> ConsulAddress {
    ConsulAddress::Https { host: host.into(), port, tls }
}

#[test]
fn an_address_of_consul() {
    let address = |text: &str, environment: &[(&str, &str)]| {
        let [address] = consul(text, environment).addresses.try_into().expect("one");
        address
    };
    assert_eq!(address("consul: 'http://consul'", &[]), http("consul", 80));
    assert_eq!(address("consul: '[::1]:8500'", &[]), http("::1", 8500));
    assert_eq!(address("consul: 'https://consul'", &[]), https("consul", 443, Tls::default()));
    assert_eq!(
        address("consul: 'unix:///run/consul.sock'", &[]),
        ConsulAddress::Unix("/run/consul.sock".into())
    );
    // The file wins over the environment, which fills gaps.
    let variable = ("CONSUL_HTTP_ADDR", "other:1");
    assert_eq!(address("consul: 'consul:8500'", &[variable]), http("consul", 8500));
    assert_eq!(address("consul: {}", &[variable]), http("other", 1));
    assert_eq!(address("consul: {}", &[]), http("127.0.0.1", 8500));
    assert_eq!(address("consul: { address: ['', ''] }", &[variable]), http("other", 1));
    let ssl = ("CONSUL_HTTP_SSL", "1");
    assert_eq!(address("consul: 'c:1'", &[ssl]), https("c", 1, Tls::default()));
    assert_eq!(address("consul: 'http://c:1'", &[ssl]), http("c", 1));
    assert_eq!(address("consul: { address: 'c:1', scheme: 'http' }", &[ssl]), http("c", 1));
    let tls = Tls {
        ca_file: Some("/file/ca".into()),
        ca_path: Some("/env/path".into()),
        client_cert: Some("/env/cert".into()),
        client_key: Some("/env/key".into()),
        server_name: Some("consul.dc1".into()),
        insecure: true,
    };
    let variables = [
        ("CONSUL_CACERT", "/env/ca"),
        ("CONSUL_CAPATH", "/env/path"),
        ("CONSUL_CLIENT_CERT", "/env/cert"),
        ("CONSUL_CLIENT_KEY", "/env/key"),
        ("CONSUL_TLS_SERVER_NAME", "consul.dc1"),
        ("CONSUL_HTTP_SSL_VERIFY", "false"),
    ];
    let text = "consul: { address: 'c:1', scheme: 'https', tls: { cafile: '/file/ca' } }";
    assert_eq!(address(text, &variables), https("c", 1, tls.clone()));
    let text = "consul: { address: 'c:1', tls: { cafile: '/file/ca', verify: true } }";
    assert_eq!(address(text, &variables), https("c", 1, Tls { insecure: false, ..tls }));
}

#[test]
fn several_addresses_of_consul() {
    let addresses = |members: &str| consul(&format!("consul: {{ {members} }}"), &[]).addresses;
    assert_eq!(
        addresses("address: ['a:1', 'http://b', 'unix:///run/c', '', '[::1]:2']"),
        [http("a", 1), http("b", 80), ConsulAddress::Unix("/run/c".into()), http("::1", 2)]
    );
    // What is said once is for each of them that does not say otherwise itself.
    let tls = Tls { ca_file: Some("/ca".into()), ..Tls::default() };
    assert_eq!(
        addresses("address: ['a:1', 'https://b', 'http://c:1'], tls: { cafile: '/ca' }"),
        [https("a", 1, tls.clone()), https("b", 443, tls), http("c", 1)]
    );
    assert_eq!(
        addresses("address: ['a:1', 'b:1'], scheme: 'https'"),
        ["a", "b"].map(|host| https(host, 1, Tls::default()))
    );
    // A URL's scheme needs no variable.
    let both = consul(
        "consul: { address: ['https://a:1', 'http://b:1'] }",
        &[("CONSUL_HTTP_SSL", "not looked at")],
    );
    assert_eq!(both.addresses, [https("a", 1, Tls::default()), http("b", 1)]);
}

#[test]
fn tokens_of_consul() {
    let value = |token: &str| Some(Token::Value(Secret(token.into())));
    let file = |path: &str| Some(Token::File(path.into()));
    let variable = ("CONSUL_HTTP_TOKEN", "from-env");
    let file_variable = ("CONSUL_HTTP_TOKEN_FILE", "/env/token");
    let token = |members: &str, environment: &[(&str, &str)]| {
        consul(&format!("consul: {{ address: 'c:1', {members} }}"), environment).token
    };
    assert_eq!(token("", &[]), None);
    assert_eq!(token("", &[variable]), value("from-env"));
    assert_eq!(token("", &[file_variable]), file("/env/token"));
    assert_eq!(token("token: 'x'", &[variable, file_variable]), value("x"));
    assert_eq!(token("tokenFile: '/x'", &[variable, file_variable]), file("/x"));
    assert_eq!(token("tokenFile: '', token: ''", &[variable]), value("from-env"));
    // The environment may have both for the sake of others.
    let [old, new] = both("consul: 'c:1'", &[variable, file_variable]);
    assert_eq!(old.warnings, new.warnings);
    assert_eq!(
        new.warnings,
        ["CONSUL_HTTP_TOKEN_FILE: is not used: CONSUL_HTTP_TOKEN has a token already"]
    );
}

#[test]
fn what_else_consul_is_told() {
    let found = |members: &str, environment: &[(&str, &str)]| {
        let consul = consul(&format!("consul: {{ address: 'c:1', {members} }}"), environment);
        (consul.namespace, consul.partition, consul.max_stale)
    };
    let variables = [("CONSUL_NAMESPACE", "env-ns"), ("CONSUL_PARTITION", "env-part")];
    assert_eq!(found("", &[]), (None, None, None));
    assert_eq!(found("", &variables), (Some("env-ns".into()), Some("env-part".into()), None));
    let members = "namespace: 'ns', partition: 'part', maxStale: '1500ms'";
    let stale = Some(Duration::from_millis(1500));
    assert_eq!(found(members, &variables), (Some("ns".into()), Some("part".into()), stale));
    assert_eq!(found("namespace: '', partition: '', maxStale: 0", &[]), (None, None, None));
    assert_eq!(found("maxStale: ''", &[]), (None, None, None));
}

#[test]
fn all_of_etcd() {
    let endpoints = |members: &str| etcd(&format!("etcd: {{ endpoints: {members} }}")).endpoints;
    assert_eq!(endpoints("'etcd:2379'"), ["http://etcd:2379"]);
    assert_eq!(
        endpoints("['http://a:4001', 'https://b', 'http://[::1]:1/']"),
        ["http://a:4001", "https://b", "http://[::1]:1"]
    );
    // Whoever gives certificates means https.
    assert_eq!(
        endpoints("['a:1', 'http://b:1'], tls: { cafile: '/ca' }"),
        ["https://a:1", "http://b:1"]
    );
    let prefix = |prefix: &str| etcd(&format!("etcd: {{ endpoints: 'e:1', {prefix} }}")).prefix;
    assert_eq!(prefix(""), "/containerpilot");
    assert_eq!(prefix("prefix: '/containerpilot'"), "/containerpilot");
    assert_eq!(prefix("prefix: 'my/app/'"), "/my/app");

    let whole = etcd(
        "etcd: { endpoints: 'e:1', username: 'pilot', password: 'pw', \
         tls: { cafile: '/ca', clientcert: '/c', clientkey: '/k', verify: false } }",
    );
    let tls = Tls {
        ca_file: Some("/ca".into()),
        client_cert: Some("/c".into()),
        client_key: Some("/k".into()),
        insecure: true,
        ..Tls::default()
    };
    let (endpoints, prefix) = (vec!["https://e:1".into()], "/containerpilot".into());
    let (username, password) = (Some("pilot".into()), Some(Secret("pw".into())));
    assert_eq!(whole, Etcd { endpoints, prefix, username, password, tls });
    // Variables of Consul's are not for etcd, and nobody else's are.
    let text = "etcd: { endpoints: 'https://e:1' }";
    let variables = [("CONSUL_CACERT", "/ca"), ("ETCDCTL_ENDPOINTS", "x:1")];
    assert_eq!(catalog(text, &variables), catalog(text, &[]));
}

#[test]
fn certificates_that_nobody_looks_at() {
    for (members, warning) in [
        (
            "consul: { address: ['http://a:1', 'unix:///b'], tls: {} }",
            Some("consul.tls: is not used: the scheme is http"),
        ),
        ("consul: { address: ['http://a:1', 'https://b:1'], tls: {} }", None),
        (
            "etcd: { endpoints: 'http://a:1', tls: {} }",
            Some("etcd.tls: is not used: the endpoints are http"),
        ),
        ("etcd: { endpoints: ['http://a:1', 'b:1'], tls: {} }", None),
    ] {
        for config in both(members, &[]) {
            assert_eq!(config.warnings, warning.as_slice(), "{members}");
        }
    }
}

#[test]
fn what_etcd_does_without_in_older_files() {
    let text = "{ etcd: { endpoints: 'e:1' }, services: [{ name: 'db', poll: 1, ttl: 5, consul: { \
                enableTagOverride: true, deregisterCriticalServiceAfter: '1m' } }] }";
    let config = good(text, "", &[]);
    let service = config.jobs[0].service.as_ref().expect("a service");
    assert!(service.enable_tag_override && service.deregister_critical_after.is_none());
    let said = "line 1: services[0] (db).consul.deregisterCriticalServiceAfter: is not used: what \
                is not renewed leaves etcd when its TTL ends";
    assert_eq!(config.warnings, [said]);
}
