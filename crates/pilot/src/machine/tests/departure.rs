//! Drains: the time between the end in the catalog and the end of the process.

use std::time::Duration;

use config::{
    Generation,
    job::{Drain, GlobalEvent, Job, JobId, Notice, Trigger},
};

use super::super::{
    Input, Maintenance, State, Urgency,
    world::{Behaviour, World, configuration, health, job, service},
};
use super::{FOREVER, application, lives, script, seconds};

const STOP: (u64, Input) = (500, Input::Stop(Urgency::Orderly));

fn drained(notice: Notice, time: Duration) -> Job {
    let mut job = job("app");
    job.health = Some(health(1));
    job.service = Some(service("app"));
    job.stop.drain = Some(Drain { notice, time });
    job
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// When the first job was asked to exit.
fn terminated(world: &World) -> Duration {
    world.terminated[&JobId(0)]
}

fn stopped(job: Job, behaviours: Vec<Behaviour>, inputs: Vec<(u64, Input)>) -> World {
    let mut world = World::new(configuration(vec![job], 0), behaviours, inputs);
    world.run(seconds(60));
    assert!(world.exit.is_some());
    world
}

#[test]
fn a_process_is_signalled_when_those_who_use_it_have_had_their_time() {
    for notice in [Notice::Deregister, Notice::Mark] {
        let world = stopped(drained(notice, seconds(2)), vec![FOREVER], vec![STOP]);
        assert_eq!(terminated(&world), millis(2_500), "{notice:?}");
        assert!(world.marked.is_empty());
    }
}

#[test]
fn a_drain_begins_when_the_catalog_has_acknowledged() {
    // The process, its check, the deregistration, SIGTERM.
    let behaviours = script(vec![FOREVER, FOREVER, lives(300, 0), FOREVER]);
    let world = stopped(drained(Notice::Deregister, seconds(2)), behaviours, vec![STOP]);
    assert_eq!(terminated(&world), millis(2_800));
}

#[test]
fn a_catalog_that_does_not_acknowledge_is_not_waited_for() {
    let behaviours = script(vec![FOREVER, FOREVER, lives(1_000, 1), FOREVER]);
    let world = stopped(drained(Notice::Deregister, seconds(2)), behaviours, vec![STOP]);
    assert_eq!(terminated(&world), millis(1_500), "its patience, and no drain");
}

#[test]
fn a_service_that_nobody_has_seen_is_not_drained() {
    let mut job = drained(Notice::Mark, seconds(2));
    // The first check fails.
    job.health = Some(health(10));
    let behaviours = script(vec![FOREVER, lives(1, 1), FOREVER]);
    let world = stopped(job, behaviours, vec![STOP]);
    assert_eq!(terminated(&world), millis(500));
}

#[test]
fn a_drain_leaves_time_for_the_stop() {
    // Of 5 s hooks and drains have 3.
    let world = stopped(drained(Notice::Deregister, seconds(4)), vec![FOREVER], vec![STOP]);
    assert_eq!(terminated(&world), millis(3_500));
}

#[test]
fn a_process_that_exits_ends_its_drain() {
    let world = stopped(drained(Notice::Mark, seconds(2)), vec![lives(900, 0)], vec![STOP]);
    assert!(world.terminated.is_empty());
    let (ended, _) = world.exit.expect("it ends");
    // The mark and the end take as long as the process.
    assert!(ended - world.begin < millis(2_500), "{:?}", ended - world.begin);
}

#[test]
fn a_second_interrupt_cuts_a_drain() {
    let now = Input::Stop(Urgency::Now);
    let inputs = vec![(500, now), (700, now)];
    let world = stopped(drained(Notice::Mark, seconds(2)), vec![FOREVER], inputs);
    let (ended, _) = world.exit.expect("it ends");
    assert_eq!((world.terminated.len(), ended - world.begin), (0, millis(700)));
}

#[test]
fn a_drain_is_to_be_seen() {
    let job = drained(Notice::Deregister, seconds(2));
    let mut world = World::new(configuration(vec![job], 0), vec![FOREVER], vec![STOP]);
    world.run(seconds(1));
    let view = world.machine.view(JobId(0)).expect("a job");
    assert_eq!(view.state, State::Draining);
    assert_eq!(view.since, world.begin + millis(500));
}

fn entered(world: &World) -> Option<Duration> {
    let event = Trigger::Global(GlobalEvent::EnterMaintenance);
    world.published.iter().find(|(_, other)| *other == event).map(|(at, _)| *at)
}

#[test]
fn jobs_are_told_of_maintenance_when_services_are_drained() {
    for notice in [Notice::Deregister, Notice::Mark] {
        let inputs = vec![
            (500, Input::Maintenance(Maintenance::On)),
            (4_000, Input::Maintenance(Maintenance::Off)),
        ];
        let jobs = vec![drained(notice, seconds(2))];
        let mut world = World::new(configuration(jobs, 0), vec![FOREVER], inputs);
        world.run(seconds(3));
        assert_eq!(entered(&world), Some(millis(2_500)));
        assert!(world.registered.is_empty());
        assert_eq!(world.marked.len(), usize::from(notice == Notice::Mark), "until it is over");
        world.run(seconds(3));
        assert!(world.marked.is_empty() && world.registered.contains(&JobId(0)), "it is back");
    }
}

#[test]
fn maintenance_that_ends_before_the_drain_is_nobodys_business() {
    let inputs = vec![
        (500, Input::Maintenance(Maintenance::On)),
        (1_000, Input::Maintenance(Maintenance::Off)),
    ];
    let jobs = vec![drained(Notice::Deregister, seconds(2))];
    let mut world = World::new(configuration(jobs, 0), vec![FOREVER], inputs);
    world.run(seconds(10));
    assert!(world.published.iter().all(|(_, event)| !matches!(
        event,
        Trigger::Global(GlobalEvent::EnterMaintenance | GlobalEvent::ExitMaintenance)
    )));
    assert!(world.registered.contains(&JobId(0)));
}

#[test]
fn a_stop_during_maintenance_waits_for_the_rest_of_the_drain() {
    let inputs = vec![(500, Input::Maintenance(Maintenance::On)), (1_500, STOP.1)];
    let job = drained(Notice::Deregister, seconds(2));
    let world = stopped(job.clone(), vec![FOREVER], inputs);
    assert_eq!((terminated(&world), entered(&world)), (millis(2_500), None));
    let inputs = vec![(500, Input::Maintenance(Maintenance::On)), (4_000, STOP.1)];
    assert_eq!(terminated(&stopped(job, vec![FOREVER], inputs)), millis(4_000), "it is over");
}

#[test]
fn the_drain_of_a_2x_service_delays_the_application() {
    for notice in [Notice::Deregister, Notice::Mark] {
        let mut config = application(5);
        config.jobs[2].stop.drain = Some(Drain { notice, time: seconds(2) });
        config.jobs[5].stop.after.stopped.push(JobId(2));
        let quick = lives(10, 0);
        // preStart, agent, check, application; out of the catalog, a marked one for good;
        // preStop, SIGTERM, postStop, SIGTERM of the agent.
        let mut behaviours = vec![quick, FOREVER, quick, FOREVER, FOREVER];
        behaviours.extend((notice == Notice::Mark).then_some(FOREVER));
        behaviours.extend([quick, FOREVER, quick, FOREVER]);
        let behaviours = script(behaviours);
        let mut world = World::new(config.clone(), behaviours, vec![STOP]);
        world.run(seconds(60));
        assert_eq!(config.generation, Generation::V2);
        let at = world.terminated[&JobId(5)];
        assert!(at >= millis(2_500) && at < millis(2_700), "after preStop: {at:?}");
        assert!(world.exit.is_some());
    }
}

#[test]
fn an_application_that_exits_by_itself_has_nobody_drained() {
    let mut config = application(5);
    config.jobs[2].stop.drain = Some(Drain { notice: Notice::Mark, time: seconds(2) });
    config.jobs[5].stop.after.stopped.push(JobId(2));
    let quick = lives(10, 0);
    // preStart, agent, check, application; postStop, out of the catalog, SIGTERM of the agent.
    let behaviours = vec![quick, FOREVER, quick, lives(500, 0), quick, FOREVER, FOREVER];
    let mut world = World::new(config, script(behaviours), vec![]);
    world.run(seconds(60));
    let ended = world.exit.expect("it ends").0 - world.begin;
    assert!(ended < millis(700), "{ended:?}");
}
