//! Reloads: what is kept, what is replaced, and what new jobs know of the time before them.

use std::time::Duration;

use config::{
    job::{
        Condition, Frequency, GlobalEvent, Job, JobEvent, JobId, Need, Restarts, Role, SignalEvent,
        Trigger, WatchEvent, When,
    },
    watch::WatchId,
};

use super::super::{
    Input, Instances, Maintenance, State,
    world::{World, configuration, health, job, on, service},
};
use super::{FOREVER, STARTUP, lives, seconds};

/// The same job, and not the same.
fn changed(mut job: Job) -> Job {
    job.exec.as_mut().expect("a process").command.args.push("changed".into());
    job
}

fn advertised(name: &str) -> Job {
    let mut job = job(name);
    job.health = Some(health(1));
    job.service = Some(service(name));
    job
}

/// What runs in the end after a reload at 500 ms, from these jobs to those.
fn reloaded(before: Vec<Job>, after: Vec<Job>) -> World {
    let mut world = World::new(configuration(before, 1), vec![FOREVER], vec![]);
    world.reload_at(500, configuration(after, 1));
    world.run(seconds(3));
    assert_eq!(world.reloads, 1);
    world
}

#[test]
fn unchanged_jobs_keep_their_processes_wherever_they_stand_in_the_file() {
    let (a, b, c) = (advertised("a"), advertised("b"), job("c"));
    let world = reloaded(vec![a.clone(), b.clone()], vec![c, b, a]);
    let begin = world.begin;
    let since = |id| world.running[&JobId(id)].duration_since(begin).as_millis();
    assert_eq!((since(0), since(1), since(2)), (500, 0, 0));
    assert_eq!(world.spawns.values().collect::<Vec<_>>(), [&1, &1, &1]);
    assert!(world.registered.contains(&JobId(1)) && world.registered.contains(&JobId(2)));
    // Checks go on their interval, and are not begun anew.
    let checks: Vec<_> = world.checks[&JobId(2)].iter().map(|at| at.as_millis()).collect();
    assert_eq!(checks, [0, 1000, 2000, 3000]);
}

#[test]
fn changed_jobs_are_replaced_and_removed_ones_leave() {
    let (a, b) = (advertised("a"), advertised("b"));
    let world = reloaded(vec![a.clone(), b, job("c")], vec![changed(a), job("c")]);
    assert_eq!(world.running.len(), 2);
    assert_eq!(world.spawns[&JobId(0)], 2, "the changed one");
    assert_eq!(world.spawns[&JobId(1)], 1, "the unchanged one");
    assert_eq!(world.registered.iter().collect::<Vec<_>>(), [&JobId(0)]);
}

/// Its definition names the other one; that has not changed.
#[test]
fn what_waits_for_a_changed_job_is_not_changed_itself() {
    let a = advertised("a");
    let mut b = job("b");
    b.when = on(Trigger::Job(JobId(0), JobEvent::Healthy), Frequency::Once);
    let world = reloaded(vec![a.clone(), b.clone()], vec![changed(a), b]);
    assert_eq!((world.spawns[&JobId(0)], world.spawns[&JobId(1)]), (2, 1));
}

#[test]
fn a_job_that_is_over_stays_over_and_its_success_counts_for_new_jobs() {
    let setup = job("setup");
    let mut main = job("main");
    main.when = on(Trigger::Job(JobId(0), JobEvent::ExitSuccess), Frequency::Once);
    let before = configuration(vec![setup.clone(), main.clone()], 0);
    let behaviours = vec![FOREVER, lives(10, 0), FOREVER, FOREVER];
    let mut world = World::new(before, behaviours, vec![]);
    world.reload_at(500, configuration(vec![setup, changed(main)], 0));
    world.run(seconds(3));
    assert_eq!((world.spawns[&JobId(0)], world.spawns[&JobId(1)]), (1, 2));
    assert!(world.running.contains_key(&JobId(1)));
    assert!(world.exit.is_none());
}

