//! Exit codes.

use serde_json::json;
use testkit::Program;

use crate::support::{NO_CATALOG, jobs, pilot, run_to_end};

fn application(config: serde_json::Value, body: &str) -> Program {
    pilot(config).arg("./app").script("app", body)
}

#[test]
fn a_failed_prestart_ends_everything_with_its_code() {
    let program = application(
        json!({ "consul": NO_CATALOG, "preStart": "./prestart", "postStop": "./poststop",
            "coprocesses": [{ "command": "./coprocess" }] }),
        "echo app >>journal",
    )
    .script("prestart", "echo prestart >>journal; exit 7")
    .script("poststop", "echo poststop >>journal")
    .script("coprocess", "echo coprocess >>journal");
    let (code, finished) = run_to_end(&program);
    assert_eq!(code, 7, "{finished:?}");
    let journal = std::fs::read_to_string(program.path("journal")).unwrap();
    assert_eq!(journal, "prestart\n");
}

#[test]
fn a_failed_poststop_replaces_the_code_and_another_does_not() {
    for (hook, wanted) in [("exit 9", 9), ("exit 0", 3)] {
        let program =
            application(json!({ "consul": NO_CATALOG, "postStop": "./poststop" }), "exit 3")
                .script("poststop", &format!("echo poststop >>journal; {hook}"));
        let (code, finished) = run_to_end(&program);
        assert_eq!(code, wanted, "{hook}: {finished:?}");
        assert_eq!(std::fs::read_to_string(program.path("journal")).unwrap(), "poststop\n");
    }
}

#[test]
fn an_application_that_a_signal_kills() {
    let (code, finished) =
        run_to_end(&application(json!({ "consul": NO_CATALOG }), "kill -USR2 $$"));
    assert_eq!(code, 128 + 12, "{finished:?}");
}

/// 127 and 126, as shells have it, and a line that says which program and why.
#[test]
fn a_missing_application_and_one_that_cannot_be_executed() {
    for (path, wanted, why) in [
        ("./missing", 127, "no such"),
        ("no-such-program", 127, "no such program"),
        ("./text", 126, "is not executable"),
        ("/", 126, "is a directory"),
    ] {
        let words = pilot(json!({ "consul": NO_CATALOG })).arg(path);
        let job = pilot(jobs(json!([{ "name": "app", "exec": path }])));
        for program in [words, job] {
            let (code, finished) = run_to_end(&program.file("text", "no program"));
            assert_eq!(code, wanted, "{finished:?}");
            let told = finished.stdout.lines().chain(finished.stderr.lines());
            let told: Vec<&str> = told.filter(|line| line.contains("cannot be started")).collect();
            assert_eq!(told.len(), 1, "{finished:?}");
            assert!(told[0].contains(path), "{told:?}");
            assert!(told[0].contains(why), "{told:?}");
        }
    }
}

#[test]
fn jobs_that_have_all_completed_end_the_program() {
    let config = jobs(json!([
        { "name": "first", "exec": "./say first" },
        { "name": "second", "exec": "./say second",
            "when": { "source": "first", "once": "exitSuccess" } },
        { "name": "never", "exec": "./say never",
            "when": { "source": "first", "once": "exitFailed" } },
    ]));
    let program = pilot(config).script("say", "echo $1 >>journal");
    let (code, finished) = run_to_end(&program);
    assert_eq!(code, 0, "{finished:?}");
    let journal = std::fs::read_to_string(program.path("journal")).unwrap();
    assert_eq!(journal, "first\nsecond\n", "{finished:?}");
}

#[test]
fn restarts_are_as_many_as_were_asked_for() {
    for (restarts, runs) in [(json!(2), 3), (json!("1"), 2), (json!("never"), 1)] {
        let config = jobs(json!([{ "name": "app", "exec": "./app", "restarts": restarts }]));
        let program = pilot(config).script("app", "echo run >>runs; exit 4");
        let (code, finished) = run_to_end(&program);
        assert_eq!(code, 4, "the job's failure is ours: {finished:?}");
        let text = std::fs::read_to_string(program.path("runs")).unwrap();
        assert_eq!(text.lines().count(), runs, "{restarts}: {finished:?}");
    }
}
