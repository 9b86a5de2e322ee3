//! What becomes of single jobs.

use std::time::Duration;

use config::{
    job::{
        Backoff, Condition, Frequency, GlobalEvent, JobEvent, JobId, Need, Restarts, SignalEvent,
        Trigger, WatchEvent, When,
    },
    watch::WatchId,
};

use super::super::{
    Input, Instances, Maintenance, Reason, Urgency,
    world::{Behaviour, World, configuration, health, job, on, service},
};
use super::{FOREVER, STARTUP, lives, script, seconds};

#[test]
fn a_slow_check_changes_nothing_else_for_two_hours() {
    let mut slow = job("slow");
    slow.health = Some(health(1));
    let mut ticking = job("ticking");
    ticking.when = When::Every { interval: seconds(1), after: STARTUP };
    ticking.restarts = Restarts::Unlimited;
    let mut quick = job("quick");
    quick.health = Some(health(1));
    let mut world = World::new(configuration(vec![slow, ticking, quick], 0), vec![FOREVER], vec![]);
    world.check_time = seconds(7);
    // Only the first job's check is slow: the others' exits are reported by hand.
    world.run(seconds(7_200));
    let starts = &world.checks[&JobId(0)];
    assert_eq!(starts.len(), 7_200 / 7 + 1, "one after the other, never two");
    assert!(world.exit.is_none());
    assert_eq!(world.spawns[&JobId(0)], 1);
    assert_eq!(world.spawns[&JobId(1)], 1, "a run that never ends is not doubled");
}

#[test]
fn a_slow_check_does_not_delay_timers() {
    let mut slow = job("slow");
    slow.health = Some(health(1));
    let mut ticking = job("ticking");
    ticking.when = When::Every { interval: seconds(1), after: STARTUP };
    ticking.restarts = Restarts::Unlimited;
    // `slow` lives for ever; every run of `ticking` takes 10 ms.
    let behaviours = vec![lives(10, 0)];
    let mut config = configuration(vec![slow, ticking], 0);
    config.jobs[0].exec = None;
    let mut world = World::new(config, behaviours, vec![]);
    world.check_time = seconds(3_600);
    world.run(seconds(7_200));
    assert_eq!(world.spawns[&JobId(1)], 7_201);
    assert_eq!(world.checks[&JobId(0)].len(), 3);
}

#[test]
fn a_job_that_fails_at_once_restarts_with_backoff() {
    let mut failing = job("failing");
    failing.restarts = Restarts::Unlimited;
    failing.backoff = Backoff::Exponential;
    let mut world = World::new(configuration(vec![failing], 0), vec![lives(1, 1)], vec![]);
    world.run(seconds(5));
    let runs = world.spawns[&JobId(0)];
    assert!((5..=8).contains(&runs), "{runs} runs in 5 s: 100 ms, doubling");
    world.run(seconds(3_600));
    let more = world.spawns[&JobId(0)] - runs;
    assert!((115..=170).contains(&more), "{more} runs in an hour: every 30 s, less jitter");
}

#[test]
fn a_stable_run_resets_the_backoff() {
    let mut job = job("app");
    job.restarts = Restarts::Unlimited;
    job.backoff = Backoff::Exponential;
    // Draws begin with the second behaviour.
    let mut behaviours = vec![lives(1, 1); 12];
    behaviours[11] = lives(61_000, 1);
    let mut world = World::new(configuration(vec![job], 0), behaviours, vec![]);
    world.run(seconds(300));
    let exits: Vec<_> = world.published.iter().map(|(at, _)| *at).collect();
    let longest = exits.iter().position(|at| *at > seconds(61)).expect("the stable run ended");
    let next = exits[longest + 1] - exits[longest];
    assert!(next <= Duration::from_millis(101), "{next:?} after a stable minute");
}

#[test]
fn the_end_of_all_jobs_is_the_end_and_the_first_failure_is_the_exit_code() {
    let mut waits = job("after");
    waits.when = on(Trigger::Job(JobId(0), JobEvent::ExitSuccess), Frequency::Once);
    let mut hook = job("hook");
    hook.when = on(Trigger::Global(GlobalEvent::Shutdown), Frequency::Once);
    let jobs = vec![job("main"), waits, hook];
    let mut world = World::new(configuration(jobs, 0), vec![lives(10, 3)], vec![]);
    world.run(seconds(60));
    assert_eq!(world.exit.map(|(_, code)| code), Some(3));
    assert_eq!(world.spawns.get(&JobId(1)), None, "what waits for success never runs");
    assert_eq!(world.spawns[&JobId(2)], 1, "what waits for the end runs then");
}

