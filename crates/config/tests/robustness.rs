//! Whatever the file holds: an answer, and soon.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use std::time::{Duration, Instant};

use config::{Generation, Source, control_socket, migrate};
use proptest::prelude::*;
use support::{host, load, words};

const FILES: [&str; 9] = [
    include_str!("fixtures/extensions.json5"),
    include_str!("fixtures/full.json"),
    include_str!("fixtures/jobs.json5"),
    include_str!("fixtures/api.json"),
    include_str!("fixtures/nginx.json"),
    include_str!("fixtures/discovery.json5"),
    include_str!("fixtures/etcd.json5"),
    include_str!("fixtures/rendering.json5"),
    include_str!("fixtures/checks.json5"),
];

/// What may stand in place of a value.
const VALUES: [&str; 16] = [
    "null",
    "{}",
    "[]",
    "\"\"",
    "-1",
    "0",
    "1e300",
    "NaN",
    "true",
    "\"5x\"",
    "[[]]",
    "[{}]",
    "\"{{ .X }}\"",
    "{ name: 'x' }",
    "\"static:::1\"",
    "99999999999999999999",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A good file with a few of its words replaced.
    #[test]
    fn no_mutation_panics(
        file in 0..FILES.len(),
        application in prop_oneof![Just(""), Just("app -x")],
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..VALUES.len()), 1..4),
    ) {
        let mut tokens: Vec<&str> = FILES[file].split_inclusive([',', ':', '{', '[', '\n']).collect();
        for (place, value) in changes {
            let place = place.index(tokens.len());
            tokens[place] = VALUES[value];
        }
        let source = Source { name: "containerpilot.json5".into(), text: tokens.concat() };
        let host = host(&[("X", "x")]);
        let migrated = migrate(&source, &words(application), &host);
        match config::load(&source, &words(application), &host) {
            Err(errors) => {
                // Every problem has a rule behind its last colon.
                let message = errors.to_string();
                for line in message.lines().filter(|line| line.starts_with("containerpilot.json5")) {
                    prop_assert!(line.matches(": ").count() >= 2, "{}", line);
                }
                prop_assert!(migrated.is_err());
            }
            Ok(config) => {
                prop_assert_eq!(migrated.is_ok(), config.generation == Generation::V2);
                // The commands of the control socket find the same one.
                if let (Ok(socket), "") = (control_socket(&source, &host), application) {
                    prop_assert_eq!(Some(socket), config.control);
                }
            }
        }
    }
}

