//! The metrics endpoint and what it serves.

use std::net::SocketAddr;

use crate::{job::JobId, job::Service};

/// The metrics endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// Where it listens: the chosen interface only.
    pub listen: SocketAddr,
    /// How it is advertised, if there is a catalog: service `containerpilot`, TTL 15 s, heartbeat
    /// every 5 s.
    pub service: Service,
    /// What it serves besides the program's own metrics.
    pub metrics: Vec<Metric>,
}

/// One metric of the user's.
#[derive(Clone, Debug, PartialEq)]
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

/// Kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Values are added.
    Counter,
    /// Values replace each other.
    Gauge,
    /// Values are counted in buckets.
    Histogram,
    /// Values are kept for quantiles.
    Summary,
}
