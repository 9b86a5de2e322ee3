//! `when`: what a job waits for.

use std::time::Duration;

use crate::{
    decode::{
        Field, Object,
        suggestion::{did_you_mean, one_of},
    },
    job::{Frequency, GlobalEvent, JobEvent, JobId, SignalEvent, Trigger, WatchEvent, When},
    watch::WatchId,
};

const GLOBAL_EVENTS: [(&str, GlobalEvent); 4] = [
    ("startup", GlobalEvent::Startup),
    ("shutdown", GlobalEvent::Shutdown),
    ("enterMaintenance", GlobalEvent::EnterMaintenance),
    ("exitMaintenance", GlobalEvent::ExitMaintenance),
];
const JOB_EVENTS: [(&str, JobEvent); 6] = [
    ("healthy", JobEvent::Healthy),
    ("unhealthy", JobEvent::Unhealthy),
    ("exitSuccess", JobEvent::ExitSuccess),
    ("exitFailed", JobEvent::ExitFailed),
    ("stopping", JobEvent::Stopping),
    ("stopped", JobEvent::Stopped),
];
const WATCH_EVENTS: [(&str, WatchEvent); 3] = [
    ("changed", WatchEvent::Changed),
    ("healthy", WatchEvent::Healthy),
    ("unhealthy", WatchEvent::Unhealthy),
];

/// A `when` whose names are not resolved.
#[derive(Default)]
pub(super) struct RawWhen<'a> {
    /// The whole of it, for errors.
    pub(super) field: Option<Field<'a>>,
    source: Option<(Field<'a>, String)>,
    event: Option<(Field<'a>, String, Frequency)>,
    pub(super) interval: Option<(Field<'a>, Duration)>,
    timeout: Option<Duration>,
    /// Something is wrong with it already: it is not resolved.
    wrong: bool,
}

/// The key `when` of a job.
pub(super) fn read<'a>(job: &mut Object<'a>) -> RawWhen<'a> {
    let mut when = RawWhen { field: job.take("when"), ..RawWhen::default() };
    let Some(mut object) = when.field.as_ref().and_then(Field::object) else {
        return when;
    };
    let mut given = |key: &'static str| object.take(key).filter(|field| !field.is_empty_string());
    let (source, once, each) = (given("source"), given("once"), given("each"));
    let (interval, timeout) = (given("interval"), given("timeout"));
    if let Some(interval) = interval {
        let others = [("source", &source), ("once", &once), ("each", &each), ("timeout", &timeout)];
        for (key, other) in others {
            if let Some(other) = other {
                let fault = format!("stands beside \"interval\", which excludes \"{key}\"");
                other.refuse(&fault, "want one of the two");
            }
        }
        let period = interval.duration(Duration::from_millis(1));
        when.interval = Some((interval, period.unwrap_or(Duration::from_secs(1))));
        object.finish();
        return when;
    }
    if let (Some(_), Some(each)) = (&once, &each) {
        each.refuse("stands beside \"once\", which excludes \"each\"", "want one of the two");
        when.wrong = true;
    }
    let text = |field: Field<'a>| field.string().map(|text| (field, text));
    let asked = (source.is_some(), once.is_some() || each.is_some());
    when.source = source.and_then(text);
    let event = once.map(|field| (field, Frequency::Once));
    let event = event.or(each.map(|field| (field, Frequency::Each)));
    when.event = event.and_then(|(field, frequency)| {
        let name = field.string()?;
        Some((field, name, frequency))
    });
    // What was asked for and is no string has been reported.
    when.wrong |= asked != (when.source.is_some(), when.event.is_some());
    when.timeout = timeout.and_then(|field| field.timeout());
    object.finish();
    when
}

/// The names that a `when` can refer to, in the order of the file.
pub(super) struct Names<'a> {
    pub(super) jobs: Vec<&'a str>,
    pub(super) watches: Vec<&'a str>,
}

