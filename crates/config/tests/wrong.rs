//! Wrong inputs and the whole of what is said about each.
//!
//! A case is a title and a text; a text that needs more of its surroundings (an application,
//! variables) has a test of its own below. The snapshots are read like prose: is it clear what is
//! wrong, where, and what would be right?

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use support::{host, load, messages, snapshot, themes};

#[test]
fn syntax() {
    snapshot(
        "syntax",
        messages(&[
            ("nothing", ""),
            ("only a comment", "// later\n"),
            ("not an object", "[1, 2]"),
            ("typographic quotes around a key", "{\n  “consul”: \"consul:8500\"\n}"),
            ("typographic quotes around a value", "{\n  \"consul\": ‘consul:8500’\n}"),
            ("a dash for a minus", "{ stopTimeout: —1 }"),
            ("a shell comment", "{\n  # our catalog\n  consul: \"consul:8500\"\n}"),
            ("a string without quotes", "{ consul: localhost }"),
            ("a duration without quotes", "{ jobs: [{ name: \"a\", exec: \"a\", timeout: 10s }] }"),
            ("a word of another language", "{ jobs: [{ exec: \"a\", logging: { raw: True } }] }"),
            ("a missing comma", "{\n  consul: \"consul:8500\"\n  jobs: []\n}"),
            ("a missing colon", "{ \"consul\" \"consul:8500\" }"),
            ("a key with a minus", "{ stop-timeout: 5 }"),
            ("two commas", "{ jobs: [],, }"),
            ("an equals sign", "{ consul = \"consul:8500\" }"),
            ("a string without an end", "{\n  consul: \"consul:8500,\n  jobs: []\n}"),
            ("an object without an end", "{\n  consul: \"consul:8500\",\n  jobs: [\n    {}\n"),
            ("a comment without an end", "{ /* jobs: [] }"),
            ("more behind the end", "{} }"),
            ("an unfinished escape", "{ consul: \"\\u12\" }"),
            ("an octal escape", "{ consul: \"\\1\" }"),
            ("zeros in front", "{ stopTimeout: 007 }"),
            ("two points", "{ stopTimeout: 1.2.3 }"),
            ("a control character", "{ \u{1} }"),
            ("too deep", &format!("{{ a: {}", "[".repeat(100))),
        ]),
    );
}

#[test]
fn generations() {
    snapshot(
        "generations",
        messages(&[
            ("both", "{\n  consul: \"c:1\",\n  services: [],\n  preStart: \"a\",\n  jobs: []\n}"),
            (
                "both kinds of telemetry",
                "{ consul: \"c:1\", jobs: [], telemetry: { sensors: [] } }",
            ),
            ("an unknown key of 2.x", "{ consul: \"c:1\", servces: [] }"),
            ("an unknown key of 3.x", "{ job: [] }"),
            ("an unknown key like no other", "{ jobs: [], replicas: 3 }"),
            ("3.x tells upper case from lower", "{ jobs: [{ Name: \"a\", exec: \"a\" }] }"),
            ("a key twice", "{ jobs: [],\n  jobs: [] }"),
            ("a key twice in other letters", "{ consul: \"c:1\",\n services: [],\n Services: [] }"),
        ]),
    );
}

/// A 2.x file with these members besides `consul`.
fn v2(members: &str) -> String {
    format!("{{\n  consul: \"consul:8500\",\n  {members}\n}}")
}

/// A 2.x file with a service that has these members.
fn service(members: &str) -> String {
    v2(&format!("services: [\n    {{ name: \"db\", poll: 3, ttl: 10, {members} }}\n  ]"))
}

