//! Sessions and locks.

use std::time::Duration;

use catalog::{Catalog, Error, Holder, Index, Session, SessionTerms, Token};
use tokio::time::{Instant, sleep};

use crate::registry::{LONG, MS, Released, SECOND, Scene, eventually};

pub(crate) async fn a_session_lasts_while_it_is_renewed(scene: Scene) {
    let catalog = scene.connect();
    let ttl = scene.traits.ttl * 4;
    let terms = scene.terms(ttl, Duration::ZERO);
    let begun = Instant::now();
    let renewed = catalog.open_session(&terms).await.unwrap();
    let opened = Instant::now();
    let quiet = catalog.open_session(&terms).await.unwrap();
    assert_ne!(renewed, quiet);
    while begun.elapsed() < ttl * 3 / 2 {
        catalog.renew_session(&renewed).await.unwrap();
        sleep(ttl / 10).await;
    }
    // Asking whether it is still there would renew it. A lock tells without doing so.
    let longest = ttl * scene.traits.patience + LONG / 3;
    while opened.elapsed() < ttl * scene.traits.patience + SECOND {
        catalog.renew_session(&renewed).await.unwrap();
        sleep(ttl / 10).await;
    }
    eventually("it ends", async || match catalog.renew_session(&quiet).await {
        Err(Error::Unknown) => Ok(()),
        // Renewed by asking.
        Ok(()) if opened.elapsed() > longest => panic!("it lasts for ever"),
        Ok(()) => {
            sleep(ttl * scene.traits.patience + SECOND).await;
            Err("renewed".to_owned())
        }
        other => Err(format!("{other:?}")),
    })
    .await;
    catalog.renew_session(&renewed).await.unwrap();
    for _ in 0..2 {
        catalog.close_session(&renewed).await.unwrap();
        assert_eq!(catalog.renew_session(&renewed).await, Err(Error::Unknown));
    }
}

pub(crate) async fn a_lock_is_one_sessions_and_its_tokens_grow(scene: Scene) {
    let (first, second) = (scene.connect(), scene.connect());
    let terms = scene.terms(LONG, Duration::ZERO);
    let key = scene.key("lock");
    assert_eq!(first.holder(&key, None, SECOND).await.unwrap().holder, None);
    let one = first.open_session(&terms).await.unwrap();
    let two = second.open_session(&terms).await.unwrap();
    let token = first.acquire(&key, &one, &terms, b"one").await.unwrap().unwrap();
    let holder = second.holder(&key, None, SECOND).await.unwrap().holder.unwrap();
    assert_eq!(holder, Holder { session: one.clone(), token, value: b"one".to_vec() });
    assert_eq!(second.acquire(&key, &two, &terms, b"two").await, Ok(None));
    // Asking again changes nothing.
    assert_eq!(first.acquire(&key, &one, &terms, b"one").await, Ok(Some(token)));
    assert_eq!(second.holder(&key, None, SECOND).await.unwrap().holder.unwrap().session, one);

    // Another lock is another lock.
    let other = scene.key("other");
    assert!(second.acquire(&other, &two, &terms, b"").await.unwrap().is_some());
    first.close_session(&one).await.unwrap();
    assert_eq!(first.acquire(&key, &one, &terms, b"").await, Err(Error::Unknown));
    let next = second.acquire(&key, &two, &terms, b"two").await.unwrap().unwrap();
    assert!(next > token, "{next:?} after {token:?}");
    second.close_session(&two).await.unwrap();
}

pub(crate) async fn a_lock_that_is_given_back_is_free_at_once(scene: Scene) {
    let catalog = scene.connect();
    let terms = scene.terms(LONG, LONG);
    let key = scene.key("lock");
    let mut last = Token(0);
    for round in 0..3 {
        let session = catalog.open_session(&terms).await.unwrap();
        let begun = Instant::now();
        let value = format!("{round}");
        let token = taken(&*catalog, &key, &session, &terms, value.as_bytes()).await;
        assert!(begun.elapsed() < LONG / 3, "{:?}", begun.elapsed());
        assert!(token > last, "{token:?} after {last:?}");
        last = token;
        catalog.close_session(&session).await.unwrap();
        assert_eq!(catalog.holder(&key, None, SECOND).await.unwrap().holder, None);
        let found = catalog.entries(&scene.one("lock"), None, SECOND).await.unwrap().entries;
        match scene.traits.released {
            Released::Stays => assert_eq!(found.len(), 1),
            Released::IsDeleted => assert_eq!(found, []),
        }
    }
}

