//! The catalog over HTTP: waiting, expiry, limits and stopping.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

mod catalog;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use catalog::{Catalog, SOON, index};
use serde_json::json;
use testkit::{http, http_within, wait_until};

#[test]
fn a_query_returns_when_what_it_asked_for_changed_and_only_then() {
    let catalog = Catalog::start(|_| {});
    catalog.register(json!({"Name": "web", "Check": {"TTL": "60s"}}));
    let path = "/v1/health/service/web?passing";
    let first = catalog.get(path);
    let waiting = catalog.blocked(&format!("{path}&wait=30s&index={}", index(&first)));
    let prefix = catalog.blocked("/v1/kv/app/?recurse&wait=30s&index=1");

    catalog.register(json!({"Name": "other", "Check": {"TTL": "60s"}}));
    catalog.put("/v1/agent/check/pass/service:other", "");
    catalog.put("/v1/kv/elsewhere", "x");
    // Its own check reports what is known already.
    catalog.put("/v1/agent/check/fail/service:web", "");
    assert_eq!(catalog.waiting(), 2, "other changes woke it");

    catalog.put("/v1/agent/check/pass/service:web", "");
    let (answer, _) = waiting.recv_timeout(SOON).expect("the change is told");
    assert_eq!(answer.json()[0]["Service"]["ID"], "web");
    assert!(index(&answer) > index(&first));
    assert_eq!(catalog.waiting(), 1);
    catalog.put("/v1/kv/app/deep/key", "x");
    let (answer, _) = prefix.recv_timeout(SOON).expect("the key is told");
    assert_eq!(answer.json()[0]["Key"], "app/deep/key");
}

#[test]
fn a_query_returns_when_its_service_or_key_vanishes() {
    let catalog = Catalog::start(|_| {});
    catalog.register(json!({"Name": "web"}));
    catalog.put("/v1/kv/k", "x");
    let services = index(&catalog.get("/v1/catalog/service/web"));
    let service = catalog.blocked(&format!("/v1/catalog/service/web?wait=30s&index={services}"));
    let key =
        catalog.blocked(&format!("/v1/kv/k?wait=30s&index={}", index(&catalog.get("/v1/kv/k"))));
    catalog.put("/v1/agent/service/deregister/web", "");
    assert_eq!(http("DELETE", &catalog.address(), "/v1/kv/k", "").unwrap().body, "true");
    let (answer, _) = service.recv_timeout(SOON).expect("its end is told");
    assert_eq!((answer.json(), index(&answer) > services), (json!([]), true));
    assert_eq!(key.recv_timeout(SOON).expect("its end is told").0.status, 404);
}

#[test]
fn a_query_without_a_change_returns_after_its_time() {
    let catalog = Catalog::start(|_| {});
    let path = "/v1/catalog/services?wait=200ms&index";
    let now = index(&catalog.get("/v1/catalog/services"));
    let (answer, took) = catalog.blocked(&format!("{path}={now}")).recv_timeout(SOON).unwrap();
    assert_eq!(index(&answer), now);
    assert!(took >= Duration::from_millis(200), "{took:?}");
    // Of another catalog's life.
    let start = Instant::now();
    let answer = catalog.get("/v1/catalog/services?wait=30s&index=999999");
    assert!(start.elapsed() < SOON && index(&answer) == now);
}

#[test]
fn clients_that_go_away_leave_nothing_behind() {
    let catalog = Catalog::start(|_| {});
    let path = "/v1/kv/none?wait=60s&index=1";
    let gone = http_within(Duration::from_millis(100), "GET", &catalog.address(), path, "");
    assert!(gone.is_err());
    wait_until("nobody waits", SOON, || {
        let blocked = catalog.get("/v1/agent/self").json()["DebugConfig"]["Blocked"].clone();
        let nobody = blocked == json!({"queries": 0, "topics": 0});
        if nobody { Ok(()) } else { Err(blocked.to_string()) }
    });
}

