//! The same requests to this catalog and to a real Consul get the same answers: status, body and
//! the headers that clients read. Needs Consul: scripts/install-consul.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

use std::cell::RefCell;
use std::time::{Duration, Instant};

use catalog_server::{Background, Log, Options};
use serde_json::Value;
use testkit::{Consul, Response, http, wait_until};

/// A real agent tells its servers within a second or so.
const SETTLED: Duration = Duration::from_secs(20);

/// Compares two catalogs and fails at its end with every difference that it saw.
struct Pair {
    ours: Background,
    theirs: Consul,
    differences: RefCell<Vec<String>>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        let differences = self.differences.take();
        if !std::thread::panicking() {
            assert!(
                differences.is_empty(),
                "{} differ:{}",
                differences.len(),
                differences.concat()
            );
        }
    }
}

impl Pair {
    fn start() -> Self {
        let theirs = Consul::start();
        let ours = Background::start(Options {
            http: ([127, 0, 0, 1], 0).into(),
            node: theirs.node(),
            log: Log::Silent,
            ..Options::default()
        });
        Self { ours: ours.unwrap(), theirs, differences: RefCell::default() }
    }

    /// Sends a request that changes something to both, once, and compares the answers.
    #[track_caller]
    fn same(&self, method: &str, path: &str, body: &str) {
        let (ours, theirs) = self.ask(method, path, body);
        self.note(method, path, body, &ours, &theirs);
    }

    /// [`Pair::same`] with what each catalog calls by a name of its own, such as a session, put in
    /// its place in path and body.
    #[track_caller]
    fn same_with(&self, names: &[&Names], method: &str, path: &str, body: &str) {
        let ours = self.ask_ours(method, &filled(path, names, 0), &filled(body, names, 0));
        let theirs = self.ask_theirs(method, &filled(path, names, 1), &filled(body, names, 1));
        self.note(method, path, body, &ours, &theirs);
    }

    /// Creates a session in both, to be named `name` in [`Pair::same_with`].
    #[track_caller]
    fn session(&self, name: &'static str, body: &str) -> Names {
        let path = "/v1/session/create";
        let ours = http("PUT", &self.ours.address().to_string(), path, body).unwrap();
        let theirs = self.theirs.request("PUT", path, body);
        let id = |answer: Response| answer.json()["ID"].as_str().expect("an id").to_owned();
        Names { name, ids: [id(ours), id(theirs)] }
    }

    /// A field of a key in both, to be named `name` in [`Pair::same_with`].
    #[track_caller]
    fn field(&self, name: &'static str, key: &str, field: &str) -> Names {
        let path = format!("/v1/kv/{key}");
        let ours = http("GET", &self.ours.address().to_string(), &path, "").unwrap();
        let value = |answer: Response| answer.json()[0][field].to_string();
        Names { name, ids: [value(ours), value(self.theirs.get(&path))] }
    }

    /// Compares the answers to a query, as soon as they agree.
    #[track_caller]
    fn get(&self, path: &str) {
        let start = Instant::now();
        let (mut ours, mut theirs) = self.ask("GET", path, "");
        while ours != theirs && start.elapsed() < SETTLED {
            std::thread::sleep(Duration::from_millis(20));
            (ours, theirs) = self.ask("GET", path, "");
        }
        self.note("GET", path, "", &ours, &theirs);
    }

    fn note(&self, method: &str, path: &str, body: &str, ours: &str, theirs: &str) {
        if ours != theirs {
            let short = |text: &str, from| text.chars().skip(from).take(200).collect::<String>();
            let at = ours.chars().zip(theirs.chars()).take_while(|(a, b)| a == b).count();
            let from = at.saturating_sub(60);
            let (body, ours, theirs) = (short(body, 0), short(ours, from), short(theirs, from));
            let text = format!("\n{method} {path} {body}\n  ours   {ours}\n  Consul {theirs}");
            self.differences.borrow_mut().push(text);
        }
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &str) -> (String, String) {
        (self.ask_ours(method, path, body), self.ask_theirs(method, path, body))
    }

    #[track_caller]
    fn ask_ours(&self, method: &str, path: &str, body: &str) -> String {
        let ours = http(method, &self.ours.address().to_string(), path, body);
        plain(&ours.unwrap_or_else(|error| panic!("{method} {path}: {error}")))
    }

