//! What programs of this kind got wrong before: each test is a complaint that their users had.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

mod support;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{
    APP, NO_CATALOG, PATIENCE, SECOND, await_age, await_lines, await_more_lines, await_status,
    catalogued_jobs, instance, jobs, last_process, lines, output, pilot, run_to_end, status, stop,
};
use testkit::{Consul, Running, Signal, wait_until};

/// An application, and a service that is checked every `poll` seconds.
fn service(consul: &Consul, poll: u32) -> Value {
    json!({
        "consul": consul.address(),
        "services": [{ "name": "app", "port": 8000, "interfaces": "static:127.0.0.1",
            "health": "./check", "poll": poll, "ttl": 2 * poll + 1 }],
    })
}

fn job(consul: &Consul, interval: u32) -> Value {
    let job = json!([{ "name": "app", "exec": "./app", "port": 8000,
        "interfaces": "static:127.0.0.1",
        "health": { "exec": "./check", "interval": interval, "ttl": 2 * interval + 1 } }]);
    catalogued_jobs(consul, json!([]), job)
}

/// Starts it with an application and a check that passes; waits until it is in the catalog.
fn registered(consul: &Consul, config: Value, arguments: &[&str], app: &str) -> Running {
    let run = pilot(config)
        .args(arguments)
        .script("app", app)
        .script("check", "echo checked >>checks")
        .spawn();
    await_status(consul, &run, "app", Some("passing"));
    await_lines(&run, "app.pids", 1);
    run
}

/// Checks go on, and the stop takes no longer than a moment for the catalog and the application.
fn is_itself_while_frozen(consul: &Consul, mut run: Running) {
    let app = last_process(&run, "app.pids");
    consul.freeze();
    let frozen = Instant::now();
    await_more_lines(&run, "checks", 6);
    let took = frozen.elapsed();
    assert!(took < 15 * SECOND, "six checks, one a second, took {took:?}");
    assert!(app.lives());
    let (finished, took) = stop(&mut run);
    consul.thaw();
    assert!(took < 4 * SECOND, "{took:?} {finished:?}");
    assert_eq!(support::exit_code(&finished), 0, "{finished:?}");
    assert_eq!(lines(&run, "journal"), ["app stops"]);
}

#[test]
fn a_frozen_catalog_stops_neither_checks_nor_stopping() {
    let consul = Consul::start();
    let mut config = service(&consul, 1);
    // A stop that waited for its deadlines would be seen.
    config["stopTimeout"] = json!(30);
    let run = registered(&consul, config, &["./app"], APP);
    is_itself_while_frozen(&consul, run);
}

#[test]
fn a_frozen_catalog_stops_neither_checks_nor_stopping_of_jobs() {
    let consul = Consul::start();
    let mut config = job(&consul, 1);
    config["stopTimeout"] = json!(30);
    let run = registered(&consul, config, &[], APP);
    is_itself_while_frozen(&consul, run);
}

/// 70,000 bytes on a line from the job and from its check; both go on, and nothing is lost.
#[test]
fn a_line_of_70000_bytes_kills_nobody_and_is_whole() {
    let config = jobs(json!([{ "name": "app", "exec": "./app",
        "health": { "exec": "./check", "interval": 1, "ttl": 5 } }]));
    let long = |byte: &str| format!("head -c 70000 /dev/zero | tr '\\0' {byte}; echo");
    let mut run = pilot(config)
        .script("app", &format!("{}; echo behind the line\n{APP}", long("x")))
        .script("check", &format!("{}; echo checked >>checks", long("y")))
        .spawn();
    await_lines(&run, "checks", 3);
    run.wait_for_line("behind the line");
    assert!(last_process(&run, "app.pids").lives());
    let (finished, _) = stop(&mut run);
    let whole = |byte: &str| {
        let line = format!(" {}", byte.repeat(70_000));
        finished.stdout.lines().filter(|found| found.ends_with(&line)).count()
    };
    assert_eq!(whole("x"), 1);
    assert!(whole("y") >= 3, "{} lines of the check", whole("y"));
    assert!(finished.stdout.contains("app is healthy"));
    assert!(!finished.stdout.contains("unhealthy"));
    assert_eq!(lines(&run, "journal"), ["app stops"], "it has lived to its end");
}

