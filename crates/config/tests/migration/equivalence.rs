//! Whether a migrated file does what the older one did.

use std::collections::BTreeSet;

use config::{
    Command, Config, Generation, Job,
    job::{
        Announce, Health, JobId, KillAfter, Need, Probe, Role, StopSignal, StopTarget, Streams,
        Trigger, WatchEvent, When,
    },
    watch::Subject,
};

/// Both as they must be equal. What may differ, and why:
///
/// - the generation, the warnings; the control socket if 2.x has none; the program's stopTimeout:
///   3.x has a time for all of a stop in place of one for each job;
/// - names of jobs that 2.x gives in other ways (`db.onChange`, `consul[2]`, `application`);
/// - the ids of checks, which begin with `service:` in 3.x;
/// - stderr at INFO instead of DEBUG; `Raw` instead of `Inherit`: stdin is empty;
/// - variables with the pids of commands that have none in 2.x;
/// - the timeout of a check or a sensor that has none: the ttl, the interval;
/// - who gets the stop signal, when `stopping` is published, how long hooks are waited for, when
///   SIGKILL follows (but at once is SIGKILL as the signal);
/// - what stops after what, if it is the same by way of others, or stricter because the catalog is
///   on this host;
/// - the role of `postStop`;
/// - watches that begin at once, and one for two equal ones: with `preStart` their jobs wait for
///   both;
/// - since when the metrics' endpoint is advertised;
/// - sensors, which 3.x does not have: commands that post a metric.
pub(super) fn assert_equivalent(old: &Config, new: &Config, context: &str) {
    assert_eq!((old.generation, new.generation), (Generation::V2, Generation::V3));
    assert_eq!(old.catalog, new.catalog, "{context}");
    assert_eq!(old.logging, new.logging, "{context}");
    if old.control.is_some() {
        assert_eq!(old.control, new.control, "{context}");
    }
    assert_eq!(old.jobs.len(), new.jobs.len(), "{context}");
    for (index, (old_job, new_job)) in old.jobs.iter().zip(&new.jobs).enumerate() {
        assert_eq!(normal(old, index, old_job), normal(new, index, new_job), "{context}");
        assert!(check(old_job) == check(new_job), "{context}");
        assert_end(old, new, index, context);
        let variable = |job: &Job| job.exec.as_ref().and_then(|exec| exec.pid_variable.clone());
        if let Some(old) = variable(old_job) {
            assert_eq!(Some(old), variable(new_job), "{context}");
        }
    }
    let watched = |config: &Config| -> BTreeSet<_> {
        let names = config.watches.iter().map(|watch| match &watch.subject {
            Subject::Service(query) => {
                (watch.name.clone(), query.service.clone(), query.tag.clone())
            }
            Subject::Key(_) | Subject::Keys(_) => panic!("a key in a 2.x file"),
        });
        names.collect()
    };
    assert_eq!(watched(old), watched(new), "{context}");
    let telemetry = |config: &Config| {
        let telemetry = config.telemetry.clone()?;
        let metrics = telemetry
            .metrics
            .into_iter()
            .map(|metric| (metric.name, metric.help, format!("{:?}", metric.kind)));
        Some((telemetry.listen, telemetry.job, metrics.collect::<Vec<_>>()))
    };
    assert_eq!(telemetry(old), telemetry(new), "{context}");
}

/// A job without what may differ, as text, for `Debug` shows little of it.
fn normal(config: &Config, index: usize, job: &Job) -> Vec<String> {
    let sensor = sensor(config, job);
    let mut parts = Vec::new();
    if let Some(exec) = &job.exec {
        let Command { program, args } = &exec.command;
        let words: Vec<String> = std::iter::once(program).chain(args).cloned().collect();
        let (words, timeout) = match (&sensor, &job.when) {
            (Some(command), When::Every { interval, .. }) => {
                (command.clone(), exec.timeout.unwrap_or(*interval))
            }
            _ => (words, exec.timeout.unwrap_or_default()),
        };
        parts.push(format!("exec {words:?} {timeout:?}"));
        let streams = match exec.streams {
            Streams::Inherit | Streams::Raw => "raw".into(),
            Streams::Logged { stdout, lines, .. } => format!("{stdout:?} {lines:?}"),
        };
        parts.push(format!("streams {streams}"));
    }
    if job.role != Role::Companion {
        parts.push(format!("when {}", when(config, &job.when)));
    }
    parts.push(format!("restarts {:?} {:?}", job.restarts, job.backoff));
    let role = if job.role == Role::Override { Role::Ordinary } else { job.role };
    parts.push(format!("role {role:?}"));
    if let Some(health) = &job.health {
        let command = health.command().map(|command| (&command.program, &command.args));
        let ttl = job.service.as_ref().map(|service| service.ttl).unwrap_or_default();
        let timeout = match command {
            Some(_) => health.timeout.unwrap_or(ttl),
            None => ttl,
        };
        parts.push(format!("health {command:?} {:?} {timeout:?}", health.interval));
    }
    if let Some(service) = &job.service {
        let check = service.check_id.strip_prefix("service:").unwrap_or(&service.check_id);
        parts.push(format!(
            "service {} {} {check} {} {} {:?} {:?} {:?} {:?} {} {:?}",
            service.name,
            service.id,
            service.address,
            service.port,
            service.tags,
            service.meta,
            service.ttl,
            service.initial_status,
            service.enable_tag_override,
            service.deregister_critical_after
        ));
    }
    let signal = match job.stop.kill_after {
        KillAfter::AtOnce => StopSignal::Kill,
        KillAfter::After(_) | KillAfter::Deadline => job.stop.signal,
    };
    parts.push(format!("signal {signal:?} {index}"));
    parts.push(format!("drain {:?}", job.stop.drain));
    if config.generation == Generation::V3 && job.role != Role::Companion {
        assert_eq!((job.stop.target, job.stop.announce), (StopTarget::Group, Announce::Always));
    }
    parts
}

