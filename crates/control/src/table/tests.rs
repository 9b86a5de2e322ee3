use std::time::Duration;

use super::*;
use crate::time::parse;
use crate::wire::{CatalogStatus, InstanceStatus, ServiceStatus};

fn now() -> SystemTime {
    parse("2026-11-21T12:00:00Z").unwrap()
}

/// The first character of each line is a bar, so that nothing at either end is lost.
fn plain(status: &Status, width: Option<usize>) -> String {
    let text = render(status, width, Style::Plain, now());
    text.lines().map(|line| format!("{line}|\n")).collect()
}

fn job(name: &str, state: JobState, since: &str) -> JobStatus {
    let since = format!("2026-11-21T{since}Z");
    JobStatus { name: name.into(), state, since, ..JobStatus::default() }
}

fn instance(number: u16) -> InstanceStatus {
    let (id, address) = (format!("backend-{number}"), format!("10.0.1.{number}"));
    InstanceStatus { id, address, port: 9000 }
}

fn sample() -> Status {
    let exit = |code, signal: Option<&str>, at: &str| {
        Some(LastExit { code, signal: signal.map(Into::into), at: format!("2026-11-21T{at}Z") })
    };
    let health = |status, since: &str, output: &str| {
        let since = format!("2026-11-21T{since}Z");
        Some(HealthStatus { status, since, output: output.into() })
    };
    let service = |name: &str, address: &str, registered| {
        let (name, address) = (name.to_owned(), address.to_owned());
        Some(ServiceStatus { id: format!("{name}-host"), name, address, port: 8080, registered })
    };
    let jobs = vec![
        JobStatus {
            last_exit: exit(Some(0), None, "08:00:07.5"),
            ..job("migrate", JobState::Completed, "08:00:07.5")
        },
        JobStatus {
            pid: Some(41),
            restarts: 2,
            last_exit: exit(None, Some("SIGKILL"), "11:56:48"),
            health: health(Health::Healthy, "11:56:55", "ok"),
            service: service("app", "10.0.0.7", true),
            ..job("app", JobState::Running, "11:56:48")
        },
        JobStatus {
            pid: Some(1234),
            restarts: 17,
            last_exit: exit(Some(3), None, "11:59:58"),
            health: health(
                Health::Unhealthy,
                "11:59:59",
                "one\ntwo\n\nthree\nfour\nfive\n\x1b[31mconnect: \x1b[0;1mrefused\x1b[K\x07\n",
            ),
            service: service("cache", "fd00::7", false),
            ..job("cache", JobState::Running, "11:59:59")
        },
        JobStatus {
            waiting_for: Some("cache healthy".into()),
            ..job("warmup", JobState::Waiting, "08:00:00")
        },
        JobStatus {
            restarts: 1,
            last_exit: exit(None, None, "11:59:00"),
            health: health(Health::Unknown, "08:00:00", ""),
            ..job("broken", JobState::Backoff, "11:59:00")
        },
    ];
    let watch = |name: &str, tag: Option<&str>, instances| WatchStatus {
        name: name.into(),
        service: name.into(),
        tag: tag.map(Into::into),
        dc: tag.map(|_| "dc2".into()),
        instances,
        ..WatchStatus::default()
    };
    Status {
        version: "4.0.0".into(),
        generation: 2,
        pid: 1,
        since: "2026-11-19T07:59:59.250Z".into(),
        config: "3.x".into(),
        catalog: Some(CatalogStatus {
            name: "consul localhost:8500".into(),
            reachable: true,
            outage: None,
            since: "2026-11-21T07:00:00Z".into(),
        }),
        jobs,
        watches: vec![
            watch("backend", None, vec![instance(1), instance(2)]),
            watch("db", Some("primary"), Vec::new()),
        ],
        ..Status::default()
    }
}

