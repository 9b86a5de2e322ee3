//! 3.x jobs as the program's.

use super::{
    file::{File, RawJob},
    when::Names,
};
use crate::{
    decode::Report,
    job::{
        Announce, Backoff, Exec, Frequency, Job, JobEvent, KillAfter, Restarts, Role, Stop,
        StopAfter, StopTarget, Trigger, When,
    },
    variable::pid_variable,
};

pub(super) fn translate(file: &File<'_>, report: &Report<'_>) -> Vec<Job> {
    let names = Names {
        jobs: file.jobs.iter().map(|job| job.name.as_str()).collect(),
        watches: file.watches.iter().map(|watch| watch.name.as_str()).collect(),
    };
    let jobs: Vec<Job> = file.jobs.iter().map(|job| translated(job, file, &names)).collect();
    report_cycles(&jobs, file, report);
    for job in &jobs {
        if let When::On { trigger: Trigger::Job(source, event), .. } = job.when
            && let (JobEvent::Healthy | JobEvent::Unhealthy, Some(source)) =
                (event, jobs.get(source.0))
            && source.health.is_none()
        {
            report.warn(format!(
                "jobs ({}).when: never comes: \"{}\" has no health check",
                job.name, source.name
            ));
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
    let (interval, is_each) = match when {
        When::Every { interval, .. } => (Some(interval), false),
        When::On { frequency, .. } => (None, frequency == Frequency::Each),
    };
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
    let restarts_by_itself = restarts != Restarts::Never && interval.is_none();
    Job {
        name: raw.name.clone(),
        exec: raw.exec.clone().map(|command| Exec {
            command,
            streams: raw.streams,
            timeout: raw.timeout.or(interval),
            pid_variable: Some(pid_variable(&raw.name)),
        }),
        when,
        restarts,
        backoff: if restarts_by_itself { Backoff::Exponential } else { Backoff::None },
        health: raw.health.clone(),
        service: raw.service.clone(),
        stop: Stop {
            after: StopAfter::default(),
            hooks_timeout: Some(raw.stop_timeout.unwrap_or(file.stop_timeout)),
            kill_after: KillAfter::Deadline,
            target: StopTarget::Group,
            announce: Announce::Always,
        },
        role: Role::Ordinary,
    }
}

/// The job that must have run before this one can, if there is one. `stopping` and `stopped` do
/// not count: at the end they come from jobs that never ran too.
fn must_run_before(job: &Job) -> Option<usize> {
    match job.when {
        When::On { trigger: Trigger::Job(_, JobEvent::Stopping | JobEvent::Stopped), .. } => None,
        When::On { trigger: Trigger::Job(source, _), .. } => Some(source.0),
        _ => None,
    }
}

/// Jobs that wait for each other in a circle never start. Every job waits for one other at most,
/// so that following the sources finds every circle.
fn report_cycles(jobs: &[Job], file: &File<'_>, report: &Report<'_>) {
    // Jobs that are known to be in a circle, or to lead to something already followed.
    let mut followed = vec![false; jobs.len()];
    for start in 0..jobs.len() {
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
                    report.problem(&when.path, when.node.span, fault, rule);
                }
                break;
            }
            if followed.get(current).copied().unwrap_or(true) {
                break;
            }
            way.push(current);
            next = jobs.get(current).and_then(must_run_before);
        }
        for step in way {
            if let Some(mark) = followed.get_mut(step) {
                *mark = true;
            }
        }
    }
}
