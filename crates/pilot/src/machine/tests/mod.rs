//! Random histories, and the histories that matter, in virtual time.

mod application;
mod departure;
mod elections;
mod health;
mod jobs;
mod random;
mod succession;

use std::time::Duration;

use config::{
    Generation,
    job::{
        Announce, Backoff, Frequency, GlobalEvent, JobEvent, JobId, KillAfter, Restarts, Role,
        StopAfter, StopTarget, Trigger,
    },
};

use super::world::{Behaviour, configuration, health, job, on, service};

const STARTUP: Trigger = Trigger::Global(GlobalEvent::Startup);
const FOREVER: Behaviour =
    Behaviour { lives: None, code: 0, obeys: Some(Duration::from_millis(20)) };

fn lives(millis: u64, code: u8) -> Behaviour {
    Behaviour { lives: Some(Duration::from_millis(millis)), code, obeys: None }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
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