/// The command behind a sensor, in both forms.
fn sensor(config: &Config, job: &Job) -> Option<Vec<String>> {
    let command = &job.exec.as_ref()?.command;
    let whole: Vec<String> =
        std::iter::once(&command.program).chain(&command.args).cloned().collect();
    if config.generation == Generation::V2 {
        let id = config.jobs.iter().position(|other| std::ptr::eq(other, job)).map(JobId);
        let telemetry = config.telemetry.as_ref()?;
        let metric = telemetry.metrics.iter().find(|metric| metric.sensor == id)?;
        return Some([vec![metric.name.clone()], whole].concat());
    }
    let [sh, c, script, sensor, check @ ..] = whole.as_slice() else { return None };
    if [sh.as_str(), c, sensor] != ["sh", "-c", "sensor"] {
        return None;
    }
    let metric = script.split("-putmetric \"").nth(1)?.strip_suffix("=$value\"")?;
    // As the shell does it.
    let check = if script.contains("exec $1") {
        check.iter().flat_map(|word| word.split_whitespace()).map(str::to_owned).collect()
    } else {
        check.to_vec()
    };
    Some([vec![metric.to_owned()], check].concat())
}

fn when(config: &Config, when: &When) -> String {
    match when {
        When::Every { .. } => format!("{when:?}"),
        When::On { need, conditions, timeout } => {
            let mut shown: Vec<String> = Vec::new();
            for condition in conditions {
                let trigger = match condition.trigger {
                    Trigger::Watch(watch, event) => {
                        let watch = &config.watches[watch.0];
                        if watch.after != Trigger::Global(config::job::GlobalEvent::Startup) {
                            shown.push(format!("{:?} Once", watch.after));
                        }
                        assert_eq!(event, WatchEvent::Changed);
                        format!("watch {}", watch.name)
                    }
                    trigger => format!("{trigger:?}"),
                };
                shown.push(format!("{trigger} {:?}", condition.frequency));
            }
            // Several tags of one name are one source in 3.x.
            shown.dedup();
            let need = if shown.len() > 1 { *need } else { Need::Any };
            let need = if config.generation == Generation::V2 && shown.len() > 1 {
                Need::All
            } else {
                need
            };
            format!("{need:?} {shown:?} {timeout:?}")
        }
    }
}

/// What stops before a job, by way of others too; services count as jobs that stop when they are
/// out of the catalog.
fn before(config: &Config, index: usize) -> BTreeSet<usize> {
    let mut before = BTreeSet::new();
    let mut open = vec![index];
    while let Some(index) = open.pop() {
        let after = &config.jobs[index].stop.after;
        let advertised = config.jobs.iter().enumerate().filter(|(_, job)| {
            after.deregistered && job.service.is_some() && job.role != Role::Companion
        });
        let advertised = advertised.map(|(index, _)| index);
        for next in advertised.chain(after.stopped.iter().map(|id| id.0)) {
            if before.insert(next) {
                open.push(next);
            }
        }
    }
    before
}

/// A check without what may differ.
fn check(job: &Job) -> Option<Health> {
    let mut health = job.health.clone()?;
    health.streams = Streams::Raw;
    if let Probe::Always | Probe::Exec(_) = health.probe {
        // It is among the parts that are compared as text.
        health.timeout = None;
    }
    Some(health)
}

fn assert_end(old: &Config, new: &Config, index: usize, context: &str) {
    let (was, is) = (before(old, index), before(new, index));
    assert!(is.is_superset(&was), "job {index} stops after {is:?}, not {was:?}: {context}");
    let stricter = new.jobs[index].stop.after.deregistered;
    assert!(stricter || is == was, "job {index} stops after {is:?}, not {was:?}: {context}");
}
