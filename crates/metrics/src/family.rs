//! The series of one name, one for each set of label values.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::lock;
use crate::text::{Labels, Text};

/// Series in one family; label values may come from outside.
const LIMIT: usize = 1_000;

/// Every label value of the series that counts what is beyond the limit.
const OVERFLOW: &str = "_overflow";

/// [`Counter`](crate::Counter), [`Gauge`](crate::Gauge), [`Histogram`](crate::Histogram) or
/// [`Summary`](crate::Summary); there are no others.
#[allow(private_bounds, reason = "so that there are no others")]
pub trait Metric: Sample {}

/// What a family needs of its series.
pub(crate) trait Sample: Clone + Debug + Send + Sync + 'static {
    /// What all series of a family have in common.
    type Shape: Debug + Send + Sync;

    /// A series without samples.
    fn new(shape: &Self::Shape) -> Self;

    /// Takes a sample that [`Kind::check`](crate::Kind::check) has let pass.
    fn record(&self, value: f64, now: Instant);

    /// Writes the lines of the series.
    fn write(&self, text: &mut Text, name: &str, labels: Labels<'_>, now: Instant);
}

/// The metrics of one name, one for each set of `N` label values. Clones are the same family.
#[derive(Clone, Debug)]
pub struct Family<M: Metric, const N: usize>(Arc<Series<M>>);

impl<M: Metric, const N: usize> Family<M, N> {
    pub(crate) fn new(series: Arc<Series<M>>) -> Self {
        Family(series)
    }

    /// The metric with these label values, in the order of the label names. It is made if it is
    /// not there, and shown from then on. Keep what this returns: it costs a search, the metric
    /// does not.
    ///
    /// A family holds 1,000 metrics. Beyond that this returns the one whose label values are all
    /// `_overflow`.
    pub fn with(&self, values: [&str; N]) -> M {
        self.0.with(&values)
    }

    /// Removes the metric with these label values. Whoever still holds it counts for nobody.
    pub fn remove(&self, values: [&str; N]) {
        self.0.remove(&values);
    }
}

/// One family's series, sorted by their label values.
#[derive(Debug)]
pub(crate) struct Series<M: Sample> {
    labels: Box<[Box<str>]>,
    shape: M::Shape,
    rows: Mutex<Vec<Row<M>>>,
}

#[derive(Debug)]
struct Row<M> {
    values: Box<[Box<str>]>,
    metric: M,
}

impl<M: Sample> Series<M> {
    /// No series; without labels the only one there can be, so that its zero is shown.
    pub(crate) fn new(labels: &[&str], shape: M::Shape) -> Self {
        let series = Series { labels: boxed(labels), shape, rows: Mutex::default() };
        if labels.is_empty() {
            series.with(&[]);
        }
        series
    }

    fn with(&self, values: &[&str]) -> M {
        let mut rows = lock(&self.rows);
        match find(&rows, values).map(|n| rows.get(n)) {
            Ok(Some(row)) => row.metric.clone(),
            // find never says a place where there is no row.
            Ok(None) => M::new(&self.shape),
            Err(_) if rows.len() >= LIMIT && values.iter().any(|value| *value != OVERFLOW) => {
                drop(rows);
                self.with(&vec![OVERFLOW; values.len()])
            }
            Err(n) => {
                let metric = M::new(&self.shape);
                rows.insert(n, Row { values: boxed(values), metric: metric.clone() });
                metric
            }
        }
    }

    fn remove(&self, values: &[&str]) {
        let mut rows = lock(&self.rows);
        if let Ok(n) = find(&rows, values) {
            rows.remove(n);
        }
    }
}

/// Where the row with these values is, or belongs.
fn find<M>(rows: &[Row<M>], values: &[&str]) -> Result<usize, usize> {
    rows.binary_search_by(|row| row.values.iter().map(|value| &**value).cmp(values.iter().copied()))
}

fn boxed(texts: &[&str]) -> Box<[Box<str>]> {
    texts.iter().map(|text| (*text).into()).collect()
}

/// A family of any kind, as the registry keeps it.
pub(crate) trait Collect: Send + Sync {
    /// Whether there is anything to show.
    fn is_empty(&self) -> bool;

    /// Takes a sample for the series without labels.
    fn record(&self, value: f64, now: Instant);

    /// Writes the lines of all series.
    fn write(&self, text: &mut Text, name: &str, now: Instant);
}

impl<M: Sample> Collect for Series<M> {
    fn is_empty(&self) -> bool {
        lock(&self.rows).is_empty()
    }

    fn record(&self, value: f64, now: Instant) {
        self.with(&[]).record(value, now);
    }

    fn write(&self, text: &mut Text, name: &str, now: Instant) {
        for row in lock(&self.rows).iter() {
            let labels = Labels { names: &self.labels, values: &row.values };
            row.metric.write(text, name, labels, now);
        }
    }
}
