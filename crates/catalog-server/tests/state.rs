//! What the state file keeps over restarts, gentle and violent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Ended, Program, Response, Running, Signal, http, http_within, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// The program with a state file in a folder of its own.
struct Catalog {
    program: Program,
    /// None while it restarts: what is left of the old one is killed before the new one starts.
    running: Option<Running>,
    address: String,
}

impl Catalog {
    fn start() -> Self {
        let program = Program::new(env!("CARGO_BIN_EXE_catalog-server"))
            .args(["-http", "127.0.0.1:0", "-dns", "off", "-state", "catalog.json"])
            .args(["-min-interval", "20ms"]);
        let (running, address) = run(&program);
        Self { program, running: Some(running), address }
    }

    fn file(&self) -> PathBuf {
        self.program.path("catalog.json")
    }

    /// Ends it with a signal and starts it again.
    #[track_caller]
    fn restart(&mut self, signal: Signal) {
        let mut running = self.running.take().unwrap();
        running.signal(signal);
        let ended = running.wait(SOON).ended;
        drop(running);
        let expected = match signal {
            Signal::SIGTERM => Ended::Code(0),
            other => Ended::Signal(other as i32),
        };
        assert_eq!(ended, expected);
        let (running, address) = run(&self.program);
        (self.running, self.address) = (Some(running), address);
    }

    /// Waits until the file holds something.
    #[track_caller]
    fn saved(&self, part: &str) {
        wait_until(&format!("the file has {part}"), SOON, || {
            let text = std::fs::read_to_string(self.file()).unwrap();
            if text.contains(part) { Ok(()) } else { Err(text) }
        });
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &str) -> Response {
        let response = http(method, &self.address, path, body).unwrap();
        assert_eq!(response.status, 200, "{method} {path} {body}: {}", response.body);
        response
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "").json()
    }

    #[track_caller]
    fn put(&self, path: &str, body: &str) -> String {
        self.ask("PUT", path, body).body
    }

    #[track_caller]
    fn index(&self, path: &str) -> u64 {
        let response = self.ask("GET", path, "");
        response.header("x-consul-index").unwrap().parse().unwrap()
    }
}

fn run(program: &Program) -> (Running, String) {
    let mut running = program.spawn();
    let line = running.wait_for_line("listening on http://");
    let address = line.rsplit('/').next().unwrap().to_owned();
    (running, address)
}

const QUERIES: [&str; 6] = [
    "/v1/kv/app/?recurse",
    "/v1/kv/app/one",
    "/v1/catalog/services",
    "/v1/health/service/web",
    "/v1/catalog/nodes",
    "/v1/internal/ui/nodes",
];

#[test]
fn keys_and_registrations_survive_a_stop_and_a_kill() {
    let mut catalog = Catalog::start();
    catalog.put("/v1/kv/app/one?flags=7", "1");
    catalog.put("/v1/kv/app/two", "\u{0}\u{1}é");
    catalog.put("/v1/kv/app/gone", "x");
    catalog.ask("DELETE", "/v1/kv/app/gone", "");
    let web = json!({"ID": "web-1", "Name": "web", "Port": 80, "Address": "10.0.0.1",
        "Tags": ["a"], "Meta": {"k": "v"}, "Weights": {"Passing": 3, "Warning": 1},
        "Checks": [
            {"CheckID": "beat", "TTL": "60s", "Notes": "n"},
            {"CheckID": "brief", "TTL": "300ms", "Status": "passing"},
            {"CheckID": "door", "TCP": "127.0.0.1:1", "Interval": "10ms", "Status": "passing"}]});
    catalog.put("/v1/agent/service/register", &web.to_string());
    catalog.put("/v1/agent/check/pass/beat?note=fine", "");
    let external = json!({"Node": "far", "Address": "10.0.0.9", "NodeMeta": {"a": "b"},
        "Service": {"Service": "db", "Port": 5432},
        "Check": {"Name": "up", "Status": "warning", "ServiceID": "db"}});
    catalog.put("/v1/catalog/register", &external.to_string());
    catalog.put("/v1/agent/service/maintenance/web-1?enable=true&reason=why", "");
    // The checks that the agent makes have come to their results.
    wait_until("the checks have failed", SOON, || {
        let checks = catalog.get("/v1/agent/checks");
        let done = ["door", "brief"].map(|check| checks[check]["Status"] == "critical");
        if done == [true; 2] { Ok(()) } else { Err(checks.to_string()) }
    });
    let shown = |catalog: &Catalog| {
        let without = |mut value: Value| {
            strip(&mut value);
            value
        };
        QUERIES.map(|query| without(catalog.get(query)))
    };
    let (before, pair) = (shown(&catalog), catalog.get("/v1/kv/app/one"));
    let node = catalog.get("/v1/agent/self")["Config"]["NodeID"].clone();
    for signal in [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGTERM] {
        let indexes = QUERIES.map(|query| catalog.index(query));
        catalog.restart(signal);
        assert_eq!(shown(&catalog), before, "after {signal}");
        assert_eq!(catalog.get("/v1/kv/app/one"), pair, "with the indexes for check-and-set");
        assert_eq!(catalog.get("/v1/agent/self")["Config"]["NodeID"], node);
        for (query, before) in QUERIES.iter().zip(indexes) {
            let now = catalog.index(query);
            assert!(now > before, "{query} went from {before} to {now}");
            // Who waits with an index of the last run learns at once what is true now.
            let start = Instant::now();
            let separator = if query.contains('?') { '&' } else { '?' };
            let waited = format!("{query}{separator}wait=60s&index={before}");
            http_within(SOON, "GET", &catalog.address, &waited, "").unwrap();
            assert!(start.elapsed() < SOON);
        }
        // Its checks are at work: a heartbeat is taken, and nothing else than before.
        catalog.put("/v1/agent/check/pass/beat?note=fine", "");
    }
    catalog.put("/v1/agent/service/deregister/web-1", "");
    catalog.restart(Signal::SIGTERM);
    assert_eq!(catalog.get("/v1/catalog/service/web"), json!([]));
    assert_eq!(catalog.get("/v1/agent/checks"), json!({}));
}

