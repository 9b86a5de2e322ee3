//! What large numbers cost: of registrations, heartbeats, watches, instances. Here the columns are
//! catalogs, ours for development and a real Consul; the init program is measured against both.

mod catalog;
mod client;
mod heartbeats;
mod notice;
mod pilot;
mod waiting;

use anyhow::Result;

use crate::figures::{Cell, Row};
use crate::sample::{Budget, Sample};
pub(crate) use catalog::{Catalog, Kind};
pub(crate) use client::{Connection, runtime, spread};

/// Measures rows of the table.
type Measure = fn(&[Kind]) -> Result<Vec<Row>>;

/// All figures by name, in the order of the table.
pub(crate) const ALL: [(&str, Measure); 5] = [
    ("heartbeats", heartbeats::measure),
    ("waiting", waiting::measure),
    ("notice", notice::measure),
    ("watches", pilot::watches),
    ("instances", pilot::instances),
];

/// A figure, and what it must be.
type Head = (&'static str, Budget);

/// Rows of which each catalog yields all at once, in the order of `heads`.
fn rows(
    heads: &[Head],
    kinds: &[Kind],
    measure: impl Fn(&Catalog) -> Result<Vec<Sample>>,
) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = heads
        .iter()
        .map(|(figure, budget)| Row {
            figure: (*figure).to_owned(),
            budget: *budget,
            cells: Vec::new(),
        })
        .collect();
    for kind in kinds {
        let measured = Catalog::start(kind).and_then(|catalog| measure(&catalog));
        let mut cells: Vec<Cell> = match measured {
            Ok(samples) => samples.into_iter().map(Cell::Measured).collect(),
            Err(error) => heads.iter().map(|_| Cell::Failed(format!("{error:#}"))).collect(),
        };
        anyhow::ensure!(cells.len() == rows.len(), "one sample for each row");
        for row in rows.iter_mut().rev() {
            row.cells.extend(cells.pop());
        }
    }
    Ok(rows)
}
