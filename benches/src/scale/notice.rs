//! The time from a change, just before it is sent, to the first byte of the answer to each query
//! that waits for it: the last of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use tokio::task::JoinSet;

use super::catalog::{Catalog, Kind, PATIENCE};
use super::client::{Connection, runtime};
use super::{Head, rows};
use crate::figures::Row;
use crate::sample::{Budget, Sample};

const WATCHERS: [usize; 3] = [1, 100, 1000];
const TRIALS: usize = 20;
/// All queries have reached the catalog by then.
const SETTLE: Duration = Duration::from_millis(200);
const PATH: &str = "/v1/health/service/app?passing=1";

const HEADS: [Head; 3] = [
    ("change to notification, 1 watcher, ms", Budget::None),
    ("the same, the last of 100 watchers, ms", Budget::None),
    ("the same, the last of 1,000 watchers, ms", Budget::None),
];

pub(super) fn measure(kinds: &[Kind]) -> Result<Vec<Row>> {
    rows(&HEADS, kinds, |catalog| {
        let runtime = runtime()?;
        let sample = |watchers| runtime.block_on(sample(catalog, watchers));
        WATCHERS.into_iter().map(sample).collect()
    })
}

/// In milliseconds.
async fn sample(catalog: &Catalog, watchers: usize) -> Result<Sample> {
    let mut writer = Connection::open(&catalog.address).await?;
    change(&mut writer, 0).await?;
    let mut connections = Vec::new();
    for _ in 0..watchers {
        connections.push(Connection::open(&catalog.address).await?);
    }
    let mut times = Vec::new();
    for trial in 1..=TRIALS {
        let mut waiting = JoinSet::new();
        for mut connection in connections.drain(..) {
            let index = connection.ask("GET", PATH, "").await?.index.context("no index")?;
            connection.send("GET", &format!("{PATH}&index={index}&wait=60s"), "").await?;
            waiting.spawn(async move {
                connection.begun(PATIENCE).await?;
                let seen = Instant::now();
                connection.answer().await?;
                anyhow::Ok((connection, seen))
            });
        }
        tokio::time::sleep(SETTLE).await;
        let start = Instant::now();
        change(&mut writer, trial).await?;
        let mut last = Duration::ZERO;
        while let Some(ended) = waiting.join_next().await {
            let (connection, seen) = ended??;
            last = last.max(seen.saturating_duration_since(start));
            connections.push(connection);
        }
        times.push(last.as_secs_f64() * 1e3);
    }
    Sample::of(times).context("no trials")
}

async fn change(connection: &mut Connection, port: usize) -> Result<()> {
    let service = json!({ "ID": "app", "Name": "app", "Port": 8000 + port });
    connection.ask("PUT", "/v1/agent/service/register", &service.to_string()).await?;
    Ok(())
}
