//! A host that does not depend on the machine, and shorthands for loading.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "every test file uses its part of it")]

use config::{Config, Host, InterfaceAddress, Source};

/// A container with one network.
pub fn host(environment: &[(&str, &str)]) -> Host {
    let address = |(interface, address): (&str, &str)| InterfaceAddress {
        interface: interface.into(),
        address: address.parse().expect("an address"),
    };
    Host {
        environment: environment
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        hostname: "box".into(),
        addresses: [("lo", "127.0.0.1"), ("eth0", "10.0.0.5"), ("eth0", "fd00::5")]
            .map(address)
            .to_vec(),
    }
}

/// Words of a command line.
pub fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Loads a text; an error is the message that the user would see.
pub fn load(text: &str, application: &str, host: &Host) -> Result<Config, String> {
    let source = Source { name: "containerpilot.json5".into(), text: text.into() };
    config::load(&source, &words(application), host).map_err(|errors| errors.to_string())
}

/// Loads a text that must be good.
pub fn good(text: &str, application: &str, environment: &[(&str, &str)]) -> Config {
    load(text, application, &host(environment)).unwrap_or_else(|message| panic!("{message}"))
}

/// Loads a file of the folder `fixtures`.
pub fn fixture(name: &str, application: &str, environment: &[(&str, &str)]) -> Config {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    good(&text, application, environment)
}
