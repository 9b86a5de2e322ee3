//! The registrar and watches over the registry in memory, with time standing still.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::memory::{Memory, Mood, Verb};
use catalog::{
    Catalog, Deregistration, Entry, Error, KeyQuery, Keys, Query, Registrar, Registration, Status,
    watch, watch_keys, watch_keys_from,
};
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn registration(id: &str) -> Arc<Registration> {
    Arc::new(Registration {
        id: id.into(),
        name: "app".into(),
        check_id: format!("service:{id}"),
        address: "10.0.0.1".into(),
        port: 80,
        tags: vec!["blue".into()],
        meta: BTreeMap::new(),
        ttl: 10 * SECOND,
        enable_tag_override: false,
        deregister_critical_after: None,
    })
}

fn query(tag: Option<&str>) -> Query {
    let tag = tag.map(str::to_owned);
    Query { service: "app".into(), tag, datacenter: None, near: None, max_staleness: 10 * SECOND }
}

fn scene() -> (Arc<Memory>, Arc<dyn Catalog>) {
    let memory = Arc::new(Memory::new());
    (Arc::clone(&memory), memory)
}

fn status(memory: &Memory, id: &str) -> Option<Status> {
    memory.get(id).map(|(_, status)| status)
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_gone_for_a_minute_sees_a_probe_at_a_time_and_then_everything() {
    let (memory, catalog) = scene();
    let (registrar, _task) = Registrar::spawn(catalog);
    let all: Vec<_> = (0..100).map(|n| registration(&format!("app-{n}"))).collect();
    all.iter().for_each(|one| registrar.passing(one));
    sleep(SECOND).await;
    assert_eq!(memory.take_seen().len(), 100);

    memory.set_mood(Mood::Failing(Error::Unreachable("gone".into())));
    memory.wipe();
    for _ in 0..60 {
        all.iter().for_each(|one| registrar.passing(one));
        sleep(SECOND).await;
    }
    let probes = memory.take_seen().len();
    assert!((50..150).contains(&probes), "{probes} probes in a minute");

    memory.set_mood(Mood::Well);
    sleep(SECOND).await;
    assert!(all.iter().all(|one| status(&memory, &one.id) == Some(Status::Passing)));
}

#[tokio::test(start_paused = true)]
async fn a_frozen_registry_is_asked_little_and_bounds_every_wait() {
    let (memory, catalog) = scene();
    let (registrar, _task) = Registrar::spawn(catalog);
    let all: Vec<_> = (0..100).map(|n| registration(&format!("app-{n}"))).collect();
    all.iter().for_each(|one| registrar.passing(one));
    sleep(SECOND).await;
    memory.take_seen();
    memory.set_mood(Mood::Frozen);
    for _ in 0..60 {
        all.iter().for_each(|one| registrar.passing(one));
        sleep(SECOND).await;
    }
    let requests = memory.take_seen().len();
    assert!((5..20).contains(&requests), "{requests} requests in a minute");
    let begun = Instant::now();
    let leaving: Vec<_> = all.iter().map(|one| registrar.deregister(&one.id, 3 * SECOND)).collect();
    for one in leaving {
        let ended = one.await;
        assert!(matches!(ended, Deregistration::GaveUp(_)), "{ended:?}");
    }
    assert_eq!(begun.elapsed().as_secs(), 3);
    memory.set_mood(Mood::Well);
    memory.take_seen();
    sleep(60 * SECOND).await;
    let later = memory.take_seen();
    let wrong = later.iter().filter(|(verb, _)| *verb != Verb::Deregister).count();
    assert_eq!(wrong, 0, "given up is given up: {later:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_instance_costs_next_to_nothing() {
    let (memory, catalog) = scene();
    let (registrar, _task) = Registrar::spawn(Arc::clone(&catalog));
    let mut watch = watch(catalog, query(None));
    registrar.passing(&registration("app-0"));
    assert_eq!(watch.changed().await.len(), 1);
    registrar.failing("app-0");
    sleep(20 * SECOND).await;
    memory.take_seen();
    sleep(600 * SECOND).await;
    let seen = memory.take_seen();
    let count = |verb| seen.iter().filter(|(seen, _)| *seen == verb).count();
    assert!((60..90).contains(&count(Verb::Lookup)), "{}", count(Verb::Lookup));
    assert!((55..65).contains(&count(Verb::Instances)), "{}", count(Verb::Instances));
    assert_eq!(seen.len(), count(Verb::Lookup) + count(Verb::Instances));
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_its_last_handle_but_not_before_those_who_leave() {
    let (memory, catalog) = scene();
    let (registrar, task) = Registrar::spawn(catalog);
    let clone = registrar.clone();
    registrar.passing(&registration("app-0"));
    sleep(SECOND).await;
    memory.set_mood(Mood::Frozen);
    let leaving = clone.deregister("app-0", 4 * SECOND);
    drop((registrar, clone));
    sleep(SECOND).await;
    assert!(!task.is_finished());
    memory.set_mood(Mood::Well);
    assert_eq!(leaving.await, Deregistration::Acknowledged);
    timeout(SECOND, task).await.unwrap().unwrap();
    assert_eq!(status(&memory, "app-0"), None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_of_content_and_of_nothing_else() {
    let (memory, catalog) = scene();
    let mut all = watch(Arc::clone(&catalog), query(None));
    let mut blue = watch(Arc::clone(&catalog), query(Some("blue")));
    sleep(SECOND).await;
    let put = |id: &str, port: u16, tag: &str| {
        let tags = vec![tag.to_owned()];
        memory.put(Registration { port, tags, ..(*registration(id)).clone() }, Status::Passing);
    };
    put("app-1", 81, "blue");
    put("app-0", 80, "green");
    let set = timeout(SECOND, all.changed()).await.unwrap();
    assert_eq!(set.iter().map(|i| i.port).collect::<Vec<_>>(), [80, 81], "in order of ids");
    assert_eq!(timeout(SECOND, blue.changed()).await.unwrap().len(), 1);

    // Another tag: out of the one, no change to the other.
    put("app-1", 81, "green");
    assert!(timeout(SECOND, blue.changed()).await.unwrap().is_empty());
    assert!(timeout(5 * SECOND, all.changed()).await.is_err());

    // An outage, and a registry that has started anew with the same content.
    memory.set_mood(Mood::Failing(Error::Interrupted("gone".into())));
    sleep(30 * SECOND).await;
    memory.wipe();
    put("app-1", 81, "green");
    put("app-0", 80, "green");
    memory.set_mood(Mood::Well);
    assert!(timeout(5 * SECOND, all.changed()).await.is_err());
    // Time runs out for what nobody renews.
    let set = timeout(10 * SECOND, all.changed()).await.unwrap();
    assert!(set.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_sees_the_newest_set_and_not_one_it_has() {
    let (memory, catalog) = scene();
    let mut watch = watch(catalog, query(None));
    memory.put((*registration("app-0")).clone(), Status::Passing);
    assert_eq!(watch.changed().await.len(), 1);
    memory.remove("app-0");
    sleep(SECOND).await;
    memory.put((*registration("app-0")).clone(), Status::Passing);
    sleep(SECOND).await;
    assert_eq!(watch.current().len(), 1);
    assert!(timeout(SECOND, watch.changed()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_a_leader_is_no_change_and_no_outage() {
    let (memory, catalog) = scene();
    let mut watch = watch(Arc::clone(&catalog), query(None));
    memory.put((*registration("app-0")).clone(), Status::Passing);
    assert_eq!(watch.changed().await.len(), 1);
    memory.take_seen();
    memory.set_mood(Mood::Failing(Error::Failed("HTTP 500: No cluster leader".into())));
    assert!(timeout(5 * SECOND, watch.changed()).await.is_err());
    assert_eq!(catalog.reachability().outage(), None);
    let requests = memory.take_seen().len();
    assert!((3..20).contains(&requests), "{requests} requests in five seconds");
    memory.set_mood(Mood::Well);
    memory.remove("app-0");
    assert!(timeout(6 * SECOND, watch.changed()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_marked_instance_stays_and_is_seen_by_nobody_until_it_passes_again() {
    let (memory, catalog) = scene();
    let (registrar, _task) = Registrar::spawn(Arc::clone(&catalog));
    let mut watch = watch(catalog, query(None));
    let app = registration("app-0");
    registrar.passing(&app);
    assert_eq!(watch.changed().await.len(), 1);
    let marked = registrar.mark("app-0", "leaving", SECOND).await;
    assert_eq!(marked, Deregistration::Acknowledged);
    assert_eq!(status(&memory, "app-0"), Some(Status::Critical));
    assert_eq!(memory.output("app-0").as_deref(), Some("leaving"));
    assert!(timeout(SECOND, watch.changed()).await.unwrap().is_empty());

    // Neither checks that fail nor an agent that starts empty change that, and nothing is sent but
    // comparisons.
    memory.take_seen();
    registrar.failing("app-0");
    registrar.announce(&app, Status::Passing);
    sleep(60 * SECOND).await;
    let seen = memory.take_seen();
    assert!(
        seen.iter().all(|(verb, _)| matches!(verb, Verb::Lookup | Verb::Instances)),
        "{seen:?}"
    );
    memory.wipe();
    sleep(20 * SECOND).await;
    assert_eq!(status(&memory, "app-0"), Some(Status::Critical));
    assert_eq!(memory.output("app-0").as_deref(), Some("leaving"));

    registrar.passing(&app);
    assert_eq!(timeout(SECOND, watch.changed()).await.unwrap().len(), 1);
    assert_eq!(memory.output("app-0").as_deref(), Some(""));
    registrar.mark("app-0", "leaving", SECOND).await;
    assert_eq!(registrar.deregister("app-0", SECOND).await, Deregistration::Acknowledged);
    assert_eq!(status(&memory, "app-0"), None);
}

#[tokio::test(start_paused = true)]
async fn a_mark_is_bounded_and_nothing_for_what_nobody_sees() {
    let (memory, catalog) = scene();
    let (registrar, _task) = Registrar::spawn(catalog);
    assert_eq!(registrar.mark("stranger", "x", SECOND).await, Deregistration::Acknowledged);
    let app = registration("app-0");
    registrar.passing(&app);
    sleep(SECOND).await;
    memory.set_mood(Mood::Frozen);
    let begun = Instant::now();
    let marked = registrar.mark("app-0", "leaving", 2 * SECOND).await;
    assert!(matches!(marked, Deregistration::GaveUp(_)), "{marked:?}");
    assert_eq!(begun.elapsed(), 2 * SECOND);

    // A pass withdraws a mark; leaving includes it.
    let marked = registrar.mark("app-0", "leaving", 60 * SECOND);
    registrar.passing(&app);
    assert!(matches!(marked.await, Deregistration::GaveUp(_)));
    let marked = registrar.mark("app-0", "leaving", 60 * SECOND);
    let left = registrar.deregister("app-0", 60 * SECOND);
    memory.set_mood(Mood::Well);
    assert_eq!(marked.await, Deregistration::Acknowledged);
    assert_eq!(left.await, Deregistration::Acknowledged);
    assert_eq!(status(&memory, "app-0"), None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_keys_tells_what_was_and_what_is() {
    let (memory, catalog) = scene();
    let keys = |keys| KeyQuery { keys, datacenter: None, max_staleness: 10 * SECOND };
    let mut one = watch_keys(Arc::clone(&catalog), keys(Keys::One("a/x".into())));
    let mut many = watch_keys(Arc::clone(&catalog), keys(Keys::Under("a/".into())));
    let text = |entries: &[Entry]| -> Vec<String> {
        let line =
            |entry: &Entry| format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value));
        entries.iter().map(line).collect()
    };
    sleep(SECOND).await;
    memory.set("a/x", b"1");
    let change = timeout(SECOND, one.change()).await.unwrap();
    assert_eq!((text(&change.before), text(&change.after)), (vec![], vec!["a/x=1".to_owned()]));
    assert_eq!(text(&many.changed().await), ["a/x=1"]);

    memory.set("a/y", b"2");
    memory.set("ab", b"3");
    let change = timeout(SECOND, many.change()).await.unwrap();
    assert_eq!(text(&change.before), ["a/x=1"]);
    assert_eq!(text(&change.after), ["a/x=1", "a/y=2"]);
    // The same again, and others: nothing to tell.
    memory.set("a/x", b"1");
    assert!(timeout(5 * SECOND, one.changed()).await.is_err());

    memory.set_mood(Mood::Failing(Error::Interrupted("gone".into())));
    sleep(30 * SECOND).await;
    memory.set("a/x", b"");
    memory.set_mood(Mood::Well);
    assert_eq!(text(&timeout(5 * SECOND, one.changed()).await.unwrap()), ["a/x="]);
    memory.unset("a/x");
    assert!(timeout(5 * SECOND, one.changed()).await.unwrap().is_empty());

    // What an earlier watch has seen is no news.
    let known = many.current();
    assert_eq!(text(&known), ["a/y=2"]);
    let mut again = watch_keys_from(catalog, keys(Keys::Under("a/".into())), known);
    assert!(timeout(5 * SECOND, again.changed()).await.is_err());
}
