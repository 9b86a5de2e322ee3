//! 3.x jobs as the program's.

use std::time::Duration;

use super::{
    file::{File, RawJob},
    order,
    sources::Names,
};
use crate::{
    decode::Report,
    job::{
        Announce, Backoff, Exec, Job, JobEvent, JobId, KillAfter, Need, OnFailure, Restarts, Stop,
        StopAfter, StopSignal, StopTarget, Trigger, When,
    },
    variable::pid_variable,
};

/// What hooks and drains leave of the time for a stop to processes (of a short one half).
const RESERVE: Duration = Duration::from_secs(2);

pub(super) fn translate(file: &File<'_>, report: &Report<'_>) -> Vec<Job> {
    let names = Names {
        jobs: file.jobs.iter().map(|job| job.name.as_str()).collect(),
        watches: file.watches.iter().map(|watch| watch.name.as_str()).collect(),
        elections: file.elections.iter().map(|election| election.name.as_str()).collect(),
        templates: file.templates.iter().map(|template| template.name.as_str()).collect(),
    };
    let mut jobs: Vec<Job> = file.jobs.iter().map(|job| translated(job, file, &names)).collect();
    stop_after(&mut jobs, file, &names);
    report_cycles(&jobs, file, report);
    for job in &jobs {
        for trigger in job.when.triggers() {
            if let Trigger::Job(source, JobEvent::Healthy | JobEvent::Unhealthy) = trigger
                && let Some(source) = jobs.get(source.0)
                && source.health.is_none()
            {
                report.warn(format!(
                    "jobs ({}).when: never comes: \"{}\" has no health check",
                    job.name, source.name
                ));
            }
        }
        if job.exec.is_none() && job.health.is_none() && job.service.is_none() {
            report.warn(format!(
                "jobs ({}): does nothing: it has neither exec, health nor port",
                job.name
            ));
        }
    }
    jobs
}

fn translated(raw: &RawJob<'_>, file: &File<'_>, names: &Names<'_>) -> Job {
    let when = raw.when.resolve(names);
    let interval = match when {
        When::Every { interval, .. } => Some(interval),
        When::On { .. } => None,
    };
    let is_each = when.repeats();
    let restarts = match &raw.restarts {
        Some((field, Restarts::Unlimited)) if is_each => {
            let rule = "want a number or \"never\": every event starts the job anew";
            field.refuse("cannot stand beside \"each\", nor a signal", rule);
            Restarts::Never
        }
        Some((_, restarts)) => *restarts,
        None if interval.is_some() => Restarts::Unlimited,
        None => Restarts::Never,
    };
    let after_a_check =
        raw.health.as_ref().is_some_and(|health| health.on_failure == OnFailure::Restart);
    let restarts_by_itself = (restarts != Restarts::Never || after_a_check) && interval.is_none();
    let backoff = match &raw.backoff {
        Some((field, Backoff::Exponential)) if !restarts_by_itself => {
            field.warn("is not used: the job does not restart by itself");
            Backoff::None
        }
        Some((_, backoff)) => *backoff,
        None if restarts_by_itself => Backoff::Exponential,
        None => Backoff::None,
    };
    let room = file.stop_timeout.saturating_sub(RESERVE).max(file.stop_timeout / 2);
    if let Some((field, drain)) = &raw.drain
        && drain.time > room
    {
        let whole = file.stop_timeout;
        let fault = format!("is more than the {room:?} that a stop of {whole:?} has for it");
        field.refuse(&fault, "want less, or more as the file's \"stopTimeout\"");
    }
    Job {
        name: raw.name.clone(),
        exec: raw.exec.clone().map(|command| Exec {
            command,
            streams: raw.streams,
            timeout: raw.timeout.or(interval),
            pid_variable: Some(pid_variable(&raw.name)),
        }),
        surroundings: raw.surroundings.clone(),
        when,
        restarts,
        backoff,
        health: raw.health.clone(),
        service: raw.service.clone(),
        stop: Stop {
            after: StopAfter::default(),
            hooks_timeout: Some(raw.stop_timeout.unwrap_or(file.stop_timeout)),
            kill_after: KillAfter::Deadline,
            signal: raw.stop_signal.unwrap_or(StopSignal::Term),
            target: StopTarget::Group,
            announce: Announce::Always,
            drain: raw.drain.as_ref().map(|(_, drain)| *drain),
        },
        role: raw.role,
    }
}

/// A drain is for the sake of a process: the job's own, or that of one which stops after it.
pub(super) fn report_idle_drains(jobs: &[Job], report: &Report<'_>) {
    for (index, job) in jobs.iter().enumerate() {
        let waits = |other: &Job| other.stop.after.stopped.contains(&JobId(index));
        if job.stop.drain.is_some() && job.exec.is_none() && !jobs.iter().any(waits) {
            report.warn(format!(
                "jobs ({}).drain: is for nothing: the job has no exec, and no other has it in its \
                 stopAfter",
                job.name
            ));
        }
    }
}

