//! The time from SIGTERM to the init's end, with a registered service and an application that
//! needs 300 ms to stop.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use testkit::{Consul, Signal};

use super::{PATIENCE, Row, registered, row, service_names};
use crate::contender::Contender;
use crate::probe::Probe;
use crate::role;
use crate::sample::{Budget, Sample};
use crate::scenario::Scenario;
use crate::started::Started;

const BUDGET: Budget = Budget::AtMost(310.0);
const TRIALS: usize = 10;
const APPLICATION: Duration = Duration::from_millis(300);

pub(super) fn measure(contenders: &[Contender]) -> Result<Vec<Row>> {
    let consul = Consul::start();
    Ok(vec![row("SIGTERM to exit, application 300 ms", BUDGET, contenders, |contender| {
        let times: Result<Vec<f64>> = (0..TRIALS).map(|_| trial(contender, &consul)).collect();
        Ok(Sample::of(times?))
    })])
}

/// In milliseconds.
fn trial(contender: &Contender, consul: &Consul) -> Result<f64> {
    let probe = Probe::new()?;
    let services = service_names(contender, 1);
    let scenario = Scenario {
        consul: consul.address(),
        services: services.clone(),
        poll: 1,
        ..Scenario::of(role::stopper(APPLICATION, &probe.stamps().to_string_lossy())?)
    };
    let mut started = Started::new(contender, &scenario, Stdio::null(), None)?
        .context("everything can run an application")?;
    probe.stamp(PATIENCE)?;
    if contender.is_configurable() {
        registered(consul, &services)?;
    }
    started.expect_running()?;
    Ok(started.stop(Signal::SIGTERM, PATIENCE)?.as_secs_f64() * 1e3)
}
