//! Files of 3.x and what they become.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use std::time::Duration;

use config::{
    Config, Generation, LogFormat, LogLevel, LogOutput,
    job::{
        Announce, Backoff, Condition, Frequency, GlobalEvent, InitialStatus, Job, JobEvent, JobId,
        KillAfter, Lines, Need, Restarts, Role, SignalEvent, StopTarget, Streams, Trigger,
        WatchEvent, When,
    },
    telemetry::MetricKind,
    watch::{Subject, WatchId},
};
use support::{fixture, good, host, load};

fn names(config: &Config) -> Vec<&str> {
    config.jobs.iter().map(|job| job.name.as_str()).collect()
}

fn job<'a>(config: &'a Config, name: &str) -> &'a Job {
    let found = config.jobs.iter().find(|job| job.name == name);
    found.unwrap_or_else(|| panic!("no job {name} among {:?}", names(config)))
}

fn on(trigger: Trigger, frequency: Frequency) -> When {
    match frequency {
        Frequency::Once => When::once(trigger),
        Frequency::Each => When::each(trigger),
    }
}

#[test]
fn an_application_with_everything() {
    let config = fixture("jobs.json5", "", &[]);
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_debug_snapshot!("jobs", config);
    });
    assert_eq!(config.generation, Generation::V3);
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.stop_timeout, Some(Duration::from_secs(7)));
    assert_eq!(config.control.as_deref(), Some("/run/pilot.sock".as_ref()));
    assert_eq!((config.logging.level, config.logging.format), (LogLevel::Debug, LogFormat::Json));
    assert_eq!(config.logging.output, LogOutput::File("/var/log/pilot.log".into()));
    let all = [
        "setup",
        "app",
        "agent",
        "drain",
        "onchange",
        "hup",
        "away",
        "last",
        "/usr/bin/backup.sh",
        "/usr/bin/backup.sh[2]",
        "containerpilot",
    ];
    assert_eq!(names(&config), all);

    let app = job(&config, "app");
    let service = app.service.as_ref().expect("a service");
    assert_eq!((service.id.as_str(), service.check_id.as_str()), ("app-box", "service:app-box"));
    assert_eq!(service.address.to_string(), "192.0.2.9");
    assert_eq!(service.tags, ["v1"]);
    assert_eq!(service.initial_status, Some(InitialStatus::Warning));
    assert!(service.enable_tag_override);
    assert_eq!(service.deregister_critical_after, Some(Duration::from_secs(5400)));
    assert_eq!((app.restarts, app.backoff), (Restarts::Limit(3), Backoff::Exponential));
    assert_eq!(app.exec.as_ref().map(|exec| exec.streams), Some(Streams::Raw));
    let health = app.health.as_ref().expect("a check");
    assert_eq!((health.streams, health.timeout), (Streams::Raw, Some(Duration::from_millis(1500))));
    assert_eq!(app.stop.hooks_timeout, Some(Duration::from_secs(2)));
    assert_eq!(app.stop.kill_after, KillAfter::Deadline);
    assert_eq!((app.stop.target, app.stop.announce), (StopTarget::Group, Announce::Always));

    let agent = job(&config, "agent");
    assert_eq!((agent.restarts, agent.backoff), (Restarts::Unlimited, Backoff::Exponential));
    assert_eq!(
        agent.health.as_ref().and_then(|health| health.timeout),
        Some(Duration::from_secs(1))
    );
    assert_eq!(agent.stop.hooks_timeout, Some(Duration::from_secs(7)));

    let trigger = Trigger::Job(JobId(2), JobEvent::Healthy);
    let conditions = vec![Condition { trigger, frequency: Frequency::Once }];
    let setup = When::On { need: Need::Any, conditions, timeout: Some(Duration::from_secs(60)) };
    assert_eq!(job(&config, "setup").when, setup);
    let stopping = Trigger::Job(JobId(1), JobEvent::Stopping);
    assert_eq!(job(&config, "drain").when, on(stopping, Frequency::Once));
    let changed = Trigger::Watch(WatchId(0), WatchEvent::Changed);
    assert_eq!(job(&config, "onchange").when, on(changed, Frequency::Each));
    assert_eq!(job(&config, "hup").when, on(Trigger::Signal(SignalEvent::Hup), Frequency::Each));
    let away = Trigger::Global(GlobalEvent::EnterMaintenance);
    assert_eq!(job(&config, "away").when, on(away, Frequency::Each));
    let shutdown = Trigger::Global(GlobalEvent::Shutdown);
    assert_eq!(job(&config, "last").when, on(shutdown, Frequency::Once));

    let hour = Duration::from_secs(3600);
    let hourly = job(&config, "/usr/bin/backup.sh");
    let startup = Trigger::Global(GlobalEvent::Startup);
    assert_eq!(hourly.when, When::Every { interval: hour, after: startup });
    assert_eq!((hourly.restarts, hourly.backoff), (Restarts::Unlimited, Backoff::None));
    let exec = hourly.exec.as_ref().expect("a process");
    assert_eq!(exec.timeout, Some(hour));
    assert_eq!(exec.pid_variable.as_deref(), Some("CONTAINERPILOT_BACKUP_PID"));
    assert_eq!(job(&config, "/usr/bin/backup.sh[2]").restarts, Restarts::Limit(4));

    let watch = &config.watches[0];
    let Subject::Service(query) = &watch.subject else { panic!("a service") };
    assert_eq!((query.tag.as_deref(), watch.datacenter.as_deref()), (Some("blue"), Some("east")));
    let telemetry = config.telemetry.as_ref().expect("telemetry");
    assert_eq!(telemetry.listen.to_string(), "127.0.0.1:9999");
    let advertised = &config.jobs[telemetry.job.0];
    assert_eq!(advertised.role, Role::Companion);
    let service = advertised.service.as_ref().expect("a service");
    assert_eq!((service.ttl, service.port), (Duration::from_secs(15), 9999));
    assert_eq!(service.check_id, "service:containerpilot-box");
    // No empty parts in a metric's name.
    let names: Vec<_> = telemetry.metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["shop_orders", "latency"]);
    assert_eq!(telemetry.metrics[0].kind, MetricKind::Counter);
    assert!(matches!(telemetry.metrics[1].kind, MetricKind::Summary { .. }));
}

