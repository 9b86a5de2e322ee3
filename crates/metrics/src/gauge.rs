//! A number that goes up and down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::counter;
use crate::family::{Metric, Sample};
use crate::text::{Labels, Text};

/// A number that goes up and down. Clones are one number.
#[derive(Clone, Debug)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Replaces it, by any number whatsoever.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Changes it by `amount`.
    pub fn add(&self, amount: f64) {
        counter::add(&self.0, amount);
    }

    /// What it is now.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Metric for Gauge {}

impl Sample for Gauge {
    type Shape = ();

    fn new((): &()) -> Self {
        Gauge(Arc::default())
    }

    fn record(&self, value: f64, _: Instant) {
        self.set(value);
    }

    fn write(&self, text: &mut Text, name: &str, labels: Labels<'_>, _: Instant) {
        text.sample((name, ""), labels, None, self.value());
    }
}
