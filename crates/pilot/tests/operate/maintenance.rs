//! Services leave the catalog while what they are made of goes on, in both generations.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Consul, Running, Signal, wait_until};

use crate::support::{
    APP, PATIENCE, await_age, await_lines, await_more_lines, await_status, catalogued_jobs,
    last_process, lines, pilot, status,
};
use crate::{SAY, SERVE, advertised, job, look, reload_with, saying, tell};

/// Checked once, and then not for longer than any test takes.
fn rarely(name: &str) -> Value {
    let mut job = advertised(name);
    job["health"] = json!({ "exec": "./check", "interval": 600, "ttl": 900 });
    job
}

fn jobs_with_maintenance(consul: &Consul, web: Value) -> Value {
    let on = |event: &str| saying(event, json!({ "source": "global", "each": event }));
    let jobs = json!([web, on("enterMaintenance"), on("exitMaintenance")]);
    catalogued_jobs(consul, json!([]), jobs)
}

fn version_3(consul: &Consul, web: Value) -> Running {
    let run = pilot(jobs_with_maintenance(consul, web))
        .script("serve", SERVE)
        .script("say", SAY)
        .script("check", "echo checked >>checks")
        .spawn();
    await_status(consul, &run, "web", Some("passing"));
    run
}

#[test]
fn jobs_hear_of_it_and_services_leave_and_return_at_once() {
    let consul = Consul::start();
    let run = version_3(&consul, rarely("web"));
    let web = last_process(&run, "web.pids");
    let mut heard = Vec::new();
    for _ in 0..2 {
        // Said twice, it is one and the same.
        tell(&run, &["-maintenance", "enable", "-maintenance", "enable"]);
        await_status(&consul, &run, "web", None);
        assert_eq!(look(&run)["maintenance"], true);
        assert_eq!(job(&run, "web")["service"]["registered"], false);
        heard.push("enterMaintenance");
        assert_eq!(await_lines(&run, "journal", heard.len()), heard);
        tell(&run, &["-maintenance", "disable", "-maintenance", "disable"]);
        // The next check of the interval is minutes away.
        await_status(&consul, &run, "web", Some("passing"));
        heard.push("exitMaintenance");
        assert_eq!(await_lines(&run, "journal", heard.len()), heard);
    }
    assert!(web.lives() && lines(&run, "web.pids").len() == 1, "the job goes on");
}

/// Neither time nor a new configuration brings anything back, and nobody is told twice.
#[test]
fn it_outlives_reloads() {
    let consul = Consul::start();
    let mut web = advertised("web");
    let run = version_3(&consul, web.clone());
    tell(&run, &["-maintenance", "enable"]);
    await_status(&consul, &run, "web", None);
    reload_with(&run, jobs_with_maintenance(&consul, web.clone()));
    web["tags"] = json!(["green"]);
    reload_with(&run, jobs_with_maintenance(&consul, web));
    await_lines(&run, "web.pids", 2);
    // It would have been checked and registered at once.
    await_age(Instant::now(), Duration::from_millis(1500));
    assert_eq!(consul.services(), json!({}));
    let table = tell(&run, &["-status"]);
    assert!(table.contains("maintenance: services are kept out"), "{table}");
    tell(&run, &["-maintenance", "disable"]);
    await_status(&consul, &run, "web", Some("passing"));
    let heard = ["enterMaintenance", "web stops", "exitMaintenance"];
    assert_eq!(await_lines(&run, "journal", 3), heard);
}

fn version_2(consul: &Consul) -> Running {
    let service = json!({ "name": "web", "port": 8000, "interfaces": "static:127.0.0.1",
        "health": "./check", "poll": 1, "ttl": 10 });
    let config = json!({ "consul": consul.address(), "services": [service],
        "control": { "socket": "control.socket" } });
    let run = pilot(config)
        .arg("./app")
        .script("app", APP)
        .script("check", "echo checked >>checks")
        .spawn();
    await_status(consul, &run, "web", Some("passing"));
    run
}

#[test]
fn a_signal_toggles_what_the_socket_sets() {
    let consul = Consul::start();
    let run = version_2(&consul);
    let app = last_process(&run, "app.pids");
    run.signal(Signal::SIGUSR1);
    await_status(&consul, &run, "web", None);
    tell(&run, &["-maintenance", "enable"]);
    assert_eq!(look(&run)["maintenance"], true);
    run.signal(Signal::SIGUSR1);
    await_status(&consul, &run, "web", Some("passing"));
    tell(&run, &["-maintenance", "disable", "-maintenance", "enable"]);
    await_status(&consul, &run, "web", None);
    run.signal(Signal::SIGHUP);
    crate::await_status(&run, "/generation", 2);
    assert_eq!(look(&run)["maintenance"], true, "it outlives a reload");
    run.signal(Signal::SIGUSR1);
    await_status(&consul, &run, "web", Some("passing"));
    assert!(app.lives() && lines(&run, "app.pids").len() == 1);
}

/// The second one arrives while the catalog has not acknowledged the first.
#[test]
fn signals_in_quick_succession_end_where_the_last_one_leads() {
    let consul = Consul::start();
    let run = version_2(&consul);
    let said = |what: &str| run.stdout_so_far().matches(what).count();
    consul.freeze();
    for round in 1..=3 {
        for what in ["services leave the catalog", "maintenance is over"] {
            run.signal(Signal::SIGUSR1);
            wait_until(what, PATIENCE, || said(what) == round);
        }
    }
    consul.thaw();
    await_status(&consul, &run, "web", Some("passing"));
    // Requests that were under way when it thawed have had their effect by now.
    await_more_lines(&run, "checks", 3);
    assert_eq!(status(&consul, "web").as_deref(), Some("passing"));
    assert_eq!(job(&run, "web")["service"]["registered"], true);
}
