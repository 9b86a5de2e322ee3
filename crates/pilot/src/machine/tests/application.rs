//! What becomes of a 1.x/2.x application and what surrounds it.

use std::time::Duration;

use config::job::{GlobalEvent, JobEvent, JobId, Trigger};

use super::super::{
    Input, Maintenance, Urgency,
    world::{Behaviour, World},
};
use super::{FOREVER, application, lives, script, seconds};

fn order(world: &World) -> Vec<(usize, JobEvent)> {
    let of_interest = |event: &(Duration, Trigger)| match event.1 {
        Trigger::Job(
            job,
            event @ (JobEvent::ExitSuccess | JobEvent::ExitFailed | JobEvent::Stopping),
        ) => Some((job.0, event)),
        _ => None,
    };
    world.published.iter().filter_map(of_interest).collect()
}

#[test]
fn an_application_is_stopped_in_order() {
    use JobEvent::{ExitFailed, ExitSuccess, Stopping};
    let quick = lives(10, 0);
    let behaviours = script(vec![
        quick,   // preStart
        FOREVER, // agent
        quick,   // check
        FOREVER, // application
        quick,   // the deregistration
        quick,   // preStop
        FOREVER, // SIGTERM of the application
        quick,   // postStop
        FOREVER, // SIGTERM of the agent
        quick,
    ]);
    let inputs = vec![(500, Input::Stop(Urgency::Orderly))];
    let mut world = World::new(application(5), behaviours, inputs);
    world.run(seconds(60));
    assert_eq!(world.exit.map(|(_, code)| code), Some(128 + 15), "the application's code");
    let expected = [
        (0, ExitSuccess),
        (0, Stopping),
        (2, Stopping),
        (5, Stopping),
        (3, ExitSuccess),
        (3, Stopping),
        (5, ExitFailed),
        (4, ExitSuccess),
        (4, Stopping),
        (1, Stopping),
        (1, ExitFailed),
    ];
    assert_eq!(order(&world), expected);
}

#[test]
fn an_application_that_exits_takes_everything_along_without_pre_stop() {
    let quick = lives(10, 0);
    let behaviours =
        script(vec![quick, FOREVER, quick, lives(300, 42), quick, quick, FOREVER, quick]);
    let mut world = World::new(application(5), behaviours, vec![]);
    world.run(seconds(60));
    assert_eq!(world.exit.map(|(_, code)| code), Some(42));
    assert_eq!(world.spawns.get(&JobId(3)), None, "preStop belongs to a stop that was asked for");
    assert_eq!(world.spawns[&JobId(4)], 1, "postStop runs for whatever reason");
}

#[test]
fn a_failed_pre_start_is_the_end() {
    let mut world = World::new(application(5), vec![lives(10, 7)], vec![]);
    world.run(seconds(60));
    assert_eq!(world.exit.map(|(_, code)| code), Some(7));
    assert_eq!(world.spawns.len(), 1, "nothing else has run: {:?}", world.spawns);
}

#[test]
fn a_failed_post_stop_replaces_the_code() {
    let quick = lives(10, 0);
    let behaviours =
        script(vec![quick, FOREVER, quick, lives(300, 42), lives(10, 9), quick, FOREVER, quick]);
    let mut world = World::new(application(5), behaviours, vec![]);
    world.run(seconds(60));
    assert_eq!(world.exit.map(|(_, code)| code), Some(9));
}

#[test]
fn a_reload_keeps_the_application_and_restarts_the_rest() {
    let quick = lives(10, 0);
    let behaviours = script(vec![quick, FOREVER, quick, FOREVER, quick, FOREVER]);
    let mut world = World::new(application(5), behaviours, vec![(500, Input::Retire)]);
    world.run(seconds(2));
    assert_eq!(world.running.keys().collect::<Vec<_>>(), [&JobId(5)]);
    let (next, kept) = world.machine.succeed(std::sync::Arc::clone(&world.config));
    assert_eq!(kept, Some((JobId(5), JobId(5))));
    world.machine = next;
    world.published.clear();
    world.input(Input::Start);
    assert_eq!(world.spawns[&JobId(0)], 1, "preStart does not run again");
    assert_eq!(world.spawns[&JobId(1)], 2, "the coprocess does");
    assert_eq!(world.spawns[&JobId(5)], 1, "the application is as it was");
    world.behaviours = vec![Behaviour { obeys: Some(Duration::ZERO), ..lives(10, 0) }];
    world.input(Input::Stop(Urgency::Orderly));
    world.run(seconds(60));
    assert!(world.exit.is_some());
    assert_eq!(world.spawns[&JobId(3)], 1, "preStop of the new configuration");
    assert_eq!(world.spawns[&JobId(4)], 1, "postStop of the new configuration");
}

#[test]
fn maintenance_asked_for_during_a_reload_is_the_successors() {
    let quick = lives(10, 0);
    let behaviours = script(vec![quick, FOREVER, quick, FOREVER]);
    let inputs = vec![(500, Input::Retire), (501, Input::Maintenance(Maintenance::On))];
    let mut world = World::new(application(5), behaviours, inputs);
    world.run(seconds(2));
    let (next, _) = world.machine.succeed(std::sync::Arc::clone(&world.config));
    world.machine = next;
    let checks = world.checks[&JobId(2)].len();
    world.input(Input::Start);
    world.run(seconds(5));
    assert_eq!(world.checks[&JobId(2)].len(), checks, "the service stays out of the catalog");
    assert!(
        world
            .published
            .iter()
            .any(|(_, event)| { *event == Trigger::Global(GlobalEvent::EnterMaintenance) })
    );
}

#[test]
fn an_interrupt_while_everything_stops_already_is_not_the_second_one() {
    let quick = lives(10, 0);
    let behaviours =
        script(vec![quick, FOREVER, quick, lives(300, 5), lives(2_000, 0), quick, FOREVER, quick]);
    let inputs = vec![(500, Input::Stop(Urgency::Now))];
    let mut world = World::new(application(5), behaviours, inputs);
    world.run(seconds(60));
    assert_eq!(world.exit.map(|(_, code)| code), Some(5), "postStop is not cut");
}

#[test]
fn an_application_that_ignores_sigterm_is_killed_after_its_stop_timeout() {
    let quick = lives(10, 0);
    let stubborn = Behaviour { lives: None, code: 0, obeys: None };
    let behaviours = script(vec![
        quick, FOREVER, quick, stubborn, quick, quick, stubborn, quick, FOREVER, quick,
    ]);
    let inputs = vec![(500, Input::Stop(Urgency::Orderly))];
    let mut world = World::new(application(2), behaviours, inputs);
    world.run(seconds(60));
    assert_eq!(world.exit.map(|(_, code)| code), Some(128 + 9));
    let exited = Trigger::Job(JobId(5), JobEvent::ExitFailed);
    let at = world.published.iter().find(|(_, event)| *event == exited).map(|(at, _)| *at);
    // The deregistration and preStop take 10 ms each.
    assert_eq!(at, Some(Duration::from_millis(500 + 20 + 2_000)));
}
