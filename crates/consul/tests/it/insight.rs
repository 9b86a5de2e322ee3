//! What is told about a real agent.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog::{Availability, Deregistration, Observer, Operation, Outcome, Query, watch};
use testkit::wait_until;

use crate::support::{LONG, Scene, registration};

#[derive(Default)]
struct Recorder(Mutex<Vec<(Operation, Duration, Outcome)>>);

impl Observer for Recorder {
    fn request(&self, operation: Operation, took: Duration, outcome: Outcome) {
        self.0.lock().unwrap().push((operation, took, outcome));
    }
}

impl Recorder {
    fn of(&self, operation: Operation) -> Vec<(Duration, Outcome)> {
        let told = self.0.lock().unwrap();
        let wanted = told.iter().filter(|(of, _, _)| *of == operation);
        wanted.map(|(_, took, outcome)| (*took, *outcome)).collect()
    }
}

#[test]
fn an_agent_s_life_is_told_as_it_was() {
    let mut scene = Scene::start();
    let recorder = Arc::new(Recorder::default());
    let reachability = scene.catalog.reachability().clone();
    reachability.observe(Arc::clone(&recorder) as Arc<dyn Observer>);
    let app = Arc::new(registration("app"));
    let query = Query {
        service: "app".to_owned(),
        tag: None,
        datacenter: None,
        near: None,
        max_staleness: Duration::from_secs(10),
    };
    let watch = scene.runtime.enter(|| watch(Arc::clone(&scene.catalog), query));
    let freshness = watch.freshness();
    let age = || freshness.age(Instant::now());

    wait_until("a first answer", LONG, age);

    let begun = Instant::now();
    scene.registrar.passing(&app);
    scene.wait_for("app", "passing");
    wait_until("it is acknowledged", LONG, || scene.registrar.is_registered("app-host"));
    wait_until("the watch sees it", LONG, || watch.current().len() == 1);
    // That was an answer, and since then there may have been none.
    assert!(age().unwrap() <= begun.elapsed());
    let registered = recorder.of(Operation::Register);
    assert!(matches!(registered[..], [(took, Outcome::Ok)] if took <= begun.elapsed()));
    let read = recorder.of(Operation::Instances);
    assert!(
        !read.is_empty() && read.iter().all(|(_, outcome)| *outcome == Outcome::Ok),
        "{read:?}"
    );
    assert!(!recorder.of(Operation::Wait).is_empty(), "the change came by a query that waits");

    // Lost behind our backs: the next heartbeat is told so.
    scene.consul.deregister("app-host");
    scene.registrar.passing(&app);
    scene.wait_for("app", "passing");
    let beats = recorder.of(Operation::Heartbeat);
    assert!(matches!(beats[..], [(_, Outcome::Refused)]), "{beats:?}");

    let well = Instant::now();
    let Availability::Up { since } = reachability.availability() else { panic!("down") };
    assert!(since <= begun);
    wait_until("it is acknowledged again", LONG, || scene.registrar.is_registered("app-host"));
    scene.consul.kill();
    wait_until("the outage is noticed", LONG, || reachability.outage());
    let Availability::Down { since, reason } = reachability.availability() else { panic!("up") };
    assert!(since >= well && since <= Instant::now());
    assert!(reason.contains("refused"), "{reason}");
    assert!(scene.registrar.is_registered("app-host"), "as far as we know");
    // Nothing confirms now.
    let last = Instant::now() - age().unwrap();
    wait_until("probes fail", LONG, || {
        let read = recorder.of(Operation::Instances);
        read.iter().filter(|(_, outcome)| *outcome == Outcome::Outage).count() > 2
    });
    let now = Instant::now();
    assert!(now - freshness.age(now).unwrap() <= last + Duration::from_millis(50));

    scene.consul.restart_empty();
    let since = wait_until("it is back", LONG, || match reachability.availability() {
        Availability::Up { since } => Ok(since),
        Availability::Down { reason, .. } => Err(reason),
    });
    assert!(since > now);
    wait_until("the watch has an answer", LONG, || age().unwrap() < now.elapsed());
    scene.registrar.passing(&app);
    scene.wait_for("app", "passing");
    assert_eq!(scene.deregister("app-host", LONG), Deregistration::Acknowledged);
    assert!(!scene.registrar.is_registered("app-host"));
    assert!(matches!(recorder.of(Operation::Deregister)[..], [(_, Outcome::Ok)]));
}