    #[track_caller]
    fn ask_theirs(&self, method: &str, path: &str, body: &str) -> String {
        plain(&self.theirs.request(method, path, body))
    }
}

/// What the two catalogs call differently: a placeholder, our name, theirs.
struct Names {
    name: &'static str,
    ids: [String; 2],
}

fn filled(text: &str, names: &[&Names], whose: usize) -> String {
    names.iter().fold(text.to_owned(), |text, names| text.replace(names.name, &names.ids[whose]))
}

/// What clients see, without what differs between any two catalogs.
fn plain(response: &Response) -> String {
    let headers = ["x-consul-knownleader", "x-consul-lastcontact", "x-consul-reason", "location"]
        .map(|name| response.header(name).unwrap_or_default().to_owned());
    let index = match response.header("x-consul-index").map(str::parse::<u64>) {
        Some(Ok(1..)) => "an index",
        Some(_) => "a bad index",
        None => "no index",
    };
    let body = match serde_json::from_str(&response.body) {
        Ok(mut value) => {
            neutral(&mut value);
            value.to_string()
        }
        // A redirection's text is for people.
        Err(_) if response.status == 301 => String::new(),
        Err(_) => without_ids(&response.body),
    };
    format!("{} {headers:?} {index} {body}", response.status)
}

fn neutral(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(neutral);
            // Consul's order comes from hash tables.
            items.sort_by_key(Value::to_string);
        }
        Value::Object(map) => {
            // Consul itself is a service of its catalog: what it says of itself is its own.
            if map.get("consul").is_some_and(Value::is_object) {
                map.remove("consul");
            }
            for (name, value) in map.iter_mut() {
                match name.as_str() {
                    "CreateIndex" | "ModifyIndex" | "ContentHash" => *value = 0.into(),
                    "ID" | "Session" if value.as_str().is_some_and(is_uuid) => {
                        *value = "uuid".into()
                    }
                    // Each agent has a clock of its own for these.
                    "LTime" if value.as_u64() > Some(0) => *value = "a time".into(),
                    "What" => *value = without_ids(value.as_str().unwrap_or_default()).into(),
                    // An agent shows a check's definition as its zero in one place only.
                    "Definition" => *value = Value::Null,
                    // A service's tags come from a set; without tags there may be a null.
                    "Meta" | "ServiceMeta" | "ServiceTags" | "Tags"
                        if value.is_null() || empty(value) =>
                    {
                        *value = Value::Null
                    }
                    _ => neutral(value),
                }
            }
        }
        _ => {}
    }
}

fn empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(|o| o.is_empty())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.matches('-').count() == 4
}

/// A text without the ids in it, and without the numbers, which may be indexes.
fn without_ids(text: &str) -> String {
    let words = text.split_inclusive([' ', '"', '\'', '=', '&']);
    let plain = words.map(|word| {
        let bare = word.trim_end_matches([' ', '"', '\'', '=', '&']);
        match is_uuid(bare) || bare.parse::<u64>().is_ok() {
            true => word.replace(bare, "N"),
            false => word.to_owned(),
        }
    });
    plain.collect()
}

