//! The real Prometheus and its promtool read what we write.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::time::{Duration, Instant};

use metrics::{Buckets, Definition, Kind, Quantiles, Registry};
use testkit::{HttpStub, MetricsCheck, Prometheus};

const SOON: Duration = Duration::from_secs(30);

/// What a format could stumble over.
const ODD: [&str; 8] = [
    "",
    "quote \" backslash \\ newline \n end",
    "\\",
    "\\n",
    "tab\t return\r bell\u{7} nul\0",
    "{a=\"b\"} 1",
    "# TYPE x counter",
    "é 漢 \u{1F680} \u{2028} \u{FEFF}",
];

/// Every kind with every odd text as help and as a label value, and with odd numbers.
fn odd_registry(now: Instant) -> Registry {
    let registry = Registry::new();
    for (n, help) in ODD.iter().enumerate() {
        let name = |kind: &str| format!("{kind}_{n}");
        let counter = registry.counter(&name("c"), help, ["a", "b"]).unwrap();
        let gauge = registry.gauge(&name(":g"), help, ["a"]).unwrap();
        let histogram =
            registry.histogram(&name("h"), help, ["a"], Buckets::new(&[-1.5, 1e9]).unwrap());
        let summary = registry.summary(&name("s"), help, ["a"], Quantiles::default()).unwrap();
        let histogram = histogram.unwrap();
        for (value, text) in [0.0, 1e-300, f64::MAX, 0.1, 1e6, 123_456_789.0, 5e-324, 3.0]
            .into_iter()
            .zip(ODD.iter().rev())
        {
            counter.with([text, "x"]).add(value);
            gauge.with([text]).set(-value);
            histogram.with([text]).observe(value);
            summary.with([text]).observe(value, now);
        }
        gauge.with(["nan"]).set(f64::NAN);
        gauge.with(["inf"]).set(f64::INFINITY);
        gauge.with(["-inf"]).set(f64::NEG_INFINITY);
        summary.with(["empty"]);
    }
    registry
}

#[test]
fn promtool_reads_the_oddest_page() {
    let now = Instant::now();
    let page = odd_registry(now).render(now);
    // Names and help texts here are against the conventions, which is not our concern.
    let check = Prometheus::check_metrics(&page);
    assert!(matches!(check, MetricsCheck::Advice(_)), "{check:?}\n{page}");
}

#[test]
fn promtool_has_nothing_to_say_about_a_proper_page() {
    let (registry, now) = (Registry::new(), Instant::now());
    registry.counter("a_events_total", "Events.", ["code"]).unwrap().with(["startup"]).inc();
    registry.gauge("a_memory_bytes", "Memory.", []).unwrap();
    registry.histogram("a_check_seconds", "Checks.", [], Buckets::default()).unwrap();
    registry.summary("a_request_seconds", "Requests.", [], Quantiles::default()).unwrap();
    assert_eq!(Prometheus::check_metrics(&registry.render(now)), MetricsCheck::Good);
}

#[test]
fn promtool_tells_bad_form_from_bad_style() {
    let page = "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n";
    assert_eq!(Prometheus::check_metrics(page), MetricsCheck::Good);
    let style = Prometheus::check_metrics("# HELP a A.\n# TYPE a counter\na 1\n");
    assert!(matches!(&style, MetricsCheck::Advice(lines) if lines[0].contains("_total")));
    for broken in ["a one\n", "a{b=\"c} 1\n", "# TYPE a nothing\na 1\n", "a{b=\"\n\"} 1\n"] {
        let check = Prometheus::check_metrics(broken);
        assert!(matches!(check, MetricsCheck::Malformed(_)), "{broken:?}: {check:?}");
    }
}

#[test]
fn prometheus_scrapes_the_page_and_answers_queries() {
    let now = Instant::now();
    let registry = odd_registry(now);
    let gauge = registry.gauge("depth", "Depth.", ["queue"]).unwrap().with(["a \"b\"\\\n"]);
    gauge.set(1234567.5);
    registry
        .define(vec![Definition {
            name: "latency_seconds".into(),
            help: String::new(),
            kind: Kind::Histogram(Buckets::default()),
        }])
        .unwrap();
    for _ in 0..8 {
        registry.record("latency_seconds", 0.3, now).unwrap();
    }
    let stub = HttpStub::start();
    stub.set_body(&registry.render(now));
    let prometheus = Prometheus::start(&[stub.address()]);

    prometheus.wait_for("up", 1.0, SOON);
    prometheus.wait_for("depth", 1234567.5, SOON);
    let (labels, _) = prometheus.query("depth").remove(0);
    assert_eq!(labels["queue"], "a \"b\"\\\n");
    assert_eq!((labels["job"].as_str(), labels["instance"].as_str()), ("test", &*stub.address()));
    prometheus.wait_for("histogram_quantile(0.5, latency_seconds_bucket)", 0.375, SOON);
    prometheus.wait_for("latency_seconds_count", 8.0, SOON);
    assert_eq!(prometheus.query("nothing"), []);
    // Not one sample of the odd page was lost: 8 texts with 8 label values, and what else there is.
    prometheus.wait_for("count({__name__=~\"c_.*\"})", 64.0, SOON);
    prometheus.wait_for("count({__name__=~\":g_.*\"})", 88.0, SOON);
    prometheus.wait_for("count({__name__=~\"h_.*_bucket\"})", 192.0, SOON);
    prometheus.wait_for("count({__name__=~\"s_.\", quantile=\"0.9\"})", 72.0, SOON);

    gauge.set(-2.0);
    stub.set_body(&registry.render(now));
    prometheus.wait_for("depth", -2.0, SOON);
    stub.set_body("this is no page of metrics\n");
    prometheus.wait_for("up", 0.0, SOON);
    let targets = prometheus.targets();
    assert_eq!(targets[0]["health"], "down", "{targets}");
}
