//! Watches of services and keys.

use std::time::Duration;

use catalog::{Entry, Instance, Query, Registration, Status, Watch, watch, watch_from, watch_keys};
use tokio::time::timeout;

use crate::registry::{LONG, SECOND, Scene};

pub(crate) async fn a_watch_tells_of_changes_and_of_nothing_else(scene: Scene) {
    let catalog = scene.connect();
    let [one, two] = [1, 2].map(|number| scene.registration(number));
    let mut all = watch(scene.connect(), scene.query());
    let tag = Some("blue".to_owned());
    let mut blue = watch(scene.connect(), Query { tag, ..scene.query() });
    assert!(is_quiet(&mut all, SECOND).await, "nobody is there, and that is no change");

    catalog.register(&one, Status::Passing, "").await.unwrap();
    assert_eq!(ids(&next(&mut all).await), [one.id.as_str()]);
    catalog.register(&two, Status::Passing, "").await.unwrap();
    assert_eq!(ids(&next(&mut all).await), [one.id.as_str(), two.id.as_str()]);
    // The same again, heartbeats, and what is no part of an instance's identity.
    catalog.register(&two, Status::Passing, "").await.unwrap();
    catalog.heartbeat(&one, Status::Passing, "fine").await.unwrap();
    let tagged = Registration { tags: vec!["blue".to_owned()], ..two.clone() };
    catalog.register(&tagged, Status::Passing, "").await.unwrap();
    assert_eq!(ids(&next(&mut blue).await), [two.id.as_str()]);
    assert!(is_quiet(&mut all, SECOND).await);

    // Another place is another set, and so is another health.
    let moved = Registration { port: 9000, ..one.clone() };
    catalog.register(&moved, Status::Passing, "").await.unwrap();
    let change = timeout(LONG, all.change()).await.unwrap();
    let port = |set: &[Instance]| set.iter().find(|it| it.id == one.id).map(|it| it.port);
    assert_eq!((port(&change.before), port(&change.after)), (Some(one.port), Some(9000)));
    catalog.heartbeat(&moved, Status::Critical, "broken").await.unwrap();
    assert_eq!(ids(&next(&mut all).await), [two.id.as_str()]);
    assert!(all.freshness().age(std::time::Instant::now()).is_some());

    // What another watch has seen is known.
    let mut again = watch_from(scene.connect(), scene.query(), all.current());
    assert!(is_quiet(&mut again, SECOND).await);
    catalog.deregister(&two).await.unwrap();
    for watch in [&mut all, &mut blue, &mut again] {
        assert_eq!(ids(&next(watch).await), [""; 0]);
    }
    catalog.deregister(&one).await.unwrap();
    assert!(is_quiet(&mut all, SECOND).await);
}

pub(crate) async fn a_watch_of_keys_tells_of_changes_and_of_nothing_else(scene: Scene) {
    let registry = &scene.registry;
    let mut one = watch_keys(scene.connect(), scene.one("a/x"));
    let mut many = watch_keys(scene.connect(), scene.under("a/"));
    assert!(is_quiet(&mut many, SECOND).await, "there are none, and that is no change");
    registry.set(&scene.key("a/x"), b"1");
    assert_eq!(values(&next(&mut one).await), ["1"]);
    assert_eq!(values(&next(&mut many).await), ["1"]);
    registry.set(&scene.key("a/y"), b"2");
    let change = timeout(LONG, many.change()).await.unwrap();
    assert_eq!((values(&change.before), values(&change.after)), (vec!["1"], vec!["1", "2"]));
    // The same again, and neighbours.
    registry.set(&scene.key("a/x"), b"1");
    registry.set(&scene.key("b"), b"3");
    registry.set(&scene.key("a"), b"4");
    assert!(is_quiet(&mut many, SECOND).await);
    assert!(is_quiet(&mut one, SECOND).await);
    registry.set(&scene.key("a/x"), b"");
    assert_eq!(values(&next(&mut one).await), [""]);
    assert_eq!(values(&next(&mut many).await), ["", "2"]);
    registry.unset(&scene.key("a/x"));
    assert_eq!(values(&next(&mut one).await), [""; 0]);
    assert_eq!(values(&next(&mut many).await), ["2"]);
}

async fn next<T>(watch: &mut Watch<T>) -> std::sync::Arc<[T]> {
    timeout(LONG, watch.changed()).await.unwrap()
}

async fn is_quiet<T>(watch: &mut Watch<T>, time: Duration) -> bool {
    timeout(time, watch.changed()).await.is_err()
}

fn ids(instances: &[Instance]) -> Vec<&str> {
    instances.iter().map(|instance| instance.id.as_str()).collect()
}

fn values(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| std::str::from_utf8(&entry.value).unwrap()).collect()
}
