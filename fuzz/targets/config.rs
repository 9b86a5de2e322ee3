//! Any text as a configuration file, with and without an application: it is accepted or refused,
//! soon; every position that an error names exists; nothing that is said shows a secret; a good
//! file of 2.x becomes a good file of 3.x.

#![no_main]

use config::{Generation, Host, InterfaceAddress, Source};
use libfuzzer_sys::fuzz_target;

/// What must not be shown, wherever templates put it.
const SECRETS: [(&str, &str); 2] =
    [("DB_PASSWORD", "hunter2hunter2"), ("CONSUL_HTTP_TOKEN", "tok-9f8e7d6c5b4a")];
/// Variables that anybody may see.
const OPEN: [(&str, &str); 4] =
    [("NAME", "web"), ("EMPTY", ""), ("PORT", "8080"), ("LIST", "a,b,c")];
/// More bytes than this are loaded in one way only.
const LARGE: usize = 64 << 10;
/// The command lines of the application; no words: none.
const APPLICATIONS: [&[&str]; 2] = [&[], &["/bin/app", "--port={{ .PORT }}", "{{ .DB_PASSWORD }}"]];

fuzz_target!(|text: &str| {
    let source = Source { name: "fuzz.json5".into(), text: text.into() };
    let host = host();
    // What loops have made large takes long enough once.
    let rendered = config::render(text, &host.environment);
    let is_large = rendered.is_ok_and(|rendered| rendered.len() > LARGE);
    let applications = if is_large { &APPLICATIONS[..1] } else { &APPLICATIONS };
    for application in applications {
        let application: Vec<String> = application.iter().map(|&word| word.into()).collect();
        match config::load(&source, &application, &host) {
            Ok(config) => {
                check_hidden(&format!("{config:?}"));
                config.warnings.iter().for_each(|line| check_hidden(line));
                let advice = config::advice(&config, &host.environment);
                let hints = config::hints(&config, &host.environment);
                advice.iter().chain(&hints).for_each(|line| check_hidden(line));
                if !is_large {
                    check_migration(&source, &application, &host, config.generation);
                }
            }
            Err(errors) => check_errors(&errors, text, &host),
        }
    }
    if let Err(errors) = config::control_socket(&source, &host) {
        check_errors(&errors, text, &host);
    }
});

fn host() -> Host {
    let address = |interface: &str, address: &str| InterfaceAddress {
        interface: interface.into(),
        address: address.parse().expect("an address"),
    };
    Host {
        environment: SECRETS
            .iter()
            .chain(&OPEN)
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        hostname: "box".into(),
        addresses: vec![
            address("lo", "127.0.0.1"),
            address("eth0", "10.0.0.5"),
            address("eth0", "fd00::5"),
        ],
    }
}

/// An error is for people at terminals.
fn check_errors(errors: &config::Errors, text: &str, host: &Host) {
    let message = errors.to_string();
    check_hidden(&message);
    assert!(message.len() < 1 << 20, "{} bytes", message.len());
    assert!(!message.contains(|char: char| char.is_control() && char != '\n'), "{message:?}");
    check_positions(errors, text, host);
}

fn check_hidden(text: &str) {
    for (name, value) in SECRETS {
        assert!(!text.contains(value), "{name} is shown: {text}");
    }
}

/// A good file of 2.x becomes a good file of 3.x.
fn check_migration(source: &Source, application: &[String], host: &Host, generation: Generation) {
    match config::migrate(source, application, host) {
        Ok(migration) => {
            migration.warnings.iter().for_each(|line| check_hidden(line));
            // Names that 3.x does not take are for people to change.
            if migration.warnings.iter().any(|line| line.contains("needs another name")) {
                return;
            }
            let source = Source { name: "migrated.json5".into(), text: migration.text };
            let config = config::load(&source, &[], host);
            let config = config.unwrap_or_else(|errors| panic!("{errors}\n{}", source.text));
            assert_eq!(config.generation, Generation::V3);
        }
        Err(errors) => assert_eq!(generation, Generation::V3, "{errors}"),
    }
}

/// Positions are those of the rendered text, or of the text itself if it cannot be rendered.
fn check_positions(errors: &config::Errors, text: &str, host: &Host) {
    let rendered = config::render(text, &host.environment);
    let text = rendered.as_deref().unwrap_or(text);
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(!errors.problems().is_empty());
    for problem in errors.problems() {
        assert!(!problem.fault.is_empty() && !problem.rule.is_empty(), "{problem:?}");
        let Some(position) = problem.position else { continue };
        let line = lines.get(position.line - 1);
        let width = line.unwrap_or_else(|| panic!("no such line: {problem:?}")).chars().count();
        assert!((1..=width + 1).contains(&position.column), "no such column: {problem:?}");
    }
}
