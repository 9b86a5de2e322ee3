//! `telemetry`: what both generations have in common.

use std::{net::SocketAddr, time::Duration};

use super::{
    Object,
    service::{address, service, tags},
};
use crate::{
    Generation, Host,
    telemetry::{Metric, MetricKind, Telemetry},
};

const PORT: u16 = 9090;
const SERVICE: &str = "containerpilot";
const TTL: Duration = Duration::from_secs(15);

/// What the program itself measures.
const OWN_METRICS: [&str; 3] = [
    "containerpilot_events",
    "containerpilot_control_http_requests",
    "containerpilot_watch_instances",
];

const KINDS: [(&str, MetricKind); 4] = [
    ("counter", MetricKind::Counter),
    ("gauge", MetricKind::Gauge),
    ("histogram", MetricKind::Histogram),
    ("summary", MetricKind::Summary),
];

/// `port`, `interfaces` and `tags`; no metrics yet.
pub(crate) fn endpoint(object: &mut Object<'_>, host: &Host, generation: Generation) -> Telemetry {
    let port = object.take("port").and_then(|field| field.port(1)).unwrap_or(PORT);
    let address = address(object, host);
    let mut service = service(SERVICE, host, generation);
    service.address = address;
    service.port = port;
    service.ttl = TTL;
    service.tags = tags(object);
    Telemetry { listen: SocketAddr::new(address, port), service, metrics: Vec::new() }
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
    } else if OWN_METRICS.contains(&name.as_str()) {
        object.problem(&format!("{name:?} is a metric of the program's own"), "want another name");
    }
    let help = object.take("help").and_then(|field| field.string()).unwrap_or_default();
    let kind = object.require("type", "want counter, gauge, histogram or summary");
    let kind = kind.and_then(|field| field.choice(&KINDS)).unwrap_or(MetricKind::Gauge);
    Metric { name, help, kind, sensor: None }
}

/// `^[a-zA-Z_:][a-zA-Z0-9_:]*$`
fn is_metric_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !name.starts_with(|char: char| char.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(allowed)
}
