//! What a registry shows, keeps and refuses.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::time::{Duration, Instant};

use metrics::{Buckets, Definition, DefinitionError, Kind, Quantiles, RecordError, Registry};

fn define(name: &str, help: &str, kind: Kind) -> Definition {
    Definition { name: name.into(), help: help.into(), kind }
}

fn histogram() -> Kind {
    Kind::Histogram(Buckets::new(&[1.0, 2.5]).unwrap())
}

fn summary() -> Kind {
    Kind::Summary(Quantiles::default())
}

#[test]
fn the_page() {
    let (registry, now) = (Registry::new(), Instant::now());
    let events = registry.counter("b_events_total", "Events \"heard\".", ["code", "source"]);
    let events = events.unwrap();
    events.with(["stopped", "app"]).inc();
    let odd = events.with(["startup", "a\\b\"c\nd é"]);
    odd.inc();
    odd.add(0.5);
    registry.counter("z_zero_total", "Back\\slash\nand line", []).unwrap().with([]);
    // No series yet: nothing to say.
    let latency =
        registry.histogram("a_seconds", "", ["job"], Buckets::new(&[1.0, 2.5]).unwrap()).unwrap();
    let page = registry.render(now);
    assert!(!page.contains("a_seconds"), "{page}");
    for value in [0.5, 1.0, 2.0, 2.5, 1e7] {
        latency.with(["x"]).observe(value);
    }
    let window = registry.summary("s", "Sizes", [], Quantiles::default()).unwrap().with([]);
    let gauge = registry.gauge("g", "Gauge", []).unwrap().with([]);
    gauge.set(2e6);
    gauge.add(-4e6);
    assert!(registry.render(now).contains("s{quantile=\"0.99\"} NaN\ns_sum 0\ns_count 0\n"));
    for value in 1..=100 {
        window.observe(f64::from(value), now);
    }
    let expected = r#"# TYPE a_seconds histogram
a_seconds_bucket{job="x",le="1"} 2
a_seconds_bucket{job="x",le="2.5"} 4
a_seconds_bucket{job="x",le="+Inf"} 5
a_seconds_sum{job="x"} 1.0000006e+07
a_seconds_count{job="x"} 5
# HELP b_events_total Events "heard".
# TYPE b_events_total counter
b_events_total{code="startup",source="a\\b\"c\nd é"} 1.5
b_events_total{code="stopped",source="app"} 1
# HELP g Gauge
# TYPE g gauge
g -2e+06
# HELP s Sizes
# TYPE s summary
s{quantile="0.5"} QUANTILE
s{quantile="0.9"} QUANTILE
s{quantile="0.99"} QUANTILE
s_sum 5050
s_count 100
# HELP z_zero_total Back\\slash\nand line
# TYPE z_zero_total counter
z_zero_total 0
"#;
    let page = registry.render(now);
    for (line, rank) in page.lines().filter(|line| line.starts_with("s{")).zip([50.0, 90.0, 99.0]) {
        let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((value / rank - 1.0_f64).abs() <= 0.01, "{line}");
    }
    let masked: String = page
        .lines()
        .map(|line| match line.strip_prefix("s{") {
            Some(_) => format!("{} QUANTILE\n", line.split(' ').next().unwrap()),
            None => format!("{line}\n"),
        })
        .collect();
    assert_eq!(masked, expected);
}

#[test]
fn series_come_and_go() {
    let (registry, now) = (Registry::new(), Instant::now());
    let family = registry.gauge("g", "", ["job"]).unwrap();
    let gone = family.with(["a"]);
    gone.set(3.0);
    family.with(["b"]).set(4.0);
    assert_eq!(family.with(["a"]).value(), 3.0);
    family.remove(["a"]);
    family.remove(["never there"]);
    gone.set(5.0);
    assert_eq!(registry.render(now), "# TYPE g gauge\ng{job=\"b\"} 4\n");
    assert_eq!(family.with(["a"]).value(), 0.0);
}

#[test]
fn label_values_are_bounded() {
    let registry = Registry::new();
    let family = registry.counter("c", "", ["a", "b"]).unwrap();
    for n in 0..3_000 {
        family.with(["x", &n.to_string()]).inc();
    }
    assert_eq!(registry.render(Instant::now()).lines().count(), 1 + 1_000 + 1);
    assert_eq!(family.with(["x", "7"]).value(), 1.0);
    assert_eq!(family.with(["_overflow", "_overflow"]).value(), 2_000.0);
    family.remove(["x", "7"]);
    family.remove(["x", "8"]);
    assert_eq!(family.with(["x", "new"]).value(), 0.0);
}

#[test]
fn names_must_be_valid_and_free() {
    let registry = Registry::new();
    let taken = |metric: &str, series: &str, by: &str| DefinitionError::Taken {
        metric: metric.into(),
        series: series.into(),
        by: by.into(),
    };
    registry.histogram("a", "", [], Buckets::default()).unwrap();
    registry.counter("b_count", "", []).unwrap();
    assert_eq!(registry.gauge("a", "", []).unwrap_err(), taken("a", "a", "a"));
    assert_eq!(registry.gauge("a_bucket", "", []).unwrap_err(), taken("a_bucket", "a_bucket", "a"));
    let summary = registry.summary("b", "", [], Quantiles::default());
    assert_eq!(summary.unwrap_err(), taken("b", "b_count", "b_count"));
    assert_eq!(registry.gauge("ä", "", []).unwrap_err(), DefinitionError::Name("ä".into()));
    assert!(matches!(
        registry.gauge("c", "", ["x", "x"]).unwrap_err(),
        DefinitionError::Label { label, .. } if label == "x"
    ));
    // What was refused has left nothing behind.
    registry.summary("c", "", [], Quantiles::default()).unwrap();
}

