//! What is asked on the control socket and with sub-commands, and what is answered.

use serde_json::{Value, json};
use testkit::Running;

use crate::support::{APP, NO_CATALOG, await_lines, jobs, last_process, pilot, stop};
use crate::{SAY, ask, await_status, look, refused, saying, tell};

/// A job of the application, and a counter and a gauge.
fn config() -> Value {
    let mut config = jobs(json!([{ "name": "app", "exec": "./app" }]));
    config["telemetry"] = json!({ "port": testkit::free_port(), "interfaces": "static:127.0.0.1",
        "metrics": [
            { "name": "hits", "type": "counter", "help": "Hits." },
            { "name": "level", "type": "gauge", "help": "Level." },
        ] });
    config
}

fn start() -> Running {
    let run = pilot(config()).script("app", APP).spawn();
    await_lines(&run, "app.pids", 1);
    run
}

/// The value of a metric at the endpoint.
#[track_caller]
fn metric(run: &Running, name: &str) -> Option<f64> {
    let config: Value = serde_json::from_str(&run.read("app.json").unwrap()).unwrap();
    let address = format!("127.0.0.1:{}", config["telemetry"]["port"]);
    let page = testkit::http("GET", &address, "/metrics", "").unwrap().body;
    let value = page.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    value.map(|value| value.parse().unwrap())
}

