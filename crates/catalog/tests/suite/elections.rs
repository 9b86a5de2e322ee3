//! Elections of candidates that know nothing of one another.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use catalog::{Candidacy, Election, Leadership, Resignation, Token, campaign};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::registry::{LONG, MS, SECOND, Scene, Tokens, eventually};

pub(crate) async fn of_three_one_leads_and_hands_over_at_once(scene: Scene) {
    let mut race = Race::start(&scene, LONG, LONG);
    let mut times = Vec::new();
    let mut leader = race.leader().await;
    for _ in 0..4 {
        // Nobody but the leader leads, and all know who does.
        let value = format!("candidate {leader}").into_bytes();
        for candidate in &race.candidates {
            eventually("all know the leader", async || {
                let known = candidate.election.leader();
                if known.as_ref().is_some_and(|known| known.value == value) {
                    Ok(())
                } else {
                    Err(format!("{known:?}"))
                }
            })
            .await;
        }
        let begun = Instant::now();
        race.journal.push((begun, leader, Happened::Stopped));
        let resigned = race.candidates[leader].election.resign(LONG);
        assert_eq!(race.candidates[leader].election.token(), None);
        assert_eq!(resigned.await, Resignation::Acknowledged);
        let next = race.leader().await;
        assert_ne!(next, leader);
        times.push(race.elected_at(next) - begun);
        race.candidates[leader].election.stand();
        leader = next;
    }
    let worst = times.iter().max().unwrap();
    // A lock delay, or waiting for a session's end, would take far longer.
    assert!(*worst < LONG / 3, "{times:?}");
    scene.note(format!("without a leader for {worst:.0?} at most"));
    race.check();
}

pub(crate) async fn a_leader_that_is_killed_is_succeeded(scene: Scene) {
    let ttl = scene.traits.ttl * 4;
    let mut race = Race::start(&scene, ttl, SECOND);
    let mut times = Vec::new();
    for _ in 0..2 {
        let leader = race.leader().await;
        race.journal.push((Instant::now(), leader, Happened::Stopped));
        race.candidates[leader].kill();
        let begun = Instant::now();
        race.leader().await;
        times.push(begun.elapsed());
    }
    let worst = times.iter().max().unwrap();
    scene.note(format!("without a leader for {worst:.1?} at most"));
    race.check();
}

pub(crate) async fn a_leader_whose_lock_is_deleted_learns_of_it(scene: Scene) {
    let mut race = Race::start(&scene, LONG, SECOND);
    let leader = race.leader().await;
    let token = race.candidates[leader].election.token().unwrap();
    let begun = Instant::now();
    scene.registry.unset(&scene.key("leader"));
    eventually("it is demoted", async || {
        race.hear();
        race.journal
            .iter()
            .any(|(_, who, what)| *who == leader && matches!(what, Happened::Demoted))
            .then_some(())
            .ok_or("not yet".to_owned())
    })
    .await;
    assert!(begun.elapsed() < LONG / 3, "{:?}", begun.elapsed());
    let next = race.leader().await;
    let next = race.candidates[next].election.token().unwrap();
    match scene.traits.deleted {
        Tokens::GoOn => assert!(next > token, "{next:?} after {token:?}"),
        Tokens::BeginAnew => assert_eq!(next, Token(1)),
    }
}

/// Three candidates, and what happened to them in the order of its time.
struct Race {
    candidates: Vec<Candidate>,
    journal: Vec<(Instant, usize, Happened)>,
    heard: mpsc::Receiver<(Instant, usize, Happened)>,
}

#[derive(Clone, Copy, Debug)]
enum Happened {
    Elected(Token),
    Demoted,
    /// Told to resign, or killed.
    Stopped,
}

/// One who stands, in a runtime of its own as in a process of its own.
struct Candidate {
    election: Election,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Race {
    fn start(scene: &Scene, ttl: Duration, lock_delay: Duration) -> Race {
        let (tell, heard) = mpsc::channel();
        let candidate = |number: usize| {
            let (catalog, tell) = (scene.connect(), tell.clone());
            let candidacy = Candidacy {
                name: "primary".to_owned(),
                key: scene.key("leader"),
                ttl,
                lock_delay,
                value: format!("candidate {number}").into_bytes(),
            };
            Candidate::start(
                move || campaign(catalog, candidacy),
                move |what| {
                    let _ = tell.send((Instant::now(), number, what));
                },
            )
        };
        let candidates = (0..3).map(candidate).collect();
        Race { candidates, journal: Vec::new(), heard }
    }

    /// Takes in what has happened.
    fn hear(&mut self) {
        self.journal.extend(self.heard.try_iter());
        self.journal.sort_by_key(|(at, ..)| *at);
    }

    /// Who was elected last and leads still, once somebody does.
    async fn leader(&mut self) -> usize {
        eventually("somebody leads", async || {
            self.hear();
            let leader = self.journal.iter().fold(None, |leads, (_, who, what)| match what {
                Happened::Elected(_) => Some(*who),
                Happened::Demoted | Happened::Stopped => leads.filter(|it| it != who),
            });
            leader.ok_or_else(|| format!("{:?}", self.journal))
        })
        .await
    }

    fn elected_at(&self, who: usize) -> Instant {
        let elections = self.journal.iter().rev();
        let found = elections
            .clone()
            .find(|(_, other, what)| *other == who && matches!(what, Happened::Elected(_)));
        found.unwrap().0
    }

    /// No two at once, and tokens grow.
    fn check(&mut self) {
        self.hear();
        let (mut leads, mut newest) = (None, Token(0));
        for (_, who, what) in &self.journal {
            match what {
                Happened::Elected(token) => {
                    assert_eq!(leads, None, "{:#?}", self.journal);
                    assert!(*token > newest, "{:#?}", self.journal);
                    (leads, newest) = (Some(*who), *token);
                }
                Happened::Demoted | Happened::Stopped => leads = leads.filter(|it| it != who),
            }
        }
    }
}

impl Candidate {
    fn start(
        stand: impl FnOnce() -> Election + Send + 'static,
        tell: impl Fn(Happened) + Send + 'static,
    ) -> Candidate {
        let (give, given) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut election = stand();
                give.send(election.clone()).unwrap();
                let follow = async {
                    loop {
                        tell(match election.changed().await {
                            Leadership::Elected { token } => Happened::Elected(token),
                            Leadership::Demoted { .. } => Happened::Demoted,
                        });
                    }
                };
                tokio::select! {
                    _ = stopped => {}
                    () = follow => {}
                }
            });
            // Without a word to anybody.
            runtime.shutdown_timeout(10 * MS);
        });
        let election = given.recv().unwrap();
        Candidate { election, stop: Some(stop), thread: Some(thread) }
    }

    fn kill(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        self.kill();
    }
}
