//! Random histories.

use std::time::Duration;

use config::{
    election::ElectionId,
    job::{
        Backoff, Condition, Drain, ElectionEvent, Frequency, GlobalEvent, Job, JobEvent, JobId,
        KillAfter, Need, Notice, OnFailure, Restarts, Role, SignalEvent, StopAfter, Trigger,
        WatchEvent, When,
    },
    watch::WatchId,
};
use proptest::prelude::*;

use super::super::{
    Input, Instances, Maintenance, Urgency,
    world::{Behaviour, World, configuration, election, health, job, service},
};
use super::{STARTUP, application, lives, seconds};

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
        2 => (0..2_usize, prop::sample::select(vec![ElectionEvent::Elected, ElectionEvent::Demoted]))
            .prop_map(|(id, event)| Trigger::Election(ElectionId(id), event)),
    ]
}

fn drain() -> impl Strategy<Value = Option<Drain>> {
    let notice = prop::sample::select(vec![Notice::Deregister, Notice::Mark]);
    let drain = (notice, 0..6_000_u64)
        .prop_map(|(notice, millis)| Drain { notice, time: Duration::from_millis(millis) });
    prop::option::of(drain)
}

fn when(index: usize) -> impl Strategy<Value = When> {
    let frequency = prop::sample::select(vec![Frequency::Once, Frequency::Each]);
    let conditions = prop::collection::vec((trigger(index), frequency), 1..4);
    (conditions, any::<bool>()).prop_map(|(conditions, all)| {
        let mut conditions: Vec<Condition> = conditions
            .into_iter()
            .map(|(trigger, frequency)| Condition { trigger, frequency })
            .collect();
        // Configurations that mix the two are refused.
        let first = conditions[0].trigger.is_of_the_end();
        conditions.retain(|condition| condition.trigger.is_of_the_end() == first);
        let need = if all { Need::All } else { Need::Any };
        When::On { need, conditions, timeout: None }
    })
}

