//! What the originals did not have, in good files.

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
    Config, Generation, Job, LogLevel,
    job::{
        Backoff, Condition, Frequency, GlobalEvent, JobEvent, JobId, Lines, Need, Role,
        SignalEvent, StopSignal, Streams, Surroundings, Trigger, WatchEvent, When,
    },
    telemetry::MetricKind,
    watch::WatchId,
};
use support::{good, host, load};

/// The job of a 3.x file with these members.
fn job(members: &str) -> Job {
    let text = format!("{{ consul: false, jobs: [{{ name: 'app', exec: 'app', {members} }}] }}");
    good(&text, "", &[]).jobs[0].clone()
}

#[test]
fn surroundings_of_a_job() {
    assert_eq!(job("").surroundings, Surroundings::default());
    let found = job(
        "user: 1000, group: 'www-data', workdir: '/srv', env: { PORT: 8080, VERSION: 1.10, DEBUG: true, LANG: null, 'a.b': '', X: '0x10', Y: 0x10 }",
    )
    .surroundings;
    assert_eq!((found.user.as_deref(), found.group.as_deref()), (Some("1000"), Some("www-data")));
    assert_eq!(found.workdir.as_deref(), Some("/srv".as_ref()));
    // Numbers as they are written: 1.10 is not 1.1.
    let env: Vec<_> = found.env.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
    let all = [
        ("DEBUG", Some("true")),
        ("LANG", None),
        ("PORT", Some("8080")),
        ("VERSION", Some("1.10")),
        ("X", Some("0x10")),
        ("Y", Some("0x10")),
        ("a.b", Some("")),
    ];
    assert_eq!(env, all);
    // What a template leaves of an unset variable is not given.
    assert_eq!(job("user: '', group: '', workdir: ''").surroundings, Surroundings::default());
    assert_eq!(job("user: '0'").surroundings.user.as_deref(), Some("0"));
}

#[test]
fn signals_that_stop() {
    for (text, signal) in [
        ("''", StopSignal::Term),
        ("'SIGQUIT'", StopSignal::Quit),
        ("'quit'", StopSignal::Quit),
        ("'WINCH'", StopSignal::Winch),
        ("3", StopSignal::Quit),
        ("'9'", StopSignal::Kill),
    ] {
        assert_eq!(job(&format!("stopSignal: {text}")).stop.signal, signal, "{text}");
    }
    // In a 2.x file it is the application's.
    let config =
        good("{ consul: 'c:1', stopSignal: 'INT', coprocesses: [{ command: 'a' }] }", "app", &[]);
    let signals: Vec<_> = config.jobs.iter().map(|job| job.stop.signal).collect();
    assert_eq!(signals, [StopSignal::Term, StopSignal::Int]);
}

#[test]
fn roles_and_restarts() {
    assert_eq!(job("essential: true").role, Role::Essential);
    assert_eq!(job("essential: false").role, Role::Ordinary);
    assert_eq!(job("essential: 'onFailure'").role, Role::Gate);
    assert_eq!(job("essential: 'onFailure', when: { interval: 5 }").role, Role::Gate);
    assert_eq!(job("restarts: 3, backoff: 'none'").backoff, Backoff::None);
    assert_eq!(job("restarts: 3, backoff: 'exponential'").backoff, Backoff::Exponential);
    assert_eq!(job("restarts: 3").backoff, Backoff::Exponential);
    let text = "{ jobs: [{ exec: 'a', when: { interval: 5 }, backoff: 'exponential' }] }";
    let config = good(text, "", &[]);
    assert_eq!(config.jobs[0].backoff, Backoff::None);
    assert!(config.warnings[0].contains("backoff: is not used"), "{:?}", config.warnings);
}

#[test]
fn advice_about_a_short_ttl_does_not_repeat_a_warning() {
    let said = |ttl: u8| {
        let text = format!(
            "{{ consul: 'c:1', jobs: [{{ name: 'ab', exec: 'a', port: 1, interfaces: \
             'static:10.0.0.1', health: {{ exec: 'b', interval: 10, ttl: {ttl} }} }}] }}"
        );
        let config = good(&text, "", &[]);
        (config.warnings.len(), config::advice(&config, &host(&[]).environment).len())
    };
    assert_eq!(said(10), (1, 0));
    assert_eq!(said(11), (0, 1));
    assert_eq!(said(19), (0, 1));
    assert_eq!(said(20), (0, 0));
}

