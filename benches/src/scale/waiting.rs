//! What a query costs that waits for a change: resident memory of the catalog with thousands of
//! them, each on a connection of its own, less that without.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::time::sleep;

use super::catalog::{Catalog, Kind};
use super::client::{Connection, runtime};
use super::{Head, rows};
use crate::figures::Row;
use crate::sample::{Budget, Sample};

const QUERIES: usize = 2000;
/// The queries differ, as those of different services do.
const SERVICES: usize = 100;
const SETTLE: Duration = Duration::from_secs(2);

const HEADS: [Head; 1] = [("memory of a blocked query, KiB", Budget::None)];

pub(super) fn measure(kinds: &[Kind]) -> Result<Vec<Row>> {
    rows(&HEADS, kinds, |catalog| runtime()?.block_on(samples(catalog)))
}

async fn samples(catalog: &Catalog) -> Result<Vec<Sample>> {
    let mut connection = Connection::open(&catalog.address).await?;
    for number in 0..SERVICES {
        let service = json!({ "Name": format!("app-{number}"), "Port": 8000 });
        connection.ask("PUT", "/v1/agent/service/register", &service.to_string()).await?;
    }
    sleep(SETTLE).await;
    let before = catalog.resident()?;
    let mut waiting = Vec::new();
    for number in 0..QUERIES {
        let mut connection = Connection::open(&catalog.address).await?;
        let path = format!("/v1/health/service/app-{}?passing=1", number % SERVICES);
        let answer = connection.ask("GET", &path, "").await?;
        let index = answer.index.context("no index")?;
        connection.send("GET", &format!("{path}&index={index}&wait=300s"), "").await?;
        waiting.push(connection);
    }
    sleep(SETTLE).await;
    let each = (catalog.resident()? - before) / QUERIES as f64 / 1024.0;
    Ok(Sample::of([each]).into_iter().collect())
}