#[test]
fn a_ttl_that_is_not_renewed_turns_critical() {
    let catalog = Catalog::start(|_| {});
    let check = json!({"TTL": "300ms", "Status": "passing"});
    catalog.register(json!({"Name": "web", "Check": check}));
    catalog.put("/v1/agent/check/update/service:web", r#"{"Status":"passing","Output":"o"}"#);
    assert_eq!(catalog.get("/v1/health/service/web?passing").json()[0]["Service"]["ID"], "web");
    catalog.until("service:web", "critical");
    let output = catalog.get("/v1/agent/checks").json()["service:web"]["Output"].clone();
    assert_eq!(output, "TTL expired (last output before timeout follows): o");
    assert_eq!(catalog.get("/v1/health/service/web?passing").json(), json!([]));
    catalog.put("/v1/agent/check/pass/service:web", "");
    assert_eq!(catalog.state("service:web"), "passing");
}

#[test]
fn a_service_passes_only_if_all_checks_do() {
    let catalog = Catalog::start(|_| {});
    let checks = json!([{"TTL": "60s", "Status": "passing"}, {"TTL": "60s", "Status": "warning"}]);
    catalog.register(json!({"Name": "web", "Checks": checks}));
    let passing = || catalog.get("/v1/health/service/web?passing").json().as_array().unwrap().len();
    assert_eq!(passing(), 0);
    catalog.put("/v1/agent/check/pass/service:web:2", "");
    assert_eq!(passing(), 1);
    catalog.put("/v1/agent/check/register", r#"{"Name":"disk","TTL":"60s"}"#);
    assert_eq!(passing(), 0, "the node's check decides as well");
    catalog.put("/v1/agent/check/pass/disk", "");
    catalog.put("/v1/agent/service/maintenance/web?enable=true", "");
    assert_eq!(passing(), 0);
    catalog.put("/v1/agent/service/maintenance/web?enable=false", "");
    assert_eq!(passing(), 1);
}

#[test]
fn a_service_that_stays_critical_is_removed() {
    let catalog = Catalog::start(|options| options.min_deregister = Duration::from_millis(200));
    let check = |ttl| json!({"TTL": ttl, "DeregisterCriticalServiceAfter": "1ms"});
    catalog.register(json!({"Name": "gone", "Check": check("50ms")}));
    catalog.register(json!({"Name": "waits", "Check": check("60s")}));
    catalog.until("service:gone", "gone");
    assert_eq!(catalog.get("/v1/catalog/service/gone").json(), json!([]));
    assert_eq!(catalog.state("service:waits"), "critical", "it had no time to report yet");
}

#[test]
fn too_much_is_refused() {
    let catalog = Catalog::start(|options| {
        options.max_blocked = 1;
        options.max_connections = 3;
    });
    let largest = "x".repeat(512 * 1024);
    catalog.put("/v1/kv/big", &largest);
    let refused = http("PUT", &catalog.address(), "/v1/kv/big", format!("{largest}x")).unwrap();
    assert_eq!(refused.status, 413, "{}", refused.body);
    assert!(refused.body.contains("524289 bytes") && refused.body.contains("524288 bytes"));

    let path = format!("/v1/kv/big?wait=60s&index={}", index(&catalog.get("/v1/kv/big")));
    let _waiting = catalog.blocked(&path);
    let second = catalog.get(&path);
    assert_eq!(
        (second.status, second.body.as_str()),
        (429, "Too many blocked queries: 1 wait already")
    );

    let idle: Vec<_> = (0..2).map(|_| TcpStream::connect(catalog.0.address()).unwrap()).collect();
    wait_until("connections are refused", SOON, || {
        let answer = http("GET", &catalog.address(), "/v1/status/leader", "");
        answer.is_ok_and(|answer| answer.status == 503)
    });
    drop(idle);
    wait_until("connections are accepted again", SOON, || {
        let answer = http("GET", &catalog.address(), "/v1/status/leader", "");
        answer.is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn nonsense_is_answered_and_survived() {
    let catalog = Catalog::start(|_| {});
    for nonsense in ["\r\n\r\n", "GET\r\n\r\n", "GET /v1/kv/%zz HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(catalog.0.address()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(nonsense.as_bytes()).unwrap();
        let mut answer = [0; 12];
        // A bare line break is no request at all; the rest is a bad one.
        if nonsense.trim().is_empty() {
            continue;
        }
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 400", "{nonsense:?}");
    }
    catalog.register(json!({"Name": "naïve/ü", "Tags": ["ü"]}));
    let found = catalog.get("/v1/catalog/service/na%C3%AFve/%C3%BC").json();
    assert_eq!(found[0]["ServiceID"], "naïve/ü");
    assert_eq!(catalog.get("/v1/agent/health/service/name/%0d%0a").status, 404);
}

#[test]
fn a_key_may_have_slashes_in_a_row() {
    let catalog = Catalog::start(|_| {});
    catalog.put("/v1/kv/a%2F%2Fb", "x");
    assert_eq!(catalog.get("/v1/kv/a%2F%2Fb?raw").body, "x");
    assert_eq!(catalog.get("/v1/kv/?keys").json(), json!(["a//b"]));
    let answer = catalog.get("/v1/kv//a");
    assert_eq!((answer.status, answer.header("location")), (301, Some("/v1/kv/a")));
}

#[test]
fn a_stop_ends_blocked_queries() {
    let catalog = Catalog::start(|_| {});
    let (address, path) = (catalog.address(), "/v1/kv/none?wait=60s&index=1");
    let waiter = thread::spawn(move || http_within(SOON * 6, "GET", &address, path, ""));
    wait_until("the query waits", SOON, || catalog.waiting() == 1);
    let start = Instant::now();
    catalog.0.stop();
    // The two seconds of grace are for clients that do not take their answers.
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(waiter.join().unwrap().expect("an answer").status, 404);
    assert!(TcpStream::connect(catalog.0.address()).is_err());
}

#[test]
fn a_session_that_is_not_renewed_loses_its_lock_and_the_next_one_is_told() {
    let ttl = Duration::from_secs(1);
    let catalog = Catalog::start(|options| options.min_session_ttl = ttl);
    let session = |ttl: &str| {
        let body = json!({"TTL": ttl, "LockDelay": "1ms"}).to_string();
        let answer = http("PUT", &catalog.address(), "/v1/session/create", body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["ID"].as_str().unwrap().to_owned()
    };
    let acquire = |session: &str| {
        let path = format!("/v1/kv/leader?acquire={session}");
        http("PUT", &catalog.address(), &path, session).unwrap().body == "true"
    };
    let (lost, next) = (session("1s"), session("24h"));
    assert!(acquire(&lost) && !acquire(&next));
    let held = catalog.get("/v1/kv/leader");
    assert_eq!(
        (&held.json()[0]["Session"], &held.json()[0]["LockIndex"]),
        (&json!(lost), &json!(1))
    );
    let released = catalog.blocked(&format!("/v1/kv/leader?wait=60s&index={}", index(&held)));
    let info = format!("/v1/session/info/{lost}");
    let ended = catalog.blocked(&format!("{info}?wait=60s&index={}", index(&catalog.get(&info))));
    // For as long as it is renewed it lives, beyond any lenience.
    let start = Instant::now();
    while start.elapsed() < ttl.mul_f32(2.2) {
        catalog.put(&format!("/v1/session/renew/{lost}"), "");
        thread::sleep(ttl / 8);
    }
    assert_eq!(catalog.waiting(), 2);
    let (answer, _) = released.recv_timeout(SOON).expect("the release is told");
    assert!(start.elapsed() > 4 * ttl, "it ended before its TTL: {:?}", start.elapsed());
    assert_eq!(answer.json()[0].get("Session"), None);
    assert_eq!(ended.recv_timeout(SOON).expect("its end is told").0.json(), json!([]));
    wait_until("the next one gets the lock", SOON, || acquire(&next));
    assert_eq!(catalog.get("/v1/kv/leader").json()[0]["LockIndex"], 2);
}

#[test]
fn a_fired_event_is_told() {
    let catalog = Catalog::start(|_| {});
    let waiting = catalog.blocked("/v1/event/list?name=deploy&wait=60s&index=1");
    catalog.put("/v1/event/fire/other", "x");
    catalog.put("/v1/event/fire/deploy", "now");
    let (answer, _) = waiting.recv_timeout(SOON).expect("the event is told");
    assert_eq!(answer.json()[0]["Payload"], "bm93");
    let again =
        catalog.get(&format!("/v1/event/list?name=deploy&wait=1ms&index={}", index(&answer)));
    assert_eq!(index(&again), index(&answer));
    assert_eq!(catalog.get("/v1/event/list").json().as_array().unwrap().len(), 2);
}

#[test]
fn one_query_sees_every_change_of_the_catalog() {
    let catalog = Catalog::start(|_| {});
    let path = "/v1/internal/ui/nodes";
    let mut seen = index(&catalog.get(path));
    let external = r#"{"Node":"far","Address":"10.0.0.9","Service":{"Service":"db"}}"#;
    for (change, body, part) in [
        ("/v1/agent/service/register", r#"{"Name":"web","Check":{"TTL":"60s"}}"#, "\"web\""),
        ("/v1/agent/check/pass/service:web?note=fine", "", "\"fine\""),
        ("/v1/catalog/register", external, "10.0.0.9"),
        ("/v1/catalog/deregister", r#"{"Node":"far"}"#, "fine"),
    ] {
        let waiting = catalog.blocked(&format!("{path}?wait=60s&index={seen}"));
        catalog.put("/v1/kv/other", change);
        catalog.put(change, body);
        let (answer, _) = waiting.recv_timeout(SOON).expect(change);
        assert!(answer.body.contains(part), "{change}: {}", answer.body);
        seen = index(&answer);
    }
    let services = catalog.get("/v1/internal/ui/services").json();
    let web = services.as_array().unwrap().iter().find(|service| service["Name"] == "web").unwrap();
    assert_eq!((&web["ChecksPassing"], &web["InstanceCount"]), (&json!(2), &json!(1)));
    let refused = catalog.get("/v1/catalog/nodes?filter=Node==far");
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("no filter expressions"), "{}", refused.body);
}

#[test]
fn the_page_and_all_that_it_loads_are_served_and_nothing_else_may_run() {
    let catalog = Catalog::start(|_| {});
    for path in ["/", "/ui"] {
        let answer = catalog.get(path);
        assert_eq!((answer.status, answer.header("location")), (301, Some("/ui/")), "{path}");
    }
    // Every file of the page's folder, whatever it links to.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.push(String::new());
    for name in names {
        let answer = catalog.get(&format!("/ui/{name}"));
        assert_eq!(answer.status, 200, "{name} is not served: src/http/ui.rs has the list");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'self';"), "{name}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
        let kind = answer.header("content-type").unwrap_or_default();
        let wanted = match name.rsplit('.').next() {
            Some("js") => "text/javascript",
            Some("css") => "text/css",
            Some("svg") => "image/svg+xml",
            _ => "text/html",
        };
        assert!(kind.starts_with(wanted), "{name} is {kind}");
    }
    assert_eq!(catalog.get("/ui/../Cargo.toml").status, 404);
    assert_eq!(catalog.get("/ui/nope").status, 404);
}
