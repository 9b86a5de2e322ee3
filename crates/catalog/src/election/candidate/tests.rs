use proptest::prelude::*;

use super::world::{LOCK_DELAY, TIMEOUT, TTL, WAIT, Weather, World};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// After a storm, a lost leader's session ends within twice its time to live, then the lock delay
/// passes, and a look whose answer was lost is not waited for any longer.
const RECOVERY: Duration =
    TTL.saturating_mul(2).saturating_add(LOCK_DELAY).saturating_add(WAIT).saturating_add(TIMEOUT);

#[test]
fn the_margin_is_a_tenth_and_at_least_100_ms() {
    let millis = |ttl| span(Duration::from_millis(ttl)).as_millis();
    assert_eq!([10_000, 1_000, 500, 100].map(millis), [9_000, 900, 400, 50]);
}

#[test]
fn an_undisturbed_leader_stays_and_costs_little() {
    for seed in 1..20 {
        let mut world = World::new(3, seed);
        world.run(Weather::Calm, 5 * SECOND);
        assert_eq!(world.elections.len(), 1, "{}", world.story());
        let before: Vec<usize> = world.nodes.iter().map(|node| node.sent).collect();
        world.run(Weather::Calm, 1000 * SECOND);
        assert_eq!(world.elections.len(), 1, "{}", world.story());
        for (node, before) in world.nodes.iter().zip(before) {
            let sent = node.sent - before;
            // A renewal each 3.3 s, a look each 10 s.
            assert!((350..450).contains(&sent), "{sent} requests in 1000 s");
        }
    }
}

#[test]
fn a_resignation_makes_way_within_milliseconds() {
    for seed in 1..50 {
        let mut world = World::new(3, seed);
        for round in 1..10 {
            world.run(Weather::Calm, 5 * SECOND);
            let [leader] = world.leaders()[..] else { panic!("{}", world.story()) };
            assert_eq!(world.elections.len(), round, "{}", world.story());
            world.resign(leader);
            let resigned = world.now;
            world.run(Weather::Calm, 5 * SECOND);
            let (elected, node, _) = world.elections[round];
            assert!(node != leader && elected - resigned < SECOND / 10, "{}", world.story());
            world.stand(leader);
        }
    }
}

