//! `make bench`: footprint and speed of the init program, beside small inits, no init, and an
//! original if there is one. README.md says how each figure is measured.
//!
//! # Theory of operation
//!
//! A [`contender`] runs a [`scenario`], each in the generation of configuration files that it
//! knows; [`started`] watches over the process. Times that cross process borders are points of
//! the monotonic clock, written into a FIFO by a [`probe`] as its first act. Each figure is a
//! module of [`figures`] that yields rows; [`table`] prints them.
#![allow(clippy::indexing_slicing, reason = "of JSON values alone, where it yields null")]

mod contender;
mod figures;
mod probe;
mod proc;
mod role;
mod sample;
mod scale;
mod scenario;
mod started;
mod table;
mod templates;

use std::process::ExitCode;
use std::{env, fs, panic, thread};

use anyhow::{Context, Result, bail};

use contender::Contender;
use figures::{ALL, Row};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((word, role)) if word == role::AS => role::play(role).map(|()| ExitCode::SUCCESS),
        _ => bench(&words),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("benches: {error:#}");
        ExitCode::FAILURE
    })
}

/// Measures the figures of these names, or all. It succeeds if everything could be measured,
/// whether it is within its budget or not: a shared machine is no judge.
fn bench(names: &[String]) -> Result<ExitCode> {
    let known: Vec<&str> = (ALL.iter().map(|(name, _)| *name))
        .chain(scale::ALL.iter().map(|(name, _)| *name))
        .chain(templates::ALL.iter().map(|(name, _)| *name))
        .collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("{name:?} is no figure: want some of {}", known.join(", "));
    }
    clean_up_on_panic();
    let contenders = Contender::all()?;
    let programs = measured(&ALL, names, &contenders)?;
    let catalogs = scale::Kind::all()?;
    let numbers = measured(&scale::ALL, names, &catalogs)?;
    let renderers = templates::Column::all()?;
    let renderings = measured(&templates::ALL, names, &renderers)?;
    println!("{}", machine());
    let contenders: Vec<String> =
        contenders.iter().map(|contender| contender.name.clone()).collect();
    let catalogs: Vec<String> = catalogs.iter().map(|kind| kind.name().to_owned()).collect();
    let renderers: Vec<String> = renderers.iter().map(templates::Column::name).collect();
    let mut failures = Vec::new();
    for (columns, rows) in [(contenders, programs), (catalogs, numbers), (renderers, renderings)] {
        if rows.is_empty() {
            continue;
        }
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        println!();
        print!("{}", table::text(&columns, &rows));
        println!();
        failures.extend(table::failures(&columns, &rows));
        for line in table::over_budget(&rows) {
            println!("{line}");
        }
    }
    for line in &failures {
        println!("{line}");
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A figure by its name.
type Figure<C> = (&'static str, fn(&[C]) -> Result<Vec<Row>>);

/// The rows of those figures that are wanted.
fn measured<C>(figures: &[Figure<C>], names: &[String], columns: &[C]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, measure) in figures {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            eprintln!("measuring: {name}");
            rows.extend(measure(columns).with_context(|| format!("{name}: not measured"))?);
        }
    }
    Ok(rows)
}

/// What the figures were measured on.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("?");
    format!(
        "{cores} cores of {model}, Linux {}, load {load}",
        read("/proc/sys/kernel/osrelease").trim()
    )
}

/// What the testkit cannot do it reports by a panic, and a release build aborts then: no Consul
/// may stay behind.
#[allow(clippy::exit, clippy::disallowed_methods, reason = "nothing is dropped in a panic")]
fn clean_up_on_panic() {
    panic::set_hook(Box::new(|info| {
        eprintln!("benches: {info}");
        started::kill_all(&proc::descendants(std::process::id()));
        std::process::exit(1);
    }));
}
