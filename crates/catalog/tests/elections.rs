//! Elections over the registry in memory, with time standing still.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use catalog::memory::{Memory, Mood, Time, Verb};
use catalog::{
    Candidacy, Demotion, Election, Error, Leadership, Resignation, Token, campaign_with,
};
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn candidacy(name: &str) -> Candidacy {
    Candidacy {
        name: "primary".into(),
        key: "locks/primary".into(),
        ttl: 10 * SECOND,
        lock_delay: 3 * SECOND,
        value: name.as_bytes().to_vec(),
    }
}

struct Scene {
    memory: Arc<Memory>,
    time: Time,
}

impl Scene {
    fn new() -> Scene {
        Scene { memory: Arc::new(Memory::new()), time: Time::new() }
    }

    fn stand(&self, name: &str) -> Election {
        let clock = Arc::new(self.time.clone());
        campaign_with(Arc::clone(&self.memory) as _, candidacy(name), clock)
    }

    fn count(&self, verb: Verb) -> usize {
        self.memory.take_seen().iter().filter(|(seen, _)| *seen == verb).count()
    }
}

async fn elected(election: &mut Election) -> Token {
    match timeout(60 * SECOND, election.changed()).await {
        Ok(Leadership::Elected { token }) => token,
        other => panic!("{other:?}"),
    }
}

async fn demoted(election: &mut Election) -> Demotion {
    match timeout(60 * SECOND, election.changed()).await {
        Ok(Leadership::Demoted { why }) => why,
        other => panic!("{other:?}"),
    }
}

