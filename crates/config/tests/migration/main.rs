//! 1.x/2.x files as 3.x files: the same jobs, but for what the generations do differently.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod equivalence;
mod files;
#[path = "../support/mod.rs"]
mod support;

use config::{
    Config, Host, Migration, Source,
    job::{Need, When},
    migrate,
};
use equivalence::assert_equivalent;
use files::file;
use proptest::prelude::*;
use support::{host, snapshot, words};

fn source(text: &str) -> Source {
    Source { name: "/etc/pilot.json".into(), text: text.into() }
}

fn migrated(text: &str, application: &str, host: &Host) -> Migration {
    migrate(&source(text), &words(application), host)
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn load(text: &str, application: &str, host: &Host) -> Config {
    config::load(&source(text), &words(application), host)
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

const FIXTURES: [(&str, &str, &str); 8] = [
    ("db", include_str!("../fixtures/db.json"), "mongod --smallfiles"),
    ("api", include_str!("../fixtures/api.json"), "npm start"),
    ("full", include_str!("../fixtures/full.json"), "node app.js {{.ENV_VAR_NAME}}"),
    ("customers", include_str!("../fixtures/customers.json"), "node /opt/app.js"),
    ("sales", include_str!("../fixtures/sales.json"), "node /opt/app.js"),
    ("nginx", include_str!("../fixtures/nginx.json"), "nginx -g daemon\u{a0}off;"),
    ("etcd", include_str!("../fixtures/etcd.json5"), "/bin/app"),
    ("checks", include_str!("../fixtures/checks.json5"), "/bin/app"),
];

#[test]
fn files_in_use() {
    for (name, text, application) in FIXTURES {
        for environment in
            [&[][..], &[("ENV_VAR_NAME", "value"), ("CONSUL_HOST", "consul.example")][..]]
        {
            let host = host(environment);
            let migrated = migrated(text, application, &host);
            let new = load(&migrated.text, "", &host);
            assert_equivalent(&load(text, application, &host), &new, &migrated.text);
            // The templates are still there.
            assert_eq!(text.contains("{{"), migrated.text.contains("{{"), "{name}");
            assert!(!migrated.text.contains("templates are gone"), "{name}");
            assert_eq!(new.warnings, Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn what_it_looks_like() {
    for (name, text, application) in [FIXTURES[1], FIXTURES[2], FIXTURES[6], FIXTURES[7]] {
        snapshot(&format!("migrated_{name}"), migrated(text, application, &host(&[])).text);
    }
}

#[test]
fn errors() {
    let host = host(&[]);
    let error = |text: &str| migrate(&source(text), &[], &host).expect_err(text).to_string();
    assert_eq!(
        error("{ jobs: [] }"),
        "/etc/pilot.json: this is a 3.x file already: want one of 1.x or 2.x"
    );
    assert!(error("{ services: [] }").contains("neither \"consul\" nor \"etcd\""));
}

#[test]
fn templates_that_are_kept_and_those_that_are_not() {
    let environment = host(&[
        ("PORT", "8080"),
        ("NAME", "shop"),
        ("TWO", "a\", \"b"),
        ("QUOTED", "say \"hi\""),
        ("DB_PASSWORD", "hunter2"),
    ]);
    for (text, kept) in [
        (
            "{ consul: 'c:1', services: [{ name: '{{ .NAME }}', port: {{ .PORT }}, poll: 1, ttl: 5 }] }",
            true,
        ),
        (r#"{ consul: "{{ .CONSUL | default "consul:8500" }}", services: [] }"#, true),
        (r#"{ consul: 'c:1', preStop: 'echo {{ .QUOTED }}', services: [] }"#, true),
        (r#"{ consul: 'c:1', preStop: ["echo", "{{ `{{` }}"], services: [] }"#, true),
        ("{ consul: 'c:1', backends: [{ name: '{{ .NAME }}', poll: 1, onChange: 'x' }] }", true),
        // Parts of lists, and members.
        (r#"{ consul: 'c:1', preStop: ["{{ .TWO }}"] }"#, false),
        ("{ consul: 'c:1', {{ if .PORT }}preStop: 'x'{{ end }} }", false),
        ("{{ define \"x\" }}{{ end }}{ consul: 'c:1', services: [] }", false),
        // Comments are not taken along: what they only show may go, what they decide may not.
        ("{ consul: 'c:1', // {{ .NAME }}\n preStop: 'x {{ .NAME }}' }", true),
        ("{ consul: 'c:1', // {{- if .NAME }}\n preStop: 'x', // {{end}}\n tasks: [] }", false),
    ] {
        let migrated = migrated(text, "app", &environment);
        let context = format!("{text}\n{}", migrated.text);
        assert_eq!(!migrated.text.contains("templates are gone"), kept, "{context}");
        assert_equivalent(
            &load(text, "app", &environment),
            &load(&migrated.text, "", &environment),
            &context,
        );
        assert_eq!(
            migrated.text.contains("\n// - templates are gone"),
            migrated.warnings.iter().any(|line| line.starts_with("templates are gone"))
        );
    }
}

#[test]
fn references_keep_the_templates_of_names() {
    let text = "{ consul: 'c:1', services: [{ name: '{{ .NAME }}', poll: 1, ttl: 5 }], backends: [{ name: \"{{ .NAME }}\", poll: 1, onChange: 'x' }] }";
    let migrated = migrated(text, "app", &host(&[("NAME", "shop")])).text;
    assert!(migrated.contains("source: \"watch.{{ .NAME }}\""), "{migrated}");
    assert!(migrated.contains("stopAfter: ['{{ .NAME }}']"), "{migrated}");
    // Braces that a rendered file really has.
    let text = r#"{ consul: 'c:1', preStop: ["echo", "{{ `{{` }} .X }}"], {{ if true }}tasks: []{{ end }} }"#;
    let host = host(&[]);
    let migrated = self::migrated(text, "app", &host);
    assert!(migrated.text.contains("templates are gone"), "{}", migrated.text);
    assert_equivalent(&load(text, "app", &host), &load(&migrated.text, "", &host), &migrated.text);
}

#[test]
fn names_that_3_does_not_take() {
    let host = host(&[]);
    let migrated =
        migrated("{ consul: 'c:1', services: [{ name: 'My_DB', poll: 1, ttl: 5 }] }", "app", &host);
    assert!(
        migrated.warnings.iter().any(|line| line.contains("\"My_DB\" needs another name")),
        "{:?}",
        migrated.warnings
    );
    // It is refused until that has been done.
    assert!(config::load(&source(&migrated.text), &[], &host).is_err());
}

#[test]
fn a_warning_shows_no_secret() {
    let host = host(&[("DB_PASSWORD", "hunter2hunter2")]);
    let text =
        "{ consul: 'c:1', services: [{ name: 'x.hunter2hunter2', poll: 1, ttl: 2, port: 1 }] }";
    let Migration { warnings, .. } = migrated(text, "", &host);
    let told = |word: &str| warnings.iter().any(|warning| warning.contains(word));
    assert!(told("needs another name") && !told("hunter2hunter2"), "{warnings:?}");
}

#[test]
fn hooks_of_an_end_without_a_beginning_are_told() {
    let told = |text: &str| {
        let warnings = migrated(text, "app", &host(&[])).warnings;
        warnings.iter().any(|line| line.contains("also if preStart has failed"))
    };
    assert!(told("{ consul: false, preStart: 'a', postStop: 'b' }"));
    assert!(told("{ consul: false, onStart: 'a', preStop: 'b' }"));
    assert!(!told("{ consul: false, preStart: 'a' }"));
    assert!(!told("{ consul: false, preStop: 'a', postStop: 'b' }"));
}

#[test]
fn commands_for_a_backend_with_several_tags_do_not_wait_for_pre_start() {
    let host = host(&[]);
    let text = "{ consul: 'c:1', preStart: 'p', backends: [
        { name: 'db', poll: 1, onChange: 'x' }, { name: 'db', tag: 'a', poll: 1, onChange: 'y' },
        { name: 'web', poll: 1, onChange: 'z' },
    ] }";
    let migrated = migrated(text, "app", &host);
    let config = load(&migrated.text, "", &host);
    let need = |name: &str| {
        let job = config.jobs.iter().find(|job| job.name == name).expect(name);
        matches!(job.when, When::On { need: Need::All, .. })
    };
    assert_eq!(
        ["db-onChange", "db-a-onChange", "web-onChange"].map(need),
        [false, false, true],
        "{}",
        migrated.text
    );
    let told = migrated.warnings.iter().filter(|line| line.contains("does not wait for preStart"));
    assert_eq!(told.count(), 2, "{:?}", migrated.warnings);
}

const ENVIRONMENTS: &[&[(&str, &str)]] = &[
    &[("PORT", "80"), ("NAME", "shop")],
    &[("PORT", "3"), ("NAME", "db"), ("CONSUL", "[::1]:8500")],
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_file_says(
        text in file(),
        application in prop_oneof![Just(""), Just("app -x"), Just("{{.NAME}} '\"' \\ x{{.PORT}}{")],
        environment in prop::sample::select(ENVIRONMENTS),
    ) {
        // Only evidence makes it a 2.x file without an application.
        let text = if text.contains("tasks:") { text } else { text.replacen('{', "{ tasks: null, ", 1) };
        let host = host(environment);
        let old = load(&text, application, &host);
        let migrated = migrated(&text, application, &host);
        let context = format!("{text}\n{}", migrated.text);
        prop_assert!(!migrated.text.contains("templates are gone"), "{}", context);
        assert_equivalent(&old, &load(&migrated.text, "", &host), &context);
    }
}
