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

use proptest::prelude::*;
use support::{host, load};

const FILES: [&str; 4] = [
    include_str!("fixtures/full.json"),
    include_str!("fixtures/jobs.json5"),
    include_str!("fixtures/api.json"),
    include_str!("fixtures/nginx.json"),
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
        let text = tokens.concat();
        if let Err(message) = load(&text, application, &host(&[])) {
            // Every problem has a rule behind its last colon.
            for line in message.lines().filter(|line| line.starts_with("containerpilot.json5")) {
                prop_assert!(line.matches(": ").count() >= 2, "{}", line);
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
        format!("{{ jobs: [{}] }}", many("{ name: 'a', exec: 'a' }", 20_000)),
        format!("{{ jobs: [{{ {} }}] }}", many("a: 1", 20_000)),
        format!("{{ jobs: [{}] }}", many("\n5", 20_000)),
        format!("{{ consul: 'c:1', coprocesses: [{}] }}", many("{ command: 'a' }", 20_000)),
    ] {
        match load(&text, "", &host(&[])) {
            Ok(config) => assert!(config.jobs.len() >= 20_000),
            Err(message) => assert!(message.matches("\ncontainerpilot").count() < 110),
        }
    }
    // Generous: unoptimised, on a busy machine. What looks at the whole text for every item
    // takes minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
