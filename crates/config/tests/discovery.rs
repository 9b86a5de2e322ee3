//! What is watched, what one of several is elected to, and how services take their leave.

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
    Config, Election, Watch, advice,
    election::ElectionId,
    job::{
        Drain, ElectionEvent, Frequency, JobId, KillAfter, Notice, StopAfter, Trigger, WatchEvent,
        When,
    },
    watch::{ServiceQuery, Subject, WatchId},
};
use support::{fixture, good, host};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn deregister(time: u64) -> Option<Drain> {
    Some(Drain { notice: Notice::Deregister, time: seconds(time) })
}

fn mark(time: u64) -> Option<Drain> {
    Some(Drain { notice: Notice::Mark, time: seconds(time) })
}

/// The job with this number waits so.
fn waits(config: &Config, job: usize) -> (Trigger, Frequency) {
    let When::On { conditions, .. } = &config.jobs[job].when else { panic!("an event") };
    (conditions[0].trigger, conditions[0].frequency)
}

#[test]
fn watches_of_all_kinds() {
    let config = fixture("discovery.json5", "", &[]);
    assert_eq!(config.warnings, Vec::<String>::new());
    let watches: Vec<(&str, &Subject, Option<&str>)> = config
        .watches
        .iter()
        .map(|watch| (watch.name.as_str(), &watch.subject, watch.datacenter.as_deref()))
        .collect();
    let db = ServiceQuery {
        service: "db".into(),
        tag: Some("replica".into()),
        near: Some("_agent".into()),
    };
    assert_eq!(
        watches,
        [
            ("app/settings", &Subject::Key("app/settings".into()), None),
            ("flags", &Subject::Keys("app/flags/".into()), Some("west")),
            ("db", &Subject::Service(db), None),
        ]
    );
    for (job, watch) in [(3, 0), (4, 1), (5, 2)] {
        let changed = Trigger::Watch(WatchId(watch), WatchEvent::Changed);
        assert_eq!(waits(&config, job), (changed, Frequency::Each));
    }
}

#[test]
fn names_and_places_of_watches() {
    let watches = |catalog: &str, watches: &str| -> Vec<Watch> {
        good(&format!("{{ {catalog}, watches: [{watches}] }}"), "", &[]).watches
    };
    // One key in two datacenters is one source, as one service with two tags is.
    let [a, b] =
        watches("consul: 'c:1'", "{ key: 'a', interval: 1 }, { key: 'a', interval: 2, dc: 'x' }")
            .try_into()
            .expect("two");
    assert_eq!((a.name.as_str(), b.name.as_str()), ("a", "a"));
    assert_eq!((a.datacenter, b.datacenter.as_deref()), (None, Some("x")));
    // What a template leaves of an unset variable is not given.
    let [named] =
        watches("consul: 'c:1'", "{ key: 'a', name: '', keyPrefix: '', tag: '', interval: 1 }")
            .try_into()
            .expect("one");
    assert_eq!((named.name.as_str(), named.subject), ("a", Subject::Key("a".into())));
    // Keys of etcd may begin with a slash.
    let [key] = watches("etcd: { endpoints: 'e:1' }", "{ key: '/a/b', interval: 1 }")
        .try_into()
        .expect("one");
    assert_eq!((key.name.as_str(), key.subject), ("/a/b", Subject::Key("/a/b".into())));
}