#[test]
fn a_last_line_without_newline_is_kept() {
    let config = jobs(json!([{ "name": "app", "exec": ["printf", "first\\nlast"] }]));
    let (code, finished) = run_to_end(&pilot(config));
    assert_eq!(code, 0, "{finished:?}");
    let words: Vec<&str> =
        finished.stdout.lines().filter_map(|line| line.split(' ').next_back()).collect();
    assert_eq!(words, ["first", "last"], "{finished:?}");
    assert!(finished.stdout.ends_with('\n'));
}

#[test]
fn an_application_that_exits_with_3_makes_us_exit_with_3() {
    let (code, finished) =
        run_to_end(&pilot(json!({ "consul": NO_CATALOG })).args(["./app"]).script("app", "exit 3"));
    assert_eq!(code, 3, "{finished:?}");
    let job = jobs(json!([{ "name": "app", "exec": "./app" }]));
    let (code, finished) = run_to_end(&pilot(job).script("app", "exit 3"));
    assert_eq!(code, 3, "{finished:?}");
}

/// Looks five seconds after the first run.
fn restarts_with_back_off(run: &Running) {
    await_lines(run, "runs", 1);
    let first = Instant::now();
    await_lines(run, "runs", 4);
    await_age(first, 5 * SECOND);
    let runs = lines(run, "runs").len();
    assert!((4..15).contains(&runs), "{runs} runs in five seconds\n{}", output(run));
}

#[test]
fn a_job_that_fails_at_once_is_restarted_with_back_off() {
    let config = jobs(json!([{ "name": "app", "exec": "./app", "restarts": "unlimited" }]));
    restarts_with_back_off(&pilot(config).script("app", "echo run >>runs; exit 1").spawn());
}

#[test]
fn a_coprocess_that_fails_at_once_is_restarted_with_back_off() {
    let coprocess = json!([{ "command": "./coprocess", "restarts": "unlimited" }]);
    let config = json!({ "consul": NO_CATALOG, "coprocesses": coprocess });
    let program = pilot(config).args(["sleep", "1000"]);
    restarts_with_back_off(&program.script("coprocess", "echo run >>runs; exit 1").spawn());
}

/// Far less than the interval of 30 s, and more than a loaded machine needs.
const AT_ONCE: Duration = Duration::from_secs(12);

#[test]
fn the_first_registration_does_not_wait_for_an_interval() {
    let consul = Consul::start();
    for (config, arguments) in [(service(&consul, 30), &["./app"][..]), (job(&consul, 30), &[])] {
        let begun = Instant::now();
        let mut run = registered(&consul, config, arguments, APP);
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        stop(&mut run);
        assert_eq!(status(&consul, "app"), None);
    }
}

#[test]
fn leaving_maintenance_registers_again_at_once() {
    let consul = Consul::start();
    let run = registered(&consul, service(&consul, 30), &["./app"], APP);
    let app = last_process(&run, "app.pids");
    run.signal(Signal::SIGUSR1);
    await_status(&consul, &run, "app", None);
    let left = Instant::now();
    run.signal(Signal::SIGUSR1);
    await_status(&consul, &run, "app", Some("passing"));
    assert!(left.elapsed() < AT_ONCE, "{:?}", left.elapsed());
    assert!(app.lives());
}

fn register_tagged(consul: &Consul, tag: &str) {
    consul.register(json!({ "ID": format!("db-{tag}"), "Name": "db", "Tags": [tag],
        "Address": "127.0.0.1", "Port": 5000 }));
}

