//! Several agents in front of one cluster.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use catalog::{Catalog, Deregistration, Error, Index, Query, Registrar, Status, watch};
use consul::{Consul as Client, Options};
use serde_json::json;
use testkit::{Consul, wait_until};

use crate::fake::{Deed, Fake, ok, status};
use crate::support::{LONG, Runtime, Scene, at, client_of, lines, listen, registration};

fn query(service: &str) -> Query {
    Query {
        service: service.to_owned(),
        tag: None,
        datacenter: None,
        near: None,
        max_staleness: Duration::from_secs(10),
    }
}

/// What a comparison does.
fn lookup(scene: &Scene, name: &'static str) {
    let catalog = Arc::clone(&scene.catalog);
    let found =
        scene.runtime.wait(async move { catalog.lookup(&registration(name)).await.unwrap() });
    assert!(found.is_some());
}

#[test]
fn an_agent_that_dies_is_replaced_at_once_and_what_it_comes_back_with_is_taken_out() {
    // In development mode an agent that dies is missed sooner than by a heartbeat. In others it takes
    // seconds; here it takes so long that a slow machine does not matter.
    let server = Consul::start_with(json!({"gossip_lan": {"probe_interval": "10s"}}));
    let mut agent = Consul::agent_of(&server);
    let name = format!("consul at http://{}, http://{}", agent.address(), server.address());
    let mut scene = Scene::around(server);
    scene.catalog = client_of(&[&agent.address(), &scene.consul.address()]);
    assert_eq!(scene.catalog.reachability().name(), name);
    scene.registrar = scene.runtime.enter(|| Registrar::spawn(Arc::clone(&scene.catalog))).0;
    let app = Arc::new(registration("twin"));
    let _checks = scene.checks(&[app], Duration::from_millis(500));
    let (mut news, _watch) =
        scene.runtime.enter(|| watch(Arc::clone(&scene.catalog), query("twin"))).into_parts();
    scene.wait_for("twin", "passing");
    assert!(agent.services().get("twin-host").is_some());
    assert_eq!(scene.consul.services(), json!({}));
    wait_until("the watch sees it", LONG, || news.borrow().len() == 1);
    news.borrow_and_update();

    agent.kill();
    wait_until("the other agent has it", LONG, || {
        scene.consul.services().get("twin-host").cloned()
    });
    wait_until("it is told", LONG, || lines(log::Level::Info, &name).pop());
    let told = lines(log::Level::Info, &name);
    let there = format!("{name}: asking http://{} from now on", scene.consul.address());
    assert!(told.contains(&there), "{told:?}");

    // It remembers what it had.
    agent.restart();
    assert!(agent.services().get("twin-host").is_some());
    wait_until("it was taken out there", LONG, || {
        lookup(&scene, "twin");
        agent.services() == json!({})
    });
    assert!(scene.consul.services().get("twin-host").is_some());
    assert!(!news.has_changed().unwrap(), "a false change: {:?}", news.borrow());
    assert_eq!(scene.deregister("twin-host", LONG), Deregistration::Acknowledged);
    assert_eq!(scene.consul.services(), json!({}));
}

#[test]
fn whoever_leaves_takes_out_what_it_has_left_elsewhere() {
    let (a, b) = (Consul::start(), Consul::start());
    let runtime = Runtime::start();
    let addresses = vec![at(&a.address()), at(&b.address())];
    let second = Duration::from_secs(1);
    let options = Options { timeout: second, ..Options::new(addresses) };
    let catalog: Arc<dyn Catalog> = Arc::new(Client::build(options).unwrap());
    let app = registration("both");
    let register = || {
        let (catalog, app) = (Arc::clone(&catalog), app.clone());
        runtime.wait(async move { catalog.register(&app, Status::Passing, "").await })
    };
    let deregister = || {
        let (catalog, app) = (Arc::clone(&catalog), app.clone());
        runtime.wait(async move { catalog.deregister(&app).await })
    };
    assert_eq!(register(), Ok(()));
    // Its answers are late, so the other one is asked.
    a.freeze();
    assert_eq!(register(), Err(Error::Timeout(second)));
    assert_eq!(register(), Ok(()));
    assert!(b.services().get("both-host").is_some());
    a.thaw();
    assert!(a.services().get("both-host").is_some());
    assert_eq!(deregister(), Ok(()));
    assert_eq!((a.services(), b.services()), (json!({}), json!({})));

    // An agent that does not answer does not hold up those who leave.
    assert_eq!(register(), Ok(()));
    b.freeze();
    assert_eq!(register(), Err(Error::Timeout(second)));
    assert_eq!(register(), Ok(()));
    let begun = Instant::now();
    assert_eq!(deregister(), Ok(()));
    assert!(begun.elapsed() < 2 * second, "{:?}", begun.elapsed());
    assert_eq!(a.services(), json!({}));
}