async fn is_quiet(election: &mut Election, time: Duration) -> bool {
    timeout(time, election.changed()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_hands_over_at_once_when_it_resigns() {
    let scene = Scene::new();
    let mut first = scene.stand("first");
    let token = elected(&mut first).await;
    let mut second = scene.stand("second");
    assert!(is_quiet(&mut second, 100 * SECOND).await);
    assert!(is_quiet(&mut first, SECOND).await);
    assert_eq!(second.leader().unwrap().value, b"first");
    assert_eq!((first.token(), second.token()), (Some(token), None));

    let begun = Instant::now();
    let resigned = first.resign(SECOND);
    assert_eq!(first.token(), None);
    assert_eq!(resigned.await, Resignation::Acknowledged);
    assert_eq!(demoted(&mut first).await, Demotion::Resigned);
    let next = elected(&mut second).await;
    assert!(next > token);
    assert!(begun.elapsed() < 100 * MS, "{:?}", begun.elapsed());
    sleep(SECOND).await;
    assert_eq!(first.leader().unwrap().value, b"second", "who stays out still knows who leads");

    // Out until it stands again.
    second.resign(SECOND).await;
    assert!(is_quiet(&mut first, 100 * SECOND).await);
    first.stand();
    assert!(elected(&mut first).await > next);
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_the_leader_steps_down_before_its_session_can_end() {
    let scene = Scene::new();
    let mut first = scene.stand("first");
    elected(&mut first).await;
    sleep(20 * SECOND).await;
    scene.memory.take_seen();
    for mood in [Mood::Failing(Error::Unreachable("gone".into())), Mood::Frozen] {
        scene.memory.set_mood(mood.clone());
        let begun = Instant::now();
        assert_eq!(demoted(&mut first).await, Demotion::Expired);
        let lasted = begun.elapsed();
        assert!(lasted > 5 * SECOND && lasted <= 9 * SECOND, "{mood:?}: {lasted:?}");
        sleep(100 * SECOND).await;
        scene.memory.set_mood(Mood::Well);
        let begun = Instant::now();
        elected(&mut first).await;
        assert!(begun.elapsed() < 6 * SECOND, "{mood:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_delay_is_waited_for_without_a_busy_loop() {
    let scene = Scene::new();
    let mut first = scene.stand("first");
    let token = elected(&mut first).await;
    let mut second = scene.stand("second");
    sleep(SECOND).await;
    scene.memory.take_seen();
    // Lost without a word: what it asks for is never answered.
    let session = first.leader().unwrap().session;
    scene.memory.end_session(&session);
    let begun = Instant::now();
    assert_eq!(demoted(&mut first).await, Demotion::LockLost);
    let next = tokio::select! {
        token = elected(&mut first) => token,
        token = elected(&mut second) => token,
    };
    assert!(next > token);
    let lasted = begun.elapsed();
    assert!(lasted >= 3 * SECOND && lasted < 3 * SECOND + 300 * MS, "{lasted:?}");
    let attempts = scene.count(Verb::Acquire);
    assert!((2..60).contains(&attempts), "{attempts} attempts of two in three seconds");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ends_a_leadership_before_anybody_acts_on_it() {
    let scene = Scene::new();
    let mut first = scene.stand("first");
    let mut slow = first.clone();
    let token = elected(&mut first).await;
    // As if the machine had slept: the registry's time has passed too.
    sleep(MS).await;
    scene.memory.end_session(&first.leader().unwrap().session);
    scene.time.jump(60 * SECOND);
    assert_eq!(first.token(), None);
    // Whoever was not told of the election yet is not told of it any more.
    let told = slow.changed();
    tokio::pin!(told);
    assert!(timeout(Duration::ZERO, &mut told).await.is_err());
    assert_eq!(demoted(&mut first).await, Demotion::Expired);
    let again = elected(&mut first).await;
    assert!(again > token);
    assert_eq!(told.await, Leadership::Elected { token: again });
}

#[tokio::test(start_paused = true)]
async fn one_who_missed_a_demotion_is_told_of_it_before_the_next_election() {
    let scene = Scene::new();
    let mut first = scene.stand("first");
    let token = elected(&mut first).await;
    scene.memory.unset("locks/primary");
    sleep(SECOND).await;
    assert!(first.token().unwrap() > token, "a deleted lock is free at once");
    assert_eq!(demoted(&mut first).await, Demotion::LockLost);
    assert!(elected(&mut first).await > token);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_comes_back_in_time_keeps_its_leader() {
    let scene = Scene::new();
    let mut first = scene.stand("first");
    let token = elected(&mut first).await;
    for gone in [2 * SECOND, 5 * SECOND] {
        sleep(20 * SECOND).await;
        scene.memory.take_seen();
        scene.memory.set_mood(Mood::Failing(Error::Unreachable("gone".into())));
        sleep(gone).await;
        scene.memory.set_mood(Mood::Well);
        let renewals = scene.count(Verb::RenewSession);
        assert!(renewals as u64 <= gone.as_secs() + 1, "{renewals} renewals in {gone:?}");
        assert!(is_quiet(&mut first, 20 * SECOND).await, "{gone:?}");
        assert_eq!(first.token(), Some(token));
    }
}

#[tokio::test(start_paused = true)]
async fn a_resignation_in_an_outage_is_told_at_once_and_carried_out_later() {
    let scene = Scene::new();
    let mut first = scene.stand("first");
    elected(&mut first).await;
    let mut second = scene.stand("second");
    sleep(SECOND).await;
    scene.memory.set_mood(Mood::Frozen);
    let begun = Instant::now();
    let resigned = first.resign(2 * SECOND);
    assert_eq!(demoted(&mut first).await, Demotion::Resigned);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(matches!(resigned.await, Resignation::GaveUp(_)));
    assert_eq!(begun.elapsed(), 2 * SECOND);
    scene.memory.set_mood(Mood::Well);
    elected(&mut second).await;
    assert!(begun.elapsed() < 3 * SECOND, "{:?}", begun.elapsed());
    assert!(is_quiet(&mut first, 60 * SECOND).await);
}

#[tokio::test(start_paused = true)]
async fn with_the_last_handle_the_candidate_goes_and_makes_way() {
    let scene = Scene::new();
    let mut first = scene.stand("first");
    elected(&mut first).await;
    let mut second = scene.stand("second");
    sleep(SECOND).await;
    let clone = first.clone();
    drop(first);
    assert!(is_quiet(&mut second, 30 * SECOND).await);
    drop(clone);
    let begun = Instant::now();
    elected(&mut second).await;
    assert!(begun.elapsed() < 100 * MS);
    // In an outage it does not stay for ever.
    scene.memory.set_mood(Mood::Failing(Error::Unreachable("gone".into())));
    drop(second);
    sleep(30 * SECOND).await;
    scene.memory.take_seen();
    sleep(60 * SECOND).await;
    assert_eq!(scene.memory.take_seen(), []);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_refuses_is_asked_little() {
    let scene = Scene::new();
    let refused = Error::Refused("Permission denied".into());
    scene.memory.set_mood(Mood::Failing(refused));
    let mut first = scene.stand("first");
    assert!(is_quiet(&mut first, 60 * SECOND).await);
    let requests = scene.memory.take_seen().len();
    assert!((10..60).contains(&requests), "{requests} requests in a minute");
    scene.memory.set_mood(Mood::Well);
    elected(&mut first).await;
}

#[tokio::test(start_paused = true)]
async fn a_leadership_by_the_same_token_is_another_one() {
    let scene = Scene::new();
    let mut first = scene.stand("first");
    let token = elected(&mut first).await;
    let mut late = first.clone();
    elected(&mut late).await;
    // Its tokens start anew.
    scene.memory.wipe();
    assert_eq!(demoted(&mut first).await, Demotion::LockLost);
    assert_eq!(elected(&mut first).await, token);
    assert_eq!(demoted(&mut late).await, Demotion::LockLost);
    assert_eq!(elected(&mut late).await, token);
}
