//! 3.x: the configuration is read again, and what has not changed goes on.

use std::{io, net::TcpListener, os::unix::fs::MetadataExt};

use serde_json::{Value, json};
use testkit::{Consul, Program, Running, free_ports, http, wait_until};

use crate::support::{
    PATIENCE, await_lines, catalogued_jobs, exit_code, jobs, last_process, lines, output, pilot,
    stop,
};
use crate::{
    SAY, SERVE, advertised, ask, await_job, command, job, look, refused, reload_with, rewrite,
    saying, serving, tell,
};

fn start(config: &Value) -> Running {
    let run = pilot(config.clone()).script("serve", SERVE).script("say", SAY).spawn();
    await_lines(&run, "kept.pids", 1);
    run
}

/// What Consul has of the instance of a service: when it was last changed, and its tags.
#[track_caller]
fn entry(consul: &Consul, service: &str) -> Option<(Value, Value)> {
    let found = consul.get(&format!("/v1/health/service/{service}")).json();
    let service = &found.as_array()?.first()?["Service"];
    Some((json!([service["CreateIndex"], service["ModifyIndex"]]), service["Tags"].clone()))
}

#[track_caller]
fn await_tags(consul: &Consul, run: &Running, service: &str, tags: Value) {
    wait_until(&format!("{service} has the tags {tags}"), PATIENCE, || {
        let entry = entry(consul, service);
        let there = entry.as_ref().is_some_and(|(_, now)| *now == tags);
        if there { Ok(()) } else { Err(format!("{entry:?} {}", output(run))) }
    });
}

#[test]
fn only_what_has_changed_is_replaced() {
    let consul = Consul::start();
    let config =
        |second: Value| catalogued_jobs(&consul, json!([]), json!([advertised("kept"), second]));
    let mut changing = advertised("changing");
    changing["tags"] = json!(["blue"]);
    let run = start(&config(changing.clone()));
    for name in ["kept", "changing"] {
        await_job(&run, name, "/service/registered", true);
    }
    await_tags(&consul, &run, "changing", json!(["blue"]));
    let (kept, before) = (last_process(&run, "kept.pids"), job(&run, "kept"));
    let changed = last_process(&run, "changing.pids");
    let (index, _) = entry(&consul, "kept").unwrap();

    changing["tags"] = json!(["green"]);
    reload_with(&run, config(changing));
    await_tags(&consul, &run, "changing", json!(["green"]));
    assert!(!changed.lives());
    assert_eq!(await_lines(&run, "changing.pids", 2).len(), 2);

    // One that is new, in the place of one that leaves.
    reload_with(&run, config(advertised("added")));
    await_job(&run, "added", "/service/registered", true);
    assert_eq!(job(&run, "changing"), Value::Null);
    assert_eq!(entry(&consul, "changing"), None, "it has left the catalog");
    assert_eq!(lines(&run, "journal"), ["changing stops", "changing stops"]);

    assert_eq!(job(&run, "kept"), before, "pid, times, health, and that it is registered");
    assert!(kept.lives() && lines(&run, "kept.pids").len() == 1);
    assert_eq!(entry(&consul, "kept").unwrap().0, index, "nobody has touched it");
}

#[test]
fn what_is_replaced_stops_and_starts_in_order() {
    let config = |colour: &str| {
        let mut db = serving("db");
        db["health"] = json!({ "exec": "true", "interval": 1 });
        let mut web = serving("web");
        web["when"] = json!({ "source": "db", "once": "healthy" });
        for job in [&mut db, &mut web] {
            job["env"] = json!({ "COLOUR": colour });
        }
        let hook = saying("hook", json!({ "source": "web", "once": "stopping" }));
        jobs(json!([serving("kept"), web, db, hook]))
    };
    let run = start(&config("blue"));
    await_lines(&run, "web.pids", 1);
    rewrite(&run, config("green"));
    tell(&run, &["-reload"]);
    await_lines(&run, "web.pids", 2);
    // Whoever waits for another's health stops before it, after what is hooked to its end.
    assert_eq!(lines(&run, "journal"), ["hook", "web stops", "db stops"]);
    assert_eq!(lines(&run, "kept.pids").len(), 1);
    assert_eq!(job(&run, "hook")["state"], "waiting", "it is there for the next end");
}