/// As a real server without one.
fn leaderless(request: &str) -> Vec<u8> {
    if request.contains("/v1/status/leader") {
        ok("\"\"\n")
    } else {
        status(500, "No cluster leader")
    }
}

#[test]
fn an_agent_that_is_cut_off_is_left_only_for_one_that_has_a_leader() {
    listen();
    let first = Fake::start(Deed::By(leaderless));
    let second = Fake::start(Deed::By(leaderless));
    let catalog = client_of(&[&first.address, &second.address]);
    let runtime = Runtime::start();
    let read = || {
        let catalog = Arc::clone(&catalog);
        runtime.wait(async move { catalog.instances(&query("x"), None, LONG).await })
    };
    let asked = |fake: &Fake| {
        let lines = fake.lines.lock().unwrap();
        lines.iter().filter(|line| line.contains("/v1/health/")).count()
    };
    let begun = Instant::now();
    wait_until("six seconds without a leader anywhere", LONG, || {
        assert!(matches!(read(), Err(Error::Failed(_))));
        begun.elapsed() > Duration::from_secs(6)
    });
    assert_eq!(asked(&second), 0, "an election is no reason to move");
    let polls = second.requests.load(Ordering::SeqCst);
    assert!((1..=3).contains(&polls), "{polls} questions for a leader");

    second.set(Deed::By(|request| {
        if request.contains("/v1/status/leader") { ok("\"10.0.0.1:8300\"\n") } else { ok("[]") }
    }));
    wait_until("the second one is asked", LONG, &read);
    // The first one is cut off, but alive: nothing goes back by itself.
    first.set(Deed::Answer(ok("[]")));
    let before = asked(&first);
    for _ in 0..5 {
        read().unwrap();
    }
    assert_eq!(asked(&first), before);
}

/// As a real agent whose cluster has no leader, for as long as it holds requests.
fn holding(request: &str) -> Vec<u8> {
    match request {
        _ if request.contains("/v1/health/") => Vec::new(),
        _ if request.contains("/v1/status/leader") => ok("\"\"\n"),
        _ => ok(""),
    }
}

#[test]
fn agents_that_hold_what_the_cluster_cannot_answer_are_not_tried_in_turn() {
    let first = Fake::start(Deed::By(holding));
    let second = Fake::start(Deed::By(holding));
    let addresses = vec![at(&first.address), at(&second.address)];
    let options = Options { timeout: Duration::from_millis(1500), ..Options::new(addresses) };
    let catalog: Arc<dyn Catalog> = Arc::new(Client::build(options).unwrap());
    let runtime = Runtime::start();
    let read = || {
        let catalog = Arc::clone(&catalog);
        runtime.wait(async move { catalog.instances(&query("x"), None, LONG).await })
    };
    // All the while the agent takes heartbeats.
    let _heartbeats = runtime.enter(|| {
        let catalog = Arc::clone(&catalog);
        tokio::spawn(async move {
            let app = registration("app");
            loop {
                let _ = catalog.heartbeat(&app, Status::Passing, "").await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
    });
    for _ in 0..2 {
        assert!(matches!(read(), Err(Error::Timeout(_))));
    }
    let asked = || {
        let lines = second.lines.lock().unwrap();
        lines.iter().filter(|line| !line.contains("/v1/status/leader")).count()
    };
    assert_eq!(asked(), 0, "{:?}", second.lines.lock().unwrap());
    second.set(Deed::By(|request| {
        if request.contains("/v1/status/leader") { ok("\"10.0.0.1:8300\"\n") } else { ok("[]") }
    }));
    wait_until("the one with a leader is asked", LONG, &read);
}

#[test]
fn a_gateway_that_has_lost_its_agent_is_passed_over() {
    let first = Fake::start(Deed::Answer(status(503, "")));
    let consul = Consul::start();
    let catalog = client_of(&[&first.address, &consul.address()]);
    let runtime = Runtime::start();
    let beat = || {
        let catalog = Arc::clone(&catalog);
        runtime
            .wait(async move { catalog.heartbeat(&registration("app"), Status::Passing, "").await })
    };
    // It may just have waited too long for a change.
    let wait = || {
        let catalog = Arc::clone(&catalog);
        runtime.wait(async move { catalog.instances(&query("x"), Some(Index(1)), LONG).await })
    };
    for _ in 0..3 {
        assert!(matches!(wait(), Err(Error::Interrupted(_))));
    }
    assert!(matches!(beat(), Err(Error::Interrupted(_))));
    assert_eq!(beat(), Err(Error::Unknown), "the real one answers");
}
