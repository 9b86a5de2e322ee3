//! What the program measures of its own doings, and its `/status` page.

use serde_json::{Value, json};
use testkit::{Consul, Running, free_port, wait_until};

use crate::support::{APP, PATIENCE, await_lines, await_status, catalogued_jobs, pilot};
use crate::telemetry::{await_value, endpoint, page, value};
use crate::{SERVE, advertised, await_job, reload_with, tell};

fn config(consul: &Consul, port: u16) -> Value {
    let mut config = catalogued_jobs(
        consul,
        json!([{ "name": "db", "interval": 1 }]),
        json!([
            advertised("web"),
            { "name": "failing", "exec": "false", "restarts": "unlimited" },
            { "name": "talking", "exec": ["echo", "twelve bytes"], "when": { "interval": "200ms" } },
        ]),
    );
    config["telemetry"] = endpoint(port, json!([]));
    config
}

fn start(consul: &Consul, port: u16) -> Running {
    let run = pilot(config(consul, port)).script("serve", SERVE).spawn();
    await_status(consul, &run, "web", Some("passing"));
    run
}

/// How many requests to the catalog have failed because it is out, whatever they were for.
fn failures(port: u16) -> f64 {
    let page = page(port, "/metrics");
    let of = |line: &str| {
        let counted = line.strip_prefix("containerpilot_catalog_request_failures_total{")?;
        let (labels, value) = counted.split_once("} ")?;
        labels.contains(r#"outcome="outage""#).then(|| value.parse::<f64>().unwrap())
    };
    page.lines().filter_map(of).sum()
}

#[test]
fn its_own_metrics_move() {
    let mut consul = Consul::start();
    let port = free_port();
    let run = start(&consul, port);
    consul.register(json!({ "ID": "db-1", "Name": "db", "Address": "127.0.0.1", "Port": 1 }));
    let above = |series: &str, than: f64| await_value(port, series, |value| value > than);
    await_value(port, r#"containerpilot_watch_instances{service="db"}"#, |value| value == 1.0);
    await_value(port, r#"containerpilot_watch_lag_seconds{service="db"}"#, |lag| lag < 60.0);
    above(r#"containerpilot_job_restarts_total{job="failing"}"#, 1.0);
    above(r#"containerpilot_check_duration_seconds_count{job="web"}"#, 1.0);
    above("containerpilot_process_start_seconds_count", 5.0);
    above("containerpilot_loop_delay_seconds_count", 5.0);
    above("containerpilot_resident_memory_bytes", 1e6);
    above(r#"containerpilot_events{code="exitFailed",source="failing"}"#, 1.0);
    above(r#"containerpilot_events{code="healthy",source="web"}"#, 1.0);
    let lines = above(r#"containerpilot_log_lines_total{job="talking"}"#, 2.0);
    let bytes = value(port, r#"containerpilot_log_bytes_total{job="talking"}"#).unwrap();
    assert!(bytes >= 12.0 * lines && bytes < 13.0 * (lines + 10.0), "{lines} {bytes}");
    tell(&run, &["-ping", "-ping"]);
    let pings = r#"containerpilot_control_http_requests{code="200",path="/v3/ping"}"#;
    assert_eq!(value(port, pings), Some(2.0));
    let requests = |operation: &str| {
        format!("containerpilot_catalog_request_duration_seconds_count{{operation={operation:?}}}")
    };
    above(&requests("register"), 0.0);
    above(&requests("heartbeat"), 1.0);
    assert_eq!(failures(port), 0.0, "{}", page(port, "/metrics"));

    // What was counted is kept over a reload.
    let restarts = value(port, r#"containerpilot_job_restarts_total{job="failing"}"#).unwrap();
    reload_with(&run, run.read("app.json").unwrap());
    assert!(
        value(port, r#"containerpilot_job_restarts_total{job="failing"}"#).unwrap() >= restarts
    );
    assert_eq!(value(port, pings), Some(2.0));

    consul.kill();
    wait_until("requests fail again and again", PATIENCE, || {
        let failed = failures(port);
        if failed > 3.0 { Ok(()) } else { Err(failed.to_string()) }
    });
    above(r#"containerpilot_watch_lag_seconds{service="db"}"#, 1.5);
    assert_eq!(
        value(port, r#"containerpilot_watch_instances{service="db"}"#),
        Some(1.0),
        "an outage is no change"
    );
}

#[test]
fn the_status_page_has_the_originals_form() {
    let consul = Consul::start();
    let port = free_port();
    let run = start(&consul, port);
    await_job(&run, "web", "/health/status", "healthy");
    let status: Value = serde_json::from_str(&page(port, "/status")).unwrap();
    assert_eq!(status["Version"], env!("CARGO_PKG_VERSION"));
    let web = json!({ "Name": "web", "Address": "127.0.0.1", "Port": 8000, "Status": "healthy" });
    assert_eq!(status["Jobs"][0], web);
    assert_eq!(status["Jobs"][1]["Name"], "failing");
    let services = status["Services"].as_array().unwrap();
    let own = json!({ "Name": "containerpilot", "Address": "127.0.0.1", "Port": port,
        "Status": "healthy" });
    assert!(services.contains(&web) && services.contains(&own), "{status}");
    assert_eq!(status["Watches"], json!(["watch.db"]));
    tell(&run, &["-maintenance", "enable"]);
    let status: Value = serde_json::from_str(&page(port, "/status")).unwrap();
    assert_eq!(status["Jobs"][0]["Status"], "maintenance");
}

/// 2.x: the application is nobody's restart, but its coprocesses are.
#[test]
fn restarts_of_coprocesses_are_counted() {
    let port = free_port();
    let config = json!({ "consul": crate::support::NO_CATALOG,
        "coprocesses": [{ "name": "helper", "command": "false", "restarts": 2 }],
        "telemetry": { "port": port, "interfaces": "lo" } });
    let run = pilot(config).arg("./app").script("app", APP).spawn();
    await_lines(&run, "app.pids", 1);
    await_value(port, r#"containerpilot_job_restarts_total{job="helper"}"#, |count| count == 2.0);
    await_value(port, r#"containerpilot_events{code="exitFailed",source="helper"}"#, |count| {
        count == 3.0
    });
    assert_eq!(value(port, r#"containerpilot_job_restarts_total{job="application"}"#), Some(0.0));
}
