//! Files of 1.x and 2.x as they are in use, and what they become.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use std::time::Duration;

use config::{
    Catalog, Command, Config, Generation, LogLevel,
    catalog::ConsulAddress,
    job::{
        Backoff, GlobalEvent, Job, JobEvent, JobId, KillAfter, Lines, Restarts, Role, StopAfter,
        StopTarget, Streams, Trigger, WatchEvent, When,
    },
    watch::{ServiceQuery, Subject, WatchId},
};
use support::{fixture, good};

const STARTUP: Trigger = Trigger::Global(GlobalEvent::Startup);

fn names(config: &Config) -> Vec<&str> {
    config.jobs.iter().map(|job| job.name.as_str()).collect()
}

fn job<'a>(config: &'a Config, name: &str) -> &'a Job {
    let found = config.jobs.iter().find(|job| job.name == name);
    found.unwrap_or_else(|| panic!("no job {name} among {:?}", names(config)))
}

fn command(job: &Job) -> String {
    let Command { program, args } = &job.exec.as_ref().expect("a command").command;
    let words = std::iter::once(program).chain(args);
    words.map(String::as_str).collect::<Vec<_>>().join("|")
}

fn service_of(name: &str, tag: Option<&str>) -> Subject {
    Subject::Service(ServiceQuery { service: name.into(), tag: tag.map(Into::into), near: None })
}

fn once(trigger: Trigger) -> When {
    When::once(trigger)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_database_without_a_port() {
    let config = fixture("db.json", "mongod --smallfiles", &[("CONSUL_HOST", "consul.example")]);
    assert_eq!(config.generation, Generation::V2);
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(names(&config), ["/usr/local/bin/consul", "db", "application"]);

    let agent = job(&config, "/usr/local/bin/consul");
    assert!(command(agent).contains("|-retry-join|consul.example|"), "{}", command(agent));
    assert_eq!(agent.restarts, Restarts::Unlimited);
    assert_eq!(agent.backoff, Backoff::Exponential);
    assert_eq!(agent.when, once(STARTUP));
    // The agent outlives deregistration and the application.
    assert_eq!(agent.stop.after, StopAfter { deregistered: true, stopped: vec![JobId(2)] });
    let variable = agent.exec.as_ref().and_then(|exec| exec.pid_variable.as_deref());
    assert_eq!(variable, Some("CONTAINERPILOT_CONSUL_PID"));

    let db = job(&config, "db");
    assert!(db.exec.is_none());
    let health = db.health.as_ref().expect("a check");
    assert_eq!(health.interval, seconds(3));
    assert_eq!(health.timeout, None);
    // No shell: the quotes are the command's own.
    assert_eq!(health.command().expect("a command").args, ["--eval", "\"db.status\""]);
    let service = db.service.as_ref().expect("a service");
    assert_eq!((service.id.as_str(), service.check_id.as_str()), ("db-box", "db-box"));
    assert_eq!((service.port, service.ttl), (0, seconds(10)));
    assert_eq!(service.address.to_string(), "10.0.0.5");

    let application = job(&config, "application");
    assert_eq!(command(application), "mongod|--smallfiles");
    assert_eq!(application.role, Role::Essential);
    assert_eq!(application.stop.kill_after, KillAfter::After(seconds(5)));
    assert_eq!(application.stop.target, StopTarget::Process);
    assert!(application.stop.after.deregistered);
    let exec = application.exec.as_ref().expect("a process");
    assert_eq!(exec.streams, Streams::Inherit);
    assert_eq!(exec.pid_variable.as_deref(), Some("CONTAINERPILOT_APP_PID"));
}

#[test]
fn an_api_that_waits_for_its_database() {
    let config = fixture("api.json", "npm start", &[]);
    let all = ["preStart", "/usr/local/bin/consul", "api", "db.onChange", "application"];
    assert_eq!(names(&config), all);
    // `prestart` is `preStart`.
    let pre_start = job(&config, "preStart");
    assert_eq!((pre_start.role, &pre_start.when), (Role::Gate, &once(STARTUP)));
    let after = Trigger::Job(JobId(0), JobEvent::ExitSuccess);
    for name in ["/usr/local/bin/consul", "api", "application"] {
        assert_eq!(job(&config, name).when, once(after), "{name}");
    }
    assert_eq!(config.watches[0].after, after);
    assert!(command(job(&config, "/usr/local/bin/consul")).contains("|-retry-join|consul|"));
    assert_eq!(job(&config, "api").service.as_ref().map(|service| service.port), Some(1337));
}

#[test]
fn everything_that_the_documentation_shows() {
    let config = fixture("full.json", "node app.js", &[("ENV_VAR_NAME", "value")]);
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_debug_snapshot!("full", config);
    });
    let post_stop = job(&config, "postStop");
    // The last job advertises the metrics.
    let application = JobId(config.jobs.len() - 2);
    assert_eq!(post_stop.when, once(Trigger::Job(application, JobEvent::Stopped)));
    assert_eq!(post_stop.role, Role::Override);
    let pre_stop = job(&config, "preStop");
    assert_eq!(pre_stop.when, once(Trigger::Job(application, JobEvent::Stopping)));
    let hook_streams =
        Streams::Logged { stdout: LogLevel::Info, stderr: LogLevel::Debug, lines: Lines::Text };
    assert_eq!(pre_stop.exec.as_ref().map(|exec| exec.streams), Some(hook_streams));
    assert_eq!(command(job(&config, "preStart")), "/opt/pilot/onStart.sh|value");
}