#[test]
fn a_bad_file_changes_nothing_and_all_that_is_wrong_is_said() {
    let run = start(&jobs(json!([serving("kept")])));
    let before = look(&run);
    for (jobs_of_it, said) in [
        (json!([{ "name": "kept", "exce": "x" }, { "name": "b", "exec": [] }]), ["exce", "exec"]),
        (json!([serving("kept"), serving("kept")]), ["kept", "every name once"]),
        (
            json!([{ "exec": "true", "user": "nobody-of-that-name" }]),
            ["nobody-of-that-name", "jobs"],
        ),
    ] {
        rewrite(&run, jobs(jobs_of_it));
        let error = refused(&run, &["-reload"]);
        assert!(said.iter().all(|said| error.contains(said)), "{said:?}: {error}");
    }
    std::fs::remove_file(run.path("app.json")).unwrap();
    let answer = ask(&run, "POST", "/v3/reload", "");
    assert_eq!(answer.status, 422, "{}", answer.body);
    assert!(answer.body.contains("app.json"), "{}", answer.body);
    assert_eq!(look(&run), before);
    wait_until("the log tells of each", PATIENCE, || {
        run.stdout_so_far().matches("was not reloaded").count() == 4
    });
}

/// A reload that comes while another one waits for something to stop takes that one's place.
#[test]
fn the_last_of_several_comes_into_force() {
    let config = |colour: &str| {
        let mut slow = json!({ "name": "slow", "exec": "./slow", "env": { "COLOUR": colour } });
        slow["stopTimeout"] = json!("60s");
        let mut config = jobs(json!([serving("kept"), slow]));
        config["stopTimeout"] = json!(60);
        config
    };
    let run = pilot(config("red"))
        .script("serve", SERVE)
        .script(
            "slow",
            "trap 'echo >>asked; until [ -e go ]; do sleep 0.02; done; exit 0' TERM\n\
             echo $COLOUR >>colours; while :; do sleep 0.02; done",
        )
        .spawn();
    await_lines(&run, "colours", 1);
    for colour in ["orange", "yellow", "green"] {
        rewrite(&run, config(colour));
        tell(&run, &["-reload"]);
        await_lines(&run, "asked", 1);
    }
    // A bad one does not.
    rewrite(&run, jobs(json!([{ "exce": "" }])));
    refused(&run, &["-reload"]);
    assert_eq!(job(&run, "slow")["state"], "stopping");
    run.write("go", "");
    wait_until("green is there", PATIENCE, || {
        let colours = lines(&run, "colours");
        if colours.last().unwrap() == "green" { Ok(()) } else { Err(format!("{colours:?}")) }
    });
    assert!(!lines(&run, "colours").contains(&"yellow".to_owned()), "it was overtaken");
    assert_eq!(lines(&run, "kept.pids").len(), 1);
}

/// A job that is new hears of what an unchanged one has become before.
#[test]
fn new_jobs_know_what_was_so_before_them() {
    let once = json!({ "name": "once", "exec": ["./say", "once"] });
    let run = start(&jobs(json!([serving("kept"), once])));
    await_job(&run, "once", "/state", "completed");
    let after = saying("after", json!({ "source": "once", "once": "exitSuccess" }));
    reload_with(&run, jobs(json!([serving("kept"), once, after])));
    assert_eq!(await_lines(&run, "journal", 2), ["once", "after"]);
}

#[test]
fn a_stream_of_events_outlives_a_reload() {
    let mut run = start(&jobs(json!([serving("kept"), serving("changing")])));
    let mut events =
        command(&run, &["-events", "-source", "changing", "-source", "global"]).spawn();
    // It listens once it hears something.
    wait_until("it listens", PATIENCE, || {
        tell(&run, &["-maintenance", "enable", "-maintenance", "disable"]);
        events.stdout_so_far().contains("exitMaintenance")
    });
    let mut changing = serving("changing");
    for colour in ["blue", "green"] {
        changing["env"] = json!({ "COLOUR": colour });
        reload_with(&run, jobs(json!([serving("kept"), changing])));
    }
    wait_until("both ends are told of", PATIENCE, || {
        let heard = events.stdout_so_far();
        if heard.matches("changing stopped").count() == 2 { Ok(()) } else { Err(heard) }
    });
    assert_eq!(events.ended(), None);
    // Its end is the program's.
    stop(&mut run);
    let finished = events.wait(PATIENCE);
    assert_eq!(exit_code(&finished), 0, "{finished:?}");
    assert!(finished.stdout.ends_with("changing stopped\n"), "up to the last: {finished:?}");
}