#[test]
fn elections() {
    let config = fixture("discovery.json5", "", &[]);
    let [primary, batch]: [Election; 2] = config.elections.clone().try_into().expect("two");
    assert_eq!((primary.name.as_str(), primary.key.as_str()), ("primary", "service/db/leader"));
    assert_eq!((primary.ttl, primary.lock_delay), (seconds(20), seconds(5)));
    assert_eq!(primary.token_variable, "CONTAINERPILOT_ELECTION_PRIMARY_TOKEN");
    assert_eq!(primary.candidate, "box");
    let service = primary.service.expect("a service");
    assert_eq!((service.name.as_str(), service.id.as_str()), ("primary", "primary-box"));
    assert_eq!((service.check_id.as_str(), service.ttl), ("service:primary-box", seconds(20)));
    assert_eq!((service.address.to_string().as_str(), service.port), ("192.0.2.7", 5432));
    assert_eq!((service.tags, service.meta["role"].as_str()), (vec!["rw".into()], "primary"));

    // The rest is up to us, and a name is free as long as nobody looks it up.
    assert_eq!(batch.key, "containerpilot/election/batch work/leader");
    assert_eq!((batch.ttl, batch.lock_delay), (seconds(15), Duration::ZERO));
    assert_eq!(batch.token_variable, "CONTAINERPILOT_ELECTION_BATCH_WORK_TOKEN");
    assert_eq!(batch.service, None);

    let of = |election, event| Trigger::Election(ElectionId(election), event);
    assert_eq!(waits(&config, 6), (of(0, ElectionEvent::Elected), Frequency::Each));
    assert_eq!(waits(&config, 7), (of(0, ElectionEvent::Demoted), Frequency::Each));
    let after = of(1, ElectionEvent::Elected);
    assert_eq!(config.jobs[8].when, When::Every { interval: seconds(3600), after });
}

#[test]
fn elections_on_etcd_are_below_the_prefix() {
    let key = |etcd: &str, election: &str| {
        let text = format!(
            "{{ etcd: {{ endpoints: 'e:1', {etcd} }}, elections: [{{ name: 'a', {election} }}] }}"
        );
        good(&text, "", &[]).elections[0].key.clone()
    };
    assert_eq!(key("", ""), "/containerpilot/election/a/leader");
    assert_eq!(key("prefix: 'shop/'", ""), "/shop/election/a/leader");
    assert_eq!(key("prefix: '/'", ""), "/election/a/leader");
    assert_eq!(key("", "key: '/mine'"), "/mine");
}

#[test]
fn an_election_is_something_to_run_for() {
    let config = good("{ consul: 'c:1', elections: [{ name: 'a' }] }", "", &[]);
    assert_eq!(config.warnings, Vec::<String>::new());
    // Consul's own limit can be lowered there, and etcd has none that matters.
    let warnings = |catalog: &str, ttl: &str| {
        let text = format!("{{ {catalog}, elections: [{{ name: 'a', ttl: {ttl} }}] }}");
        good(&text, "", &[]).warnings
    };
    let short = "line 1: elections[0] (a).ttl: is less than the 10s that Consul grants, unless its \
                 session_ttl_min is less";
    assert_eq!(warnings("consul: 'c:1'", "'9999ms'"), [short]);
    assert_eq!(warnings("consul: 'c:1'", "10"), Vec::<String>::new());
    assert_eq!(warnings("etcd: { endpoints: 'e:1' }", "2"), Vec::<String>::new());
}

#[test]
fn advice_about_elections() {
    let advice = |rest: &str| {
        let text = format!("{{ consul: 'c:1', {rest} }}");
        advice(&good(&text, "", &[]), &host(&[]).environment)
    };
    let job =
        |event: &str| format!("{{ exec: 'x', when: {{ source: 'election.a', each: '{event}' }} }}");
    let plain = "elections: [{ name: 'a' }]";
    let idle = "election.a: no job waits for it, and its leader is not advertised; want one of the \
                two, or no election";
    assert_eq!(advice(plain), [idle]);
    let one_sided = "election.a: a job waits for \"elected\" and none for \"demoted\": what it \
                     starts goes on when somebody else is elected; want one that ends it";
    assert_eq!(advice(&format!("{plain}, jobs: [{}]", job("elected"))), [one_sided]);
    let both = format!("{plain}, jobs: [{}, {}]", job("elected"), job("demoted"));
    assert_eq!(advice(&both), Vec::<String>::new());
    let advertised = "elections: [{ name: 'aa', service: true, port: 1 }]";
    assert_eq!(advice(advertised), Vec::<String>::new());
}

