//! The metrics endpoint and what it serves.

use std::{net::SocketAddr, time::Duration};

use crate::{job::JobId, secrets::masked_debug};

/// What the program itself measures. Users have metrics that begin with `containerpilot_` too, so
/// that these names are taken one by one.
pub const OWN_METRICS: [&str; 15] = [
    "containerpilot_events",
    "containerpilot_control_http_requests",
    "containerpilot_watch_instances",
    "containerpilot_watch_lag_seconds",
    "containerpilot_election_leader",
    "containerpilot_template_renders_total",
    "containerpilot_job_restarts_total",
    "containerpilot_process_start_seconds",
    "containerpilot_check_duration_seconds",
    "containerpilot_catalog_request_duration_seconds",
    "containerpilot_catalog_request_failures_total",
    "containerpilot_log_lines_total",
    "containerpilot_log_bytes_total",
    "containerpilot_loop_delay_seconds",
    "containerpilot_resident_memory_bytes",
];

/// The metrics endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// Where it listens: the chosen interface only.
    pub listen: SocketAddr,
    /// The job that advertises it: service `containerpilot`, TTL 15 s, heartbeat every 5 s.
    pub job: JobId,
    /// What it serves besides the program's own metrics.
    pub metrics: Vec<Metric>,
}

/// One metric of the user's.
#[derive(Clone, PartialEq)]
pub struct Metric {
    /// namespace, subsystem and name joined by `_`, without empty parts.
    pub name: String,
    /// Help text.
    pub help: String,
    /// Kind.
    pub kind: MetricKind,
    /// 2.x sensor: the timed job whose output is the value.
    pub sensor: Option<JobId>,
}

masked_debug!(Metric { text name, text help, part kind, part sensor });

/// Kinds of metrics.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricKind {
    /// Values are added.
    Counter,
    /// Values replace each other.
    Gauge,
    /// Values are counted in buckets.
    Histogram {
        /// Upper bounds, ascending, finite; empty: the usual ones (5 ms to 10 s).
        buckets: Vec<f64>,
    },
    /// Values are kept for quantiles.
    Summary {
        /// Which ones, each between 0 and 1, ascending.
        quantiles: Vec<f64>,
        /// How long a value counts for them.
        max_age: Duration,
    },
}
