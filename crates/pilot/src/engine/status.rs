//! What is going on, for those who ask: `GET /v3/status` on the control socket and `/status` of the
//! metrics endpoint.

use std::time::{Duration, Instant, SystemTime};

use config::{
    Generation,
    election::ElectionId,
    job::{JobEvent, JobId, Need, TemplateEvent, Trigger, When},
    watch::{Subject, WatchId},
};
use control::wire;
use process::{ExitStatus, timestamp};
use serde_json::{Value, json};

use super::{Engine, watches::Seen};
use crate::{
    event,
    machine::{Candidate, JobView, Maintenance, State},
};

impl Engine {
    /// All of it.
    pub(super) fn status(&self) -> wire::Status {
        let clock = self.clock.checked();
        let config = self.machine.config();
        wire::Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: self.generation,
            pid: std::process::id().cast_signed(),
            since: clock.text(self.started),
            config: match config.generation {
                Generation::V2 => "1.x/2.x".to_owned(),
                Generation::V3 => "3.x".to_owned(),
            },
            maintenance: self.machine.maintenance() == Maintenance::On,
            stopping: self.machine.is_stopping(),
            catalog: self.discovery.connection().map(|connection| wire::CatalogStatus {
                name: connection.name,
                reachable: connection.outage.is_none(),
                outage: connection.outage,
                since: clock.text(connection.since),
            }),
            jobs: (0..config.jobs.len())
                .filter_map(|index| self.job_status(JobId(index), &clock))
                .collect(),
            watches: (0..config.watches.len())
                .filter_map(|index| self.watch_status(WatchId(index)))
                .collect(),
            elections: (0..config.elections.len())
                .filter_map(|index| self.election_status(ElectionId(index), &clock))
                .collect(),
            templates: self.templates.status(|at| clock.text(at)),
        }
    }

    fn job_status(&self, id: JobId, clock: &Clock) -> Option<wire::JobStatus> {
        let job = self.machine.config().jobs.get(id.0)?;
        let view = self.machine.view(id)?;
        Some(wire::JobStatus {
            name: job.name.clone(),
            state: state(&view, job),
            waiting_for: (view.state == State::Waiting).then(|| self.awaited(id)),
            pid: self.children.pid(id).map(process::Pid::as_raw),
            since: clock.text(view.since),
            restarts: view.restarts,
            last_exit: view.last_exit.map(|(status, at)| last_exit(status, clock.text(at))),
            health: job.health.as_ref().map(|_| wire::HealthStatus {
                status: health(&view),
                since: clock.text(view.health.map_or(view.since, |(_, since)| since)),
                output: self.children.said(id),
            }),
            service: job.service.as_ref().map(|service| wire::ServiceStatus {
                name: service.name.clone(),
                id: service.id.clone(),
                address: service.address.to_string(),
                port: service.port,
                registered: self.discovery.is_registered(id),
            }),
        })
    }

    /// What a job still waits for, in the words of a file.
    pub(super) fn awaited(&self, id: JobId) -> String {
        let config = self.machine.config();
        let events = self.machine.awaited(id).into_iter();
        let describe = |event| {
            let words = event::describe(event, config);
            match event {
                Trigger::Template(id, TemplateEvent::Changed) => {
                    let obstacle = self.templates.obstacle(id).map(|why| format!(" (which {why})"));
                    words + &obstacle.unwrap_or_default()
                }
                _ => words,
            }
        };
        let events: Vec<String> = events.map(describe).collect();
        let when = config.jobs.get(id.0).map(|job| &job.when);
        let all = matches!(when, Some(When::On { need: Need::All, .. }));
        events.join(if all { " and " } else { " or " })
    }

    fn watch_status(&self, id: WatchId) -> Option<wire::WatchStatus> {
        let watch = self.machine.config().watches.get(id.0)?;
        let mut status = wire::WatchStatus {
            name: watch.name.clone(),
            dc: watch.datacenter.clone(),
            ..wire::WatchStatus::default()
        };
        match &watch.subject {
            Subject::Service(query) => {
                status.service.clone_from(&query.service);
                status.tag.clone_from(&query.tag);
            }
            Subject::Key(key) => status.key = Some(key.clone()),
            Subject::Keys(prefix) => status.key_prefix = Some(prefix.clone()),
        }
        match self.discovery.watches.seen(id) {
            Some(Seen::Instances(instances)) => {
                let instance = |instance: &catalog::Instance| wire::InstanceStatus {
                    id: instance.id.clone(),
                    address: instance.address.clone(),
                    port: instance.port,
                };
                status.instances = instances.iter().map(instance).collect();
            }
            // Values may be secret.
            Some(Seen::Entries(entries)) => {
                status.keys = entries.iter().map(|entry| entry.key.clone()).collect();
            }
            None => {}
        }
        Some(status)
    }

    fn election_status(&self, id: ElectionId, clock: &Clock) -> Option<wire::ElectionStatus> {
        let election = self.machine.config().elections.get(id.0)?;
        let standing = self.discovery.standing(id);
        let standing = standing.as_ref();
        Some(wire::ElectionStatus {
            name: election.name.clone(),
            state: match self.machine.candidacy(id) {
                Candidate::Leading => wire::ElectionState::Leading,
                Candidate::Standing => wire::ElectionState::Following,
                Candidate::Leaving => wire::ElectionState::Leaving,
                Candidate::Out => wire::ElectionState::Out,
            },
            leader: standing.and_then(|standing| standing.leader.clone()),
            token: standing.and_then(|standing| standing.token),
            since: clock.text(standing.map_or(self.started, |standing| standing.since)),
            service: election.service.as_ref().map(|service| wire::ServiceStatus {
                name: service.name.clone(),
                id: service.id.clone(),
                address: service.address.to_string(),
                port: service.port,
                registered: standing.is_some_and(|standing| standing.registered),
            }),
        })
    }

    /// The page of the metrics endpoint, with the names that the original's has.
    pub(super) fn status_page(&self) -> String {
        let status = self.status();
        let health = |job: &wire::JobStatus| match (&job.health, job.state) {
            _ if status.maintenance && job.service.is_some() => "maintenance",
            (Some(health), _) if health.status != wire::Health::Unknown => health.status.as_str(),
            (_, state) => state.as_str(),
        };
        let jobs: Vec<Value> = status
            .jobs
            .iter()
            .map(|job| match &job.service {
                Some(service) => json!({
                    "Name": job.name, "Address": service.address, "Port": service.port,
                    "Status": health(job),
                }),
                None => json!({ "Name": job.name, "Status": health(job) }),
            })
            .collect();
        let services: Vec<Value> = status
            .jobs
            .iter()
            .filter_map(|job| {
                let service = job.service.as_ref()?;
                Some(json!({
                    "Name": service.name, "Address": service.address, "Port": service.port,
                    "Status": health(job),
                }))
            })
            .collect();
        let watches: Vec<String> =
            status.watches.iter().map(|watch| format!("watch.{}", watch.name)).collect();
        let mut page = json!({
            "Version": status.version, "Jobs": jobs, "Services": services, "Watches": watches,
        });
        let election = |election: &wire::ElectionStatus| {
            json!({ "Name": election.name, "Status": election.state.as_str(),
                "Leader": election.leader })
        };
        if let Value::Object(page) = &mut page
            && !status.elections.is_empty()
        {
            let elections = status.elections.iter().map(election).collect();
            page.insert("Elections".to_owned(), elections);
        }
        page.to_string()
    }
}

