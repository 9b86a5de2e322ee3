//! What is told about requests, outages and the age of beliefs, with time standing still.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog::memory::{Memory, Mood};
use catalog::{
    Availability, Catalog, Error, Observer, Operation, Outcome, Query, Registrar, Registration,
    Status, watch,
};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn registration(id: &str) -> Arc<Registration> {
    Arc::new(Registration {
        id: id.into(),
        name: "app".into(),
        check_id: format!("service:{id}"),
        address: "10.0.0.1".into(),
        port: 80,
        tags: Vec::new(),
        meta: BTreeMap::new(),
        ttl: 10 * SECOND,
        enable_tag_override: false,
        deregister_critical_after: None,
    })
}

fn query() -> Query {
    Query {
        service: "app".into(),
        tag: None,
        datacenter: None,
        near: None,
        max_staleness: 10 * SECOND,
    }
}

/// Writes down what it is told.
#[derive(Default)]
struct Recorder(Mutex<Vec<(Operation, Duration, Outcome)>>);

impl Observer for Recorder {
    fn request(&self, operation: Operation, took: Duration, outcome: Outcome) {
        self.0.lock().unwrap().push((operation, took, outcome));
    }
}

impl Recorder {
    fn take(&self) -> Vec<(Operation, Duration, Outcome)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Without the durations.
    fn ended(&self) -> Vec<(Operation, Outcome)> {
        self.take().into_iter().map(|(operation, _, outcome)| (operation, outcome)).collect()
    }
}

fn scene() -> (Arc<Memory>, Arc<dyn Catalog>, Arc<Recorder>) {
    let (memory, recorder) = (Arc::new(Memory::new()), Arc::new(Recorder::default()));
    memory.reachability().observe(Arc::clone(&recorder) as Arc<dyn Observer>);
    (Arc::clone(&memory), memory, recorder)
}

