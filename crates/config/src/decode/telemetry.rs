//! `telemetry`: what both generations have in common.

use std::{net::SocketAddr, time::Duration};

use super::{
    Field, Object,
    service::{address, service, tags},
};
use crate::{
    Generation, Host,
    job::{
        Announce, Backoff, Health, Job, JobId, KillAfter, Probe, Restarts, Role, Service, Stop,
        StopAfter, StopSignal, StopTarget, Streams, Surroundings, Trigger, When,
    },
    json5::Value,
    telemetry::{Metric, MetricKind, OWN_METRICS, Telemetry},
};

const PORT: u16 = 9090;
const SERVICE: &str = "containerpilot";
const TTL: Duration = Duration::from_secs(15);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The window of a summary, and what it tells of.
const MAX_AGE: Duration = Duration::from_secs(600);
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// A shorter window than this holds no sample.
const SHORTEST_AGE: Duration = Duration::from_secs(1);

/// The words for a metric's `type`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

const KINDS: [(&str, Kind); 4] = [
    ("counter", Kind::Counter),
    ("gauge", Kind::Gauge),
    ("histogram", Kind::Histogram),
    ("summary", Kind::Summary),
];

/// The metrics endpoint as a file describes it, and the service that it is advertised as.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) listen: SocketAddr,
    pub(crate) service: Service,
    pub(crate) metrics: Vec<Metric>,
}

impl Endpoint {
    /// For the program: the endpoint, and the job that advertises it, whose place is `id`.
    pub(crate) fn translate(self, id: JobId, name: String, after: Trigger) -> (Telemetry, Job) {
        let Endpoint { listen, service, metrics } = self;
        (Telemetry { listen, job: id, metrics }, companion(name, service, after))
    }
}

/// A job without a process, that advertises a service which is healthy whenever we are.
fn companion(name: String, service: Service, after: Trigger) -> Job {
    Job {
        name,
        exec: None,
        surroundings: Surroundings::default(),
        when: When::once(after),
        restarts: Restarts::Never,
        backoff: Backoff::None,
        health: Some(Health::plain(Probe::Always, HEARTBEAT, None, Streams::Raw)),
        service: Some(service),
        stop: Stop {
            after: StopAfter::default(),
            hooks_timeout: None,
            kill_after: KillAfter::Deadline,
            signal: StopSignal::Term,
            target: StopTarget::Group,
            announce: Announce::Always,
            drain: None,
        },
        role: Role::Companion,
    }
}

/// `port`, `interfaces` and `tags`; no metrics yet.
pub(crate) fn endpoint(object: &mut Object<'_>, host: &Host, generation: Generation) -> Endpoint {
    let port = object.take("port").and_then(|field| field.port(1)).unwrap_or(PORT);
    let address = address(object, host);
    let mut service = service(SERVICE, host, generation);
    service.address = address;
    service.port = port;
    service.ttl = TTL;
    service.tags = tags(object);
    Endpoint { listen: SocketAddr::new(address, port), service, metrics: Vec::new() }
}

/// `namespace`, `subsystem`, `name`, `help` and `type` of a metric or a sensor that comes after
/// the `others`.
pub(crate) fn metric(object: &mut Object<'_>, others: &[Metric]) -> Metric {
    let mut part = |key| object.take(key).and_then(|field| field.text());
    let (namespace, subsystem) = (part("namespace"), part("subsystem"));
    let name = object.require("name", "want the metric's name").and_then(|field| field.name());
    let complete = name.is_some();
    let parts: Vec<String> = [namespace, subsystem, name].into_iter().flatten().collect();
    let name = parts.join("_");
    if complete && !is_metric_name(&name) {
        let fault = format!("{name:?} is not a metric's name");
        object.problem(&fault, "want letters, digits, _ and :, and no digit in front");
    } else if complete && others.iter().any(|other| other.name == name) {
        object.problem(&format!("the metric {name:?} is there already"), "want each one once");
    } else if is_own(&name) {
        object.problem(&format!("{name:?} is a metric of the program's own"), "want another name");
    }
    let help = object.take("help").and_then(|field| field.string()).unwrap_or_default();
    let metric = Metric { name, help, kind: kind(object), sensor: None };
    let taken = others.iter().filter(|other| other.name != metric.name).find_map(|other| {
        let shared = series(other).find(|one| series(&metric).any(|own| own == *one))?;
        Some((&other.name, shared))
    });
    if let Some((other, shared)) = taken.filter(|_| complete) {
        let fault = format!("{:?} has the series {shared:?}, as {other:?} has", metric.name);
        object.problem(&fault, "want another name");
    }
    metric
}

