use std::collections::BTreeMap;

use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn registration(id: &str) -> Arc<Registration> {
    Arc::new(Registration {
        id: id.into(),
        name: "app".into(),
        check_id: format!("service:{id}"),
        address: "10.0.0.1".into(),
        port: 80,
        tags: Vec::new(),
        meta: BTreeMap::new(),
        ttl: 10 * SECOND,
        enable_tag_override: false,
        deregister_critical_after: None,
    })
}

/// The requests that are due, all at once, each ended by `outcome`.
fn serve(table: &mut Table, outcome: Result<bool, Error>, now: Instant) -> Vec<(String, Verb)> {
    let mut seen = Vec::new();
    while let Some(job) = table.take(now) {
        seen.push((job.id.to_string(), job.verb));
        table.done(&job, outcome.clone(), now);
        assert!(seen.len() < 1000, "it never ends: {:?}", &seen[..9]);
    }
    seen
}

fn verbs(table: &mut Table, outcome: Result<bool, Error>, now: Instant) -> Vec<Verb> {
    serve(table, outcome, now).into_iter().map(|(_, verb)| verb).collect()
}

fn leave(table: &mut Table, id: &str, until: Instant) -> oneshot::Receiver<Deregistration> {
    let (done, acknowledged) = oneshot::channel();
    table.deregister(id, done, until);
    acknowledged
}

/// Of a registry where instances that expire stay, as critical.
fn empty() -> Table {
    Table::new(Expiry::Critical)
}

const PASSING: Verb = Verb::Register(Status::Passing);
const CRITICAL: Verb = Verb::Register(Status::Critical);

/// A table in which `a` has been registered and acknowledged.
fn registered(now: Instant) -> (Table, Arc<Registration>) {
    let (mut table, a) = (empty(), registration("a"));
    table.passing(&a, now);
    assert_eq!(verbs(&mut table, Ok(true), now), [PASSING]);
    (table, a)
}

#[test]
fn one_request_for_each_check_and_none_in_between() {
    let now = Instant::now();
    let (mut table, a) = registered(now);
    assert!(!table.plan(now).ready);
    for n in 1..5 {
        let now = now + n * SECOND;
        table.passing(&a, now);
        table.passing(&a, now);
        assert!(table.plan(now).ready);
        assert_eq!(verbs(&mut table, Ok(true), now), [Verb::Heartbeat]);
    }
}

#[test]
fn a_failed_check_withdraws_what_was_not_sent() {
    let now = Instant::now();
    let (mut table, a) = registered(now);
    table.passing(&a, now);
    table.failing("a");
    assert_eq!(verbs(&mut table, Ok(true), now), []);
    // Neither does one that never passed get in.
    table.passing(&registration("b"), now);
    table.failing("b");
    assert_eq!(verbs(&mut table, Ok(true), now), []);
    // What was cut off under way is not owed any more, either.
    table.passing(&a, now);
    let job = table.take(now).unwrap();
    table.failing("a");
    table.done(&job, Err(Error::Unreachable("x".into())), now);
    let later = now + SECOND;
    assert_eq!(verbs(&mut table, Ok(true), later), [Verb::Compare]);
}

#[test]
fn what_is_lost_is_registered_again_by_what_is_known_of_its_health() {
    let now = Instant::now();
    let (mut table, a) = registered(now);
    table.passing(&a, now);
    let job = table.take(now).unwrap();
    table.done(&job, Err(Error::Unknown), now);
    assert_eq!(verbs(&mut table, Ok(true), now), [PASSING], "at once");

    table.failing("a");
    table.recovered(now);
    let job = table.take(now).unwrap();
    assert_eq!(job.verb, Verb::Compare);
    table.done(&job, Err(Error::Unknown), now);
    assert_eq!(verbs(&mut table, Ok(true), now), [CRITICAL]);
}

