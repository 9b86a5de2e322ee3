//! Wrong uses of what the originals did not have, and the whole of what is said about each.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use support::{snapshot, themes};

/// A 3.x file with a job that has these members.
fn job(members: &str) -> String {
    format!("{{ consul: false, jobs: [\n  {{ name: \"app\", exec: \"app\", {members} }},\n] }}")
}

#[test]
fn surroundings() {
    snapshot(
        "surroundings",
        themes(&[
            ("a user and a group in one", job("user: \"www-data:www-data\"")),
            ("a user that is none", job("user: true")),
            ("a negative user", job("user: -1")),
            ("half a user", job("user: 1.5")),
            ("the number that means none", job("user: 4294967295")),
            ("the same as a string", job("group: \"4294967295\"")),
            ("a user with a space", job("user: \"www data\"")),
            ("a relative folder", job("workdir: \"data\"")),
            ("a folder that is none", job("workdir: 5")),
            ("an env that is a list", job("env: [\"A=b\"]")),
            ("a variable that is a list", job("env: { A: [1] }")),
            ("a variable without a name", job("env: { \"\": 1 }")),
            ("an assignment", job("env: { \"A=b\": 1 }")),
            ("a variable of ours", job("env: { CONTAINERPILOT_PID: 1 }")),
            ("a variable twice", job("env: {\n    A: 1,\n    A: 2,\n  }")),
            ("a value that no variable can hold", job("env: { A: \"a\\0b\" }")),
        ]),
    );
}

#[test]
fn ends() {
    snapshot(
        "ends",
        themes(&[
            ("an unknown signal", job("stopSignal: \"SIGSTOP\"")),
            ("a misspelt signal", job("stopSignal: \"SIGQIUT\"")),
            ("a misspelt short signal", job("stopSignal: \"ITN\"")),
            ("a number of no such signal", job("stopSignal: 19")),
            ("a signal that is none", job("stopSignal: true")),
            ("a signal of a 2.x file", "{ consul: false, preStop: \"a\", stopSignal: 0 }".into()),
            ("half essential", job("essential: \"yes\"")),
            ("essential on an interval", job("essential: true, when: { interval: 5 }")),
            (
                "essential without a process",
                "{ jobs: [{ name: \"app\", essential: true, health: { interval: 1 } }] }".into(),
            ),
            ("an unknown back-off", job("restarts: 3, backoff: \"linear\"")),
            ("a back-off that is none", job("restarts: 3, backoff: false")),
        ]),
    );
}

#[test]
fn logs_of_jobs() {
    snapshot(
        "logs_of_jobs",
        themes(&[
            ("raw with a level", job("logging: { raw: true, level: \"DEBUG\", format: \"json\" }")),
            ("an unknown level", job("logging: { level: \"LOUD\" }")),
            ("an unknown format", job("logging: { format: \"jsn\" }")),
            ("an output", job("logging: { output: \"stdout\" }")),
            ("of a check", job("health: { interval: 1, logging: { raw: true, level: \"INFO\" } }")),
        ]),
    );
}

/// A 3.x file with a job that waits so.
fn when(when: &str) -> String {
    format!(
        "{{ consul: \"c:1\", watches: [{{ name: \"up\", interval: 3 }}], jobs: [\n  {{ name: \"db\", exec: \"db\" }},\n  {{ name: \"app\", exec: \"app\", {when} }},\n] }}"
    )
}

#[test]
fn several_conditions() {
    let db = "{ source: \"db\", once: \"healthy\" }";
    snapshot(
        "several_conditions",
        themes(&[
            ("none", when("when: { all: [] }")),
            ("all and any", when(&format!("when: {{ all: [{db}], any: [{db}] }}"))),
            (
                "beside a single one",
                when(&format!("when: {{ any: [{db}], source: \"db\", each: \"healthy\" }}")),
            ),
            ("beside an interval", when(&format!("when: {{ all: [{db}], interval: 5 }}"))),
            ("not a list", when(&format!("when: {{ all: {db} }}"))),
            ("not an object", when("when: { all: [\"db\"] }")),
            ("an empty one", when(&format!("when: {{ all: [{db}, {{}}] }}"))),
            ("a source alone", when("when: { any: [{ source: \"db\" }] }")),
            ("an unknown job", when("when: { any: [{ source: \"bd\", once: \"healthy\" }] }")),
            (
                "a timeout inside",
                when("when: { any: [{ source: \"db\", once: \"healthy\", timeout: 5 }] }"),
            ),
            (
                "once and each",
                when("when: { any: [{ source: \"db\", once: \"healthy\", each: \"healthy\" }] }"),
            ),
            (
                "the same twice",
                when(&format!(
                    "when: {{ all: [\n    {db},\n    {{ source: \"db\", each: \"healthy\" }},\n  ] }}"
                )),
            ),
            (
                "the end beside something else",
                when(&format!("when: {{ any: [{db}, {{ source: \"db\", once: \"stopped\" }}] }}")),
            ),
            (
                "restarts for ever on one of them",
                when(
                    "restarts: \"unlimited\", when: { any: [{ once: \"startup\" }, { source: \"SIGHUP\" }] }",
                ),
            ),
        ]),
    );
}

