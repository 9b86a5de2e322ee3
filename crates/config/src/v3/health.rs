//! `health` of a job.

use std::time::Duration;

use super::when::RawWhen;
use crate::{
    LogLevel,
    decode::{
        Field, Object,
        health::{Checked, checked, is_url},
        logging::streams,
    },
    job::{Health, Lines, OnFailure, Probe, Streams},
    json5::Value,
};

const SECOND: Duration = Duration::from_secs(1);
const ON_FAILURE: [(&str, OnFailure); 3] = [
    ("none", OnFailure::Nothing),
    ("restart", OnFailure::Restart),
    ("shutdown", OnFailure::Shutdown),
];

/// What `health` says.
pub(super) struct RawHealth<'a> {
    pub(super) health: Health,
    /// Of the service.
    pub(super) ttl: Option<Duration>,
    /// Where `onFailure` stands, if it is given.
    on_failure: Option<Field<'a>>,
}

pub(super) fn health<'a>(field: &Field<'a>, is_advertised: bool) -> RawHealth<'a> {
    if let Value::String(text) = &field.node.value {
        let kind = if is_url(text) { "http" } else { "exec" };
        let rule = format!("want {{ {kind}: \"…\", interval: 5, ttl: 15 }}");
        field.refuse("is not an object", rule);
    }
    let object = match field.node.value {
        Value::String(_) => None,
        _ => field.object(),
    };
    let Some(mut object) = object else {
        let health = Health::plain(Probe::Always, SECOND, None, Streams::Raw);
        return RawHealth { health, ttl: None, on_failure: None };
    };
    let want = "want a number of seconds from 1 on";
    let interval = object.require("interval", want);
    let interval = interval.and_then(|field| field.duration(SECOND));
    let ttl_field = if is_advertised { object.require("ttl", want) } else { object.take("ttl") };
    let ttl = ttl_field.as_ref().and_then(|field| field.duration(SECOND));
    if let (Some(field), Some(ttl), Some(interval)) = (&ttl_field, ttl, interval)
        && ttl <= interval
    {
        field
            .warn("is not longer than \"interval\": the service will turn critical between checks");
    }
    let interval = interval.unwrap_or(SECOND);
    let timeout = object.take("timeout").and_then(|field| field.timeout()).unwrap_or(interval);
    let Checked { probe, start_period, failures, successes, on_failure } =
        checked(&mut object, &ON_FAILURE);
    let streams = match probe {
        Probe::Exec(_) | Probe::Always => streams(&mut object),
        _ => no_streams(&mut object),
    };
    object.finish();
    let (on_failure, choice) = on_failure.unzip();
    let health = Health {
        start_period,
        failures,
        successes,
        on_failure: choice.unwrap_or(OnFailure::Nothing),
        ..Health::plain(probe, interval, Some(timeout), streams)
    };
    RawHealth { health, ttl, on_failure }
}

/// What is no command has no output.
fn no_streams(object: &mut Object<'_>) -> Streams {
    if let Some(field) = object.take("logging") {
        let rule = "want it left out: what the check finds is logged when it changes";
        field.problem("is for the output of a command, and there is none", rule);
    }
    Streams::Logged { stdout: LogLevel::Info, stderr: LogLevel::Info, lines: Lines::Text }
}

impl RawHealth<'_> {
    /// `onFailure: "restart"` wants something that can be restarted.
    pub(super) fn check_restart(&self, when: &RawWhen<'_>, has_exec: bool) {
        let Some(field) = &self.on_failure else { return };
        if self.health.on_failure != OnFailure::Restart {
            return;
        }
        if !has_exec {
            field.refuse("has nothing to restart", "want \"exec\" in the job, or \"shutdown\"");
        } else if when.interval.is_some() {
            let fault = "stands in a timed job, which starts again by itself";
            field.refuse(fault, "want \"none\" or \"shutdown\"");
        }
    }
}
