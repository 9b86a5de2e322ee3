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
