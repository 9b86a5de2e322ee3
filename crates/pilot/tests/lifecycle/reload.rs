//! SIGHUP in 2.x: the configuration is read again while the application goes on.

use serde_json::{Value, json};
use testkit::{Consul, Running, Signal, wait_until};

use crate::service;
use crate::support::{
    APP, COPROCESS, Identity, PATIENCE, await_lines, await_more_lines, await_status, instance,
    last_process, lines, output, pilot,
};

struct Scene {
    consul: Consul,
    run: Running,
    app: Identity,
}

impl Scene {
    fn start() -> Self {
        let consul = Consul::start();
        let run = pilot(config(&consul, "blue"))
            .arg("./app")
            .script("app", APP)
            .script("coprocess", COPROCESS)
            .script("check", "echo checked >>checks")
            .script("hook", "echo preStart >>journal")
            .spawn();
        await_status(&consul, &run, "app", Some("passing"));
        await_lines(&run, "coprocess.pids", 1);
        let app = last_process(&run, "app.pids");
        Self { consul, run, app }
    }

    fn reload(&self, config: &Value) {
        self.run.write("app.json", config.to_string());
        self.run.signal(Signal::SIGHUP);
    }

    fn tags(&self) -> Value {
        self.consul.services()[instance("app")]["Tags"].clone()
    }

    #[track_caller]
    fn await_tags(&self, tag: &str) {
        wait_until(&format!("the tag is {tag}"), PATIENCE, || {
            let tags = self.tags();
            if tags == json!([tag]) { Ok(()) } else { Err(format!("{tags} {}", output(&self.run))) }
        });
        await_status(&self.consul, &self.run, "app", Some("passing"));
    }

    #[track_caller]
    fn application_is_untouched(&self) {
        assert!(self.app.lives(), "{}", output(&self.run));
        assert_eq!(lines(&self.run, "app.pids").len(), 1);
        let hooks = lines(&self.run, "journal").into_iter().filter(|line| line == "preStart");
        assert_eq!(hooks.count(), 1, "preStart belongs to the start");
    }
}

fn config(consul: &Consul, tag: &str) -> Value {
    let mut app = service("app");
    app["tags"] = json!([tag]);
    json!({
        "consul": consul.address(),
        "preStart": "./hook",
        "services": [app],
        "coprocesses": [{ "name": "helper", "command": "./coprocess" }],
    })
}

#[test]
fn a_valid_file_replaces_everything_but_the_application() {
    let scene = Scene::start();
    let coprocess = last_process(&scene.run, "coprocess.pids");
    scene.reload(&config(&scene.consul, "green"));
    scene.await_tags("green");
    await_lines(&scene.run, "coprocess.pids", 2);
    assert!(!coprocess.lives());
    assert!(last_process(&scene.run, "coprocess.pids").lives());
    scene.application_is_untouched();
    // A service that is no longer there leaves the catalog.
    let mut none = config(&scene.consul, "green");
    none["services"] = json!([]);
    scene.reload(&none);
    await_status(&scene.consul, &scene.run, "app", None);
    scene.application_is_untouched();
}

#[test]
fn an_invalid_file_changes_nothing_and_is_complained_of() {
    let mut scene = Scene::start();
    let coprocess = last_process(&scene.run, "coprocess.pids");
    let mut wrong = config(&scene.consul, "green");
    wrong["servces"] = json!([]);
    scene.reload(&wrong);
    scene.run.wait_for_line("was not reloaded");
    scene.run.wait_for_line("servces");
    scene.run.write("app.json", "{ this is no file");
    scene.run.signal(Signal::SIGHUP);
    wait_until("both are complained of", PATIENCE, || {
        let all = scene.run.stdout_so_far();
        all.matches("was not reloaded").count() == 2
    });
    // Heartbeats go on under the old one.
    await_more_lines(&scene.run, "checks", 2);
    await_status(&scene.consul, &scene.run, "app", Some("passing"));
    assert_eq!(scene.tags(), json!(["blue"]));
    assert!(coprocess.lives());
    assert_eq!(lines(&scene.run, "coprocess.pids").len(), 1);
    scene.application_is_untouched();
    // And a valid one is taken again.
    scene.reload(&config(&scene.consul, "green"));
    scene.await_tags("green");
}

#[test]
fn a_burst_of_reloads_ends_in_the_last_state() {
    let scene = Scene::start();
    for number in 0..50 {
        // As an editor does it: a file that is half written would be another test.
        let tag = format!("tag-{number}");
        scene.run.write("app.json.new", config(&scene.consul, &tag).to_string());
        std::fs::rename(scene.run.path("app.json.new"), scene.run.path("app.json")).unwrap();
        scene.run.signal(Signal::SIGHUP);
    }
    scene.await_tags("tag-49");
    // Several heartbeats later that is still so.
    await_more_lines(&scene.run, "checks", 3);
    scene.await_tags("tag-49");
    scene.application_is_untouched();
    let newest = last_process(&scene.run, "coprocess.pids");
    assert!(newest.lives());
    let started = lines(&scene.run, "coprocess.pids");
    let alive = |pid: &&String| crate::support::identity(pid.parse().unwrap()).is_some();
    assert_eq!(started.iter().filter(alive).count(), 1, "{started:?}");
}

fn backend(consul: &Consul, timeout: &str) -> serde_json::Value {
    let backend = json!({ "name": "db", "poll": 1, "onChange": "./change", "timeout": timeout });
    json!({ "consul": consul.address(), "services": [], "backends": [backend] })
}

/// A command that has not changed goes on; one that has is cut, and its successor runs for what
/// the one before it had not finished: here that nothing is there any more.
#[test]
fn a_change_whose_command_a_reload_cuts_is_reacted_to_again() {
    let consul = Consul::start();
    consul.register(json!({ "ID": "db-1", "Name": "db", "Address": "127.0.0.1", "Port": 1 }));
    let mut run = pilot(backend(&consul, "900s"))
        .arg("./app")
        .script("app", APP)
        .script("change", "echo >>begun; while ! [ -e go ]; do sleep 0.05; done; echo >>done")
        .file("go", "")
        .spawn();
    await_lines(&run, "done", 1);

    std::fs::remove_file(run.path("go")).expect("the file is there");
    consul.deregister("db-1");
    await_lines(&run, "begun", 2);
    run.signal(Signal::SIGHUP);
    run.wait_for_line("is in force: number 2");
    run.write("app.json", backend(&consul, "800s").to_string());
    run.signal(Signal::SIGHUP);
    run.wait_for_line("is in force: number 3");
    await_lines(&run, "begun", 3);
    run.write("go", "");
    await_lines(&run, "done", 2);
    assert_eq!(lines(&run, "begun").len(), 3, "{}", output(&run));
}
