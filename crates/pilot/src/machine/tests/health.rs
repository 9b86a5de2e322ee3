//! What checks make of a job, and what happens then.

use std::time::Duration;

use config::job::{Health, Job, JobEvent, JobId, KillAfter, OnFailure, Restarts, Role, Trigger};

use super::super::{
    Input, Maintenance, Urgency,
    world::{Behaviour, World, configuration, health, job, service},
};
use super::{FOREVER, lives, script, seconds};

const WEB: JobId = JobId(0);

/// A draw for a check that passes, or fails.
const PASSES: Behaviour = FOREVER;

const AT_ONCE: Behaviour = FOREVER;

fn fails() -> Behaviour {
    Behaviour { code: 1, ..FOREVER }
}

/// A job that advertises a service and is checked each second.
fn web(change: impl FnOnce(&mut Health)) -> Job {
    let mut web = job("web");
    let mut health = health(1);
    change(&mut health);
    web.health = Some(health);
    web.service = Some(service("web"));
    web
}

/// What was said of its health, and of its process.
fn told(world: &World) -> Vec<JobEvent> {
    let of_web = |(_, event): &(Duration, Trigger)| match event {
        Trigger::Job(WEB, event) => Some(*event),
        _ => None,
    };
    world.published.iter().filter_map(of_web).collect()
}

#[test]
fn a_state_turns_when_there_are_enough_in_a_row_and_heartbeats_go_on_until_then() {
    use JobEvent::{Healthy, Unhealthy};
    let web = web(|health| (health.failures, health.successes) = (3, 2));
    let (no, yes) = (fails(), PASSES);
    let draws =
        vec![FOREVER, yes, no, yes, yes, no, no, yes, no, no, no, no, yes, no, yes, yes, yes];
    let checks = draws.len() as u64 - 1;
    let mut world = World::new(configuration(vec![web], 0), script(draws), vec![]);
    world.run(Duration::from_millis(1_000 * checks - 500));
    assert_eq!(world.checks[&WEB].len() as u64, checks);
    let expected = [
        // One of two, a failure, one of two.
        Healthy, // The second.
        // One and two of three, then
        Healthy, // One and two of three,
        Unhealthy, Unhealthy, // One of two, a failure
        Unhealthy, // One of two,
        Healthy, Healthy,
    ];
    assert_eq!(told(&world), expected);
    // At each of four that have passed, and of four failures that made no difference.
    assert_eq!(world.heartbeats[&WEB], 4 + 4);
}

#[test]
fn failures_do_not_count_while_a_process_starts() {
    use JobEvent::{ExitFailed, Healthy, Unhealthy};
    let mut web = web(|health| health.start_period = seconds(3));
    web.restarts = Restarts::Unlimited;
    let (no, yes) = (fails(), PASSES);
    // It fails three times, at 0, 1 and 2 s, and once more at 3 s; or passes, and fails then.
    let first = lives(4_500, 1);
    let draws = vec![first, no, no, no, no, yes, FOREVER, no, yes, no];
    let mut world = World::new(configuration(vec![web], 0), script(draws), vec![]);
    world.run(seconds(7) + Duration::from_millis(500));
    // The second process has passed before its three seconds are over: what follows counts.
    assert_eq!(told(&world), [Unhealthy, Healthy, ExitFailed, Healthy, Unhealthy]);
}

#[test]
fn an_unhealthy_process_is_replaced_and_that_counts_for_nothing() {
    use JobEvent::{ExitFailed, Healthy, Unhealthy};
    let mut web = web(|health| {
        health.failures = 2;
        health.on_failure = OnFailure::Restart;
    });
    web.role = Role::Essential;
    let (no, yes) = (fails(), PASSES);
    let obeys = FOREVER;
    let draws = vec![FOREVER, yes, no, no, obeys, FOREVER, yes, yes];
    let mut world = World::new(configuration(vec![web], 0), script(draws), vec![]);
    world.run(Duration::from_millis(4_000));
    // No `stopping`, no `stopped`: the job does not leave.
    assert_eq!(told(&world)[..3], [Healthy, Unhealthy, ExitFailed]);
    assert_eq!(told(&world).last(), Some(&Healthy), "{:?}", told(&world));
    assert_eq!((world.spawns[&WEB], world.recycled[&WEB]), (2, 1));
    assert!(world.exit.is_none() && world.running.contains_key(&WEB), "it is essential");
    // The first after the back-off, at once after the start.
    let checks = &world.checks[&WEB];
    let pause = checks[3] - checks[2];
    assert!((Duration::from_millis(120)..Duration::from_millis(160)).contains(&pause), "{pause:?}");
}

#[test]
fn one_that_never_gets_well_is_replaced_ever_more_rarely() {
    let mut web = web(|health| health.on_failure = OnFailure::Restart);
    // Even of a job that has no back-off.
    web.restarts = Restarts::Never;
    let mut world = World::new(configuration(vec![web], 0), vec![fails()], vec![]);
    world.run(seconds(600));
    let recycled = world.recycled[&WEB];
    assert!((25..35).contains(&recycled), "{recycled}: doubling to 30 s, less jitter");
}