/// The file is mended where it was wrong; what could not start for that has not changed.
#[test]
fn what_has_waited_in_vain_waits_for_the_successor_of_what_has_failed() {
    let mut main = job("main");
    main.when = on(Trigger::Job(JobId(0), JobEvent::ExitSuccess), Frequency::Once);
    let mut after = job("after");
    after.when = on(Trigger::Job(JobId(1), JobEvent::ExitSuccess), Frequency::Once);
    let jobs = |setup: Job| configuration(vec![setup, main.clone(), after.clone(), job("x")], 0);
    let behaviours = vec![FOREVER, lives(10, 1), FOREVER, lives(10, 0), lives(10, 0), FOREVER];
    let mut world = World::new(jobs(job("setup")), behaviours, vec![]);
    // What it waits for is over, and will not happen again.
    world.reload_at(200, jobs(job("setup")));
    world.run(Duration::from_millis(400));
    assert_eq!((world.reloads, world.spawns.get(&JobId(1))), (1, None));
    world.reload_at(500, jobs(changed(job("setup"))));
    world.run(seconds(3));
    assert_eq!(world.spawns.values().collect::<Vec<_>>(), [&2, &1, &1, &1]);
    assert!(world.running.contains_key(&JobId(2)));
}

#[test]
fn a_new_job_learns_what_a_watch_has_seen_and_an_old_one_is_not_told_again() {
    let upstream = Trigger::Watch(WatchId(0), WatchEvent::Changed);
    let (mut old, mut new) = (job("old"), job("new"));
    old.when = on(upstream, Frequency::Each);
    new.when = on(upstream, Frequency::Each);
    let inputs = vec![(100, Input::Changed(WatchId(0), Instances::Some))];
    let before = configuration(vec![old.clone()], 1);
    let mut world = World::new(before, vec![lives(10, 0)], inputs);
    world.reload_at(500, configuration(vec![old, new], 1));
    world.run(seconds(3));
    assert_eq!((world.spawns[&JobId(0)], world.spawns[&JobId(1)]), (1, 1));
}

#[test]
fn a_signal_during_a_reload_reaches_everybody_once() {
    let (mut kept, slow) = (job("kept"), job("slow"));
    kept.when = on(Trigger::Signal(SignalEvent::Hup), Frequency::Each);
    let mut new = job("new");
    new.when = kept.when.clone();
    // The slow one takes 20 ms to stop.
    let inputs = vec![(510, Input::Signal(SignalEvent::Hup))];
    let before = configuration(vec![kept.clone(), slow.clone()], 0);
    let mut world = World::new(before, vec![FOREVER], inputs);
    world.reload_at(500, configuration(vec![kept, changed(slow), new], 0));
    world.run(seconds(3));
    assert_eq!(world.reloads, 1);
    assert_eq!((world.spawns[&JobId(0)], world.spawns[&JobId(2)]), (1, 1));
}

#[test]
fn maintenance_survives_a_reload_and_new_jobs_know_of_it() {
    let enter = Trigger::Global(GlobalEvent::EnterMaintenance);
    let (mut old, mut new) = (job("old"), job("new"));
    old.when = on(enter, Frequency::Each);
    new.when = on(enter, Frequency::Each);
    let inputs = vec![
        (100, Input::Maintenance(Maintenance::On)),
        (2_000, Input::Maintenance(Maintenance::Off)),
    ];
    let (app, before) = (advertised("app"), old.clone());
    let behaviours = vec![lives(10, 0), FOREVER, lives(10, 0)];
    let mut world = World::new(configuration(vec![app.clone(), before], 0), behaviours, inputs);
    world.behaviours = vec![FOREVER];
    world.reload_at(500, configuration(vec![app, old, new], 0));
    world.run(seconds(1));
    assert_eq!(world.registered.len(), 0);
    assert_eq!((world.spawns[&JobId(1)], world.spawns[&JobId(2)]), (1, 1));
    world.run(seconds(2));
    assert!(world.registered.contains(&JobId(0)), "it is back");
    let checks: Vec<_> = world.checks[&JobId(0)].iter().map(|at| at.as_millis()).collect();
    assert_eq!(checks, [0, 2000, 3000], "at once");
}

#[test]
fn hooks_of_a_replaced_job_run_and_are_ready_for_its_successor() {
    let app = job("app");
    let mut hook = job("hook");
    hook.when = on(Trigger::Job(JobId(0), JobEvent::Stopping), Frequency::Once);
    let before = configuration(vec![app.clone(), hook.clone()], 0);
    let behaviours = vec![FOREVER, FOREVER, lives(100, 0), FOREVER];
    let mut world = World::new(before, behaviours, vec![]);
    world.reload_at(500, configuration(vec![changed(app.clone()), hook.clone()], 0));
    world.run(seconds(1));
    assert_eq!(world.reloads, 1);
    assert_eq!((world.spawns[&JobId(0)], world.spawns[&JobId(1)]), (2, 1));
    world.behaviours = vec![lives(50, 0)];
    world.reload_at(1_500, configuration(vec![app, hook], 0));
    world.run(seconds(1));
    assert_eq!(world.spawns[&JobId(1)], 2, "again for the successor");
}

