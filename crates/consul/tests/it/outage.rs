//! The agent dies, comes back empty, freezes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Catalog, Deregistration, Query, Registrar, Registration, watch};
use serde_json::json;
use testkit::{Consul, wait_until};

use crate::support::{LONG, Runtime, Scene, client_with, lines, listen, registration};

const SECOND: Duration = Duration::from_secs(1);

/// A heartbeat (a second at most), Consul's own work for it, and what a machine with other things to
/// do needs. A comparison would take ten seconds.
const HEARTBEAT: Duration = Duration::from_secs(5);

fn query(service: &str) -> Query {
    Query {
        service: service.to_owned(),
        tag: None,
        datacenter: None,
        near: None,
        max_staleness: SECOND,
    }
}

fn many(prefix: &str, ttl: Duration) -> Vec<Arc<Registration>> {
    let one = |n| Registration { ttl, ..registration(&format!("{prefix}{n}")) };
    (0..20).map(|n| Arc::new(one(n))).collect()
}

/// The ids that pass on the agent.
fn passing(consul: &Consul) -> usize {
    let checks = consul.get("/v1/agent/checks").json();
    let all = checks.as_object().unwrap().values();
    all.filter(|check| check["Status"] == "passing").count()
}

#[track_caller]
fn wait_for_passing(consul: &Consul, count: usize, deadline: Duration) {
    wait_until(&format!("{count} instances pass"), deadline, || {
        let seen = passing(consul);
        if seen == count { Ok(()) } else { Err(seen.to_string()) }
    });
}

#[test]
fn an_agent_that_comes_back_empty_is_whole_within_a_heartbeat_and_two_lines_tell_of_it() {
    let mut scene = Scene::start();
    let services = many("gone", 10 * SECOND);
    let sick = Arc::new(registration("sick"));
    scene.registrar.passing(&sick);
    scene.wait_for("sick", "passing");
    scene.registrar.failing("sick-host");
    let checks = scene.checks(&services, SECOND);
    let mut watches: Vec<_> = ["gone0", "gone1"]
        .map(|name| scene.runtime.enter(|| watch(Arc::clone(&scene.catalog), query(name))))
        .into();
    wait_for_passing(&scene.consul, 21, LONG);

    scene.consul.kill();
    wait_until("the outage is noticed", LONG, || scene.lines(log::Level::Warn).pop());
    // Some more heartbeats fall into the outage.
    scene.consul.restart_empty();
    wait_for_passing(&scene.consul, 20, HEARTBEAT);
    scene.wait_for("sick", "critical");

    let told = scene.lines(log::Level::Info);
    assert_eq!(told.len(), 2, "{told:#?}");
    // Or reset, if a heartbeat was on its way.
    assert!(told[0].contains("does not answer: Connection re"), "{told:#?}");
    assert!(told[1].contains("answers again after"), "{told:#?}");
    assert_eq!(lines(log::Level::Warn, "gone"), Vec::<String>::new());
    drop(checks);

    // The watches have survived, too.
    let first = watches.remove(0);
    wait_until("the watch sees the instance again", LONG, || first.current().len() == 1);
    scene.consul.deregister("gone0-host");
    wait_until("the watch sees it go", LONG, || first.current().is_empty());
}

#[test]
fn an_outage_longer_than_the_ttl_is_made_good() {
    let mut scene = Scene::start();
    let services = many("long", SECOND);
    let _checks = scene.checks(&services, SECOND / 2);
    wait_for_passing(&scene.consul, 20, LONG);
    scene.consul.kill();
    let dead = Instant::now();
    wait_until("it was down for three times the ttl", LONG, || dead.elapsed() > 3 * SECOND);
    scene.consul.restart_empty();
    wait_for_passing(&scene.consul, 20, HEARTBEAT);
    assert_eq!(scene.lines(log::Level::Warn).len(), 1);
    assert_eq!(scene.lines(log::Level::Info).len(), 2);
}