/// The `stop.after` of every job: names it waits for, `*` for deregistration.
fn order(text: &str) -> Vec<String> {
    let config = good(text, "", &[]);
    let order = |job: &Job| {
        let mut waits: Vec<&str> = Vec::new();
        if job.stop.after.deregistered {
            waits.push("*");
        }
        waits.extend(job.stop.after.stopped.iter().map(|id| config.jobs[id.0].name.as_str()));
        format!("{}: {}", job.name, waits.join(" "))
    };
    config.jobs.iter().map(order).collect()
}

#[test]
fn dependencies_stop_after_their_dependents() {
    let jobs = "jobs: [
        { name: 'agent', exec: 'consul' },
        { name: 'db', exec: 'db', port: 1, health: { interval: 1, ttl: 5 }, when: { source: 'agent', once: 'healthy' } },
        { name: 'app', exec: 'app', when: { source: 'db', each: 'healthy' } },
        { name: 'alarm', exec: 'x', when: { source: 'db', each: 'unhealthy' } },
        { name: 'drain', exec: 'x', when: { source: 'db', once: 'stopping' } },
        { name: 'after', exec: 'x', when: { source: 'app', once: 'exitSuccess' } },
    ]";
    // `app` may not wait for the deregistration of `db`, which waits for `app`.
    let local = ["agent: * db", "db: app alarm", "app: ", "alarm: ", "drain: ", "after: *"];
    for address in ["localhost:8500", "127.0.0.2:8500", "[::1]:8500", "unix:///run/consul.sock"] {
        assert_eq!(order(&format!("{{ consul: '{address}', {jobs} }}")), local, "{address}");
    }
    assert_eq!(order(&format!("{{ etcd: {{ endpoints: 'http://[::1]:2379' }}, {jobs} }}")), local);
    let remote = ["agent: db", "db: app alarm", "app: ", "alarm: ", "drain: ", "after: "];
    assert_eq!(order(&format!("{{ consul: 'consul:8500', {jobs} }}")), remote);
}

#[test]
fn jobs_that_wait_at_the_end_are_no_circle() {
    let text = "{ jobs: [
        { name: 'a', exec: 'a', when: { source: 'b', once: 'exitSuccess' } },
        { name: 'b', exec: 'b', when: { source: 'a', once: 'stopped' } },
    ] }";
    assert_eq!(names(&good(text, "", &[])), ["a", "b"]);
}

#[test]
fn defaults() {
    let config = good("{ jobs: [{ exec: 'app' }] }", "", &[]);
    assert_eq!(config.stop_timeout, Some(Duration::from_secs(5)));
    assert_eq!(config.control.as_deref(), Some("/var/run/containerpilot.socket".as_ref()));
    assert_eq!(config.catalog, None);
    let app = job(&config, "app");
    let startup = on(Trigger::Global(GlobalEvent::Startup), Frequency::Once);
    assert_eq!((&app.when, app.restarts), (&startup, Restarts::Never));
    let logged =
        Streams::Logged { stdout: LogLevel::Info, stderr: LogLevel::Info, lines: Lines::Text };
    assert_eq!(app.exec.as_ref().map(|exec| (exec.streams, exec.timeout)), Some((logged, None)));
    // The name of the program is the service's.
    let text =
        "{ consul: 'c:1', jobs: [{ exec: 'app -x', port: 80, health: { interval: 1, ttl: 2 } }] }";
    let config = good(text, "", &[]);
    assert_eq!(config.jobs[0].service.as_ref().map(|service| service.id.as_str()), Some("app-box"));
    // A catalog of the environment alone.
    assert!(good("{ jobs: [] }", "", &[("CONSUL_HTTP_ADDR", "c:1")]).catalog.is_some());
    for when in
        ["{}", "{ once: 'startup' }", "{ source: 'global', once: 'startup' }", "{ source: '' }"]
    {
        let config = good(&format!("{{ jobs: [{{ exec: 'a', when: {when} }}] }}"), "", &[]);
        assert_eq!(config.jobs[0].when, startup, "{when}");
    }
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let warnings = |text: &str, application: &str| {
        load(text, application, &host(&[])).expect("good").warnings.join("\n")
    };
    let all = [
        warnings("{ jobs: [{ exec: 'a' }] }", "app"),
        warnings("{}", ""),
        warnings("{ jobs: [{ name: 'a' }] }", ""),
        warnings("{ jobs: [{ exec: 'a', when: { source: 'SIGHUP', once: 'x' } }] }", ""),
        warnings(
            "{ consul: 'c:1', jobs: [{ name: 'ab', port: 1, health: { interval: 5, ttl: 5 } }] }",
            "",
        ),
        warnings("{ consul: { address: 'http://c:1', tls: {} }, jobs: [{ exec: 'a' }] }", ""),
        warnings("{ consul: 'c:1' }", "app"),
        warnings("{ consul: 'c:1', services: [{ name: 'DB', poll: 5, ttl: 5 }] }", "app"),
    ];
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("warnings", all.join("\n"));
    });
}
