//! Variables that are set while the program runs.

use serde_json::json;
use testkit::{Running, Signal};

use crate::support::{APP, await_lines, jobs, last_process, lines, pilot};
use crate::{ask, reload_with, tell};

/// Leaves its environment in `environment`.
const DUMP: &str = "env >environment; echo >>dumps";

/// The environment of a process that is started now.
#[track_caller]
fn dump(run: &Running) -> Vec<String> {
    let before = lines(run, "dumps").len();
    run.signal(Signal::SIGUSR2);
    await_lines(run, "dumps", before + 1);
    lines(run, "environment")
}

fn value<'a>(environment: &'a [String], name: &str) -> Option<&'a str> {
    environment.iter().find_map(|line| line.strip_prefix(&format!("{name}=")))
}

fn start() -> Running {
    let mut config = jobs(json!([
        { "name": "app", "exec": "./app" },
        { "name": "dump", "exec": "./dump", "when": { "source": "SIGUSR2" } },
    ]));
    config["jobs"][1]["env"] = json!({ "OWN": "{{ .COLOUR | default `none` }}" });
    let run = pilot(config)
        .script("app", APP)
        .script("dump", DUMP)
        .env("INHERITED", "from the start")
        .spawn();
    await_lines(&run, "app.pids", 1);
    run
}

#[test]
fn it_reaches_later_children_and_no_running_one() {
    let run = start();
    let before = dump(&run);
    assert_eq!(value(&before, "COLOUR"), None);
    assert_eq!(value(&before, "INHERITED"), Some("from the start"));
    assert_eq!(value(&before, "OWN"), Some("none"));
    let long = "x".repeat(20_000);
    tell(&run, &["-putenv", "COLOUR=green", "-putenv", "INHERITED=anew", "-putenv", "A=b=c"]);
    tell(&run, &["-putenv", &format!("LONG={long}")]);
    let after = dump(&run);
    assert_eq!(value(&after, "COLOUR"), Some("green"));
    assert_eq!(value(&after, "INHERITED"), Some("anew"));
    assert_eq!(value(&after, "A"), Some("b=c"), "split at the first = only");
    assert_eq!(value(&after, "LONG"), Some(&*long));
    assert_eq!(value(&after, "OWN"), Some("none"), "templates are rendered by a reload");
    let app = last_process(&run, "app.pids");
    let running = std::fs::read(format!("/proc/{}/environ", app.pid())).unwrap();
    let running: Vec<_> = running.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    assert!(running.iter().any(|line| line == "INHERITED=from the start"), "{running:?}");
    assert!(!running.iter().any(|line| line.starts_with("COLOUR=")), "{running:?}");
}

#[test]
fn it_is_unset_again() {
    let run = start();
    tell(&run, &["-putenv", "COLOUR=green", "-putenv", "INHERITED="]);
    let environment = dump(&run);
    assert_eq!(value(&environment, "COLOUR"), Some("green"));
    assert_eq!(value(&environment, "INHERITED"), None);
    tell(&run, &["-putenv", "COLOUR="]);
    assert_eq!(value(&dump(&run), "COLOUR"), None);
}

#[test]
fn templates_see_it_at_the_next_reload_and_it_stays() {
    let run = start();
    let app = last_process(&run, "app.pids");
    tell(&run, &["-putenv", "COLOUR=green"]);
    let text = run.read("app.json").unwrap();
    reload_with(&run, &text);
    assert_eq!(value(&dump(&run), "OWN"), Some("green"));
    assert_eq!(value(&dump(&run), "COLOUR"), Some("green"));
    tell(&run, &["-putenv", "COLOUR=", "-reload"]);
    crate::await_status(&run, "/generation", 3);
    let environment = dump(&run);
    assert_eq!((value(&environment, "OWN"), value(&environment, "COLOUR")), (Some("none"), None));
    assert!(app.lives() && lines(&run, "app.pids").len() == 1, "its definition is the same");
}

#[test]
fn all_of_a_request_counts_or_nothing() {
    let run = start();
    for body in [r#"{"GOOD": "1", "NO NAME": "1"}"#, r#"{"GOOD": "1", "LIST": [1]}"#] {
        assert_eq!(ask(&run, "POST", "/v3/environ", body).status, 400, "{body}");
        assert_eq!(value(&dump(&run), "GOOD"), None, "{body}");
    }
    assert_eq!(ask(&run, "POST", "/v3/environ", r#"{"GOOD": 1.50}"#).status, 200);
    assert_eq!(value(&dump(&run), "GOOD"), Some("1.50"));
}

/// What the program says of itself cannot be changed.
#[test]
fn what_is_ours_stays_ours() {
    let run = start();
    tell(&run, &["-putenv", "CONTAINERPILOT_PID=1", "-putenv", "CONTAINERPILOT_APP_PID=1"]);
    let environment = dump(&run);
    let app = last_process(&run, "app.pids").pid().to_string();
    assert_eq!(value(&environment, "CONTAINERPILOT_PID"), Some(&*run.pid().to_string()));
    assert_eq!(value(&environment, "CONTAINERPILOT_APP_PID"), Some(&*app));
}