#[test]
fn held_triggers_count_as_one() {
    let mut each = job("each");
    each.when = on(Trigger::Watch(WatchId(0), WatchEvent::Changed), Frequency::Each);
    let changed = Input::Changed(WatchId(0), Instances::Some);
    let inputs = vec![(0, changed), (10, changed), (20, changed), (30, changed)];
    let mut world = World::new(configuration(vec![each], 1), vec![lives(100, 0)], inputs);
    world.run(seconds(10));
    assert_eq!(world.spawns[&JobId(0)], 2);
    assert!(world.exit.is_none(), "another change may come");
}

#[test]
fn a_timeout_of_waiting_completes_the_job() {
    let mut waits = job("waits");
    let trigger = Trigger::Job(JobId(0), JobEvent::Healthy);
    let conditions = vec![Condition { trigger, frequency: Frequency::Once }];
    waits.when = When::On { need: Need::Any, conditions, timeout: Some(seconds(2)) };
    let mut world =
        World::new(configuration(vec![job("main"), waits], 0), vec![lives(60_000, 0)], vec![]);
    world.run(seconds(10));
    let stopped = Trigger::Job(JobId(1), JobEvent::Stopped);
    assert!(world.published.contains(&(seconds(2), stopped)));
    assert_eq!(world.spawns.get(&JobId(1)), None);
}

#[test]
fn stopping_ends_with_the_last_child_not_with_the_timeout() {
    let behaviour = Behaviour { obeys: Some(Duration::from_millis(300)), ..FOREVER };
    let inputs = vec![(1_000, Input::Stop(Urgency::Orderly))];
    let mut world = World::new(configuration(vec![job("main")], 0), vec![behaviour], inputs);
    world.run(seconds(60));
    assert_eq!(world.exit, Some((world.begin + Duration::from_millis(1_300), 0)));
}

#[test]
fn a_second_interrupt_kills_what_is_left() {
    let stubborn = Behaviour { lives: None, code: 0, obeys: None };
    let inputs = vec![(1_000, Input::Stop(Urgency::Now)), (1_500, Input::Stop(Urgency::Now))];
    let mut world = World::new(configuration(vec![job("main")], 0), vec![stubborn], inputs);
    world.run(seconds(60));
    assert_eq!(world.exit, Some((world.begin + Duration::from_millis(1_500), 0)));
}

#[test]
fn leaving_maintenance_checks_at_once() {
    let mut advertised = job("service");
    advertised.health = Some(health(10));
    advertised.service = Some(service("service"));
    let inputs = vec![
        (1_000, Input::Maintenance(Maintenance::On)),
        (3_000, Input::Maintenance(Maintenance::Off)),
    ];
    let mut world = World::new(configuration(vec![advertised], 0), vec![FOREVER], inputs);
    world.run(seconds(9));
    assert_eq!(world.checks[&JobId(0)], [seconds(0), seconds(3)]);
}

#[test]
fn a_hook_that_hangs_leaves_time_for_an_orderly_stop() {
    let mut main = job("main");
    main.health = Some(health(10));
    main.service = Some(service("main"));
    let mut hook = job("hook");
    hook.when = on(Trigger::Job(JobId(0), JobEvent::Stopping), Frequency::Once);
    // main, its check, the hook that hangs, the deregistration, SIGTERM of main.
    let stubborn = Behaviour { lives: None, code: 0, obeys: None };
    let quick = lives(10, 0);
    let behaviours = script(vec![FOREVER, quick, stubborn, quick, FOREVER, stubborn]);
    let inputs = vec![(500, Input::Stop(Urgency::Orderly))];
    let mut world = World::new(configuration(vec![main, hook], 0), behaviours, inputs);
    world.run(seconds(60));
    let exited = Trigger::Job(JobId(0), JobEvent::ExitFailed);
    let at = world.published.iter().find(|(_, event)| *event == exited).map(|(at, _)| *at);
    assert_eq!(
        at,
        Some(Duration::from_millis(500 + 3_000 + 10 + 20)),
        "SIGTERM, 2 s before the end"
    );
    assert_eq!(world.exit.map(|(at, _)| at - world.begin), Some(Duration::from_millis(5_500)));
}

