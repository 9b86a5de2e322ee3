//! Which job stops after which.
//!
//! The file of a 3.x user says what starts after what, and nothing about the end, where all
//! groups get their SIGTERM at once. Two things go wrong then, and both can be told from the file:
//! a job loses another one that it depends on (it waited for its health), and a deregistration
//! loses the catalog's agent, if that is one of our own jobs. So dependencies stop after their
//! dependents, and what may be the agent stops when all services are out of the catalog.

use crate::{
    catalog::{Catalog, ConsulAddress},
    job::{GlobalEvent, Job, JobEvent, JobId, Trigger, When},
};

/// Fills in every job's [`crate::job::StopAfter`].
pub(super) fn decide(jobs: &mut [Job], catalog: Option<&Catalog>) {
    for dependent in 0..jobs.len() {
        let Some(dependency) = jobs.get(dependent).and_then(depends_on) else { continue };
        // A circle would be one job waiting for itself in the end.
        if !stops_after(jobs, dependent, dependency)
            && let Some(job) = jobs.get_mut(dependency)
        {
            job.stop.after.stopped.push(JobId(dependent));
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

/// The job whose health this one waited for.
fn depends_on(job: &Job) -> Option<usize> {
    match job.when {
        When::On {
            trigger: Trigger::Job(source, JobEvent::Healthy | JobEvent::Unhealthy), ..
        } => Some(source.0),
        _ => None,
    }
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

/// Whether the job is one of those that run while others stop.
fn runs_at_the_end(job: &Job) -> bool {
    let When::On { trigger, .. } = job.when else { return false };
    matches!(
        trigger,
        Trigger::Global(GlobalEvent::Shutdown)
            | Trigger::Job(_, JobEvent::Stopping | JobEvent::Stopped)
    )
}

/// Whether the catalog is on this host, so that its agent may be one of our jobs.
fn is_local(catalog: &Catalog) -> bool {
    match catalog {
        Catalog::Consul(consul) => match &consul.address {
            ConsulAddress::Unix(_) => true,
            ConsulAddress::Http { host, .. } | ConsulAddress::Https { host, .. } => {
                is_loopback(host)
            }
        },
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
