//! Watches on a real agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use catalog::{Instance, Query, Watch, watch};
use serde_json::json;
use testkit::{Consul, wait_until};

use crate::support::{LONG, Scene, registration};

fn query(service: &str, tag: Option<&str>) -> Query {
    Query {
        service: service.to_owned(),
        tag: tag.map(str::to_owned),
        datacenter: None,
        near: None,
        max_staleness: Duration::from_secs(10),
    }
}

fn start(scene: &Scene, query: Query) -> Watch {
    scene.runtime.enter(|| watch(Arc::clone(&scene.catalog), query))
}

/// The next change, as `id address:port`.
#[track_caller]
fn next(scene: &Scene, mut watch: Watch) -> (Watch, Vec<String>) {
    let (watch, set) = scene.runtime.wait(async move {
        let set = watch.changed().await;
        (watch, set)
    });
    (watch, set.iter().map(|i: &Instance| format!("{} {}:{}", i.id, i.address, i.port)).collect())
}

fn put(consul: &Consul, id: &str, name: &str, port: u16, tags: &[&str]) {
    consul.register(json!({"ID": id, "Name": name, "Address": "10.0.0.1", "Port": port,
        "Tags": tags}));
}

#[test]
fn a_change_arrives_within_milliseconds() {
    let scene = Scene::start();
    let watch = start(&scene, query("app", None));
    put(&scene.consul, "app-0", "app", 80, &[]);
    let (mut watch, mut set) = next(&scene, watch);
    assert_eq!(set, ["app-0 10.0.0.1:80"]);
    let mut best = LONG;
    for port in 81..86 {
        let begun = Instant::now();
        put(&scene.consul, "app-0", "app", port, &[]);
        (watch, set) = next(&scene, watch);
        best = best.min(begun.elapsed());
        assert_eq!(set, [format!("app-0 10.0.0.1:{port}")]);
    }
    // With Consul's own part of it, on a machine that others use.
    assert!(best < Duration::from_millis(50), "{best:?}");
    scene.consul.deregister("app-0");
    assert_eq!(next(&scene, watch).1, Vec::<String>::new());
}

#[test]
fn two_tags_of_one_service_are_two_watches() {
    let scene = Scene::start();
    let (blue, green) = (query("app", Some("blue")), query("app", Some("gr een&x")));
    let (blue, green) = (start(&scene, blue), start(&scene, green));
    put(&scene.consul, "app-b", "app", 1, &["blue"]);
    put(&scene.consul, "app-g", "app", 2, &["gr een&x"]);
    let (blue, set) = next(&scene, blue);
    assert_eq!(set, ["app-b 10.0.0.1:1"]);
    let (_green, set) = next(&scene, green);
    assert_eq!(set, ["app-g 10.0.0.1:2"]);
    scene.consul.deregister("app-g");
    put(&scene.consul, "app-b2", "app", 3, &["blue"]);
    assert_eq!(next(&scene, blue).1, ["app-b 10.0.0.1:1", "app-b2 10.0.0.1:3"]);
}

#[test]
fn what_is_not_passing_is_not_there_and_tags_alone_are_no_change() {
    let scene = Scene::start();
    let app = Arc::new(registration("app"));
    let watch = start(&scene, query("app", None));
    scene.registrar.announce(&app, catalog::Status::Critical);
    scene.wait_for("app", "critical");
    assert!(watch.current().is_empty());
    scene.registrar.passing(&app);
    let (watch, set) = next(&scene, watch);
    assert_eq!(set, ["app-host 10.1.2.3:8000"]);
    put(&scene.consul, "app-host", "app", 8000, &[]);
    let (watch, set) = next(&scene, watch);
    assert_eq!(set, ["app-host 10.0.0.1:8000"]);
    // Another tag is seen and is no change; another port then is the next one.
    put(&scene.consul, "app-host", "app", 8000, &["other"]);
    let (news, handle) = watch.into_parts();
    let unmoved = scene.runtime.wait(async move {
        let mut moved = news.clone();
        moved.mark_unchanged();
        let quiet = tokio::time::timeout(Duration::from_millis(300), moved.changed()).await;
        (quiet.is_err(), news, handle)
    });
    let (is_quiet, mut news, _handle) = unmoved;
    assert!(is_quiet, "a tag was told as a change");
    news.mark_unchanged();
    put(&scene.consul, "app-host", "app", 8001, &["other"]);
    let port = scene.runtime.wait(async move {
        let _ = news.changed().await;
        news.borrow()[0].port
    });
    assert_eq!(port, 8001);
}

#[test]
fn an_agent_that_is_gone_is_no_change_and_one_that_came_back_empty_is() {
    let mut scene = Scene::start();
    put(&scene.consul, "app-0", "app", 80, &[]);
    let (watch, set) = next(&scene, start(&scene, query("app", None)));
    assert_eq!(set, ["app-0 10.0.0.1:80"]);
    scene.consul.kill();
    wait_until("the outage is noticed", LONG, || scene.lines(log::Level::Warn).pop());
    assert_eq!(watch.current().len(), 1);
    scene.consul.restart_empty();
    let (watch, set) = next(&scene, watch);
    assert_eq!(set, Vec::<String>::new());
    put(&scene.consul, "app-0", "app", 80, &[]);
    assert_eq!(next(&scene, watch).1, ["app-0 10.0.0.1:80"]);
}

#[test]
fn a_service_that_flaps_does_not_cost_a_request_for_each_flap() {
    let scene = Scene::start();
    let (mut news, _watch) = start(&scene, query("app", None)).into_parts();
    let (count, counted) = (Arc::new(AtomicU16::new(0)), news.clone());
    let counter = Arc::clone(&count);
    scene.runtime.enter(|| {
        tokio::spawn(async move {
            while news.changed().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    let (mut ports, begun) = (1000..60_000u16, Instant::now());
    wait_until("two seconds of flapping", LONG, || {
        put(&scene.consul, "app-0", "app", ports.next()?, &[]);
        (begun.elapsed() > Duration::from_secs(2)).then_some(())
    });
    let last = ports.start - 1;
    wait_until("the last state is seen", LONG, || {
        counted.borrow().iter().any(|instance| instance.port == last)
    });
    assert!(last > 1050, "flapped only {} times", last - 1000);
    // Each port is new, so what was read was told: four at once, then three a second.
    let count = f64::from(count.load(Ordering::SeqCst));
    assert!(count <= 4.0 + begun.elapsed().as_secs_f64() * 3.5, "{count} reads");
}

#[test]
fn a_dropped_watch_asks_nothing_more() {
    let scene = Scene::start();
    put(&scene.consul, "app-0", "app", 80, &[]);
    let (watch, _) = next(&scene, start(&scene, query("app", None)));
    let (mut news, handle) = watch.into_parts();
    drop(handle);
    // The sender is gone, or this would not resolve.
    scene.runtime.wait(async move { while news.changed().await.is_ok() {} });
}
