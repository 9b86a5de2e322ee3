//! Samples counted in buckets.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::family::{Metric, Sample};
use crate::text::{Labels, Text};
use crate::{Buckets, lock};

/// Samples counted in buckets, and their sum. Clones count together.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    buckets: Buckets,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// One for each bucket, not cumulative, and one for what is above the last.
    counts: Box<[u64]>,
    sum: f64,
}

impl Histogram {
    /// Counts a sample; one that is not finite is ignored.
    pub fn observe(&self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let bucket = self.0.buckets.0.partition_point(|bound| *bound < value);
        let mut state = lock(&self.0.state);
        state.sum += value;
        if let Some(count) = state.counts.get_mut(bucket) {
            *count += 1;
        }
    }
}

impl Metric for Histogram {}

impl Sample for Histogram {
    type Shape = Buckets;

    fn new(buckets: &Buckets) -> Self {
        let counts = vec![0; buckets.0.len() + 1].into();
        Histogram(Arc::new(Inner {
            buckets: buckets.clone(),
            state: Mutex::new(State { counts, sum: 0.0 }),
        }))
    }

    fn record(&self, value: f64, _: Instant) {
        self.observe(value);
    }

    fn write(&self, text: &mut Text, name: &str, labels: Labels<'_>, _: Instant) {
        let state = lock(&self.0.state);
        let mut total = 0;
        let bounds = self.0.buckets.0.iter().copied().chain([f64::INFINITY]);
        for (bound, count) in bounds.zip(&state.counts) {
            total += count;
            text.count((name, "_bucket"), labels, Some(("le", bound)), total);
        }
        text.sample((name, "_sum"), labels, None, state.sum);
        text.count((name, "_count"), labels, None, total);
    }
}