pub(crate) async fn a_lost_session_leaves_its_lock_to_nobody_for_the_lock_delay(scene: Scene) {
    let (first, second) = (scene.connect(), scene.connect());
    let (ttl, lock_delay) = (scene.traits.ttl * 3, 4 * SECOND);
    let lost = scene.terms(ttl, lock_delay);
    let terms = scene.terms(LONG * 4, lock_delay);
    let key = scene.key("lock");
    let heir = second.open_session(&terms).await.unwrap();
    let begun = Instant::now();
    let session = first.open_session(&lost).await.unwrap();
    let token = taken(&*first, &key, &session, &lost, b"").await;
    let (mut held_until, mut next) = (begun, None);
    eventually("the heir has it", async || {
        // As an election does: looks, and tries when it seems to be free.
        let holder = second.holder(&key, None, SECOND).await.unwrap().holder;
        if holder.is_some() {
            held_until = Instant::now();
        }
        next = second.acquire(&key, &heir, &terms, b"").await.unwrap();
        sleep(50 * MS).await;
        next.map(drop).ok_or_else(|| format!("{holder:?}"))
    })
    .await;
    assert!(next.unwrap() > token);
    let held = held_until - begun;
    assert!(held + SECOND > ttl, "its session had {ttl:?} and ended after {held:?}");
    let delay = held_until.elapsed();
    assert!(delay + SECOND > lock_delay, "the lock was free after {delay:?}");
    scene.note(format!("held for {held:.1?}, then free after {delay:.1?}"));
    second.close_session(&heir).await.unwrap();
}

pub(crate) async fn a_query_waits_for_another_holder(scene: Scene) {
    let catalog = scene.connect();
    let terms = scene.terms(LONG, Duration::ZERO);
    let key = scene.key("lock");
    let session = catalog.open_session(&terms).await.unwrap();
    let free = catalog.holder(&key, None, SECOND).await.unwrap();
    let waiter = wait(&scene, &key, free.index, None);
    sleep(300 * MS).await;
    assert!(!waiter.is_finished(), "nobody has it yet");
    let token = taken(&*catalog, &key, &session, &terms, b"").await;
    let (index, holder) = waiter.await.unwrap();
    assert_eq!(
        holder.as_ref().map(|holder| (&holder.session, holder.token)),
        Some((&session, token))
    );
    assert!(index > free.index);
    let waiter = wait(&scene, &key, index, holder);
    sleep(300 * MS).await;
    assert!(!waiter.is_finished(), "it has it still");
    catalog.close_session(&session).await.unwrap();
    let (_, holder) = waiter.await.unwrap();
    assert_eq!(holder, None);
}

/// Waits until somebody else has the lock than `before`.
fn wait(
    scene: &Scene,
    key: &str,
    mut after: Index,
    before: Option<Holder>,
) -> tokio::task::JoinHandle<(Index, Option<Holder>)> {
    let (catalog, key) = (scene.connect(), key.to_owned());
    tokio::spawn(async move {
        // What others do may wake a query; it says the same again then.
        loop {
            let found = catalog.holder(&key, Some(after), LONG).await.unwrap();
            after = found.index;
            if found.holder != before {
                return (after, found.holder);
            }
        }
    })
}

/// The token of a lock that nobody has.
async fn taken(
    catalog: &dyn Catalog,
    key: &str,
    session: &Session,
    terms: &SessionTerms,
    value: &[u8],
) -> Token {
    eventually("the lock is taken", async || {
        let token = catalog.acquire(key, session, terms, value).await.unwrap();
        token.ok_or_else(|| "it is not free".to_owned())
    })
    .await
}
