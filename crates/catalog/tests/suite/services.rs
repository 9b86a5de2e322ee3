//! Instances: registering, heartbeats, health, leaving.

use std::sync::Arc;

use catalog::{
    Catalog, Deregistration, Error, Expiry, Instance, Query, Registered, Registrar, Registration,
    Status,
};
use tokio::time::{Instant, sleep};

use crate::registry::{LONG, MS, Places, SECOND, Scene, eventually};

pub(crate) async fn an_instance_is_found_until_it_leaves(scene: Scene) {
    let (catalog, query) = (scene.connect(), scene.query());
    let wanted = scene.registration(1);
    assert_eq!(catalog.lookup(&wanted).await, Ok(None));
    assert_eq!(ids(&*catalog, &query).await, Vec::<String>::new());
    catalog.register(&wanted, Status::Passing, "").await.unwrap();
    let found = eventually("it is found", async || {
        let found = catalog.instances(&query, None, SECOND).await.unwrap().instances;
        if found.len() == 1 { Ok(found) } else { Err(format!("{found:?}")) }
    });
    let [Instance { id, name, address, port, tags, meta, .. }] = &found.await[..] else {
        panic!("one")
    };
    assert_eq!(
        (id, name, address, *port),
        (&wanted.id, &wanted.name, &wanted.address, wanted.port)
    );
    assert_eq!((tags, meta), (&wanted.tags, &wanted.meta));
    let known = catalog.lookup(&wanted).await.unwrap().unwrap();
    let Registration { name, address, port, tags, meta, .. } = wanted.clone();
    assert_eq!(known, Registered { name, address, port, tags, meta });

    // Registering again replaces.
    let moved = Registration { port: 9000, ..wanted.clone() };
    catalog.register(&moved, Status::Passing, "").await.unwrap();
    assert!(catalog.lookup(&wanted).await.unwrap().unwrap().matches(&moved));
    for _ in 0..2 {
        catalog.deregister(&moved).await.unwrap();
        assert_eq!(catalog.lookup(&wanted).await, Ok(None));
    }
    await_ids(&*catalog, &query, &[]).await;
}

pub(crate) async fn only_the_passing_are_found(scene: Scene) {
    let (catalog, query) = (scene.connect(), scene.query());
    let all = [1, 2, 3].map(|number| scene.registration(number));
    for (one, status) in all.iter().zip([Status::Passing, Status::Warning, Status::Critical]) {
        catalog.register(one, status, "just started").await.unwrap();
        assert!(catalog.lookup(one).await.unwrap().unwrap().matches(one));
    }
    await_ids(&*catalog, &query, &[&all[0].id]).await;
    for one in &all {
        catalog.heartbeat(one, Status::Passing, "").await.unwrap();
    }
    await_ids(&*catalog, &query, &[&all[0].id, &all[1].id, &all[2].id]).await;
    catalog.heartbeat(&all[1], Status::Warning, "slow").await.unwrap();
    catalog.heartbeat(&all[2], Status::Critical, "broken").await.unwrap();
    await_ids(&*catalog, &query, &[&all[0].id]).await;
}

pub(crate) async fn a_heartbeat_for_what_is_not_there_is_refused(scene: Scene) {
    let (catalog, wanted) = (scene.connect(), scene.registration(1));
    assert_eq!(catalog.heartbeat(&wanted, Status::Passing, "").await, Err(Error::Unknown));
    catalog.register(&wanted, Status::Passing, "").await.unwrap();
    assert_eq!(catalog.heartbeat(&wanted, Status::Passing, "").await, Ok(()));
    catalog.deregister(&wanted).await.unwrap();
    assert_eq!(catalog.heartbeat(&wanted, Status::Passing, "").await, Err(Error::Unknown));
}

