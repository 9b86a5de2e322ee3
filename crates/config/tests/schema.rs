//! The JSON Schema against real files, with a real validator.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use config::{Generation, schema};
use support::{host, schema::validate, snapshot};

/// Files of a generation, without templates or with rendered ones.
const GOOD: [(Generation, &str, &str); 12] = [
    (Generation::V2, "full", include_str!("fixtures/full.json")),
    (Generation::V2, "api", include_str!("fixtures/api.json")),
    (Generation::V2, "db", include_str!("fixtures/db.json")),
    (Generation::V2, "nginx", include_str!("fixtures/nginx.json")),
    (Generation::V2, "sales", include_str!("fixtures/sales.json")),
    (Generation::V2, "customers", include_str!("fixtures/customers.json")),
    (Generation::V3, "jobs", include_str!("fixtures/jobs.json5")),
    (Generation::V3, "extensions", include_str!("fixtures/extensions.json5")),
    (Generation::V3, "discovery", include_str!("fixtures/discovery.json5")),
    (Generation::V2, "etcd", include_str!("fixtures/etcd.json5")),
    (Generation::V3, "rendering", include_str!("fixtures/rendering.json5")),
    (Generation::V2, "checks", include_str!("fixtures/checks.json5")),
];

#[test]
fn good_files_are_good() {
    for (generation, name, text) in GOOD {
        for text in [text.to_owned(), config::render(text, &host(&[]).environment).expect("a text")]
        {
            assert_eq!(validate(generation, &text), Ok(()), "{name}");
        }
    }
}

/// What documents show can be copied.
#[test]
fn documented_files_are_good() {
    let mut seen = 0;
    let documents = ["README.md", "docs/configuration.md", "docs/catalogs.md", "docs/templates.md"];
    for document in documents {
        let path = format!("{}/../../{document}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("a document");
        for block in text.split("\n```json5\n").skip(1) {
            let file = block.split("\n```").next().expect("an end");
            // What is indented belongs into one that has been shown before.
            let file = match file.starts_with(' ') {
                true => &format!("{{ consul: 'consul:8500',\n{file}\n}}"),
                false => file,
            };
            let config = support::load(file, "", &host(&[("ETCD_PASSWORD", "x")]));
            let config = config.unwrap_or_else(|message| panic!("{document}: {message}"));
            assert_eq!(config.warnings, Vec::<String>::new(), "{file}");
            let advice = config::advice(&config, &host(&[]).environment);
            assert_eq!(advice, Vec::<String>::new(), "{file}");
            assert_eq!(validate(config.generation, file), Ok(()), "{file}");
            seen += 1;
        }
    }
    assert!(seen >= 13, "only {seen} files in the documents");
}

#[test]
fn migrated_files_are_good() {
    for (_, name, text) in GOOD.iter().filter(|(generation, ..)| *generation == Generation::V2) {
        let source = config::Source { name: (*name).into(), text: (*text).into() };
        let migrated = config::migrate(&source, &["app".into()], &host(&[])).expect("a text");
        assert_eq!(validate(Generation::V3, &migrated.text), Ok(()), "{name}");
    }
}

#[test]
fn small_liberties() {
    for (generation, text) in [
        (Generation::V3, "{}"),
        (Generation::V3, "{ '$schema': 'pilot.json', jobs: [] }"),
        (Generation::V2, "{ '$schema': 'pilot.json', consul: 'c:1', services: [] }"),
        (
            Generation::V3,
            "{ consul: false, stopTimeout: 0, jobs: [{ exec: 'aa', port: '{{ .PORT }}', health: { interval: '5', ttl: 10 }, when: null, restarts: '{{ .N }}' }, { name: 'bb', port: ' 80 ', health: { interval: 5, ttl: 10 } }] }",
        ),
        (
            Generation::V3,
            "{ consul: { address: 'c:1', tls: null }, jobs: [{ name: '', exec: ['a'], timeout: '1h30.5m', stopSignal: 'int', user: 0 }] }",
        ),
        (
            Generation::V3,
            "{ jobs: [{ exec: 'a', stopSignal: 15, essential: 'ONFAILURE', logging: { level: 'debug' }, tags: 'x' }] }",
        ),
        (
            Generation::V3,
            "{ jobs: [{ exec: 'a', stopSignal: '9', essential: '{{ .X }}', timeout: '', env: { 'a.b': null, A: 1.5 } }] }",
        ),
        (
            Generation::V3,
            "{ jobs: [{ exec: 'a', when: { source: 'SIGHUP', each: 'SIGHUP' } }, { exec: 'b', when: { source: 'SIGUSR2', each: 'SIGUSR2' } }] }",
        ),
        (
            Generation::V3,
            "{ etcd: { endpoints: ['e:1'] }, watches: [{ keyPrefix: '/a/', name: '', interval: 1 }], elections: [{ name: 'a b', ttl: '{{ .N }}', lockDelay: 0, service: null }], jobs: [{ name: 'bb', exec: 'b', port: 1, drain: { time: '{{ .N }}', mark: false }, health: { interval: 1, ttl: 2 } }] }",
        ),
        (
            Generation::V3,
            "{ consul: 'c:1', templates: [{ name: 'a', contents: 'b', delimiters: ['<<', '>>'], destination: '/b', mode: '640', wait: ' 1 : 5s ', check: ['a'], minimum: { a: '{{ .N }}', b: null }, user: '', shrinkAfter: '' }, { name: 'b', source: '/a', destination: '/c', wait: { min: '{{ .N }}' } }], jobs: [{ exec: 'a', when: { source: 'template.a', each: 'failed' }, health: { interval: 1, http: 'http://a', method: 'head', expect: ['{{ .N }}00', ' 200 - 299 ', 404], headers: { A: 1 }, failures: '{{ .N }}', onFailure: '' } }] }",
        ),
        (
            Generation::V2,
            "{ CONSUL: 'c:1', PreStop: null, stoptimeout: '-5s', services: [{ NAME: 'x', Poll: '5', TTL: 10 }] }",
        ),
    ] {
        if let Err(message) =
            support::load(text, "", &host(&[("PORT", "80"), ("N", "3"), ("X", "onFailure")]))
        {
            panic!("{message}");
        }
        assert_eq!(validate(generation, text), Ok(()), "{text}");
    }
}

#[test]
fn its_size_and_form() {
    for generation in [Generation::V2, Generation::V3] {
        let schema = schema(generation);
        assert!(schema.len() < 24_000, "{} bytes", schema.len());
        assert!(!schema.contains('\n'));
    }
    let schema: serde_json::Value = serde_json::from_str(&schema(Generation::V3)).expect("JSON");
    let job = &schema["definitions"]["job"]["properties"];
    assert_eq!(job["port"]["maximum"], 65535);
    assert_eq!(job["essential"]["anyOf"][1]["anyOf"][0]["enum"][0], "onFailure");
    snapshot("schema_of_a_watch", schema["definitions"]["watch"].to_string());
}
