//! What the program measures, and the endpoint that shows it.
//!
//! There is a registry only if the configuration has `telemetry`; all of it outlives reloads. The
//! endpoint's task knows nothing: it asks the engine for each page, so that a page tells the truth
//! of one moment, and that the engine's loop goes round.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use config::{
    Config, Telemetry as Settings,
    telemetry::{Metric, MetricKind},
};
use http_server::{Limits, Method, Request, Response, Server};
use metrics::{Buckets, Counter, Definition, Family, Gauge, Histogram, Kind, Quantiles, Registry};
use tokio::sync::{mpsc, oneshot};

/// How many requests wait for the engine.
const ASKS: usize = 16;

/// Content type of the text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Seconds from a tenth of a millisecond to a second: starts of processes, delays of the loop.
const QUICK: [f64; 9] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0];

/// What can become of a template's text.
pub(crate) const RENDERINGS: [&str; 3] = ["written", "unchanged", "failed"];

/// A page of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// `/metrics`.
    Metrics,
    /// `/status`.
    Status,
}

/// Somebody wants a page.
#[derive(Debug)]
pub(crate) struct Ask {
    /// Which one.
    pub(crate) page: Page,
    /// Where it goes.
    pub(crate) reply: oneshot::Sender<String>,
}

/// The metrics endpoint at work.
pub(crate) struct Endpoint {
    address: SocketAddr,
    asks: mpsc::Receiver<Ask>,
    _server: Server,
}

impl Endpoint {
    /// Listens and serves. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(crate) fn start(address: SocketAddr) -> io::Result<Endpoint> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (sender, asks) = mpsc::channel(ASKS);
        let handler = http_server::handler(move |request| answer(request, sender.clone()));
        let server = Server::start(listener, Limits::default(), handler);
        Ok(Endpoint { address, asks, _server: server })
    }

    /// Where it listens, as the configuration has it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next request for a page. Cancel safe.
    pub(crate) async fn next(&mut self) -> Ask {
        match self.asks.recv().await {
            Some(ask) => ask,
            // The server has ended: there is no other reason, and nothing more to come.
            None => std::future::pending().await,
        }
    }
}

async fn answer(request: Request, asks: mpsc::Sender<Ask>) -> Response {
    let page = match request.path() {
        "/metrics" => Page::Metrics,
        "/status" => Page::Status,
        _ => return http_server::text(404, "text/plain", "want /metrics or /status\n"),
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return http_server::text(405, "text/plain", "want GET\n");
    }
    let (reply, page_text) = oneshot::channel();
    let asked = asks.send(Ask { page, reply }).await;
    match (asked, page_text.await) {
        (Ok(()), Ok(text)) if page == Page::Metrics => http_server::text(200, TEXT_FORMAT, text),
        (Ok(()), Ok(text)) => http_server::json(200, text),
        _ => http_server::text(503, "text/plain", "the program is stopping\n"),
    }
}

/// The metrics.
pub(crate) struct Metrics {
    registry: Registry,
    /// Events by event and source.
    pub(crate) events: Family<Counter, 2>,
    /// Requests to the control socket by status and path.
    pub(crate) control_requests: Family<Counter, 2>,
    /// Healthy instances (or keys) by watch.
    pub(crate) watch_instances: Family<Gauge, 1>,
    /// Seconds since the catalog has confirmed what a watch has seen.
    pub(crate) watch_lag: Family<Gauge, 1>,
    /// Whether we are elected, by election.
    pub(crate) election_leader: Family<Gauge, 1>,
    /// What has become of templates, by name and result.
    pub(crate) template_renders: Family<Counter, 2>,
    /// How often a job's process was started again.
    pub(crate) restarts: Family<Counter, 1>,
    /// Seconds that starting a process takes us.
    pub(crate) process_start: Histogram,
    /// Seconds that a job's check takes.
    pub(crate) check_duration: Family<Histogram, 1>,
    /// Seconds that a request to the catalog takes, by operation.
    pub(crate) catalog_duration: Family<Histogram, 1>,
    /// Requests to the catalog that failed, by operation and outcome.
    pub(crate) catalog_failures: Family<Counter, 2>,
    /// Lines logged for a job.
    pub(crate) log_lines: Family<Counter, 1>,
    /// Bytes logged for a job.
    pub(crate) log_bytes: Family<Counter, 1>,
    /// Seconds that the event loop was late.
    pub(crate) loop_delay: Histogram,
    /// Our own resident memory.
    pub(crate) memory: Gauge,
}

