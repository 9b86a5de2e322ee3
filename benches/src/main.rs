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
mod scenario;
mod started;
mod table;

use std::process::ExitCode;
use std::{env, fs, panic, thread};

use anyhow::{Context, Result, bail};

use contender::Contender;
use figures::ALL;

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
    let known = ALL.map(|(name, _)| name);
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("{name:?} is no figure: want some of {}", known.join(", "));
    }
    clean_up_on_panic();
    let contenders = Contender::all()?;
    let mut rows = Vec::new();
    for (name, measure) in ALL {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            eprintln!("measuring: {name}");
            rows.extend(measure(&contenders).with_context(|| format!("{name}: not measured"))?);
        }
    }
    println!("{}", machine());
    println!();
    print!("{}", table::text(&contenders, &rows));
    println!();
    for line in table::over_budget(&rows) {
        println!("{line}");
    }
    let failures = table::failures(&contenders, &rows);
    for line in &failures {
        println!("{line}");
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