/// The names under which a metric's values are served.
fn series(metric: &Metric) -> impl Iterator<Item = String> {
    let suffixes: &[&str] = match metric.kind {
        MetricKind::Counter | MetricKind::Gauge => &[""],
        MetricKind::Histogram { .. } => &["", "_bucket", "_sum", "_count"],
        MetricKind::Summary { .. } => &["", "_sum", "_count"],
    };
    suffixes.iter().map(|suffix| format!("{}{suffix}", metric.name))
}

/// `type`, and what only some types have.
fn kind(object: &mut Object<'_>) -> MetricKind {
    let kind = object.require("type", "want counter, gauge, histogram or summary");
    let kind = kind.and_then(|field| field.choice(&KINDS));
    let mut only = |key, owner: Kind| {
        let field = object.take(key)?;
        if kind.is_some_and(|kind| kind != owner) {
            let word = KINDS.iter().find(|(_, kind)| *kind == owner).map_or("", |(word, _)| *word);
            let rule = format!("want it with \"type\": \"{word}\"");
            field.refuse(
                &format!("is nothing that this metric has: only a {word} has \"{key}\""),
                rule,
            );
            return None;
        }
        Some(field)
    };
    let buckets = only("buckets", Kind::Histogram).and_then(|field| buckets(&field));
    let quantiles = only("quantiles", Kind::Summary).and_then(|field| quantiles(&field));
    let max_age = only("maxAge", Kind::Summary).and_then(|field| field.duration(SHORTEST_AGE));
    match kind.unwrap_or(Kind::Gauge) {
        Kind::Counter => MetricKind::Counter,
        Kind::Gauge => MetricKind::Gauge,
        Kind::Histogram => MetricKind::Histogram { buckets: buckets.unwrap_or_default() },
        Kind::Summary => MetricKind::Summary {
            quantiles: quantiles.unwrap_or_else(|| QUANTILES.to_vec()),
            max_age: max_age.unwrap_or(MAX_AGE),
        },
    }
}

/// Upper bounds of a histogram's buckets.
fn buckets(field: &Field<'_>) -> Option<Vec<f64>> {
    let rule = "want its upper bounds, like [0.1, 0.5, 1, 5]";
    ascending(field, rule, |item, bound| {
        if !bound.is_finite() {
            item.refuse(
                "is not a bound",
                "want a finite number: the bucket up to +Inf is there anyway",
            );
        }
        bound.is_finite()
    })
}

fn quantiles(field: &Field<'_>) -> Option<Vec<f64>> {
    let rule = "want numbers between 0 and 1, like [0.5, 0.9, 0.99]";
    ascending(field, rule, |item, quantile| {
        let good = quantile > 0.0 && quantile < 1.0;
        if !good {
            item.refuse("is not a quantile", "want a number between 0 and 1");
        }
        good
    })
}

/// The numbers of a list that are `good`, if it has any and they ascend.
fn ascending(
    field: &Field<'_>,
    rule: &str,
    good: impl Fn(&Field<'_>, f64) -> bool,
) -> Option<Vec<f64>> {
    let Value::Array(_) = &field.node.value else {
        field.refuse("is not a list of numbers", rule);
        return None;
    };
    let items = field.items();
    if items.is_empty() {
        field.refuse("is empty", rule);
    }
    let mut numbers: Vec<f64> = Vec::new();
    for item in items {
        let Some(number) = item.number().filter(|number| good(&item, *number)) else { continue };
        if numbers.last().is_some_and(|last| *last >= number) {
            item.refuse("does not follow what stands before it", "want ascending numbers");
        }
        numbers.push(number);
    }
    Some(numbers)
}

/// `^[a-zA-Z_:][a-zA-Z0-9_:]*$`
fn is_metric_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !name.starts_with(|char: char| char.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(allowed)
}

/// Whether a series of that name is one of the program's.
fn is_own(name: &str) -> bool {
    let stems = ["_bucket", "_sum", "_count"].iter().filter_map(|suffix| name.strip_suffix(suffix));
    [name].into_iter().chain(stems).any(|name| OWN_METRICS.contains(&name))
}
