//! `docker stop`: everything in order, and in time.

use std::time::Duration;

use testkit::{Consul, wait_until};

use crate::{
    container::{Container, SOON, Setup},
    relay::slow_to_deregister,
};

/// The application needs 0.3 s; nobody may have waited for a timeout (5 s, or the engine's 10 s).
const PROMPT: Duration = Duration::from_secs(4);

/// The time between two events, in seconds.
fn between(container: &Container, first: &str, second: &str) -> f64 {
    let moments = container.moments();
    let at = |what: &str| {
        let found = moments.iter().find(|(_, event)| event.starts_with(what));
        found.unwrap_or_else(|| panic!("no {what:?} in {moments:?}")).0
    };
    at(second) - at(first)
}

fn wait_until_passing(consul: &Consul, service: &str) {
    let healthy = vec![(format!("{service}-box"), "passing".to_owned())];
    wait_until("the service is registered and passing", SOON, || {
        let seen = consul.health(service);
        if seen == healthy { Ok(()) } else { Err(format!("{seen:?}")) }
    });
}

#[test]
fn a_2x_container_leaves_the_catalog_before_its_application_stops() {
    let consul = Consul::start();
    let config = format!(
        r#"{{
          consul: "{}",
          logging: {{ level: "DEBUG", output: "stderr" }},
          preStop: "/fixtures/note preStop",
          postStop: "/fixtures/note postStop",
          services: [{{
            name: "app", port: 8000, health: "true", poll: 1, ttl: 20,
            interfaces: "static:127.0.0.1",
          }}],
        }}"#,
        slow_to_deregister(consul.address())
    );
    let container = Setup::on_host()
        .option(&format!("--env=CONSUL={}", consul.address()))
        .start(&config, &["/fixtures/app"]);
    wait_until_passing(&consul, "app");
    container.wait_for_event("start");
    container.shell("/fixtures/note running");

    let took = container.stop();

    assert_eq!(container.exit_code(), 7, "the application's");
    let events = container.events();
    assert_eq!(
        events[1..],
        [
            "running listed",
            // Acknowledged before anything else: nobody sees the service any more.
            "preStop unlisted",
            "TERM unlisted",
            "leaving unlisted",
            "postStop unlisted",
        ],
        "{events:?}"
    );
    assert_eq!(consul.health("app"), [], "nothing is left in the catalog");
    assert!(took < PROMPT, "docker stop took {took:?}");
    let after = between(&container, "TERM", "postStop");
    assert!((0.3..2.0).contains(&after), "{after} s from SIGTERM to postStop");
}

#[test]
fn a_frozen_consul_does_not_hold_up_docker_stop() {
    let consul = Consul::start();
    let config = format!(
        r#"{{
          consul: "{}",
          logging: {{ output: "stderr" }},
          preStop: "/fixtures/note preStop",
          postStop: "/fixtures/note postStop",
          services: [{{
            name: "app", port: 8000, health: "true", poll: 1, ttl: 20,
            interfaces: "static:127.0.0.1",
          }}],
        }}"#,
        consul.address()
    );
    let container = Setup::on_host().start(&config, &["/fixtures/app"]);
    wait_until_passing(&consul, "app");
    container.wait_for_event("start");
    consul.freeze();

    let took = container.stop();

    assert_eq!(container.exit_code(), 7, "the application's: it was not killed");
    assert_eq!(container.events()[1..], ["preStop", "TERM", "leaving", "postStop"]);
    assert!(took < PROMPT + Duration::from_secs(1), "docker stop took {took:?}");
    container.wait_for_log("could not be taken out of the catalog");
}

#[test]
fn an_application_that_ignores_sigterm_is_killed_by_us() {
    let config = r#"{
      consul: "127.0.0.1:1",
      logging: { output: "stderr" },
      stopTimeout: 1,
      postStop: "/fixtures/note postStop",
    }"#;
    let script = "trap '' TERM; /fixtures/note start; while :; do sleep 1000; done";
    let container = Setup::isolated().start(config, &["sh", "-c", script]);
    container.wait_for_event("start");

    let took = container.stop();

    assert_eq!(container.exit_code(), 128 + 9);
    // The engine would have killed us with it.
    assert_eq!(container.events(), ["start", "postStop"]);
    assert!(took >= Duration::from_secs(1) && took < PROMPT, "docker stop took {took:?}");
}

#[test]
fn a_3x_container_runs_its_hooks_and_exits_with_0() {
    let consul = Consul::start();
    let config = format!(
        r#"{{
          consul: "{}",
          logging: {{ level: "DEBUG", output: "stderr" }},
          jobs: [
            {{
              name: "app", exec: "/fixtures/app", port: 8000, interfaces: "static:127.0.0.1",
              health: {{ exec: "true", interval: 1, ttl: 20 }},
            }},
            {{ name: "before", exec: "/fixtures/note before", when: {{ source: "app", once: "stopping" }} }},
            {{ name: "after", exec: "/fixtures/note after", when: {{ source: "app", once: "stopped" }} }},
          ],
        }}"#,
        slow_to_deregister(consul.address())
    );
    let container =
        Setup::on_host().option(&format!("--env=CONSUL={}", consul.address())).start(&config, &[]);
    wait_until_passing(&consul, "app");
    container.wait_for_event("start");

    let took = container.stop();

    assert_eq!(container.exit_code(), 0, "the stop was asked for");
    let events = container.events();
    assert_eq!(
        events[1..],
        ["before listed", "TERM unlisted", "leaving unlisted", "after unlisted"],
        "{events:?}"
    );
    assert_eq!(consul.health("app"), [], "nothing is left in the catalog");
    assert!(took < PROMPT, "docker stop took {took:?}");
}