fn state(view: &JobView, job: &config::Job) -> wire::JobState {
    match view.state {
        State::Waiting => wire::JobState::Waiting,
        State::Running => wire::JobState::Running,
        State::Backoff => wire::JobState::Backoff,
        // Without a process of its own it does what it is there for.
        State::Idle if job.exec.is_none() => wire::JobState::Running,
        State::Idle => wire::JobState::Idle,
        State::Draining => wire::JobState::Draining,
        State::Stopping => wire::JobState::Stopping,
        State::Completed => wire::JobState::Completed,
    }
}

fn health(view: &JobView) -> wire::Health {
    match view.health {
        Some((JobEvent::Healthy, _)) => wire::Health::Healthy,
        Some(_) => wire::Health::Unhealthy,
        None => wire::Health::Unknown,
    }
}

fn last_exit(status: ExitStatus, at: String) -> wire::LastExit {
    match status {
        ExitStatus::Code(code) => wire::LastExit { code: Some(code), signal: None, at },
        ExitStatus::Signal(number) => {
            let name = process::Signal::try_from(number)
                .map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned());
            wire::LastExit { code: None, signal: Some(name), at }
        }
    }
}

/// How far the clock on the wall may be from what we take it for, before we look anew: the same
/// moment should have the same time each time that somebody asks.
const DRIFT: Duration = Duration::from_secs(1);

/// From the clock that only goes forward to that on the wall: one moment on both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    instant: Instant,
    wall: SystemTime,
}

impl Clock {
    pub(super) fn now() -> Clock {
        Clock { instant: Instant::now(), wall: SystemTime::now() }
    }

    /// The same, unless the clock on the wall has been set since.
    fn checked(self) -> Clock {
        let now = Clock::now();
        let expected = self.wall.checked_add(now.instant.saturating_duration_since(self.instant));
        let drift = expected.map(|expected| {
            now.wall.duration_since(expected).unwrap_or_else(|error| error.duration())
        });
        if drift.is_some_and(|drift| drift < DRIFT) { self } else { now }
    }

    fn text(&self, at: Instant) -> String {
        let wall = match at.checked_duration_since(self.instant) {
            Some(later) => self.wall.checked_add(later),
            None => self.wall.checked_sub(self.instant.saturating_duration_since(at)),
        };
        timestamp(wall.unwrap_or(self.wall))
    }
}
