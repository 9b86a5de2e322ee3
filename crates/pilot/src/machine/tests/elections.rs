//! Elections: in which order we stand, lead and give way.

use std::time::Duration;

use config::{
    Config,
    election::ElectionId,
    job::{
        Backoff, Condition, ElectionEvent, Frequency, GlobalEvent, Job, JobId, Need, Restarts,
        Role, SignalEvent, Trigger, When,
    },
};

use super::super::{
    Action, Input, Machine, Maintenance, Urgency,
    world::{World, configuration, election, job, on},
};
use super::{FOREVER, lives, script, seconds};

const PRIMARY: ElectionId = ElectionId(0);
const ELECTED: Trigger = Trigger::Election(PRIMARY, ElectionEvent::Elected);
const DEMOTED: Trigger = Trigger::Election(PRIMARY, ElectionEvent::Demoted);
const STOP: Input = Input::Stop(Urgency::Orderly);

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A job that keeps the program up, one for each `elected`, one for each `demoted`.
fn standing() -> Config {
    let (mut elected, mut demoted) = (job("elected"), job("demoted"));
    elected.when = on(ELECTED, Frequency::Each);
    demoted.when = on(DEMOTED, Frequency::Each);
    let mut config = configuration(vec![job("app"), elected, demoted], 0);
    config.elections = vec![election("primary")];
    config
}

fn events(world: &World) -> Vec<(u64, Trigger)> {
    let of_interest = |event: &Trigger| {
        matches!(event, Trigger::Election(..) | Trigger::Global(GlobalEvent::Shutdown))
    };
    let millis = |at: Duration| u64::try_from(at.as_millis()).expect("a short history");
    let events = world.published.iter().filter(|(_, event)| of_interest(event));
    events.map(|(at, event)| (millis(*at), *event)).collect()
}

#[test]
fn who_is_elected_and_loses_is_told_so_and_stands_on() {
    let inputs = vec![
        (100, Input::Elected(PRIMARY)),
        (150, Input::Elected(PRIMARY)),
        (200, Input::Demoted(PRIMARY)),
        (250, Input::Demoted(PRIMARY)),
        (300, Input::Elected(PRIMARY)),
    ];
    let mut world = World::new(standing(), vec![lives(10, 0), FOREVER], inputs);
    world.run(seconds(1));
    assert_eq!(events(&world), [(100, ELECTED), (200, DEMOTED), (300, ELECTED)]);
    assert!(world.standing.contains(&PRIMARY) && world.resignations.is_empty());
    assert!(world.machine.leads(PRIMARY));
}

#[test]
fn a_leader_gives_way_when_hooks_and_what_it_leads_have_ended() {
    let inputs = vec![(100, Input::Elected(PRIMARY)), (500, STOP)];
    // `app`, `elected`, `demoted`; SIGTERM of the first two; the resignation.
    let takes = |millis| super::Behaviour { obeys: Some(Duration::from_millis(millis)), ..FOREVER };
    for (obeys, hook, expected) in [(20, 700, 1_200), (900, 700, 1_400), (10, 10, 510)] {
        let behaviours =
            script(vec![FOREVER, FOREVER, lives(hook, 0), takes(20), takes(obeys), FOREVER]);
        let mut world = World::new(standing(), behaviours, inputs.clone());
        world.run(seconds(30));
        let shutdown = Trigger::Global(GlobalEvent::Shutdown);
        assert_eq!(events(&world), [(100, ELECTED), (500, DEMOTED), (500, shutdown)]);
        assert_eq!(world.resignations, [(millis(expected), PRIMARY)]);
        assert!(world.exit.is_some());
    }
}

#[test]
fn who_follows_gives_up_at_once() {
    let mut world = World::new(standing(), vec![FOREVER], vec![(500, STOP)]);
    world.run(seconds(30));
    assert_eq!(world.resignations, [(millis(500), PRIMARY)]);
    assert!(!world.spawns.contains_key(&JobId(2)), "nobody was demoted");
}

#[test]
fn a_hook_that_hangs_does_not_hold_the_lock_for_ever() {
    let inputs = vec![(100, Input::Elected(PRIMARY)), (500, STOP)];
    let mut world = World::new(standing(), vec![FOREVER], inputs);
    world.run(seconds(30));
    // Of 5 s hooks have 3.
    assert_eq!(world.resignations, [(millis(3_500), PRIMARY)]);
    assert!(world.exit.is_some());
}

