//! The time from a registration in Consul, just before it is sent, to the first instruction of
//! the command that runs on the change. Registering and deregistering take turns.
//!
//! What stands in the column of no init is what Consul and a fork take by themselves: a blocking
//! query of ours that starts the command when it is answered.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use testkit::{Consul, http_within};

use super::{PATIENCE, Row, row};
use crate::contender::{Contender, Kind};
use crate::probe::{Probe, now};
use crate::sample::{Budget, Sample};
use crate::scenario::{Scenario, Watch};
use crate::started::Started;

const BUDGET: Budget = Budget::AtMost(20.0);
const TRIALS: usize = 50;
/// An original asks once in `poll` seconds: its trials take five of them on average.
const TRIALS_OF_PEER: usize = 6;
const POLL: u32 = 10;
/// Changes come one by one. Faster than some three a second they would be held back on purpose,
/// as those of a service that flaps: see `catalog::watch`.
const PAUSE: Duration = Duration::from_millis(500);
const SERVICE: &str = "upstream";

pub(super) fn measure(contenders: &[Contender]) -> Result<Vec<Row>> {
    Ok(vec![row("change to onChange, poll 10 s, ms", BUDGET, contenders, samples)])
}

/// In milliseconds.
fn samples(contender: &Contender) -> Result<Option<Sample>> {
    let floor = contender.kind == Kind::Bare;
    if !contender.is_configurable() && !floor {
        return Ok(None);
    }
    let consul = Consul::start();
    let probe = Probe::new()?;
    let trials = if matches!(contender.kind, Kind::Peer(..)) { TRIALS_OF_PEER } else { TRIALS };
    let _started = if floor {
        let (address, command) = (consul.address(), probe.command());
        // It ends with its Consul.
        thread::spawn(move || query(&address, &command));
        None
    } else {
        let scenario = Scenario {
            consul: consul.address(),
            watch: Some(Watch {
                service: SERVICE.to_owned(),
                on_change: probe.command(),
                poll: POLL,
            }),
            ..Scenario::of(vec!["sleep".to_owned(), "3600".to_owned()])
        };
        let started = Started::new(contender, &scenario, Stdio::null(), None)?;
        if started.is_none() {
            return Ok(None);
        }
        started
    };
    // The first one may come before the watch: its time tells nothing.
    register(&consul)?;
    probe.stamp(PATIENCE).context("the first registration was not seen")?;
    let mut times = Vec::new();
    for trial in 0..trials {
        thread::sleep(PAUSE);
        probe.expect_silence()?;
        let start = now()?;
        if trial % 2 == 0 {
            deregister(&consul)?
        } else {
            register(&consul)?
        }
        let seen = probe.stamp(PATIENCE).with_context(|| format!("change {trial} was not seen"))?;
        times.push(seen.saturating_sub(start) as f64 / 1e6);
    }
    Ok(Sample::of(times))
}

fn register(consul: &Consul) -> Result<()> {
    let service = json!({ "Name": SERVICE, "Address": "192.0.2.1", "Port": 80 });
    put(consul, "/v1/agent/service/register", &service.to_string())
}

fn deregister(consul: &Consul) -> Result<()> {
    put(consul, &format!("/v1/agent/service/deregister/{SERVICE}"), "")
}

fn put(consul: &Consul, path: &str, body: &str) -> Result<()> {
    let response = consul.request("PUT", path, body);
    ensure!(response.status == 200, "PUT {path}: {}", response.body);
    Ok(())
}

/// Runs `command` on every change until Consul is gone. Nothing is registered at first.
#[allow(clippy::disallowed_methods, reason = "the least that starting the command can take")]
fn query(address: &str, command: &[String]) -> Result<()> {
    let (mut index, mut was_empty) = ("0".to_owned(), true);
    loop {
        let path = format!("/v1/health/service/{SERVICE}?passing=1&wait=60s&index={index}");
        let response = http_within(Duration::from_secs(90), "GET", address, &path, "")?;
        index = response.header("X-Consul-Index").context("no index")?.to_owned();
        // There is one instance or none: details of it, such as those of its node, do not count.
        let empty = response.body.trim() == "[]";
        if empty != was_empty {
            let (program, args) = command.split_first().context("no command")?;
            std::process::Command::new(program).args(args).status()?;
        }
        was_empty = empty;
    }
}