/// `stopAfter`.
fn stop_after(jobs: &mut [Job], file: &File<'_>, names: &Names<'_>) {
    let mut pairs = Vec::new();
    for (index, raw) in file.jobs.iter().enumerate() {
        for (field, name) in &raw.stop_after {
            pairs.extend(names.job(field, name).map(|before| (index, before, field)));
        }
    }
    let add = |jobs: &mut [Job], index: usize, before: JobId| {
        if let Some(job) = jobs.get_mut(index)
            && !job.stop.after.stopped.contains(&before)
        {
            job.stop.after.stopped.push(before);
        }
    };
    pairs.iter().for_each(|(index, before, _)| add(jobs, *index, *before));
    if pairs.is_empty() || !order::has_circle(jobs) {
        return;
    }
    // Once more, to find the ones that close a circle.
    jobs.iter_mut().for_each(|job| job.stop.after.stopped.clear());
    for (index, before, field) in pairs {
        if order::ends_after(jobs, before.0, index) {
            let rule = "want one of them to stop first";
            field.refuse("stops after this job itself, or waits for its end", rule);
        } else {
            add(jobs, index, before);
        }
    }
}

/// Whether each job can start, as far as that depends on other jobs. `stopping` and `stopped` do
/// not: at the end they come from jobs that never ran too.
fn startable(jobs: &[Job]) -> Vec<bool> {
    let mut startable = vec![false; jobs.len()];
    // What waits for whom, so that a long chain is not gone through again for every link.
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); jobs.len()];
    for (index, job) in jobs.iter().enumerate() {
        for source in job.when.triggers().filter_map(must_run_before) {
            if let Some(waiting) = waiting.get_mut(source) {
                waiting.push(index);
            }
        }
    }
    let mut open: Vec<usize> = (0..jobs.len()).collect();
    while let Some(index) = open.pop() {
        let Some(job) = jobs.get(index).filter(|_| startable.get(index) == Some(&false)) else {
            continue;
        };
        let mut comes = job.when.triggers().map(|trigger| {
            must_run_before(trigger).is_none_or(|source| startable.get(source) == Some(&true))
        });
        let starts = match job.when {
            When::On { need: Need::Any, .. } => comes.any(|comes| comes),
            When::On { need: Need::All, .. } | When::Every { .. } => comes.all(|comes| comes),
        };
        if starts {
            if let Some(mark) = startable.get_mut(index) {
                *mark = true;
            }
            open.extend(waiting.get(index).into_iter().flatten());
        }
    }
    startable
}

/// The job that must have run before this event can come.
fn must_run_before(trigger: Trigger) -> Option<usize> {
    match trigger {
        Trigger::Job(_, JobEvent::Stopping | JobEvent::Stopped) => None,
        Trigger::Job(source, _) => Some(source.0),
        _ => None,
    }
}

/// `name`, or, if a job has it already, that with a number.
pub(super) fn unused_name(jobs: &[Job], name: &str) -> String {
    let mut names = crate::decode::name::Names::default();
    for job in jobs {
        names.take(&job.name);
    }
    names.unique(name)
}

/// Jobs that wait for each other in a circle never start, nor does what waits for them. Each of
/// those waits for another one that never starts; following these finds every circle.
fn report_cycles(jobs: &[Job], file: &File<'_>, report: &Report<'_>) {
    let startable = startable(jobs);
    let never_starts = |index: &usize| startable.get(*index) == Some(&false);
    // Jobs that are known to be in a circle, or to lead to something already followed.
    let mut followed = vec![false; jobs.len()];
    for start in (0..jobs.len()).filter(never_starts) {
        let mut way: Vec<usize> = Vec::new();
        let mut next = Some(start);
        while let Some(current) = next {
            if let Some(first) = way.iter().position(|step| *step == current) {
                let circle = way.iter().skip(first).chain([&current]);
                let name = |step: &usize| jobs.get(*step).map_or("", |job| &job.name);
                let names: Vec<&str> = circle.map(name).collect();
                let fault =
                    format!("jobs that wait for each other never start: {}", names.join(" -> "));
                // Every job in a circle has a `when`.
                if let Some(when) = file.jobs.get(current).and_then(|job| job.when.field.as_ref()) {
                    let rule = "want one of them to wait for something else";
                    report.problem(&when.path(), when.node.span, fault, rule);
                }
                break;
            }
            if followed.get(current).copied().unwrap_or(true) {
                break;
            }
            way.push(current);
            let triggers = jobs.get(current).into_iter().flat_map(|job| job.when.triggers());
            next = triggers.filter_map(must_run_before).find(never_starts);
        }
        for step in way {
            if let Some(mark) = followed.get_mut(step) {
                *mark = true;
            }
        }
    }
}
