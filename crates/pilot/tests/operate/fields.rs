//! What a job of 3.x may say about itself beyond the originals.

use serde_json::{Value, json};
use testkit::{Consul, HttpStub, Signal};

use crate::support::{
    APP, await_lines, catalogued_jobs, exit_code, instance, jobs, lines, pilot, run_to_end, stop,
};
use crate::{SAY, SERVE, advertised, await_job, look, saying, serving};

#[test]
fn a_folder_and_variables_of_its_own() {
    let dump = json!(["sh", "-c", "pwd >>$OUT; env >>$OUT; exec sleep 1000"]);
    let program = pilot(json!({})).env("INHERITED", "yes").env("DROPPED", "yes").script("app", APP);
    let out = |name: &str| program.path(name).to_str().unwrap().to_owned();
    let mut own = json!({ "name": "own", "exec": dump, "workdir": "/usr/bin",
        "env": { "OUT": out("own"), "PORT": 8080, "RATE": 1.5, "DROPPED": null } });
    own["health"] = json!({ "exec": ["sh", "-c", "pwd >>$OUT.check; env >>$OUT.check"],
        "interval": 1 });
    let other = json!({ "name": "other", "env": { "OUT": out("other") },
        "exec": dump });
    let config = jobs(json!([own, other, { "name": "app", "exec": "./app" }]));
    let run = program.file("app.json", config.to_string()).spawn();
    for (file, folder, has, has_not) in [
        ("own", "/usr/bin", vec!["PORT=8080", "RATE=1.5", "INHERITED=yes"], vec!["DROPPED="]),
        ("own.check", "/usr/bin", vec!["PORT=8080", "INHERITED=yes"], vec!["DROPPED="]),
        ("other", run.dir().to_str().unwrap(), vec!["DROPPED=yes"], vec!["PORT=", "RATE="]),
    ] {
        testkit::wait_until(file, crate::support::PATIENCE, || {
            let lines = lines(&run, file);
            let good = lines.first().is_some_and(|line| line == folder)
                && has.iter().all(|has| lines.iter().any(|line| line == has));
            if good { Ok(()) } else { Err(format!("{lines:?}")) }
        });
        let environment = lines(&run, file);
        for name in has_not {
            assert!(!environment.iter().any(|line| line.starts_with(name)), "{environment:?}");
        }
    }
}

#[test]
fn a_signal_of_its_own_asks_it_to_stop() {
    let graceful = "trap 'echo quit >>journal; exit 0' QUIT\n\
                    trap 'echo term >>journal; exit 1' TERM\n\
                    echo $$ >>app.pids\nwhile :; do sleep 0.05; done";
    for signal in [json!("SIGQUIT"), json!("quit"), json!(3)] {
        let config = jobs(json!([{ "name": "app", "exec": "./app", "stopSignal": signal }]));
        let mut run = pilot(config).script("app", graceful).spawn();
        await_lines(&run, "app.pids", 1);
        let (finished, _) = stop(&mut run);
        assert_eq!(exit_code(&finished), 0, "{finished:?}");
        assert_eq!(lines(&run, "journal"), ["quit"], "{signal}");
    }
}

#[test]
fn the_end_of_an_essential_job_is_that_of_the_program() {
    for (essential, restarts, body, code, runs) in [
        (json!(true), json!(0), "exit 7", 7, 1),
        (json!(true), json!(0), "exit 0", 0, 1),
        (json!(true), json!(2), "exit 7", 7, 3),
        (json!(true), json!(0), "kill -KILL $$", 128 + 9, 1),
        (json!("onFailure"), json!(0), "exit 5", 5, 1),
    ] {
        let mut essential = json!({ "name": "main", "exec": "./main", "essential": essential });
        essential["restarts"] = restarts;
        essential["backoff"] = json!("none");
        let program = pilot(jobs(json!([serving("helper"), essential])))
            .script("serve", SERVE)
            // Not before its helper has begun to listen to signals.
            .script("main", &format!("echo >>runs; until [ -e helper.pids ]; do :; done; {body}"));
        let (ended, finished) = run_to_end(&program);
        assert_eq!(ended, code, "{body}: {finished:?}");
        let read = |file: &str| std::fs::read_to_string(program.path(file)).unwrap_or_default();
        assert_eq!(read("runs").lines().count(), runs, "{body}: {finished:?}");
        assert_eq!(read("journal"), "helper stops\n", "in order: {finished:?}");
    }
}

#[test]
fn a_success_of_one_that_is_essential_on_failure_changes_nothing() {
    let mut main = saying("main", json!({ "source": "SIGHUP" }));
    main["essential"] = json!("onFailure");
    let run = pilot(jobs(json!([serving("helper"), main])))
        .script("serve", SERVE)
        .script("say", SAY)
        .spawn();
    await_lines(&run, "helper.pids", 1);
    run.signal(Signal::SIGHUP);
    await_job(&run, "main", "/lastExit/code", 0);
    assert_eq!(look(&run)["stopping"], false);
}

