//! Random histories, and the histories that matter, in virtual time.

use std::time::Duration;

use config::{
    Generation,
    job::{
        Announce, Backoff, Frequency, GlobalEvent, Job, JobEvent, JobId, KillAfter, Restarts, Role,
        SignalEvent, StopAfter, StopTarget, Trigger, WatchEvent, When,
    },
    watch::WatchId,
};
use proptest::prelude::*;

use super::{
    Input, Instances, Maintenance, Urgency,
    world::{Behaviour, World, configuration, health, job, on, service},
};

const STARTUP: Trigger = Trigger::Global(GlobalEvent::Startup);
const FOREVER: Behaviour =
    Behaviour { lives: None, code: 0, obeys: Some(Duration::from_millis(20)) };

fn lives(millis: u64, code: u8) -> Behaviour {
    Behaviour { lives: Some(Duration::from_millis(millis)), code, obeys: None }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

// ---- random histories ----

fn trigger(index: usize) -> impl Strategy<Value = Trigger> {
    let event = prop::sample::select(vec![
        JobEvent::Healthy,
        JobEvent::Unhealthy,
        JobEvent::ExitSuccess,
        JobEvent::ExitFailed,
        JobEvent::Stopping,
        JobEvent::Stopped,
    ]);
    // A job waits for earlier ones only: configurations with cycles are refused.
    let source = if index == 0 {
        Just(STARTUP).boxed()
    } else {
        (0..index, event).prop_map(|(job, event)| Trigger::Job(JobId(job), event)).boxed()
    };
    prop_oneof![
        3 => Just(STARTUP),
        4 => source,
        1 => Just(Trigger::Global(GlobalEvent::Shutdown)),
        1 => Just(Trigger::Global(GlobalEvent::EnterMaintenance)),
        1 => Just(Trigger::Signal(SignalEvent::Hup)),
        2 => Just(Trigger::Watch(WatchId(0), WatchEvent::Changed)),
    ]
}

fn any_job(index: usize) -> impl Strategy<Value = Job> {
    let restarts = prop_oneof![
        Just(Restarts::Never),
        (0..4_u32).prop_map(Restarts::Limit),
        Just(Restarts::Unlimited)
    ];
    let shape = (0..10_u8, 0..10_u8, 0..4_u8, any::<bool>(), any::<bool>(), 0..6_u8);
    (trigger(index), restarts, shape).prop_map(move |(trigger, restarts, shape)| {
        let (exec, every, checks, advertises, each, stop) = shape;
        let mut job = job(&format!("job{index}"));
        job.restarts = restarts;
        job.when = on(trigger, if each { Frequency::Each } else { Frequency::Once });
        if each && restarts == Restarts::Unlimited {
            job.restarts = Restarts::Never;
        }
        if every == 0 {
            job.when = When::Every { interval: Duration::from_millis(700), after: STARTUP };
        }
        if restarts == Restarts::Unlimited {
            job.backoff = Backoff::Exponential;
        }
        if exec == 0 {
            job.exec = None;
        } else if exec == 1
            && let Some(exec) = &mut job.exec
        {
            exec.timeout = Some(Duration::from_millis(400));
        }
        if checks < 2 {
            job.health = Some(health(1));
            job.service = advertises.then(|| service("service"));
        }
        match stop {
            0 => job.stop.kill_after = KillAfter::AtOnce,
            1 => job.stop.kill_after = KillAfter::After(Duration::from_millis(900)),
            2 => job.stop.after.deregistered = true,
            3 => {
                job.stop.after =
                    StopAfter { deregistered: false, stopped: (0..index).map(JobId).collect() }
            }
            _ => {}
        }
        job
    })
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    let times =
        (prop::option::weighted(0.7, 0..3_000_u64), prop::option::weighted(0.8, 0..500_u64));
    (times, prop::sample::select(vec![0, 0, 0, 1, 127])).prop_map(|((lives, obeys), code)| {
        Behaviour {
            lives: lives.map(Duration::from_millis),
            code,
            obeys: obeys.map(Duration::from_millis),
        }
    })
}

fn external() -> impl Strategy<Value = (u64, Input)> {
    let input = prop_oneof![
        Just(Input::Changed(WatchId(0), Instances::Some)),
        Just(Input::Changed(WatchId(0), Instances::None)),
        Just(Input::Signal(SignalEvent::Hup)),
        Just(Input::Maintenance(Maintenance::On)),
        Just(Input::Maintenance(Maintenance::Off)),
        Just(Input::Tick),
    ];
    (0..20_000_u64, input)
}

fn jobs() -> impl Strategy<Value = Vec<Job>> {
    (1..7_usize).prop_flat_map(|count| (0..count).map(any_job).collect::<Vec<_>>())
}

/// The most processes that a job may have started, given how often its trigger came.
fn budget(job: &Job, triggers: usize) -> Option<usize> {
    let more = match job.restarts {
        Restarts::Never => 0,
        Restarts::Limit(count) => count as usize,
        Restarts::Unlimited => return None,
    };
    match job.when {
        When::Every { .. } | When::On { frequency: Frequency::Once, .. } => Some(1 + more),
        When::On { frequency: Frequency::Each, .. } => Some(triggers + more),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// `World` asserts at every step: no two processes or checks of a job at once, nothing
    /// signalled that does not run, no SIGTERM before the deregistration is over, `stopped` after
    /// `stopping`, nothing left at the end, no timer in the past.
    #[test]
    fn any_history_is_orderly_and_ends(
        jobs in jobs(),
        behaviours in prop::collection::vec(behaviour(), 1..40),
        inputs in prop::collection::vec(external(), 0..30),
        stop in 0..20_000_u64,
        urgency in prop::sample::select(vec![Urgency::Orderly, Urgency::Now]),
    ) {
        let config = configuration(jobs, 1);
        let mut inputs = inputs;
        inputs.push((stop, Input::Stop(urgency)));
        let mut world = World::new(config, behaviours, inputs);
        world.run(seconds(60));

        let (ended, _) = world.exit.expect("shutdown always ends");
        // Or before it was asked to: then at the latest 5 s and a bit after it began by itself.
        let latest = world.begin + Duration::from_millis(stop) + seconds(5 + 1) + Duration::from_millis(1);
        prop_assert!(ended <= latest, "{:?} too late", ended - latest);
        for (index, job) in world.config.jobs.iter().enumerate() {
            let trigger = super::start_trigger(job);
            let triggers = world.published.iter().filter(|(_, event)| *event == trigger).count();
            let spawns = world.spawns.get(&JobId(index)).copied().unwrap_or(0);
            if let Some(budget) = budget(job, triggers) {
                prop_assert!(spawns <= budget, "{}: {spawns} runs, {budget} allowed", job.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same for a 1.x/2.x application: reloads, maintenance and a stop whenever they come. It
    /// has no limit for stopping, so hooks end by themselves here.
    #[test]
    fn any_history_of_an_application_is_orderly_and_ends(
        behaviours in prop::collection::vec(
            (0..3_000_u64, prop::sample::select(vec![0, 0, 0, 0, 1]), 0..500_u64),
            1..40,
        ),
        inputs in prop::collection::vec((0..6_000_u64, reload_or_maintenance()), 0..12),
        stop in 0..8_000_u64,
        urgency in prop::sample::select(vec![Urgency::Orderly, Urgency::Now]),
    ) {
        let behaviours = behaviours.into_iter().map(|(millis, code, obeys)| Behaviour {
            obeys: Some(Duration::from_millis(obeys)),
            ..lives(millis, code)
        });
        let mut inputs = inputs;
        inputs.push((stop, Input::Stop(urgency)));
        let mut world = World::new(application(5), behaviours.collect(), inputs);
        for _ in 0..400 {
            world.run(Duration::from_millis(100));
            if world.exit.is_some() {
                break;
            }
            if world.machine.phase == super::Phase::Ended {
                let running: Vec<_> = world.running.keys().copied().collect();
                prop_assert!(running.iter().all(|job| *job == JobId(5)), "left: {running:?}");
                let (next, kept) = world.machine.succeed(std::sync::Arc::clone(&world.config));
                prop_assert_eq!(kept.is_some(), !running.is_empty());
                world.machine = next;
                world.published.clear();
            }
        }
        prop_assert!(world.exit.is_some(), "it never ends");
        let applications = world.spawns.get(&JobId(5)).copied().unwrap_or(0);
        prop_assert!(applications <= 1, "the application was started {applications} times");
        let gates = world.spawns.get(&JobId(0)).copied().unwrap_or(0);
        prop_assert!(gates <= 1, "preStart ran {gates} times");
    }
}

fn reload_or_maintenance() -> impl Strategy<Value = Input> {
    prop::sample::select(vec![
        Input::Retire,
        Input::Maintenance(Maintenance::On),
        Input::Maintenance(Maintenance::Off),
        Input::Tick,
    ])
}

// ---- histories that matter ----

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
    waits.when = When::On {
        trigger: Trigger::Job(JobId(0), JobEvent::Healthy),
        frequency: Frequency::Once,
        timeout: Some(seconds(2)),
    };
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

/// A 1.x/2.x configuration: `preStart`, a coprocess, a service, `preStop`, `postStop`, the
/// application.
fn application(stop_timeout: u64) -> config::Config {
    let app = JobId(5);
    let mut pre_start = job("preStart");
    pre_start.role = Role::Gate;
    let after = Trigger::Job(JobId(0), JobEvent::ExitSuccess);
    let mut agent = job("agent");
    agent.when = on(after, Frequency::Once);
    agent.restarts = Restarts::Unlimited;
    agent.backoff = Backoff::Exponential;
    agent.stop.after = StopAfter { deregistered: true, stopped: vec![app, JobId(3), JobId(4)] };
    let mut advertised = job("service");
    advertised.exec = None;
    advertised.when = on(after, Frequency::Once);
    advertised.health = Some(health(1));
    advertised.service = Some(service("service"));
    let mut pre_stop = job("preStop");
    pre_stop.when = on(Trigger::Job(app, JobEvent::Stopping), Frequency::Once);
    let mut post_stop = job("postStop");
    post_stop.when = on(Trigger::Job(app, JobEvent::Stopped), Frequency::Once);
    post_stop.role = Role::Override;
    let mut main = job("application");
    main.when = on(after, Frequency::Once);
    main.role = Role::Essential;
    main.stop.after.deregistered = true;
    main.stop.hooks_timeout = None;
    main.stop.kill_after = KillAfter::After(seconds(stop_timeout));
    main.stop.target = StopTarget::Process;
    main.stop.announce = Announce::WhenRunning;
    let mut config =
        configuration(vec![pre_start, agent, advertised, pre_stop, post_stop, main], 0);
    config.generation = Generation::V2;
    config.stop_timeout = None;
    config
}

/// A behaviour for each draw of a history, in order.
fn script(mut behaviours: Vec<Behaviour>) -> Vec<Behaviour> {
    // The first draw takes the second.
    behaviours.rotate_right(1);
    behaviours
}

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
