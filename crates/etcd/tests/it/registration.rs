//! Instances and their leases.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Deregistration, Error, Registrar, Status};
use serde_json::json;
use testkit::wait_until;

use crate::support::{KEY, LONG, Scene, client, registration, shown};

impl Scene {
    #[track_caller]
    fn register(&self, status: Status, ttl: Duration) -> Result<(), Error> {
        self.ask(move |catalog| async move {
            let app = catalog::Registration { ttl, ..registration("app") };
            catalog.register(&app, status, "").await
        })
    }

    #[track_caller]
    fn heartbeat(&self, status: Status) -> Result<(), Error> {
        self.ask(
            move |catalog| async move { catalog.heartbeat(&registration("app"), status, "").await },
        )
    }

    #[track_caller]
    fn deregister(&self) -> Result<(), Error> {
        self.ask(|catalog| async move { catalog.deregister(&registration("app")).await })
    }

    /// Whether the registry has `app` as it should be; `None`: not at all.
    #[track_caller]
    fn matches(&self) -> Option<bool> {
        let found = self.ask(|catalog| async move { catalog.lookup(&registration("app")).await });
        found.unwrap().map(|found| found.matches(&registration("app")))
    }

    /// Granted and remaining seconds of `app`'s lease.
    #[track_caller]
    fn ttl(&self) -> (i64, i64) {
        let lease = self.etcd.leases(KEY)[0].to_string();
        let state = self.etcd.post("lease/timetolive", &json!({"ID": lease}));
        // What is zero is not there.
        let seconds = |field: &str| state[field].as_str().map_or(0, |text| text.parse().unwrap());
        (seconds("grantedTTL"), seconds("TTL"))
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_instance_comes_is_renewed_and_goes() {
    let scene = Scene::start();
    assert_eq!(scene.heartbeat(Status::Passing), Err(Error::Unknown));
    assert_eq!(scene.matches(), None);
    assert_eq!(scene.register(Status::Passing, MINUTE), Ok(()));
    let value = r#"{"id":"app-host","name":"app","address":"10.1.2.3","port":8000,"#.to_owned()
        + r#""tags":["a","b"],"meta":{"version":"1"}}"#;
    assert_eq!(scene.etcd.keys("/"), [(KEY.to_owned(), value)]);
    assert_eq!(scene.matches(), Some(true));
    assert_eq!(shown(&scene.now("app").instances), ["app-host 10.1.2.3:8000"]);

    wait_until("its time runs", LONG, || scene.ttl().1 < 59);
    wait_until("heartbeats let it begin anew", LONG, || {
        assert_eq!(scene.heartbeat(Status::Passing), Ok(()));
        if scene.ttl() >= (60, 59) { Ok(()) } else { Err(format!("{:?}", scene.ttl())) }
    });
    assert_eq!(scene.deregister(), Ok(()));
    assert_eq!(scene.etcd.keys("/"), []);
    assert_eq!(scene.matches(), None);
    assert_eq!(scene.heartbeat(Status::Passing), Err(Error::Unknown));
    // Taking out what is not there is no error.
    assert_eq!(scene.deregister(), Ok(()));
}

#[test]
fn without_heartbeats_it_is_forgotten() {
    let scene = Scene::start();
    assert_eq!(scene.register(Status::Passing, SECOND), Ok(()));
    assert_eq!(shown(&scene.now("app").instances).len(), 1);
    wait_until("it is gone", LONG, || scene.now("app").instances.is_empty());
    assert_eq!(scene.heartbeat(Status::Passing), Err(Error::Unknown));
    assert_eq!((scene.etcd.keys("/"), scene.etcd.lease_count()), (vec![], 0));
}

#[test]
fn parts_of_a_second_are_rounded_up() {
    let scene = Scene::start();
    for (asked, granted) in [(60_001, 61), (60_000, 60), (59_001, 60)] {
        scene.register(Status::Passing, Duration::from_millis(asked)).unwrap();
        assert_eq!(scene.ttl().0, granted, "{asked} ms");
    }
}

#[test]
fn a_successor_keeps_the_key_when_the_old_lease_ends() {
    let scene = Scene::start();
    scene.register(Status::Passing, SECOND).unwrap();
    let before = scene.etcd.leases(KEY);
    // As a pilot that was started again: it knows nothing of the lease.
    let again = Scene { catalog: client(&scene.etcd), ..scene };
    again.register(Status::Passing, MINUTE).unwrap();
    assert_ne!(again.etcd.leases(KEY), before);
    wait_until("the old lease has ended", LONG, || again.etcd.lease_count() == 1);
    assert_eq!(again.matches(), Some(true));
    assert_eq!(again.heartbeat(Status::Passing), Ok(()));
}

#[test]
fn what_was_lost_is_unknown() {
    let scene = Scene::start();
    scene.register(Status::Passing, MINUTE).unwrap();
    scene.etcd.revoke(scene.etcd.leases(KEY)[0]);
    assert_eq!(scene.heartbeat(Status::Passing), Err(Error::Unknown), "the lease");

    scene.register(Status::Passing, MINUTE).unwrap();
    scene.etcd.delete(KEY);
    assert_eq!(scene.heartbeat(Status::Passing), Err(Error::Unknown), "the key");

    scene.register(Status::Passing, MINUTE).unwrap();
    let value = scene.value().to_string();
    scene.etcd.put(KEY, &value);
    assert_eq!(scene.heartbeat(Status::Passing), Err(Error::Unknown), "the bond");
    assert_eq!(scene.matches(), None, "it would stay for ever");
}

#[test]
fn only_the_passing_are_shown_and_a_status_keeps_the_rest() {
    let scene = Scene::start();
    let ids = || shown(&scene.now("app").instances);
    scene.register(Status::Critical, MINUTE).unwrap();
    assert_eq!((scene.value()["status"].as_str(), ids().len()), (Some("critical"), 0));
    assert_eq!(scene.matches(), Some(true));
    scene.heartbeat(Status::Passing).unwrap();
    assert_eq!((scene.value().get("status"), ids().len()), (None, 1));

    let mut theirs = scene.value();
    theirs["tags"] = json!(["theirs"]);
    scene.etcd.put_under_its_lease(KEY, &theirs.to_string());
    assert_eq!(scene.matches(), Some(false));
    scene.heartbeat(Status::Warning).unwrap();
    assert_eq!((scene.value()["status"].as_str(), ids().len()), (Some("warning"), 0));
    assert_eq!(scene.value()["tags"], theirs["tags"]);
    let tolerant = scene.ask(|catalog| async move {
        let app = catalog::Registration { enable_tag_override: true, ..registration("app") };
        catalog.lookup(&app).await.unwrap().unwrap().matches(&app)
    });
    assert!(tolerant);

    scene.etcd.put_under_its_lease(KEY, "something else");
    assert_eq!(scene.matches(), None);
    assert_eq!(scene.heartbeat(Status::Passing), Err(Error::Unknown));
}

#[test]
fn a_name_that_is_a_path_is_refused() {
    let scene = Scene::start();
    for name in ["a/b", ""] {
        let refused = scene.ask(move |catalog| async move {
            catalog.register(&registration(name), Status::Passing, "").await
        });
        let why = format!("{name:?} cannot be a service's name in etcd");
        assert_eq!(refused, Err(Error::Refused(why.clone())));
        let looked = scene.look(name, None, Duration::ZERO).get();
        assert_eq!(looked.err(), Some(Error::Refused(why)));
    }
}

#[test]
fn the_registrar_keeps_it_whole_when_etcd_comes_back_empty() {
    let mut scene = Scene::start();
    let (registrar, _) = scene.runtime.enter(|| Registrar::spawn(Arc::clone(&scene.catalog)));
    let app = Arc::new(registration("app"));
    let beat = |scene: &Scene, what: &str| {
        wait_until(what, LONG, || {
            registrar.passing(&app);
            if scene.etcd.keys(KEY).is_empty() { Err("no key") } else { Ok(()) }
        });
    };
    beat(&scene, "it is registered");
    scene.etcd.restart_empty();
    beat(&scene, "it is registered again");
    scene.etcd.delete(KEY);
    beat(&scene, "it is registered once more");
    let left = scene.runtime.wait(registrar.deregister("app-host", LONG));
    assert_eq!(left, Deregistration::Acknowledged);
    assert_eq!(scene.etcd.keys("/"), []);
}
