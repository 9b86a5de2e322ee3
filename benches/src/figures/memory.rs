//! Resident memory at rest: VmRSS of the init and of helper processes of the same program, while
//! services with checks are registered in a real Consul, beside a watch. The small inits only
//! hold an application.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use testkit::Consul;

use super::{Row, registered, row, service_names};
use crate::contender::Contender;
use crate::contender::Kind;
use crate::sample::{Budget, Sample};
use crate::scenario::{Scenario, Watch};
use crate::started::Started;

const ONE: Budget = Budget::AtMost(3.5);
const HUNDRED: Budget = Budget::AtMost(6.0);
const STARTS: usize = 3;
/// Every service has been checked twice by then.
const SETTLE: Duration = Duration::from_millis(2500);
const LOOKS: usize = 10;

pub(super) fn measure(contenders: &[Contender]) -> Result<Vec<Row>> {
    let consul = Consul::start();
    Ok(vec![
        row("resident, 1 service, 1 watch, MB", ONE, contenders, |contender| {
            samples(contender, &consul, 1)
        }),
        row("resident, 100 services, 1 watch, MB", HUNDRED, contenders, |contender| {
            if contender.is_configurable() { samples(contender, &consul, 100) } else { Ok(None) }
        }),
    ])
}

fn samples(contender: &Contender, consul: &Consul, services: usize) -> Result<Option<Sample>> {
    if contender.kind == Kind::Bare {
        return Ok(None);
    }
    let services = service_names(contender, services);
    let scenario = Scenario {
        consul: consul.address(),
        services: services.clone(),
        poll: 1,
        watch: Some(Watch {
            service: "consul".to_owned(),
            on_change: vec!["/bin/true".to_owned()],
            poll: 1,
        }),
        ..Scenario::of(vec!["sleep".to_owned(), "3600".to_owned()])
    };
    let mut values = Vec::new();
    for _ in 0..STARTS {
        let started = Started::new(contender, &scenario, Stdio::null(), None)?;
        let Some(mut started) = started else { return Ok(None) };
        if contender.is_configurable() {
            registered(consul, &services)?;
        }
        thread::sleep(SETTLE);
        for _ in 0..LOOKS {
            values.push(started.resident()? / 1e6);
            thread::sleep(Duration::from_millis(30));
        }
        started.expect_running()?;
        started.stop(testkit::Signal::SIGTERM, Duration::from_secs(10))?;
    }
    Ok(Sample::of(values))
}