#[test]
fn drains_of_jobs() {
    let config = fixture("discovery.json5", "", &[]);
    let drains: Vec<_> = config.jobs.iter().map(|job| job.stop.drain).take(3).collect();
    assert_eq!(drains, [deregister(3), mark(2), None]);

    let drain = |drain: &str| {
        let text = format!(
            "{{ consul: 'c:1', jobs: [{{ name: 'app', exec: 'x', port: 1, drain: {drain}, health: \
             {{ interval: 1, ttl: 5 }} }}] }}"
        );
        let config = good(&text, "", &[]);
        assert_eq!(config.warnings, Vec::<String>::new());
        config.jobs[0].stop.drain
    };
    // The process has 2 s of the 5 s that a stop may take.
    assert_eq!(drain("3"), deregister(3));
    assert_eq!(drain("{ time: '2s', mark: false }"), deregister(2));
    assert_eq!(drain("{ time: '2', mark: true }"), mark(2));
    for none in ["0", "''", "'0s'", "null", "{ time: 0, mark: true }"] {
        assert_eq!(drain(none), None, "{none}");
    }
}

/// A drain that keeps nobody from stopping is a mistake.
#[test]
fn a_drain_is_for_a_process() {
    let warnings = |rest: &str| {
        let text = format!(
            "{{ consul: 'c:1', jobs: [{{ name: 'app', port: 1, drain: 1, health: {{ interval: 1, ttl: \
             5 }} }}, {rest}] }}"
        );
        good(&text, "", &[]).warnings
    };
    let idle = "jobs (app).drain: is for nothing: the job has no exec, and no other has it in its \
                stopAfter";
    assert_eq!(warnings("{ exec: 'x' }"), [idle]);
    assert_eq!(warnings("{ exec: 'x', stopAfter: 'app' }"), Vec::<String>::new());
}

#[test]
fn drains_of_older_services() {
    let config = fixture("etcd.json5", "app", &[]);
    let names: Vec<&str> = config.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["app", "admin", "queue", "db.onChange", "preStop", "application"]);
    let drains: Vec<_> = config.jobs.iter().map(|job| job.stop.drain).collect();
    assert_eq!(drains, [deregister(2), None, mark(1), None, None, None]);
    // The application begins to stop when those that want time have had it.
    let application = &config.jobs[5].stop;
    let stopped = vec![JobId(0), JobId(2)];
    assert_eq!(application.after, StopAfter { deregistered: true, stopped });
    assert_eq!(application.kill_after, KillAfter::After(seconds(5)));
    assert_eq!(config.warnings, Vec::<String>::new());

    // Without one, that is what coprocesses do.
    let services = "services: [{ name: 'app', poll: 1, ttl: 5, drain: 1 }]";
    let text = format!("{{ consul: 'c:1', {services}, coprocesses: [{{ command: 'x' }}] }}");
    let config = good(&text, "", &[]);
    assert_eq!(config.jobs[0].stop.after.stopped, [JobId(1)]);
    assert_eq!(config.warnings, Vec::<String>::new());
    let config = good(&text, "application", &[]);
    assert_eq!(config.jobs[0].stop.after.stopped, [JobId(2)]);
    let config = good(&format!("{{ consul: 'c:1', {services} }}"), "", &[]);
    let idle = "drain: is for nothing: there is neither an application nor a coprocess to stop";
    assert_eq!(config.warnings, [idle]);
}

#[test]
fn advice_about_a_stop_that_takes_too_long() {
    let advice = |drain: &str, rest: &str| {
        let text = format!(
            "{{ consul: 'c:1', {rest} services: [{{ name: 'app', poll: 1, ttl: 5, drain: {drain} }}] }}"
        );
        let said = advice(&good(&text, "application", &[]), &host(&[]).environment);
        said.iter().any(|said| said.starts_with("stopTimeout: "))
    };
    assert!(!advice("'4s'", ""));
    assert!(advice("'5s'", ""));
    assert!(advice("'4s'", "stopTimeout: 6,"));
}
