//! Sessions and locks on a real cluster of one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Catalog, Error, Holding, Index, Session, SessionTerms, Token};
use serde_json::json;
use testkit::{Consul, wait_until};

use crate::support::{LONG, Runtime, client};

const SECOND: Duration = Duration::from_secs(1);
const KEY: &str = "election/db/leader";

struct Court {
    consul: Consul,
    catalog: Arc<dyn Catalog>,
    runtime: Runtime,
}

fn terms(ttl: Duration, lock_delay: Duration) -> SessionTerms {
    SessionTerms { name: "db of a host".to_owned(), ttl, lock_delay }
}

impl Court {
    fn start() -> Self {
        let consul = Consul::start_with(json!({"session_ttl_min": "1s"}));
        let catalog = client(&consul.address());
        Court { consul, catalog, runtime: Runtime::start() }
    }

    #[track_caller]
    fn ask<T: Send + 'static, F: Future<Output = T> + Send>(
        &self,
        f: impl FnOnce(Arc<dyn Catalog>) -> F + Send + 'static,
    ) -> T {
        let catalog = Arc::clone(&self.catalog);
        self.runtime.wait(async move { f(catalog).await })
    }

    #[track_caller]
    fn open(&self, ttl: Duration, lock_delay: Duration) -> Session {
        self.ask(move |c| async move { c.open_session(&terms(ttl, lock_delay)).await }).unwrap()
    }

    #[track_caller]
    fn acquire(&self, session: &Session, value: &'static str) -> Result<Option<Token>, Error> {
        let session = session.clone();
        self.ask(move |c| async move {
            c.acquire(KEY, &session, &terms(SECOND, SECOND), value.as_bytes()).await
        })
    }

    #[track_caller]
    fn renew(&self, session: &Session) -> Result<(), Error> {
        let session = session.clone();
        self.ask(move |c| async move { c.renew_session(&session).await })
    }

    #[track_caller]
    fn close(&self, session: &Session) -> Result<(), Error> {
        let session = session.clone();
        self.ask(move |c| async move { c.close_session(&session).await })
    }

    #[track_caller]
    fn holding(&self, after: Option<Index>) -> Holding {
        self.ask(move |c| async move { c.holder(KEY, after, 10 * SECOND).await }).unwrap()
    }

    fn destroy(&self, session: &Session) {
        let path = format!("/v1/session/destroy/{}", session.0);
        assert_eq!(self.consul.request("PUT", &path, "").status, 200);
    }
}

#[test]
fn a_lock_has_one_holder_whose_token_grows_with_each_hand_over() {
    let court = Court::start();
    assert_eq!(court.holding(None).holder, None);
    let (a, b) = (court.open(30 * SECOND, 30 * SECOND), court.open(30 * SECOND, 30 * SECOND));
    assert_ne!(a, b);
    assert_eq!(court.acquire(&a, "a"), Ok(Some(Token(1))));
    assert_eq!(court.acquire(&a, "a again"), Ok(Some(Token(1))));
    assert_eq!(court.acquire(&b, "b"), Ok(None));
    let holding = court.holding(None);
    let holder = holding.holder.unwrap();
    assert_eq!((holder.session, holder.token), (a.clone(), Token(1)));
    assert_eq!(holder.value, b"a again");

    // Whoever waits is told of the release at once, and can have the lock although there is a delay.
    let waiting = {
        let catalog = Arc::clone(&court.catalog);
        court.runtime.enter(|| {
            tokio::spawn(async move { catalog.holder(KEY, Some(holding.index), 10 * SECOND).await })
        })
    };
    assert_eq!(court.close(&a), Ok(()));
    let begun = Instant::now();
    assert_eq!(court.runtime.wait(waiting).unwrap().unwrap().holder, None);
    assert!(begun.elapsed() < 5 * SECOND, "it has waited for its time: {:?}", begun.elapsed());
    assert_eq!(court.acquire(&b, "b"), Ok(Some(Token(2))));
    assert_eq!(court.close(&b), Ok(()));

    // What has ended has ended.
    assert_eq!(court.close(&a), Ok(()));
    assert_eq!(court.renew(&a), Err(Error::Unknown));
    assert_eq!(court.acquire(&a, "a"), Err(Error::Unknown));
    assert_eq!(court.holding(None).holder, None);
}