#[test]
fn advice_about_a_shell_that_is_not_there() {
    let advice = |exec: &str| {
        let text = format!("{{ jobs: [{{ name: 'app', exec: {exec} }}] }}");
        config::advice(&good(&text, "", &[]), &host(&[]).environment)
    };
    let said = "app: \"&&\" is an argument like any other, for there is no shell; \
                want [\"sh\", \"-c\", \"…\"]";
    assert_eq!(advice("'setup && app'"), [said]);
    assert_eq!(advice("['sh', '-c', 'setup && app']"), Vec::<String>::new());
    let text = "{ consul: 'localhost:8500', jobs: [{ name: 'app', exec: 'app' }], templates: [
      { name: 'it', contents: 'x', destination: '/it', check: 'nginx -t >/dev/null -c' }] }";
    let said = "templates (it): \">/dev/null\" is an argument like any other, for there is no \
                shell; want [\"sh\", \"-c\", \"…\"]";
    assert_eq!(config::advice(&good(text, "", &[]), &host(&[]).environment), [said]);
}

#[test]
fn advice_about_a_path_that_is_not_where_it_is_looked_for() {
    let advice = |line: &str| {
        let text = format!(
            "{{ consul: 'c:1', jobs: [{{ name: 'app', exec: 'app' }}], templates: [
              {{ name: 'it', contents: 'x', destination: '/it', check: ['sh', '-c', {line}] }}] }}"
        );
        config::advice(&good(&text, "", &[]), &host(&[]).environment)
    };
    let [said] = &advice("'jq . \"$1\"'")[..] else { panic!() };
    assert!(said.starts_with("templates (it): $1 is empty in its check"), "{said}");
    assert_eq!(advice("'jq . \"$0\"'"), Vec::<String>::new());
    assert_eq!(advice("'jq . \"$1\"', 'check'"), Vec::<String>::new());
}

#[test]
fn advice_about_checks_that_are_left_out() {
    let advice = |timeout: u32| {
        let text = format!(
            "{{ jobs: [{{ name: 'app', exec: 'app', health: {{
              exec: 'x', interval: 2, timeout: '{timeout}s' }} }}] }}"
        );
        config::advice(&good(&text, "", &[]), &host(&[]).environment)
    };
    let [said] = &advice(3)[..] else { panic!() };
    assert!(
        said.starts_with("app: a check that takes its whole timeout of 3s leaves out"),
        "{said}"
    );
    assert_eq!(advice(2), Vec::<String>::new());
}

#[test]
fn advice_about_an_end_that_never_comes() {
    let advice = |members: &str| {
        let text = format!("{{ jobs: [{{ name: 'app', exec: 'app', {members} }}] }}");
        config::advice(&good(&text, "", &[]), &host(&[]).environment)
    };
    let endless = "app: it is essential, but always restarts, so that no exit of it ever ends the \
                   program; want one of the two, or a number of restarts";
    assert_eq!(advice("essential: true, restarts: 'unlimited'"), [endless]);
    assert_eq!(advice("essential: 'onFailure', restarts: 'unlimited'"), [endless]);
    assert_eq!(advice("essential: true, restarts: 1"), Vec::<String>::new());
    assert_eq!(advice("essential: true"), Vec::<String>::new());
    assert_eq!(advice("essential: 'onFailure', when: { interval: 5 }"), Vec::<String>::new());
    assert_eq!(advice("restarts: 'unlimited'"), Vec::<String>::new());
}

#[test]
fn logs_of_jobs_and_checks() {
    let streams = |members: &str| job(members).exec.expect("a process").streams;
    let logged = |level, lines| Streams::Logged { stdout: level, stderr: level, lines };
    assert_eq!(
        streams("logging: { level: 'debug', format: 'json' }"),
        logged(LogLevel::Debug, Lines::Json)
    );
    assert_eq!(streams("logging: { format: 'text' }"), logged(LogLevel::Info, Lines::Text));
    assert_eq!(
        streams("logging: { raw: false, level: 'WARN' }"),
        logged(LogLevel::Warn, Lines::Text)
    );
    assert_eq!(streams("logging: { raw: true, level: '' }"), Streams::Raw);
    let health =
        job("health: { interval: 1, logging: { level: 'error', format: 'default' } }").health;
    assert_eq!(health.expect("a check").streams, logged(LogLevel::Error, Lines::Text));
}

