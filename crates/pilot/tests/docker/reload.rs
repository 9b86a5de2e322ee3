//! `docker kill -s HUP` and `-s USR1` in 2.x containers.

use std::{thread, time::Duration};

use serde_json::json;
use testkit::{Consul, wait_until};

use crate::container::{Container, SOON, Setup};

/// A service with this tag, beside a coprocess.
fn tagged(consul: &Consul, tag: &str) -> String {
    format!(
        r#"{{
          consul: "{}",
          logging: {{ level: "DEBUG", output: "stderr" }},
          preStart: "/fixtures/note preStart",
          coprocesses: [{{ name: "helper", command: "/fixtures/coprocess" }}],
          services: [{{
            name: "app", port: 8000, health: "true", poll: 1, ttl: 20,
            interfaces: "static:127.0.0.1", tags: ["{tag}"],
          }}],
        }}"#,
        consul.address()
    )
}

#[track_caller]
fn wait_until_tagged(consul: &Consul, tag: &str) {
    wait_until(&format!("the service is passing and has the tag {tag:?}"), SOON, || {
        let path = format!("/v1/health/service/app?passing&tag={tag}");
        let seen = consul.get(&path).json();
        if seen[0]["Service"]["ID"] == "app-box" { Ok(()) } else { Err(seen) }
    });
}

/// Waits until nothing is registered, and sees to it that nothing comes back by itself.
#[track_caller]
fn stays_empty(consul: &Consul) {
    wait_until("all services leave", SOON, || {
        let seen = consul.services();
        if seen == json!({}) { Ok(()) } else { Err(seen) }
    });
    // Two heartbeats of a service that polls every second would fall into this time.
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(consul.services(), json!({}), "a service came back by itself");
}

/// The pids of all coprocesses so far.
fn coprocesses(container: &Container) -> Vec<String> {
    let events = container.events();
    let pids = events.iter().filter_map(|event| event.strip_prefix("coprocess "));
    pids.map(str::to_owned).collect()
}

/// When the process of this pid was started, in the kernel's ticks.
#[track_caller]
fn birth(container: &Container, pid: &str) -> String {
    container.shell(&format!("cut -d ' ' -f 22 /proc/{pid}/stat"))
}

#[test]
fn sighup_reads_the_configuration_again_and_spares_the_application() {
    let consul = Consul::start();
    let container = Setup::on_host().start(&tagged(&consul, "one"), &["/fixtures/app"]);
    wait_until_tagged(&consul, "one");
    let application = container.wait_for_event("start ");
    let first = container.wait_for_event("coprocess ");
    let born = birth(&container, &application);

    container.write("config.json5", tagged(&consul, "two"));
    container.signal("HUP");
    wait_until_tagged(&consul, "two");
    wait_until("the coprocess is started again", SOON, || coprocesses(&container).len() == 2);
    assert_eq!(birth(&container, &application), born, "the application is another");
    let alive = format!("kill -0 {first} 2>/dev/null && echo alive || echo gone");
    assert_eq!(container.shell(&alive), "gone", "the first coprocess");
    assert_eq!(consul.services().as_object().map(|all| all.len()), Some(1));

    // A typo changes nothing.
    container.write("config.json5", tagged(&consul, "three").replace("services", "servces"));
    container.signal("HUP");
    container.wait_for_log("was not reloaded");
    wait_until_tagged(&consul, "two");
    assert_eq!(birth(&container, &application), born, "the application is another");

    // Nor does it stand in the way of what is right again.
    container.write("config.json5", tagged(&consul, "four"));
    container.signal("HUP");
    wait_until_tagged(&consul, "four");
    wait_until("the coprocess is started again", SOON, || coprocesses(&container).len() == 3);

    container.stop();
    assert_eq!(container.exit_code(), 7, "the application's");
    let events = container.events();
    let count = |prefix: &str| events.iter().filter(|event| event.starts_with(prefix)).count();
    assert_eq!((count("preStart"), count("start"), count("coprocess")), (1, 1, 3), "{events:?}");
    assert_eq!(consul.health("app"), []);
}