impl Metrics {
    /// All of the program's own.
    ///
    /// # Errors
    /// A name is not valid or there twice, which a test rules out.
    pub(crate) fn new() -> Result<Metrics, metrics::DefinitionError> {
        let registry = Registry::new();
        let quick = || Buckets::new(&QUICK);
        Ok(Metrics {
            events: registry.counter(
                "containerpilot_events",
                "Events by event (code) and source.",
                ["code", "source"],
            )?,
            control_requests: registry.counter(
                "containerpilot_control_http_requests",
                "Requests to the control socket by HTTP status (code) and path.",
                ["code", "path"],
            )?,
            watch_instances: registry.gauge(
                "containerpilot_watch_instances",
                "Healthy instances (or keys) that a watch has seen last, by its name.",
                ["service"],
            )?,
            watch_lag: registry.gauge(
                "containerpilot_watch_lag_seconds",
                "Time since the catalog has last confirmed what a watch has seen, by service.",
                ["service"],
            )?,
            election_leader: registry.gauge(
                "containerpilot_election_leader",
                "1 if this one is elected, else 0.",
                ["election"],
            )?,
            template_renders: registry.counter(
                "containerpilot_template_renders_total",
                "Texts that a template has come to, by its name and what became of them: written, \
                 unchanged (the file was so before) or failed.",
                ["name", "result"],
            )?,
            restarts: registry.counter(
                "containerpilot_job_restarts_total",
                "How often a job's process was started again after an exit.",
                ["job"],
            )?,
            process_start: registry
                .histogram(
                    "containerpilot_process_start_seconds",
                    "Time that it takes to start a process.",
                    [],
                    quick()?,
                )?
                .with([]),
            check_duration: registry.histogram(
                "containerpilot_check_duration_seconds",
                "Time that a job's health check takes.",
                ["job"],
                Buckets::default(),
            )?,
            catalog_duration: registry.histogram(
                "containerpilot_catalog_request_duration_seconds",
                "Time that a request to the catalog takes, by operation; waiting for changes aside.",
                ["operation"],
                Buckets::default(),
            )?,
            catalog_failures: registry.counter(
                "containerpilot_catalog_request_failures_total",
                "Requests to the catalog that failed, by operation and outcome.",
                ["operation", "outcome"],
            )?,
            log_lines: registry.counter(
                "containerpilot_log_lines_total",
                "Lines that were logged for a job.",
                ["job"],
            )?,
            log_bytes: registry.counter(
                "containerpilot_log_bytes_total",
                "Bytes that were logged for a job.",
                ["job"],
            )?,
            loop_delay: registry
                .histogram(
                    "containerpilot_loop_delay_seconds",
                    "How late the event loop came to what was due.",
                    [],
                    quick()?,
                )?
                .with([]),
            memory: registry
                .gauge(
                    "containerpilot_resident_memory_bytes",
                    "Resident memory of the program itself.",
                    [],
                )?
                .with([]),
            registry,
        })
    }

    /// The user's metrics are those of this configuration from now on. What has not changed keeps
    /// its values.
    pub(crate) fn define(&self, settings: Option<&Settings>) {
        let metrics = settings.map_or(&[][..], |settings| &settings.metrics);
        let definitions = metrics.iter().filter_map(definition).collect();
        // The configuration was checked for all of it.
        if let Err(errors) = self.registry.define(definitions) {
            for error in errors {
                log::error!("telemetry: {error}");
            }
        }
    }

