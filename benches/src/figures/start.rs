//! The time from just before the exec of the init to the first instruction of the application.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Row, cell};
use crate::contender::Contender;
use crate::probe::Probe;
use crate::sample::{Budget, Sample};
use crate::scenario::Scenario;
use crate::started::Started;

const BUDGET: Budget = Budget::AtMost(2.5);
const TRIALS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn measure(contenders: &[Contender]) -> Result<Vec<Row>> {
    let probe = Probe::new()?;
    let mut times: Vec<Result<Vec<f64>>> = contenders.iter().map(|_| Ok(Vec::new())).collect();
    // In turns, so that a busy moment of the machine strikes all of them.
    for _ in 0..TRIALS {
        for (contender, times) in contenders.iter().zip(&mut times) {
            if let Ok(list) = times {
                match trial(contender, &probe) {
                    Ok(time) => list.push(time),
                    Err(error) => *times = Err(error),
                }
            }
        }
    }
    let cells = times.into_iter().map(|times| cell(times.map(Sample::of))).collect();
    Ok(vec![Row { figure: "exec to application, ms".to_owned(), budget: BUDGET, cells }])
}

/// In milliseconds.
fn trial(contender: &Contender, probe: &Probe) -> Result<f64> {
    let scenario = Scenario::of(probe.command());
    let mut started = Started::new(contender, &scenario, Stdio::null(), Some(probe.writer()?))?
        .context("everything can run an application")?;
    let exec = probe.stamp(PATIENCE)?;
    let application = probe.stamp(PATIENCE)?;
    started.ended(PATIENCE)?;
    probe.expect_silence()?;
    Ok(application.saturating_sub(exec) as f64 / 1e6)
}