#[test]
fn a_check_that_passed_long_ago_is_no_reason_to_say_passing() {
    let now = Instant::now();
    let down = || Err(Error::Unreachable("x".into()));
    let later = now + 11 * SECOND;
    let (mut table, a) = registered(now);
    table.passing(&a, now);
    let job = table.take(now).unwrap();
    table.done(&job, down(), now);
    assert_eq!(verbs(&mut table, Ok(true), later), [Verb::Compare]);

    let mut table = empty();
    table.passing(&a, now);
    let job = table.take(now).unwrap();
    table.done(&job, down(), now);
    assert_eq!(verbs(&mut table, Ok(true), later), [], "it was never registered");

    let mut table = empty();
    table.announce(&a, Status::Passing, now);
    assert_eq!(verbs(&mut table, Ok(true), later), [CRITICAL], "it was promised");
}

#[test]
fn an_announcement_stands_until_a_check_speaks() {
    let now = Instant::now();
    let (mut table, a) = (empty(), registration("a"));
    table.announce(&a, Status::Warning, now);
    table.failing("a");
    assert_eq!(verbs(&mut table, Ok(true), now), [CRITICAL]);
    table.passing(&a, now);
    table.announce(&a, Status::Warning, now);
    assert_eq!(verbs(&mut table, Ok(true), now), [Verb::Heartbeat]);
}

#[test]
fn what_another_changed_is_put_right_after_a_while() {
    let now = Instant::now();
    let (mut table, a) = registered(now);
    let at = table.plan(now).wake.unwrap();
    assert!(at > now + 5 * SECOND && at <= now + 10 * SECOND);
    table.passing(&a, at);
    let job = table.take(at).unwrap();
    assert_eq!(job.verb, Verb::Compare);
    table.done(&job, Ok(false), at);
    assert_eq!(verbs(&mut table, Ok(true), at), [PASSING], "and that is the heartbeat as well");
}

#[test]
fn a_new_definition_is_registered_and_a_new_check_replaces_the_old_one() {
    let now = Instant::now();
    let (mut table, a) = registered(now);
    let moved = Arc::new(Registration { port: 81, ..(*a).clone() });
    table.passing(&moved, now);
    let job = table.take(now).unwrap();
    assert_eq!((job.verb, job.registration.port), (PASSING, 81));
    // Changed once more while that is under way.
    let again = Arc::new(Registration { port: 82, ..(*a).clone() });
    table.passing(&again, now);
    table.done(&job, Ok(true), now);
    let job = table.take(now).unwrap();
    assert_eq!((job.verb, job.registration.port), (PASSING, 82));
    table.done(&job, Ok(true), now);

    let other = Arc::new(Registration { check_id: "a".into(), ..(*again).clone() });
    table.passing(&other, now);
    let job = table.take(now).unwrap();
    assert_eq!((job.verb, job.registration.check_id.as_str()), (Verb::Deregister, "service:a"));
    table.done(&job, Ok(true), now);
    assert_eq!(verbs(&mut table, Ok(true), now), [PASSING]);
}

#[test]
fn a_check_that_is_replaced_while_it_is_registered_is_taken_out_if_it_got_there() {
    let now = Instant::now();
    let refused = Error::Unreachable("no".into());
    for (outcome, after) in
        [(Ok(true), vec![Verb::Deregister, PASSING]), (Err(refused), vec![PASSING])]
    {
        let (mut table, a) = (empty(), registration("a"));
        table.passing(&a, now);
        let job = table.take(now).unwrap();
        let other = Arc::new(Registration { check_id: "a".into(), ..(*a).clone() });
        table.passing(&other, now);
        table.done(&job, outcome, now);
        assert_eq!(verbs(&mut table, Ok(true), now), after);
        assert!(table.is_registered("a"));
    }
}

#[test]
fn nothing_follows_a_deregistration_unless_it_is_asked_for_anew() {
    let now = Instant::now();
    let until = now + SECOND;
    let (mut table, a) = registered(now);
    table.passing(&a, now);
    let beat = table.take(now).unwrap();
    table.passing(&a, now);
    let mut gone = leave(&mut table, "a", until);
    assert!(table.take(now).is_none(), "the heartbeat under way is waited for");
    table.done(&beat, Ok(true), now);
    assert_eq!(verbs(&mut table, Ok(true), now), [Verb::Deregister]);
    assert_eq!(gone.try_recv(), Ok(Deregistration::Acknowledged));
    assert!(table.rows.is_empty());

    table.passing(&a, now);
    assert_eq!(verbs(&mut table, Ok(true), now), [PASSING]);
    let _gone = leave(&mut table, "a", until);
    table.passing(&a, now);
    assert_eq!(verbs(&mut table, Ok(true), now), [Verb::Deregister, PASSING]);
}

