//! What becomes of a 1.x/2.x application and what surrounds it.

use std::time::Duration;

use config::job::{JobEvent, JobId, Role, Trigger};

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
    // `preStart`, and whatever else there is.
    let mut behaviours = vec![FOREVER; 40];
    behaviours[0] = lives(10, 0);
    let mut world = World::new(application(5), script(behaviours), vec![]);
    world.reload_at(500, application(5));
    world.run(seconds(2));
    assert_eq!(world.reloads, 1);
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

/// The new one is not there yet.
#[test]
fn a_stop_during_a_reload_has_the_hooks_of_the_old_configuration() {
    let mut behaviours = vec![FOREVER; 40];
    behaviours[0] = lives(10, 0);
    let mut next = application(5);
    for hook in [3, 4] {
        next.jobs[hook].exec.as_mut().expect("a hook").command.args.push("changed".into());
    }
    // The coprocess takes 20 ms to stop.
    let inputs = vec![(510, Input::Stop(Urgency::Orderly))];
    let mut world = World::new(application(5), script(behaviours), inputs);
    world.reload_at(500, next);
    world.run(Duration::from_millis(505));
    world.behaviours = vec![Behaviour { obeys: Some(Duration::ZERO), ..lives(10, 0) }];
    world.run(seconds(60));
    assert_eq!(world.reloads, 0);
    assert_eq!((world.spawns.get(&JobId(3)), world.spawns.get(&JobId(4))), (Some(&1), Some(&1)));
}

/// It does not run then, nor with the reload after that, and nothing waits for it.
#[test]
fn a_pre_start_that_comes_with_a_reload_holds_nothing_up() {
    let mut without = application(5);
    without.jobs[0].role = Role::Ordinary;
    without.jobs[0].name = "another".to_owned();
    let mut behaviours = vec![FOREVER; 40];
    behaviours[0] = lives(10, 0);
    let mut world = World::new(without, script(behaviours), vec![]);
    for (reload, millis) in [500, 1_000, 1_500].into_iter().enumerate() {
        world.reload_at(millis, application(5));
        world.run(Duration::from_millis(if reload == 0 { 900 } else { 500 }));
        assert_eq!(world.reloads, reload + 1);
        assert!(world.running.contains_key(&JobId(1)), "the coprocess, after reload {reload}");
    }
    assert_eq!(world.spawns.get(&JobId(0)), None, "preStart belongs to the start");
    assert_eq!(world.spawns[&JobId(5)], 1, "the application is as it was");
}

#[test]
fn maintenance_asked_for_during_a_reload_is_the_successors() {
    let mut behaviours = vec![FOREVER; 40];
    behaviours[0] = lives(10, 0);
    let inputs = vec![(501, Input::Maintenance(Maintenance::On))];
    let mut world = World::new(application(5), script(behaviours), inputs);
    world.reload_at(500, application(5));
    world.run(seconds(1));
    let checks = world.checks[&JobId(2)].len();
    world.run(seconds(5));
    assert_eq!((world.reloads, world.checks[&JobId(2)].len()), (1, checks), "it stays out");
    assert_eq!(world.machine.maintenance(), Maintenance::On);
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