/// Such a job is started again without a pause: there is always something to be handled.
#[test]
fn a_job_that_can_never_be_started_does_not_hold_up_the_file_that_mends_it() {
    let config = |exec: &str| {
        let mut mended = serving("mended");
        mended["exec"][0] = json!(exec);
        mended["restarts"] = json!("unlimited");
        mended["backoff"] = json!("none");
        let mut config = jobs(json!([mended, serving("kept")]));
        config["logging"] = json!({ "output": "/dev/null" });
        config
    };
    let run = start(&config("./missing"));
    let kept = last_process(&run, "kept.pids");
    reload_with(&run, config("./serve"));
    await_lines(&run, "mended.pids", 1);
    assert!(kept.lives() && lines(&run, "kept.pids").len() == 1);
}

/// Its failure is heard before the next configuration is in force and handled after that, when the
/// jobs have other places.
#[test]
fn a_start_that_fails_while_the_last_job_leaves_is_its_own_jobs() {
    let leaving = serving("leaving");
    let when = json!({ "source": "leaving", "each": "exitSuccess" });
    let missing = json!({ "name": "missing", "exec": "./missing", "when": when });
    let run = start(&jobs(json!([serving("kept"), leaving, missing])));
    await_lines(&run, "leaving.pids", 1);
    let kept = last_process(&run, "kept.pids");
    let mut changed = leaving.clone();
    changed["env"] = json!({ "COLOUR": "green" });
    reload_with(&run, jobs(json!([missing, changed, serving("kept")])));
    await_lines(&run, "leaving.pids", 2);
    let told = await_job(&run, "missing", "/lastExit/code", 127);
    assert_eq!(told["state"], "idle", "{told}");
    assert!(kept.lives() && job(&run, "kept")["state"] == "running", "{}", look(&run));
}

/// The socket and the metrics' port at these places.
fn listening(socket: &str, port: u16) -> Value {
    let mut config = jobs(json!([serving("kept")]));
    config["control"]["socket"] = json!(socket);
    config["telemetry"] = json!({ "port": port, "interfaces": "static:127.0.0.1" });
    config
}

fn metrics(port: u16) -> io::Result<u16> {
    http("GET", &format!("127.0.0.1:{port}"), "/metrics", "").map(|answer| answer.status)
}

#[test]
fn listeners_stay_and_move_when_they_are_told_to() {
    let ports = free_ports(2);
    let run = start(&listening("control.socket", ports[0]));
    let kept = last_process(&run, "kept.pids");
    let inode = || std::fs::metadata(run.path("control.socket")).unwrap().ino();
    let before = inode();
    reload_with(&run, listening("control.socket", ports[0]));
    assert_eq!(inode(), before);
    assert_eq!(metrics(ports[0]).unwrap(), 200);

    let old = run.path("control.socket");
    rewrite(&run, listening("new/control.socket", ports[1]));
    let answer = http("POST", old.to_str().unwrap(), "/v3/reload", "").unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    wait_until("the old socket is gone", PATIENCE, || !old.exists());
    wait_until("the old port is free", PATIENCE, || metrics(ports[0]).is_err());
    assert_eq!(tell(&run, &["-ping"]), "ok\n");
    assert_eq!(metrics(ports[1]).unwrap(), 200);
    assert!(kept.lives());
}

