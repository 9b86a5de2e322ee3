//! The way to the control socket, past whatever else is wrong with the file.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use config::{Source, control_socket};
use support::{host, snapshot};

fn socket(text: &str) -> Result<String, String> {
    let source = Source { name: "containerpilot.json5".into(), text: text.into() };
    let host = host(&[("SOCKET", "/run/from-env"), ("DB_PASSWORD", "hunter2")]);
    match control_socket(&source, &host) {
        Ok(path) => Ok(path.display().to_string()),
        Err(errors) => Err(errors.to_string()),
    }
}

const DEFAULT: &str = "/var/run/containerpilot.socket";

#[test]
fn what_is_broken_elsewhere_does_not_matter() {
    for (text, path) in [
        ("{ control: { socket: '/run/x' }, jobs: [] }", "/run/x"),
        ("{ control: { socket: '{{ .SOCKET }}' }, jobs: [] }", "/run/from-env"),
        ("{ control: { socket: '/run/x' }, jobs: [{ nam: 5 }], x: [] }", "/run/x"),
        ("{ control: { socket: '/run/x', mode: 5 }, jobs: 5 }", "/run/x"),
        ("{ control: { socket: '/run/x' }, jobs: [], services: [] }", "/run/x"),
        ("{ Control: { Socket: '/run/x' }, services: [{}] }", "/run/x"),
        // A template that fails, in a text that is JSON5 nevertheless.
        ("{ control: { socket: '/run/x' }, jobs: ['{{ .X | nothing }}'] }", "/run/x"),
        ("{ jobs: [{ nam: 5 }] }", DEFAULT),
        ("{ control: {}, jobs: [] }", DEFAULT),
        ("{ control: { socket: '{{ .UNSET }}' }, jobs: [] }", DEFAULT),
        ("{}", DEFAULT),
        ("{ jobs: [], services: [] }", DEFAULT),
        ("{ jobs: [", DEFAULT),
        ("[]", DEFAULT),
        ("", DEFAULT),
    ] {
        assert_eq!(socket(text).as_deref(), Ok(path), "{text}");
    }
}

#[test]
fn without_a_socket() {
    let messages = [
        "{ consul: 'c:1', services: [] }",
        "{ consul: 'c:1', control: {}, preStop: 'x' }",
        "{ control: { socket: 5 }, jobs: [] }",
        "{ control: '/run/x', jobs: [] }",
        "{ control: { sockt: '/run/x' }, jobs: [] }",
        "{ control: 'hunter2', jobs: [] }",
    ]
    .map(|text| socket(text).expect_err(text));
    assert!(!messages.concat().contains("hunter2"), "{messages:?}");
    snapshot("without_a_socket", messages.join("\n\n"));
}