#[test]
fn a_hook_that_is_busy_with_an_earlier_demotion_runs_once_more() {
    let inputs = vec![
        (100, Input::Elected(PRIMARY)),
        (200, Input::Demoted(PRIMARY)),
        (300, Input::Elected(PRIMARY)),
        (500, STOP),
    ];
    // `app`, `elected`, `demoted`, `elected`, SIGTERM of `app`, `demoted` again.
    let behaviours =
        script(vec![FOREVER, lives(20, 0), lives(700, 0), lives(20, 0), FOREVER, lives(300, 0)]);
    let mut world = World::new(standing(), behaviours, inputs);
    world.run(seconds(30));
    assert_eq!(world.spawns[&JobId(2)], 2);
    assert_eq!(world.resignations, [(millis(200 + 700 + 300), PRIMARY)]);
}

#[test]
fn maintenance_is_no_time_to_lead() {
    let inputs = vec![
        (100, Input::Elected(PRIMARY)),
        (500, Input::Maintenance(Maintenance::On)),
        (600, Input::Elected(PRIMARY)),
        (5_000, Input::Maintenance(Maintenance::Off)),
        (6_500, Input::Elected(PRIMARY)),
    ];
    let behaviours = script(vec![FOREVER, FOREVER, lives(700, 0), FOREVER, FOREVER]);
    let mut world = World::new(standing(), behaviours, inputs);
    world.run(millis(4_000));
    assert_eq!(events(&world), [(100, ELECTED), (500, DEMOTED)]);
    assert_eq!(world.resignations, [(millis(1_200), PRIMARY)]);
    assert!(world.standing.is_empty());
    assert!(world.running.contains_key(&JobId(1)), "nothing is killed by a demotion");
    world.run(millis(4_000));
    assert_eq!(events(&world)[2..], [(6_500, ELECTED)]);
}

#[test]
fn maintenance_waits_ten_seconds_for_hooks_or_as_long_as_they_may_take() {
    for (timeout, expected) in [(None, 10_500), (Some(3), 3_500), (Some(20), 20_500)] {
        let inputs =
            vec![(100, Input::Elected(PRIMARY)), (500, Input::Maintenance(Maintenance::On))];
        let mut config = standing();
        config.jobs[2].exec.as_mut().expect("a process").timeout = timeout.map(seconds);
        let mut world = World::new(config, vec![FOREVER], inputs);
        world.run(seconds(60));
        assert_eq!(world.resignations, [(millis(expected), PRIMARY)]);
    }
}

#[test]
fn what_a_leader_runs_may_wait_for_those_who_wait_for_the_catalog() {
    let inputs = vec![(100, Input::Elected(PRIMARY)), (500, STOP)];
    let mut config = standing();
    // As with an agent among the jobs: everything may be it.
    for job in &mut config.jobs {
        job.stop.after.deregistered = true;
    }
    config.jobs[1].stop.after.stopped = vec![JobId(0)];
    let behaviours = script(vec![FOREVER, FOREVER, lives(10, 0), FOREVER]);
    let mut world = World::new(config, behaviours, inputs);
    world.run(seconds(30));
    assert_eq!(world.resignations, [(millis(510), PRIMARY)], "who waits for whom is no circle");
    let (ended, _) = world.exit.expect("it ends");
    assert!(ended - world.begin < millis(700), "{:?}", ended - world.begin);
}

#[test]
fn the_catalogs_agent_outlives_the_candidate() {
    let inputs = vec![(100, Input::Elected(PRIMARY)), (500, STOP)];
    let mut config = standing();
    config.jobs[0].stop.after.deregistered = true;
    // `app`, `elected`, `demoted`; SIGTERM of `elected`; the resignation; SIGTERM of `app`.
    let behaviours = script(vec![FOREVER, FOREVER, lives(700, 0), FOREVER, lives(800, 0), FOREVER]);
    let mut world = World::new(config, behaviours, inputs);
    world.run(seconds(30));
    let (at, _) = world.resignations[0];
    assert_eq!((at, world.terminated[&JobId(0)]), (millis(1_200), millis(2_000)));
}

/// What becomes of a leader in a reload at 500 ms to this configuration.
fn reloaded(next: Config) -> World {
    let mut world = World::new(
        standing(),
        script(vec![FOREVER, FOREVER, lives(10, 0), FOREVER, FOREVER, FOREVER, FOREVER]),
        vec![(100, Input::Elected(PRIMARY))],
    );
    world.reload_at(500, next);
    world.run(seconds(3));
    assert_eq!(world.reloads, 1);
    world
}

#[test]
fn an_election_that_has_not_changed_goes_on_and_new_jobs_know_who_leads() {
    let mut next = standing();
    let mut new: Job = job("new");
    new.when = on(ELECTED, Frequency::Once);
    next.jobs.push(new);
    let world = reloaded(next);
    assert!(world.resignations.is_empty());
    assert!(world.machine.leads(PRIMARY));
    assert_eq!(events(&world), [], "nothing has happened since");
    assert_eq!(world.spawns.get(&JobId(1)), Some(&1), "who has been told is not told again");
    assert_eq!(world.spawns.get(&JobId(3)), Some(&1));
}

