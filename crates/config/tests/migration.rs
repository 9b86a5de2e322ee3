//! 1.x/2.x files as 3.x files: the same jobs, but for what the generations do differently.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use std::collections::BTreeSet;

use config::{
    Command, Config, Generation, Host, Job, Migration, Source,
    job::{
        Announce, JobId, KillAfter, Need, Role, StopSignal, StopTarget, Streams, Trigger,
        WatchEvent, When,
    },
    migrate,
    watch::Subject,
};
use proptest::prelude::*;
use support::{host, snapshot, words};

fn source(text: &str) -> Source {
    Source { name: "/etc/pilot.json".into(), text: text.into() }
}

fn migrated(text: &str, application: &str, host: &Host) -> Migration {
    migrate(&source(text), &words(application), host)
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn load(text: &str, application: &str, host: &Host) -> Config {
    config::load(&source(text), &words(application), host)
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// Both as they must be equal. What may differ, and why:
///
/// - the generation, the warnings; the control socket if 2.x has none; the program's stopTimeout:
///   3.x has a time for all of a stop in place of one for each job;
/// - names of jobs that 2.x gives in other ways (`db.onChange`, `consul[2]`, `application`);
/// - the ids of checks, which begin with `service:` in 3.x;
/// - stderr at INFO instead of DEBUG; `Raw` instead of `Inherit`: stdin is empty;
/// - variables with the pids of commands that have none in 2.x;
/// - the timeout of a check or a sensor that has none: the ttl, the interval;
/// - who gets the stop signal, when `stopping` is published, how long hooks are waited for, when
///   SIGKILL follows (but at once is SIGKILL as the signal);
/// - what stops after what, if it is the same by way of others, or stricter because the catalog is
///   on this host;
/// - the role of `postStop`;
/// - watches that begin at once, and one for two equal ones: with `preStart` their jobs wait for
///   both;
/// - since when the metrics' endpoint is advertised;
/// - sensors, which 3.x does not have: commands that post a metric.
fn assert_equivalent(old: &Config, new: &Config, context: &str) {
    assert_eq!((old.generation, new.generation), (Generation::V2, Generation::V3));
    assert_eq!(old.catalog, new.catalog, "{context}");
    assert_eq!(old.logging, new.logging, "{context}");
    if old.control.is_some() {
        assert_eq!(old.control, new.control, "{context}");
    }
    assert_eq!(old.jobs.len(), new.jobs.len(), "{context}");
    for (index, (old_job, new_job)) in old.jobs.iter().zip(&new.jobs).enumerate() {
        assert_eq!(normal(old, index, old_job), normal(new, index, new_job), "{context}");
        assert_end(old, new, index, context);
        let variable = |job: &Job| job.exec.as_ref().and_then(|exec| exec.pid_variable.clone());
        if let Some(old) = variable(old_job) {
            assert_eq!(Some(old), variable(new_job), "{context}");
        }
    }
    let watched = |config: &Config| -> BTreeSet<_> {
        let names = config.watches.iter().map(|watch| match &watch.subject {
            Subject::Service(query) => {
                (watch.name.clone(), query.service.clone(), query.tag.clone())
            }
            Subject::Key(_) | Subject::Keys(_) => panic!("a key in a 2.x file"),
        });
        names.collect()
    };
    assert_eq!(watched(old), watched(new), "{context}");
    let telemetry = |config: &Config| {
        let telemetry = config.telemetry.clone()?;
        let metrics = telemetry
            .metrics
            .into_iter()
            .map(|metric| (metric.name, metric.help, format!("{:?}", metric.kind)));
        Some((telemetry.listen, telemetry.job, metrics.collect::<Vec<_>>()))
    };
    assert_eq!(telemetry(old), telemetry(new), "{context}");
}

/// A job without what may differ, as text, for `Debug` shows little of it.
fn normal(config: &Config, index: usize, job: &Job) -> Vec<String> {
    let sensor = sensor(config, job);
    let mut parts = Vec::new();
    if let Some(exec) = &job.exec {
        let Command { program, args } = &exec.command;
        let words: Vec<String> = std::iter::once(program).chain(args).cloned().collect();
        let (words, timeout) = match (&sensor, &job.when) {
            (Some(command), When::Every { interval, .. }) => {
                (command.clone(), exec.timeout.unwrap_or(*interval))
            }
            _ => (words, exec.timeout.unwrap_or_default()),
        };
        parts.push(format!("exec {words:?} {timeout:?}"));
        let streams = match exec.streams {
            Streams::Inherit | Streams::Raw => "raw".into(),
            Streams::Logged { stdout, lines, .. } => format!("{stdout:?} {lines:?}"),
        };
        parts.push(format!("streams {streams}"));
    }
    if job.role != Role::Companion {
        parts.push(format!("when {}", when(config, &job.when)));
    }
    parts.push(format!("restarts {:?} {:?}", job.restarts, job.backoff));
    let role = if job.role == Role::Override { Role::Ordinary } else { job.role };
    parts.push(format!("role {role:?}"));
    if let Some(health) = &job.health {
        let command = health.command().map(|command| (&command.program, &command.args));
        let ttl = job.service.as_ref().map(|service| service.ttl).unwrap_or_default();
        let timeout = match command {
            Some(_) => health.timeout.unwrap_or(ttl),
            None => ttl,
        };
        parts.push(format!("health {command:?} {:?} {timeout:?}", health.interval));
    }
    if let Some(service) = &job.service {
        let check = service.check_id.strip_prefix("service:").unwrap_or(&service.check_id);
        parts.push(format!(
            "service {} {} {check} {} {} {:?} {:?} {:?} {:?} {} {:?}",
            service.name,
            service.id,
            service.address,
            service.port,
            service.tags,
            service.meta,
            service.ttl,
            service.initial_status,
            service.enable_tag_override,
            service.deregister_critical_after
        ));
    }
    let signal = match job.stop.kill_after {
        KillAfter::AtOnce => StopSignal::Kill,
        KillAfter::After(_) | KillAfter::Deadline => job.stop.signal,
    };
    parts.push(format!("signal {signal:?} {index}"));
    parts.push(format!("drain {:?}", job.stop.drain));
    if config.generation == Generation::V3 && job.role != Role::Companion {
        assert_eq!((job.stop.target, job.stop.announce), (StopTarget::Group, Announce::Always));
    }
    parts
}

/// The command behind a sensor, in both forms.
fn sensor(config: &Config, job: &Job) -> Option<Vec<String>> {
    let command = &job.exec.as_ref()?.command;
    let whole: Vec<String> =
        std::iter::once(&command.program).chain(&command.args).cloned().collect();
    if config.generation == Generation::V2 {
        let id = config.jobs.iter().position(|other| std::ptr::eq(other, job)).map(JobId);
        let telemetry = config.telemetry.as_ref()?;
        let metric = telemetry.metrics.iter().find(|metric| metric.sensor == id)?;
        return Some([vec![metric.name.clone()], whole].concat());
    }
    let [sh, c, script, sensor, check @ ..] = whole.as_slice() else { return None };
    if [sh.as_str(), c, sensor] != ["sh", "-c", "sensor"] {
        return None;
    }
    let metric = script.split("-putmetric \"").nth(1)?.strip_suffix("=$value\"")?;
    // As the shell does it.
    let check = if script.contains("exec $1") {
        check.iter().flat_map(|word| word.split_whitespace()).map(str::to_owned).collect()
    } else {
        check.to_vec()
    };
    Some([vec![metric.to_owned()], check].concat())
}

fn when(config: &Config, when: &When) -> String {
    match when {
        When::Every { .. } => format!("{when:?}"),
        When::On { need, conditions, timeout } => {
            let mut shown: Vec<String> = Vec::new();
            for condition in conditions {
                let trigger = match condition.trigger {
                    Trigger::Watch(watch, event) => {
                        let watch = &config.watches[watch.0];
                        if watch.after != Trigger::Global(config::job::GlobalEvent::Startup) {
                            shown.push(format!("{:?} Once", watch.after));
                        }
                        assert_eq!(event, WatchEvent::Changed);
                        format!("watch {}", watch.name)
                    }
                    trigger => format!("{trigger:?}"),
                };
                shown.push(format!("{trigger} {:?}", condition.frequency));
            }
            // Several tags of one name are one source in 3.x.
            shown.dedup();
            let need = if shown.len() > 1 { *need } else { Need::Any };
            let need = if config.generation == Generation::V2 && shown.len() > 1 {
                Need::All
            } else {
                need
            };
            format!("{need:?} {shown:?} {timeout:?}")
        }
    }
}

/// What stops before a job, by way of others too; services count as jobs that stop when they are
/// out of the catalog.
fn before(config: &Config, index: usize) -> BTreeSet<usize> {
    let mut before = BTreeSet::new();
    let mut open = vec![index];
    while let Some(index) = open.pop() {
        let after = &config.jobs[index].stop.after;
        let advertised = config.jobs.iter().enumerate().filter(|(_, job)| {
            after.deregistered && job.service.is_some() && job.role != Role::Companion
        });
        let advertised = advertised.map(|(index, _)| index);
        for next in advertised.chain(after.stopped.iter().map(|id| id.0)) {
            if before.insert(next) {
                open.push(next);
            }
        }
    }
    before
}

fn assert_end(old: &Config, new: &Config, index: usize, context: &str) {
    let (was, is) = (before(old, index), before(new, index));
    assert!(is.is_superset(&was), "job {index} stops after {is:?}, not {was:?}: {context}");
    let stricter = new.jobs[index].stop.after.deregistered;
    assert!(stricter || is == was, "job {index} stops after {is:?}, not {was:?}: {context}");
}

const FIXTURES: [(&str, &str, &str); 7] = [
    ("db", include_str!("fixtures/db.json"), "mongod --smallfiles"),
    ("api", include_str!("fixtures/api.json"), "npm start"),
    ("full", include_str!("fixtures/full.json"), "node app.js {{.ENV_VAR_NAME}}"),
    ("customers", include_str!("fixtures/customers.json"), "node /opt/app.js"),
    ("sales", include_str!("fixtures/sales.json"), "node /opt/app.js"),
    ("nginx", include_str!("fixtures/nginx.json"), "nginx -g daemon\u{a0}off;"),
    ("etcd", include_str!("fixtures/etcd.json5"), "/bin/app"),
];

#[test]
fn files_in_use() {
    for (name, text, application) in FIXTURES {
        for environment in
            [&[][..], &[("ENV_VAR_NAME", "value"), ("CONSUL_HOST", "consul.example")][..]]
        {
            let host = host(environment);
            let migrated = migrated(text, application, &host);
            let new = load(&migrated.text, "", &host);
            assert_equivalent(&load(text, application, &host), &new, &migrated.text);
            // The templates are still there.
            assert_eq!(text.contains("{{"), migrated.text.contains("{{"), "{name}");
            assert!(!migrated.text.contains("templates are gone"), "{name}");
            assert_eq!(new.warnings, Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn what_it_looks_like() {
    for (name, text, application) in [FIXTURES[1], FIXTURES[2], FIXTURES[6]] {
        snapshot(&format!("migrated_{name}"), migrated(text, application, &host(&[])).text);
    }
}

#[test]
fn errors() {
    let host = host(&[]);
    let error = |text: &str| migrate(&source(text), &[], &host).expect_err(text).to_string();
    assert_eq!(
        error("{ jobs: [] }"),
        "/etc/pilot.json: this is a 3.x file already: want one of 1.x or 2.x"
    );
    assert!(error("{ services: [] }").contains("neither \"consul\" nor \"etcd\""));
}

#[test]
fn templates_that_are_kept_and_those_that_are_not() {
    let environment = host(&[
        ("PORT", "8080"),
        ("NAME", "shop"),
        ("TWO", "a\", \"b"),
        ("QUOTED", "say \"hi\""),
        ("DB_PASSWORD", "hunter2"),
    ]);
    for (text, kept) in [
        (
            "{ consul: 'c:1', services: [{ name: '{{ .NAME }}', port: {{ .PORT }}, poll: 1, ttl: 5 }] }",
            true,
        ),
        (r#"{ consul: "{{ .CONSUL | default "consul:8500" }}", services: [] }"#, true),
        (r#"{ consul: 'c:1', preStop: 'echo {{ .QUOTED }}', services: [] }"#, true),
        (r#"{ consul: 'c:1', preStop: ["echo", "{{ `{{` }}"], services: [] }"#, true),
        ("{ consul: 'c:1', backends: [{ name: '{{ .NAME }}', poll: 1, onChange: 'x' }] }", true),
        // Parts of lists, and members.
        (r#"{ consul: 'c:1', preStop: ["{{ .TWO }}"] }"#, false),
        ("{ consul: 'c:1', {{ if .PORT }}preStop: 'x'{{ end }} }", false),
        ("{{ define \"x\" }}{{ end }}{ consul: 'c:1', services: [] }", false),
        // Comments are not taken along: what they only show may go, what they decide may not.
        ("{ consul: 'c:1', // {{ .NAME }}\n preStop: 'x {{ .NAME }}' }", true),
        ("{ consul: 'c:1', // {{- if .NAME }}\n preStop: 'x', // {{end}}\n tasks: [] }", false),
    ] {
        let migrated = migrated(text, "app", &environment);
        let context = format!("{text}\n{}", migrated.text);
        assert_eq!(!migrated.text.contains("templates are gone"), kept, "{context}");
        assert_equivalent(
            &load(text, "app", &environment),
            &load(&migrated.text, "", &environment),
            &context,
        );
        assert_eq!(
            migrated.text.contains("\n// - templates are gone"),
            migrated.warnings.iter().any(|line| line.starts_with("templates are gone"))
        );
    }
}

#[test]
fn references_keep_the_templates_of_names() {
    let text = "{ consul: 'c:1', services: [{ name: '{{ .NAME }}', poll: 1, ttl: 5 }], backends: [{ name: \"{{ .NAME }}\", poll: 1, onChange: 'x' }] }";
    let migrated = migrated(text, "app", &host(&[("NAME", "shop")])).text;
    assert!(migrated.contains("source: \"watch.{{ .NAME }}\""), "{migrated}");
    assert!(migrated.contains("stopAfter: ['{{ .NAME }}']"), "{migrated}");
    // Braces that a rendered file really has.
    let text = r#"{ consul: 'c:1', preStop: ["echo", "{{ `{{` }} .X }}"], {{ if true }}tasks: []{{ end }} }"#;
    let host = host(&[]);
    let migrated = self::migrated(text, "app", &host);
    assert!(migrated.text.contains("templates are gone"), "{}", migrated.text);
    assert_equivalent(&load(text, "app", &host), &load(&migrated.text, "", &host), &migrated.text);
}

#[test]
fn names_that_3_does_not_take() {
    let host = host(&[]);
    let migrated =
        migrated("{ consul: 'c:1', services: [{ name: 'My_DB', poll: 1, ttl: 5 }] }", "app", &host);
    assert!(
        migrated.warnings.iter().any(|line| line.contains("\"My_DB\" needs another name")),
        "{:?}",
        migrated.warnings
    );
    // It is refused until that has been done.
    assert!(config::load(&source(&migrated.text), &[], &host).is_err());
}

#[test]
fn a_warning_shows_no_secret() {
    let host = host(&[("DB_PASSWORD", "hunter2hunter2")]);
    let text =
        "{ consul: 'c:1', services: [{ name: 'x.hunter2hunter2', poll: 1, ttl: 2, port: 1 }] }";
    let Migration { warnings, .. } = migrated(text, "", &host);
    let told = |word: &str| warnings.iter().any(|warning| warning.contains(word));
    assert!(told("needs another name") && !told("hunter2hunter2"), "{warnings:?}");
}

#[test]
fn hooks_of_an_end_without_a_beginning_are_told() {
    let told = |text: &str| {
        let warnings = migrated(text, "app", &host(&[])).warnings;
        warnings.iter().any(|line| line.contains("also if preStart has failed"))
    };
    assert!(told("{ consul: false, preStart: 'a', postStop: 'b' }"));
    assert!(told("{ consul: false, onStart: 'a', preStop: 'b' }"));
    assert!(!told("{ consul: false, preStart: 'a' }"));
    assert!(!told("{ consul: false, preStop: 'a', postStop: 'b' }"));
}

#[test]
fn commands_for_a_backend_with_several_tags_do_not_wait_for_pre_start() {
    let host = host(&[]);
    let text = "{ consul: 'c:1', preStart: 'p', backends: [
        { name: 'db', poll: 1, onChange: 'x' }, { name: 'db', tag: 'a', poll: 1, onChange: 'y' },
        { name: 'web', poll: 1, onChange: 'z' },
    ] }";
    let migrated = migrated(text, "app", &host);
    let config = load(&migrated.text, "", &host);
    let need = |name: &str| {
        let job = config.jobs.iter().find(|job| job.name == name).expect(name);
        matches!(job.when, When::On { need: Need::All, .. })
    };
    assert_eq!(
        ["db-onChange", "db-a-onChange", "web-onChange"].map(need),
        [false, false, true],
        "{}",
        migrated.text
    );
    let told = migrated.warnings.iter().filter(|line| line.contains("does not wait for preStart"));
    assert_eq!(told.count(), 2, "{:?}", migrated.warnings);
}

/// Optional members of an object.
fn members(choices: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    let optional: Vec<_> = choices
        .into_iter()
        .map(|(key, value)| {
            prop::option::of(value)
                .prop_map(move |value| value.map(|value| format!("{key}: {value}")))
        })
        .collect();
    optional
        .prop_map(|members| members.into_iter().flatten().collect::<Vec<_>>().join(", "))
        .boxed()
}

fn pick(values: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(values).prop_map(str::to_owned).boxed()
}

fn list(item: BoxedStrategy<String>) -> BoxedStrategy<String> {
    prop::collection::vec(item, 0..4).prop_map(|items| format!("[{}]", items.join(", "))).boxed()
}

const COMMANDS: &[&str] = &[
    "'/bin/x -y z'",
    "['/bin/x', 'a b', '\"quoted\"']",
    "'{{ .PORT }} {{ .NAME | default \"x\" }}'",
    "\"it's\"",
    "['a', '{{ .NAME }}', 'b\\\\c\\td{']",
    "'/usr/bin/consul.sh'",
    "' x '",
];

/// A 2.x file in which everything may be there or not.
fn file() -> impl Strategy<Value = String> {
    let command = || pick(COMMANDS);
    let timeout = || pick(&["5", "'1500ms'", "''", "'{{ .PORT }}s'", "null"]);
    let seconds = || pick(&["1", "'30'", "'1m'", "{{ .PORT }}", "'{{ .PORT }}'"]);
    let named = |names: &'static [&'static str], rest: BoxedStrategy<String>| {
        (prop::option::of(pick(names)), rest)
            .prop_map(|(name, rest)| {
                let name = name.map(|name| format!("name: {name}, ")).unwrap_or_default();
                format!("{{ {name}{rest} }}")
            })
            .boxed()
    };
    let with = |key: &'static str, value: BoxedStrategy<String>, rest: BoxedStrategy<String>| {
        (value, rest).prop_map(move |(value, rest)| format!("{key}: {value}, {rest}")).boxed()
    };
    let service = |name: &'static str| {
        let rest = members(vec![
            ("health", command()),
            ("timeout", timeout()),
            ("port", pick(&["80", "'8080'", "0", "{{ .PORT }}", "null"])),
            ("tags", pick(&["['a', '{{ .NAME }}', '']", "'one'"])),
            ("meta", pick(&["{ version: 1.10, 'a-b': '{{ .NAME }}' }"])),
            ("interfaces", pick(&["'inet'", "['static:192.0.2.7', 'eth0']"])),
            ("Drain", pick(&["'1500ms'", "{ TIME: 2, mark: true }", "'{{ .PORT }}s'", "0"])),
            (
                "consul",
                pick(&["{ enabletagoverride: true }", "{ deregisterCriticalServiceAfter: '90m' }"]),
            ),
        ]);
        let rest = with("Poll", seconds(), with("TTL", seconds(), rest));
        prop::option::of(rest.prop_map(move |rest| format!("{{ name: '{name}', {rest} }}"))).boxed()
    };
    let services = (service("app"), service("preStart"), service("db"), service("consul"))
        .prop_map(|(a, b, c, d)| {
            format!("[{}]", [a, b, c, d].into_iter().flatten().collect::<Vec<_>>().join(", "))
        })
        .boxed();
    let coprocess = named(
        &["'consul'", "'app'", "'/bin/x.sh'", "''", "'{{ .NAME }}'"],
        with(
            "command",
            command(),
            members(vec![("restarts", pick(&["0", "3", "'2'", "'unlimited'", "'never'"]))]),
        ),
    );
    let task = named(
        &["'t'", "'db-onChange'", "'{{ .NAME }}'"],
        with(
            "command",
            command(),
            with(
                "frequency",
                pick(&["'1ms'", "5", "'{{ .PORT }}s'"]),
                members(vec![("timeout", timeout())]),
            ),
        ),
    );
    let backend = (
        pick(&["'db'", "'api'", "'{{ .NAME }}'"]),
        with("poll", seconds(), with("onChange", command(), members(vec![("timeout", timeout())]))),
    )
        .prop_map(|(name, rest)| format!("{{ name: {name}, {rest} }}"));
    let backends = prop::collection::vec(backend, 0..3)
        .prop_map(|items| format!("[{}]", items.join(", ")))
        .boxed();
    let sensor = (
        0..1000_u32,
        with(
            "check",
            command(),
            with(
                "poll",
                seconds(),
                members(vec![
                    ("timeout", timeout()),
                    ("namespace", pick(&["'a'", "'{{ .NAME }}'"])),
                    ("help", pick(&["'It \"helps\".'"])),
                ]),
            ),
        ),
        pick(&[
            "'counter'",
            "'Gauge'",
            "'histogram', buckets: [1, '2']",
            "'summary', MaxAge: '1m', quantiles: [0.5]",
        ]),
    )
        .prop_map(|(number, rest, kind)| format!("{{ name: 'm{number}', type: {kind}, {rest} }}"))
        .boxed();
    let telemetry = members(vec![
        ("port", pick(&["9000", "'{{ .PORT }}'"])),
        ("tags", pick(&["['x']"])),
        (
            "Sensors",
            prop::option::of(sensor)
                .prop_map(|item| format!("[{}]", item.unwrap_or_default()))
                .boxed(),
        ),
    ])
    .prop_map(|members| format!("{{ {members} }}"))
    .boxed();
    let catalog = pick(&[
        "consul: 'consul:8500'",
        "consul: 'localhost:8500'",
        "Consul: { Address: 'https://c:1', token: 'x', TLS: { cafile: '/x', Verify: false } }",
        "etcd: { EndPoints: ['http://e:1'], prefix: 'x' }",
        "etcd: { endpoints: 'e:1', UserName: 'a', password: '{{ .NAME }}', TLS: { CAfile: '/x' } }",
        "consul: { Address: ['a:1', 'b:1'], TokenFile: '/x', MaxStale: 5, nameSpace: 'x', Partition: 'y' }",
        "consul: \"{{ .CONSUL | default \"127.0.0.1:8500\" }}\"",
    ]);
    let rest = members(vec![
        ("preStart", command()),
        ("preStop", command()),
        ("postStop", command()),
        ("stopTimeout", pick(&["0", "3", "-1", "'1500ms'", "'{{ .PORT }}s'", "null"])),
        ("stopSignal", pick(&["'QUIT'", "2"])),
        ("LOGGING", pick(&["{ Level: 'debug', format: 'json' }", "{ output: '/var/log/x' }"])),
        ("control", pick(&["{ Socket: '/run/x' }"])),
        ("services", services),
        ("coprocesses", list(coprocess)),
        ("tasks", list(task)),
        ("backends", backends),
        ("telemetry", telemetry),
    ]);
    (catalog, rest)
        .prop_map(|(catalog, rest)| format!("{{ {catalog}, {rest} }}").replace(",  }", " }"))
}

const ENVIRONMENTS: &[&[(&str, &str)]] = &[
    &[("PORT", "80"), ("NAME", "shop")],
    &[("PORT", "3"), ("NAME", "db"), ("CONSUL", "[::1]:8500")],
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_file_says(
        text in file(),
        application in prop_oneof![Just(""), Just("app -x"), Just("{{.NAME}} '\"' \\ x{{.PORT}}{")],
        environment in prop::sample::select(ENVIRONMENTS),
    ) {
        // Only evidence makes it a 2.x file without an application.
        let text = if text.contains("tasks:") { text } else { text.replacen('{', "{ tasks: null, ", 1) };
        let host = host(environment);
        let old = load(&text, application, &host);
        let migrated = migrated(&text, application, &host);
        let context = format!("{text}\n{}", migrated.text);
        prop_assert!(!migrated.text.contains("templates are gone"), "{}", context);
        assert_equivalent(&old, &load(&migrated.text, "", &host), &context);
    }
}