pub(crate) async fn without_heartbeats_an_instance_is_not_found_any_more(scene: Scene) {
    let (catalog, query) = (scene.connect(), scene.query());
    let ttl = scene.traits.ttl * 4;
    let [quiet, beating] = [1, 2].map(|number| Registration { ttl, ..scene.registration(number) });
    catalog.register(&beating, Status::Passing, "").await.unwrap();
    let begun = Instant::now();
    catalog.register(&quiet, Status::Passing, "").await.unwrap();
    await_ids(&*catalog, &query, &[&quiet.id, &beating.id]).await;
    let ended = eventually("it expires", async || {
        catalog.heartbeat(&beating, Status::Passing, "").await.unwrap();
        let found = ids(&*catalog, &query).await;
        sleep(100 * MS).await;
        if found.contains(&quiet.id) { Err(format!("{found:?}")) } else { Ok(begun.elapsed()) }
    });
    let ended = ended.await;
    assert!(ended >= ttl, "{ended:?} is too early");
    scene.note(format!("after {ended:.1?} of {ttl:?}"));
    assert!(ended <= ttl * scene.traits.patience + LONG / 3, "{ended:?} is too late");
    assert_eq!(ids(&*catalog, &query).await, [beating.id]);
    let known = catalog.lookup(&quiet).await.unwrap().is_some();
    let again = catalog.heartbeat(&quiet, Status::Passing, "").await;
    assert_eq!(catalog.expiry(), scene.traits.expired);
    match scene.traits.expired {
        Expiry::Critical => assert_eq!((known, again), (true, Ok(()))),
        Expiry::Removed => assert_eq!((known, again), (false, Err(Error::Unknown))),
    }
}

pub(crate) async fn who_comes_back_after_its_time_is_healthy_at_once(scene: Scene) {
    let (killed, query) = (scene.connect(), scene.query());
    let wanted = Registration { ttl: scene.traits.ttl * 4, ..scene.registration(1) };
    killed.register(&wanted, Status::Passing, "").await.unwrap();
    await_ids(&*killed, &query, &[&wanted.id]).await;
    drop(killed);
    let successor = scene.connect();
    await_ids(&*successor, &query, &[]).await;
    successor.register(&wanted, Status::Passing, "").await.unwrap();
    await_ids(&*successor, &query, &[&wanted.id]).await;
}

pub(crate) async fn a_tag_selects(scene: Scene) {
    let catalog = scene.connect();
    let tagged = |number, tag: &str| Registration {
        tags: vec!["all".to_owned(), tag.to_owned()],
        ..scene.registration(number)
    };
    let (blue, green) = (tagged(1, "blue"), tagged(2, "green"));
    for one in [&blue, &green] {
        catalog.register(one, Status::Passing, "").await.unwrap();
    }
    let query = |tag: &str| Query { tag: Some(tag.to_owned()), ..scene.query() };
    await_ids(&*catalog, &query("all"), &[&blue.id, &green.id]).await;
    await_ids(&*catalog, &query("blue"), &[&blue.id]).await;
    await_ids(&*catalog, &query("red"), &[]).await;
}

pub(crate) async fn another_datacenter_is_never_taken_for_an_empty_one(scene: Scene) {
    let catalog = scene.connect();
    let wanted = scene.registration(1);
    catalog.register(&wanted, Status::Passing, "").await.unwrap();
    await_ids(&*catalog, &scene.query(), &[&wanted.id]).await;
    let ask = async |datacenter: Option<&str>, near: Option<&str>| {
        let (datacenter, near) = (datacenter.map(str::to_owned), near.map(str::to_owned));
        let query = Query { datacenter, near, ..scene.query() };
        catalog.instances(&query, None, SECOND).await.map(|found| found.instances.len())
    };
    let (own, near, elsewhere) = (
        ask(Some("dc1"), None).await,
        ask(None, Some("_agent")).await,
        ask(Some("elsewhere"), None).await,
    );
    let is_refused = |answer: &Result<usize, Error>| matches!(answer, Err(Error::Refused(_)));
    match scene.traits.places {
        Places::Known => {
            assert_eq!((own, near), (Ok(1), Ok(1)));
            assert!(elsewhere.is_err(), "{elsewhere:?}");
        }
        Places::Refused => {
            assert!([&own, &near, &elsewhere].into_iter().all(is_refused), "{own:?} {near:?}");
        }
        Places::Ignored => assert_eq!((own, near, elsewhere), (Ok(1), Ok(1), Ok(1))),
    }
}

