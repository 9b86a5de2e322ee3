//! The figures, one module each: how it is measured, and what it must be.

mod change;
mod checks;
mod cpu;
mod log;
mod memory;
mod size;
mod start;
mod stop;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use testkit::Consul;

use crate::contender::Contender;
use crate::sample::{Budget, Sample};

/// One line of the table.
pub(crate) struct Row {
    pub(crate) figure: String,
    pub(crate) budget: Budget,
    /// One for each contender, in their order.
    pub(crate) cells: Vec<Cell>,
}

/// What a contender did.
pub(crate) enum Cell {
    /// It was measured.
    Measured(Sample),
    /// The figure makes no sense for it.
    Senseless,
    /// It could not be measured, and why.
    Failed(String),
}

/// Measures rows of the table.
type Measure = fn(&[Contender]) -> Result<Vec<Row>>;

/// All figures by name, in the order of the table.
pub(crate) const ALL: [(&str, Measure); 8] = [
    ("size", size::measure),
    ("memory", memory::measure),
    ("start", start::measure),
    ("cpu", cpu::measure),
    ("checks", checks::measure),
    ("log", log::measure),
    ("stop", stop::measure),
    ("change", change::measure),
];

/// How long anything may take to settle.
const PATIENCE: Duration = Duration::from_secs(30);

/// A row measured one contender after the other; `None` where the figure makes no sense.
fn row(
    figure: &str,
    budget: Budget,
    contenders: &[Contender],
    mut measure: impl FnMut(&Contender) -> Result<Option<Sample>>,
) -> Row {
    let cells = contenders.iter().map(|contender| cell(measure(contender))).collect();
    Row { figure: figure.to_owned(), budget, cells }
}

fn cell(measured: Result<Option<Sample>>) -> Cell {
    match measured {
        Ok(Some(sample)) => Cell::Measured(sample),
        Ok(None) => Cell::Senseless,
        Err(error) => Cell::Failed(format!("{error:#}")),
    }
}

/// Names of services, different for each contender: they may share a Consul.
fn service_names(contender: &Contender, count: usize) -> Vec<String> {
    let letters = contender.name.chars().filter(char::is_ascii_alphanumeric);
    let prefix: String = letters.collect::<String>().to_lowercase();
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

/// Waits until all of these services are healthy in the catalog.
fn registered(consul: &Consul, services: &[String]) -> Result<()> {
    let start = Instant::now();
    loop {
        let checks = consul.get("/v1/health/state/passing").json();
        let checks = checks.as_array().context("health without checks")?;
        let passing = |service: &&String| {
            checks.iter().any(|check| check["ServiceName"].as_str() == Some(service))
        };
        let healthy = services.iter().filter(passing).count();
        if healthy == services.len() {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            bail!("{healthy} of {} services were healthy within {PATIENCE:?}", services.len());
        }
        thread::sleep(Duration::from_millis(20));
    }
}
