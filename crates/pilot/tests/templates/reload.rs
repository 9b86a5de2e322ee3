//! What a reload keeps of templates.

use super::*;
use crate::support::talk::{ask, reload_with, rewrite};

fn config(run: &Running) -> Value {
    serde_json::from_str(&run.read("app.json").unwrap()).unwrap()
}

fn say(name: &str, when: Value) -> Value {
    json!({ "name": name, "exec": ["./say", name], "when": when })
}

#[test]
fn a_reload_is_no_change_and_new_jobs_know_what_was_rendered() {
    let consul = Consul::start();
    register(&consul, [1]);
    let run = start(&program(&consul.address(), PLACES, &json!({}), &[]));
    await_journal(&run, &["changed"]);
    let since = template(&run)["since"].clone();
    let mut next = config(&run);
    let late = say("late", json!({ "source": "template.places", "once": "changed" }));
    next["jobs"].as_array_mut().unwrap().push(late);
    reload_with(&run, &next);
    await_journal(&run, &["changed", "late"]);
    assert_eq!(template(&run)["since"], since);
    // It is not deaf.
    register(&consul, [2]);
    await_file(&run, &places([1, 2]));
    await_journal(&run, &["changed", "late", "changed"]);
}

#[test]
fn another_text_is_rendered_and_told() {
    let consul = Consul::start();
    register(&consul, [1]);
    let run = start(&program(&consul.address(), PLACES, &json!({}), &[]));
    await_journal(&run, &["changed"]);
    // The configuration is the same, but not the file that it names.
    run.write("places.ctmpl", format!("# new\n{PLACES}"));
    let config = config(&run);
    reload_with(&run, &config);
    await_file(&run, &format!("# new\n{}", places([1])));
    await_journal(&run, &["changed", "changed"]);
}

#[test]
fn a_bad_template_is_refused_and_nothing_changes() {
    let consul = Consul::start();
    register(&consul, [1]);
    let run = start(&program(&consul.address(), PLACES, &json!({}), &[]));
    await_journal(&run, &["changed"]);
    run.write("places.ctmpl", "{{ range service \"web\" }}");
    let config = config(&run);
    rewrite(&run, &config);
    let answer = ask(&run, "POST", "/v3/reload", "");
    assert_eq!(answer.status, 422, "{}", answer.body);
    assert!(answer.body.contains("places.ctmpl"), "{}", answer.body);
    register(&consul, [2]);
    await_file(&run, &places([1, 2]));
    await_journal(&run, &["changed", "changed"]);
}

#[test]
fn one_that_is_no_more_is_left_alone_and_one_that_comes_is_rendered() {
    let consul = Consul::start();
    register(&consul, [1]);
    let run = start(&program(&consul.address(), PLACES, &json!({}), &[]));
    await_journal(&run, &["changed"]);
    let with = config(&run);
    let mut without = with.clone();
    without["templates"] = json!([]);
    without["jobs"].as_array_mut().unwrap().truncate(1);
    reload_with(&run, &without);
    assert!(look(&run)["templates"].is_null());
    register(&consul, [2]);
    reload_with(&run, &with);
    await_file(&run, &places([1, 2]));
    await_journal(&run, &["changed", "changed"]);
}

/// A check belongs to the renderer that asked for it.
#[test]
fn a_reload_while_a_candidate_is_tried_begins_anew() {
    let consul = Consul::start();
    register(&consul, [1]);
    let fields = json!({ "check": ["./check"] });
    let hanging = program(&consul.address(), PLACES, &fields, &[]);
    let run = start(&hanging.script("check", "echo $$ >>checks.pids; test -e go || sleep 1000"));
    let check = support::last_process(&run, "checks.pids");
    run.write("go", "");
    let mut next = config(&run);
    next["templates"][0]["mode"] = json!("0600");
    reload_with(&run, &next);
    wait_until("the check of before is gone", PATIENCE, || !check.lives());
    await_file(&run, &places([1]));
    await_journal(&run, &["changed"]);
}
