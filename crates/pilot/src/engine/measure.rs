//! What is measured of the engine's own doings.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::{Operation, Outcome};
use config::{
    Config,
    election::ElectionId,
    job::{JobId, Trigger},
    watch::WatchId,
};
use metrics::{Counter, Family, Histogram};

use super::{Engine, sensors::Reading};
use crate::{
    event,
    telemetry::{Metrics, raise, seconds},
};

/// Measures requests to the catalog.
struct Requests {
    duration: Family<Histogram, 1>,
    failures: Family<Counter, 2>,
}

impl catalog::Observer for Requests {
    fn request(&self, operation: Operation, took: Duration, outcome: Outcome) {
        // How long a query for changes waits says nothing about the catalog.
        if operation != Operation::Wait {
            self.duration.with([operation.as_str()]).observe(seconds(took));
        }
        if outcome != Outcome::Ok {
            self.failures.with([operation.as_str(), outcome.as_str()]).inc();
        }
    }
}

impl Engine {
    /// Begins to measure if this configuration wants it, and defines the user's metrics.
    pub(super) fn measure(&mut self, config: &Config) {
        if self.metrics.is_none() && config.telemetry.is_some() {
            // Its names are checked by a test.
            self.metrics = Metrics::new().inspect_err(|error| log::error!("{error}")).ok();
        }
        let Some(metrics) = &self.metrics else { return };
        metrics.define(config.telemetry.as_ref());
        let duration = metrics.catalog_duration.clone();
        let requests = Requests { duration, failures: metrics.catalog_failures.clone() };
        self.discovery.observe(&(Arc::new(requests) as Arc<dyn catalog::Observer>));
        if let Ok(mut counted) = self.counted.lock() {
            *counted = Some(metrics.control_requests.clone());
        }
    }

    /// An event was published.
    pub(super) fn count_event(&self, trigger: Trigger) {
        if let Some(metrics) = &self.metrics {
            let (source, code) = event::words(trigger, self.machine.config());
            metrics.events.with([code, &source]).inc();
        }
    }

    /// A watch has seen a change.
    pub(super) fn count_instances(&self, id: WatchId, instances: usize) {
        let watch = self.machine.config().watches.get(id.0);
        if let (Some(metrics), Some(watch)) = (&self.metrics, watch) {
            let instances = u32::try_from(instances).unwrap_or(u32::MAX);
            metrics.watch_instances.with([&watch.name]).set(instances.into());
        }
    }

    /// A process has been started, or could not be.
    pub(super) fn time_start(&self, begun: Instant) {
        if let Some(metrics) = &self.metrics {
            metrics.process_start.observe(seconds(begun.elapsed()));
        }
    }

    /// A check has ended.
    pub(super) fn time_check(&mut self, id: JobId) {
        let took = self.children.check_took(id);
        let job = self.machine.config().jobs.get(id.0);
        if let (Some(metrics), Some(job), Some(took)) = (&self.metrics, job, took) {
            metrics.check_duration.with([&job.name]).observe(seconds(took));
        }
    }

    /// We have come to what was due then.
    pub(super) fn time_loop(&self, due: Instant) {
        if let Some(metrics) = &self.metrics {
            metrics.loop_delay.observe(seconds(due.elapsed()));
        }
    }

    /// A sensor has said something.
    pub(super) fn read(&self, reading: Reading) {
        let Some(metrics) = &self.metrics else { return };
        let Reading { metric, value } = reading;
        let recorded =
            value.and_then(|value| metrics.record(&[(metric.clone(), value)], Instant::now()));
        if let Err(error) = recorded {
            log::warn!("the sensor of {metric} gave no sample: {error}");
        }
    }

    /// The page for Prometheus.
    pub(super) fn metrics_page(&self) -> String {
        let Some(metrics) = &self.metrics else { return String::new() };
        let now = Instant::now();
        let config = self.machine.config();
        for (index, job) in config.jobs.iter().enumerate() {
            if let Some(view) = self.machine.view(JobId(index)) {
                raise(&metrics.restarts, &job.name, view.restarts);
            }
        }
        for (job, traffic) in self.children.traffic() {
            raise(&metrics.log_lines, job, traffic.lines);
            raise(&metrics.log_bytes, job, traffic.bytes);
        }
        for (index, watch) in config.watches.iter().enumerate() {
            if let Some(age) = self.discovery.watches.age(WatchId(index), now) {
                metrics.watch_lag.with([&watch.name]).set(seconds(age));
            }
        }
        for (index, election) in config.elections.iter().enumerate() {
            let leads = self.machine.leads(ElectionId(index));
            metrics.election_leader.with([&election.name]).set(if leads { 1.0 } else { 0.0 });
        }
        metrics.render(now)
    }
}