#[test]
fn maintenance_takes_the_service_out_and_an_initial_status_puts_it_in() {
    let mut advertised = job("service");
    advertised.health = Some(health(10));
    let mut announced = service("service");
    announced.initial_status = Some(config::job::InitialStatus::Warning);
    advertised.service = Some(announced);
    let mut world = World::new(configuration(vec![advertised], 0), vec![FOREVER], vec![]);
    world.run(Duration::from_millis(1));
    assert!(world.registered.contains(&JobId(0)), "before the first check has ended");
    world.input(Input::Maintenance(Maintenance::On));
    world.run(seconds(2));
    assert!(!world.registered.contains(&JobId(0)));
}

#[test]
fn a_check_without_a_time_limit_that_hangs_is_told_of() {
    let mut advertised = job("service");
    advertised.health = Some(health(2));
    advertised.service = Some(service("service"));
    let mut world = World::new(configuration(vec![advertised], 0), vec![FOREVER], vec![]);
    world.check_time = seconds(3_600);
    world.run(seconds(60));
    assert_eq!(world.overdue, [seconds(10)], "once, after its time to live");
}

#[test]
fn a_held_period_runs_at_once() {
    let mut timed = job("timed");
    timed.when = When::Every { interval: seconds(1), after: STARTUP };
    timed.restarts = Restarts::Unlimited;
    let behaviours = script(vec![lives(1_500, 0), lives(10, 0)]);
    let mut world = World::new(configuration(vec![timed], 0), behaviours, vec![]);
    world.run(Duration::from_millis(1_600));
    assert_eq!(world.spawns[&JobId(0)], 2);
}

fn reasons(world: &World, id: usize) -> Vec<Reason> {
    let of_job = world.reasons.iter().filter(|(job, _)| *job == JobId(id));
    of_job.map(|(_, reason)| *reason).collect()
}

#[test]
fn a_start_that_needed_a_watch_is_the_watchs_doing_whatever_came_last() {
    let changed = Trigger::Watch(WatchId(0), WatchEvent::Changed);
    let signal = Trigger::Signal(SignalEvent::Hup);
    let condition = |trigger, frequency| Condition { trigger, frequency };
    for (first, later) in [(Frequency::Each, true), (Frequency::Once, false)] {
        let mut note = job("note");
        note.when = When::On {
            need: Need::All,
            conditions: vec![condition(changed, first), condition(signal, Frequency::Each)],
            timeout: None,
        };
        let change = Input::Changed(WatchId(0), Instances::Some);
        let hup = Input::Signal(SignalEvent::Hup);
        let inputs = vec![(100, change), (200, hup), (300, change), (400, hup)];
        let behaviours = script(vec![FOREVER, lives(20, 0), lives(20, 0)]);
        let mut world = World::new(configuration(vec![job("app"), note], 1), behaviours, inputs);
        world.run(seconds(1));
        let told = Reason::Watch(WatchId(0), WatchEvent::Changed);
        let second = if later { told } else { Reason::Other };
        assert_eq!(reasons(&world, 1), [told, second]);
    }
}

#[test]
fn a_restart_stays_one_whatever_comes_meanwhile() {
    let mut note = job("note");
    let changed = Trigger::Watch(WatchId(0), WatchEvent::Changed);
    note.when = When::On {
        need: Need::Any,
        conditions: [changed, Trigger::Signal(SignalEvent::Hup)]
            .map(|trigger| Condition { trigger, frequency: Frequency::Each })
            .to_vec(),
        timeout: None,
    };
    note.restarts = Restarts::Limit(1);
    note.backoff = Backoff::Exponential;
    let change = Input::Changed(WatchId(0), Instances::Some);
    // It fails at 120 ms and rests for 75 ms at least.
    let inputs = vec![(100, change), (150, Input::Signal(SignalEvent::Hup))];
    let behaviours = script(vec![FOREVER, lives(20, 1), lives(20, 0)]);
    let mut world = World::new(configuration(vec![job("app"), note], 1), behaviours, inputs);
    world.run(seconds(1));
    let told = Reason::Watch(WatchId(0), WatchEvent::Changed);
    assert_eq!(reasons(&world, 1), [told, Reason::Restart]);
}