#[test]
fn services_and_their_checks() {
    let pair = Pair::start();
    let register = "/v1/agent/service/register";
    pair.same("PUT", register, r#"{"ID":"web-1","Name":"web","Port":80,"Address":"10.0.0.1","Tags":["a","B"],"Meta":{"x":"y"},"Check":{"TTL":"60s","Notes":"n"}}"#);
    pair.same("PUT", register, r#"{"name":"db","enable_tag_override":true,"checks":[{"ttl":"60s","status":"passing"},{"CheckID":"c2","Name":"second","TTL":"1m"}]}"#);
    pair.same("PUT", register, r#"{"Name":"plain","Weights":{"Passing":3,"Warning":2},"TaggedAddresses":{"lan":{"Address":"1.2.3.4","Port":5}}}"#);
    let queries = [
        "/v1/agent/services",
        "/v1/agent/service/web-1",
        "/v1/agent/service/nope",
        "/v1/agent/checks",
        "/v1/catalog/datacenters",
        "/v1/catalog/services",
        "/v1/catalog/services?node-meta=a:b",
        "/v1/catalog/service/web",
        "/v1/catalog/service/web?tag=a",
        "/v1/catalog/service/web?tag=b",
        "/v1/catalog/service/web?tag=a&tag=zz",
        "/v1/catalog/service/plain",
        "/v1/catalog/service/nope",
        "/v1/catalog/service/",
        "/v1/catalog/nodes",
        "/v1/catalog/node/nope",
        "/v1/catalog/connect/web",
        "/v1/health/service/web",
        "/v1/health/service/web?passing",
        "/v1/health/service/web?passing=false",
        "/v1/health/service/web?passing=zz",
        "/v1/health/service/db?passing=1",
        "/v1/health/service/plain?passing&near=_agent",
        "/v1/health/service/plain?tag=a",
        "/v1/health/service/",
        "/v1/health/checks/db",
        "/v1/health/checks/nope",
        "/v1/health/node/nope",
        "/v1/health/state/critical",
        "/v1/health/state/any",
        "/v1/health/state/foo",
        "/v1/agent/health/service/name/nope",
        "/v1/agent/health/service/id/nope",
        "/v1/agent/health/service/id/nope?format=text",
        "/v1/agent/health/service/id/plain",
        "/v1/agent/health/service/id/web-1?format=text",
        "/v1/catalog/services?index=x",
        "/v1/catalog/services?wait=x",
        "/v1/catalog/services?index=1&wait=10ms",
        "/v1/nope",
        "/v1/agent/nope",
        "/nope",
    ];
    let node = pair.theirs.node();
    let own = [format!("/v1/catalog/node/{node}"), format!("/v1/health/node/{node}")];
    let all = || queries.iter().copied().chain(own.iter().map(String::as_str));
    all().for_each(|query| pair.get(query));

    for (path, body) in [
        ("/v1/agent/check/pass/service:web-1", ""),
        ("/v1/agent/check/pass/c2?note=fine", ""),
        ("/v1/agent/check/pass/nope", ""),
        ("/v1/agent/check/fail/service:db:1?note=bad", ""),
        ("/v1/agent/check/warn/service:web-1", ""),
        ("/v1/agent/check/update/service:web-1", r#"{"Status":"passing","Output":"o"}"#),
        ("/v1/agent/check/update/service:web-1", r#"{"Status":"silly"}"#),
        ("/v1/agent/check/update/nope", r#"{"Status":"passing"}"#),
        ("/v1/agent/check/register", r#"{"Name":"mem","TTL":"60s","Status":"passing"}"#),
        ("/v1/agent/check/register", r#"{"ID":"m3","Name":"M","ServiceID":"plain","TTL":"500s"}"#),
    ] {
        pair.same("PUT", path, body);
    }
    // Registering again keeps the state of its checks.
    pair.same("PUT", register, r#"{"ID":"web-1","Name":"web","Port":81,"Check":{"TTL":"60s"}}"#);
    all().for_each(|query| pair.get(query));

    for path in [
        "/v1/agent/service/maintenance/db?enable=true&reason=why",
        "/v1/agent/maintenance?enable=true",
        "/v1/agent/check/deregister/mem",
        "/v1/agent/check/deregister/nope",
        "/v1/agent/service/deregister/web-1",
        "/v1/agent/service/deregister/nope",
    ] {
        pair.same("PUT", path, "");
    }
    pair.get("/v1/agent/health/service/id/db?format=text");
    all().for_each(|query| pair.get(query));
    pair.same("PUT", "/v1/agent/maintenance?enable=false", "");
    pair.same("PUT", "/v1/agent/service/maintenance/db?enable=false", "");
    all().for_each(|query| pair.get(query));
}

#[test]
fn what_is_refused() {
    let pair = Pair::start();
    let register = "/v1/agent/service/register";
    for body in [
        "",
        "{",
        "{}",
        r#"{"Name":"x","Port":"80"}"#,
        r#"{"Name":"x","Foo":1}"#,
        r#"{"Name":"x","Check":{"TTL":"zz"}}"#,
        r#"{"Name":"x","Check":{"HTTP":"http://x"}}"#,
        r#"{"Name":"x","Check":{"TTL":"10s","HTTP":"http://x","Interval":"1s"}}"#,
        r#"{"Name":"x","Check":{"TTL":"10s","Status":"silly"}}"#,
        r#"{"Name":"x","Check":{"Args":["true"],"Interval":"1s"}}"#,
        r#"{"Name":"x","Check":{}}"#,
        r#"{"Name":"x","Check":{"Notes":"n"}}"#,
    ] {
        pair.same("PUT", register, body);
    }
    for body in [
        "",
        r#"{"Name":"m"}"#,
        r#"{"TTL":"5s"}"#,
        r#"{"Name":"m","ServiceID":"nope","TTL":"5s"}"#,
        r#"{"Name":"m","TTL":"5s","Status":"silly"}"#,
    ] {
        pair.same("PUT", "/v1/agent/check/register", body);
    }
    for (method, path) in [
        ("PUT", "/v1/agent/service/deregister/"),
        ("PUT", "/v1/agent/service/maintenance/nope?enable=true"),
        ("PUT", "/v1/agent/service/maintenance/"),
        ("PUT", "/v1/agent/service/maintenance/x"),
        ("PUT", "/v1/agent/service/maintenance/x?enable=maybe"),
        ("PUT", "/v1/agent/maintenance"),
        ("PUT", "/v1/agent/check/update/x"),
        ("GET", register),
        ("DELETE", "/v1/agent/services"),
        ("POST", "/v1/kv/a"),
        ("OPTIONS", "/v1/agent/services"),
        ("GET", "/v1/kv//a"),
        ("GET", "/v1/health/state/"),
        ("GET", "/v1/health/node/"),
        ("GET", "/v1/catalog/node/"),
    ] {
        pair.same(method, path, "");
    }
}

#[test]
fn keys() {
    let pair = Pair::start();
    pair.get("/v1/kv/a");
    for (method, path, body) in [
        ("PUT", "/v1/kv/a", "hello"),
        ("PUT", "/v1/kv/a", "hello"),
        ("PUT", "/v1/kv/a/b/c", "x"),
        ("PUT", "/v1/kv/a/d?flags=42", "y"),
        ("PUT", "/v1/kv/empty", ""),
        ("PUT", "/v1/kv/sp%20ace%2Fx", "s"),
        ("PUT", "/v1/kv/", "z"),
        ("PUT", "/v1/kv/a?cas=0", "z"),
        ("PUT", "/v1/kv/new?cas=0", "z"),
        ("PUT", "/v1/kv/new?cas=5", "z"),
        ("PUT", "/v1/kv/new?cas=x", "z"),
        ("PUT", "/v1/kv/new?flags=x", "z"),
        ("DELETE", "/v1/kv/new?cas=5", ""),
        ("DELETE", "/v1/kv/new?cas=0", ""),
        ("DELETE", "/v1/kv/nope?cas=0", ""),
        ("DELETE", "/v1/kv/nope?cas=5", ""),
        ("DELETE", "/v1/kv/nope", ""),
        ("DELETE", "/v1/kv/", ""),
    ] {
        pair.same(method, path, body);
    }
    let queries = [
        "/v1/kv/a",
        "/v1/kv/a?raw",
        "/v1/kv/a?recurse",
        "/v1/kv/?recurse",
        "/v1/kv/a?keys",
        "/v1/kv/a/?keys&separator=/",
        "/v1/kv/?keys&separator=/",
        "/v1/kv/zz?keys",
        "/v1/kv/zz?recurse",
        "/v1/kv/",
        "/v1/kv/empty",
        "/v1/kv/empty?raw",
        "/v1/kv/sp%20ace/x",
        "/v1/kv/new",
    ];
    queries.iter().for_each(|query| pair.get(query));
    pair.same("DELETE", "/v1/kv/new", "");
    pair.same("DELETE", "/v1/kv/a/?recurse", "");
    queries.iter().for_each(|query| pair.get(query));
    pair.same("DELETE", "/v1/kv/?recurse", "");
    queries.iter().for_each(|query| pair.get(query));
    pair.same("PUT", "/v1/kv/big", &"x".repeat(512 * 1024));
}

#[test]
fn sessions() {
    let pair = Pair::start();
    let create = "/v1/session/create";
    let check = "/v1/agent/check/register";
    pair.same("PUT", check, r#"{"Name":"well","TTL":"60s","Status":"passing"}"#);
    pair.same("PUT", check, r#"{"Name":"ill","TTL":"60s"}"#);
    let node = pair.theirs.node();
    pair.get(&format!("/v1/health/node/{node}"));
    for body in [
        "",
        "{}",
        "{",
        r#"{"Name":"x","TTL":"10s","LockDelay":"3s","Behavior":"delete"}"#,
        r#"{"LockDelay":3}"#,
        r#"{"LockDelay":2000}"#,
        r#"{"LockDelay":"0s"}"#,
        r#"{"LockDelay":"200s","Node":"NODE"}"#,
        r#"{"LockDelay":"x"}"#,
        r#"{"TTL":"x"}"#,
        r#"{"TTL":"1s"}"#,
        r#"{"TTL":"25h"}"#,
        r#"{"TTL":"0s"}"#,
        r#"{"Behavior":"x"}"#,
        r#"{"Node":"nowhere"}"#,
        r#"{"Foo":"x"}"#,
        r#"{"Checks":[]}"#,
        r#"{"NodeChecks":[]}"#,
        r#"{"Checks":["serfHealth","well"]}"#,
        r#"{"NodeChecks":["well"],"ServiceChecks":[{"ID":"well"}]}"#,
        r#"{"Checks":["nope"]}"#,
        r#"{"NodeChecks":["nope"]}"#,
        r#"{"ServiceChecks":[{"ID":"nope"}]}"#,
        r#"{"NodeChecks":["ill"]}"#,
        r#"{"Checks":["ill"]}"#,
    ] {
        pair.same("PUT", create, &body.replace("NODE", &node));
    }
    let own = format!("/v1/session/node/{node}");
    for query in [
        "/v1/session/list",
        own.as_str(),
        "/v1/session/node/nowhere",
        "/v1/session/list?index=1&wait=1ms",
    ] {
        pair.get(query);
    }
    let session = pair.session("SESSION", r#"{"Name":"mine","TTL":"20s","NodeChecks":["well"]}"#);
    let nobody = "00000000-0000-0000-0000-000000000000";
    for (method, path) in [
        ("GET", "/v1/session/info/SESSION"),
        ("PUT", "/v1/session/renew/SESSION"),
        ("PUT", "/v1/session/renew/NOBODY"),
        ("PUT", "/v1/session/renew/zz"),
        ("PUT", "/v1/session/renew/"),
        ("PUT", "/v1/session/destroy/NOBODY"),
        ("PUT", "/v1/session/destroy/zz"),
        ("PUT", "/v1/session/destroy/"),
        ("GET", "/v1/session/info/NOBODY"),
        ("GET", "/v1/session/info/"),
        ("GET", "/v1/session/node/"),
        ("GET", "/v1/session/create"),
        ("GET", "/v1/session/renew/SESSION"),
        ("PUT", "/v1/session/list"),
        ("OPTIONS", "/v1/session/list"),
        ("GET", "/v1/session/nope"),
    ] {
        pair.same_with(&[&session], method, &path.replace("NOBODY", nobody), "");
    }
    pair.same("PUT", "/v1/agent/check/fail/well", "");
    pair.get(&format!("/v1/health/node/{node}"));
    pair.same_with(&[&session], "GET", "/v1/session/info/SESSION", "");
    pair.get("/v1/session/list");
}

#[test]
fn locks() {
    let pair = Pair::start();
    let short = r#"{"LockDelay":"200ms"}"#;
    let one = pair.session("ONE", short);
    let two = pair.session("TWO", r#"{"LockDelay":"60s"}"#);
    let three = pair.session("THREE", r#"{"LockDelay":"60s","Behavior":"delete"}"#);
    let names = [&one, &two, &three];
    let nobody = "00000000-0000-0000-0000-000000000000";
    let steps = |steps: &[(&str, &str, &str)]| {
        for (method, path, body) in steps {
            pair.same_with(&names, method, &path.replace("NOBODY", nobody), body);
            let key = path.split(['?']).next().unwrap();
            pair.same_with(&names, "GET", key, "");
        }
    };
    steps(&[
        ("PUT", "/v1/kv/l?acquire=ONE", "one"),
        ("PUT", "/v1/kv/l?acquire=TWO", "two"),
        ("PUT", "/v1/kv/l?acquire=ONE&flags=7", "one again"),
        ("PUT", "/v1/kv/l?release=TWO", "two"),
        ("PUT", "/v1/kv/l?release=ONE", "free"),
        ("PUT", "/v1/kv/l?acquire=TWO", "two"),
        ("PUT", "/v1/kv/l", "set by a stranger"),
        ("PUT", "/v1/kv/l?cas=0", "stale"),
        ("PUT", "/v1/session/destroy/TWO", ""),
        ("PUT", "/v1/kv/l?acquire=ONE", "too early"),
        ("PUT", "/v1/kv/m?acquire=THREE", "three"),
        ("PUT", "/v1/kv/n?acquire=THREE", "three"),
        ("PUT", "/v1/session/destroy/THREE", ""),
        ("PUT", "/v1/kv/m?acquire=ONE", "too early"),
        ("PUT", "/v1/kv/n", "anybody may set it"),
        ("PUT", "/v1/kv/x?acquire=zz", ""),
        ("PUT", "/v1/kv/x?acquire=NOBODY", ""),
        ("PUT", "/v1/kv/x?acquire=", ""),
        ("PUT", "/v1/kv/x?release=", ""),
        ("PUT", "/v1/kv/x?release=NOBODY", ""),
        ("PUT", "/v1/kv/x?release=zz", ""),
        ("PUT", "/v1/kv/x?release=ONE&acquire=ONE", ""),
        ("PUT", "/v1/kv/x?release=ONE&cas=0", ""),
        ("DELETE", "/v1/kv/x?recurse&cas=0", ""),
        ("PUT", "/v1/kv/y?acquire=ONE", "held"),
        ("DELETE", "/v1/kv/y", ""),
        ("PUT", "/v1/kv/y?acquire=ONE", "held again"),
    ]);
    // Nobody waits for a lock that was given back.
    let four = pair.session("FOUR", short);
    let names = [&one, &four];
    pair.same_with(&names, "PUT", "/v1/kv/y?release=ONE", "");
    pair.same_with(&names, "PUT", "/v1/kv/y?acquire=FOUR", "");
    pair.same_with(&names, "PUT", "/v1/session/destroy/FOUR", "");
    wait_until("the delay is over", SETTLED, || {
        let path = "/v1/kv/y?acquire=ONE";
        let (ours, theirs) = (
            pair.ask_ours("PUT", &filled(path, &names, 0), ""),
            pair.ask_theirs("PUT", &filled(path, &names, 1), ""),
        );
        ours == theirs && ours.contains("true")
    });
}

#[test]
fn transactions() {
    let pair = Pair::start();
    let txn = "/v1/txn";
    let session = pair.session("SESSION", "");
    let names = [&session];
    let do_all = |bodies: &[&str]| {
        for body in bodies {
            pair.same_with(&names, "PUT", txn, body);
        }
        pair.get("/v1/kv/?recurse");
    };
    do_all(&[
        "",
        "{",
        "{}",
        "[]",
        "[{}]",
        r#"[{"KV":{}}]"#,
        r#"[{"KV":{"Verb":"set"}}]"#,
        r#"[{"KV":{"Verb":"foo","Key":"a"}}]"#,
        r#"[{"KV":{"Verb":"get","Key":"a","Foo":1}}]"#,
        r#"[{"KV":{"Verb":"set","Key":"a","Value":"zzz!"}}]"#,
        r#"[{"KV":{"Verb":"set","Key":"t/a","Value":"aGk=","Flags":3}},
            {"KV":{"Verb":"get","Key":"t/a"}},{"KV":{"Verb":"get-tree","Key":"t/"}}]"#,
        r#"[{"KV":{"Verb":"get","Key":"t/a"}},{"KV":{"Verb":"get-tree","Key":"t/"}}]"#,
        r#"[{"KV":{"Verb":"get","Key":"none"}},{"KV":{"Verb":"get-tree","Key":"none"}}]"#,
        // All that is wrong is said, and nothing of it happens.
        r#"[{"KV":{"Verb":"set","Key":"never","Value":"aGk="}},
            {"KV":{"Verb":"get","Key":"none"}},
            {"KV":{"Verb":"cas","Key":"t/a","Index":0}},
            {"KV":{"Verb":"cas","Key":"t/a","Index":99999}},
            {"KV":{"Verb":"lock","Key":"t/a","Session":"zz"}},
            {"KV":{"Verb":"lock","Key":"t/a"}},
            {"KV":{"Verb":"lock","Key":"t/a","Session":"00000000-0000-0000-0000-000000000000"}},
            {"KV":{"Verb":"unlock","Key":"t/a","Session":"zz"}},
            {"KV":{"Verb":"unlock","Key":"t/a"}},
            {"KV":{"Verb":"check-index","Key":"t/a","Index":1}},
            {"KV":{"Verb":"check-index","Key":"none","Index":1}},
            {"KV":{"Verb":"check-session","Key":"t/a","Session":"zz"}},
            {"KV":{"Verb":"check-session","Key":"none","Session":"zz"}},
            {"KV":{"Verb":"check-not-exists","Key":"t/a"}},
            {"KV":{"Verb":"delete-tree","Key":"t/"}},
            {"KV":{"Verb":"delete-cas","Key":"none","Index":1}}]"#,
        r#"[{"KV":{"Verb":"delete-cas","Key":"t/a","Index":1}}]"#,
        r#"[{"KV":{"Verb":"bogus","Key":"a"}},{"KV":{"Verb":"get","Key":""}},
            {"KV":{"Verb":"get-tree","Key":""}},{"KV":{"Verb":"delete-tree","Key":""}}]"#,
        r#"[{"KV":{"Verb":"check-not-exists","Key":"none"}},
            {"KV":{"Verb":"check-session","Key":"t/a","Session":""}},
            {"KV":{"Verb":"delete","Key":"none"}},{"KV":{"Verb":"delete-tree","Key":"none"}}]"#,
        r#"[{"KV":{"Verb":"lock","Key":"held","Session":"SESSION","Value":"aA=="}}]"#,
        r#"[{"KV":{"Verb":"check-session","Key":"held","Session":"SESSION"}},
            {"KV":{"Verb":"set","Key":"fenced","Value":"aA=="}}]"#,
        r#"[{"KV":{"Verb":"unlock","Key":"held","Session":"SESSION","Value":"aA=="}}]"#,
        r#"[{"KV":{"Verb":"lock","Key":"held","Session":"SESSION","Value":"aA=="}}]"#,
    ]);
    let other = pair.session("OTHER", "");
    let names = [&session, &other];
    let lock = r#"[{"KV":{"Verb":"lock","Key":"held","Session":"OTHER"}}]"#;
    pair.same_with(&names, "PUT", txn, lock);
    pair.same_with(&names, "PUT", "/v1/session/destroy/SESSION", "");
    pair.same_with(&names, "PUT", txn, lock);
    let index = pair.field("INDEX", "t/a", "ModifyIndex");
    for body in [
        r#"[{"KV":{"Verb":"check-index","Key":"t/a","Index":INDEX}},
            {"KV":{"Verb":"cas","Key":"t/a","Index":INDEX,"Value":"aA=="}}]"#,
        r#"[{"KV":{"Verb":"check-index","Key":"t/a","Index":INDEX}}]"#,
    ] {
        pair.same_with(&[&index], "PUT", txn, body);
    }
    let many = vec![r#"{"KV":{"Verb":"get","Key":"t/a"}}"#; 65].join(",");
    pair.same("PUT", txn, &format!("[{many}]"));
    pair.same("GET", txn, "");
    pair.get("/v1/kv/?recurse");
}

#[test]
fn events() {
    let pair = Pair::start();
    pair.get("/v1/event/list");
    for (path, body) in [
        ("/v1/event/fire/", ""),
        ("/v1/event/fire/deploy", "hello"),
        ("/v1/event/fire/deploy?node=elsewhere", "not for us"),
        ("/v1/event/fire/deploy?node=node-.*", "for us"),
        ("/v1/event/fire/restart?service=consul", ""),
        ("/v1/event/fire/restart?service=nope&tag=x", ""),
        ("/v1/event/fire/restart?tag=x", ""),
    ] {
        pair.same("PUT", path, body);
        pair.get("/v1/event/list");
    }
    for query in ["/v1/event/list?name=deploy", "/v1/event/list?name=nope", "/v1/event/nope"] {
        pair.get(query);
    }
}

#[test]
fn nodes_without_an_agent() {
    let pair = Pair::start();
    let register = |body: &str| pair.same("PUT", "/v1/catalog/register", body);
    let deregister = |body: &str| pair.same("PUT", "/v1/catalog/deregister", body);
    let session = |body: &str| pair.same("PUT", "/v1/session/create", body);
    let queries = || {
        for query in [
            "/v1/catalog/nodes",
            "/v1/catalog/nodes?node-meta=a:b",
            "/v1/catalog/node/ext",
            "/v1/catalog/node/no-address",
            "/v1/catalog/services",
            "/v1/catalog/service/db",
            "/v1/health/node/ext",
            "/v1/health/service/db",
            "/v1/health/service/db?passing&near=ext",
            "/v1/health/checks/db",
            "/v1/health/state/warning",
            "/v1/health/state/any",
            "/v1/session/node/ext",
        ] {
            pair.get(query);
        }
    };
    for body in [
        "",
        "{",
        "{}",
        r#"{"Node":"ext"}"#,
        r#"{"Address":"1.2.3.4"}"#,
        r#"{"Node":"ext","Address":"1.2.3.4","Foo":1}"#,
        r#"{"Node":"ext","Address":"1.2.3.4","Service":{"ID":"x"}}"#,
        r#"{"Node":"ext","Address":"1.2.3.4","Datacenter":"elsewhere"}"#,
        r#"{"Node":"ext","Address":"1.2.3.4","Check":{"Node":"other","CheckID":"c"}}"#,
        r#"{"Node":"ext","Address":"1.2.3.4","ID":"zz"}"#,
    ] {
        register(body);
    }
    register(
        r#"{"Node":"ext","Address":"1.2.3.4","NodeMeta":{"a":"b"},"TaggedAddresses":{"lan":"1.1.1.1"},
            "Service":{"Service":"db","Tags":["a"],"Address":"5.6.7.8","Port":99,"Meta":{"x":"y"}},
            "Check":{"CheckID":"c1","Name":"n1","Status":"passing","ServiceID":"db","Output":"o",
                "Notes":"n","Definition":{"TCP":"1.2.3.4:5","Interval":"5s"}}}"#,
    );
    register(r#"{"Node":"ext","Address":"1.2.3.4","Check":{"Name":"lost","ServiceID":"none"}}"#);
    queries();
    register(r#"{"Node":"ext","SkipNodeUpdate":true,"Service":{"ID":"db-2","Service":"db"}}"#);
    register(r#"{"Node":"ext","Address":"1.2.3.4","Datacenter":"dc1"}"#);
    queries();
    register(
        r#"{"Node":"ext","Address":"1.2.3.5","Checks":[{"Name":"l1","Status":"warning"},{"Name":"l2"}]}"#,
    );
    register(r#"{"Node":"no-address","SkipNodeUpdate":true,"Service":{"Service":"db"}}"#);
    session(r#"{"Node":"ext","NodeChecks":["l1"]}"#);
    session(r#"{"Node":"ext","NodeChecks":[],"ServiceChecks":[{"ID":"c1"}]}"#);
    session(r#"{"Node":"ext"}"#);
    queries();
    for body in [
        "",
        "{}",
        r#"{"Node":"nope"}"#,
        r#"{"Node":"ext","Foo":1}"#,
        r#"{"Node":"ext","ServiceID":"nope"}"#,
        r#"{"Node":"ext","CheckID":"nope"}"#,
        r#"{"Node":"ext","Datacenter":"elsewhere"}"#,
        r#"{"Node":"ext","CheckID":"l1"}"#,
        r#"{"Node":"ext","ServiceID":"db"}"#,
    ] {
        deregister(body);
        queries();
    }
    deregister(r#"{"Node":"ext"}"#);
    queries();
    for (method, path) in [("GET", "register"), ("GET", "deregister"), ("PUT", "nodes")] {
        pair.same(method, &format!("/v1/catalog/{path}"), "");
    }
    pair.get("/v1/acl/list");
    pair.get("/v1/internal/ui/nope");
}