#[test]
fn sigusr1_takes_the_services_out_and_brings_them_back_at_once() {
    let consul = Consul::start();
    let config = format!(
        r#"{{
          consul: "{}",
          logging: {{ output: "stderr" }},
          services: [
            // Its heartbeats would bring it back in the midst of maintenance.
            {{ name: "quick", port: 8000, health: "true", poll: 1, ttl: 20, interfaces: "static:127.0.0.1" }},
            // It would not be back at once if it waited for its next heartbeat.
            {{ name: "slow", port: 8001, health: "true", poll: 300, ttl: 600, interfaces: "static:127.0.0.1" }},
          ],
        }}"#,
        consul.address()
    );
    let container = Setup::on_host().start(&config, &["/fixtures/app"]);
    let both_pass = || {
        let seen = [consul.health("quick"), consul.health("slow")].concat();
        let passing = |(_, status): &(_, String)| status == "passing";
        if seen.len() == 2 && seen.iter().all(passing) { Ok(()) } else { Err(format!("{seen:?}")) }
    };
    wait_until("both services pass", SOON, both_pass);
    let application = container.wait_for_event("start ");
    let born = birth(&container, &application);

    container.signal("USR1");
    stays_empty(&consul);

    container.signal("USR1");
    wait_until("both services are back", SOON, both_pass);
    assert_eq!(birth(&container, &application), born, "the application is another");
    assert_eq!(container.events().len(), 1, "{:?}", container.events());

    container.stop();
    assert_eq!(container.exit_code(), 7, "the application's");
    assert_eq!(consul.services(), json!({}));
}

#[test]
fn maintenance_outlives_a_reload() {
    let consul = Consul::start();
    let container = Setup::on_host().start(&tagged(&consul, "one"), &["/fixtures/app"]);
    wait_until_tagged(&consul, "one");
    container.signal("USR1");
    stays_empty(&consul);

    container.write("config.json5", tagged(&consul, "two"));
    container.signal("HUP");
    wait_until("the coprocess is started again", SOON, || coprocesses(&container).len() == 2);
    stays_empty(&consul);

    container.signal("USR1");
    wait_until_tagged(&consul, "two");
}

/// A container amid a reload, which goes on for as long as its coprocess takes to stop.
#[track_caller]
fn amid_reload(consul: &Consul, application: &[&str]) -> Container {
    let container = Setup::on_host().start(&slow(&tagged(consul, "one")), application);
    wait_until_tagged(consul, "one");
    container.wait_for_event("coprocess ");
    container.write("config.json5", slow(&tagged(consul, "two")));
    container.signal("HUP");
    container.wait_for_event("leaving coprocess");
    container
}

fn slow(config: &str) -> String {
    config.replace("/fixtures/coprocess", "/fixtures/slow-coprocess")
}

#[test]
fn a_reload_asked_for_during_another_is_not_forgotten() {
    let consul = Consul::start();
    let container = amid_reload(&consul, &["/fixtures/app"]);
    container.write("config.json5", slow(&tagged(&consul, "three")));
    container.signal("HUP");
    wait_until_tagged(&consul, "three");

    container.stop();
    assert_eq!(container.exit_code(), 7, "the application's");
    assert_eq!(consul.services(), json!({}));
}

#[test]
fn a_stop_asked_for_during_a_reload_is_orderly() {
    let consul = Consul::start();
    let container = amid_reload(&consul, &["/fixtures/app"]);

    container.stop();

    assert_eq!(container.exit_code(), 7, "the application's");
    assert_eq!(consul.services(), json!({}));
    let events = container.events();
    assert_eq!(events.last().map(String::as_str), Some("leaving"), "{events:?}");
}

#[test]
fn an_application_that_exits_during_a_reload_ends_the_container() {
    let consul = Consul::start();
    let script = "until [ -e /shared/go ]; do sleep 0.05; done; exit 42";
    let container = amid_reload(&consul, &["sh", "-c", script]);

    container.write("go", "");

    assert_eq!(container.exit_code(), 42, "the application's");
    assert_eq!(consul.services(), json!({}));
}

#[test]
fn maintenance_asked_for_during_a_reload_is_not_forgotten() {
    let consul = Consul::start();
    let helper = "/fixtures/slow-coprocess";
    let config = tagged(&consul, "one").replace("/fixtures/coprocess", helper);
    let container = Setup::on_host().start(&config, &["/fixtures/app"]);
    wait_until_tagged(&consul, "one");
    container.wait_for_event("coprocess ");

    // The reload goes on for as long as the coprocess takes to stop.
    container.signal("HUP");
    container.wait_for_event("leaving coprocess");
    container.signal("USR1");
    wait_until("the coprocess is started again", SOON, || coprocesses(&container).len() == 2);
    stays_empty(&consul);

    container.signal("USR1");
    wait_until_tagged(&consul, "one");
}