pub(crate) async fn a_query_waits_for_a_change(scene: Scene) {
    let (catalog, query) = (scene.connect(), scene.query());
    let wanted = scene.registration(1);
    catalog.register(&wanted, Status::Critical, "just started").await.unwrap();
    await_ids(&*catalog, &query, &[]).await;
    for (number, change) in [Status::Passing, Status::Critical, Status::Passing].iter().enumerate()
    {
        // What others do may wake a query; it says the same again then, and is asked again.
        let settled = catalog.instances(&query, None, SECOND).await.unwrap();
        let before = settled.instances.clone();
        let waiter = {
            let (catalog, query) = (Arc::clone(&catalog), query.clone());
            tokio::spawn(async move {
                let mut after = settled.index;
                loop {
                    let found = catalog.instances(&query, Some(after), LONG).await.unwrap();
                    after = found.index;
                    if found.instances != before {
                        return (found, Instant::now());
                    }
                }
            })
        };
        sleep(300 * MS).await;
        assert!(!waiter.is_finished(), "change {number}: nothing has changed");
        catalog.heartbeat(&wanted, *change, "").await.unwrap();
        let changed = Instant::now();
        let (found, heard) = waiter.await.unwrap();
        let expected = usize::from(*change == Status::Passing);
        assert_eq!(found.instances.len(), expected, "change {number}");
        assert!(found.index > settled.index, "{:?} after {:?}", found.index, settled.index);
        assert!(heard < changed + LONG / 3, "{:?}", heard - changed);
    }
}

pub(crate) async fn a_registrar_puts_tags_right_unless_others_may_change_them(scene: Scene) {
    let catalog = scene.connect();
    let (registrar, _task) = Registrar::spawn(Arc::clone(&catalog));
    let [ours, shared] = [(1, false), (2, true)].map(|(number, enable_tag_override)| {
        Arc::new(Registration { enable_tag_override, ..scene.registration(number) })
    });
    for one in [&ours, &shared] {
        registrar.passing(one);
        eventually("it is registered", async || {
            registrar.is_registered(&one.id).then_some(()).ok_or("not yet".to_owned())
        })
        .await;
        scene.registry.retag(one, &["changed"]);
    }
    let tags = async |one: &Registration| catalog.lookup(one).await.unwrap().unwrap().tags;
    assert_eq!(tags(&shared).await, ["changed"]);
    eventually("the tags are put right", async || {
        let tags = tags(&ours).await;
        if tags == ours.tags { Ok(()) } else { Err(format!("{tags:?}")) }
    })
    .await;
    // By then the other was compared, too, or soon will be.
    sleep(3 * SECOND).await;
    assert_eq!(tags(&shared).await, ["changed"]);
}

pub(crate) async fn a_marked_instance_stays_and_is_not_found(scene: Scene) {
    let (catalog, query) = (scene.connect(), scene.query());
    let (registrar, _task) = Registrar::spawn(Arc::clone(&catalog));
    let wanted = Arc::new(scene.registration(1));
    registrar.passing(&wanted);
    await_ids(&*catalog, &query, &[&wanted.id]).await;
    let marked = registrar.mark(&wanted.id, "leaving", LONG).await;
    assert_eq!(marked, Deregistration::Acknowledged);
    await_ids(&*catalog, &query, &[]).await;
    assert!(catalog.lookup(&wanted).await.unwrap().is_some());
    registrar.passing(&wanted);
    await_ids(&*catalog, &query, &[&wanted.id]).await;
    registrar.mark(&wanted.id, "leaving", LONG).await;
    let left = registrar.deregister(&wanted.id, LONG).await;
    assert_eq!(left, Deregistration::Acknowledged);
    assert_eq!(catalog.lookup(&wanted).await, Ok(None));
}

/// The ids of those that are found.
async fn ids(catalog: &dyn Catalog, query: &Query) -> Vec<String> {
    let found = catalog.instances(query, None, SECOND).await.unwrap().instances;
    let mut ids: Vec<String> = found.into_iter().map(|instance| instance.id).collect();
    ids.sort();
    ids
}

/// Waits until these are found: an agent may tell the servers a moment later.
async fn await_ids(catalog: &dyn Catalog, query: &Query, wanted: &[&String]) {
    let what = format!("{wanted:?} are found");
    eventually(&what, async || {
        let found = ids(catalog, query).await;
        if found.iter().eq(wanted.iter().copied()) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}
