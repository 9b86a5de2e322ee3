//! A thousand init programs' worth of registrations and heartbeats: how many a second the catalog
//! takes as fast as it can, and what one heartbeat a second from each costs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::catalog::{Catalog, Kind};
use super::client::{Connection, runtime, spread};
use super::{Head, rows};
use crate::figures::Row;
use crate::sample::{Budget, Sample};

const INSTANCES: usize = 1000;
/// Connections while the catalog is to do what it can.
const LANES: usize = 16;
const RUSH: Duration = Duration::from_secs(5);
/// With one connection for each instance, as init programs have.
const CALM: Duration = Duration::from_secs(15);

const HEADS: [Head; 5] = [
    ("1,000 registrations, each second", Budget::None),
    ("heartbeats of 1,000, each second", Budget::None),
    ("CPU s/min, 1,000 heartbeats a second", Budget::None),
    ("the slowest of those heartbeats, ms", Budget::None),
    ("resident, 1,000 instances, MB", Budget::None),
];

pub(super) fn measure(kinds: &[Kind]) -> Result<Vec<Row>> {
    rows(&HEADS, kinds, |catalog| runtime()?.block_on(samples(catalog)))
}

async fn samples(catalog: &Catalog) -> Result<Vec<Sample>> {
    let start = Instant::now();
    spread(&catalog.address, LANES, INSTANCES, |mut connection, numbers| async move {
        for number in numbers {
            register(&mut connection, number).await?;
        }
        Ok(())
    })
    .await?;
    let registrations = INSTANCES as f64 / start.elapsed().as_secs_f64();

    let beaten = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    spread(&catalog.address, LANES, INSTANCES, |mut connection, numbers| {
        let beaten = Arc::clone(&beaten);
        async move {
            for number in numbers.clone().cycle() {
                if start.elapsed() > RUSH {
                    break;
                }
                beat(&mut connection, number).await?;
                beaten.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
    })
    .await?;
    let heartbeats = beaten.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();

    let (start, before) = (Instant::now(), catalog.cpu()?);
    let slowest = Arc::new(AtomicUsize::new(0));
    spread(&catalog.address, INSTANCES, INSTANCES, |mut connection, mut numbers| {
        let slowest = Arc::clone(&slowest);
        async move {
            let number = numbers.next().context("a number for each connection")?;
            // Not all in the same moment.
            tokio::time::sleep(Duration::from_millis(number as u64)).await;
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            while start.elapsed() < CALM {
                tick.tick().await;
                let sent = Instant::now();
                beat(&mut connection, number).await?;
                slowest.fetch_max(sent.elapsed().as_micros() as usize, Ordering::Relaxed);
            }
            Ok(())
        }
    })
    .await?;
    let cpu = (catalog.cpu()? - before) / start.elapsed().as_secs_f64() * 60.0;
    let slowest = slowest.load(Ordering::Relaxed) as f64 / 1e3;
    let resident = catalog.resident()? / 1e6;
    let values = [registrations, heartbeats, cpu, slowest, resident];
    Ok(values.into_iter().filter_map(|value| Sample::of([value])).collect())
}

async fn register(connection: &mut Connection, number: usize) -> Result<()> {
    let service = json!({ "ID": format!("app-{number}"), "Name": format!("app-{}", number % 100),
        "Address": "192.0.2.1", "Port": 8000, "Check": { "CheckID": format!("app-{number}"),
        "TTL": "60s", "Status": "passing" } });
    connection.ask("PUT", "/v1/agent/service/register", &service.to_string()).await?;
    Ok(())
}

async fn beat(connection: &mut Connection, number: usize) -> Result<()> {
    let path = format!("/v1/agent/check/pass/app-{number}");
    let answer = connection.ask("PUT", &path, "").await?;
    ensure!(answer.body.is_empty(), "an answer to a heartbeat");
    Ok(())
}
