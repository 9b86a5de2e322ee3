//! A host that does not depend on the machine, and shorthands for loading.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "every test file uses its part of it")]

pub mod schema;

use config::{Config, Generation, Host, InterfaceAddress, Source};

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

/// The messages of all cases of a theme. A case that is not wrong fails the test.
/// At the end, which of them a JSON Schema does not find wrong: it is about one value at a time.
pub fn messages(cases: &[(&str, &str)]) -> String {
    let mut all = String::new();
    let mut unseen = Vec::new();
    for (title, text) in cases {
        let message = load(text, "", &host(&[])).expect_err(title);
        assert!(!message.is_empty(), "{title}");
        all.push_str(&format!("── {title}\n{message}\n\n"));
        let old = ["services", "backends", "tasks", "coprocesses", "preSt", "onStart", "sensors"];
        let is_old = old.iter().any(|key| text.contains(key));
        let generation = if is_old { Generation::V2 } else { Generation::V3 };
        if schema::validate(generation, text).is_ok() {
            unseen.push(format!("\n- {title}"));
        }
    }
    all + "── what the JSON Schema does not see" + &unseen.concat()
}

/// The message without the test's source, which is in this file already.
pub fn snapshot(name: &str, message: impl AsRef<str>) {
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!(name, message.as_ref());
    });
}

/// The same of texts that are made.
pub fn themes(cases: &[(&str, String)]) -> String {
    let cases: Vec<(&str, &str)> =
        cases.iter().map(|(title, text)| (*title, text.as_str())).collect();
    messages(&cases)
}
