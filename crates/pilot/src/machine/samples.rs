//! Configurations, jobs and services for tests.

use std::{collections::BTreeMap, time::Duration};

use config::{
    Config, Election, Generation, LogFormat, LogLevel, LogOutput, Logging,
    job::{
        Announce, Backoff, Exec, Frequency, GlobalEvent, Health, Job, KillAfter, Probe, Restarts,
        Role, Service, Stop, StopAfter, StopSignal, StopTarget, Streams, Surroundings, Trigger,
        When,
    },
    watch::{ServiceQuery, Subject, Watch},
};

/// A configuration of these jobs.
pub(super) fn configuration(jobs: Vec<Job>, watches: usize) -> Config {
    let watch = Watch {
        name: "upstream".into(),
        subject: Subject::Service(ServiceQuery {
            service: "upstream".into(),
            tag: None,
            near: None,
        }),
        datacenter: None,
        interval: Duration::from_secs(10),
        after: Trigger::Global(GlobalEvent::Startup),
    };
    Config {
        generation: Generation::V3,
        catalog: None,
        logging: Logging {
            level: LogLevel::Info,
            format: LogFormat::Default,
            output: LogOutput::Stdout,
        },
        jobs,
        watches: vec![watch; watches],
        elections: Vec::new(),
        templates: Vec::new(),
        telemetry: None,
        control: None,
        stop_timeout: Some(Duration::from_secs(5)),
        warnings: Vec::new(),
        secrets: config::Secrets::default(),
    }
}

/// An election.
pub(super) fn election(name: &str) -> Election {
    Election {
        name: name.into(),
        key: format!("containerpilot/election/{name}/leader"),
        ttl: Duration::from_secs(10),
        lock_delay: Duration::from_secs(1),
        candidate: "host".into(),
        token_variable: "CONTAINERPILOT_ELECTION_TOKEN".into(),
        service: None,
    }
}

/// A job that runs once, from the start.
pub(super) fn job(name: &str) -> Job {
    Job {
        name: name.into(),
        exec: Some(Exec {
            command: config::Command { program: name.into(), args: Vec::new() },
            streams: Streams::Inherit,
            timeout: None,
            pid_variable: None,
        }),
        surroundings: Surroundings::default(),
        when: on(Trigger::Global(GlobalEvent::Startup), Frequency::Once),
        restarts: Restarts::Never,
        backoff: Backoff::None,
        health: None,
        service: None,
        stop: Stop {
            after: StopAfter::default(),
            hooks_timeout: Some(Duration::from_secs(5)),
            kill_after: KillAfter::Deadline,
            signal: StopSignal::Term,
            target: StopTarget::Group,
            announce: Announce::Always,
            drain: None,
        },
        role: Role::Ordinary,
    }
}

pub(super) fn on(trigger: Trigger, frequency: Frequency) -> When {
    match frequency {
        Frequency::Once => When::once(trigger),
        Frequency::Each => When::each(trigger),
    }
}

pub(super) fn health(interval: u64) -> Health {
    let command = config::Command { program: "check".into(), args: Vec::new() };
    Health::plain(Probe::Exec(command), Duration::from_secs(interval), None, Streams::Inherit)
}

pub(super) fn service(name: &str) -> Service {
    Service {
        name: name.into(),
        id: format!("{name}-host"),
        check_id: format!("service:{name}-host"),
        address: [127, 0, 0, 1].into(),
        port: 80,
        tags: Vec::new(),
        meta: BTreeMap::new(),
        ttl: Duration::from_secs(10),
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}