#[test]
fn an_election_that_has_changed_is_another_one() {
    let mut next = standing();
    next.elections[0].ttl = seconds(30);
    let world = reloaded(next);
    assert_eq!(world.resignations, [(millis(510), PRIMARY)]);
    assert!(!world.machine.leads(PRIMARY) && world.standing.contains(&PRIMARY));
    assert_eq!(world.spawns.get(&JobId(2)), Some(&1), "it was told that it leads no more");
}

#[test]
fn hooks_that_leave_with_their_election_run_once_more() {
    let mut next = standing();
    next.elections.clear();
    next.jobs.truncate(1);
    let world = reloaded(next);
    // What it runs has taken longer to stop than the hook.
    assert_eq!(world.resignations, [(millis(520), PRIMARY)]);
    assert!(world.standing.is_empty());
    assert_eq!(world.running.len(), 1, "{:?}", world.running);
}

#[test]
fn another_catalog_has_other_locks() {
    let mut next = standing();
    next.catalog = Some(config::Catalog::Etcd(config::catalog::Etcd {
        endpoints: vec!["http://localhost:2379".into()],
        prefix: "/containerpilot".into(),
        username: None,
        password: None,
        tls: config::catalog::Tls::default(),
    }));
    assert_eq!(reloaded(next).resignations.len(), 1);
}

#[test]
fn a_candidate_has_something_to_stay_for() {
    let mut config = configuration(vec![], 0);
    config.elections = vec![election("primary")];
    let mut world = World::new(config, vec![FOREVER], vec![(5_000, STOP)]);
    world.run(seconds(10));
    let (ended, code) = world.exit.expect("it was asked to stop");
    assert_eq!((ended - world.begin, code), (seconds(5), 0));
}

#[test]
fn a_restart_for_a_demotion_needs_no_luck() {
    // One that restarts by itself is no reason to keep the lock.
    let mut config = standing();
    config.jobs[2].when = on(DEMOTED, Frequency::Once);
    config.jobs[2].restarts = Restarts::Unlimited;
    let inputs = vec![(100, Input::Elected(PRIMARY)), (500, STOP)];
    let behaviours = script(vec![FOREVER, FOREVER, lives(50, 1), FOREVER, FOREVER, FOREVER]);
    let mut world = World::new(config, behaviours, inputs);
    world.run(seconds(30));
    assert_eq!(world.spawns[&JobId(2)], 1, "not again while everything stops");
    assert_eq!(world.resignations, [(millis(550), PRIMARY)]);
}

/// Whoever acts on this has said that it leads before.
#[test]
fn a_candidate_stands_from_the_start_and_not_during_maintenance() {
    let now = std::time::Instant::now();
    let config = std::sync::Arc::new(standing());
    let mut machine = Machine::new(config.clone(), now);
    assert!(machine.on(Input::Start, now).contains(&Action::Stand(PRIMARY)));
    let mut machine = Machine::new(config, now);
    machine.on(Input::Maintenance(Maintenance::On), now);
    assert!(!machine.on(Input::Start, now).contains(&Action::Stand(PRIMARY)));
    let actions = machine.on(Input::Maintenance(Maintenance::Off), now);
    assert!(actions.contains(&Action::Stand(PRIMARY)));
}

#[test]
fn what_an_earlier_demotion_has_begun_is_no_reason_to_wait() {
    let mut config = standing();
    config.jobs[2].when = on(DEMOTED, Frequency::Once);
    let inputs = vec![
        (100, Input::Elected(PRIMARY)),
        (200, Input::Demoted(PRIMARY)),
        (300, Input::Elected(PRIMARY)),
        (500, STOP),
    ];
    // `app`, `elected`, `demoted`, `elected`.
    let behaviours = script(vec![FOREVER, lives(20, 0), FOREVER, lives(20, 0), FOREVER]);
    let mut world = World::new(config, behaviours, inputs);
    world.run(seconds(30));
    assert_eq!(world.terminated[&JobId(2)], millis(500), "it stops with all others");
    assert_eq!(world.resignations, [(millis(500), PRIMARY)]);
}

#[test]
fn the_reason_of_a_held_start_survives_a_reload() {
    use super::super::{Instances, Reason};
    use config::{job::WatchEvent, watch::WatchId};
    let watched = |place: usize| {
        let mut note = job("note");
        note.when = on(Trigger::Watch(WatchId(place), WatchEvent::Changed), Frequency::Each);
        let mut config = configuration(vec![job("app"), note], 2);
        config.watches[1 - place].name = "another".into();
        config
    };
    let changed = |at| (at, Input::Changed(WatchId(0), Instances::Some));
    let behaviours = script(vec![FOREVER, lives(700, 0), FOREVER]);
    let mut world = World::new(watched(0), behaviours, vec![changed(100), changed(200)]);
    world.reload_at(500, watched(1));
    world.run(seconds(2));
    let of_note = world.reasons.iter().filter(|(job, _)| *job == JobId(1));
    let reasons: Vec<Reason> = of_note.map(|(_, reason)| *reason).collect();
    let changed = |place| Reason::Watch(WatchId(place), WatchEvent::Changed);
    assert_eq!(reasons, [changed(0), changed(1)]);
}

