//! Sessions and locks: what an election is made of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Catalog, Error, Holding, Index, Session, SessionTerms, Token};
use serde_json::json;
use testkit::wait_until;

use crate::support::{LONG, Pending, Scene, client};

const HOUR: Duration = Duration::from_secs(3600);
const LOCK: &str = "/containerpilot/election/primary/leader";
const SECOND_KEY: &str = "/containerpilot/election/primary/leader/.unreleased";

fn terms(ttl: u64, lock_delay: Duration) -> SessionTerms {
    SessionTerms { name: "primary".to_owned(), ttl: Duration::from_secs(ttl), lock_delay }
}

/// One who wants the lock: a client of its own with a session.
struct Candidate {
    catalog: Arc<dyn Catalog>,
    session: Session,
    terms: SessionTerms,
}

impl Scene {
    #[track_caller]
    fn candidate(&self, ttl: u64, lock_delay: Duration) -> Candidate {
        let (catalog, terms) = (client(&self.etcd), terms(ttl, lock_delay));
        let (asked, wanted) = (Arc::clone(&catalog), terms.clone());
        let session = self.runtime.wait(async move { asked.open_session(&wanted).await });
        Candidate { catalog, session: session.unwrap(), terms }
    }

    #[track_caller]
    fn acquire(&self, candidate: &Candidate) -> Result<Option<Token>, Error> {
        let Candidate { catalog, session, terms } = candidate;
        let (catalog, session, terms) = (Arc::clone(catalog), session.clone(), terms.clone());
        self.runtime.wait(async move {
            let value = session.0.clone();
            catalog.acquire(LOCK, &session, &terms, value.as_bytes()).await
        })
    }

    #[track_caller]
    fn renew(&self, candidate: &Candidate) -> Result<(), Error> {
        let (catalog, session) = (Arc::clone(&candidate.catalog), candidate.session.clone());
        self.runtime.wait(async move { catalog.renew_session(&session).await })
    }

    #[track_caller]
    fn close(&self, candidate: &Candidate) {
        let (catalog, session) = (Arc::clone(&candidate.catalog), candidate.session.clone());
        let closed = self.runtime.wait(async move { catalog.close_session(&session).await });
        assert_eq!(closed, Ok(()));
    }

    /// Ends a session as etcd does when it has not been renewed.
    #[track_caller]
    fn lose(&self, candidate: &Candidate) {
        self.etcd.revoke(candidate.session.0.parse().unwrap());
    }

    fn holder(&self, after: Option<Index>) -> Pending<Result<Holding, Error>> {
        let catalog = Arc::clone(&self.catalog);
        self.runtime.start_one(async move { catalog.holder(LOCK, after, HOUR).await })
    }
}

#[test]
fn a_lock_passes_from_one_session_to_the_next() {
    let scene = Scene::start();
    let (first, second) = (scene.candidate(60, HOUR), scene.candidate(60, HOUR));
    let free = scene.holder(None).get().unwrap();
    assert_eq!(free.holder, None);
    let told = scene.holder(Some(free.index));
    let token = scene.acquire(&first).unwrap().unwrap();
    let held = told.get().unwrap();
    let holder = held.holder.unwrap();
    assert_eq!((&holder.session, holder.token), (&first.session, token));
    assert_eq!(holder.value, first.session.0.as_bytes());

    assert_eq!(scene.acquire(&first), Ok(Some(token)), "it has it already");
    assert_eq!(scene.acquire(&second), Ok(None));
    assert_eq!((scene.renew(&first), scene.renew(&second)), (Ok(()), Ok(())));

    let told = scene.holder(Some(held.index));
    scene.close(&first);
    assert_eq!(told.get().unwrap().holder, None);
    assert_eq!(scene.etcd.keys("/"), []);
    // It was given back: there is no delay.
    let next = scene.acquire(&second).unwrap().unwrap();
    assert!(next > token, "{next:?} after {token:?}");
    let keys: Vec<String> = scene.etcd.keys("/").into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [LOCK, SECOND_KEY]);
    assert_eq!(scene.acquire(&first), Ok(None));
    scene.close(&second);
    assert_eq!((scene.etcd.keys("/"), scene.etcd.lease_count()), (vec![], 0));
}

