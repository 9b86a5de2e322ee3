//! What a registry's outage does to those who use it.

use std::sync::Arc;
use std::time::Instant;

use catalog::{
    Candidacy, Catalog, Election, Health, Leadership, Registrar, Registration, campaign, watch,
    watch_keys,
};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::registry::{Fault, LONG, MS, SECOND, Scene, eventually};
use crate::surveys::Asked;

pub(crate) async fn a_registry_that_freezes_changes_nothing_but_the_leader(scene: Scene) {
    let user = User::start(&scene).await;
    let mut services = watch(scene.connect(), scene.query());
    let mut keys = watch_keys(scene.connect(), scene.one("x"));
    let (service, key) = (scene.service(Health::Passing), scene.pair("x"));
    let mut survey = Asked::start(&scene, &[service.clone(), key.clone()]);
    scene.registry.set(&scene.key("x"), b"1");
    for len in [timeout(LONG, services.changed()).await.unwrap().len(), keys.changed().await.len()]
    {
        assert_eq!(len, 1);
    }
    survey.becomes(&service, "1+").await;
    survey.becomes(&key, "1").await;
    let mut election = user.election.clone();
    let Leadership::Elected { token } = election.changed().await else { panic!("not elected") };
    let frozen = Instant::now();
    scene.registry.fail(Fault::Frozen);
    // Its session may end as soon as this.
    sleep(user.ttl).await;
    assert_eq!(election.token(), None, "after {:?}", frozen.elapsed());
    let told = timeout(LONG, election.changed()).await;
    assert!(matches!(told, Ok(Leadership::Demoted { .. })), "{told:?}");
    scene.registry.mend(Fault::Frozen);

    let thawed = Instant::now();
    let again = timeout(LONG, election.changed()).await;
    let Ok(Leadership::Elected { token: again }) = again else { panic!("{again:?}") };
    assert!(again > token, "{again:?} after {token:?}");
    scene.note(format!("elected again after {:.1?}", thawed.elapsed()));
    user.is_registered().await;
    assert!(timeout(SECOND, services.changed()).await.is_err(), "{:?}", services.current());
    assert!(timeout(SECOND, keys.changed()).await.is_err(), "{:?}", keys.current());
    survey.is_quiet(SECOND).await;
    // All still follow.
    scene.registry.set(&scene.key("x"), b"2");
    survey.becomes(&key, "2").await;
    assert_eq!(timeout(LONG, keys.changed()).await.unwrap()[0].value, b"2");
    user.leave().await;
    assert!(timeout(LONG, services.changed()).await.unwrap().is_empty());
    survey.becomes(&service, "").await;
}

pub(crate) async fn a_registry_that_starts_again_empty_is_made_whole(scene: Scene) {
    let user = User::start(&scene).await;
    let mut services = watch(scene.connect(), scene.query());
    assert_eq!(timeout(LONG, services.changed()).await.unwrap().len(), 1);
    let (service, key) = (scene.service(Health::Passing), scene.pair("x"));
    let (old, new) = (scene.pair("old"), scene.pair("new"));
    let questions = [&service, &key, &old, &new].map(Clone::clone);
    scene.registry.set(&scene.key("x"), b"1");
    scene.registry.set(&scene.key("old"), b"1");
    let mut survey = Asked::start(&scene, &questions);
    for (question, answer) in questions.iter().zip(["1+", "1", "1", ""]) {
        survey.becomes(question, answer).await;
    }
    let mut election = user.election.clone();
    assert!(matches!(election.changed().await, Leadership::Elected { .. }));
    scene.registry.fail(Fault::Emptied);
    // Nobody takes an outage for a change.
    assert!(timeout(SECOND, services.changed()).await.is_err());
    survey.is_quiet(SECOND).await;
    scene.registry.mend(Fault::Emptied);
    let mended = Instant::now();
    // Its index has begun anew.
    scene.registry.set(&scene.key("new"), b"1");
    survey.becomes(&old, "").await;
    survey.becomes(&new, "1").await;
    survey.becomes(&key, "").await;
    scene.note(format!("a survey has followed after {:.1?}", mended.elapsed()));
    user.is_registered().await;
    scene.note(format!("registered again after {:.1?}", mended.elapsed()));
    let told = timeout(LONG, election.changed()).await;
    assert!(matches!(told, Ok(Leadership::Demoted { .. })), "{told:?}");
    let told = timeout(LONG, election.changed()).await;
    assert!(matches!(told, Ok(Leadership::Elected { .. })), "{told:?}");
    eventually("the watch sees what is there", async || {
        let seen = services.current();
        if seen.len() == 1 { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    // If it has heard that nobody was there, it has heard of the return.
    user.leave().await;
    survey.becomes(&service, "").await;
}

/// A program that advertises an instance whose checks pass, and stands in an election.
struct User {
    catalog: Arc<dyn Catalog>,
    registration: Arc<Registration>,
    registrar: Registrar,
    election: Election,
    ttl: std::time::Duration,
    checks: AbortHandle,
}

impl User {
    async fn start(scene: &Scene) -> User {
        let catalog = scene.connect();
        let registration = Arc::new(scene.registration(1));
        let (registrar, _) = Registrar::spawn(Arc::clone(&catalog));
        let checks = {
            let (registrar, registration) = (registrar.clone(), Arc::clone(&registration));
            tokio::spawn(async move {
                loop {
                    registrar.passing(&registration);
                    sleep(200 * MS).await;
                }
            })
        };
        let ttl = scene.traits.ttl * 4;
        let candidacy = Candidacy {
            name: "primary".to_owned(),
            key: scene.key("leader"),
            ttl,
            lock_delay: SECOND,
            value: Vec::new(),
        };
        let election = campaign(Arc::clone(&catalog), candidacy);
        let checks = checks.abort_handle();
        let user = User { catalog, registration, registrar, election, ttl, checks };
        user.is_registered().await;
        eventually("it is elected", async || {
            user.election.token().map(drop).ok_or("not yet".to_owned())
        })
        .await;
        user
    }

    /// Waits until the registry has the instance.
    async fn is_registered(&self) {
        eventually("it is registered", async || {
            match self.catalog.lookup(&self.registration).await {
                Ok(Some(known)) if known.matches(&self.registration) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    async fn leave(self) {
        self.checks.abort();
        self.registrar.deregister(&self.registration.id, LONG).await;
        self.election.resign(LONG).await;
    }
}
