//! Checks of every kind, in good files.

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
    LogLevel, advice,
    catalog::Tls,
    hints,
    job::{Backoff, Health, HttpPlace, HttpProbe, Lines, OnFailure, Probe, Streams},
};
use proptest::prelude::*;
use support::{fixture, good, host, load};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The check of a job with these members of `health`.
fn health(members: &str) -> Health {
    let text = format!("{{ jobs: [{{ exec: 'app', health: {{ interval: 5, {members} }} }}] }}");
    good(&text, "", &[]).jobs[0].health.clone().expect("a check")
}

fn probe(members: &str) -> Probe {
    health(members).probe
}

fn http(members: &str) -> HttpProbe {
    match probe(members) {
        Probe::Http(probe) => *probe,
        other => panic!("{other:?}"),
    }
}

fn tcp(host: &str, port: u16) -> Probe {
    Probe::Tcp { host: host.into(), port }
}

fn grpc(host: &str, port: u16, service: &str) -> Probe {
    Probe::Grpc { host: host.into(), port, service: service.into(), tls: None }
}

fn file(path: &str, younger_than: Option<Duration>) -> Probe {
    Probe::File { path: path.into(), younger_than }
}

/// Whatever a check does, it is as the originals' were unless more is said.
#[test]
fn what_is_not_said() {
    let kinds = [
        "",
        "exec: 'a'",
        "http: 'http://a'",
        "tcp: 'a:1'",
        "grpc: 'a:1'",
        "file: '/a'",
        // What a template leaves of an unset variable is not given.
        "exec: 'a', startPeriod: '', failures: '', successes: '', onFailure: '', timeout: ''",
    ];
    for kind in kinds {
        let found = health(kind);
        let info = LogLevel::Info;
        let streams = Streams::Logged { stdout: info, stderr: info, lines: Lines::Text };
        let plain = Health::plain(found.probe.clone(), seconds(5), Some(seconds(5)), streams);
        assert_eq!(found, plain, "{kind}");
        assert_eq!(found.start_period, Duration::ZERO);
        assert_eq!((found.failures, found.successes), (1, 1));
        assert_eq!(found.on_failure, OnFailure::Nothing);
    }
    assert_eq!(probe(""), Probe::Always);
}

#[test]
fn all_that_can_be_said() {
    let config = fixture("rendering.json5", "", &[]);
    assert_eq!(config.warnings, Vec::<String>::new());
    let check = |name: &str| {
        let job = config.jobs.iter().find(|job| job.name == name).expect("a job");
        job.health.clone().expect("a check")
    };
    let nginx = check("nginx");
    assert_eq!((nginx.interval, nginx.timeout), (seconds(5), Some(seconds(2))));
    assert_eq!((nginx.failures, nginx.successes), (3, 2));
    assert_eq!((nginx.start_period, nginx.on_failure), (seconds(30), OnFailure::Restart));
    let tls = Tls {
        ca_file: Some("/etc/ca.pem".into()),
        server_name: Some("shop.example".into()),
        ..Tls::default()
    };
    let headers =
        [("Host", "shop.example"), ("Authorization", "Bearer 0123-4567"), ("X-Hops", "1")];
    let wanted = HttpProbe {
        place: HttpPlace::Https { host: "localhost".into(), port: 8443, tls },
        path: "/health?full=1".into(),
        method: "HEAD".into(),
        headers: headers.map(|(name, value)| (name.into(), value.into())).to_vec(),
        expect: vec![200..=200, 204..=299],
    };
    assert_eq!(nginx.probe, Probe::Http(Box::new(wanted)));
    assert_eq!(check("db").probe, tcp("::1", 5432));
    assert_eq!((check("db").failures, check("db").on_failure), (10, OnFailure::Shutdown));
    assert_eq!(check("cart").probe, grpc("localhost", 50051, "shop.Cart"));
    assert_eq!(check("batch").probe, file("/run/batch/alive", Some(seconds(90))));
    assert_eq!(check("once").probe, file("/run/once/ready", None));
}

