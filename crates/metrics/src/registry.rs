//! All metrics by name.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::definition::{check_labels, check_name};
use crate::family::{Collect, Series};
use crate::text::Text;
use crate::{
    Buckets, Counter, Definition, DefinitionError, Family, Gauge, Histogram, Kind, Quantiles,
    RecordError, Summary, lock,
};

/// All metrics by name. Clones are the same registry.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<Table>>);

/// Sorted by name. A map of its own type would cost more code than all kinds of metrics.
#[derive(Default)]
struct Table(Vec<Entry>);

struct Entry {
    name: String,
    owner: Owner,
    help: String,
    kind: Kind,
    series: Arc<dyn Collect>,
}

#[derive(Clone, Copy, PartialEq)]
enum Owner {
    Program,
    Configuration,
}

impl Registry {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a family of counters with these label names.
    ///
    /// # Errors
    /// If a name is invalid or taken.
    pub fn counter<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<Family<Counter, N>, DefinitionError> {
        let series = Arc::new(Series::new(&labels, ()));
        self.register(name, help, &labels, Kind::Counter, series.clone())?;
        Ok(Family::new(series))
    }

    /// Registers a family of gauges with these label names.
    ///
    /// # Errors
    /// If a name is invalid or taken.
    pub fn gauge<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<Family<Gauge, N>, DefinitionError> {
        let series = Arc::new(Series::new(&labels, ()));
        self.register(name, help, &labels, Kind::Gauge, series.clone())?;
        Ok(Family::new(series))
    }

    /// Registers a family of histograms with these label names.
    ///
    /// # Errors
    /// If a name is invalid or taken, or a label is named `le`.
    pub fn histogram<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        buckets: Buckets,
    ) -> Result<Family<Histogram, N>, DefinitionError> {
        let series = Arc::new(Series::new(&labels, buckets.clone()));
        self.register(name, help, &labels, Kind::Histogram(buckets), series.clone())?;
        Ok(Family::new(series))
    }

    /// Registers a family of summaries with these label names.
    ///
    /// # Errors
    /// If a name is invalid or taken, or a label is named `quantile`.
    pub fn summary<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        quantiles: Quantiles,
    ) -> Result<Family<Summary, N>, DefinitionError> {
        let series = Arc::new(Series::new(&labels, quantiles.clone()));
        self.register(name, help, &labels, Kind::Summary(quantiles), series.clone())?;
        Ok(Family::new(series))
    }

    fn register(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        kind: Kind,
        series: Arc<dyn Collect>,
    ) -> Result<(), DefinitionError> {
        check_labels(name, &kind, labels)?;
        let mut table = lock(&self.0);
        Names::of(table.0.iter()).claim(name, &kind)?;
        let (name, help) = (name.to_owned(), help.to_owned());
        table.put(Entry { name, owner: Owner::Program, help, kind, series });
        Ok(())
    }

    /// Makes the metrics of the configuration equal to this list. A definition that is the same as
    /// before keeps its values; a metric that is not in the list any more is removed. The
    /// program's own are not touched.
    ///
    /// # Errors
    /// Everything that is wrong, and then nothing is changed: invalid names, names that are there
    /// twice or taken by the program's own metrics.
    pub fn define(&self, definitions: Vec<Definition>) -> Result<(), Vec<DefinitionError>> {
        let mut table = lock(&self.0);
        let own = table.0.iter().filter(|entry| entry.owner == Owner::Program);
        let mut names = Names::of(own);
        let claims = definitions.iter().map(|new| names.claim(&new.name, &new.kind));
        let errors: Vec<_> = claims.filter_map(Result::err).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut old = std::mem::take(&mut *table);
        for Definition { name, help, kind } in definitions {
            let same = |entry: &Entry| entry.kind == kind && entry.help == help;
            let series = match old.get(&name) {
                Some(entry) if same(entry) => entry.series.clone(),
                _ => unlabelled(&kind),
            };
            table.put(Entry { name, owner: Owner::Configuration, help, kind, series });
        }
        old.0.retain(|entry| entry.owner == Owner::Program);
        old.0.into_iter().for_each(|entry| table.put(entry));
        Ok(())
    }

    /// Takes a sample for a metric of the configuration: a counter adds it, a gauge is set to it,
    /// a histogram and a summary observe it.
    ///
    /// # Errors
    /// If there is no such metric, or it cannot take this value; then nothing has changed.
    pub fn record(&self, name: &str, value: f64, now: Instant) -> Result<(), RecordError> {
        self.record_all(&[(name, value)], now).map_err(|errors| {
            let only = errors.into_iter().next();
            only.unwrap_or_else(|| RecordError::Unknown(name.to_owned()))
        })
    }

    /// [`Registry::record`] of several samples: all of them or none.
    ///
    /// # Errors
    /// Everything that is wrong, and then nothing is changed.
    pub fn record_all(
        &self,
        samples: &[(&str, f64)],
        now: Instant,
    ) -> Result<(), Vec<RecordError>> {
        let table = lock(&self.0);
        let (mut checked, mut errors) = (Vec::with_capacity(samples.len()), Vec::new());
        for (name, value) in samples {
            let entry = table.get(name).filter(|entry| entry.owner == Owner::Configuration);
            let Some(entry) = entry else {
                errors.push(RecordError::Unknown((*name).to_owned()));
                continue;
            };
            match entry.kind.check(name, *value) {
                Ok(()) => checked.push((&entry.series, *value)),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        checked.into_iter().for_each(|(series, value)| series.record(value, now));
        Ok(())
    }

    /// The page for Prometheus, to be served as [`CONTENT_TYPE`](crate::CONTENT_TYPE): families by
    /// name, those without any series left out.
    #[must_use]
    pub fn render(&self, now: Instant) -> String {
        let mut text = Text::new();
        for entry in &lock(&self.0).0 {
            if !entry.series.is_empty() {
                text.family(&entry.name, &entry.help, entry.kind.word());
                entry.series.write(&mut text, &entry.name, now);
            }
        }
        text.into_string()
    }
}

impl Table {
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|entry| entry.name.as_str().cmp(name))
    }

    fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(self.find(name).ok()?)
    }

    /// Adds an entry whose name is not there.
    fn put(&mut self, entry: Entry) {
        if let Err(n) = self.find(&entry.name) {
            self.0.insert(n, entry);
        }
    }
}

