//! nginx under constant load while the services behind it come, go and are killed: no request is
//! lost. The stack is that of `stacks/nginx`; its README says which settings do it, and here is
//! shown that it is these: without them requests are lost.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

#[path = "support/link.rs"]
mod link;
#[path = "nginx/scene.rs"]
mod scene;
mod support;

use testkit::{Load, Tally, wait_until};

use scene::{Posts, Scene, Settings, Way};
use support::PATIENCE;

const MANY: usize = 10;

/// Sends what has failed on to nobody: whatever the proxy does not know in time is lost.
const NO_RETRY: Option<&str> = Some("off");

/// One instance becomes ten, each of them is restarted, and one is left, while requests of all
/// kinds are under way. Nothing is ever sent twice: the instances leave in time.
fn graceful_changes(way: Way) {
    let mut scene = Scene::start(Settings { retry: NO_RETRY, ..Settings::of(way) });
    let load = scene.load(Posts::Yes);
    let names: Vec<String> = (1..=MANY).map(|number| format!("customers-{number}")).collect();

    for number in 2..=MANY {
        scene.add("customers", number);
    }
    scene.await_instances();
    scene.await_answers(&load);
    nothing_lost("one has become ten", &load.tally(), &scene);

    for name in &names {
        scene.stop(std::slice::from_ref(name));
        scene.start_again(name);
        scene.await_instances();
    }
    scene.await_answers(&load);
    nothing_lost("each was restarted", &load.tally(), &scene);

    scene.stop(&names[1..]);
    scene.await_instances();
    scene.await_answers(&load);
    nothing_lost("one is left", &load.stop(), &scene);
}

#[test]
fn nothing_is_lost_by_graceful_changes_when_the_pilot_renders() {
    graceful_changes(Way::Templates);
}

#[test]
fn nothing_is_lost_by_graceful_changes_when_consul_template_is_called() {
    graceful_changes(Way::ConsulTemplate);
}

/// A client that comes in the very moment of a reload is served like any other.
#[test]
fn nothing_is_lost_by_many_reloads() {
    let scene = Scene::start(Settings { retry: NO_RETRY, ..Settings::of(Way::Templates) });
    let load = scene.rush();
    for _ in 0..30 {
        scene.reload();
        load.await_turn();
    }
    nothing_lost("thirty reloads", &load.stop(), &scene);
}

/// Processes are killed while they answer, and whole instances without a word to the registry.
fn sudden_deaths(settings: Settings, posts: Posts) {
    let mut scene = Scene::start(settings);
    for number in 2..=4 {
        scene.add("customers", number);
    }
    scene.await_instances();
    let load = scene.load(posts);
    scene.await_answers(&load);
    // A request goes on only to instances that were known when it began.
    load.await_turn();
    let names: Vec<String> = (1..=4).map(|number| format!("customers-{number}")).collect();

    for name in &names {
        scene.kill_process(name);
        scene.await_answers(&load);
        // A request that meets every death has nobody left to go to.
        load.await_turn();
    }
    nothing_lost("processes were killed", &load.tally(), &scene);

    for name in &names[1..] {
        scene.kill(name);
    }
    scene.await_answers(&load);
    scene.await_instances();
    nothing_lost("instances were killed", &load.tally(), &scene);

    for name in &names[1..] {
        scene.start_again(name);
    }
    scene.await_instances();
    scene.await_answers(&load);
    nothing_lost("they are back", &load.stop(), &scene);
}

#[test]
fn nothing_is_lost_by_sudden_deaths() {
    sudden_deaths(Settings::of(Way::Templates), Posts::No);
}

/// Whoever says that requests may be processed twice loses none.
#[test]
fn posts_are_not_lost_by_sudden_deaths_if_they_may_be_sent_twice() {
    let retry = Some("error timeout http_502 http_503 http_504 non_idempotent");
    sudden_deaths(Settings { retry, ..Settings::of(Way::Templates) }, Posts::Yes);
}

/// The same without what the other tests rely on: it is noticed.
#[test]
fn without_a_drain_requests_are_lost() {
    let settings = Settings { retry: NO_RETRY, drain: Some("0s"), ..Settings::of(Way::Templates) };
    let mut scene = Scene::start(settings);
    for number in 2..=4 {
        scene.add("customers", number);
    }
    let names: Vec<String> = (2..=4).map(|number| format!("customers-{number}")).collect();
    scene.await_instances();
    let load = scene.load(Posts::Yes);
    await_losses(&load, || {
        scene.stop(&names);
        for name in &names {
            scene.start_again(name);
        }
        scene.await_instances();
    });
}

#[test]
fn without_another_attempt_sudden_deaths_lose_requests() {
    let mut scene = Scene::start(Settings { retry: NO_RETRY, ..Settings::of(Way::Templates) });
    scene.add("customers", 2);
    scene.await_instances();
    let load = scene.load(Posts::No);
    await_losses(&load, || {
        scene.await_answers(&load);
        scene.kill_process("customers-2");
    });
}

/// Does it again and again until a request is lost.
#[track_caller]
fn await_losses(load: &Load, mut again: impl FnMut()) {
    wait_until("a request is lost", 2 * PATIENCE, || {
        again();
        let tally = load.tally();
        if tally.failed > 0 { Ok(()) } else { Err(format!("{tally:?}")) }
    });
    // By nginx's account: neither the clients nor the instances are at fault.
    let tally = load.tally();
    assert!(tally.failures.iter().all(|failure| failure.contains("status 50")), "{tally:#?}");
}

#[track_caller]
fn nothing_lost(when: &str, tally: &Tally, scene: &Scene) {
    let Tally { answered, failed, renewals, slowest, .. } = tally;
    println!("{when}: {answered} answered, {failed} lost, {renewals} renewals, {slowest:?}");
    assert!(*failed == 0 && *answered > 0, "{when}: {tally:#?}\n{}", scene.log());
}

/// Of two instances now one dies and now the other, when the first is back: nginx must not have
/// given it up. Requests that have met the first death are over by then, since none is sent to an
/// instance twice.
#[test]
fn nothing_is_lost_when_two_die_in_turn() {
    let mut scene = Scene::start(Settings::of(Way::Templates));
    scene.add("customers", 2);
    scene.await_instances();
    let load = scene.load(Posts::No);
    scene.await_answers(&load);
    load.await_turn();
    for number in [1, 2, 1, 2] {
        let name = format!("customers-{number}");
        scene.kill_process(&name);
        scene.await_open(&name);
        load.await_turn();
    }
    nothing_lost("two died in turn", &load.stop(), &scene);
}