#[test]
fn every_request_is_carried_out() {
    let run = start();
    let app = last_process(&run, "app.pids");
    let ping = ask(&run, "GET", "/v3/ping", "");
    assert_eq!((ping.status, ping.body.as_str()), (200, "ok"));
    for (path, body) in [
        ("/v3/environ", r#"{"COLOUR": "green", "GONE": null, "NUMBER": 1.50}"#),
        ("/v3/metric", r#"{"hits": 2, "level": -1.5}"#),
        ("/v3/maintenance/enable", ""),
        ("/v3/maintenance/enable", ""),
        ("/v3/maintenance/disable", ""),
        ("/v3/maintenance/disable", ""),
        ("/v3/reload", ""),
    ] {
        let answer = ask(&run, "POST", path, body);
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{path}");
    }
    assert_eq!((metric(&run, "hits"), metric(&run, "level")), (Some(2.0), Some(-1.5)));
    await_status(&run, "/generation", 2);
    let status = look(&run);
    assert_eq!(status["jobs"][0]["name"], "app");
    assert_eq!(status["jobs"][0]["pid"], app.pid(), "an unchanged job goes on");
}

#[test]
fn what_is_wrong_with_a_request_is_said_and_nothing_of_it_is_done() {
    let run = start();
    for (path, right, wrong) in [
        ("/v3/environ", "POST", "GET"),
        ("/v3/metric", "POST", "PUT"),
        ("/v3/reload", "POST", "GET"),
        ("/v3/maintenance/enable", "POST", "GET"),
        ("/v3/maintenance/disable", "POST", "DELETE"),
        ("/v3/ping", "GET", "POST"),
        ("/v3/status", "GET", "POST"),
        ("/v3/events", "GET", "POST"),
    ] {
        let answer = ask(&run, wrong, path, "");
        assert_eq!(answer.status, 405, "{wrong} {path}: {}", answer.body);
        assert_eq!(answer.header("allow"), Some(right), "{wrong} {path}");
    }
    let long = format!(r#"{{"LONG": "{}"}}"#, "x".repeat(64 * 1024));
    for (method, path, body, status, said) in [
        ("POST", "/v3/environ", "", 400, "the body is empty"),
        ("POST", "/v3/environ", "A=1", 400, "not a JSON object"),
        ("POST", "/v3/environ", "[1]", 400, "not a JSON object"),
        ("POST", "/v3/environ", r#"{"GOOD": "1", "NO NAME": "1"}"#, 400, "NO NAME"),
        ("POST", "/v3/environ", r#"{"GOOD": "1", "LIST": []}"#, 400, "LIST: want a string"),
        ("POST", "/v3/environ", &long, 413, "longer than 65536 bytes"),
        ("POST", "/v3/metric", r#"{"hits": "many"}"#, 400, "finite number"),
        ("POST", "/v3/metric", r#"{"hits": 1, "hist": 1}"#, 400, "hist"),
        ("POST", "/v3/metric", r#"{"hits": -1}"#, 400, "hits"),
        ("GET", "/v3/events?event=helthy", "", 400, "want one of healthy"),
        ("GET", "/v3/nothing", "", 404, "no such path"),
        ("GET", "/", "", 404, "no such path"),
    ] {
        let answer = ask(&run, method, path, body);
        assert_eq!(answer.status, status, "{path} {body:.40}: {}", answer.body);
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(said), "{path} {body:.40}: {error}");
    }
    assert_eq!(metric(&run, "hits").unwrap_or(0.0), 0.0, "all or nothing");
    assert_eq!(tell(&run, &["-ping"]), "ok\n", "it goes on");
}

#[test]
fn sub_commands_are_combined_and_repeated() {
    let run = start();
    assert_eq!(tell(&run, &["-ping", "-ping"]), "ok\nok\n");
    for words in [
        &["-putmetric", "hits=1", "-putmetric=hits=2", "--putmetric", "level=4e-1"][..],
        &["-maintenance", "enable", "-putenv", "A=1", "-reload", "-maintenance=enable"],
    ] {
        assert_eq!(tell(&run, words), "", "{words:?}");
    }
    assert_eq!((metric(&run, "hits"), metric(&run, "level")), (Some(3.0), Some(0.4)));
    await_status(&run, "/generation", 2);
    await_status(&run, "/maintenance", true);
    assert_eq!(tell(&run, &["-maintenance", "disable", "-ping"]), "ok\n");
    await_status(&run, "/maintenance", false);
}

#[test]
fn sub_commands_tell_what_is_wrong() {
    let run = start();
    for (words, said) in [
        (&["-putmetric", "nothing=1"][..], "nothing"),
        (&["-putmetric", "hits=many"], "want a finite number"),
        (&["-putenv", "NO-NAME=1"], "NO-NAME"),
        // What comes after it is not done.
        (&["-putmetric", "nothing=1", "-maintenance", "enable"], "nothing"),
    ] {
        let error = refused(&run, words);
        assert!(error.starts_with("containerpilot: ") && error.contains(said), "{error}");
    }
    assert_eq!(look(&run)["maintenance"], false);
    let mut wrong = config();
    wrong["jbos"] = json!([]);
    run.write("app.json", wrong.to_string());
    let error = refused(&run, &["-reload"]);
    assert!(error.contains("jbos") && error.contains("jobs"), "{error}");
    assert_eq!(look(&run)["generation"], 1);
}

#[test]
fn without_telemetry_there_are_no_metrics() {
    let run = pilot(jobs(json!([{ "name": "app", "exec": "./app" }]))).script("app", APP).spawn();
    await_lines(&run, "app.pids", 1);
    assert!(refused(&run, &["-putmetric", "hits=1"]).contains("no telemetry"));
}

/// The program still runs with the last good file; whoever has broken it asks what is going on.
#[test]
fn a_broken_file_stops_nobody_from_asking() {
    let run = start();
    let mut wrong = config();
    wrong["jobs"][0]["exce"] = json!("./app");
    run.write("app.json", wrong.to_string());
    assert_eq!(tell(&run, &["-ping"]), "ok\n");
    tell(&run, &["-status"]);
}

#[test]
fn a_version_2_file_may_have_a_socket() {
    let mut config = json!({ "consul": NO_CATALOG, "control": { "socket": "control.socket" },
        "tasks": [{ "name": "often", "command": ["./say", "{{ .COLOUR | default `none` }}"],
            "frequency": "100ms" }] });
    let run = pilot(config.clone()).arg("./app").script("app", APP).script("say", SAY).spawn();
    let app = last_process(&run, "app.pids");
    assert_eq!(await_lines(&run, "journal", 1)[0], "none");
    assert_eq!(tell(&run, &["-ping", "-putenv", "COLOUR=green", "-reload"]), "ok\n");
    testkit::wait_until("the template is rendered anew", crate::support::PATIENCE, || {
        let last = await_lines(&run, "journal", 1).pop().unwrap();
        if last == "green" { Ok(()) } else { Err(last) }
    });
    assert_eq!(look(&run)["config"], "1.x/2.x");
    assert!(app.lives(), "it survives a reload");
    tell(&run, &["-maintenance", "enable"]);
    await_status(&run, "/maintenance", true);
    assert!(tell(&run, &["-status"]).contains("application"));
    // Another generation cannot be reloaded.
    config = jobs(json!([saying("app", json!({ "source": "SIGHUP" }))]));
    run.write("app.json", config.to_string());
    assert!(refused(&run, &["-reload"]).contains("another generation"));
    assert!(app.lives());
}

/// There is always an exit to be handled.
#[test]
fn jobs_that_exit_at_once_and_without_end_make_nobody_deaf() {
    let busy = |number: usize| {
        json!({ "name": format!("busy{number}"), "exec": "true", "restarts": "unlimited",
            "backoff": "none" })
    };
    let mut all: Vec<Value> = (0..60).map(busy).collect();
    all.push(json!({ "name": "beat", "exec": ["sh", "-c", "echo >>beats"],
        "when": { "interval": "200ms" } }));
    let mut config = jobs(Value::from(all));
    config["logging"] = json!({ "output": "/dev/null" });
    let mut run = pilot(config).spawn();
    await_lines(&run, "beats", 5);
    assert_eq!(tell(&run, &["-ping"]), "ok\n");
    stop(&mut run);
}
