//! Wrong catalogs, watches, elections and drains, and the whole of what is said about each.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use support::{host, load, snapshot, themes};

#[test]
fn several_catalogs() {
    let consul = |members: &str| format!("{{ consul: {{ {members} }}, jobs: [] }}");
    let etcd = |members: &str| format!("{{ etcd: {{ {members} }}, jobs: [] }}");
    snapshot(
        "several_catalogs",
        themes(&[
            ("an address twice", consul("address: [\"a:1\", \"b:1\", \"a:1\"]")),
            ("no address at all", consul("address: []")),
            ("addresses of nothing", consul("address: [\"\", \"\"]")),
            ("one that is wrong", consul("address: [\"a:1\", \"b\"]")),
            ("addresses that are none", consul("address: 8500")),
            ("a list as a catalog", "{ consul: [\"a:1\"], jobs: [] }".into()),
            (
                "one of another scheme",
                consul("address: [\"a:1\", \"http://b:1\"], scheme: \"https\""),
            ),
            (
                "a token and its file",
                consul("address: \"a:1\",\n  token: \"b1gs3cret\",\n  tokenFile: \"/run/token\""),
            ),
            ("a file that is none", consul("address: \"a:1\", tokenFile: 5")),
            ("a negative age", consul("address: \"a:1\", maxStale: -1")),
            ("a key of etcd's", consul("endpoints: \"a:1\"")),
            ("an endpoint twice", etcd("endpoints: [\"http://e:1\", \"http://e:1\"]")),
            ("a socket", etcd("endpoints: \"unix:///run/etcd\"")),
            ("a user without a password", etcd("endpoints: \"e:1\", username: \"a\"")),
            ("a password without a user", etcd("endpoints: \"e:1\", password: \"b1gs3cret\"")),
            ("a user in the URL", etcd("endpoints: \"http://a:b1gs3cret@e:1\"")),
            ("half a certificate", etcd("endpoints: \"e:1\", tls: { clientkey: \"/k\" }")),
            ("a key of Consul's", etcd("endpoints: \"e:1\", token: \"b1gs3cret\"")),
        ]),
    );
}

#[test]
fn watches() {
    let file =
        |catalog: &str, watches: &str| format!("{{ {catalog}, watches: [\n  {watches},\n] }}");
    let consul = |watches: &str| file("consul: \"c:1\"", watches);
    let etcd = |watches: &str| file("etcd: { endpoints: \"e:1\" }", watches);
    snapshot(
        "watches",
        themes(&[
            ("two subjects", consul("{ key: \"a\", keyPrefix: \"b\", interval: 1 }")),
            ("a subject that is empty", consul("{ key: \"\", interval: 1 }")),
            ("a subject that is none", consul("{ key: 5, interval: 1 }")),
            ("a key with a tag", consul("{ key: \"a\", tag: \"x\", near: \"_agent\", interval: 1 }")),
            ("a key from the root", consul("{ key: \"/a\", interval: 1 }")),
            ("a key with an empty part", consul("{ key: \"a//b\", interval: 1 }")),
            ("a key with a way in it", consul("{ key: \"a/../b\", interval: 1 }")),
            ("a prefix from the root", consul("{ keyPrefix: \"/\", interval: 1 }")),
            ("a key twice", consul("{ key: \"a\", interval: 1 }, { key: \"a\", interval: 2 }")),
            ("a service by its distance too", consul("{ name: \"a\", interval: 1 }, { name: \"a\", near: \"x\", interval: 1 }")),
            ("a key like a service", consul("{ name: \"a\", interval: 1 }, { key: \"a\", interval: 1 }")),
            ("two keys of one name", consul("{ name: \"x\", key: \"a\", interval: 1 }, { name: \"x\", key: \"b\", interval: 1 }")),
            ("a key and a prefix", consul("{ key: \"a\", interval: 1 }, { keyPrefix: \"a\", interval: 1 }")),
            ("a key without an interval", consul("{ key: \"a\" }")),
            ("another datacenter of etcd", etcd("{ key: \"a\", dc: \"x\", interval: 1 }")),
            ("distances in etcd", etcd("{ name: \"a\", near: \"_agent\", interval: 1 }")),
            ("a service that no key can hold", etcd("{ name: \"a/b\", interval: 1 }")),
            (
                "a backend that no key can hold",
                "{ etcd: { endpoints: \"e:1\" }, backends: [{ name: \"a/b\", poll: 1, onChange: \"x\" }] }".into(),
            ),
            (
                "a 2.x service that no key can hold",
                "{ etcd: { endpoints: \"e:1\" }, services: [{ name: \"a/b\", poll: 1, ttl: 2 }] }".into(),
            ),
            (
                "options of Consul's in etcd",
                "{ etcd: { endpoints: \"e:1\" }, jobs: [{ name: \"app\", port: 1, health: { interval: 1, ttl: 2 },\n  consul: { enableTagOverride: true, deregisterCriticalServiceAfter: \"1m\" },\n}] }".into(),
            ),
            ("keys in a 2.x file", "{ consul: \"c:1\", backends: [{ key: \"a\", poll: 1, onChange: \"x\" }] }".into()),
        ]),
    );
}