#[test]
fn a_reload_keeps_what_is_the_same() {
    let (registry, now) = (Registry::new(), Instant::now());
    let own = registry.counter("own_total", "", []).unwrap().with([]);
    own.inc();
    registry
        .define(vec![
            define("same", "h", summary()),
            define("gone", "h", Kind::Counter),
            define("other_help", "h", Kind::Counter),
            define("other_kind", "h", Kind::Counter),
            define("other_buckets", "h", histogram()),
        ])
        .unwrap();
    for name in ["same", "gone", "other_help", "other_kind", "other_buckets"] {
        registry.record(name, 2.0, now).unwrap();
    }
    registry
        .define(vec![
            define("other_buckets", "h", Kind::Histogram(Buckets::default())),
            define("other_kind", "h", Kind::Gauge),
            define("other_help", "H", Kind::Counter),
            define("same", "h", summary()),
            define("new", "h", Kind::Gauge),
        ])
        .unwrap();
    let page = registry.render(now);
    for part in [
        "same{quantile=\"0.5\"} 2\n",
        "same_count 1\n",
        "# HELP other_help H\n# TYPE other_help counter\nother_help 0\n",
        "other_kind 0\n",
        "other_buckets_bucket{le=\"0.005\"} 0\n",
        "other_buckets_count 0\n",
        "new 0\n",
        "own_total 1\n",
    ] {
        assert!(page.contains(part), "{part:?} in\n{page}");
    }
    assert!(!page.contains("gone"), "{page}");
    assert_eq!(registry.record("gone", 1.0, now), Err(RecordError::Unknown("gone".into())));
    registry.define(Vec::new()).unwrap();
    assert_eq!(registry.render(now), "# TYPE own_total counter\nown_total 1\n");
}

#[test]
fn a_bad_reload_says_all_and_changes_nothing() {
    let (registry, now) = (Registry::new(), Instant::now());
    registry.counter("own_total", "", []).unwrap();
    registry.define(vec![define("mine", "", Kind::Gauge)]).unwrap();
    registry.record("mine", 7.0, now).unwrap();
    let before = registry.render(now);
    let errors = registry
        .define(vec![
            define("fine", "", Kind::Gauge),
            define("no name", "", Kind::Gauge),
            define("own_total", "", Kind::Counter),
            define("x_sum", "", Kind::Counter),
            define("x", "", histogram()),
            define("fine", "", Kind::Gauge),
        ])
        .unwrap_err();
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "\"no name\" is not a metric's name: letters, digits, _ and :, no digit first",
            "metric own_total: the name own_total is taken by metric own_total",
            "metric x: the name x_sum is taken by metric x_sum",
            "metric fine: the name fine is taken by metric fine",
        ]
    );
    assert_eq!(registry.render(now), before);
    // A name that goes is free for another at once.
    registry.define(vec![define("mine_sum", "", Kind::Gauge)]).unwrap();
    registry.define(vec![define("mine", "", histogram())]).unwrap();
}

#[test]
fn samples_from_outside_are_checked() {
    let (registry, now) = (Registry::new(), Instant::now());
    registry.gauge("own", "", []).unwrap();
    registry
        .define(vec![
            define("c", "", Kind::Counter),
            define("g", "", Kind::Gauge),
            define("h", "", histogram()),
            define("s", "", summary()),
        ])
        .unwrap();
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for (name, value) in [("c", nan), ("c", inf), ("h", nan), ("h", -inf), ("s", nan), ("s", inf)] {
        let error = registry.record(name, value, now).unwrap_err();
        assert!(matches!(error, RecordError::NotFinite { .. }), "{name} {value}: {error}");
    }
    let negative = RecordError::Negative { name: "c".into(), value: -1.0 };
    assert_eq!(registry.record("c", -1.0, now), Err(negative.clone()));
    let unknown = |name: &str| RecordError::Unknown(name.into());
    assert_eq!(
        registry.record_all(&[("c", 1.0), ("own", 1.0), ("c", -1.0), ("no", 2.0)], now),
        Err(vec![unknown("own"), negative, unknown("no")])
    );
    let untouched = registry.render(now);
    assert!(untouched.contains("\nc 0\n") && untouched.contains("h_count 0\n"), "{untouched}");

    let samples = [("c", 1.0), ("c", 1.5), ("g", 8.0), ("g", -inf), ("h", -2.0), ("s", -2.0)];
    registry.record_all(&samples, now + Duration::from_secs(1)).unwrap();
    let page = registry.render(now + Duration::from_secs(2));
    for part in ["\nc 2.5\n", "\ng -Inf\n", "h_bucket{le=\"1\"} 1\n", "s{quantile=\"0.9\"} -2\n"] {
        assert!(page.contains(part), "{part:?} in\n{page}");
    }
}

#[test]
fn handles_ignore_what_would_spoil_a_sum() {
    let (registry, now) = (Registry::new(), Instant::now());
    let counter = registry.counter("c", "", []).unwrap().with([]);
    let histogram = registry.histogram("h", "", [], Buckets::default()).unwrap().with([]);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        counter.add(value);
        histogram.observe(value);
    }
    counter.add(-1.0);
    counter.add(2.0);
    assert_eq!(counter.value(), 2.0);
    let page = registry.render(now);
    assert!(page.contains("h_sum 0\nh_count 0\n"), "{page}");
}

#[test]
fn it_can_be_shared_with_another_thread() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let registry = Registry::new();
    shared(&registry);
    shared(&registry.summary("s", "", ["a"], Quantiles::default()).unwrap().with(["b"]));
}