#[test]
fn urls() {
    let place = |url: &str| {
        let probe = http(&format!("http: '{url}'"));
        (probe.place, probe.path)
    };
    let plain = |host: &str, port, path: &str| {
        (HttpPlace::Http { host: host.into(), port }, path.to_owned())
    };
    assert_eq!(place("http://localhost"), plain("localhost", 80, "/"));
    assert_eq!(place("http://localhost:8080/a/b?c=d/e"), plain("localhost", 8080, "/a/b?c=d/e"));
    assert_eq!(place("http://10.0.0.1:1?a"), plain("10.0.0.1", 1, "/?a"));
    assert_eq!(place("http://[::1]/a%20b"), plain("::1", 80, "/a%20b"));
    assert_eq!(place("http://[fd00::5]:8080"), plain("fd00::5", 8080, "/"));
    let tls = Tls::default();
    let secure = HttpPlace::Https { host: "a".into(), port: 443, tls };
    assert_eq!(place("https://a"), (secure, "/".into()));
    let socket = |path: &str| HttpPlace::Unix(path.into());
    assert_eq!(place("unix:///run/a.sock:/b?c:/d"), (socket("/run/a.sock"), "/b?c:/d".into()));
    assert_eq!(place("unix:///run/a.sock"), (socket("/run/a.sock"), "/".into()));
    let unverified = http("http: 'https://a', tls: { verify: false }").place;
    assert!(matches!(unverified, HttpPlace::Https { tls: Tls { insecure: true, .. }, .. }));
}

#[test]
fn requests() {
    let plain = http("http: 'http://a'");
    assert_eq!((plain.method.as_str(), plain.headers.len()), ("GET", 0));
    assert_eq!(plain.expect, [200..=399]);
    assert_eq!(http("http: 'http://a', method: 'post'").method, "POST");
    assert_eq!(http("http: 'http://a', method: '', expect: '', headers: ''").expect, [200..=399]);
    let expect = |value: &str| http(&format!("http: 'http://a', expect: {value}")).expect;
    assert_eq!(expect("200"), [200..=200]);
    assert_eq!(expect("' 204 '"), [204..=204]);
    assert_eq!(expect("'100 - 599'"), [100..=599]);
    assert_eq!(expect("['200', '300-304', 404]"), [200..=200, 300..=304, 404..=404]);
    // Null is not given; numbers are as they are written.
    let headers = http("http: 'http://a', headers: { A: null, B: 1.10, 'x-c': true }").headers;
    assert_eq!(headers, [("B".into(), "1.10".into()), ("x-c".into(), "true".into())]);
}

#[test]
fn places_and_files() {
    assert_eq!(probe("tcp: 'db:5432'"), tcp("db", 5432));
    assert_eq!(probe("tcp: '[fe80::1%eth0]:1'"), tcp("fe80::1%eth0", 1));
    assert_eq!(probe("grpc: 'cart:50051'"), grpc("cart", 50051, ""));
    assert_eq!(probe("grpc: 'cart:50051/'"), grpc("cart", 50051, ""));
    assert_eq!(probe("grpc: '[::1]:1/a/b'"), grpc("::1", 1, "a/b"));
    let Probe::Grpc { tls, .. } = probe("grpc: 'a:1', tls: {}") else { panic!("by gRPC") };
    assert_eq!(tls.as_deref(), Some(&Tls::default()));
    assert_eq!(probe("file: { path: '/a' }"), file("/a", None));
    assert_eq!(probe("file: { path: '/a', youngerThan: '' }"), file("/a", None));
}

