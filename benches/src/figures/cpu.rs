//! The init's own CPU time with 100 checks a second, each a process: what it spends itself
//! (`/proc/PID/stat`, fields 14 and 15), not what the checks do once they are started.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use testkit::Consul;

use super::{Row, registered, row, service_names};
use crate::contender::Contender;
use crate::sample::{Budget, Sample};
use crate::scenario::{Catalog, Generation, Scenario};
use crate::started::Started;

const BUDGET: Budget = Budget::AtMost(1.5);
const SERVICES: usize = 100;
const WINDOWS: usize = 3;
const WINDOW: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn measure(contenders: &[Contender]) -> Result<Vec<Row>> {
    let consul = Consul::start();
    Ok(vec![
        row("CPU s/min, 100 checks/s, heartbeats", BUDGET, contenders, |contender| {
            samples(contender, Some(&consul))
        }),
        row("CPU s/min, 100 checks/s, no catalog", Budget::None, contenders, |contender| {
            samples(contender, None)
        }),
    ])
}

/// In seconds a minute.
fn samples(contender: &Contender, consul: Option<&Consul>) -> Result<Option<Sample>> {
    if !contender.is_configurable() {
        return Ok(None);
    }
    let services = service_names(contender, SERVICES);
    let application = Scenario::of(vec!["sleep".to_owned(), "3600".to_owned()]);
    let scenario = match consul {
        Some(consul) => Scenario { consul: consul.address(), ..application },
        None => Scenario { generation: Generation::Three, catalog: Catalog::Unused, ..application },
    };
    let scenario = Scenario { services: services.clone(), poll: 1, ..scenario };
    let Some(mut started) = Started::new(contender, &scenario, Stdio::null(), None)? else {
        return Ok(None);
    };
    if let Some(consul) = consul {
        registered(consul, &services)?;
    }
    thread::sleep(SETTLE);
    let mut values = Vec::new();
    for _ in 0..WINDOWS {
        let (start, before) = (Instant::now(), started.cpu()?);
        thread::sleep(WINDOW);
        let spent = started.cpu()? - before;
        values.push(spent / start.elapsed().as_secs_f64() * 60.0);
    }
    started.expect_running()?;
    Ok(Sample::of(values))
}
