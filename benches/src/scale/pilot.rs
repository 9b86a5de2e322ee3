//! The init program with a thousand watches, and with one on a service of ten thousand instances.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::catalog::{Catalog, Kind};
use super::client::{Connection, runtime, spread};
use super::{Head, rows};
use crate::contender::Contender;
use crate::figures::Row;
use crate::probe::{Probe, now};
use crate::sample::{Budget, Sample};
use crate::started::Started;

const WATCHES: usize = 1000;
const INSTANCES: usize = 10_000;
const TRIALS: usize = 20;
/// See `figures::change`.
const PAUSE: Duration = Duration::from_millis(500);
const SETTLE: Duration = Duration::from_secs(3);
const WINDOW: Duration = Duration::from_secs(20);
/// The first answer about ten thousand instances takes its time.
const PATIENCE: Duration = Duration::from_secs(30);
const LANES: usize = 8;
const WATCHED: &str = "app-500";

const OF_WATCHES: [Head; 3] = [
    ("init with 1,000 watches, resident, MB", Budget::None),
    ("the same, nothing changes, CPU s/min", Budget::None),
    ("the same, change to its job, ms", Budget::None),
];

const OF_INSTANCES: [Head; 2] = [
    ("init watching 10,000 instances, resident, MB", Budget::None),
    ("the same, change to its job, ms", Budget::None),
];

pub(super) fn watches(kinds: &[Kind]) -> Result<Vec<Row>> {
    rows(&OF_WATCHES, kinds, |catalog| {
        let runtime = runtime()?;
        let names: Vec<String> = (0..WATCHES).map(|number| format!("app-{number}")).collect();
        let scene = Scene::start(catalog, &names)?;
        scene.change(&runtime, catalog, 0)?;
        thread::sleep(SETTLE);
        let resident = scene.started.resident()? / 1e6;
        let (start, before) = (Instant::now(), scene.started.cpu()?);
        thread::sleep(WINDOW);
        let cpu = (scene.started.cpu()? - before) / start.elapsed().as_secs_f64() * 60.0;
        let changes = scene.changes(&runtime, catalog)?;
        Ok([Sample::of([resident]), Sample::of([cpu]), changes].into_iter().flatten().collect())
    })
}

pub(super) fn instances(kinds: &[Kind]) -> Result<Vec<Row>> {
    rows(&OF_INSTANCES, kinds, |catalog| {
        let runtime = runtime()?;
        runtime.block_on(spread(
            &catalog.address,
            LANES,
            INSTANCES,
            |mut connection, numbers| async move {
                for number in numbers {
                    register(&mut connection, number + 1, 8000).await?;
                }
                Ok(())
            },
        ))?;
        let scene = Scene::start(catalog, &[WATCHED.to_owned()])?;
        scene.probe.stamp(PATIENCE).context("the instances were not seen")?;
        let changes = scene.changes(&runtime, catalog)?;
        thread::sleep(SETTLE);
        let resident = scene.started.resident()? / 1e6;
        Ok([Sample::of([resident]), changes].into_iter().flatten().collect())
    })
}

/// The init program at work.
struct Scene {
    started: Started,
    probe: Probe,
}

impl Scene {
    /// With watches on these services, and a job that runs when [`WATCHED`] changes.
    fn start(catalog: &Catalog, services: &[String]) -> Result<Self> {
        let probe = Probe::new()?;
        let watches: Vec<Value> =
            services.iter().map(|name| json!({ "name": name, "interval": 10 })).collect();
        let source = format!("watch.{WATCHED}");
        let config = json!({ "consul": catalog.address, "watches": watches, "jobs": [
            { "name": "application", "exec": ["sleep", "3600"] },
            { "name": "on-change", "exec": probe.command(),
              "when": { "source": source, "each": "changed" } },
        ] });
        let contenders = Contender::all()?;
        let ours = contenders.first().context("no program of ours")?;
        let started = Started::with_config(ours, config, Stdio::null())?;
        Ok(Self { started, probe })
    }

    /// One instance moves; waits for the job.
    fn change(&self, runtime: &Runtime, catalog: &Catalog, trial: u16) -> Result<f64> {
        let start = now()?;
        runtime.block_on(async {
            let mut connection = Connection::open(&catalog.address).await?;
            register(&mut connection, 0, 9000 + trial).await
        })?;
        let seen = self.probe.stamp(PATIENCE).context("the change was not seen")?;
        Ok(seen.saturating_sub(start) as f64 / 1e6)
    }

    /// In milliseconds.
    fn changes(&self, runtime: &Runtime, catalog: &Catalog) -> Result<Option<Sample>> {
        let mut times = Vec::new();
        for trial in 1..=TRIALS as u16 {
            thread::sleep(PAUSE);
            self.probe.expect_silence()?;
            times.push(self.change(runtime, catalog, trial)?);
        }
        Ok(Sample::of(times))
    }
}

/// An instance of [`WATCHED`], on a node outside of the catalog's own agent, since an agent keeps
/// no ten thousand.
async fn register(connection: &mut Connection, number: usize, port: u16) -> Result<()> {
    let node = format!("node-{}", number % 100);
    let entry = json!({ "Node": node, "Address": "192.0.2.1", "SkipNodeUpdate": true,
        "Service": { "ID": format!("{WATCHED}-{number}"), "Service": WATCHED,
            "Address": format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255),
            "Port": port } });
    connection.ask("PUT", "/v1/catalog/register", &entry.to_string()).await?;
    Ok(())
}