/// A registrar with a short deadline, since a frozen agent is noticed by deadlines alone.
fn impatient(consul: &Consul, runtime: &Runtime) -> (Arc<dyn Catalog>, Registrar) {
    let catalog = client_with(&consul.address(), |options| options.timeout = SECOND);
    let (registrar, _) = runtime.enter(|| Registrar::spawn(Arc::clone(&catalog)));
    (catalog, registrar)
}

#[test]
fn a_frozen_agent_is_whole_within_a_heartbeat_of_its_thaw() {
    let mut scene = Scene::start();
    (scene.catalog, scene.registrar) = impatient(&scene.consul, &scene.runtime);
    let services = many("ice", 2 * SECOND);
    let _checks = scene.checks(&services, SECOND / 2);
    wait_for_passing(&scene.consul, 20, LONG);
    scene.consul.freeze();
    let frozen = Instant::now();
    let told = wait_until("it is noticed", LONG, || scene.lines(log::Level::Warn).pop());
    assert!(told.ends_with("does not answer: no answer within 1s; retrying"), "{told}");
    wait_until("it was frozen for longer than the ttl", LONG, || frozen.elapsed() > 4 * SECOND);
    scene.consul.thaw();
    wait_for_passing(&scene.consul, 20, HEARTBEAT);
    wait_until("the end is told", LONG, || scene.lines(log::Level::Info).len() == 2);
    // Probes, one at a time: not one for each service.
    let failed = scene.lines(log::Level::Debug).len();
    assert!(failed < 12, "{failed} lines: {:#?}", scene.lines(log::Level::Debug));
}

#[test]
fn a_frozen_agent_does_not_hold_up_those_who_leave() {
    let mut scene = Scene::start();
    (scene.catalog, scene.registrar) = impatient(&scene.consul, &scene.runtime);
    let services = many("stuck", 10 * SECOND);
    let checks = scene.checks(&services, SECOND);
    wait_for_passing(&scene.consul, 20, LONG);
    scene.consul.freeze();
    drop(checks);
    let begun = Instant::now();
    let leaving: Vec<_> =
        services.iter().map(|r| scene.registrar.deregister(&r.id, 2 * SECOND)).collect();
    for one in leaving {
        let ended = scene.runtime.wait(one);
        let Deregistration::GaveUp(reason) = ended else { panic!("{ended:?}") };
        assert!(reason.contains("no answer within 1s"), "{reason}");
    }
    assert!(begun.elapsed() < 3 * SECOND, "{:?}", begun.elapsed());
    scene.consul.thaw();
}

#[test]
fn a_registration_stuck_in_a_frozen_agent_does_not_survive_its_deregistration() {
    let mut scene = Scene::start();
    (scene.catalog, scene.registrar) = impatient(&scene.consul, &scene.runtime);
    scene.consul.freeze();
    scene.registrar.passing(&Arc::new(registration("late")));
    wait_until("it is given up", LONG, || scene.lines(log::Level::Warn).pop());
    let leaving = scene.registrar.deregister("late-host", LONG);
    scene.consul.thaw();
    assert_eq!(scene.runtime.wait(leaving), Deregistration::Acknowledged);
    assert_eq!(scene.consul.services(), json!({}));
}

#[test]
fn an_agent_that_was_never_there_costs_one_line_and_no_wait_at_the_end() {
    listen();
    let runtime = Runtime::start();
    let address = format!("127.0.0.1:{}", testkit::free_port());
    let (_, registrar) = {
        let catalog = client_with(&address, |_| {});
        let registrar = runtime.enter(|| Registrar::spawn(Arc::clone(&catalog))).0;
        (catalog, registrar)
    };
    for one in many("never", 10 * SECOND) {
        registrar.passing(&one);
    }
    // Five probes later.
    wait_until("it was tried", LONG, || lines(log::Level::Debug, &address).len() > 5);
    let begun = Instant::now();
    for one in many("never", 10 * SECOND) {
        let ended = runtime.wait(registrar.deregister(&one.id, LONG));
        assert_eq!(ended, Deregistration::Acknowledged);
    }
    assert!(begun.elapsed() < 3 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(lines(log::Level::Warn, &address).len(), 1);
}