#[test]
fn microservices_that_watch_each_other() {
    for (file, other, port) in [("customers", "sales", 4000), ("sales", "customers", 3000)] {
        let config = fixture(&format!("{file}.json"), "node /opt/app.js", &[]);
        let on_change = format!("{other}.onChange");
        assert_eq!(names(&config), [file, &on_change, "application"]);
        let reload = job(&config, &on_change);
        assert_eq!(command(reload), "pkill|-SIGHUP|node");
        let trigger = Trigger::Watch(WatchId(0), WatchEvent::Changed);
        let each = When::each(trigger);
        assert_eq!(reload.when, each);
        assert_eq!(config.watches[0].subject, service_of(other, None));
        assert_eq!(config.watches[0].interval, seconds(10));
        let service = job(&config, file).service.as_ref().expect("a service");
        assert_eq!((service.port, service.ttl), (port, seconds(25)));
    }
}

#[test]
fn a_proxy_in_front_of_them() {
    let config = fixture("nginx.json", "nginx -g daemon\u{20}off;", &[]);
    let all = ["preStart", "nginx", "sales.onChange", "customers.onChange", "application"];
    assert_eq!(names(&config), all);
    assert!(command(job(&config, "preStart")).starts_with("consul-template|-once|-consul|"));
    assert!(command(job(&config, "customers.onChange")).ends_with(":nginx -s reload"));
    let Some(Catalog::Consul(consul)) = config.catalog else { panic!("Consul") };
    assert_eq!(consul.addresses, [ConsulAddress::Http { host: "consul".into(), port: 8500 }]);
    assert_eq!(consul.token, None);
}

#[test]
fn tasks_coprocesses_and_all_the_small_liberties() {
    let text = r#"{
  // Keys in any case, numbers as strings, nothing where nothing is needed.
  CONSUL: "consul:8500",
  PreStop: null,
  stoptimeout: "0",
  logging: { level: "warning", output: "" },
  services: [
    { name: "a_b", Poll: "5", TTL: "1m", port: "0x", tags: "one", port: null },
  ],
}"#;
    // `port` is there twice: null does not hide that.
    assert!(support::load(text, "", &support::host(&[])).is_err());
    let text = text.replace("port: \"0x\", ", "");
    let config = good(&text, "app", &[]);
    assert_eq!(config.logging.level, LogLevel::Warn);
    assert_eq!(job(&config, "application").stop.kill_after, KillAfter::After(seconds(5)));
    let service = job(&config, "a_b").service.as_ref().expect("a service");
    assert_eq!((service.ttl, service.tags.as_slice()), (seconds(60), &["one".to_owned()][..]));
    assert!(config.warnings[0].contains("\"a_b\" is unusual"), "{:?}", config.warnings);

    let config = good(
        r#"{ consul: "c:1",
             tasks: [{ command: "date", frequency: "1500ms" }, { name: "t", command: ["a b"], frequency: 5, timeout: "1s" }],
             coprocesses: [{ command: "/bin/x.sh y" }, { name: "x", command: "/bin/x.sh", restarts: "2" }, { command: "/bin/x.sh z", restarts: 0 }] }"#,
        "",
        &[],
    );
    assert_eq!(names(&config), ["/bin/x.sh", "x", "/bin/x.sh[2]", "date", "t"]);
    let date = job(&config, "date");
    let every = When::Every { interval: Duration::from_millis(1500), after: STARTUP };
    assert_eq!((&date.when, date.restarts), (&every, Restarts::Unlimited));
    let timeout = |name| job(&config, name).exec.as_ref().and_then(|exec| exec.timeout);
    assert_eq!(
        (timeout("date"), timeout("t")),
        (Some(Duration::from_millis(1500)), Some(seconds(1)))
    );
    assert_eq!(command(job(&config, "t")), "a b");
    assert_eq!(job(&config, "/bin/x.sh").restarts, Restarts::Never);
    assert_eq!(job(&config, "x").restarts, Restarts::Limit(2));
    assert_eq!(job(&config, "/bin/x.sh[2]").restarts, Restarts::Never);
}

