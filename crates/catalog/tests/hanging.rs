//! Elections over a registry of whose answers some never come, and with a task that stands still.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use catalog::memory::{Memory, Mood, Time};
use catalog::{
    Answer, Candidacy, Catalog, Demotion, Election, Error, Expiry, Found, Holding, Index,
    Leadership, Query, Question, Reachability, Registered, Registration, Session, SessionTerms,
    Snapshot, Status, Token, campaign, campaign_with, watch,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch as cell;
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// The registry in memory, but for what hangs.
struct Hanging {
    memory: Memory,
    /// Reading instances: fails once, and hangs then.
    reads: AtomicUsize,
    /// Looks at locks that wait for a change hear of nothing any more if they began before this.
    cut: cell::Sender<()>,
    /// Looks at locks that are under way.
    looks: AtomicUsize,
}

impl Hanging {
    fn new() -> Arc<Hanging> {
        let (reads, looks) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Hanging { memory: Memory::new(), reads, cut: cell::Sender::new(()), looks })
    }
}

/// Counts for as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Counted<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Catalog for Hanging {
    fn reachability(&self) -> &Reachability {
        self.memory.reachability()
    }

    fn expiry(&self) -> Expiry {
        self.memory.expiry()
    }

    fn register<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        output: &'a str,
    ) -> Answer<'a, ()> {
        self.memory.register(registration, status, output)
    }

    fn heartbeat<'a>(
        &'a self,
        registration: &'a Registration,
        status: Status,
        output: &'a str,
    ) -> Answer<'a, ()> {
        self.memory.heartbeat(registration, status, output)
    }

    fn deregister<'a>(&'a self, registration: &'a Registration) -> Answer<'a, ()> {
        self.memory.deregister(registration)
    }

    fn lookup<'a>(&'a self, registration: &'a Registration) -> Answer<'a, Option<Registered>> {
        self.memory.lookup(registration)
    }

    fn instances<'a>(
        &'a self,
        _: &'a Query,
        _: Option<Index>,
        _: Duration,
    ) -> Answer<'a, Snapshot> {
        Box::pin(async {
            if self.reads.fetch_add(1, Ordering::Relaxed) == 0 {
                return Err(Error::Unreachable("gone".to_owned()));
            }
            std::future::pending().await
        })
    }

    fn find<'a>(
        &'a self,
        question: &'a Question,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Found> {
        self.memory.find(question, after, wait)
    }

    fn open_session<'a>(&'a self, terms: &'a SessionTerms) -> Answer<'a, Session> {
        self.memory.open_session(terms)
    }

    fn renew_session<'a>(&'a self, session: &'a Session) -> Answer<'a, ()> {
        self.memory.renew_session(session)
    }

    fn close_session<'a>(&'a self, session: &'a Session) -> Answer<'a, ()> {
        self.memory.close_session(session)
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        session: &'a Session,
        terms: &'a SessionTerms,
        value: &'a [u8],
    ) -> Answer<'a, Option<Token>> {
        self.memory.acquire(key, session, terms, value)
    }

    fn holder<'a>(
        &'a self,
        key: &'a str,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Holding> {
        Box::pin(async move {
            let _counted = Counted::new(&self.looks);
            let mut cut = self.cut.subscribe();
            tokio::select! {
                found = self.memory.holder(key, after, wait) => found,
                _ = cut.changed() => {
                    sleep(wait + 5 * SECOND).await;
                    Err(Error::Timeout(wait + 5 * SECOND))
                }
            }
        })
    }
}

fn candidacy(ttl: Duration) -> Candidacy {
    Candidacy {
        name: "primary".into(),
        key: "lock".into(),
        ttl,
        lock_delay: Duration::ZERO,
        value: Vec::new(),
    }
}

async fn stand(catalog: &Arc<Hanging>) -> Election {
    let catalog = Arc::clone(catalog) as Arc<dyn Catalog>;
    let mut election = campaign_with(catalog, candidacy(6 * SECOND), Arc::new(Time::new()));
    assert!(matches!(election.changed().await, Leadership::Elected { .. }));
    election
}

#[tokio::test(start_paused = true)]
async fn a_leader_renews_while_all_others_wait_for_a_probe_that_hangs() {
    let catalog = Hanging::new();
    let mut election = stand(&catalog).await;
    let query = Query {
        service: "app".into(),
        tag: None,
        datacenter: None,
        near: None,
        max_staleness: 10 * SECOND,
    };
    let _watch = watch(Arc::clone(&catalog) as _, query);
    let told = timeout(60 * SECOND, election.changed()).await;
    assert!(told.is_err(), "{told:?}");
    assert!(election.token().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_hung_before_an_outage_is_asked_anew_after_it() {
    let catalog = Hanging::new();
    let mut election = stand(&catalog).await;
    sleep(SECOND).await;
    // The connection that the look hangs on dies without a word.
    catalog.cut.send_replace(());
    catalog.memory.set_mood(Mood::Failing(Error::Unreachable("gone".to_owned())));
    sleep(2 * SECOND).await;
    catalog.memory.set_mood(Mood::Well);
    sleep(2 * SECOND).await;
    assert!(election.token().is_some());
    catalog.memory.unset("lock");
    let told = timeout(SECOND / 10, election.changed()).await;
    assert_eq!(told, Ok(Leadership::Demoted { why: Demotion::LockLost }));
}

#[tokio::test(start_paused = true)]
async fn a_look_from_another_time_is_given_up() {
    let catalog = Hanging::new();
    let election = stand(&catalog).await;
    sleep(SECOND).await;
    catalog.cut.send_replace(());
    election.resign(SECOND).await;
    sleep(SECOND).await;
    assert_eq!(catalog.looks.load(Ordering::Relaxed), 1);
}

/// As when the program is so busy that its tasks do not get a turn.
#[test]
fn a_candidate_whose_task_stands_still_is_demoted_all_the_same() {
    let runtime = || -> Runtime { Builder::new_current_thread().enable_all().build().unwrap() };
    let (its, ours) = (runtime(), runtime());
    let ttl = 2 * SECOND;
    let mut election = its.block_on(async {
        let mut election = campaign(Arc::new(Memory::new()), candidacy(ttl));
        assert!(matches!(election.changed().await, Leadership::Elected { .. }));
        election
    });
    // From now on nobody renews.
    let told = ours.block_on(async { timeout(20 * SECOND, election.changed()).await });
    assert_eq!(told, Ok(Leadership::Demoted { why: Demotion::Expired }));
    assert_eq!(election.token(), None);
}