#[test]
fn version_2() {
    snapshot(
        "version_2",
        themes(&[
            ("no catalog", "{ services: [] }".into()),
            (
                "two catalogs",
                "{ services: [], consul: \"c:1\", etcd: { endpoints: \"http://e:1\" } }".into(),
            ),
            ("a service without anything", v2("services: [{}]")),
            ("a service that is none", v2("services: [\"db\"]")),
            ("services that are no list", v2("services: { name: \"db\" }")),
            ("a poll of 0", v2("services: [{ name: \"db\", poll: 0, ttl: 10 }]")),
            ("a negative ttl", v2("services: [{ name: \"db\", poll: 3, ttl: -1 }]")),
            ("half a second", v2("services: [{ name: \"db\", poll: 1.5, ttl: \"900ms\" }]")),
            ("a name that is a number", v2("services: [{ name: 5, poll: 3, ttl: 10 }]")),
            ("an empty name", v2("services: [{ name: \"\", poll: 3, ttl: 10 }]")),
            (
                "two services of one name",
                v2(
                    "services: [\n    { name: \"db\", poll: 3, ttl: 10 },\n    { name: \"db\", poll: 3, ttl: 10 }\n  ]",
                ),
            ),
            ("a port that is too high", service("port: 70000")),
            ("a port that is no number", service("port: \"http\"")),
            ("a port with a fraction", service("port: 80.5")),
            ("an empty command", service("health: \"  \"")),
            ("an empty list as a command", service("health: []")),
            ("a number in a command", service("health: [\"sleep\", 5]")),
            ("an object as a command", service("health: { http: \"x\" }")),
            ("a timeout that is none", service("timeout: \"5x\"")),
            ("a misspelt key", service("helth: \"true\"")),
            ("a key of another level", service("restarts: 3")),
            ("tags that are no list", service("tags: 5")),
            ("an interface that is none", service("interfaces: [\"eth0\", \"eth0:inet4\"]")),
            ("an interface that is missing", service("interfaces: [\"eth7\", \"192.168.0.0/16\"]")),
            (
                "Consul's options",
                service(
                    "consul: { enableTagOverride: \"yes\", deregisterCriticalServiceAfter: \"soon\" }",
                ),
            ),
            ("a backend without anything", v2("backends: [{}]")),
            (
                "a backend with an empty command",
                v2("backends: [{ name: \"db\", poll: 3, onChange: [\"\"] }]"),
            ),
            ("a task that is too fast", v2("tasks: [{ command: \"a\", frequency: \"1us\" }]")),
            ("a task without a command", v2("tasks: [{ name: \"a\", frequency: \"5s\" }]")),
            (
                "restarts of a kind of their own",
                v2("coprocesses: [{ command: \"a\", restarts: \"always\" }]"),
            ),
            ("negative restarts", v2("coprocesses: [{ command: \"a\", restarts: -1 }]")),
            ("both names of a hook", v2("onStart: \"a\",\n  preStart: \"b\"")),
            ("a stop timeout that is none", v2("preStop: \"a\", stopTimeout: \"long\"")),
            (
                "an unknown level",
                v2(
                    "services: [], logging: { level: \"INFOR\", format: \"xml\", output: \"stdot\" }",
                ),
            ),
            (
                "a sensor of an unknown type",
                v2(
                    "telemetry: { sensors: [{ name: \"a\", poll: 5, check: \"a\", type: \"meter\" }] }",
                ),
            ),
            (
                "a sensor's impossible name",
                v2(
                    "telemetry: { sensors: [{ namespace: \"my-app\", name: \"9\", poll: 5, check: \"a\", type: \"gauge\" }] }",
                ),
            ),
            (
                "a service like the telemetry's",
                v2(
                    "telemetry: { sensors: [] },\n  services: [{ name: \"containerpilot\", poll: 1, ttl: 2 }]",
                ),
            ),
        ]),
    );
}

#[test]
fn catalogs() {
    snapshot(
        "catalogs",
        themes(&[
            ("no port", "{ consul: \"consul\", jobs: [] }".into()),
            ("a port that is none", "{ consul: \"consul:http\", jobs: [] }".into()),
            ("a path", "{ consul: \"http://consul:8500/v1\", jobs: [] }".into()),
            ("an unknown scheme", "{ consul: \"tcp://consul:8500\", jobs: [] }".into()),
            ("a relative socket", "{ consul: \"unix://run/consul.sock\", jobs: [] }".into()),
            (
                "a password in the address",
                "{ consul: \"http://me:hunter2@consul:8500\", jobs: [] }".into(),
            ),
            ("a number", "{ consul: 8500, jobs: [] }".into()),
            ("an empty address", "{ consul: \"\", jobs: [] }".into()),
            (
                "two schemes",
                "{ consul: { address: \"http://c:1\", scheme: \"https\" }, jobs: [] }".into(),
            ),
            (
                "half a client certificate",
                "{ consul: { address: \"https://c:1\", tls: { clientcert: \"/c\" } }, jobs: [] }"
                    .into(),
            ),
            (
                "a misspelt option",
                "{ consul: { address: \"c:1\", tls: { caFile: \"/c\" } }, jobs: [] }".into(),
            ),
            (
                "a token that is a number",
                "{ consul: { address: \"c:1\", token: 123456 }, jobs: [] }".into(),
            ),
            (
                "a mistake beside a token",
                "{ consul: { token: \"b1gs3cret\", adress: \"c:1\" }, jobs: [] }".into(),
            ),
            (
                "a syntax error beside a token",
                "{ consul: { \"token\": \"b1gs3cret\" adress } }".into(),
            ),
            ("etcd without endpoints", "{ etcd: {}, jobs: [] }".into()),
            ("etcd with none", "{ etcd: { endpoints: [] }, jobs: [] }".into()),
            (
                "etcd with a wrong one",
                "{ etcd: { endpoints: [\"http://e:2379\", \"e\"] }, jobs: [] }".into(),
            ),
            ("etcd as a string", "{ etcd: \"http://etcd:2379\", jobs: [] }".into()),
        ]),
    );
}

