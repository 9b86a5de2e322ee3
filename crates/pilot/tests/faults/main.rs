//! The catalog is lost in every way that it can be, over a real network, and comes back: the
//! children notice nothing, nobody who watches is told of a change, our service is whole again
//! within a heartbeat, few requests are sent meanwhile, no memory is kept, and one line tells of
//! the outage and one of its end.
//!
//! A fault is a value ([`fault::Fault`]): what breaks, what mends it, and in which arrangement of
//! hosts. Each runs with a program of its own in hosts of its own, many at a time: mostly they
//! wait. `FAULT=frozen` runs those alone whose name has that in it.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

mod domain_name_server;
mod fault;
#[path = "../support/program.rs"]
mod program;
mod registry;
mod scene;
#[path = "../support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;

use fault::Fault;
use scene::Report;

/// At a time. More would disturb each other: each has servers that elect.
const LANES: usize = 10;

#[test]
fn faults() {
    let only = std::env::var("FAULT").unwrap_or_default();
    let faults = fault::all().into_iter().filter(|fault| fault.name().contains(&only));
    let waiting: Mutex<VecDeque<Fault>> = Mutex::new(faults.collect());
    let reports: Mutex<Vec<(String, thread::Result<Report>)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(fault) = { waiting.lock().unwrap().pop_front() } {
                    let name = fault.name();
                    // On a thread of its own: a failure ends this fault alone.
                    let report = thread::Builder::new()
                        .name(name.clone())
                        .spawn(move || scene::play(&fault))
                        .expect("a thread")
                        .join();
                    reports.lock().unwrap().push((name, report));
                }
            });
        }
    });
    let reports = reports.into_inner().unwrap();
    assert!(!reports.is_empty(), "no fault has {only:?} in its name");
    let mut failed = Vec::new();
    println!("{}", Report::HEAD);
    for (name, report) in &reports {
        match report {
            Ok(report) => println!("{name:<28}{report}"),
            Err(_) => failed.push(name.as_str()),
        }
    }
    assert!(failed.is_empty(), "failed: {}", failed.join(", "));
}
