//! Waiting for changes of services and keys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Entries, Error, Index, KeyQuery, Keys, Query, watch};
use testkit::{http, wait_until};

use crate::support::{LONG, Pending, Scene, keys, query, shown};

/// Longer than a test waits: only a change makes the answer come.
const HOUR: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(500);

impl Scene {
    fn read(
        &self,
        query: KeyQuery,
        after: Option<Index>,
        wait: Duration,
    ) -> Pending<Result<Entries, Error>> {
        let catalog = Arc::clone(&self.catalog);
        self.runtime.start_one(async move { catalog.entries(&query, after, wait).await })
    }

    /// The watches that etcd has.
    #[track_caller]
    fn watchers(&self) -> String {
        let metrics = http("GET", &self.etcd.address(), "/metrics", "").unwrap().body;
        let line = metrics.lines().find(|l| l.starts_with("etcd_debugging_mvcc_watcher_total"));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    }

    #[track_caller]
    fn wait_for_watchers(&self, count: &str) {
        wait_until(&format!("etcd has {count} watches"), LONG, || {
            let watchers = self.watchers();
            if watchers == count { Ok(()) } else { Err(watchers) }
        });
    }
}

#[test]
fn an_answer_waits_for_a_change_of_that_service() {
    let scene = Scene::start();
    let nothing = scene.now("app");
    assert_eq!(nothing.instances, []);

    let pending = scene.look("app", Some(nothing.index), HOUR);
    scene.wait_for_watchers("1");
    scene.put("app-1", "app", 80);
    let one = pending.get().unwrap();
    assert_eq!(shown(&one.instances), ["app-1 10.0.0.1:80"]);
    assert!(one.index > nothing.index);

    // What has happened between two requests is not missed.
    scene.put("app-2", "app", 81);
    let two = scene.look("app", Some(one.index), HOUR).get().unwrap();
    assert_eq!(shown(&two.instances), ["app-1 10.0.0.1:80", "app-2 10.0.0.1:81"]);

    // Others are none of its business, nor are those whose name begins alike.
    let begun = Instant::now();
    let pending = scene.look("app", Some(two.index), SHORT);
    scene.put("app-1", "app2", 80);
    scene.put("app-1", "ap", 80);
    scene.etcd.put("/containerpilot/app", "x");
    let same = pending.get().unwrap();
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    assert_eq!(same.instances, two.instances);

    scene.etcd.delete("/containerpilot/app/app-1");
    let left = scene.look("app", Some(same.index), HOUR).get().unwrap();
    assert_eq!(shown(&left.instances), ["app-2 10.0.0.1:81"]);
    // Whoever no longer waits costs etcd nothing.
    scene.wait_for_watchers("0");
    let dropped = scene.look("app", Some(left.index), HOUR);
    scene.wait_for_watchers("1");
    drop(dropped);
    scene.wait_for_watchers("0");
}

#[test]
fn what_was_compacted_away_does_not_matter() {
    let scene = Scene::start();
    let nothing = scene.now("app");
    scene.put("app-1", "app", 80);
    scene.etcd.delete("/containerpilot/app/app-1");
    scene.etcd.compact();
    let after = scene.look("app", Some(nothing.index), HOUR).get().unwrap();
    assert_eq!(after.instances, []);
    assert!(after.index > nothing.index);
}

#[test]
fn an_etcd_that_came_back_empty_answers_at_once() {
    let mut scene = Scene::start();
    for port in 80..90 {
        scene.put("app-1", "app", port);
    }
    let full = scene.now("app");
    let pending = scene.look("app", Some(full.index), HOUR);
    scene.wait_for_watchers("1");
    scene.etcd.restart_empty();
    let lost = pending.get();
    assert!(matches!(lost, Err(Error::Interrupted(_))), "{lost:?}");
    let empty = scene.look("app", Some(full.index), HOUR).get().unwrap();
    assert_eq!(empty.instances, []);
    assert!(empty.index < full.index);
}