/// The one that waits for its turn listens there already: it is no stranger.
#[test]
fn a_file_that_comes_before_the_last_one_is_in_force_may_name_the_same_places() {
    let ports = free_ports(2);
    let run = pilot(listening("control.socket", ports[0]))
        .script("serve", SERVE)
        .script(
            "slow",
            "trap 'while ! [ -e go ]; do sleep 0.05; done; exit 0' TERM
            echo >>slow.begun; while :; do sleep 0.05; done",
        )
        .spawn();
    await_lines(&run, "kept.pids", 1);
    let config = |socket: &str, port: u16, jobs_of_it: Value| {
        let mut config = listening(socket, port);
        config["jobs"] = jobs_of_it;
        config["stopTimeout"] = json!(300);
        config
    };
    let old = run.path("control.socket");
    let reload = |config: Value| {
        rewrite(&run, config);
        let answer = http("POST", old.to_str().unwrap(), "/v3/reload", "").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    };
    let slow = json!({ "name": "slow", "exec": "./slow" });
    reload(config("control.socket", ports[0], json!([serving("kept"), slow])));
    await_lines(&run, "slow.begun", 1);
    // It takes its time to leave.
    reload(config("control.socket", ports[0], json!([serving("kept")])));
    reload(config("new.socket", ports[1], json!([serving("kept")])));
    reload(config("new.socket", ports[1], json!([serving("kept"), serving("added")])));
    run.write("go", "");
    await_lines(&run, "added.pids", 1);
    wait_until("the old socket is gone", PATIENCE, || !old.exists());
    assert_eq!(tell(&run, &["-ping"]), "ok\n");
    assert_eq!(metrics(ports[1]).unwrap(), 200);
}

#[test]
fn a_place_that_cannot_be_listened_on_makes_a_file_bad() {
    let ports = free_ports(2);
    let taken = TcpListener::bind(("127.0.0.1", ports[1])).unwrap();
    let run = start(&listening("control.socket", ports[0]));
    for (file, said) in [
        (listening("control.socket", ports[1]), "cannot listen on 127.0.0.1"),
        (listening("kept.pids", ports[0]), "kept.pids: exists and is no socket"),
        // The half of it that could be had is given back.
        (listening("other.socket", ports[1]), "cannot listen on 127.0.0.1"),
    ] {
        rewrite(&run, file);
        let answer = ask(&run, "POST", "/v3/reload", "");
        assert!(answer.status == 422 && answer.body.contains(said), "{answer:?}");
    }
    assert!(!run.path("other.socket").exists());
    assert_eq!(metrics(ports[0]).unwrap(), 200);
    drop(taken);
    // A child of another test that was just being started may have it still, until it executes.
    wait_until("the port is free", PATIENCE, || TcpListener::bind(("127.0.0.1", ports[1])).is_ok());
    reload_with(&run, listening("control.socket", ports[1]));
    assert_eq!(metrics(ports[1]).unwrap(), 200);
}

#[test]
fn a_fifo_in_place_of_the_file_holds_up_nothing() {
    let run = start(&jobs(json!([serving("kept")])));
    let kept = last_process(&run, "kept.pids");
    std::fs::remove_file(run.path("app.json")).unwrap();
    let fifo = Program::new("mkfifo").arg(run.path("app.json")).spawn().wait(PATIENCE);
    assert_eq!(fifo.ended, testkit::Ended::Code(0), "{fifo:?}");
    let answer = ask(&run, "POST", "/v3/reload", "");
    assert!(answer.status == 422 && answer.body.contains("no regular file"), "{answer:?}");
    assert_eq!(ask(&run, "GET", "/v3/ping", "").body, "ok");
    assert!(kept.lives());
}

/// A token that is replaced must not take anything out of the catalog, and another catalog has all
/// that is healthy without waiting for a check.
#[test]
fn another_catalog_is_told_at_once_and_another_token_changes_nothing() {
    let (consul, other) = (Consul::start(), Consul::start());
    let file = |address: &str, token: &str| {
        let mut app = advertised("kept");
        app["health"] = json!({ "exec": "true", "interval": 1000, "ttl": 3000 });
        json!({ "consul": { "address": address, "token": token }, "jobs": [app],
            "control": { "socket": "control.socket" } })
    };
    let run = start(&file(&consul.address(), "one"));
    let registered = |consul: &Consul| entry(consul, "kept");
    wait_until("it is registered", PATIENCE, || registered(&consul).is_some());
    await_job(&run, "kept", "/service/registered", true);
    let before = registered(&consul);
    reload_with(&run, file(&consul.address(), "two"));
    await_job(&run, "kept", "/service/registered", true);
    assert_eq!(registered(&consul), before, "it has not left");

    reload_with(&run, file(&other.address(), "two"));
    wait_until("the other has it", PATIENCE, || registered(&other).is_some());
    wait_until("the first has it no more", PATIENCE, || registered(&consul).is_none());
    assert_eq!(lines(&run, "kept.pids").len(), 1, "{}", output(&run));
}