impl RawWhen<'_> {
    /// What the job waits for; what cannot be resolved is reported.
    pub(super) fn resolve(&self, names: &Names<'_>) -> When {
        let startup = Trigger::Global(GlobalEvent::Startup);
        if let Some((_, interval)) = self.interval {
            return When::Every { interval, after: startup };
        }
        let once = When::On { trigger: startup, frequency: Frequency::Once, timeout: None };
        if self.wrong {
            return once;
        }
        let signal = self.source.as_ref().and_then(|(_, name)| signal(name));
        let (trigger, frequency) = match (signal, &self.event) {
            (Some(signal), event) => {
                if let Some((field, _, Frequency::Once)) = event {
                    field.warn("is ignored: a signal has no events, and each one counts");
                }
                (Some(Trigger::Signal(signal)), Frequency::Each)
            }
            (None, Some((field, event, frequency))) => {
                (self.trigger(field, event, names), *frequency)
            }
            (None, None) => {
                if let Some((field, source)) = &self.source
                    && names.find(field, source).is_some()
                {
                    let rule = "want \"once\" or \"each\" with the name of an event beside it";
                    field.refuse("is a source without an event", rule);
                }
                (Some(startup), Frequency::Once)
            }
        };
        match trigger {
            Some(trigger) => When::On { trigger, frequency, timeout: self.timeout },
            None => once,
        }
    }

    fn trigger(&self, field: &Field<'_>, event: &str, names: &Names<'_>) -> Option<Trigger> {
        let Some((source_field, source)) = &self.source else {
            return global(field, event, &names.jobs);
        };
        match names.find(source_field, source)? {
            Source::Global => global(field, event, &[]),
            Source::Watch(watch) => {
                let event = choose(field, event, "a watch", &WATCH_EVENTS)?;
                Some(Trigger::Watch(watch, event))
            }
            Source::Job(job) => {
                let event = choose(field, event, "a job", &JOB_EVENTS)?;
                Some(Trigger::Job(job, event))
            }
        }
    }
}

/// What a source's name means.
enum Source {
    Global,
    Job(JobId),
    Watch(WatchId),
}

impl Names<'_> {
    /// The source of that name. If there is none, that is reported.
    fn find(&self, field: &Field<'_>, source: &str) -> Option<Source> {
        if let Some(job) = self.jobs.iter().position(|job| *job == source) {
            return Some(Source::Job(JobId(job)));
        }
        if source == "global" {
            return Some(Source::Global);
        }
        if let Some(name) = source.strip_prefix("watch.") {
            let watch = self.watches.iter().position(|watch| *watch == name);
            if watch.is_none() {
                let watches = self.watches.iter().map(|name| format!("watch.{name}"));
                let known: Vec<String> = watches.collect();
                field.refuse("names no watch", known_names(source, "watches", &known));
            }
            return watch.map(|watch| Source::Watch(WatchId(watch)));
        }
        if self.watches.contains(&source) {
            field.refuse("names no job", format!("did you mean \"watch.{source}\"?"));
            return None;
        }
        let named = self.jobs.iter().filter(|name| !name.is_empty());
        let known: Vec<String> = named.map(|&name| name.to_owned()).collect();
        field.refuse("names no job", known_names(source, "jobs", &known));
        None
    }
}

/// An event of the program. If it is one of jobs, a source is missing.
fn global(field: &Field<'_>, event: &str, jobs: &[&str]) -> Option<Trigger> {
    let is_job_event = JOB_EVENTS.iter().any(|(name, _)| *name == event) || event == "changed";
    if is_job_event {
        let rule = match jobs.iter().find(|name| !name.is_empty()) {
            Some(job) => format!("want a \"source\" beside it, like \"{job}\""),
            None => "want a job or a watch as its \"source\"".into(),
        };
        field.refuse("is not an event of the program itself", rule);
        return None;
    }
    choose(field, event, "the program", &GLOBAL_EVENTS).map(Trigger::Global)
}

fn signal(source: &str) -> Option<SignalEvent> {
    match source {
        "SIGHUP" => Some(SignalEvent::Hup),
        "SIGUSR2" => Some(SignalEvent::Usr2),
        _ => None,
    }
}

/// `did you mean …?`, or all there are.
fn known_names(name: &str, what: &str, known: &[String]) -> String {
    let there_are = match known {
        [] => format!("there are no {what}"),
        known => format!("the {what} are {}", known.join(", ")),
    };
    match did_you_mean(
        name,
        known.iter().map(String::as_str).chain(["SIGHUP", "SIGUSR2", "global"]),
    ) {
        Some(meant) => format!("{meant} {there_are}"),
        None => there_are,
    }
}

fn choose<T: Copy>(field: &Field<'_>, event: &str, of: &str, events: &[(&str, T)]) -> Option<T> {
    let found = events.iter().find(|(name, _)| *name == event);
    if found.is_none() {
        let names: Vec<&str> = events.iter().map(|(name, _)| *name).collect();
        let want = format!("want {}", one_of(&names));
        let rule = did_you_mean(event, names).unwrap_or(want);
        field.refuse(&format!("is not an event of {of}"), rule);
    }
    found.map(|(_, event)| *event)
}