/// A 3.x file with these jobs.
fn jobs(jobs: &str) -> String {
    format!(
        "{{\n  consul: \"consul:8500\",\n  watches: [{{ name: \"backend\", interval: 3 }}],\n  jobs: [\n    {jobs}\n  ]\n}}"
    )
}

/// A 3.x file with a job that waits so.
fn when(when: &str) -> String {
    jobs(&format!(
        "{{ name: \"db\", exec: \"db\" }},\n    {{ name: \"app\", exec: \"app\", when: {when} }}"
    ))
}

#[test]
fn jobs_of_version_3() {
    snapshot("jobs_of_version_3", themes(&[
        ("a job that is none", jobs("\"app\"")),
        ("a job without anything", jobs("{}")),
        ("a port without a name", jobs("{ exec: \"/bin/app\", port: 80, health: { interval: 1, ttl: 5 } }")),
        ("a port without a health check", jobs("{ name: \"app\", exec: \"app\", port: 80 }")),
        ("a port below 0", jobs("{ name: \"app\", port: -1, health: { interval: 1, ttl: 5 } }")),
        ("a health check without anything", jobs("{ name: \"app\", port: \"80\", health: {} }")),
        ("an interval that is none", jobs("{ name: \"app\", health: { interval: \"5x\" } }")),
        ("a name that DNS does not take", jobs("{ name: \"My_App\", port: 80, health: { interval: 1, ttl: 5 } }")),
        ("two jobs of one name", jobs("{ name: \"app\", exec: \"a\" }, { name: \"app\", exec: \"b\" }")),
        ("an unknown status", jobs("{ name: \"app\", port: 80, initial_status: \"pasing\", health: { interval: 1, ttl: 5 } }")),
        ("both spellings of the status", jobs("{ name: \"app\", port: 80, initial_status: \"passing\", initialStatus: \"passing\", health: { interval: 1, ttl: 5 } }")),
        ("a timeout of nothing", jobs("{ name: \"app\", exec: \"a\", timeout: \"0s\" }")),
        ("a timeout for ever", jobs("{ name: \"app\", exec: \"a\", timeout: \"3000000h\" }")),
        ("a word for a switch", jobs("{ name: \"app\", exec: \"a\", logging: { raw: \"true\" } }")),
        ("restarts for ever on each event", jobs("{ name: \"db\", exec: \"db\" }, { name: \"app\", exec: \"a\", restarts: \"unlimited\", when: { source: \"db\", each: \"healthy\" } }")),
        ("restarts for ever on a signal", jobs("{ name: \"app\", exec: \"a\", restarts: \"unlimited\", when: { source: \"SIGHUP\" } }")),
        ("a watch without anything", "{ consul: \"c:1\", watches: [{}] }".into()),
        ("two watches of one name", "{ consul: \"c:1\", watches: [{ name: \"a\", interval: 1 }, { name: \"a\", interval: 1 }] }".into()),
        ("advertised without a catalog", "{ jobs: [{ name: \"app\", port: 80, health: { interval: 1, ttl: 5 } }] }".into()),
        ("watched without a catalog", "{ watches: [{ name: \"app\", interval: 1 }] }".into()),
        ("a metric twice", "{ telemetry: { metrics: [{ namespace: \"a\", name: \"b\", type: \"gauge\" }, { name: \"a_b\", type: \"gauge\" }] } }".into()),
        ("a metric of ours", "{ telemetry: { metrics: [{ name: \"containerpilot_events\", type: \"gauge\" }] } }".into()),
        ("a stop timeout below nothing", "{ jobs: [], stopTimeout: -1 }".into()),
    ]));
}