#[test]
fn checks_of_older_services() {
    let config = fixture("checks.json5", "app", &[]);
    assert_eq!(config.warnings, Vec::<String>::new());
    let check = |index: usize| config.jobs[index].health.clone().expect("a check");
    let Probe::Http(app) = check(0).probe else { panic!("a request") };
    assert_eq!((app.expect, check(0).failures), (vec![200..=299], 2));
    // Until the next one, unless it is said; but a command may take for ever.
    assert_eq!((check(0).interval, check(0).timeout), (seconds(5), Some(seconds(5))));
    assert_eq!((check(1).probe, check(1).timeout), (tcp("localhost", 5432), Some(seconds(2))));
    assert_eq!((check(1).start_period, check(1).on_failure), (seconds(60), OnFailure::Shutdown));
    assert_eq!(check(2).probe, file("/run/batch/alive", Some(seconds(90))));
    let command = check(3).command().cloned().expect("a command");
    assert_eq!(
        (command.program.as_str(), command.args.as_slice()),
        ("/bin/check", &["--all".into()][..])
    );
    assert_eq!((check(3).timeout, check(3).successes), (None, 2));
    assert_eq!(check(4).probe, grpc("localhost", 50051, ""));
}

/// What a check restarts waits as what restarts by itself.
#[test]
fn restarts_of_what_is_not_healthy() {
    let job = |members: &str, health: &str| {
        let text = format!(
            "{{ jobs: [{{ exec: 'a', {members} health: {{ interval: 1, tcp: 'a:1', {health} }} }}] }}"
        );
        let config = good(&text, "", &[]);
        (config.jobs[0].backoff, config.warnings.len())
    };
    assert_eq!(job("", "onFailure: 'none'"), (Backoff::None, 0));
    assert_eq!(job("", "onFailure: 'RESTART'"), (Backoff::Exponential, 0));
    assert_eq!(job("backoff: 'none',", "onFailure: 'restart'"), (Backoff::None, 0));
    assert_eq!(job("backoff: 'exponential',", "onFailure: 'restart'"), (Backoff::Exponential, 0));
    assert_eq!(job("backoff: 'exponential',", "onFailure: 'shutdown'"), (Backoff::None, 1));
}

#[test]
fn advice_about_a_check_that_cannot_pass_yet() {
    let said_of = |health: &str| {
        let text = format!(
            "{{ jobs: [{{ name: 'app', exec: 'a', health: {{ interval: 1, tcp: 'a:1', {health} }} }}] }}"
        );
        advice(&good(&text, "", &[]), &host(&[]).environment)
    };
    let said = |what: &str| {
        format!(
            "app: the first check runs at once, and {what} if it fails; want a startPeriod, or \
             more failures than one"
        )
    };
    assert_eq!(said_of("onFailure: 'restart'"), [said("restarts it")]);
    assert_eq!(said_of("onFailure: 'shutdown', successes: 2"), [said("ends the program")]);
    assert_eq!(said_of("onFailure: 'none'"), Vec::<String>::new());
    assert_eq!(said_of("onFailure: 'restart', failures: 2"), Vec::<String>::new());
    assert_eq!(said_of("onFailure: 'restart', startPeriod: '1s'"), Vec::<String>::new());
}