/// Every change is followed by the one of the other tag: what it set off is seen by then.
#[test]
fn watches_on_two_tags_of_one_service_do_not_disturb_each_other() {
    let consul = Consul::start();
    let backend =
        |tag: &str| json!({ "name": "db", "tag": tag, "poll": 1, "onChange": ["./changed", tag] });
    let config = json!({ "consul": consul.address(), "backends": [backend("a"), backend("b")] });
    let run =
        pilot(config).args(["sleep", "1000"]).script("changed", "echo \"$1\" >>changes").spawn();
    register_tagged(&consul, "a");
    assert_eq!(await_lines(&run, "changes", 1), ["a"]);
    register_tagged(&consul, "b");
    assert_eq!(await_lines(&run, "changes", 2), ["a", "b"]);
    consul.deregister("db-a");
    assert_eq!(await_lines(&run, "changes", 3), ["a", "b", "a"]);
    consul.deregister("db-b");
    assert_eq!(await_lines(&run, "changes", 4), ["a", "b", "a", "b"]);
}

#[test]
fn a_watch_on_a_tag_does_not_hear_of_another_tag() {
    let consul = Consul::start();
    let watches = json!([{ "name": "db", "tag": "a", "interval": 1 },
        { "name": "mark", "interval": 1 }]);
    let on = |watch: &str| {
        json!({ "name": format!("on-{watch}"), "exec": ["./changed", watch],
            "when": { "source": format!("watch.{watch}"), "each": "changed" } })
    };
    let run = pilot(catalogued_jobs(&consul, watches, json!([on("db"), on("mark")])))
        .script("changed", "echo \"$1\" >>changes")
        .spawn();
    register_tagged(&consul, "b");
    // Seen after that.
    consul.register(json!({ "ID": "mark", "Name": "mark", "Port": 1 }));
    assert_eq!(await_lines(&run, "changes", 1), ["mark"]);
    register_tagged(&consul, "a");
    assert_eq!(await_lines(&run, "changes", 2), ["mark", "db"]);
    consul.deregister("db-b");
    consul.deregister("mark");
    assert_eq!(await_lines(&run, "changes", 3), ["mark", "db", "mark"]);
}