fn any_job(index: usize) -> impl Strategy<Value = Job> {
    let restarts = prop_oneof![
        Just(Restarts::Never),
        (0..4_u32).prop_map(Restarts::Limit),
        Just(Restarts::Unlimited)
    ];
    let shape = (0..10_u8, 0..10_u8, 0..4_u8, any::<bool>(), 0..12_u8, 0..6_u8);
    let on_failure = prop_oneof![
        4 => Just(OnFailure::Nothing),
        3 => Just(OnFailure::Restart),
        1 => Just(OnFailure::Shutdown),
    ];
    let start_period = prop_oneof![Just(0), 0..3_000_u64];
    let judgement = ((1..4_u32, 1..4_u32), start_period, on_failure);
    (when(index), restarts, shape, drain(), judgement).prop_map(move |from| {
        let (when, restarts, shape, drain, (thresholds, start_period, on_failure)) = from;
        let (exec, every, checks, advertises, essential, stop) = shape;
        let mut job = job(&format!("job{index}"));
        job.restarts = restarts;
        let each = when.repeats();
        job.when = when;
        if essential == 0 {
            job.role = Role::Essential;
        }
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
            let mut health = health(1);
            (health.failures, health.successes) = thresholds;
            health.start_period = Duration::from_millis(start_period);
            health.on_failure = match on_failure {
                OnFailure::Restart if job.exec.is_none() => OnFailure::Nothing,
                on_failure => on_failure,
            };
            job.health = Some(health);
            job.service = advertises.then(|| service("service"));
            job.stop.drain = drain.filter(|_| advertises);
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
        (0..2_usize).prop_map(|id| Input::Elected(ElectionId(id))),
        (0..2_usize).prop_map(|id| Input::Elected(ElectionId(id))),
        (0..2_usize).prop_map(|id| Input::Demoted(ElectionId(id))),
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
    Some(if job.when.repeats() { triggers + more } else { 1 + more })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// `World` asserts at every step: no two processes or checks of a job at once, nothing
    /// signalled that does not run, no SIGTERM before the deregistration is over and the service
    /// drained, `stopped` after `stopping`, `elected` and `demoted` in turn, no election left by
    /// who is elected there or while hooks of `demoted` run, nothing left at the end, no timer in
    /// the past; no state of health without the results that it takes, no heartbeat while unhealthy,
    /// no process replaced but at the turn to that, nothing checked meanwhile.
    #[test]
    fn any_history_is_orderly_and_ends(
        jobs in jobs(),
        behaviours in prop::collection::vec(behaviour(), 1..40),
        inputs in prop::collection::vec(external(), 0..30),
        stop in 0..20_000_u64,
        urgency in prop::sample::select(vec![Urgency::Orderly, Urgency::Now]),
    ) {
        let mut config = configuration(jobs, 1);
        config.elections = vec![election("a"), election("b")];
        let mut inputs = inputs;
        inputs.push((stop, Input::Stop(urgency)));
        let mut world = World::new(config, behaviours, inputs);
        world.run(seconds(60));

        let (ended, _) = world.exit.expect("shutdown always ends");
        // Or before it was asked to: then at the latest 5 s and a bit after it began by itself.
        let latest = world.begin + Duration::from_millis(stop) + seconds(5 + 1) + Duration::from_millis(1);
        prop_assert!(ended <= latest, "{:?} too late", ended - latest);
        for (index, job) in world.config.jobs.iter().enumerate() {
            let wanted: Vec<Trigger> = job.when.triggers().collect();
            let triggers = world.published.iter().filter(|(_, event)| wanted.contains(event)).count();
            let spawns = world.spawns.get(&JobId(index)).copied().unwrap_or(0);
            let recycled = world.recycled.get(&JobId(index)).copied().unwrap_or(0);
            if let Some(budget) = budget(job, triggers) {
                let budget = budget + recycled;
                prop_assert!(spawns <= budget, "{}: {spawns} runs, {budget} allowed", job.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same with reloads: of each job there are two versions, and a reload brings any of both,
    /// or none. `World` asserts too that nothing that is replaced runs on, and that what is kept
    /// is not signalled.
    #[test]
    fn any_history_with_reloads_is_orderly_and_ends(
        versions in (1..6_usize).prop_flat_map(|count| {
            (0..count).map(|index| (any_job(index), any_job(index))).collect::<Vec<_>>()
        }),
        reloads in prop::collection::vec((0..15_000_u64, prop::collection::vec(0..3_u8, 6)), 1..6),
        behaviours in prop::collection::vec(behaviour(), 1..40),
        inputs in prop::collection::vec(external(), 0..20),
        stop in 0..20_000_u64,
    ) {
        let config = |choice: &[u8]| {
            let pick = |(index, (versions, choice)): (usize, (&(Job, Job), &u8))| match choice {
                0 => versions.0.clone(),
                1 => versions.1.clone(),
                // Its place is kept, for others name it.
                _ => job(&format!("another{index}")),
            };
            let jobs = versions.iter().zip(choice).enumerate().map(pick).collect();
            let mut config = configuration(jobs, 1);
            // One stays as it is, and the other is another one.
            config.elections = vec![election("a"), election("b")];
            if let Some(choice @ 1..) = choice.first() {
                config.elections[1].ttl = seconds(20 + u64::from(*choice));
            }
            config
        };
        let mut inputs = inputs;
        inputs.push((stop, Input::Stop(Urgency::Orderly)));
        let mut world = World::new(config(&[0; 6]), behaviours, inputs);
        for (at, choice) in &reloads {
            world.reload_at(*at, config(choice));
        }
        world.run(seconds(60));
        let (ended, _) = world.exit.expect("shutdown always ends");
        let latest = world.begin + Duration::from_millis(stop) + seconds(5 + 1) + Duration::from_millis(1);
        // The time of a stop that nobody asked for is the last configuration's.
        prop_assert!(ended <= latest, "{:?} too late", ended - latest);
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
        inputs in prop::collection::vec((0..6_000_u64, maintenance()), 0..12),
        reloads in prop::collection::vec(0..6_000_u64, 0..6),
        stop in 0..8_000_u64,
        drain in drain(),
        urgency in prop::sample::select(vec![Urgency::Orderly, Urgency::Now]),
    ) {
        let behaviours = behaviours.into_iter().map(|(millis, code, obeys)| Behaviour {
            obeys: Some(Duration::from_millis(obeys)),
            ..lives(millis, code)
        });
        let mut inputs = inputs;
        inputs.push((stop, Input::Stop(urgency)));
        let mut config = application(5);
        config.jobs[2].stop.drain = drain;
        if drain.is_some() {
            config.jobs[5].stop.after.stopped.push(JobId(2));
        }
        let mut world = World::new(config.clone(), behaviours.collect(), inputs);
        for at in reloads {
            world.reload_at(at, config.clone());
        }
        world.run(seconds(40));
        prop_assert!(world.exit.is_some(), "it never ends");
        let applications = world.spawns.get(&JobId(5)).copied().unwrap_or(0);
        prop_assert!(applications <= 1, "the application was started {applications} times");
        let gates = world.spawns.get(&JobId(0)).copied().unwrap_or(0);
        prop_assert!(gates <= 1, "preStart ran {gates} times");
    }
}

fn maintenance() -> impl Strategy<Value = Input> {
    prop::sample::select(vec![
        Input::ToggleMaintenance,
        Input::Maintenance(Maintenance::On),
        Input::Maintenance(Maintenance::Off),
        Input::Tick,
    ])
}