fn when(config: &Config, name: &str) -> When {
    config.jobs.iter().find(|job| job.name == name).expect("a job").when.clone()
}

#[test]
fn several_conditions() {
    let text = "{ jobs: [
        { name: 'db', exec: 'db', health: { interval: 1 } },
        { name: 'app', exec: 'app', when: { timeout: '1m', all: [
            { source: 'db', once: 'healthy' }, { source: 'setup', each: 'exitSuccess' } ] } },
        { name: 'setup', exec: 'x' },
        { name: 'reload', exec: 'x', when: { any: [{ source: 'SIGHUP' }, { each: 'exitMaintenance' }] } },
        { name: 'last', exec: 'x', when: { any: [{ once: 'shutdown' }, { source: 'db', once: 'stopped' }] } },
    ] }";
    let config = good(text, "", &[]);
    let condition = |trigger, frequency| Condition { trigger, frequency };
    let all = vec![
        condition(Trigger::Job(JobId(0), JobEvent::Healthy), Frequency::Once),
        condition(Trigger::Job(JobId(2), JobEvent::ExitSuccess), Frequency::Each),
    ];
    let timeout = Some(Duration::from_secs(60));
    assert_eq!(when(&config, "app"), When::On { need: Need::All, conditions: all, timeout });
    let any = vec![
        condition(Trigger::Signal(SignalEvent::Hup), Frequency::Each),
        condition(Trigger::Global(GlobalEvent::ExitMaintenance), Frequency::Each),
    ];
    assert_eq!(
        when(&config, "reload"),
        When::On { need: Need::Any, conditions: any, timeout: None }
    );
    // What the application has waited for outlives it.
    assert_eq!(config.jobs[0].stop.after.stopped, [JobId(1)]);
}

#[test]
fn one_way_to_start_is_enough() {
    let circle = "{ source: 'b', once: 'healthy' }";
    for (a, b, starts) in [
        (format!("any: [{circle}, {{ once: 'startup' }}]"), "source: 'a', once: 'healthy'", true),
        (
            format!("any: [{circle}, {{ source: 'SIGHUP' }}]"),
            "all: [{ source: 'a', once: 'healthy' }]",
            true,
        ),
        (format!("all: [{circle}, {{ once: 'startup' }}]"), "source: 'a', once: 'healthy'", false),
        (format!("all: [{circle}]"), "any: [{ source: 'a', once: 'stopped' }]", true),
    ] {
        let text = format!(
            "{{ jobs: [{{ name: 'a', exec: 'x', when: {{ {a} }} }}, {{ name: 'b', exec: 'x', when: {{ {b} }} }}] }}"
        );
        assert_eq!(load(&text, "", &host(&[])).is_ok(), starts, "{text}");
    }
}

#[test]
fn several_watches_of_one_name_are_one_source() {
    let text = |when: &str| {
        format!(
            "{{ consul: 'c:1', watches: [{{ name: 'db', interval: 1, tag: 'a' }}, {{ name: 'db', interval: 1, tag: 'b' }}], jobs: [{{ name: 'app', exec: 'x', when: {when} }}] }}"
        )
    };
    let config = good(&text("{ source: 'watch.db', each: 'changed' }"), "", &[]);
    let triggers: Vec<_> = config.jobs[0].when.triggers().collect();
    let changed = |index| Trigger::Watch(WatchId(index), WatchEvent::Changed);
    assert_eq!(triggers, [changed(0), changed(1)]);
    // One event is waited for; which one?
    for when in [
        "{ all: [{ source: 'watch.db', once: 'changed' }] }",
        "{ interval: 1, after: { source: 'watch.db', once: 'changed' } }",
    ] {
        let message = load(&text(when), "", &host(&[])).expect_err(when);
        assert!(message.contains("\"watch.db\" names several watches"), "{message}");
    }
}

#[test]
fn intervals_that_begin_later() {
    let text = "{ jobs: [{ name: 'setup', exec: 'x' }, { exec: 'x', when: { interval: 5, after: { source: 'setup', once: 'exitSuccess' } } }] }";
    let after = Trigger::Job(JobId(0), JobEvent::ExitSuccess);
    let interval = Duration::from_secs(5);
    assert_eq!(good(text, "", &[]).jobs[1].when, When::Every { interval, after });
}

