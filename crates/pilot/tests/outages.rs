//! The catalog's agent goes away and comes back, in each of the ways that it can: the children
//! notice nothing, nobody who watches is told of a change, two lines in the log tell of it, and
//! our service is whole again within one heartbeat of the agent's return.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{
    APP, COPROCESS, Identity, PATIENCE, SECOND, await_age, await_lines, await_more_lines,
    await_status, last_process, lines, output, pilot, status,
};
use testkit::{Consul, Running, Signal, wait_until};

const POLL: u32 = 2;

/// Less than every outage here, so that it expires meanwhile.
const TTL: u32 = 6;

/// Within one heartbeat of the return, and what a loaded machine may take for it.
const WHOLE_AGAIN: Duration = Duration::from_secs(POLL as u64 + 5);

/// Several heartbeats, and twice the TTL.
const OUTAGE: Duration = Duration::from_secs(2 * TTL as u64);

/// An application, a coprocess, and a watch on `other`, which nothing happens to.
fn version_2(consul: &Consul) -> Value {
    json!({
        "consul": consul.address(),
        "logging": { "format": "json" },
        "services": [{ "name": "app", "port": 8000, "interfaces": "static:127.0.0.1",
            "health": "./check", "poll": POLL, "ttl": TTL, "tags": ["blue"] }],
        "backends": [{ "name": "other", "poll": 1, "onChange": "./changed" }],
        "coprocesses": [{ "name": "helper", "command": "./coprocess", "restarts": "unlimited" }],
    })
}

/// The same in the words of 3.x.
fn version_3(consul: &Consul) -> Value {
    json!({
        "consul": consul.address(),
        "logging": { "format": "json" },
        "control": { "socket": "control.socket" },
        "jobs": [
            { "name": "app", "exec": "./app", "port": 8000, "interfaces": "static:127.0.0.1",
                "tags": ["blue"], "health": { "exec": "./check", "interval": POLL, "ttl": TTL } },
            { "name": "helper", "exec": "./coprocess", "restarts": "unlimited" },
            { "name": "on-change", "exec": "./changed",
                "when": { "source": "watch.other", "each": "changed" } },
        ],
        "watches": [{ "name": "other", "interval": 1 }],
    })
}

/// The program at work, and what an outage must not touch.
struct Scene {
    run: Running,
    app: Identity,
    coprocess: Identity,
}

impl Scene {
    /// `other` is registered where no outage reaches it; everything is well.
    fn start(agent: &Consul, lasting: &Consul, config: Value, arguments: &[&str]) -> Self {
        register_other(lasting, "other-1");
        let run = pilot(config)
            .args(arguments)
            .script("app", APP)
            .script("coprocess", COPROCESS)
            .script("check", "echo checked >>checks")
            .script("changed", "echo changed >>changes")
            .spawn();
        await_status(agent, &run, "app", Some("passing"));
        await_lines(&run, "changes", 1);
        // Nothing that is said to the agent when it goes away is about the registration.
        await_more_lines(&run, "checks", 2);
        let (app, coprocess) =
            (last_process(&run, "app.pids"), last_process(&run, "coprocess.pids"));
        Self { run, app, coprocess }
    }

    /// During the outage checks go on, for so long.
    fn endure(&self, outage: Duration) {
        let begun = Instant::now();
        await_more_lines(&self.run, "checks", 3);
        await_age(begun, outage);
        assert_eq!(self.told("answers again"), 0, "{}", output(&self.run));
    }

    /// The agent has just returned.
    fn is_whole_within_a_heartbeat(&self, agent: &Consul) {
        let returned = Instant::now();
        // Not earlier: what the agent remembers may still say `passing` for a moment, and its
        // TTL, which has run out long since, contradicts before this time is over.
        await_age(returned, WHOLE_AGAIN);
        let now = status(agent, "app");
        assert_eq!(now.as_deref(), Some("passing"), "{}", output(&self.run));
        let tags = agent.services()[support::instance("app")]["Tags"].clone();
        assert_eq!(tags, json!(["blue"]));
    }