#[test]
fn hints_about_a_command_that_only_asks() {
    let said_of = |exec: &str| {
        let text = format!(
            "{{ jobs: [{{ name: 'app', exec: 'a', health: {{ interval: 1, exec: {exec} }} }}] }}"
        );
        hints_of(&good(&text, "", &[]))
    };
    let said = "app: its check runs curl; \"http\": \"http://localhost/health\" in \"health\" does \
                the same without a process";
    for exec in [
        "'curl -f http://localhost/health'",
        "'/usr/bin/curl --fail -s -o /dev/null http://localhost/health'",
        "'curl -sSf http://localhost/health'",
        "['curl', '--silent', '--show-error', '--fail', 'http://localhost/health']",
    ] {
        assert_eq!(said_of(exec), [said], "{exec}");
    }
    let connects = |place: &str| {
        format!(
            "app: its check runs nc; \"tcp\": \"{place}\" in \"health\" does the same without a process"
        )
    };
    assert_eq!(said_of("'nc -z localhost 5432'"), [connects("localhost:5432")]);
    assert_eq!(said_of("'/bin/nc -z ::1 5432'"), [connects("[::1]:5432")]);
    // Another check, or perhaps another one.
    for exec in [
        "'curl http://localhost/health'",
        "'curl -f -L http://localhost/health'",
        "'curl -f -'",
        "'curl -f -o -s http://localhost/health'",
        "'curl -f http://localhost/health -o'",
        "'nc -z localhost postgres'",
        "'nc -zu localhost 5432'",
        "'nc -z -w 1 localhost 5432'",
        "'curl -f --max-time 5 http://localhost/health'",
        "'curl -f http://localhost/health http://localhost/other'",
        "'curl -f localhost/health'",
        "'curl -f -o http://localhost/health'",
        "'curl -f /dev/null http://localhost/health'",
        "'curl -f unix:///run/a.sock:/health'",
        "['sh', '-c', 'curl -f http://localhost/health']",
        "'curl -f http://me:hunter2@localhost/health'",
        "'wget -q -O /dev/null http://localhost/health'",
    ] {
        assert_eq!(said_of(exec), Vec::<String>::new(), "{exec}");
    }
    let old = good(
        "{ consul: 'c:1', services: [{ name: 'app', poll: 1, ttl: 5, health: 'curl -f http://a/' }] }",
        "",
        &[],
    );
    let said = "app: its check runs curl; \"health\": { \"http\": \"http://a/\" } does the same without a process";
    assert_eq!(hints_of(&old), [said]);
}

fn hints_of(config: &config::Config) -> Vec<String> {
    hints(config, &host(&[]).environment)
}

/// What a header holds is shown nowhere, if its name says that it must not be.
#[test]
fn secrets_of_headers() {
    let text = "{ jobs: [{ exec: 'a hunter2-hunter2', health: { interval: 1, http: 'http://a', \
                headers: { Authorization: 'Bearer hunter2-hunter2', Accept: 'text/plain' } } }] }";
    let config = good(text, "", &[]);
    let whole = format!("{config:?}");
    assert!(whole.contains("Bearer ***") && whole.contains("text/plain"), "{whole}");
    assert!(!whole.contains("hunter2") && !format!("{:?}", config.jobs).contains("text/plain"));
}

proptest! {
    /// Whatever a place is: it is read as it was written, or refused with words.
    #[test]
    fn places_are_read_as_they_are_written(
        text in prop_oneof!["[a-z:/\\[\\]@.0-9%-]{0,20}", "(https?|unix)://[ -~]{0,24}", "\\PC{0,12}"],
    ) {
        let quoted = serde_json::to_string(&text).expect("JSON");
        for kind in ["http", "tcp", "grpc"] {
            let file = format!(
                "{{ jobs: [{{ exec: 'app', health: {{ interval: 5, {kind}: {quoted} }} }}] }}"
            );
            // A template in it may be none.
            let Ok(config) = load(&file, "", &host(&[])) else { continue };
            let check = config.jobs[0].health.as_ref().expect("a check");
            let bracketed = |host: &str| match host.contains(':') {
                true => format!("[{host}]"),
                false => host.to_owned(),
            };
            match &check.probe {
                Probe::Tcp { host, port } => {
                    let (_, written) = text.rsplit_once(':').expect("a port");
                    prop_assert_eq!(written.parse(), Ok(*port));
                    prop_assert!(text.starts_with(&bracketed(host)), "{}", text);
                }
                Probe::Grpc { host, port, service, .. } => {
                    let whole = format!("{}:{port}", bracketed(host));
                    // The port may have zeros before it.
                    prop_assert!(text.starts_with(&bracketed(host)) && !whole.contains('/'));
                    prop_assert!(text.ends_with(service.as_str()));
                }
                Probe::Http(probe) => {
                    prop_assert!(probe.path.starts_with('/'));
                    prop_assert!(probe.path.bytes().all(|byte| byte.is_ascii_graphic()));
                    prop_assert!(text.ends_with(probe.path.trim_start_matches('/')), "{}", text);
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
