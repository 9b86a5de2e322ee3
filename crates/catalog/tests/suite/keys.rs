//! Keys and their values.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Entry, Index, KeyQuery, Keys};
use tokio::time::{Instant, sleep};

use crate::registry::{LONG, MS, SECOND, Scene};

pub(crate) async fn a_key_that_is_not_there_is_an_empty_answer(scene: Scene) {
    let catalog = scene.connect();
    for query in [scene.one("x"), scene.under("")] {
        let found = catalog.entries(&query, None, SECOND).await.unwrap();
        assert_eq!(found.entries, []);
        assert!(found.index > Index(0), "something to wait after");
    }
}

pub(crate) async fn values_are_any_bytes_and_prefixes_select(scene: Scene) {
    let catalog = scene.connect();
    let bytes: Vec<u8> = (0..=255).collect();
    for (name, value) in [("f/2", &b""[..]), ("f/10", &bytes), ("f", b"x"), ("g", b"\xff")] {
        scene.registry.set(&scene.key(name), value);
    }
    let read = async |query: KeyQuery| {
        let found = catalog.entries(&query, None, SECOND).await.unwrap().entries;
        let short = |Entry { key, value }: Entry| {
            (key.strip_prefix(&scene.key("")).unwrap().to_owned(), value)
        };
        found.into_iter().map(short).collect::<Vec<_>>()
    };
    let entry = |name: &str, value: &[u8]| (name.to_owned(), value.to_owned());
    assert_eq!(read(scene.one("f/10")).await, [entry("f/10", &bytes)]);
    assert_eq!(read(scene.one("f/2")).await, [entry("f/2", b"")]);
    assert_eq!(read(scene.one("f")).await, [entry("f", b"x")]);
    // In the order of the keys' bytes.
    assert_eq!(read(scene.under("f/")).await, [entry("f/10", &bytes), entry("f/2", b"")]);
    assert_eq!(read(scene.under("")).await.len(), 4);
    scene.registry.unset(&scene.key("f/10"));
    assert_eq!(read(scene.under("f/")).await, [entry("f/2", b"")]);

    // Keys are names, and not parts of an address.
    let odd = "o?d d&key=%41/é";
    let query = KeyQuery { keys: Keys::One(scene.key(odd)), ..scene.one("") };
    assert_eq!(read(query).await, []);
}

pub(crate) async fn a_query_waits_for_a_change(scene: Scene) {
    let catalog = scene.connect();
    for query in [scene.one("a/x"), scene.under("a/")] {
        let settled = catalog.entries(&query, None, SECOND).await.unwrap();
        let waiter = {
            let (catalog, query, before) = (Arc::clone(&catalog), query, settled.entries.clone());
            tokio::spawn(async move {
                let mut after = settled.index;
                // What others do may wake a query; it says the same again then.
                loop {
                    let found = catalog.entries(&query, Some(after), LONG).await.unwrap();
                    after = found.index;
                    if found.entries != before {
                        return (found, Instant::now());
                    }
                }
            })
        };
        sleep(300 * MS).await;
        assert!(!waiter.is_finished(), "nothing has changed");
        let value = format!("{:?}", Instant::now());
        scene.registry.set(&scene.key("a/x"), value.as_bytes());
        let changed = Instant::now();
        let (found, heard) = waiter.await.unwrap();
        assert_eq!(found.entries[0].value, value.as_bytes());
        assert!(found.index > settled.index);
        assert!(heard < changed + LONG / 3, "{:?}", heard - changed);
        scene.registry.unset(&scene.key("a/x"));
    }
    // And not for ever.
    let query = scene.one("quiet");
    let mut index = catalog.entries(&query, None, SECOND).await.unwrap().index;
    let begun = Instant::now();
    while begun.elapsed() < SECOND {
        let left = SECOND.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        let found = catalog.entries(&query, Some(index), left).await.unwrap();
        assert_eq!(found.entries, []);
        index = found.index;
    }
    assert!(begun.elapsed() < LONG / 3, "{:?}", begun.elapsed());
}
