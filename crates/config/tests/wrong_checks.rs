//! Wrong checks, and the whole of what is said about each.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use support::{host, load, snapshot, themes};

/// A 3.x file with a job that has this check.
fn health(members: &str) -> String {
    format!("{{ jobs: [\n  {{ exec: \"app\", health: {{ interval: 1, {members} }} }},\n] }}")
}

#[test]
fn kinds_of_checks() {
    let job = |members: &str| format!("{{ jobs: [\n  {{ name: \"app\", {members} }},\n] }}");
    snapshot(
        "kinds_of_checks",
        themes(&[
            ("two kinds", health("exec: \"a\", http: \"http://a/\"")),
            ("all kinds", health("exec: \"a\", http: \"http://a/\", tcp: \"a:1\",\n    grpc: \"a:1\", file: \"/a\"")),
            ("a key of another kind", health("tcp: \"a:1\", method: \"GET\", expect: 200,\n    headers: { A: 1 }, tls: {}")),
            ("keys of no kind", health("expect: 200")),
            ("output of no command", health("tcp: \"a:1\", logging: { level: \"debug\" }")),
            ("an unknown kind", health("https: \"https://a/\"")),
            ("words from elsewhere", health("httpGet: {}, retries: 3, initialDelaySeconds: 5")),
            ("a kind in capitals", health("TCP: \"a:1\"")),
            ("an unset variable", health("http: \"{{ .URL }}\"")),
            ("no failure at all", health("exec: \"a\", failures: 0")),
            ("half a failure", health("exec: \"a\", failures: 1.5, successes: \"two\"")),
            ("a period below nothing", health("exec: \"a\", startPeriod: \"-1s\"")),
            ("a misspelt consequence", health("exec: \"a\", onFailure: \"restrat\"")),
            ("a consequence that is none", health("exec: \"a\", onFailure: true")),
            ("nothing to restart", job("port: 1, health: { interval: 1, ttl: 2, tcp: \"a:1\",\n    onFailure: \"restart\" }").replacen('{', "{ consul: false,", 1)),
            ("a timed restart", job("exec: \"a\", when: { interval: 5 }, health: { interval: 1, tcp: \"a:1\",\n    onFailure: \"restart\" }")),
        ]),
    );
}

#[test]
fn checks_by_http() {
    let http = |url: &str| health(&format!("http: {url}"));
    let with = |rest: &str| health(&format!("http: \"https://a/\", {rest}"));
    snapshot(
        "checks_by_http",
        themes(&[
            ("no scheme", http("\"localhost:8080/health\"")),
            ("no host", http("\"/health\"")),
            ("no host in a URL", http("\"http:///health\"")),
            ("another scheme", http("\"ftp://a/\"")),
            ("a number", http("8080")),
            ("nothing", http("\"\"")),
            ("a port that is none", http("\"http://localhost:http/\"")),
            ("an address without brackets", http("\"http://::1:8080/\"")),
            ("a name in brackets", http("\"http://[localhost]/\"")),
            ("a user", http("\"http://me:b1gs3cret@a/\"")),
            ("a user without a scheme", http("\"me:b1gs3cret@a/\"")),
            ("a fragment", http("\"http://a/#b\"")),
            ("a space", http("\"http://a/b c\"")),
            ("a letter", http("\"http://a/größe\"")),
            ("a socket as others write it", http("\"http://unix:/run/app.sock:/health\"")),
            ("a socket without a path", http("\"unix://:/health\"")),
            ("a socket that is not from the root", http("\"unix://run/app.sock:/health\"")),
            ("an unknown method", with("method: \"GTE\"")),
            ("a status that is none", with("expect: 99")),
            ("a range that is none", with("expect: \"399-200\"")),
            ("a range as others write it", with("expect: [\"2xx\", 304]")),
            ("several in one string", with("expect: \"200,204\"")),
            ("no status", with("expect: []")),
            ("an object of statuses", with("expect: {}")),
            ("headers in a list", with("headers: [\"A: b\"]")),
            ("a header that is none", with("headers: { \"A:\": \"b\" }")),
            ("a header twice", with("headers: { Accept: \"a\", accept: \"b\" }")),
            ("a header of ours", with("headers: { \"Content-Length\": 5 }")),
            ("a header of two lines", with("headers: { A: \"b\\r\\nC: d\" }")),
            ("a header of several values", with("headers: { A: [\"b\"] }")),
            ("tls without https", health("http: \"http://a/\", tls: { verify: false }")),
            ("half a certificate", with("tls: { clientcert: \"/c\" }")),
            ("a key of tls in other letters", with("tls: { caFile: \"/c\" }")),
        ]),
    );
}

