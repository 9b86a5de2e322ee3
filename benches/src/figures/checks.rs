//! CPU time of 100 checks a second that ask a server for its health: by the init itself, and by a
//! process for each. Without a catalog, so that nothing but checks is measured.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use testkit::HttpStub;

use super::{Row, row};
use crate::contender::{Contender, Kind};
use crate::sample::{Budget, Sample};
use crate::started::Started;

/// One hundredth of a core.
const NATIVE: Budget = Budget::AtMost(0.6);
const CHECKS: usize = 100;
const WINDOWS: usize = 3;
const WINDOW: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn measure(contenders: &[Contender]) -> Result<Vec<Row>> {
    let http = |url: &str| json!({ "http": url, "interval": 1, "ttl": 5 });
    let exec = |url: &str| json!({ "exec": ["curl", "-fs", "-o", "/dev/null", url], "interval": 1, "ttl": 5 });
    Ok(vec![
        row("CPU s/min, 100 http checks/s", NATIVE, contenders, |contender| {
            samples(contender, http, Started::cpu)
        }),
        row("CPU s/min, 100 curl checks/s, the init", Budget::None, contenders, |contender| {
            samples(contender, exec, Started::cpu)
        }),
        row("CPU s/min, 100 curl checks/s, with curl", Budget::None, contenders, |contender| {
            samples(contender, exec, Started::cpu_with_children)
        }),
    ])
}

/// In seconds a minute.
fn samples(
    contender: &Contender,
    health: impl Fn(&str) -> Value,
    cpu: impl Fn(&Started) -> Result<f64>,
) -> Result<Option<Sample>> {
    let Kind::Ours(_) = contender.kind else { return Ok(None) };
    let server = HttpStub::start();
    let checks = (0..CHECKS).map(|number| {
        json!({ "name": format!("check-{number}"), "health": health(&server.url("/health")) })
    });
    let application = json!({ "name": "application", "exec": ["sleep", "3600"] });
    let jobs: Vec<Value> = checks.chain([application]).collect();
    let mut started = Started::with_config(contender, json!({ "jobs": jobs }), Stdio::null())?;
    thread::sleep(SETTLE);
    let mut values = Vec::new();
    for _ in 0..WINDOWS {
        let (before, asked) = (cpu(&started)?, server.count());
        thread::sleep(WINDOW);
        let (spent, checks) = (cpu(&started)? - before, server.count() - asked);
        anyhow::ensure!(checks > 0, "no check came");
        // A busy machine starts fewer programs than it was told to.
        values.push(spent / checks as f64 * CHECKS as f64 * 60.0);
    }
    started.expect_running()?;
    Ok(Sample::of(values))
}