#[test]
fn restarts_wait_unless_they_are_told_not_to() {
    let restless = |name: &str, backoff: Value| {
        let exec = ["sh".into(), "-c".into(), format!("echo >>{name}.runs; exit 1")];
        json!({ "name": name, "restarts": "unlimited", "backoff": backoff, "exec": exec })
    };
    let config = jobs(json!([
        restless("hasty", json!("none")),
        restless("patient", json!("exponential")),
        { "name": "default", "restarts": "unlimited",
            "exec": ["sh", "-c", "echo >>default.runs; exit 1"] },
    ]));
    let run = pilot(config).spawn();
    for job in ["patient", "default"] {
        await_lines(&run, &format!("{job}.runs"), 3);
    }
    let hasty = await_lines(&run, "hasty.runs", 100).len();
    for job in ["patient", "default"] {
        // Twelve of them take more than two minutes.
        let count = lines(&run, &format!("{job}.runs")).len();
        assert!(count < 12 && count * 5 < hasty, "{job}: {count} beside {hasty}");
    }
}

#[test]
fn all_conditions_or_any_of_them() {
    let on = |source: &str| json!({ "source": source });
    let config = jobs(json!([
        { "name": "app", "exec": "./app" },
        saying("all", json!({ "all": [on("SIGHUP"), on("SIGUSR2"),
            { "source": "once", "once": "exitSuccess" }] })),
        saying("any", json!({ "any": [on("SIGHUP"), on("SIGUSR2")] })),
        { "name": "once", "exec": "true" },
    ]));
    let run = pilot(config).script("app", APP).script("say", SAY).spawn();
    await_lines(&run, "app.pids", 1);
    await_job(&run, "once", "/state", "completed");
    let mut seen = 0;
    let mut after = |signal: Signal, more: &[&str]| {
        run.signal(signal);
        seen += more.len();
        let mut last = await_lines(&run, "journal", seen).split_off(seen - more.len());
        last.sort();
        assert_eq!(last, more, "{signal}");
    };
    after(Signal::SIGHUP, &["any"]);
    after(Signal::SIGHUP, &["any"]);
    after(Signal::SIGUSR2, &["all", "any"]);
    // Signals count anew, the exit that came once has come.
    after(Signal::SIGUSR2, &["any"]);
    after(Signal::SIGHUP, &["all", "any"]);
    after(Signal::SIGHUP, &["any"]);
}

#[test]
fn metadata_is_in_the_catalog() {
    let consul = Consul::start();
    let mut web = advertised("web");
    web["meta"] = json!({ "version": "1.4", "weight": 10, "beta": true });
    let run =
        pilot(catalogued_jobs(&consul, json!([]), json!([web]))).script("serve", SERVE).spawn();
    await_lines(&run, "web.pids", 1);
    await_job(&run, "web", "/service/registered", true);
    let meta = json!({ "version": "1.4", "weight": "10", "beta": "true" });
    assert_eq!(consul.services()[instance("web")]["Meta"], meta);
    let service = json!({ "name": "db", "port": 1, "poll": 1, "ttl": 5, "interfaces": "lo",
        "meta": { "shard": 2 } });
    let run = pilot(json!({ "consul": consul.address(), "services": [service] })).spawn();
    crate::support::await_status(&consul, &run, "db", Some("passing"));
    assert_eq!(consul.services()[instance("db")]["Meta"], json!({ "shard": "2" }));
}

#[test]
fn without_a_catalog_health_and_events_work_and_nobody_is_asked() {
    let catalog = HttpStub::start();
    let ready = saying("ready", json!({ "source": "web", "once": "healthy" }));
    let mut config = jobs(json!([advertised("web"), ready]));
    config["consul"] = json!(false);
    let mut run = pilot(config)
        .env("CONSUL_HTTP_ADDR", catalog.address())
        .script("serve", SERVE)
        .script("say", SAY)
        .spawn();
    assert_eq!(await_lines(&run, "journal", 1), ["ready"]);
    assert_eq!(await_job(&run, "web", "/health/status", "healthy")["service"]["registered"], false);
    crate::tell(&run, &["-maintenance", "enable", "-maintenance", "disable"]);
    assert_eq!(look(&run).get("catalog"), None);
    assert_eq!(exit_code(&stop(&mut run).0), 0);
    assert_eq!(catalog.requests(), [""; 0]);
    let mut config = jobs(json!([serving("web")]));
    config["consul"] = json!(false);
    config["watches"] = json!([{ "name": "db", "interval": 1 }]);
    let (code, finished) = run_to_end(&pilot(config));
    assert!(code == 1 && finished.stderr.contains("\"consul\" is false"), "{finished:?}");
}
