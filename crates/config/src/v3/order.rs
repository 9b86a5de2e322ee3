//! Which job stops after which.
//!
//! The file of a 3.x user says what starts after what, and nothing about the end, where all
//! groups get their SIGTERM at once. Two things go wrong then, and both can be told from the file:
//! a job loses another one that it depends on (it waited for its health), and a deregistration
//! loses the catalog's agent, if that is one of our own jobs. So dependencies stop after their
//! dependents, and what may be the agent stops when all services are out of the catalog. What the
//! file does say (`stopAfter`) stands already when these are decided, and wins.

use crate::{
    catalog::{Catalog, ConsulAddress},
    job::{Job, JobEvent, JobId, Trigger},
};

/// Fills in every job's [`crate::job::StopAfter`].
pub(super) fn decide(jobs: &mut [Job], catalog: Option<&Catalog>) {
    for dependent in 0..jobs.len() {
        for dependency in jobs.get(dependent).map_or_else(Vec::new, depends_on) {
            // A circle would be one job waiting for itself in the end.
            if !stops_after(jobs, dependent, dependency)
                && let Some(job) = jobs.get_mut(dependency)
            {
                job.stop.after.stopped.push(JobId(dependent));
            }
        }
    }
    if !catalog.is_some_and(is_local) {
        return;
    }
    let advertised: Vec<usize> = (0..jobs.len())
        .filter(|index| jobs.get(*index).is_some_and(|job| job.service.is_some()))
        .collect();
    for index in 0..jobs.len() {
        // A job that a service waits for before it leaves the catalog cannot wait for that.
        let needed = advertised.iter().any(|service| stops_after(jobs, *service, index));
        if let Some(job) = jobs.get_mut(index)
            && job.exec.is_some()
            && job.service.is_none()
            && !needed
            && !runs_at_the_end(job)
        {
            job.stop.after.deregistered = true;
        }
    }
}

/// The jobs whose health this one waited for.
fn depends_on(job: &Job) -> Vec<usize> {
    let source = |trigger| match trigger {
        Trigger::Job(source, JobEvent::Healthy | JobEvent::Unhealthy) => Some(source.0),
        _ => None,
    };
    job.when.triggers().filter_map(source).collect()
}

/// Whether `first` stops after `second`, directly or by way of others, or is the same.
fn stops_after(jobs: &[Job], first: usize, second: usize) -> bool {
    let mut seen = vec![first];
    let mut next = 0;
    while let Some(current) = seen.get(next).copied() {
        if current == second {
            return true;
        }
        next += 1;
        for JobId(other) in jobs.get(current).map_or(&[][..], |job| &job.stop.after.stopped) {
            if !seen.contains(other) {
                seen.push(*other);
            }
        }
    }
    false
}

/// Whether the end of `first` must wait for `second` to begin to stop: directly, by way of others,
/// or of jobs that run on others' ends.
pub(super) fn ends_after(jobs: &[Job], first: usize, second: usize) -> bool {
    let mut seen = vec![false; 2 * jobs.len()];
    let mut open = vec![Moment::IsOver(first)];
    while let Some(moment) = open.pop() {
        let Some(seen) = seen.get_mut(moment.index()).filter(|seen| !**seen) else { continue };
        *seen = true;
        if matches!(moment, Moment::Begins(index) if index == second) {
            return true;
        }
        open.extend(moment.follows(jobs));
    }
    false
}

/// Whether any end waits for itself.
pub(super) fn has_circle(jobs: &[Job]) -> bool {
    let moments = || (0..jobs.len()).flat_map(|job| [Moment::Begins(job), Moment::IsOver(job)]);
    // How many moments follow each; those that none follows are taken away until none is left.
    let mut followers = vec![0_usize; 2 * jobs.len()];
    for earlier in moments().flat_map(|moment| moment.follows(jobs)) {
        if let Some(count) = followers.get_mut(earlier.index()) {
            *count += 1;
        }
    }
    let is_last = |moment: &Moment| followers.get(moment.index()) == Some(&0);
    let mut open: Vec<Moment> = moments().filter(is_last).collect();
    let mut left = 2 * jobs.len();
    while let Some(moment) = open.pop() {
        left -= 1;
        for earlier in moment.follows(jobs) {
            if let Some(count) = followers.get_mut(earlier.index()) {
                *count -= 1;
                if *count == 0 {
                    open.push(earlier);
                }
            }
        }
    }
    left > 0
}

/// A moment of a job's stop.
#[derive(Clone, Copy)]
enum Moment {
    Begins(usize),
    IsOver(usize),
}

impl Moment {
    fn index(self) -> usize {
        match self {
            Moment::Begins(job) => 2 * job,
            Moment::IsOver(job) => 2 * job + 1,
        }
    }

    /// What must have come before.
    fn follows(self, jobs: &[Job]) -> Vec<Moment> {
        match self {
            Moment::Begins(index) => {
                let after = jobs.get(index).map_or(&[][..], |job| &job.stop.after.stopped);
                after.iter().map(|JobId(other)| Moment::IsOver(*other)).collect()
            }
            Moment::IsOver(index) => {
                // One that runs on an end is over after that.
                let triggers = jobs.get(index).into_iter().flat_map(|job| job.when.triggers());
                let ends = triggers.filter_map(|trigger| match trigger {
                    Trigger::Job(JobId(of), JobEvent::Stopping) => Some(Moment::Begins(of)),
                    Trigger::Job(JobId(of), JobEvent::Stopped) => Some(Moment::IsOver(of)),
                    _ => None,
                });
                std::iter::once(Moment::Begins(index)).chain(ends).collect()
            }
        }
    }
}

/// Whether the job is one of those that run while others stop.
fn runs_at_the_end(job: &Job) -> bool {
    job.when.triggers().any(Trigger::is_of_the_end)
}

/// Whether the catalog is on this host, so that its agent may be one of our jobs.
fn is_local(catalog: &Catalog) -> bool {
    match catalog {
        Catalog::Consul(consul) => consul.addresses.iter().any(|address| match address {
            ConsulAddress::Unix(_) => true,
            ConsulAddress::Http { host, .. } | ConsulAddress::Https { host, .. } => {
                is_loopback(host)
            }
        }),
        Catalog::Etcd(etcd) => etcd.endpoints.iter().any(|endpoint| {
            let authority = endpoint.split_once("://").map_or(endpoint.as_str(), |(_, rest)| rest);
            let host = match authority.strip_prefix('[') {
                Some(rest) => rest.split(']').next(),
                None => authority.split(':').next(),
            };
            host.is_some_and(is_loopback)
        }),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
