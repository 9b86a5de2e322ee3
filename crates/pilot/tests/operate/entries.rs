//! What becomes of children's lines: levels and formats of single jobs.

use serde_json::{Value, json};

use crate::support::{pilot, run_to_end};

/// Three lines of a usual logger, and one of nobody.
const APP: &str = r#"
echo '{"level":"debug","msg":"details"}'
echo '{"level":"warn","msg":"look \"out\"","user":{"id":7},"job":"mine","time":"then"}'
echo '{"severity":"high","message":"no level"}'
echo 'plain text'"#;

/// What is logged of the job `app`, with these fields of `logging` for the program and the job.
fn logged(program: Value, job: Value) -> Vec<String> {
    let config = json!({ "logging": program, "control": { "socket": "control.socket" },
        "jobs": [{ "name": "app", "exec": "./app", "logging": job }] });
    let (code, finished) = run_to_end(&pilot(config).script("app", APP));
    assert_eq!(code, 0, "{finished:?}");
    let is_apps = |line: &&str| line.contains("app") && !line.contains("has started");
    finished.stdout.lines().filter(is_apps).map(str::to_owned).collect()
}

#[test]
fn entries_keep_their_fields_and_their_level() {
    let lines = logged(json!({ "format": "json" }), json!({ "format": "json" }));
    let entries: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let of = |index: usize, name: &str| entries[index][name].clone();
    // The program's level is INFO: `details` is left out.
    assert_eq!(entries.len(), 3, "{lines:#?}");
    assert_eq!((of(0, "level"), of(0, "msg")), (json!("warning"), json!("look \"out\"")));
    assert_eq!((of(0, "user"), of(0, "time")), (json!({ "id": 7 }), json!("then")));
    assert_eq!((of(0, "job"), of(0, "fields.job")), (json!("app"), json!("mine")));
    assert!(of(0, "pid").as_i64().is_some_and(|pid| pid > 1));
    assert_eq!((of(1, "level"), of(1, "msg")), (json!("info"), json!("no level")));
    assert_eq!(of(1, "severity"), json!("high"));
    assert_eq!((of(2, "level"), of(2, "msg")), (json!("info"), json!("plain text")));
}

#[test]
fn entries_of_their_own_level_are_seen_at_the_programs() {
    // Not their job's level, which is for lines that have none.
    let lines = logged(
        json!({ "format": "text", "level": "WARN" }),
        json!({ "format": "json", "level": "DEBUG" }),
    );
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("level=warning msg=\"look \\\"out\\\"\" job=app"), "{}", lines[0]);
    assert!(lines[0].contains(r#"fields.job=mine user="{\"id\":7}""#), "{}", lines[0]);
}

#[test]
fn a_jobs_level_is_that_of_its_lines() {
    assert_eq!(logged(json!({}), json!({ "level": "DEBUG" })), Vec::<String>::new());
    let lines = logged(json!({ "format": "text" }), json!({ "level": "ERROR" }));
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains(" level=error ")), "{lines:#?}");
    // Without `format` an entry is a message like any other.
    assert!(
        lines[0].contains(r#"msg="{\"level\":\"debug\",\"msg\":\"details\"}""#),
        "{}",
        lines[0]
    );
}