    /// Nobody has noticed, and two lines tell.
    fn passed_without_a_trace(&self, lasting: &Consul) {
        wait_until("the end of the outage is in the log", PATIENCE, || {
            if self.told("answers again") > 0 { Ok(()) } else { Err(output(&self.run)) }
        });
        // Some heartbeats later that is still all.
        await_more_lines(&self.run, "checks", 2);
        let all = output(&self.run);
        assert_eq!(self.told("does not answer"), 1, "{all}");
        assert_eq!(self.told("answers again"), 1, "{all}");
        assert_eq!(self.told(r#""level":"warning""#), 1, "{all}");
        assert_eq!(self.told(r#""level":"error""#), 0, "{all}");
        assert!(self.app.lives() && self.coprocess.lives(), "{all}");
        assert_eq!(lines(&self.run, "app.pids").len(), 1, "{all}");
        assert_eq!(lines(&self.run, "coprocess.pids").len(), 1, "{all}");
        assert_eq!(lines(&self.run, "changes").len(), 1, "{all}");
        // The watch is not deaf.
        register_other(lasting, "other-2");
        await_lines(&self.run, "changes", 2);
    }

    fn told(&self, part: &str) -> usize {
        self.run.stdout_so_far().lines().filter(|line| line.contains(part)).count()
    }
}

fn register_other(consul: &Consul, id: &str) {
    consul.register(json!({ "ID": id, "Name": "other", "Address": "127.0.0.1", "Port": 9000 }));
}

#[test]
fn an_agent_that_is_killed_and_returns_empty() {
    let server = Consul::start();
    let mut agent = Consul::agent_of(&server);
    let scene = Scene::start(&agent, &server, version_2(&agent), &["./app"]);
    agent.kill();
    scene.endure(SECOND);
    agent.restart_empty();
    scene.is_whole_within_a_heartbeat(&agent);
    scene.passed_without_a_trace(&server);
}

#[test]
fn an_agent_that_refuses_connections_and_returns_with_its_memory() {
    let server = Consul::start();
    let mut agent = Consul::agent_of(&server);
    let scene = Scene::start(&agent, &server, version_3(&agent), &[]);
    agent.kill();
    scene.endure(OUTAGE);
    agent.restart();
    scene.is_whole_within_a_heartbeat(&agent);
    scene.passed_without_a_trace(&server);
}

#[test]
fn an_agent_that_freezes_beyond_the_ttl() {
    let consul = Consul::start();
    let scene = Scene::start(&consul, &consul, version_2(&consul), &["./app"]);
    consul.freeze();
    scene.endure(OUTAGE);
    consul.thaw();
    scene.is_whole_within_a_heartbeat(&consul);
    scene.passed_without_a_trace(&consul);
}

#[test]
fn an_agent_that_freezes_beyond_the_ttl_with_jobs() {
    let consul = Consul::start();
    let scene = Scene::start(&consul, &consul, version_3(&consul), &[]);
    consul.freeze();
    scene.endure(OUTAGE);
    consul.thaw();
    scene.is_whole_within_a_heartbeat(&consul);
    scene.passed_without_a_trace(&consul);
}

#[test]
fn an_agent_that_is_unreachable_for_a_minute() {
    let server = Consul::start();
    let mut agent = Consul::agent_of(&server);
    let scene = Scene::start(&agent, &server, version_2(&agent), &["./app"]);
    agent.kill();
    scene.endure(60 * SECOND);
    agent.restart();
    scene.is_whole_within_a_heartbeat(&agent);
    scene.passed_without_a_trace(&server);
}

/// While the agent is away, the service is made to leave. When the agent returns, which still
/// knows of it, it goes: else it would stand there critical for ever.
fn leaves_in_an_outage(leave: impl FnOnce(&Scene, &Consul)) {
    let server = Consul::start();
    let mut agent = Consul::agent_of(&server);
    let scene = Scene::start(&agent, &server, version_2(&agent), &["./app"]);
    agent.kill();
    let killed = Instant::now();
    leave(&scene, &agent);
    // Longer than anybody waits for an acknowledgement.
    await_age(killed, 5 * SECOND);
    agent.restart();
    await_status(&agent, &scene.run, "app", None);
    assert_eq!(agent.services().get(support::instance("app")), None);
    assert!(scene.app.lives(), "{}", output(&scene.run));
}

#[test]
fn maintenance_that_begins_in_an_outage() {
    leaves_in_an_outage(|scene, _| scene.run.signal(Signal::SIGUSR1));
}

#[test]
fn a_service_that_a_reload_removes_in_an_outage() {
    leaves_in_an_outage(|scene, agent| {
        let mut config = version_2(agent);
        config["services"] = json!([]);
        scene.run.write("app.json", config.to_string());
        scene.run.signal(Signal::SIGHUP);
    });
}