#[test]
fn what_never_got_there_leaves_without_a_request() {
    let now = Instant::now();
    let (mut table, a) = (empty(), registration("a"));
    assert_eq!(leave(&mut table, "a", now).try_recv(), Ok(Deregistration::Acknowledged));
    for error in [Error::Unreachable("x".into()), Error::Refused("x".into())] {
        table.passing(&a, now);
        let job = table.take(now).unwrap();
        let mut gone = leave(&mut table, "a", now + SECOND);
        table.done(&job, Err(error), now);
        assert_eq!(gone.try_recv(), Ok(Deregistration::Acknowledged));
        assert!(table.rows.is_empty());
    }
}

#[test]
fn a_registration_that_may_arrive_late_is_deregistered_twice() {
    let now = Instant::now();
    let (mut table, a) = (empty(), registration("a"));
    table.passing(&a, now);
    let job = table.take(now).unwrap();
    table.done(&job, Err(Error::Timeout(SECOND)), now);
    let mut gone = leave(&mut table, "a", now + SECOND);
    assert_eq!(verbs(&mut table, Ok(true), now), [Verb::Deregister]);
    assert!(gone.try_recv().is_err());
    // Its answer has ended the outage in which the registration was lost.
    table.recovered(now);
    assert_eq!(verbs(&mut table, Ok(true), now), []);
    let again = table.plan(now).wake.unwrap();
    assert_eq!(verbs(&mut table, Ok(true), again), [Verb::Deregister]);
    assert_eq!(gone.try_recv(), Ok(Deregistration::Acknowledged));
}

#[test]
fn a_deregistration_ends_when_refused_and_at_its_deadline() {
    let now = Instant::now();
    let (mut table, _) = registered(now);
    let mut gone = leave(&mut table, "a", now + SECOND);
    assert_eq!(verbs(&mut table, Err(Error::Refused("no".into())), now), [Verb::Deregister]);
    assert_eq!(gone.try_recv(), Ok(Deregistration::GaveUp("refused: no".into())));

    let (mut table, a) = registered(now);
    let mut first = leave(&mut table, "a", now + SECOND);
    let mut second = leave(&mut table, "a", now + 2 * SECOND);
    let job = table.take(now).unwrap();
    table.close();
    table.expire(now + SECOND, Some("it sleeps"));
    assert!(first.try_recv().is_err() && !table.is_finished(), "the later deadline counts");
    table.expire(now + 2 * SECOND, Some("it sleeps"));
    let late = Deregistration::GaveUp("not acknowledged in time: it sleeps".into());
    assert_eq!((first.try_recv(), second.try_recv()), (Ok(late.clone()), Ok(late)));
    assert!(table.is_finished());
    // The request is still under way: what comes next waits for it.
    table.passing(&a, now);
    assert!(table.take(now).is_none());
    table.done(&job, Err(Error::Timeout(SECOND)), now);
    // Nobody knows whether it was taken out after all.
    let now = now + SECOND;
    assert_eq!(verbs(&mut table, Ok(true), now), [Verb::Compare, Verb::Heartbeat]);
}

#[test]
fn a_refusal_is_not_repeated_before_the_next_check_and_a_failure_backs_off() {
    let now = Instant::now();
    let (mut table, a) = (empty(), registration("a"));
    let refused = Err(Error::Refused("no".into()));
    table.passing(&a, now);
    assert_eq!(verbs(&mut table, refused.clone(), now), [PASSING]);
    assert_eq!(verbs(&mut table, refused, now + 5 * SECOND), []);
    table.passing(&a, now + 5 * SECOND);
    assert_eq!(verbs(&mut table, Ok(true), now + 5 * SECOND), [PASSING]);

    let mut at = now + 6 * SECOND;
    let mut attempts = 0;
    while at < now + 16 * SECOND {
        table.passing(&a, at);
        attempts += verbs(&mut table, Err(Error::Failed("x".into())), at).len();
        at += 10 * MS;
    }
    assert!((4..20).contains(&attempts), "{attempts} attempts in ten seconds");
}