#[test]
fn large_files_are_no_trap() {
    let start = Instant::now();
    let many = |item: &str, count: usize| vec![item; count].join(",");
    for text in [
        format!("{{ consul: 'c:1', services: [{}] }}", many("{}", 20_000)),
        format!("{{ jobs: [{}] }}", many("{ exec: 'a' }", 20_000)),
        format!("{{ jobs: [{}] }}", many("{ name: 'a', exec: 'a' }", 15_000)),
        format!("{{ jobs: [{{ {} }}] }}", many("a: 1", 20_000)),
        format!("{{ jobs: [{}] }}", many("\n5", 20_000)),
        format!(
            "{{ jobs: [{{ exec: 'a', when: {{ any: [{}] }} }}] }}",
            many("{ once: 'startup' }", 20_000)
        ),
        format!("{{ jobs: [{{ exec: 'a', env: {{ {} }} }}] }}", many("a: 1", 20_000)),
        format!("{{ consul: 'c:1', templates: [{}] }}", many("{}", 20_000)),
        format!(
            "{{ consul: 'c:1', jobs: [{}], templates: [{}] }}",
            many("{ exec: 'a' }", 5_000),
            files(8_000)
        ),
        format!(
            "{{ jobs: [{{ exec: 'a', health: {{ interval: 1, http: 'http://a', headers: {{ {} }}, expect: [{}] }} }}] }}",
            many("a: 1", 10_000),
            many("200", 10_000)
        ),
        format!(
            "{{ jobs: [{}] }}",
            many("{ exec: 'a', when: { source: 'bb', once: 'healthy' } }", 8_000)
        ),
        format!("{{ jobs: [{}] }}", chain(5_000, "stopAfter")),
        format!("{{ jobs: [{}] }}", chain(5_000, "when")),
        format!("{{ consul: 'c:1', coprocesses: [{}] }}", many("{ command: 'a' }", 20_000)),
    ] {
        match load(&text, "", &host(&[])) {
            Ok(config) => assert!(config.jobs.len() >= 5_000),
            Err(message) => {
                assert!(message.matches("\ncontainerpilot").count() < 110);
                assert!(!message.contains("values"), "not looked at: {message:.200}");
            }
        }
    }
    // Generous: unoptimised, on a busy machine. What looks at the whole text for every item
    // takes minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

/// Templates, each of another file.
fn files(count: usize) -> String {
    let file = |index| format!("{{ name: 't{index}', source: '/a', destination: '/b/{index}' }}");
    (0..count).map(file).collect::<Vec<_>>().join(", ")
}

/// Jobs of which each one names the one before.
fn chain(length: usize, key: &str) -> String {
    let job = |index: usize| {
        let before = index.saturating_sub(1);
        match key {
            "stopAfter" if index > 0 => {
                format!("{{ name: 'j{index}', exec: 'a', stopAfter: 'j{before}' }}")
            }
            _ if index > 0 => format!(
                "{{ name: 'j{index}', exec: 'a', when: {{ source: 'j{before}', once: 'healthy' }} }}"
            ),
            _ => "{ name: 'j0', exec: 'a' }".into(),
        }
    };
    (0..length).map(job).collect::<Vec<_>>().join(", ")
}

#[test]
fn what_a_template_can_multiply_is_no_trap() {
    let start = Instant::now();
    let environment = [("A_TOKEN", "hunter2hunter2")];
    for (text, message) in [
        ("{ jobs: [{{ range loop 60000 }}0,{{ end }}] }", "there are more than 50000 values"),
        ("{ jobs: [{{ range loop 60000 }}[[[]]],{{ end }}] }", "there are more than 50000 values"),
        (
            "{ jobs: [{{ range loop 100000 }}{ exec: 'a' },{{ end }}] }",
            "too much output: more than 1048576 bytes",
        ),
        ("{ {{ range $i := loop 40000 }}a{{ $i }}: 1,{{ end }} }", "is not a known key"),
        // Much that is secret, or could be, or nearly is.
        ("{ {{ range $i := loop 40000 }}'{{ $.A_TOKEN }}':1,{{ end }} }", "is not a known key"),
        ("{ {{ range loop 40000 }}token: 'abcdefgh',{{ end }} }", "is not a known key"),
        ("{ a: '{{ range loop 80000 }}token{{ end }}', jobs: 5 }", "is not a list"),
        ("{ a: '{{ range loop 80000 }}token:{{ end }}', jobs: 5 }", "is not a list"),
        ("{ a: '{{ range loop 80000 }}token:({{ end }}', jobs: 5 }", "is not a list"),
        ("{ a: '{{ range loop 80000 }}x://a:b@{{ end }}', jobs: 5 }", "is not a list"),
        ("{ a: '{{ range loop 80000 }}://{{ end }}', jobs: 5 }", "is not a list"),
    ] {
        let found = load(text, "", &host(&environment)).expect_err(text);
        assert!(found.contains(message), "{text}: {found:.300}");
        assert!(!found.contains("hunter2"), "{text}: {found:.300}");
    }
    // Seconds, unoptimised. What looks at all that is secret, or at all of a key, at every place
    // takes minutes.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn a_problem_is_a_line_and_an_excerpt() {
    let word = "{{ range loop 50000 }}abcdefghij{{ end }}";
    for text in [
        format!("{{ stopTimeout: {word} }}"),
        format!("{{ jobs: [], {word}: 5 }}"),
        format!("{{ jobs: [{{ name: '{word}', exec: 5 }}] }}"),
        r"{ jobs: [{ name: 'a\nb\u001b[31m', exec: 5 }] }".into(),
        r"{ jobs: [{ exec: 'a', 'a\nb\u001b[31m': 5 }] }".into(),
    ] {
        let message = load(&text, "", &host(&[])).expect_err(&text);
        let lines: Vec<&str> = message.lines().collect();
        assert!((3..=4).contains(&lines.len()), "{text}: {message}");
        assert!(lines.iter().all(|line| line.chars().count() < 2500), "{text}: {message:.3000}");
        assert!(!message.contains('\u{1b}'), "{text}: {message}");
    }
}
