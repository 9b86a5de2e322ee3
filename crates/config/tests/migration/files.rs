//! 2.x files of all kinds.

use proptest::prelude::*;

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
pub(super) fn file() -> impl Strategy<Value = String> {
    let command = || pick(COMMANDS);
    let check = || {
        let kind = pick(&[
            "exec: '/bin/x {{ .NAME }}'",
            "HTTP: 'http://localhost:{{ .PORT }}/a', headers: { Host: '{{ .NAME }}', 'x-a': 1.10 }",
            "http: 'https://a/', Expect: [200, '204-299'], tls: { CAfile: '/x' }, method: 'head'",
            "tcp: '{{ .NAME }}:{{ .PORT }}'",
            "grpc: 'localhost:1/{{ .NAME }}', TLS: { Verify: false }",
            "File: '/run/x'",
            "file: { PATH: '/run/x', YoungerThan: '{{ .PORT }}s' }",
        ]);
        let turns = members(vec![
            ("StartPeriod", pick(&["'1m'", "5", "''"])),
            ("Failures", pick(&["3", "'{{ .PORT }}'"])),
            ("successes", pick(&["2"])),
            ("onFailure", pick(&["'none'", "'Shutdown'"])),
        ]);
        (kind, turns).prop_map(|(kind, turns)| format!("{{ {kind}, {turns} }}")).boxed()
    };
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
            ("health", prop_oneof![command(), check()].boxed()),
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