#[test]
fn hooks_without_an_application() {
    let hooks = r#"consul: "c:1", preStop: "a", postStop: "b""#;
    let config = good(&format!("{{ {hooks}, coprocesses: [{{ command: \"x\" }}] }}"), "", &[]);
    assert_eq!(names(&config), ["x", "preStop", "postStop"]);
    let shutdown = Trigger::Global(GlobalEvent::Shutdown);
    assert_eq!(job(&config, "preStop").when, once(shutdown));
    let last = Trigger::Job(JobId(0), JobEvent::Stopped);
    assert_eq!(job(&config, "postStop").when, once(last));
    // Not for `postStop`, which waits for it.
    assert_eq!(job(&config, "x").stop.after.stopped, [JobId(1)]);

    let config = good(&format!("{{ {hooks} }}"), "", &[]);
    assert_eq!(names(&config), ["preStop"]);
    assert!(config.warnings[0].starts_with("postStop: never runs"), "{:?}", config.warnings);
}

#[test]
fn stopping_at_once() {
    for text in ["-1", "\"-1\"", "\"-5s\""] {
        let text = format!("{{ consul: \"c:1\", stopTimeout: {text}, services: [] }}");
        let config = good(&text, "app", &[]);
        assert_eq!(job(&config, "application").stop.kill_after, KillAfter::AtOnce, "{text}");
    }
}

#[test]
fn names_of_hooks_are_theirs() {
    let text = r#"{ consul: "c:1", preStart: "p",
        services: [{ name: "application", poll: 1, ttl: 5 }, { name: "consul", poll: 1, ttl: 5 }],
        coprocesses: [{ name: "consul", command: "c" }, { name: "preStart", command: "c" }] }"#;
    let config = good(text, "app", &[]);
    let all = ["preStart", "consul", "preStart[2]", "application[2]", "consul[2]", "application"];
    assert_eq!(names(&config), all);
    // What is advertised keeps its name.
    assert_eq!(
        config.jobs[3].service.as_ref().map(|service| service.name.as_str()),
        Some("application")
    );
}

#[test]
fn one_backend_with_two_tags() {
    let text = r#"{ consul: "c:1", backends: [
        { name: "db", tag: "a", poll: 1, onChange: "x", timeout: "2s" },
        { name: "db", tag: "b", poll: 2, onChange: "x" },
        { name: "db", poll: 3, onChange: "x" }, { name: "db", poll: 3, onChange: "y" } ] }"#;
    let config = good(text, "", &[]);
    assert_eq!(
        names(&config),
        ["db[a].onChange", "db[b].onChange", "db.onChange", "db.onChange[2]"]
    );
    let subjects: Vec<_> = config.watches.iter().map(|watch| watch.subject.clone()).collect();
    assert_eq!(subjects, [Some("a"), Some("b"), None, None].map(|tag| service_of("db", tag)));
    let timeouts: Vec<_> =
        config.jobs.iter().map(|job| job.exec.as_ref().and_then(|exec| exec.timeout)).collect();
    assert_eq!(timeouts, [Some(seconds(2)), None, None, None]);
}

#[test]
fn a_file_without_evidence_belongs_to_the_command_line() {
    let text = r#"{ consul: "c:1" }"#;
    assert_eq!(good(text, "app", &[]).generation, Generation::V2);
    assert_eq!(good(text, "", &[]).generation, Generation::V3);
    let telemetry = r#"{ consul: "c:1", telemetry: { sensors: [] } }"#;
    assert_eq!(good(telemetry, "", &[]).generation, Generation::V2);
}

#[test]
fn words_of_the_application_are_templates() {
    let config = good(
        r#"{ consul: "c:1", services: [] }"#,
        "{{.SERVER}} --port={{.PORT}} [{{.UNSET}}]",
        &[("SERVER", "httpd"), ("PORT", "8080")],
    );
    assert_eq!(command(job(&config, "application")), "httpd|--port=8080|[]");
}