#[test]
fn a_watch_sees_instances_come_expire_and_go() {
    let mut scene = Scene::start();
    let green = Query { tag: Some("port-81".to_owned()), ..query("app") };
    let start = |query| scene.runtime.enter(|| watch(Arc::clone(&scene.catalog), query));
    let (mut all, mut green) = (start(query("app")), start(green));
    scene.put("app-1", "app", 80);
    let next = |mut watch: catalog::Watch| {
        scene.runtime.wait(async move {
            let set = watch.changed().await;
            (watch, shown(&set))
        })
    };
    let mut set;
    (all, set) = next(all);
    assert_eq!(set, ["app-1 10.0.0.1:80"]);
    scene.put("app-2", "app", 81);
    (all, set) = next(all);
    assert_eq!(set, ["app-1 10.0.0.1:80", "app-2 10.0.0.1:81"]);
    (green, set) = next(green);
    assert_eq!(set, ["app-2 10.0.0.1:81"]);
    scene.etcd.ctl(&["del", "/containerpilot/app/app-1"]);
    (all, set) = next(all);
    assert_eq!(set, ["app-2 10.0.0.1:81"]);
    scene.runtime.wait({
        let catalog = Arc::clone(&scene.catalog);
        async move {
            let mut app = crate::support::registration("app");
            app.ttl = Duration::from_secs(1);
            catalog.register(&app, catalog::Status::Passing, "").await.unwrap();
        }
    });
    (all, set) = next(all);
    assert_eq!(set, ["app-2 10.0.0.1:81", "app-host 10.1.2.3:8000"]);
    (all, set) = next(all);
    assert_eq!(set, ["app-2 10.0.0.1:81"], "its lease has ended");

    scene.etcd.restart_empty();
    assert_eq!(next(all).1, Vec::<String>::new());
    assert_eq!(next(green).1, Vec::<String>::new());
}

#[test]
fn keys_by_their_names_and_by_their_beginnings() {
    let scene = Scene::start();
    let one = || keys(Keys::One("/cfg/a".to_owned()));
    let under = |prefix: &str| keys(Keys::Under(prefix.to_owned()));
    let now = |query| scene.read(query, None, Duration::ZERO).get().unwrap();
    let names = |entries: &Entries| {
        entries.entries.iter().map(|entry| entry.key.clone()).collect::<Vec<_>>()
    };
    let nothing = now(one());
    assert_eq!(nothing.entries, []);

    let pending = scene.read(one(), Some(nothing.index), HOUR);
    scene.etcd.put("/cfg/ab", "beside");
    scene.etcd.put("/cfg/a", "first\0ü");
    let first = pending.get().unwrap();
    assert_eq!(
        (names(&first), &*first.entries[0].value),
        (vec!["/cfg/a".into()], "first\0ü".as_bytes())
    );
    scene.etcd.put("cfg/b", "without a slash");
    assert_eq!(names(&now(under("/cfg/"))), ["/cfg/a", "/cfg/ab"]);
    assert_eq!(names(&now(under("cfg"))), ["cfg/b"]);
    assert_eq!(names(&now(under(""))), ["/cfg/a", "/cfg/ab", "cfg/b"]);

    let all = now(under("/cfg/"));
    scene.etcd.delete("/cfg/a");
    let left = scene.read(under("/cfg/"), Some(all.index), HOUR).get().unwrap();
    assert_eq!(names(&left), ["/cfg/ab"]);
    let refused = scene.read(keys(Keys::One(String::new())), None, HOUR).get();
    assert_eq!(refused, Err(Error::Refused("no key in etcd is empty".to_owned())));
}

#[test]
fn what_etcd_does_not_have_is_refused() {
    let scene = Scene::start();
    let refused = |datacenter: Option<&str>, near: Option<&str>| {
        let own = |text: &str| text.to_owned();
        let asked = Query { datacenter: datacenter.map(own), near: near.map(own), ..query("app") };
        let catalog = Arc::clone(&scene.catalog);
        let answer = async move { catalog.instances(&asked, None, Duration::ZERO).await };
        scene.runtime.wait(answer).unwrap_err().to_string()
    };
    assert_eq!(refused(Some("east"), None), "refused: etcd has no datacenters such as \"east\"");
    assert_eq!(refused(None, Some("_agent")), "refused: etcd knows no distances");
    let mut asked = keys(Keys::One("k".to_owned()));
    asked.datacenter = Some("east".to_owned());
    let answer = scene.read(asked, None, Duration::ZERO).get().unwrap_err().to_string();
    assert_eq!(answer, "refused: etcd has no datacenters such as \"east\"");
}