#[test]
fn order_of_the_end() {
    let jobs = |jobs: &str| format!("{{ jobs: [\n{jobs}] }}");
    snapshot(
        "order_of_the_end",
        themes(&[
            ("an unknown job", job("stopAfter: [\"ap\"]")),
            ("a number", job("stopAfter: 5")),
            ("itself", job("stopAfter: \"app\"")),
            (
                "each other",
                jobs(
                    "  { exec: \"a\", stopAfter: \"b\" },\n  { exec: \"b\", stopAfter: \"c\" },\n  { exec: \"c\", stopAfter: \"a\" },\n",
                ),
            ),
            (
                "what runs at its end",
                jobs(
                    "  { exec: \"a\", stopAfter: \"b\" },\n  { exec: \"b\", when: { source: \"c\", once: \"stopped\" } },\n  { exec: \"c\", when: { source: \"a\", once: \"stopping\" } },\n",
                ),
            ),
            (
                "a beginning without an interval",
                when(
                    "when: { source: \"db\", once: \"healthy\", after: { source: \"db\", once: \"healthy\" } }",
                ),
            ),
            ("a beginning that is no event", when("when: { interval: 5, after: \"db\" }")),
            (
                "a beginning without an event",
                when("when: { interval: 5, after: { source: \"db\" } }"),
            ),
            (
                "a beginning again and again",
                when("when: { interval: 5, after: { source: \"db\", each: \"healthy\" } }"),
            ),
            (
                "a beginning that never comes",
                when("when: { interval: 5, after: { source: \"app\", once: \"healthy\" } }"),
            ),
        ]),
    );
}

/// A 3.x file with jobs that wait so; they are called `a`, `b` and so on.
fn chain(whens: &[&str]) -> String {
    let jobs = whens.iter().zip("abcdefgh".chars()).map(|(when, name)| {
        format!("  {{ name: \"{name}\", exec: \"x\", when: {{ {when} }} }},\n")
    });
    format!("{{ jobs: [\n{}] }}", jobs.collect::<String>())
}

#[test]
fn circles_of_several_conditions() {
    let on = |job: &str| format!("{{ source: \"{job}\", once: \"healthy\" }}");
    let (a, b, c) = (on("a"), on("b"), on("c"));
    snapshot(
        "circles_of_several_conditions",
        themes(&[
            (
                "all, one of them in a circle",
                chain(&[&format!("all: [{{ once: \"startup\" }}, {b}]"), &format!("all: [{a}]")]),
            ),
            (
                "any, each in a circle",
                chain(&[
                    &format!("any: [{b}, {c}]"),
                    &format!("any: [{a}, {c}]"),
                    &format!("any: [{a}, {b}]"),
                ]),
            ),
            ("itself", chain(&[&format!("any: [{a}, {b}]"), &format!("all: [{a}]")])),
            (
                "two circles, and what waits for one",
                chain(&[
                    &format!("all: [{b}]"),
                    &format!("any: [{a}]"),
                    &format!("all: [{}]", on("d")),
                    &format!("all: [{c}]"),
                    &format!("all: [{a}, {c}]"),
                ]),
            ),
        ]),
    );
}