#[test]
fn everything_is_shown_where_there_is_room() {
    insta::assert_snapshot!(plain(&sample(), None), @r"
    containerpilot 4.0.0  up 2d04h, pid 1, 3.x configuration, generation 2|
    catalog consul localhost:8500  reachable for 5h00m|
    |
    JOB      STATE                       PID  SINCE  RESTARTS  LAST EXIT               HEALTH         SERVICE|
    migrate  completed                        3h59m         0  ok, 3h59m ago|
    app      running                      41  3m12s         2  SIGKILL, 3m12s ago      healthy 3m05s  app 10.0.0.7:8080|
    cache    running                    1234     1s        17  code 3, 2s ago          unhealthy 1s   cache [fd00::7]:8080 (not registered)|
      | two|
      | three|
      | four|
      | five|
      | connect: refused?|
    warmup   waiting for cache healthy        4h00m         0|
    broken   backoff                          1m00s         1  not started, 1m00s ago  unknown|
    |
    WATCH    SERVICE                INSTANCES|
    backend  backend                10.0.1.1:9000  backend-1|
                                    10.0.1.2:9000  backend-2|
    db       db tag=primary dc=dc2  none|
    ");
}

#[test]
fn elections_and_keys() {
    let election = |name: &str, state, leader: Option<&str>, token| ElectionStatus {
        name: name.into(),
        state,
        leader: leader.map(Into::into),
        token,
        since: "2026-11-21T11:59:00Z".into(),
        service: Some(ServiceStatus {
            name: name.into(),
            id: format!("{name}-db-1"),
            address: "10.0.0.7".into(),
            port: 5432,
            registered: true,
        }),
    };
    let status = Status {
        jobs: Vec::new(),
        watches: vec![
            WatchStatus {
                name: "settings".into(),
                key: Some("app/settings".into()),
                keys: vec!["app/settings".into()],
                ..WatchStatus::default()
            },
            WatchStatus {
                name: "app/".into(),
                key_prefix: Some("app/".into()),
                keys: (1..=12).map(|n| format!("app/{n}")).collect(),
                ..WatchStatus::default()
            },
            WatchStatus { name: "x".into(), key: Some("x".into()), ..WatchStatus::default() },
        ],
        elections: vec![
            election("primary", ElectionState::Leading, Some("db-1"), Some(42)),
            election("backup", ElectionState::Following, Some("db-2"), None),
            election("other", ElectionState::Out, None, None),
        ],
        ..sample()
    };
    insta::assert_snapshot!(plain(&status, None), @r"
    containerpilot 4.0.0  up 2d04h, pid 1, 3.x configuration, generation 2|
    catalog consul localhost:8500  reachable for 5h00m|
    |
    WATCH     SERVICE           INSTANCES|
    settings  key app/settings  app/settings|
    app/      keys app/…        app/1|
                                app/2|
                                app/3|
                                app/4|
                                app/5|
                                app/6|
                                app/7|
                                app/8|
                                app/9|
                                app/10|
                                and 2 more|
    x         key x             none|
    |
    ELECTION  STATE      SINCE  LEADER  TOKEN  SERVICE|
    primary   leading    1m00s  db-1       42  primary 10.0.0.7:5432|
    backup    following  1m00s  db-2|
    other     out        1m00s  nobody|
    ");
}

#[test]
fn templates() {
    let template = |name: &str, state| TemplateStatus {
        name: name.into(),
        destination: format!("/etc/{name}.conf"),
        state,
        since: Some("2026-11-21T11:59:00Z".into()),
        ..TemplateStatus::default()
    };
    let failure = "its check exited with 1: unknown directive in /etc/haproxy.conf:7".to_owned();
    let status = Status {
        jobs: Vec::new(),
        watches: Vec::new(),
        templates: vec![
            template("nginx", TemplateState::Current),
            TemplateStatus {
                since: None,
                waiting_for: Some("service \"db\"".into()),
                ..template("pool", TemplateState::Waiting)
            },
            TemplateStatus { failure: Some(failure), ..template("haproxy", TemplateState::Failed) },
            TemplateStatus {
                waiting_for: Some("key \"limits\" does not exist".into()),
                ..template("limits", TemplateState::Current)
            },
        ],
        ..sample()
    };
    insta::assert_snapshot!(plain(&status, None), @r#"
    containerpilot 4.0.0  up 2d04h, pid 1, 3.x configuration, generation 2|
    catalog consul localhost:8500  reachable for 5h00m|
    |
    TEMPLATE  STATE    SINCE  FILE|
    nginx     current  1m00s  /etc/nginx.conf|
    pool      waiting         /etc/pool.conf|
      | waits: service "db"|
    haproxy   failed   1m00s  /etc/haproxy.conf|
      | its check exited with 1: unknown directive in /etc/haproxy.conf:7|
    limits    current  1m00s  /etc/limits.conf|
      | waits: key "limits" does not exist|
    "#);
}

#[test]
fn what_matters_least_is_left_out_where_there_is_none() {
    insta::assert_snapshot!(plain(&sample(), Some(80)), @r"
    containerpilot 4.0.0  up 2d04h, pid 1, 3.x configuration, generation 2|
    catalog consul localhost:8500  reachable for 5h00m|
    |
    JOB      STATE                      SINCE  HEALTH|
    migrate  completed                  3h59m|
    app      running                    3m12s  healthy 3m05s|
    cache    running                       1s  unhealthy 1s|
      | two|
      | three|
      | four|
      | five|
      | connect: refused?|
    warmup   waiting for cache healthy  4h00m|
    broken   backoff                    1m00s  unknown|
    |
    WATCH    SERVICE                INSTANCES|
    backend  backend                10.0.1.1:9000  backend-1|
                                    10.0.1.2:9000  backend-2|
    db       db tag=primary dc=dc2  none|
    ");
    insta::assert_snapshot!(plain(&sample(), Some(40)), @r"
    containerpilot 4.0.0  up 2d04h, pid 1, …|
    catalog consul localhost:8500  reachabl…|
    |
    JOB      STATE                      HEA…|
    migrate  completed|
    app      running                    hea…|
    cache    running                    unh…|
      | two|
      | three|
      | four|
      | five|
      | connect: refused?|
    warmup   waiting for cache healthy|
    broken   backoff                    unk…|
    |
    WATCH    INSTANCES|
    backend  10.0.1.1:9000  backend-1|
             10.0.1.2:9000  backend-2|
    db       none|
    ");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in 0..150 {
        for line in render(&sample(), Some(width), Style::Plain, now()).lines() {
            assert!(line.chars().count() <= width.max(1), "{width}: {line}");
        }
    }
}

#[test]
fn a_character_of_two_columns_is_not_cut_in_half() {
    let mut status = sample();
    status.jobs.truncate(3);
    status.jobs[2].name = "缓存".into();
    status.jobs[2].health.as_mut().unwrap().output = "❌ 拒绝连接".into();
    let text = |width| plain(&status, width);
    assert!(text(None).contains("app      running"), "{}", text(None));
    assert!(text(None).contains("缓存     running"), "{}", text(None));
    // "  | ❌ " takes 7 columns, each of the others 2, the sign that something is missing 1.
    for (width, line) in [
        (15, "  | ❌ 拒绝连接|"),
        (14, "  | ❌ 拒绝连…|"),
        (13, "  | ❌ 拒绝…|"),
        (12, "  | ❌ 拒绝…|"),
        (11, "  | ❌ 拒…|"),
        (6, "  | …|"),
    ] {
        let text = text(Some(width));
        assert!(text.contains(&format!("\n{line}\n")), "{width}: {text}");
    }
    // What follows it would still fit.
    status.catalog.as_mut().unwrap().name = "目录".into();
    let text = plain(&status, Some(12));
    assert!(text.contains("\ncatalog 目…|\n"), "{text}");
}

#[test]
fn trouble_is_said_first() {
    let mut status = sample();
    status.maintenance = true;
    status.stopping = true;
    status.jobs.clear();
    status.watches.clear();
    let catalog = status.catalog.as_mut().unwrap();
    catalog.reachable = false;
    catalog.outage = Some("connection refused".into());
    insta::assert_snapshot!(plain(&status, None), @r"
    containerpilot 4.0.0  up 2d04h, pid 1, 3.x configuration, generation 2|
    catalog consul localhost:8500  unreachable for 5h00m: connection refused|
    maintenance: services are kept out of the catalog|
    stopping: all jobs are being ended|
    ");
}

#[test]
fn a_small_program_has_a_small_table() {
    let jobs = vec![JobStatus { pid: Some(7), ..job("app", JobState::Running, "11:59:50") }];
    let status = Status { jobs, catalog: None, watches: Vec::new(), ..sample() };
    insta::assert_snapshot!(plain(&status, None), @r"
    containerpilot 4.0.0  up 2d04h, pid 1, 3.x configuration, generation 2|
    |
    JOB  STATE    PID  SINCE  RESTARTS|
    app  running    7    10s         0|
    ");
}

#[test]
fn many_instances_are_counted() {
    let mut status = sample();
    status.watches.truncate(1);
    status.watches[0].instances = (1..=12).map(instance).collect();
    let text = plain(&status, None);
    assert!(text.contains("10.0.1.10:9000") && !text.contains("10.0.1.11:9000"), "{text}");
    assert!(text.contains("and 2 more"), "{text}");
}

#[test]
fn colours_say_what_needs_attention() {
    let text = render(&sample(), None, Style::Colour, now());
    assert!(text.contains("\x1b[31munhealthy 1s\x1b[0m"), "{text}");
    assert!(text.contains("\x1b[32mhealthy 3m05s\x1b[0m"), "{text}");
    // Without its colours it is the plain table.
    let without: String = text.lines().map(|line| clean(line) + "\n").collect();
    assert_eq!(without, render(&sample(), None, Style::Plain, now()));
}

#[test]
fn what_a_check_wrote_does_nothing_to_the_terminal() {
    assert_eq!(
        clean("a\x1b[2Jb\x1b]0;title\x07c\rd\u{9b}1me\tf\u{202e}"),
        "ab?]0;title?c?d?1me f?"
    );
    for char in "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{2066}\u{2067}\u{2069}".chars() {
        assert_eq!(clean(&format!("a{char}b")), "a?b", "{char:?}");
    }
    assert_eq!(clean("\x1b"), "?");
    assert_eq!(clean("\x1b[12;"), "");
}

#[test]
fn time_goes_on() {
    let later = render(&sample(), None, Style::Plain, now() + Duration::from_secs(60));
    assert!(later.contains("healthy 4m05s"), "{later}");
}

/// Those of the time to start, above all.
#[test]
fn failures_that_do_not_count_yet_are_shown() {
    let mut status = sample();
    let broken = status.jobs.iter_mut().find(|job| job.name == "broken").expect("it is there");
    broken.health.as_mut().expect("it has some").output = "no connection to db:80".into();
    let text = plain(&status, None);
    assert!(text.contains("unknown|\n  | no connection to db:80|\n"), "{text}");
}
