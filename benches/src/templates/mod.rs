//! What rendering costs: a file over all services of a catalog, kept up to date. The columns are
//! pairs: ours and, if there is one, an original consul-template, each over our development catalog
//! and over a real Consul.

mod relay;
mod renderer;

use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::figures::{Cell, Row};
use crate::sample::{Budget, Sample};
use crate::scale::{self, Catalog, Connection, runtime, spread};
use relay::Relay;
use renderer::{Rendering, Which};

/// How many services, and how often a renderer is started with so many. A Consul keeps the
/// connections of a renderer that is gone for another minute, and five thousand are many.
const SIZES: [(usize, usize); 4] = [(10, 3), (100, 3), (1000, 3), (5000, 1)];
/// Of each service.
const INSTANCES: usize = 3;
/// Changes that a renderer sees.
const CHANGES: usize = 8;
/// Changes come one by one: see `figures::change`.
const PAUSE: Duration = Duration::from_millis(500);
/// Thousands of first answers take their time, of a catalog that has one core to itself.
const PATIENCE: Duration = Duration::from_secs(120);
const LANES: usize = 8;

/// What is measured of each size.
const FIGURES: [&str; 5] = [
    "services: start to first file, ms",
    "services: change to file, ms",
    "services: resident, MB",
    "services: requests until all waits",
    "services: requests of a change",
];

/// A renderer over a catalog.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    renderer: Which,
    catalog: scale::Kind,
}

impl Column {
    /// Ours from `CONTAINERPILOT_STATIC`, an original from `PEER_CONSUL_TEMPLATE` if that is set,
    /// each over all catalogs.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let (renderers, catalogs) = (Which::all()?, scale::Kind::all()?);
        let of = |catalog: scale::Kind| {
            renderers.iter().map(move |renderer| Column {
                renderer: renderer.clone(),
                catalog: catalog.clone(),
            })
        };
        Ok(catalogs.into_iter().flat_map(of).collect())
    }

    /// The head of its column.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}", self.renderer.name(), self.catalog.name())
    }
}

/// Measures rows of the table.
type Measure = fn(&[Column]) -> Result<Vec<Row>>;

/// The figure by its name.
pub(crate) const ALL: [(&str, Measure); 1] = [("templates", measure)];

fn measure(columns: &[Column]) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = SIZES
        .iter()
        .flat_map(|(size, _)| FIGURES.iter().map(move |figure| format!("{size} {figure}")))
        .chain(["memory of one service more, KiB".to_owned()])
        .map(|figure| Row { figure, budget: Budget::None, cells: Vec::new() })
        .collect();
    for column in columns {
        let mut cells: Vec<Cell> = match samples(column) {
            Ok(samples) => samples.into_iter().map(Cell::Measured).collect(),
            Err(error) => rows.iter().map(|_| Cell::Failed(format!("{error:#}"))).collect(),
        };
        ensure!(cells.len() == rows.len(), "one sample for each row");
        for row in rows.iter_mut().rev() {
            row.cells.extend(cells.pop());
        }
    }
    Ok(rows)
}

/// Of all sizes, smallest first, in one catalog that grows.
fn samples(column: &Column) -> Result<Vec<Sample>> {
    let runtime = runtime()?;
    let catalog = Catalog::start(&column.catalog)?;
    let mut samples = Vec::new();
    let mut residents = Vec::new();
    let mut known = 0;
    for (size, starts) in SIZES {
        runtime.block_on(fill(&catalog.address, known..size))?;
        known = size;
        let scene = Scene { column, catalog: &catalog, size };
        let (mut firsts, mut changes, mut resident) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..starts {
            let rendering = scene.start(&catalog.address)?;
            firsts.push(rendering.first.as_secs_f64() * 1e3);
            for _ in 0..CHANGES {
                thread::sleep(PAUSE);
                changes.push(runtime.block_on(scene.change(&rendering))?.as_secs_f64() * 1e3);
            }
            thread::sleep(PAUSE);
            resident.push(rendering.resident()? / 1e6);
        }
        let (first, of_a_change) = scene.requests(&runtime)?;
        let resident = Sample::of(resident).context("no starts")?;
        residents.push(resident.median());
        samples.extend(
            [Sample::of(firsts), Sample::of(changes), Some(resident)].into_iter().flatten(),
        );
        samples.extend([first, of_a_change].into_iter().filter_map(|count| Sample::of([count])));
    }
    let more = residents.last().zip(residents.first()).map(|(most, least)| most - least);
    let services = SIZES.last().zip(SIZES.first()).map(|(most, least)| most.0 - least.0);
    let (more, services) = more.zip(services).context("no sizes")?;
    samples.extend(Sample::of([more * 1e6 / services as f64 / 1024.0]));
    Ok(samples)
}

/// A renderer over a catalog of so many services.
struct Scene<'a> {
    column: &'a Column,
    catalog: &'a Catalog,
    size: usize,
}

impl Scene<'_> {
    /// Starts it and waits for its first file, which knows all services.
    fn start(&self, address: &str) -> Result<Rendering> {
        let rendering = Rendering::start(&self.column.renderer, address, PATIENCE)?;
        let services = rendering.text()?.matches("upstream app-").count();
        ensure!(services == self.size, "the first file knew {services} services of {}", self.size);
        Ok(rendering)
    }

    /// From just before an instance moves to the file that says so.
    async fn change(&self, rendering: &Rendering) -> Result<Duration> {
        let mut connection = Connection::open(&self.catalog.address).await?;
        let port = rendering.another_port();
        let start = Instant::now();
        let service = self.size / 2;
        register(&mut connection, service, 0, port).await?;
        let wanted = format!("{}:{port};", address(service, 0));
        rendering.await_text(|text| text.contains(&wanted), PATIENCE).context("of a change")?;
        Ok(start.elapsed())
    }

    /// How many requests a start takes, and how many a change more.
    fn requests(&self, runtime: &tokio::runtime::Runtime) -> Result<(f64, f64)> {
        let relay = Relay::start(&self.catalog.address)?;
        let rendering = self.start(relay.address())?;
        thread::sleep(PAUSE);
        let first = relay.requests();
        runtime.block_on(self.change(&rendering))?;
        thread::sleep(PAUSE);
        Ok((first as f64, (relay.requests() - first) as f64))
    }
}

async fn fill(address: &str, services: Range<usize>) -> Result<()> {
    let (first, count) = (services.start, services.len());
    spread(address, LANES, count, move |mut connection, numbers| async move {
        for number in numbers {
            for instance in 0..INSTANCES {
                register(&mut connection, first + number, instance, 8000).await?;
            }
        }
        Ok(())
    })
    .await
}

async fn register(
    connection: &mut Connection,
    service: usize,
    instance: usize,
    port: u16,
) -> Result<()> {
    let name = format!("app-{service}");
    let entry = json!({ "Node": format!("node-{}", service % 100), "Address": "192.0.2.1",
        "SkipNodeUpdate": true, "Service": { "ID": format!("{name}-{instance}"), "Service": name,
            "Address": address(service, instance), "Port": port } });
    connection.ask("PUT", "/v1/catalog/register", &entry.to_string()).await?;
    Ok(())
}

fn address(service: usize, instance: usize) -> String {
    format!("10.{instance}.{}.{}", service >> 8, service & 255)
}
