//! The metrics endpoint: the users' own metrics, where it listens, and that others can read it.

use serde_json::{Value, json};
use testkit::{Consul, MetricsCheck, Prometheus, Running, free_port, http, wait_until};

use crate::support::{
    APP, NO_CATALOG, PATIENCE, await_lines, await_status, instance, jobs, output, pilot, status,
    stop,
};
use crate::{reload_with, tell};

/// Four metrics, one of each kind.
pub(crate) fn metrics() -> Value {
    json!([
        { "namespace": "shop", "subsystem": "", "name": "orders", "type": "counter",
            "help": "Orders." },
        { "namespace": "shop", "subsystem": "stock", "name": "level", "type": "gauge",
            "help": "Pieces." },
        { "name": "took", "type": "histogram", "buckets": [0.1, 1, 10], "help": "Seconds." },
        { "name": "size", "type": "summary", "quantiles": [0.5], "help": "Bytes." },
    ])
}

/// An endpoint on loopback.
pub(crate) fn endpoint(port: u16, metrics: Value) -> Value {
    json!({ "port": port, "interfaces": "lo", "metrics": metrics })
}

#[track_caller]
pub(crate) fn page(port: u16, path: &str) -> String {
    let answer = http("GET", &format!("127.0.0.1:{port}"), path, "").unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

/// The value of a series, `name{label="value"}`.
#[track_caller]
pub(crate) fn value(port: u16, series: &str) -> Option<f64> {
    let page = page(port, "/metrics");
    let value = page.lines().find_map(|line| line.strip_prefix(&format!("{series} ")));
    value.map(|value| value.parse().unwrap())
}

#[track_caller]
pub(crate) fn await_value(port: u16, series: &str, good: impl Fn(f64) -> bool) -> f64 {
    wait_until(&format!("{series} is good"), PATIENCE, || match value(port, series) {
        Some(value) if good(value) => Ok(value),
        other => Err(format!("{other:?}\n{}", page(port, "/metrics"))),
    })
}

fn version_3(port: u16) -> (Value, Running) {
    let mut config = jobs(json!([{ "name": "app", "exec": "./app" }]));
    config["telemetry"] = endpoint(port, metrics());
    let run = pilot(config.clone()).script("app", APP).spawn();
    await_lines(&run, "app.pids", 1);
    (config, run)
}

const OBSERVED: [(&str, f64); 9] = [
    ("shop_orders", 3.0),
    ("shop_stock_level", 7.0),
    (r#"took_bucket{le="0.1"}"#, 1.0),
    (r#"took_bucket{le="1"}"#, 1.0),
    (r#"took_bucket{le="10"}"#, 2.0),
    ("took_count", 2.0),
    ("took_sum", 5.05),
    ("size_count", 2.0),
    ("size_sum", 30.0),
];

#[test]
fn metrics_that_are_posted_are_served_and_outlive_a_reload() {
    let port = free_port();
    let (mut config, run) = version_3(port);
    let post = |pairs: &[&str]| {
        let words: Vec<&str> = pairs.iter().flat_map(|pair| ["-putmetric", *pair]).collect();
        tell(&run, &words);
    };
    post(&["shop_orders=1", "shop_orders=2", "shop_stock_level=9", "shop_stock_level=7"]);
    post(&["took=0.05", "took=5", "size=10", "size=20"]);
    for (series, expected) in OBSERVED {
        assert_eq!(value(port, series), Some(expected), "{series}");
    }
    let median = value(port, r#"size{quantile="0.5"}"#).unwrap();
    assert!((9.0..=20.5).contains(&median), "{median}");
    // One that changes its kind begins anew, one that leaves is gone, the others stay.
    let list = config["telemetry"]["metrics"].as_array_mut().unwrap();
    list[1]["type"] = json!("counter");
    list.remove(3);
    list.push(json!({ "name": "fresh", "type": "gauge" }));
    reload_with(&run, &config);
    for (series, expected) in &OBSERVED[2..7] {
        assert_eq!(value(port, series), Some(*expected), "{series}");
    }
    post(&["shop_orders=1", "shop_stock_level=1", "fresh=2"]);
    assert_eq!(value(port, "shop_orders"), Some(4.0));
    assert_eq!(value(port, "shop_stock_level"), Some(1.0));
    assert_eq!(value(port, "fresh"), Some(2.0));
    assert_eq!(value(port, "size_count"), None);
}

#[test]
fn prometheus_reads_the_page() {
    let port = free_port();
    let (_, run) = version_3(port);
    let prometheus = Prometheus::start(&[format!("127.0.0.1:{port}")]);
    tell(&run, &["-putmetric", "shop_orders=3", "-putmetric", "took=5", "-putmetric", "size=20"]);
    prometheus.wait_for("shop_orders", 3.0, PATIENCE);
    prometheus.wait_for(r#"took_bucket{le="10"}"#, 1.0, PATIENCE);
    prometheus.wait_for("size_sum", 20.0, PATIENCE);
    prometheus.wait_for(r#"up{job="test"}"#, 1.0, PATIENCE);
    let memory = prometheus.query("containerpilot_resident_memory_bytes");
    assert!(matches!(memory.as_slice(), [(_, bytes)] if *bytes > 1e5), "{memory:?}");
    match Prometheus::check_metrics(&page(port, "/metrics")) {
        MetricsCheck::Malformed(why) => panic!("{why:?}\n{}", page(port, "/metrics")),
        MetricsCheck::Good => {}
        // Of style, about names that are the originals' and this test's, not ours.
        MetricsCheck::Advice(lines) => {
            let originals = ["containerpilot_events", "containerpilot_control_http_requests"];
            let ours = |line: &&String| {
                line.contains("containerpilot_")
                    && !originals.iter().any(|name| line.contains(name))
            };
            assert_eq!(lines.iter().find(ours), None, "{lines:#?}");
            assert!(lines.iter().any(|line| line.contains("shop_orders")), "{lines:#?}");
        }
    }
}

#[test]
fn sensors_of_every_kind_and_what_is_wrong_with_some() {
    let port = free_port();
    let mut sensors = metrics();
    let sensors = sensors.as_array_mut().unwrap();
    sensors.push(json!({ "name": "words", "type": "gauge" }));
    sensors.push(json!({ "name": "silent", "type": "gauge" }));
    sensors.push(json!({ "name": "failing", "type": "gauge" }));
    for sensor in &mut *sensors {
        let name = sensor["name"].as_str().unwrap().to_owned();
        sensor["poll"] = json!(1);
        sensor["check"] = json!(["./sensor", name]);
    }
    let config = json!({ "consul": NO_CATALOG, "logging": { "level": "DEBUG" }, "telemetry":
        { "port": port, "interfaces": "static:127.0.0.1", "sensors": sensors } });
    let mut run = pilot(config)
        .arg("./app")
        .script("app", APP)
        .script(
            "sensor",
            "case $1 in\norders) echo ' 2 '; echo 'counting orders' >&2;;\nlevel) echo -3.5;;\n\
             took) echo 0.5;;\nsize) echo 1e3;;\nwords) echo load: 3;;\nsilent) ;;\n\
             failing) echo 1; exit 3;;\nesac",
        )
        .spawn();
    await_lines(&run, "app.pids", 1);
    await_value(port, "shop_orders", |value| value >= 4.0 && value % 2.0 == 0.0);
    await_value(port, "shop_stock_level", |value| value == -3.5);
    await_value(port, r#"took_bucket{le="1"}"#, |count| count >= 2.0);
    let count = await_value(port, "size_count", |count| count >= 2.0);
    assert!(value(port, "size_sum").unwrap() >= 1e3 * count);
    run.wait_for_line("the sensor of words gave no sample: \"load: 3\" is not a number");
    run.wait_for_line("the sensor of silent gave no sample");
    assert!(run.wait_for_line("counting orders").contains("shop_orders"));
    run.wait_for_line("exited with 3");
    for name in ["words", "silent", "failing"] {
        assert_eq!(value(port, name), Some(0.0), "{}", output(&run));
    }
}

#[test]
fn it_is_advertised_and_leaves_with_the_program() {
    let consul = Consul::start();
    let port = free_port();
    for (config, arguments) in [
        (json!({ "consul": consul.address(), "jobs": [{ "name": "app", "exec": "./app" }] }), None),
        (json!({ "consul": consul.address(), "services": [] }), Some("./app")),
    ] {
        let mut config = config;
        config["telemetry"] = endpoint(port, json!([]));
        config["telemetry"]["tags"] = json!(["metrics"]);
        config["telemetry"].as_object_mut().unwrap().remove("metrics");
        config["control"] = json!({ "socket": "control.socket" });
        let program = pilot(config).args(arguments).script("app", APP);
        let mut run = program.spawn();
        await_status(&consul, &run, "containerpilot", Some("passing"));
        let service = &consul.services()[instance("containerpilot")];
        assert_eq!(
            (&service["Port"], &service["Address"], &service["Tags"]),
            (&json!(port), &json!("127.0.0.1"), &json!(["metrics"]))
        );
        stop(&mut run);
        assert_eq!(status(&consul, "containerpilot"), None);
    }
}

#[test]
fn it_listens_on_the_chosen_address_alone() {
    let port = free_port();
    let mut config = jobs(json!([{ "name": "app", "exec": "./app" }]));
    config["telemetry"] = json!({ "port": port, "interfaces": "static:127.0.0.2" });
    let run = pilot(config).script("app", APP).spawn();
    await_lines(&run, "app.pids", 1);
    let get = |address: &str, method: &str, path: &str| {
        http(method, &format!("{address}:{port}"), path, "").map(|answer| answer.status)
    };
    assert_eq!(get("127.0.0.2", "GET", "/metrics").unwrap(), 200);
    assert_eq!(
        get("127.0.0.1", "GET", "/metrics").unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    assert_eq!(get("127.0.0.2", "POST", "/metrics").unwrap(), 405);
    assert_eq!(get("127.0.0.2", "GET", "/v3/environ").unwrap(), 404);
}