#[test]
fn everybody_gets_a_turn_and_those_who_leave_go_first() {
    let now = Instant::now();
    let mut table = empty();
    for n in 0..10 {
        table.passing(&registration(&format!("s{n}")), now);
    }
    let jobs: Vec<Job> = std::iter::from_fn(|| table.take(now)).collect();
    assert_eq!(jobs.len(), LANES);
    for job in &jobs {
        table.done(job, Ok(true), now);
        // It wants more at once, but the others have not had any.
        table.passing(&job.registration, now);
    }
    let _gone = leave(&mut table, "s0", now + SECOND);
    let next: Vec<(String, Verb)> = serve(&mut table, Ok(true), now);
    assert_eq!(next[0], ("s0".to_owned(), Verb::Deregister));
    let position = |id: &str| next.iter().position(|(name, _)| name == id);
    assert!(position("s1") > position("s9"), "{next:?}");
}

#[test]
fn a_deregistration_that_nobody_waits_for_gives_way_to_an_instance_that_is_wanted() {
    let now = Instant::now();
    let failed = || Err(Error::Failed("500".into()));
    for (waited_for, expected) in [(true, Verb::Deregister), (false, PASSING)] {
        let (mut table, a) = registered(now);
        let waiter = leave(&mut table, &a.id, now + 3600 * SECOND);
        assert_eq!(verbs(&mut table, failed(), now), [Verb::Deregister]);
        let _waiter = waited_for.then_some(waiter);
        table.passing(&a, now + 10 * SECOND);
        assert_eq!(verbs(&mut table, failed(), now + 10 * SECOND), [expected]);
    }
}

fn mark(table: &mut Table, id: &str, until: Instant) -> oneshot::Receiver<Deregistration> {
    let (done, acknowledged) = oneshot::channel();
    table.mark(id, "leaving", done, until);
    acknowledged
}

#[test]
fn a_mark_follows_the_registration_that_is_under_way() {
    let now = Instant::now();
    let until = now + SECOND;
    let (mut table, a) = (empty(), registration("a"));
    table.passing(&a, now);
    let job = table.take(now).unwrap();
    let mut acknowledged = mark(&mut table, "a", until);
    assert!(!table.plan(now).ready);
    assert_eq!(table.plan(now).wake, Some(until));
    table.done(&job, Ok(true), now);
    assert!(acknowledged.try_recv().is_err());
    let job = table.take(now).unwrap();
    assert_eq!((job.verb, job.output.as_deref()), (Verb::Mark, Some("leaving")));
    table.done(&job, Ok(true), now);
    assert_eq!(acknowledged.try_recv(), Ok(Deregistration::Acknowledged));
    assert_eq!(verbs(&mut table, Ok(true), now + SECOND), []);

    // The registration came to nothing.
    let mut table = empty();
    table.passing(&a, now);
    let job = table.take(now).unwrap();
    let mut acknowledged = mark(&mut table, "a", until);
    table.done(&job, Err(Error::Unreachable("x".into())), now);
    assert_eq!(acknowledged.try_recv(), Ok(Deregistration::Acknowledged));
    assert_eq!(verbs(&mut table, Ok(true), now + SECOND), []);
}