#[tokio::test(start_paused = true)]
async fn every_request_of_the_registrar_is_told_once_with_its_outcome() {
    use Operation::{Deregister, Heartbeat, Lookup, Register};
    let (memory, catalog, recorder) = scene();
    let (registrar, _task) = Registrar::spawn(catalog);
    let app = registration("app-1");
    registrar.passing(&app);
    sleep(SECOND).await;
    assert_eq!(recorder.take(), [(Register, Duration::ZERO, Outcome::Ok)]);
    registrar.passing(&app);
    sleep(SECOND).await;
    assert_eq!(recorder.ended(), [(Heartbeat, Outcome::Ok)]);

    // Lost, refused, failed, gone.
    memory.wipe();
    registrar.passing(&app);
    sleep(SECOND).await;
    assert_eq!(recorder.ended(), [(Heartbeat, Outcome::Refused), (Register, Outcome::Ok)]);
    for (error, outcome) in [
        (Error::Refused("no".into()), Outcome::Refused),
        (Error::Failed("not now".into()), Outcome::Failed),
        (Error::Interrupted("cut".into()), Outcome::Outage),
    ] {
        memory.set_mood(Mood::Failing(error));
        registrar.passing(&app);
        sleep(10 * MS).await;
        assert_eq!(recorder.ended(), [(Heartbeat, outcome)]);
        memory.set_mood(Mood::Well);
        sleep(7 * SECOND).await;
        recorder.take();
    }

    sleep(15 * SECOND).await;
    assert!(recorder.ended().contains(&(Lookup, Outcome::Ok)));
    memory.take_seen();
    registrar.deregister("app-1", SECOND).await;
    assert_eq!(recorder.ended(), [(Deregister, Outcome::Ok)]);
    assert_eq!(memory.take_seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_request_took_is_told_and_waiting_for_a_change_is_told_apart() {
    use Operation::{Instances, Wait};
    let (memory, catalog, recorder) = scene();
    let _watch = watch(catalog, query());
    sleep(3 * SECOND).await;
    assert_eq!(recorder.take(), [(Instances, Duration::ZERO, Outcome::Ok)]);
    memory.put((*registration("app-1")).clone(), Status::Passing);
    sleep(MS).await;
    assert_eq!(recorder.take(), [(Wait, 3 * SECOND, Outcome::Ok)]);
    memory.remove("app-1");
    sleep(MS).await;
    assert_eq!(recorder.ended(), [(Wait, Outcome::Ok)]);

    // A query that waits dies with the registry, and the first read finds it gone.
    memory.set_mood(Mood::Failing(Error::Unreachable("gone".into())));
    sleep(MS).await;
    assert_eq!(recorder.ended(), [(Wait, Outcome::Outage), (Instances, Outcome::Outage)]);
    memory.set_mood(Mood::Frozen);
    sleep(20 * SECOND).await;
    let told = recorder.take();
    assert!(told.len() > 1, "{told:?}");
    for one in told {
        assert_eq!(one, (Instances, 5 * SECOND, Outcome::Outage));
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_and_its_end_have_their_times() {
    let (memory, catalog, _) = scene();
    let reachability = catalog.reachability().clone();
    let begun = Instant::now().into_std();
    assert_eq!(reachability.availability(), Availability::Up { since: begun });
    let (registrar, _task) = Registrar::spawn(catalog);
    sleep(SECOND).await;
    registrar.passing(&registration("app-1"));
    sleep(SECOND).await;
    // An answer is nothing new.
    assert_eq!(reachability.availability(), Availability::Up { since: begun });

    memory.set_mood(Mood::Failing(Error::Unreachable("first".into())));
    registrar.passing(&registration("app-1"));
    let failed = Instant::now().into_std();
    sleep(SECOND).await;
    memory.set_mood(Mood::Failing(Error::Unreachable("second".into())));
    sleep(10 * SECOND).await;
    let reason = "second".to_owned();
    assert_eq!(reachability.availability(), Availability::Down { since: failed, reason });
    assert_eq!(reachability.outage().as_deref(), Some("second"));

    memory.set_mood(Mood::Well);
    let well = Instant::now().into_std();
    registrar.passing(&registration("app-1"));
    sleep(5 * SECOND).await;
    let Availability::Up { since } = reachability.availability() else { panic!("still down") };
    assert!(since >= well && since <= well + 2 * SECOND, "{:?}", since - well);
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_quiet_belief_is_bounded_and_that_of_a_lost_one_grows() {
    let (memory, catalog, _) = scene();
    memory.set_mood(Mood::Frozen);
    let watch = watch(catalog, query());
    let freshness = watch.freshness();
    let age = || freshness.age(Instant::now().into_std());
    sleep(8 * SECOND).await;
    assert_eq!(age(), None, "nothing was answered yet");
    memory.set_mood(Mood::Well);
    sleep(2 * SECOND).await;
    let mut ages = Vec::new();
    for _ in 0..300 {
        sleep(SECOND / 10).await;
        ages.push(age().unwrap());
    }
    let (least, most) = (ages.iter().min().unwrap(), ages.iter().max().unwrap());
    assert!(*least < SECOND / 5, "{least:?}: no answer confirmed anything");
    assert!(*most > 9 * SECOND && *most <= 10 * SECOND + SECOND / 5, "{most:?}");

    // A change confirms as well.
    sleep(Duration::from_secs(3)).await;
    memory.put((*registration("app-1")).clone(), Status::Passing);
    sleep(MS).await;
    assert_eq!(age(), Some(MS));

    // Errors of any kind confirm nothing.
    for error in [Error::Failed("no leader".into()), Error::Unreachable("gone".into())] {
        memory.set_mood(Mood::Failing(error));
        sleep(100 * SECOND).await;
    }
    assert_eq!(age(), Some(200 * SECOND + MS));
    memory.set_mood(Mood::Well);
    sleep(6 * SECOND).await;
    assert!(age().unwrap() < 6 * SECOND);
    let (_news, handle) = watch.into_parts();
    assert_eq!(handle.freshness().age(Instant::now().into_std()), age());
    // An earlier moment is no reason to panic.
    assert_eq!(freshness.age((Instant::now() - 100 * SECOND).into_std()), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn registered_is_what_the_registry_has_acknowledged_and_nobody_takes_out() {
    let (memory, catalog, _) = scene();
    let (registrar, _task) = Registrar::spawn(catalog);
    let app = registration("app-1");
    memory.set_mood(Mood::Frozen);
    registrar.passing(&app);
    sleep(SECOND).await;
    assert!(!registrar.is_registered("app-1"), "asked for and not acknowledged");
    memory.set_mood(Mood::Well);
    sleep(SECOND).await;
    assert!(registrar.is_registered("app-1"));
    registrar.failing("app-1");
    sleep(SECOND).await;
    assert!(registrar.is_registered("app-1"), "a check that fails takes nothing out");

    memory.wipe();
    memory.set_mood(Mood::Failing(Error::Refused("no".into())));
    registrar.passing(&app);
    sleep(SECOND).await;
    memory.set_mood(Mood::Well);
    registrar.passing(&app);
    sleep(MS).await;
    assert!(registrar.is_registered("app-1"));

    let moved = Arc::new(Registration { port: 81, ..(*app).clone() });
    memory.set_mood(Mood::Frozen);
    registrar.passing(&moved);
    assert!(!registrar.is_registered("app-1"), "not as it is wanted now");
    memory.set_mood(Mood::Well);
    sleep(SECOND).await;
    assert!(registrar.is_registered("app-1"));

    memory.set_mood(Mood::Frozen);
    let leaving = registrar.deregister("app-1", 3 * SECOND);
    assert!(!registrar.is_registered("app-1"), "on its way out");
    memory.set_mood(Mood::Well);
    leaving.await;
    assert!(!registrar.is_registered("app-1"));
    assert!(!registrar.is_registered("stranger"));
}