#[test]
fn when_of_version_3() {
    snapshot(
        "when_of_version_3",
        themes(&[
            ("once and each", when("{ source: \"db\", once: \"healthy\", each: \"healthy\" }")),
            (
                "an interval and a source",
                when("{ interval: \"5s\", source: \"db\", once: \"healthy\" }"),
            ),
            ("an interval that is too short", when("{ interval: \"10us\" }")),
            (
                "a timeout that is none",
                when("{ source: \"db\", once: \"healthy\", timeout: \"5x\" }"),
            ),
            ("a source without an event", when("{ source: \"db\" }")),
            ("an event without a source", when("{ once: \"healthy\" }")),
            ("an unknown job", when("{ source: \"bd\", once: \"healthy\" }")),
            ("an unknown job like no other", when("{ source: \"frontend\", once: \"healthy\" }")),
            ("an unknown watch", when("{ source: \"watch.backends\", each: \"changed\" }")),
            ("a watch without its prefix", when("{ source: \"backend\", each: \"changed\" }")),
            ("an unknown event of a job", when("{ source: \"db\", once: \"helthy\" }")),
            ("a watch's event of a job", when("{ source: \"db\", each: \"changed\" }")),
            (
                "a job's event of a watch",
                when("{ source: \"watch.backend\", each: \"exitSuccess\" }"),
            ),
            ("an unknown event of the program", when("{ once: \"start\" }")),
            ("an event that is no string", when("{ source: \"db\", once: true }")),
            ("a signal that we do not hear", when("{ source: \"SIGUSR1\" }")),
            ("a misspelt key", when("{ source: \"db\", on: \"healthy\" }")),
            ("a string", when("\"db healthy\"")),
            (
                "nothing to run on an interval",
                jobs("{ name: \"app\", when: { interval: \"5s\" } }"),
            ),
            (
                "a job that waits for itself",
                jobs(
                    "{ name: \"app\", exec: \"a\", when: { source: \"app\", once: \"healthy\" } }",
                ),
            ),
            (
                "jobs that wait for each other",
                jobs(
                    "{ name: \"a\", exec: \"a\", when: { source: \"b\", once: \"healthy\" } },\n    { name: \"b\", exec: \"b\", when: { source: \"c\", once: \"exitSuccess\" } },\n    { name: \"c\", exec: \"c\", when: { source: \"a\", once: \"exitFailed\" } },\n    { name: \"d\", exec: \"d\", when: { source: \"a\", once: \"healthy\" } }",
                ),
            ),
        ]),
    );
}

#[test]
fn everything_is_said_at_once() {
    let text = r#"{
  consul: "consul",
  services: [
    { name: "db", port: 70000, poll: 0, ttl: "x", helth: "true" },
    { port: "a", poll: 3, ttl: 10, interfaces: "eth9" },
  ],
  backends: [{ name: "db", poll: 3 }],
  stopTimout: 5,
}
"#;
    snapshot("everything_is_said_at_once", load(text, "app", &host(&[])).expect_err("wrong"));
}

#[test]
fn long_lines_are_cut_around_the_caret() {
    let tags = vec!["\"a-rather-long-tag\""; 20].join(", ");
    let text = format!(
        "{{ jobs: [{{ exec: \"a\", tags: [{tags}, 5], timout: 3, logging: {{}}, restarts: 1 }}], stopTimeout: 10 }}"
    );
    let message = load(&text, "", &host(&[])).expect_err("wrong");
    for line in message.lines().filter(|line| line.contains('|')) {
        assert!(line.chars().count() < 135, "{line}");
    }
    snapshot("long_lines_are_cut_around_the_caret", message);
}

#[test]
fn carets_stand_right_under_tabs_and_wide_letters() {
    snapshot(
        "carets_stand_right_under_tabs_and_wide_letters",
        load("{\n\t/* größe */ jobs: 5\n}", "", &host(&[])).expect_err("wrong"),
    );
}

#[test]
fn variables_are_wrong_too() {
    let wrong = host(&[("CONSUL_HTTP_ADDR", "consul"), ("CONSUL_HTTP_SSL", "yes")]);
    let message = load("{ jobs: [] }", "", &wrong).expect_err("wrong");
    let verify = host(&[("CONSUL_HTTP_SSL_VERIFY", "maybe")]);
    let second = load("{ consul: \"https://c:1\", jobs: [] }", "", &verify).expect_err("wrong");
    snapshot("variables_are_wrong_too", format!("{message}\n{second}"));
}

#[test]
fn the_application_is_wrong_too() {
    let host = host(&[]);
    let message =
        load("{ consul: \"c:1\", services: [] }", "{{.NAME}} x", &host).expect_err("wrong");
    let second = load("{ consul: \"c:1\", services: [] }", "app {{ .X", &host).expect_err("wrong");
    snapshot("the_application_is_wrong_too", format!("{message}\n{second}"));
}