#[test]
fn a_registry_that_loses_its_data_is_noticed_at_once() {
    for seed in 1..50 {
        let mut world = World::new(3, seed);
        world.run(Weather::Calm, 45 * SECOND);
        let [leader] = world.leaders()[..] else { panic!("{}", world.story()) };
        world.wipe();
        world.run(Weather::Calm, SECOND / 20);
        assert_eq!(world.nodes[leader].candidate.why(), Some(Demotion::LockLost));
        world.run(Weather::Calm, 2 * SECOND);
        assert_eq!(world.leaders().len(), 1, "{}", world.story());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// `World` asserts at every step that no two lead, and that tokens grow.
    #[test]
    fn no_history_has_two_leaders_and_every_calm_has_one(
        seed in any::<u64>(),
        count in 1..5_usize,
        storms in prop::collection::vec(1..120_u32, 1..4),
    ) {
        let mut world = World::new(count, seed);
        for storm in storms {
            world.run(Weather::Storm, storm * SECOND);
            world.calm();
            world.run(Weather::Calm, RECOVERY);
            let leaders = world.leaders();
            prop_assert_eq!(leaders.len(), 1, "{}", world.story());
            let elections = world.elections.len();
            world.run(Weather::Calm, 5 * TTL);
            prop_assert_eq!(world.leaders(), leaders, "{}", world.story());
            prop_assert_eq!(world.elections.len(), elections, "{}", world.story());
        }
        // Whoever resigns leaves nothing behind.
        (0..count).for_each(|node| world.resign(node));
        world.run(Weather::Calm, SECOND);
        prop_assert!(world.nodes.iter().all(|node| node.candidate.is_out()), "{}", world.story());
        prop_assert!(world.is_empty(), "{}", world.story());
    }
}

/// Carries out what is due, as long as `answer` has one.
fn serve(
    candidate: &mut Candidate,
    now: Moment,
    mut answer: impl FnMut(&Request) -> Option<Reply>,
) {
    while let Some(request) = candidate.take(now) {
        if let Some(reply) = answer(&request) {
            candidate.done(reply, now, now);
        }
    }
}

#[test]
fn a_session_counts_from_the_moment_at_which_it_was_asked_for() {
    let session = Session("one".to_owned());
    let (sent, late) = (SECOND, 5 * SECOND);
    let mut candidate = Candidate::new("primary".to_owned(), TTL, sent);
    serve(&mut candidate, sent, |request| match request {
        Request::Look(None, round) => {
            let holding = Holding { holder: None, index: Index(1) };
            Some(Reply::Seen(None, *round, Ok(holding)))
        }
        _ => None,
    });
    candidate.done(Reply::Opened(Ok(session.clone())), sent, late);
    candidate.done(Reply::Acquired(session.clone(), Ok(Some(Token(1)))), late, late);
    let until = |candidate: &Candidate| match candidate.role(late) {
        Role::Leader { until, .. } => until,
        Role::Follower => panic!("it leads"),
    };
    assert_eq!(until(&candidate), sent + span(TTL));
    candidate.done(Reply::Renewed(session, Ok(())), 2 * SECOND, late);
    assert_eq!(until(&candidate), 2 * SECOND + span(TTL));
}

#[test]
fn answers_about_an_old_session_are_about_nothing() {
    let session = |name: &str| Session(name.to_owned());
    let free = || Ok(Holding { holder: None, index: Index(1) });
    let mut now = SECOND;
    let mut candidate = Candidate::new("primary".to_owned(), TTL, now);
    serve(&mut candidate, now, |request| match request {
        Request::Open => Some(Reply::Opened(Ok(session("old")))),
        Request::Look(None, round) => Some(Reply::Seen(None, *round, free())),
        // The answer to the acquisition is late.
        _ => None,
    });
    now += TTL / 3;
    serve(&mut candidate, now, |request| match request {
        Request::Renew(old) => Some(Reply::Renewed(old.clone(), Err(Error::Unknown))),
        Request::Open => Some(Reply::Opened(Ok(session("new")))),
        _ => None,
    });
    let follows = |candidate: &Candidate| candidate.role(now) == Role::Follower;
    candidate.done(Reply::Acquired(session("old"), Ok(Some(Token(1)))), SECOND, now);
    assert!(follows(&candidate));
    // Nor do they end the new one.
    candidate.done(Reply::Acquired(session("old"), Err(Error::Unknown)), SECOND, now);
    candidate.done(Reply::Renewed(session("old"), Err(Error::Unknown)), SECOND, now);
    candidate.done(Reply::Closed(session("old"), Ok(())), SECOND, now);
    candidate.done(Reply::Acquired(session("new"), Ok(Some(Token(2)))), SECOND, now);
    assert!(!follows(&candidate));
}

#[test]
fn a_refused_look_is_repeated_slowly_although_renewals_work() {
    let (mut candidate, mut looks) = (Candidate::new("primary".to_owned(), TTL, SECOND), 0);
    for tick in 0..6000 {
        let now = SECOND + tick * SECOND / 100;
        while let Some(request) = candidate.take(now) {
            let reply = match request {
                Request::Open => Reply::Opened(Ok(Session("one".to_owned()))),
                Request::Renew(session) => Reply::Renewed(session, Ok(())),
                Request::Look(after, round) => {
                    looks += 1;
                    Reply::Seen(after, round, Err(Error::Refused("no".to_owned())))
                }
                other => panic!("{other:?} without knowing that the lock is free"),
            };
            candidate.done(reply, now, now);
        }
    }
    assert!((12..35).contains(&looks), "{looks} looks in a minute");
}

#[test]
fn a_session_is_not_closed_while_it_may_still_be_given_the_lock() {
    let (session, now) = (Session("one".to_owned()), SECOND);
    let mut candidate = Candidate::new("primary".to_owned(), TTL, now);
    let mut acquisitions = 0;
    serve(&mut candidate, now, |request| match request {
        Request::Open => Some(Reply::Opened(Ok(session.clone()))),
        Request::Look(None, round) => {
            let holding = Holding { holder: None, index: Index(1) };
            Some(Reply::Seen(None, *round, Ok(holding)))
        }
        // The answer is late.
        Request::Acquire(_) => {
            acquisitions += 1;
            None
        }
        _ => None,
    });
    assert_eq!(acquisitions, 1);
    candidate.resign(now);
    let closed = |candidate: &mut Candidate| {
        let mut closed = false;
        serve(candidate, now, |request| {
            closed |= matches!(request, Request::Close(_));
            None
        });
        closed
    };
    assert!(!closed(&mut candidate));
    candidate.done(Reply::Acquired(session.clone(), Ok(Some(Token(1)))), now, now);
    assert_eq!(candidate.role(now), Role::Follower);
    assert!(closed(&mut candidate));
}