#[test]
fn metadata() {
    let service =
        |meta: &str| job(&format!("port: 80, health: {{ interval: 1, ttl: 5 }}, meta: {meta}"));
    let many: Vec<String> = (0..65).map(|index| format!("k{index}: 1")).collect();
    snapshot(
        "metadata",
        themes(&[
            ("a list", service("[\"a\"]")),
            ("a list as a value", service("{ a: [] }")),
            ("a key with a dot", service("{ \"app.version\": 1 }")),
            ("a key of Consul's", service("{ \"consul-x\": 1 }")),
            ("a key twice", service("{ a: 1, a: 2 }")),
            ("a long key", service(&format!("{{ {}: 1 }}", "k".repeat(129)))),
            ("a long value", service(&format!("{{ a: \"{}\" }}", "v".repeat(513)))),
            ("too many", service(&format!("{{ {} }}", many.join(", ")))),
            (
                "in a 2.x file",
                "{ consul: false, services: [{ name: \"db\", poll: 1, ttl: 5, Meta: { \"a b\": null } }] }".into(),
            ),
        ]),
    );
}

#[test]
fn without_a_catalog() {
    snapshot(
        "without_a_catalog",
        themes(&[
            ("a watch", "{ consul: false, watches: [{ name: \"db\", interval: 1 }] }".into()),
            (
                "a backend",
                "{ consul: false, backends: [{ name: \"db\", poll: 1, onChange: \"a\" }] }".into(),
            ),
            ("the other catalog", "{ etcd: false, jobs: [] }".into()),
            ("both", "{ consul: false, etcd: { endpoints: \"http://e:1\" }, jobs: [] }".into()),
            ("true", "{ consul: true, jobs: [] }".into()),
            ("etcd as Consul is written", "{ etcd: \"e:2379\", jobs: [] }".into()),
            (
                "a watch without a name",
                "{ consul: \"c:1\", watches: [{ keyprefix: \"a/\", interval: 1 }], jobs: [\n  \
                 { exec: \"a\", when: { source: \"watch.a\", each: \"changed\" } },\n] }"
                    .into(),
            ),
        ]),
    );
}

/// Prometheus takes a histogram's `x_count` and a counter of that name for the same.
#[test]
fn metrics_that_share_a_series() {
    let error = |first: &str, second: &str| {
        let text = format!("{{ telemetry: {{ metrics: [{first}, {second}] }} }}");
        support::load(&text, "", &support::host(&[])).err()
    };
    let histogram = r#"{ name: "x", type: "histogram" }"#;
    let count = r#"{ namespace: "x", name: "count", type: "gauge" }"#;
    for (first, second) in [(histogram, count), (count, histogram)] {
        let error = error(first, second).expect("wrong");
        assert!(error.contains("has the series \"x_count\", as"), "{error}");
    }
    assert_eq!(error(r#"{ name: "x", type: "gauge" }"#, count), None);
    assert_eq!(error(histogram, r#"{ name: "x_total", type: "counter" }"#), None);
}

#[test]
fn kinds_of_metrics() {
    let metric =
        |members: &str| format!("{{ telemetry: {{ metrics: [{{ name: \"m\", {members} }}] }} }}");
    snapshot(
        "kinds_of_metrics",
        themes(&[
            ("buckets of a gauge", metric("type: \"gauge\", buckets: [1]")),
            ("quantiles of a histogram", metric("type: \"histogram\", quantiles: [0.5], maxAge: 5")),
            ("buckets of nothing known", metric("type: \"meter\", buckets: [1]")),
            ("no buckets", metric("type: \"histogram\", buckets: []")),
            ("buckets that are no list", metric("type: \"histogram\", buckets: 5")),
            ("a bucket that is no number", metric("type: \"histogram\", buckets: [\"a\"]")),
            ("an infinite bucket", metric("type: \"histogram\", buckets: [1, Infinity, NaN]")),
            ("buckets in disorder", metric("type: \"histogram\", buckets: [1, 5, 5, 2]")),
            ("quantiles out of bounds", metric("type: \"summary\", quantiles: [0, 0.5, 99]")),
            ("a window that is too short", metric("type: \"summary\", maxAge: \"10ms\"")),
            ("a name of ours", "{ telemetry: { metrics: [{ namespace: \"containerpilot\", name: \"loop_delay_seconds_sum\", type: \"gauge\" }] } }".into()),
            (
                "of a sensor",
                "{ consul: false, telemetry: { sensors: [{ name: \"m\", poll: 1, check: \"a\", type: \"counter\", buckets: [1] }] } }".into(),
            ),
        ]),
    );
}