#[test]
fn one_that_does_not_obey_is_killed() {
    let mut web = web(|health| health.on_failure = OnFailure::Restart);
    let stubborn = Behaviour { obeys: None, ..fails() };
    let exits = |world: &World| {
        let exit = Trigger::Job(WEB, JobEvent::ExitFailed);
        world.published.iter().find(|(_, event)| *event == exit).map(|(at, _)| *at)
    };
    // The first check takes 30 ms. In 3.x the program's own time to stop is the limit.
    let mut world = World::new(configuration(vec![web.clone()], 0), vec![stubborn], vec![]);
    world.run(seconds(10));
    assert_eq!(exits(&world), Some(seconds(5) + world.check_time));
    web.stop.kill_after = KillAfter::After(seconds(2));
    let mut world = World::new(configuration(vec![web], 0), vec![stubborn], vec![]);
    world.run(seconds(10));
    assert_eq!(exits(&world), Some(seconds(2) + world.check_time));
}

/// It has been asked already, and some end at once, and badly, when they are asked twice.
#[test]
fn a_stop_does_not_ask_again() {
    let web = web(|health| health.on_failure = OnFailure::Restart);
    let slow = Behaviour { obeys: Some(seconds(3)), ..fails() };
    let inputs = vec![(1_000, Input::Stop(Urgency::Orderly))];
    let mut world = World::new(configuration(vec![web], 0), vec![slow], inputs);
    world.run(seconds(60));
    assert_eq!(world.terminated.get(&WEB), None);
    assert_eq!(
        world.exit.map(|(at, code)| (at - world.begin, code)),
        Some((seconds(3) + world.check_time, 0))
    );
    assert_eq!(world.spawns[&WEB], 1);
}

/// Nor does it give more time than there was.
#[test]
fn a_stop_does_not_put_off_the_kill() {
    let mut web = web(|health| health.on_failure = OnFailure::Restart);
    web.stop.kill_after = KillAfter::After(seconds(2));
    let stubborn = Behaviour { obeys: None, ..fails() };
    let inputs = vec![(1_000, Input::Stop(Urgency::Orderly))];
    let mut world = World::new(configuration(vec![web], 0), vec![stubborn], inputs);
    world.run(seconds(60));
    let exit = world.exit.map(|(at, _)| at - world.begin);
    assert_eq!(exit, Some(seconds(2) + world.check_time));
}

#[test]
fn bad_health_can_be_the_end_of_all() {
    use JobEvent::{ExitFailed, Healthy, Stopped, Stopping, Unhealthy};
    let mut web = web(|health| {
        health.failures = 2;
        health.on_failure = OnFailure::Shutdown;
    });
    web.restarts = Restarts::Unlimited;
    let draws = vec![FOREVER, PASSES, fails(), fails(), FOREVER, FOREVER];
    let mut world = World::new(configuration(vec![web], 0), script(draws), vec![]);
    world.run(seconds(60));
    assert_eq!(world.exit.map(|(_, code)| code), Some(1));
    assert_eq!(told(&world), [Healthy, Unhealthy, Stopping, ExitFailed, Stopped]);
}

/// One failure of three is none yet; but a service that was out of the catalog must not come back
/// by it, and what follows must not take it for one that is still out.
#[test]
fn a_service_comes_back_from_maintenance_when_a_check_passes() {
    use JobEvent::{Healthy, Unhealthy};
    let maintenance = |at, wanted| (at, Input::Maintenance(wanted));
    let inputs = || vec![maintenance(500, Maintenance::On), maintenance(2_000, Maintenance::Off)];
    let web = web(|health| health.failures = 3);
    // The third is the catalog's, which answers at once.
    let draws = script(vec![FOREVER, PASSES, AT_ONCE, fails(), fails(), PASSES]);
    let mut world = World::new(configuration(vec![web.clone()], 0), draws, inputs());
    world.run(Duration::from_millis(3_500));
    assert_eq!(told(&world), [Healthy]);
    assert_eq!(world.heartbeats[&WEB], 1, "before maintenance");
    world.run(Duration::from_millis(1_000));
    assert_eq!((told(&world), world.heartbeats[&WEB]), (vec![Healthy; 2], 2));
    // Failures from before do not count either.
    let draws = vec![FOREVER, fails(), fails(), AT_ONCE, fails(), fails(), fails()];
    let inputs = vec![maintenance(1_500, Maintenance::On), maintenance(3_000, Maintenance::Off)];
    let mut world = World::new(configuration(vec![web], 0), script(draws), inputs);
    world.run(Duration::from_millis(4_500));
    assert_eq!(told(&world), []);
    world.run(Duration::from_millis(1_000));
    assert_eq!(told(&world), [Unhealthy]);
}

/// The exit of a check that was given up is not taken for that of the one that follows it at once.
#[test]
fn a_check_that_was_given_up_is_not_the_next() {
    let web = web(|health| health.successes = 3);
    let inputs = vec![
        (1_001, Input::Maintenance(Maintenance::On)),
        (1_001, Input::Maintenance(Maintenance::Off)),
    ];
    let mut world = World::new(configuration(vec![web], 0), vec![PASSES], inputs);
    world.run(seconds(5));
    // That of 1 s was given up; those of 0, 1.001 and 2.001 s are the three that it takes.
    assert_eq!(world.checks[&WEB].len(), 6);
    assert_eq!(world.heartbeats[&WEB], 3);
}