    /// Forgets what was measured of jobs and watches that are no more.
    pub(crate) fn forget(&self, old: &Config, new: &Config) {
        let gone = old.jobs.iter().filter(|job| !new.jobs.iter().any(|new| new.name == job.name));
        for job in gone {
            for counters in [&self.restarts, &self.log_lines, &self.log_bytes] {
                counters.remove([&job.name]);
            }
            self.check_duration.remove([&job.name]);
            self.forget_events(&job.name);
        }
        let is_gone =
            |watch: &&config::Watch| !new.watches.iter().any(|new| new.name == watch.name);
        for watch in old.watches.iter().filter(is_gone) {
            self.watch_instances.remove([&watch.name]);
            self.watch_lag.remove([&watch.name]);
            self.forget_events(&format!("watch.{}", watch.name));
        }
        let is_gone = |election: &&config::Election| {
            !new.elections.iter().any(|new| new.name == election.name)
        };
        for election in old.elections.iter().filter(is_gone) {
            self.election_leader.remove([&election.name]);
            self.forget_events(&format!("election.{}", election.name));
        }
        let is_gone = |template: &&config::Template| {
            !new.templates.iter().any(|new| new.name == template.name)
        };
        for template in old.templates.iter().filter(is_gone) {
            for result in RENDERINGS {
                self.template_renders.remove([&template.name, result]);
            }
            self.forget_events(&format!("template.{}", template.name));
        }
    }

    fn forget_events(&self, source: &str) {
        for event in control::wire::EVENTS {
            self.events.remove([event, source]);
        }
    }

    /// Takes values for the user's metrics: all of them or none.
    ///
    /// # Errors
    /// What is wrong with any of them.
    pub(crate) fn record(&self, values: &[(String, f64)], now: Instant) -> Result<(), String> {
        let values: Vec<(&str, f64)> =
            values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        self.registry.record_all(&values, now).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            errors.join("; ")
        })
    }

    /// The page for Prometheus.
    pub(crate) fn render(&self, now: Instant) -> String {
        self.memory.set(resident_memory());
        self.registry.render(now)
    }
}

/// Brings a job's counter to a total that is counted elsewhere. One that is smaller than before
/// belongs to a job that was replaced: it begins anew, as Prometheus has it for such cases.
pub(crate) fn raise(family: &Family<Counter, 1>, job: &str, total: u64) {
    #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    let total = total as f64;
    if family.with([job]).value() > total {
        family.remove([job]);
    }
    let counter = family.with([job]);
    counter.add(total - counter.value());
}

fn definition(metric: &Metric) -> Option<Definition> {
    let kind = match &metric.kind {
        MetricKind::Counter => Kind::Counter,
        MetricKind::Gauge => Kind::Gauge,
        MetricKind::Histogram { buckets } if buckets.is_empty() => {
            Kind::Histogram(Buckets::default())
        }
        MetricKind::Histogram { buckets } => Kind::Histogram(checked(Buckets::new(buckets))?),
        MetricKind::Summary { quantiles, max_age } => {
            Kind::Summary(checked(Quantiles::new(quantiles, *max_age))?)
        }
    };
    Some(Definition { name: metric.name.clone(), help: metric.help.clone(), kind })
}

fn checked<T>(outcome: Result<T, metrics::DefinitionError>) -> Option<T> {
    outcome.inspect_err(|error| log::error!("telemetry: {error}")).ok()
}

/// In bytes; NaN if the kernel does not say.
fn resident_memory() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|statm| {
        let resident: f64 = statm.split(' ').nth(1)?.parse().ok()?;
        Some(resident)
    });
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    #[allow(clippy::cast_precision_loss, reason = "a page has a few kilobytes")]
    pages.zip(page).map_or(f64::NAN, |(pages, page)| pages * page as f64)
}

/// Seconds, as Prometheus wants them.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_metrics_have_valid_names_and_the_configuration_reserves_them() {
        let metrics = Metrics::new().unwrap();
        let page = metrics.render(Instant::now());
        assert!(resident_memory() > 1e5, "{page}");
        for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let name = line.split(' ').next().unwrap();
            assert!(config::telemetry::OWN_METRICS.contains(&name), "{name} is not reserved");
        }
        assert!(page.contains("\ncontainerpilot_resident_memory_bytes "), "{page}");
    }
}