/// It is no hook of the reload: nobody waits for it, and it is not killed after that wait.
#[test]
fn what_the_end_of_another_has_begun_is_asked_to_stop() {
    let mut main = job("main");
    main.when = on(Trigger::Job(JobId(0), JobEvent::Stopped), Frequency::Once);
    let before = configuration(vec![job("init"), main.clone()], 0);
    let behaviours = vec![FOREVER, lives(10, 0), FOREVER, FOREVER, lives(10, 0), FOREVER];
    let mut world = World::new(before, behaviours, vec![]);
    world.reload_at(500, configuration(vec![changed(job("init")), main], 0));
    world.run(seconds(1));
    assert_eq!((world.reloads, world.spawns[&JobId(0)], world.spawns[&JobId(1)]), (1, 2, 2));
    assert!(world.running.contains_key(&JobId(1)));
}

#[test]
fn an_essential_job_that_is_replaced_ends_nothing() {
    let mut app = job("app");
    app.role = Role::Essential;
    let world = reloaded(vec![app.clone()], vec![changed(app)]);
    assert!(world.exit.is_none());
    assert_eq!(world.spawns[&JobId(0)], 2);
}

#[test]
fn what_does_not_stop_for_a_reload_is_killed_after_the_stop_timeout() {
    let stubborn = super::super::world::Behaviour { obeys: None, ..FOREVER };
    let app = job("app");
    let before = configuration(vec![app.clone()], 0);
    let mut world = World::new(before, vec![stubborn], vec![]);
    world.reload_at(500, configuration(vec![changed(app)], 0));
    world.run(seconds(10));
    assert_eq!((world.reloads, world.spawns[&JobId(0)]), (1, 2));
    assert_eq!(world.running[&JobId(0)].duration_since(world.begin).as_millis(), 5_500);
}

#[test]
fn the_last_of_many_reloads_counts() {
    let app = job("app");
    let mut world = World::new(configuration(vec![app.clone()], 0), vec![FOREVER], vec![]);
    for millis in 0..20 {
        let mut next = changed(app.clone());
        next.name = format!("app{millis}");
        world.reload_at(500 + millis, configuration(vec![next], 0));
    }
    world.run(seconds(3));
    assert_eq!(world.config.jobs[0].name, "app19");
    assert_eq!(world.running.len(), 1);
}

#[test]
fn a_job_with_several_conditions() {
    let both = |need| {
        let mut job = job("both");
        let hup = Trigger::Signal(SignalEvent::Hup);
        job.when = When::On {
            need,
            conditions: vec![
                Condition { trigger: STARTUP, frequency: Frequency::Once },
                Condition { trigger: hup, frequency: Frequency::Each },
            ],
            timeout: None,
        };
        job
    };
    let signal = Input::Signal(SignalEvent::Hup);
    for (need, starts) in [(Need::Any, 3), (Need::All, 2)] {
        let inputs = vec![(100, signal), (200, signal)];
        let config = configuration(vec![both(need)], 0);
        let mut world = World::new(config, vec![lives(10, 0)], inputs);
        world.run(seconds(1));
        assert_eq!(world.spawns[&JobId(0)], starts, "{need:?}");
        assert!(world.exit.is_none(), "another signal may come");
    }
}

#[test]
fn an_essential_job_ends_the_program_when_it_is_not_started_again() {
    let mut app = job("app");
    app.role = Role::Essential;
    app.restarts = Restarts::Limit(2);
    let other = job("other");
    let mut world = World::new(configuration(vec![app, other], 0), vec![lives(10, 3)], vec![]);
    world.run(seconds(60));
    assert_eq!(world.spawns[&JobId(0)], 3);
    assert_eq!(world.exit.map(|(_, code)| code), Some(3));
}

#[test]
fn what_is_to_be_seen_of_a_job() {
    let mut app = advertised("app");
    app.restarts = Restarts::Unlimited;
    app.backoff = config::job::Backoff::Exponential;
    let world_of = |app: Job| World::new(configuration(vec![app], 0), vec![FOREVER], vec![]);
    let mut world = world_of(app);
    assert_eq!(world.machine.view(JobId(0)).map(|view| view.state), Some(State::Waiting));
    world.run(seconds(2));
    let view = world.machine.view(JobId(0)).expect("a job");
    assert_eq!((view.state, view.restarts, view.last_exit), (State::Running, 0, None));
    assert_eq!(view.since, world.begin);
    let (health, since) = view.health.expect("checked");
    assert_eq!(health, JobEvent::Healthy);
    assert_eq!(since.duration_since(world.begin), world.check_time, "since the first of them");
}