#[test]
fn values_with_equals_signs_arrive_whole() {
    let config = json!({ "consul": NO_CATALOG, "preStart": ["./say", "hook {{ .A }}"] });
    let program = pilot(config)
        .args(["./say", "app {{ .A }}"])
        .script("say", r#"echo "$1 A=$A B=$B" >>said"#)
        .env("A", "b=c=")
        .env("B", "=");
    let (code, finished) = run_to_end(&program);
    assert_eq!(code, 0, "{finished:?}");
    let said = std::fs::read_to_string(program.path("said")).unwrap();
    assert_eq!(said, "hook b=c= A=b=c= B==\napp b=c= A=b=c= B==\n");
}

/// Not every value is text, and a program that only passes it on has no say in that.
#[test]
fn values_that_are_no_text_arrive_too() {
    let program = pilot(json!({ "consul": NO_CATALOG }))
        .args(["./say"])
        .script("say", r#"printf %s "$RAW" >said"#)
        .env("RAW", OsStr::from_bytes(b"a\xff=\xfeb"));
    let (code, finished) = run_to_end(&program);
    assert_eq!(code, 0, "{finished:?}");
    assert_eq!(std::fs::read(program.path("said")).unwrap(), b"a\xff=\xfeb");
}

/// Writes the variables that are ours to a file named by the argument, complete at once.
const DUMP: &str = "env | grep ^CONTAINERPILOT_ | sort >$1.new; mv $1.new $1.env";

/// The variables that a child has dumped, as `NAME=value` without our prefix.
fn dumped(run: &Running, name: &str) -> Vec<String> {
    let file = format!("{name}.env");
    let text = wait_until(&format!("{file} is there"), PATIENCE, || {
        run.read(&file).ok_or_else(|| output(run))
    });
    text.lines().map(|line| line.trim_start_matches("CONTAINERPILOT_").to_owned()).collect()
}

#[test]
fn children_are_told_of_pids_and_addresses() {
    let consul = Consul::start();
    let config = json!({
        "consul": consul.address(),
        "services": [{ "name": "my-app", "port": 8000, "interfaces": "static:127.0.0.1",
            "health": ["./late", "check"], "poll": 1, "ttl": 5 }],
        "preStart": ["./dump", "preStart"],
        "preStop": ["./dump", "preStop"],
        "postStop": ["./dump", "postStop"],
        "coprocesses": [{ "name": "my-helper", "command": "./coprocess" }],
        "tasks": [{ "name": "task", "command": ["./late", "task"], "frequency": "200ms",
            "timeout": "60s" }],
    });
    let mut run = pilot(config)
        .args(["./main"])
        .script("dump", DUMP)
        // What starts before the application has nothing to tell of it.
        .script("late", "[ -e app.pids ] || exit 0\n. ./dump")
        .script("main", &format!("set app\n. ./dump\n{APP}"))
        .script("coprocess", support::COPROCESS)
        .spawn();
    let own = format!("PID={}", run.pid());
    let address = "MY_APP_IP=127.0.0.1".to_owned();
    assert_eq!(dumped(&run, "preStart"), [address.clone(), own.clone()]);
    let app = format!("APP_PID={}", last_process(&run, "app.pids").pid());
    let helper = format!("MY_HELPER_PID={}", last_process(&run, "coprocess.pids").pid());
    let all = [app, address, helper, own];
    assert_eq!(dumped(&run, "app"), all[1..], "its own pid is not known before it runs");
    assert_eq!(dumped(&run, "check"), all);
    assert_eq!(dumped(&run, "task"), all);
    stop(&mut run);
    assert_eq!(dumped(&run, "preStop"), all);
    let after = dumped(&run, "postStop");
    assert!(after.contains(&all[1]) && after.contains(&all[3]), "{after:?}");
    assert!(!after.iter().any(|line| line.starts_with("PRESTOP_PID")), "{after:?}");
}

#[test]
fn jobs_are_told_of_pids_and_addresses() {
    let consul = Consul::start();
    let mut first = json!({ "name": "front-end", "exec": "./app", "port": 8000,
        "interfaces": "static:127.0.0.1",
        "health": { "exec": "true", "interval": 1, "ttl": 5 } });
    let second = json!({ "name": "my..helper.sh", "exec": "./coprocess" });
    let third = json!({ "name": "on-healthy", "exec": ["./late", "job"],
        "when": { "source": "front-end", "each": "healthy" } });
    first["tags"] = json!(["x"]);
    let run = pilot(catalogued_jobs(&consul, json!([]), json!([first, second, third])))
        .script("app", APP)
        .script("coprocess", support::COPROCESS)
        .script("dump", DUMP)
        .script("late", "[ -e app.pids ] && [ -e coprocess.pids ] || exit 0\n. ./dump")
        .spawn();
    let app = format!("FRONT_END_PID={}", last_process(&run, "app.pids").pid());
    let helper = format!("MY_HELPER_PID={}", last_process(&run, "coprocess.pids").pid());
    let own = format!("PID={}", run.pid());
    let all = ["FRONT_END_IP=127.0.0.1".to_owned(), app, helper, own];
    assert_eq!(dumped(&run, "job"), all);
    assert_eq!(consul.services()[instance("front-end")]["Address"], "127.0.0.1");
}

/// Needs 300 ms to stop.
const SLOW: &str = r#"
sleep 1000 >/dev/null 2>&1 &
trap 'sleep 0.3; echo "app stops" >>journal; kill $!; exit 0' TERM
echo $$ >>app.pids
while :; do wait; done"#;

#[test]
fn a_stop_takes_no_longer_than_the_application_does() {
    let consul = Consul::start();
    for (mut config, arguments) in [(service(&consul, 1), &["./app"][..]), (job(&consul, 1), &[])] {
        config["stopTimeout"] = json!(20);
        let mut run = registered(&consul, config, arguments, SLOW);
        let (finished, took) = stop(&mut run);
        assert_eq!(lines(&run, "journal"), ["app stops"], "{finished:?}");
        assert_eq!(support::exit_code(&finished), 0, "{finished:?}");
        assert!(took >= Duration::from_millis(300) && took < 4 * SECOND, "{took:?} {finished:?}");
    }
}