#[test]
fn order_of_the_end() {
    let text = "{ consul: 'c:1', jobs: [
        { name: 'db', port: 0, health: { interval: 1, ttl: 5 } },
        { name: 'app', exec: 'x', stopAfter: 'db' },
        { name: 'agent', exec: 'x', stopAfter: ['app', 'hook', 'app', ''] },
        { name: 'hook', exec: 'x', when: { source: 'app', once: 'stopped' } },
    ] }";
    let config = good(text, "", &[]);
    let after: Vec<_> = config.jobs.iter().map(|job| job.stop.after.stopped.clone()).collect();
    assert_eq!(after, [vec![], vec![JobId(0)], vec![JobId(1), JobId(3)], vec![]]);
    // Advertised without a port.
    assert_eq!(config.jobs[0].service.as_ref().map(|service| service.port), Some(0));
}

#[test]
fn metadata_of_services() {
    let meta = |config: &Config| {
        let service = config.jobs[0].service.as_ref().expect("a service");
        service.meta.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
    };
    let all = "{ version: 1.20, blue: true, zone: 'a', none: null, Zone: '' }";
    let expected = ["Zone=", "blue=true", "version=1.20", "zone=a"];
    let text = format!(
        "{{ consul: 'c:1', jobs: [{{ name: 'app', port: 1, health: {{ interval: 1, ttl: 5 }}, meta: {all} }}] }}"
    );
    assert_eq!(meta(&good(&text, "", &[])), expected);
    let text =
        format!("{{ consul: 'c:1', services: [{{ name: 'app', poll: 1, ttl: 5, meta: {all} }}] }}");
    assert_eq!(meta(&good(&text, "", &[])), expected);
}

#[test]
fn no_catalog_at_all() {
    let variable = [("CONSUL_HTTP_ADDR", "consul:8500")];
    for text in [
        "{ consul: false, jobs: [{ name: 'app', port: 1, health: { interval: 1, ttl: 5 } }] }",
        "{ consul: false, services: [{ name: 'app', poll: 1, ttl: 5 }], backends: [] }",
    ] {
        let config = good(text, "", &variable);
        assert_eq!(config.catalog, None, "{text}");
        assert!(config.jobs[0].service.is_some(), "{text}");
    }
}

#[test]
fn kinds_of_metrics() {
    let kind = |members: &str| {
        let text = format!("{{ telemetry: {{ metrics: [{{ name: 'm', {members} }}] }} }}");
        let text = text.replace("telemetry", "consul: false, telemetry");
        good(&text, "", &[]).telemetry.expect("telemetry").metrics[0].kind.clone()
    };
    assert_eq!(
        kind("type: 'histogram', buckets: [-1, 0.5, 1e3]"),
        MetricKind::Histogram { buckets: vec![-1.0, 0.5, 1000.0] }
    );
    assert_eq!(kind("type: 'histogram'"), MetricKind::Histogram { buckets: Vec::new() });
    assert_eq!(
        kind("type: 'summary', quantiles: [0.25, 0.999], maxAge: '1m'"),
        MetricKind::Summary { quantiles: vec![0.25, 0.999], max_age: Duration::from_secs(60) }
    );
    // Only names that are taken are refused.
    let text = "{ telemetry: { metrics: [{ name: 'containerpilot_orders', type: 'gauge' }] } }";
    good(text, "", &[]);
    let MetricKind::Summary { quantiles, max_age } = kind("type: 'summary'") else { panic!() };
    assert_eq!((quantiles, max_age), (vec![0.5, 0.9, 0.99], Duration::from_secs(600)));
}

#[test]
fn a_control_socket_in_both_generations() {
    let text = "{ consul: 'c:1', control: { socket: '/run/x' }, services: [] }";
    let config = good(text, "app", &[]);
    assert_eq!(config.generation, Generation::V2);
    assert_eq!(config.control.as_deref(), Some("/run/x".as_ref()));
    assert_eq!(good("{ consul: 'c:1', services: [] }", "app", &[]).control, None);
    let config =
        good("{ jobs: [], Control: null }".replace("Control", "control").as_str(), "", &[]);
    assert!(config.control.is_some());
}