#[test]
fn a_session_ends_without_renewals_and_its_lock_is_free_after_the_delay() {
    let scene = Scene::start();
    let delay = Duration::from_secs(2);
    let first = scene.candidate(1, delay);
    let second = scene.candidate(60, delay);
    let token = scene.acquire(&first).unwrap().unwrap();
    let held = scene.holder(None).get().unwrap();
    assert!(held.holder.is_some());
    assert_eq!(scene.holder(Some(held.index)).get().unwrap().holder, None);
    assert_eq!(scene.renew(&first), Err(Error::Unknown));

    let begun = Instant::now();
    let next = wait_until("the delay is over", LONG, || scene.acquire(&second).unwrap());
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
    assert!(next > token, "{next:?} after {token:?}");
    assert_eq!(scene.acquire(&first), Ok(None));
    scene.close(&second);
    assert_eq!(scene.acquire(&first), Err(Error::Unknown), "its session has ended");
}

#[test]
fn renewals_keep_a_session() {
    let scene = Scene::start();
    let candidate = scene.candidate(60, HOUR);
    let left = || {
        let body = json!({"ID": candidate.session.0});
        let state = scene.etcd.post("lease/timetolive", &body);
        state["TTL"].as_str().map_or(0, |ttl| ttl.parse::<i64>().unwrap())
    };
    wait_until("its time runs", LONG, || left() < 59);
    wait_until("it begins anew", LONG, || {
        assert_eq!(scene.renew(&candidate), Ok(()));
        if left() >= 59 { Ok(()) } else { Err(left()) }
    });
}

#[test]
fn the_delay_of_an_earlier_loss_does_not_count() {
    let scene = Scene::start();
    let patient = scene.candidate(60, HOUR);
    let hasty = scene.candidate(60, Duration::ZERO);
    scene.acquire(&hasty).unwrap().unwrap();
    scene.lose(&hasty);
    assert_eq!(scene.acquire(&patient), Ok(None), "the first loss is seen");
    let hasty = scene.candidate(60, Duration::ZERO);
    assert!(scene.acquire(&hasty).unwrap().is_some(), "no delay was asked for");
    scene.lose(&hasty);

    let delay = Duration::from_secs(1);
    std::thread::sleep(delay);
    let patient = Candidate { terms: terms(60, delay), ..patient };
    let begun = Instant::now();
    wait_until("the delay of the second loss is over", LONG, || scene.acquire(&patient).unwrap());
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
}

#[test]
fn only_one_of_many_gets_it() {
    let scene = Scene::start();
    let candidates: Vec<Candidate> = (0..8).map(|_| scene.candidate(60, HOUR)).collect();
    let tokens: Vec<_> = candidates
        .iter()
        .map(|Candidate { catalog, session, terms }| {
            let (catalog, session, terms) = (Arc::clone(catalog), session.clone(), terms.clone());
            scene.runtime.start_one(async move {
                catalog.acquire(LOCK, &session, &terms, b"").await.unwrap()
            })
        })
        .collect();
    let tokens: Vec<_> = tokens.into_iter().filter_map(Pending::get).collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
}

#[test]
fn a_session_that_has_ended_is_unknown_and_may_be_closed_again() {
    let scene = Scene::start();
    let candidate = scene.candidate(60, HOUR);
    scene.close(&candidate);
    scene.close(&candidate);
    assert_eq!(scene.renew(&candidate), Err(Error::Unknown));
    assert_eq!(scene.acquire(&candidate), Err(Error::Unknown));
    let nonsense = Candidate { session: Session("no number".to_owned()), ..candidate };
    scene.close(&nonsense);
    assert_eq!(scene.renew(&nonsense), Err(Error::Unknown));
    assert_eq!(scene.acquire(&nonsense), Err(Error::Unknown));
}

#[test]
fn a_key_that_somebody_has_written_by_hand_is_a_held_lock() {
    let scene = Scene::start();
    let candidate = scene.candidate(60, HOUR);
    scene.etcd.put(LOCK, "mine");
    assert_eq!(scene.acquire(&candidate), Ok(None));
    let holder = scene.holder(None).get().unwrap().holder.unwrap();
    assert_eq!((holder.session.0.as_str(), &*holder.value), ("0", &b"mine"[..]));
    scene.etcd.delete(LOCK);
    assert!(scene.acquire(&candidate).unwrap().is_some());
}
