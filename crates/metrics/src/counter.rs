//! A number that only goes up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::family::{Metric, Sample};
use crate::text::{Labels, Text};

/// A number that only goes up. Clones count together.
#[derive(Clone, Debug)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Adds `amount`; one that is negative or not finite is ignored.
    pub fn add(&self, amount: f64) {
        if amount.is_finite() && amount >= 0.0 {
            add(&self.0, amount);
        }
    }

    /// What has been counted so far.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Metric for Counter {}

impl Sample for Counter {
    type Shape = ();

    fn new((): &()) -> Self {
        Counter(Arc::default())
    }

    fn record(&self, value: f64, _: Instant) {
        self.add(value);
    }

    fn write(&self, text: &mut Text, name: &str, labels: Labels<'_>, _: Instant) {
        text.sample((name, ""), labels, None, self.value());
    }
}

/// Adds to a float that is kept as its bits.
pub(crate) fn add(bits: &AtomicU64, amount: f64) {
    let sum = |old| Some((f64::from_bits(old) + amount).to_bits());
    // Some each time, so it cannot fail.
    let _ = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
}