#[test]
fn rendered_files_say_so() {
    let host = host(&[("PORT", "http")]);
    let text = "{\n  consul: \"c:1\",\n  services: [{ name: \"db\", port: {{ .PORT }}, poll: 1, ttl: 2 }]\n}";
    let unquoted = load(text, "", &host).expect_err("wrong");
    let quoted = text.replace("{{ .PORT }}", "\"{{ .PORT }}\"");
    let quoted = load(&quoted, "", &host).expect_err("wrong");
    snapshot("rendered_files_say_so", format!("{unquoted}\n\n{quoted}"));
}

#[test]
fn templates_are_wrong_too() {
    let host = host(&[]);
    let parse =
        load("{\n  consul: \"{{ .CONSUL | fallback }}\",\n}", "", &host).expect_err("wrong");
    let execute = load("{\n  consul: \"{{ loop 1 2 3 }}\",\n}", "", &host).expect_err("wrong");
    snapshot("templates_are_wrong_too", format!("{parse}\n\n{execute}"));
    for (text, said) in [
        (
            "{ consul: \"{{ .C | defualt 1 }}\" }",
            "\"defualt\" not defined: did you mean \"default\"?\n",
        ),
        ("{\n{{ if .C }} a: 1 }", "unexpected EOF: {{if}} of line 2 has no {{end}}\n"),
    ] {
        let error = load(text, "", &host).expect_err(text);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let secret = "hunter2-hunter2";
    let host = host(&[("DB_PASSWORD", secret), ("CONSUL_HTTP_TOKEN", secret)]);
    for text in [
        "{ consul: { address: \"c:1\", token: \"hunter2-hunter2\", x: 1 }, jobs: [] }",
        "{ consul: { address: \"c:1\", 'token' : 'hunter2-hunter2', x: 1 }, jobs: [] }",
        "{ consul: { address: \"c:1\", token: [\"hunter2-hunter2\"] }, jobs: [] }",
        "{ consul: { address: \"c:1\", token: hunter2-hunter2 }, jobs: [] }",
        "{ consul: { address: \"c:1\", token: \"hunter2-hunter2\n }, jobs: [] }",
        "{ consul: { address: \"c:1\", token: “hunter2-hunter2” }, jobs: [] }",
        "{ consul: \"http://me:hunter2-hunter2@c:1\", jobs: [] }",
        "{ jobs: [{ exec: \"mysql -phunter2-hunter2\", nam: 1 }] }",
        "{ jobs: [{ exec: \"mysql\", timeout: \"hunter2-hunter2\" }] }",
    ] {
        let message = load(text, "", &host).expect_err(text);
        assert!(!message.contains("hunter2"), "{text}:\n{message}");
    }
    // In messages of functions, and in addresses of the environment.
    for text in ["{ a: {{ loop .DB_PASSWORD }} }", "{ a: {{ 1 | regexReplaceAll .DB_PASSWORD }} }"]
    {
        let message = load(text, "", &host).expect_err(text);
        assert!(!message.contains("hunter2"), "{text}:\n{message}");
    }
    let variable = support::host(&[("CONSUL_HTTP_ADDR", "http://me:hunter2@c:1")]);
    let message = load("{ jobs: [] }", "", &variable).expect_err("wrong");
    assert!(!message.contains("hunter2"), "{message}");
    let good = load("{ consul: \"c:1\", jobs: [] }", "", &host).expect("good");
    assert!(!format!("{good:?}").contains("hunter2"));
}

#[test]
fn problems_can_be_read_by_programs() {
    let source = config::Source {
        name: "x".into(),
        text: "{\n  jobs: [{ name: \"a\", exec: \"a\", timeout: '5x', restart: 1 }]\n}".into(),
    };
    let errors = config::load(&source, &[], &host(&[])).expect_err("wrong");
    let [timeout, restart] = errors.problems() else { panic!("{errors}") };
    assert_eq!(timeout.path, "jobs[0] (a).timeout");
    assert_eq!(timeout.value.as_deref(), Some("\"5x\""));
    assert_eq!(timeout.rule, "want a number of seconds or like \"1m30s\"");
    let position = timeout.position.expect("a place");
    assert_eq!((position.line, position.column), (2, 43));
    assert_eq!((restart.path.as_str(), restart.value.as_deref()), ("jobs[0] (a)", Some("restart")));
}