fn unlabelled(kind: &Kind) -> Arc<dyn Collect> {
    match kind {
        Kind::Counter => Arc::new(Series::<Counter>::new(&[], ())),
        Kind::Gauge => Arc::new(Series::<Gauge>::new(&[], ())),
        Kind::Histogram(buckets) => Arc::new(Series::<Histogram>::new(&[], buckets.clone())),
        Kind::Summary(quantiles) => Arc::new(Series::<Summary>::new(&[], quantiles.clone())),
    }
}

/// Names of series, each with the metric that it belongs to.
struct Names(Vec<(String, String)>);

impl Names {
    fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut names = Names(Vec::new());
        entries.for_each(|entry| names.add(&entry.name, &entry.kind));
        names
    }

    /// Takes the names of a metric's series, if the name is valid and all of them are free.
    fn claim(&mut self, metric: &str, kind: &Kind) -> Result<(), DefinitionError> {
        check_name(metric)?;
        for suffix in kind.suffixes() {
            let series = format!("{metric}{suffix}");
            if let Some((_, by)) = self.0.iter().find(|(taken, _)| *taken == series) {
                let (metric, by) = (metric.to_owned(), by.clone());
                return Err(DefinitionError::Taken { metric, series, by });
            }
        }
        self.add(metric, kind);
        Ok(())
    }

    fn add(&mut self, metric: &str, kind: &Kind) {
        let series = |suffix: &&str| (format!("{metric}{suffix}"), metric.to_owned());
        self.0.extend(kind.suffixes().iter().map(series));
    }
}
