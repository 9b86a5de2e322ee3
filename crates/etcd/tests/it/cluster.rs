//! Three members, of which some are lost.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, Error, Session, SessionTerms, Status, watch};
use testkit::{Etcd, wait_until};

use crate::support::{LONG, Scene, query, registration, shown};

const HOUR: Duration = Duration::from_secs(3600);

async fn beat(catalog: Arc<dyn Catalog>) -> Result<(), Error> {
    catalog.heartbeat(&registration("app"), Status::Passing, "").await
}

#[test]
fn members_die_one_after_the_other() {
    let mut scene = Scene::around(Etcd::cluster());
    scene.ask(|catalog| async move {
        catalog.register(&registration("app"), Status::Passing, "").await.unwrap();
    });
    let (mut news, _watch) =
        scene.runtime.enter(|| watch(Arc::clone(&scene.catalog), query("app"))).into_parts();
    for member in [0, 1, 2] {
        scene.etcd.kill(member);
        // While there is no leader it may fail, and is tried again.
        wait_until("the others take heartbeats", LONG, || scene.ask(beat));
        let id = format!("app-{member}");
        wait_until("and changes", LONG, || {
            let mut app = registration("app");
            app.id.clone_from(&id);
            scene.ask(|catalog| async move { catalog.register(&app, Status::Passing, "").await })
        });
        let seen = scene.runtime.wait(async move {
            let set = news.wait_for(|set| set.iter().any(|instance| instance.id == id)).await;
            let count = set.unwrap().len();
            (news, count)
        });
        news = seen.0;
        assert_eq!(seen.1, member + 2);
        assert_eq!(scene.catalog.reachability().outage(), None);
        scene.etcd.restart(member);
    }
}

#[test]
fn a_frozen_member_is_passed_over_within_the_deadline() {
    let scene = Scene::around(Etcd::cluster());
    scene.ask(|catalog| async move {
        catalog.register(&registration("app"), Status::Passing, "").await.unwrap();
    });
    // It is not the leader that freezes, so nothing but our own patience is tried.
    let frozen = (scene.etcd.leader() + 1) % 3;
    let mut members = crate::support::options(&scene.etcd);
    members.endpoints.rotate_left(frozen);
    let scene = Scene { catalog: crate::support::build(members), ..scene };
    assert_eq!(scene.ask(beat), Ok(()), "on a connection that is kept");
    scene.etcd.freeze(frozen);
    assert_eq!(scene.ask(beat), Ok(()));
    scene.etcd.thaw(frozen);

    let leader = scene.etcd.leader();
    scene.etcd.freeze(leader);
    wait_until("there is another leader", LONG, || scene.ask(beat));
    scene.etcd.thaw(leader);
}

#[test]
fn a_lock_outlives_the_leader() {
    let mut scene = Scene::around(Etcd::cluster());
    let ttl = Duration::from_secs(60);
    let terms = SessionTerms { name: "primary".to_owned(), ttl, lock_delay: Duration::ZERO };
    let take = |catalog: Arc<dyn Catalog>, session: Session| {
        let terms = terms.clone();
        async move { catalog.acquire("/lock", &session, &terms, b"").await }
    };
    let open = |catalog: Arc<dyn Catalog>| {
        let terms = terms.clone();
        async move { catalog.open_session(&terms).await.unwrap() }
    };
    let (ours, theirs) = (scene.ask(open), scene.ask(open));
    let token = scene.ask(|catalog| take(catalog, ours.clone())).unwrap().unwrap();
    scene.etcd.kill(scene.etcd.leader());
    wait_until("the session is renewed", LONG, || {
        let session = ours.clone();
        scene.ask(|catalog| async move { catalog.renew_session(&session).await })
    });
    assert_eq!(scene.ask(|catalog| take(catalog, theirs.clone())), Ok(None));
    assert_eq!(scene.ask(|catalog| take(catalog, ours.clone())), Ok(Some(token)));
    let session = ours.clone();
    scene.ask(|catalog| async move { catalog.close_session(&session).await.unwrap() });
    let next = scene.ask(|catalog| take(catalog, theirs.clone())).unwrap();
    assert!(next.is_some_and(|next| next > token), "{next:?} after {token:?}");
}

#[test]
fn a_member_without_a_quorum_says_so_and_ends_its_watches() {
    let mut scene = Scene::around(Etcd::cluster());
    scene.put("app-1", "app", 80);
    let seen = scene.now("app");
    let waiting = scene.look("app", Some(seen.index), HOUR);
    for member in [1, 2] {
        scene.etcd.freeze(member);
    }
    let lost = waiting.get();
    assert!(
        matches!(&lost, Err(Error::Interrupted(why)) if why.contains("no leader")),
        "{lost:?}: a watch that would hang"
    );
    wait_until("etcd says that it has no leader", LONG, || match scene.ask(beat) {
        Err(Error::Failed(why)) if why.contains("no leader") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    for member in [1, 2] {
        scene.etcd.thaw(member);
    }
    wait_until("it is well again", LONG, || {
        scene.look("app", None, Duration::ZERO).get().map(|now| {
            assert_eq!(shown(&now.instances), shown(&seen.instances));
        })
    });
    scene.etcd.kill(0);
    wait_until("without the first", LONG, || scene.look("app", None, Duration::ZERO).get());
}