#[test]
fn checks_of_places_and_files() {
    snapshot(
        "checks_of_places_and_files",
        themes(&[
            ("no port", health("tcp: \"db\"")),
            ("no host", health("tcp: \":5432\"")),
            ("a port alone", health("tcp: \"5432\"")),
            ("a port as a number", health("tcp: 5432")),
            ("a URL", health("tcp: \"tcp://db:5432\"")),
            ("an address without brackets", health("tcp: \"::1:5432\"")),
            ("an address without a port", health("tcp: \"[::1]\"")),
            ("a port that is none", health("tcp: \"db:postgres\"")),
            ("a list", health("tcp: [\"db:5432\"]")),
            ("nothing", health("tcp: \"\"")),
            ("grpc without a port", health("grpc: \"cart/shop.Cart\"")),
            ("grpc by URL", health("grpc: \"http://cart:50051\"")),
            ("a service with a space", health("grpc: \"cart:50051/shop cart\"")),
            ("a relative path", health("file: \"run/ready\"")),
            ("no path", health("file: \"\"")),
            ("a path that is missing", health("file: { youngerThan: 5 }")),
            ("an age that is none", health("file: { path: \"/a\", youngerThan: \"soon\" }")),
            ("an unknown key", health("file: { path: \"/a\", olderThan: 5 }")),
        ]),
    );
}

#[test]
fn checks_of_older_services() {
    let service = |health: &str| {
        format!(
            "{{ consul: \"c:1\", services: [\n  {{ name: \"db\", poll: 1, ttl: 5, health: {health} }},\n] }}"
        )
    };
    snapshot(
        "checks_of_older_services",
        themes(&[
            ("a number", service("5")),
            ("two kinds", service("{ exec: \"a\", tcp: \"a:1\" }")),
            ("nothing to restart", service("{ tcp: \"a:1\", onFailure: \"restart\" }")),
            ("an interval", service("{ tcp: \"a:1\", interval: 5 }")),
            ("a timeout", service("{ tcp: \"a:1\", timeout: 5 }")),
        ]),
    );
}

/// What stands in a header is not shown beside what is wrong.
#[test]
fn secrets_of_headers() {
    for name in ["Authorization", "X-Api-Key", "Cookie", "X-Auth-Token"] {
        for wrong in ["ex: 1", "tcp: 'a:1'", "expect: 5"] {
            let text = health(&format!(
                "http: 'http://a/', headers: {{ '{name}': 'Bearer hunter2-hunter2' }}, {wrong}"
            ));
            let message = load(&text, "", &host(&[])).expect_err(wrong);
            assert!(message.contains("***") && !message.contains("hunter2"), "{message}");
        }
        let text =
            health(&format!("http: 'http://a/', headers: {{ '{name}': ['hunter2-hunter2'] }}"));
        let message = load(&text, "", &host(&[])).expect_err("a list");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn what_is_probably_meant() {
    let said = |text: &str| load(text, "", &host(&[])).expect_err(text);
    for (members, meant) in [
        ("http: 8080", "8080 has no host: want \"http://localhost:8080/\""),
        ("http: \"8080\"", "has no host: want \"http://localhost:8080/\""),
        ("http: \"http://8080/\"", "has no host: want \"http://localhost:8080/\""),
        ("grpc: \"http://me:secret@cart:1\"", "is a URL: want host:port, like \"localhost:50051\""),
    ] {
        let error = said(&health(members));
        assert!(error.contains(meant), "{error}");
    }
    for (text, kind) in [("http://localhost/", "http"), ("curl localhost", "exec")] {
        let text = format!("{{ jobs: [{{ name: \"a\", exec: \"a\", health: \"{text}\" }}] }}");
        let error = said(&text);
        let meant = format!("is not an object: want {{ {kind}: \"…\", interval: 5, ttl: 15 }}");
        assert!(error.contains(&meant), "{error}");
    }
}