#[test]
fn a_session_that_is_not_renewed_ends_and_its_lock_is_free_after_the_delay() {
    let court = Court::start();
    let (a, b) = (court.open(SECOND, 3 * SECOND), court.open(30 * SECOND, SECOND));
    let opened = Instant::now();
    court.acquire(&a, "a").unwrap().unwrap();
    wait_until("it was renewed for longer than it lives", LONG, || {
        assert_eq!(court.renew(&a), Ok(()));
        opened.elapsed() > 3 * SECOND
    });
    let renewed = Instant::now();
    assert_eq!(court.renew(&a), Ok(()));
    wait_until("it has ended", LONG, || court.holding(None).holder.is_none());
    assert!(renewed.elapsed() >= SECOND, "{:?}", renewed.elapsed());
    let token = wait_until("it is free", LONG, || court.acquire(&b, "b").unwrap());
    assert_eq!(token, Token(2));
    assert!(renewed.elapsed() >= 4 * SECOND, "before the delay: {:?}", renewed.elapsed());
    assert_eq!(court.renew(&a), Err(Error::Unknown));
}

#[test]
fn what_others_do_to_a_lock_is_seen() {
    let court = Court::start();
    let (a, b) = (court.open(30 * SECOND, SECOND), court.open(30 * SECOND, Duration::ZERO));
    court.acquire(&a, "a").unwrap().unwrap();
    let index = court.holding(None).index;
    let begun = Instant::now();
    court.destroy(&a);
    assert_eq!(court.holding(Some(index)).holder, None);
    // A session that others have destroyed leaves its delay behind.
    let token = wait_until("it is free", LONG, || court.acquire(&b, "b").unwrap());
    assert_eq!(token, Token(2));
    assert!(begun.elapsed() >= SECOND, "{:?}", begun.elapsed());

    let index = court.holding(None).index;
    assert_eq!(court.consul.request("DELETE", &format!("/v1/kv/{KEY}"), "").status, 200);
    let deleted = court.holding(Some(index));
    assert_eq!(deleted.holder, None);
    assert!(deleted.index > index);
    // With its key the count of its holders is gone.
    assert_eq!(court.acquire(&b, "b"), Ok(Some(Token(1))));
}

#[test]
fn a_session_depends_on_nothing_but_renewals_and_is_what_was_asked_for() {
    let court = Court::start();
    let session = court.open(1500 * SECOND / 1000, Duration::ZERO);
    let path = format!("/v1/session/info/{}", session.0);
    let info = court.consul.get(&path).json();
    assert_eq!(info[0]["NodeChecks"], json!([]));
    assert_eq!(info[0]["ServiceChecks"], json!(null));
    assert_eq!(info[0]["TTL"], "1500ms");
    assert_eq!(info[0]["LockDelay"], 0);
    assert_eq!(info[0]["Behavior"], "release");
    assert_eq!(info[0]["Name"], "db of a host");
}

#[test]
fn a_time_to_live_that_the_servers_refuse_is_a_clear_error() {
    let court = Court { consul: Consul::start(), ..Court::start() };
    let catalog = client(&court.consul.address());
    let session = terms(9 * SECOND, SECOND);
    let error = court.runtime.wait(async move { catalog.open_session(&session).await });
    let Err(Error::Refused(why)) = error else { panic!("{error:?}") };
    assert!(why.contains("[10s=24h0m0s]") && why.contains("session_ttl_min"), "{why}");
    assert!(matches!(court.ask(|c| async move { c.holder("/a", None, SECOND).await }),
        Err(Error::Refused(why)) if why.contains("`/a`")));
}