#[test]
fn a_mark_ends_as_the_registry_says_or_in_time() {
    let now = Instant::now();
    let until = now + SECOND;
    let gave_up = |mut waiter: oneshot::Receiver<Deregistration>| match waiter.try_recv() {
        Ok(Deregistration::GaveUp(why)) => why,
        other => panic!("{other:?}"),
    };
    // The registry does not have it: nobody sees it. It is put in again as it should be.
    let (mut table, _) = registered(now);
    let mut acknowledged = mark(&mut table, "a", until);
    let job = table.take(now).unwrap();
    table.done(&job, Err(Error::Unknown), now);
    assert_eq!(acknowledged.try_recv(), Ok(Deregistration::Acknowledged));
    let job = table.take(now).unwrap();
    assert_eq!((job.verb, job.output.as_deref()), (CRITICAL, Some("leaving")));

    let (mut table, _) = registered(now);
    let waiter = mark(&mut table, "a", until);
    assert_eq!(verbs(&mut table, Err(Error::Refused("no".into())), now), [Verb::Mark]);
    assert_eq!(gave_up(waiter), "refused: no");

    let (mut table, _) = registered(now);
    let waiter = mark(&mut table, "a", until);
    assert_eq!(verbs(&mut table, Err(Error::Failed("later".into())), now), [Verb::Mark]);
    table.expire(until, None);
    assert_eq!(gave_up(waiter), "not acknowledged in time: failed: later");

    let (mut table, a) = registered(now);
    let waiter = mark(&mut table, "a", until);
    let job = table.take(now).unwrap();
    table.passing(&a, now);
    assert_eq!(gave_up(waiter), "a check has passed meanwhile");
    table.done(&job, Ok(true), now);
    assert_eq!(verbs(&mut table, Ok(true), now), [Verb::Heartbeat], "and it is said again");
}

#[test]
fn marks_go_before_heartbeats() {
    let now = Instant::now();
    let mut table = empty();
    let all: Vec<_> = (0..5).map(|n| registration(&format!("{n}"))).collect();
    all.iter().for_each(|one| table.passing(one, now));
    serve(&mut table, Ok(true), now);
    all.iter().for_each(|one| table.passing(one, now));
    let _waiter = mark(&mut table, "4", now + SECOND);
    assert_eq!(serve(&mut table, Ok(true), now)[0], ("4".to_owned(), Verb::Mark));
}

#[test]
fn what_a_registry_takes_out_by_itself_is_not_put_in_again_before_it_passes() {
    let now = Instant::now();
    let (mut table, a) = (Table::new(Expiry::Removed), registration("a"));
    table.passing(&a, now);
    assert_eq!(verbs(&mut table, Ok(true), now), [PASSING]);
    table.failing("a");
    // It is looked at, so that it is known to be gone, and left alone.
    let lapsed = now + 20 * SECOND;
    assert_eq!(verbs(&mut table, Err(Error::Unknown), lapsed), [Verb::Compare]);
    assert!(!table.is_registered("a"));
    for later in [lapsed, lapsed + 100 * SECOND] {
        assert_eq!(table.plan(later), Plan { ready: false, wake: None });
    }
    // So is one whose check hangs, and one that was marked.
    table.passing(&a, lapsed);
    assert_eq!(verbs(&mut table, Ok(true), lapsed), [PASSING]);
    let hung = lapsed + 20 * SECOND;
    assert_eq!(verbs(&mut table, Err(Error::Unknown), hung), [Verb::Compare]);
    table.passing(&a, hung);
    assert_eq!(verbs(&mut table, Ok(true), hung), [PASSING]);
    let (done, mut marked) = oneshot::channel();
    table.mark("a", "drained", done, hung + SECOND);
    assert_eq!(verbs(&mut table, Ok(true), hung), [Verb::Mark]);
    assert_eq!(marked.try_recv(), Ok(Deregistration::Acknowledged));
    let lapsed = hung + 20 * SECOND;
    assert_eq!(verbs(&mut table, Err(Error::Unknown), lapsed), [Verb::Compare]);
    // What was announced has one time to live to pass.
    table.announce(&registration("b"), Status::Critical, lapsed);
    assert_eq!(verbs(&mut table, Ok(true), lapsed), [CRITICAL]);
    let later = lapsed + 20 * SECOND;
    assert_eq!(verbs(&mut table, Err(Error::Unknown), later), [Verb::Compare]);
    table.passing(&registration("b"), later);
    assert_eq!(verbs(&mut table, Ok(true), later), [PASSING]);
}