#[test]
fn sources_of_discovery() {
    let file = |when: &str| {
        format!(
            "{{ consul: \"c:1\", watches: [{{ key: \"app/settings\", interval: 1 }}], \
             elections: [{{ name: \"primary\" }}],\n  jobs: [{{ exec: \"a\", when: {when} }}] }}"
        )
    };
    snapshot(
        "sources_of_discovery",
        themes(&[
            ("a misspelt key", file("{ source: \"watch.app/setings\", each: \"changed\" }")),
            ("a key without its kind", file("{ source: \"app/settings\", each: \"changed\" }")),
            ("a misspelt election", file("{ source: \"election.primry\", each: \"elected\" }")),
            ("an election without its kind", file("{ source: \"primary\", each: \"elected\" }")),
            ("an election like no other", file("{ source: \"election.x\", each: \"elected\" }")),
            ("another's event", file("{ source: \"election.primary\", each: \"changed\" }")),
            ("a misspelt event", file("{ source: \"election.primary\", once: \"electd\" }")),
            (
                "an election of a watch",
                file("{ source: \"watch.app/settings\", once: \"elected\" }"),
            ),
            ("no source", file("{ once: \"demoted\" }")),
            ("no event", file("{ source: \"election.primary\" }")),
            (
                "restarts for ever",
                file(
                    "{ source: \"election.primary\", each: \"elected\" }, restarts: \"unlimited\"",
                ),
            ),
        ]),
    );
}

#[test]
fn elections() {
    let file = |catalog: &str, elections: &str| {
        format!("{{ {catalog}, elections: [\n  {elections},\n] }}")
    };
    let consul = |elections: &str| file("consul: \"c:1\"", elections);
    snapshot(
        "elections",
        themes(&[
            ("nothing", consul("{}")),
            ("no name", consul("{ name: \" \" }")),
            ("two of one name", consul("{ name: \"a\" }, { name: \"a\" }")),
            ("two of one variable", consul("{ name: \"a-b\" }, { name: \"A.b\" }")),
            ("two of one lock", consul("{ name: \"a\" }, { name: \"b\", key: \"containerpilot/election/a/leader\" }")),
            ("a short ttl", consul("{ name: \"a\", ttl: \"1999ms\" }")),
            ("a long ttl", consul("{ name: \"a\", ttl: \"25h\" }")),
            ("a long delay", consul("{ name: \"a\", lockDelay: 61 }")),
            ("a key from the root", consul("{ name: \"a\", key: \"/a\" }")),
            ("a name that no key can hold", consul("{ name: \"..\" }")),
            ("a folder", consul("{ name: \"a\", key: \"a/\" }")),
            ("a port for nobody", consul("{ name: \"aa\", port: 80 }")),
            ("advertised without a port", consul("{ name: \"aa\", service: true }")),
            ("advertised under no good name", consul("{ name: \"a b\", service: true, port: 80 }")),
            (
                "advertised as a job is",
                "{ consul: \"c:1\", jobs: [{ name: \"db\", port: 1, health: { interval: 1, ttl: 2 } }],\n  elections: [{ name: \"db\", service: true, port: 1 }] }".into(),
            ),
            (
                "advertised as the telemetry is",
                "{ consul: \"c:1\", telemetry: {},\n  elections: [{ name: \"containerpilot\", service: true, port: 1 }] }".into(),
            ),
            ("an unknown key", consul("{ name: \"a\", lockdelay: 5 }")),
            ("without a catalog", "{ elections: [{ name: \"a\" }] }".into()),
            ("with none wanted", file("consul: false", "{ name: \"a\" }")),
            ("in a 2.x file", "{ consul: \"c:1\", services: [], elections: [] }".into()),
        ]),
    );
}

#[test]
fn drains() {
    let file = |rest: &str| {
        format!(
            "{{ consul: \"c:1\", jobs: [\n  {{ name: \"app\", exec: \"app\", port: 80, health: {{ \
             interval: 1, ttl: 5 }}, {rest} }},\n] }}"
        )
    };
    let old = |drain: &str| {
        format!(
            "{{ consul: \"c:1\", services: [{{ name: \"app\", poll: 1, ttl: 5, drain: {drain} }}] }}"
        )
    };
    snapshot(
        "drains",
        themes(&[
            (
                "of nothing that is advertised",
                "{ jobs: [{ name: \"app\", exec: \"app\", drain: 1 }] }".into(),
            ),
            ("without a rest for the process", file("drain: \"3001ms\"")),
            (
                "more than half of a short stop",
                file("drain: 2").replacen('{', "{ stopTimeout: 3,", 1),
            ),
            ("longer than the whole stop", file("drain: { time: 6, mark: true }")),
            ("marked for no time", file("drain: { mark: true }")),
            ("no time", file("drain: \"soon\"")),
            ("a list", file("drain: [1]")),
            ("a word for a switch", file("drain: { time: 1, mark: \"yes\" }")),
            ("a key that is none", file("drain: { tme: 1 }")),
            ("of an older service", old("true")),
            ("below nothing", old("\"-1s\"")),
            ("for ever", old("\"25h\"")),
        ]),
    );
}

/// The second of two places is told where the first is wrong as a whole.
#[test]
fn a_token_is_never_quoted() {
    let text = "{ consul: { token: 'b1gs3cret', tokenFile: 'b1gs3cret' }, jobs: [] }";
    let message = load(text, "", &host(&[])).expect_err("both");
    assert!(message.contains("stands beside \"token\""), "{message}");
}