/// `app`, and one that runs on `elected`.
fn leading(when: When, restarts: Restarts) -> Config {
    let mut config = standing();
    config.jobs.truncate(2);
    config.jobs[1].when = when;
    config.jobs[1].restarts = restarts;
    config
}

fn runs(world: &World) -> usize {
    world.spawns.get(&JobId(1)).copied().unwrap_or_default()
}

#[test]
fn what_a_leader_runs_is_not_started_again_when_it_leads_no_more() {
    let (yes, no) = (Input::Elected(PRIMARY), Input::Demoted(PRIMARY));
    let each = || on(ELECTED, Frequency::Each);
    let once = || on(ELECTED, Frequency::Once);
    let lives_for = |millis| script(vec![FOREVER, lives(millis, 1), FOREVER]);
    for (what, when, restarts, inputs, behaviours, expected) in [
        ("led", each(), 3, vec![(100, yes)], lives_for(400), 2),
        ("demoted", each(), 3, vec![(100, yes), (200, no)], lives_for(400), 1),
        ("demoted once", once(), 3, vec![(100, yes), (200, no)], lives_for(400), 1),
        ("demoted while it rests", each(), 3, vec![(100, yes), (130, no)], lives_for(20), 1),
        (
            "and elected again",
            each(),
            3,
            vec![(100, yes), (200, no), (900, yes)],
            lives_for(400),
            2,
        ),
        ("held", each(), 0, vec![(100, yes), (200, no), (300, yes)], lives_for(400), 2),
        (
            "held and demoted",
            each(),
            0,
            vec![(100, yes), (200, no), (300, yes), (400, no)],
            lives_for(400),
            1,
        ),
    ] {
        let mut config = leading(when, Restarts::Limit(restarts));
        config.jobs[1].backoff = Backoff::Exponential;
        let mut world = World::new(config, behaviours, inputs);
        world.run(seconds(2));
        assert_eq!(runs(&world), expected, "{what}");
    }
}

#[test]
fn an_election_that_is_lost_counts_for_nothing_else() {
    let hup = Input::Signal(SignalEvent::Hup);
    let (yes, no) = (Input::Elected(PRIMARY), Input::Demoted(PRIMARY));
    for frequency in [Frequency::Once, Frequency::Each] {
        for (inputs, expected) in [
            (vec![(100, yes), (200, hup)], 1),
            (vec![(100, yes), (200, no), (300, hup)], 0),
            (vec![(100, yes), (200, no), (300, hup), (400, yes)], 1),
        ] {
            let condition = |trigger| Condition { trigger, frequency };
            let conditions = [ELECTED, Trigger::Signal(SignalEvent::Hup)].map(condition).to_vec();
            let when = When::On { need: Need::All, conditions, timeout: None };
            let config = leading(when, Restarts::Never);
            let mut world = World::new(config, script(vec![FOREVER, FOREVER]), inputs);
            world.run(seconds(1));
            assert_eq!(runs(&world), expected);
        }
    }
}

#[test]
fn who_leads_again_is_not_demoted_by_what_came_before() {
    let mut config = standing();
    config.jobs.remove(1);
    let (yes, no) = (Input::Elected(PRIMARY), Input::Demoted(PRIMARY));
    for (last, expected) in [(yes, 1), (no, 2)] {
        let inputs = vec![(100, yes), (200, no), (300, yes), (400, no), (500, last)];
        let behaviours = script(vec![FOREVER, lives(450, 0), lives(20, 0)]);
        let mut world = World::new(config.clone(), behaviours, inputs);
        world.run(seconds(5));
        assert_eq!(runs(&world), expected, "{last:?}");
    }
}

#[test]
fn the_exit_of_what_is_not_started_again_decides() {
    let mut config = leading(on(ELECTED, Frequency::Once), Restarts::Limit(3));
    config.jobs[1].role = Role::Essential;
    let inputs = vec![(100, Input::Elected(PRIMARY)), (200, Input::Demoted(PRIMARY))];
    let mut world =
        World::new(config, script(vec![FOREVER, lives(400, 7), FOREVER, FOREVER]), inputs);
    world.run(seconds(5));
    assert_eq!(world.exit.map(|(_, code)| code), Some(7));
}