/// Indexes of services and checks are of no use over a restart.
fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(map) => {
            map.remove("CreateIndex");
            map.remove("ModifyIndex");
            // The catalog's own, whose port is another each time.
            map.retain(|_, value| value["Service"] != "consul");
            if let Some(Value::Array(services)) = map.get_mut("Services") {
                services.retain(|service| service["Service"] != "consul");
            }
            map.values_mut().for_each(strip);
        }
        _ => {}
    }
}

#[test]
fn a_kill_loses_no_more_than_a_moment_and_turns_no_index_back() {
    let mut catalog = Catalog::start();
    catalog.put("/v1/kv/app/first", "1");
    catalog.saved("app/first");
    // What follows may be lost; that it was seen must not be taken for knowledge of the future.
    let mut seen = 0;
    for n in 0..50 {
        catalog.put("/v1/kv/app/counter", &n.to_string());
        seen = catalog.index("/v1/kv/app/counter");
    }
    catalog.restart(Signal::SIGKILL);
    assert_eq!(catalog.get("/v1/kv/app/first")[0]["Value"], "MQ==");
    let response = http("GET", &catalog.address, "/v1/kv/app/counter", "").unwrap();
    let now: u64 = response.header("x-consul-index").unwrap().parse().unwrap();
    assert!(now > seen, "{now} after {seen}");
}

#[test]
fn a_burst_of_changes_is_a_few_writes() {
    let catalog = Catalog::start();
    let writes =
        || catalog.get("/v1/agent/self")["DebugConfig"]["State"]["Writes"].as_u64().unwrap();
    let (before, start) = (writes(), Instant::now());
    for n in 0..200 {
        catalog.put("/v1/kv/burst", &n.to_string());
    }
    catalog.saved("\"MTk5\"");
    let (made, most) = (writes() - before, start.elapsed().as_millis() as u64 / 200 + 2);
    assert!(made >= 1 && made <= most, "{made} writes in {:?}", start.elapsed());
    // And then there is quiet: a session is nothing to be kept.
    let before = writes();
    catalog.put("/v1/session/create", "");
    catalog.put("/v1/kv/last", "1");
    catalog.saved("\"last\"");
    assert_eq!(writes(), before + 1);
}

#[test]
fn locks_are_free_after_a_restart_but_not_at_once() {
    let mut catalog = Catalog::start();
    let session = || -> String {
        let answer = catalog.ask("PUT", "/v1/session/create", "").json();
        answer["ID"].as_str().unwrap().to_owned()
    };
    let held = session();
    assert_eq!(catalog.put(&format!("/v1/kv/lock?acquire={held}"), "mine"), "true");
    catalog.restart(Signal::SIGTERM);
    assert_eq!(catalog.get("/v1/session/list"), json!([]));
    let lock = catalog.get("/v1/kv/lock");
    assert_eq!((lock[0].get("Session"), &lock[0]["LockIndex"]), (None, &json!(1)));
    let next = catalog.ask("PUT", "/v1/session/create", "").json();
    let path = format!("/v1/kv/lock?acquire={}", next["ID"].as_str().unwrap());
    assert_eq!(catalog.put(&path, "ours"), "false", "the lock delay protects its last holder");
}

#[test]
fn a_broken_file_is_an_error_and_stays_as_it_is() {
    for (content, reason) in [
        ("", "EOF"),
        ("{\"Format\":\"catalog-server 1\",\n\"Index\":", "unexpected EOF"),
        ("{]", "line 1 column 2"),
        ("[]", "array"),
        ("{}", "its Format is \"\", not \"catalog-server 1\""),
        (
            "{\"Format\":\"catalog-server 1\",\"Keys\":[{\"Key\":\"k\",\"Value\":\"!\"}]}",
            "illegal base64",
        ),
        (
            "{\"Format\":\"catalog-server 1\",\"Checks\":[{\"CheckID\":\"c\",
                \"Definition\":{\"Args\":[\"true\"],\"Interval\":\"1s\"}}]}",
            "check \"c\": Scripts are disabled",
        ),
    ] {
        let program = Program::new(env!("CARGO_BIN_EXE_catalog-server"))
            .file("catalog.json", content)
            .args(["-http", "127.0.0.1:0", "-dns", "off", "-state", "catalog.json"]);
        let failed = program.spawn().wait(SOON);
        assert_eq!(failed.ended, Ended::Code(1), "{content}");
        assert!(
            failed.stderr.starts_with("catalog-server: the state file catalog.json is of no use: "),
            "{}",
            failed.stderr
        );
        assert!(failed.stderr.contains(reason), "{}", failed.stderr);
        assert_eq!(std::fs::read_to_string(program.path("catalog.json")).unwrap(), content);
    }
    let program = Program::new(env!("CARGO_BIN_EXE_catalog-server")).args([
        "-http",
        "127.0.0.1:0",
        "-dns",
        "off",
        "-state",
        "no/such/folder/file",
    ]);
    let failed = program.spawn().wait(SOON);
    assert_eq!(failed.ended, Ended::Code(1));
    let text = "cannot write the state file no/such/folder/file: No such file or directory";
    assert!(failed.stderr.contains(text), "{}", failed.stderr);
}
