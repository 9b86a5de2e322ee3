//! What becomes of a file, and who is told.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use super::*;
use crate::support::{await_lines, talk::await_job};

#[test]
fn a_file_follows_the_catalog_and_each_change_is_an_event() {
    let consul = Consul::start();
    register(&consul, [1, 2]);
    let fields = json!({ "mode": "0640" });
    let run = start(&program(&consul.address(), PLACES, &fields, &[]));
    await_file(&run, &places([1, 2]));
    await_journal(&run, &["changed"]);
    let status = await_template(&run, "current");
    assert_eq!(status["destination"], run.path("places.txt").to_str().unwrap());
    assert!(status["since"].is_string() && status["failure"].is_null(), "{status}");
    let mode = fs::metadata(run.path("places.txt")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    register(&consul, [3]);
    await_file(&run, &places([1, 2, 3]));
    await_journal(&run, &["changed"; 2]);
    consul.deregister("web-2");
    await_file(&run, &places([1, 3]));
    await_journal(&run, &["changed"; 3]);
}

/// Some wait for it, and what was there before may have been anybody's.
#[test]
fn the_first_rendering_is_told_even_if_the_file_was_so_before() {
    let consul = Consul::start();
    register(&consul, [1]);
    let program = program(&consul.address(), PLACES, &json!({}), &[]);
    let program = program.file("places.txt", places([1]));
    let inode = || fs::metadata(program.path("places.txt")).unwrap().ino();
    let before = inode();
    let run = start(&program);
    await_journal(&run, &["changed"]);
    assert_eq!((run.read("places.txt").unwrap(), inode()), (places([1]), before));
}

#[test]
fn a_job_waits_for_the_first_rendering_and_it_is_said_for_what() {
    let consul = Consul::start();
    let waits = json!({ "name": "waits", "exec": ["./say", "started"],
        "when": { "source": "template.places", "once": "changed" } });
    let text = "{{ key \"go\" }}";
    let mut run = start(&program(&consul.address(), text, &json!({}), &[waits]));
    run.wait_for_line("template places waits: ");
    let waiting = await_template(&run, "waiting");
    let missing = waiting["waitingFor"].as_str().unwrap();
    assert!(missing.contains("key \"go\""), "{waiting}");
    let wanted = format!("template.places changed (which waits: {missing})");
    await_job(&run, "waits", "/waitingFor", wanted);
    assert_eq!(lines(&run, "journal"), Vec::<String>::new());
    consul.request("PUT", "/v1/kv/go", "now");
    await_lines(&run, "journal", 2);
    await_file(&run, "now");
    let mut journal = lines(&run, "journal");
    journal.sort();
    assert_eq!(journal, ["changed", "started"]);
}

/// The old file stands until there is a good one.
#[test]
fn a_refused_text_changes_nothing() {
    let consul = Consul::start();
    consul.request("PUT", "/v1/kv/text", "good 1");
    let fields = json!({ "check": ["./check", "sure"] });
    let check = "echo \"$1 of $2?\"; cp \"$2\" tried; grep -q good \"$2\" || { echo >&2 \"no: $(cat $2)\"; exit 3; }";
    let program = program(&consul.address(), "{{ key \"text\" }}", &fields, &[]);
    let run = start(&program.script("check", check));
    await_file(&run, "good 1");
    consul.request("PUT", "/v1/kv/text", "bad 1");
    await_journal(&run, &["changed", "failed"]);
    assert_eq!(run.read("tried").as_deref(), Some("bad 1"), "the check has seen the candidate");
    let failure = await_template(&run, "failed")["failure"].as_str().unwrap().to_owned();
    // The candidate by a name that people know.
    let said = format!("sure of the new {}?", run.path("places.txt").display());
    for words in ["its check exited with 3: ", "no: bad 1", &said] {
        assert!(failure.contains(words), "{words}: {failure}");
    }
    assert_eq!(run.read("places.txt").as_deref(), Some("good 1"));
    consul.request("PUT", "/v1/kv/text", "good 2");
    await_file(&run, "good 2");
    await_journal(&run, &["changed", "failed", "changed"]);
    assert!(await_template(&run, "current")["failure"].is_null());
    // What the file holds already is no change, but all is well again.
    consul.request("PUT", "/v1/kv/text", "bad 2");
    await_journal(&run, &["changed", "failed", "changed", "failed"]);
    consul.request("PUT", "/v1/kv/text", "good 2");
    await_template(&run, "current");
    assert_eq!(lines(&run, "journal").len(), 4);
    let left = fs::read_dir(run.dir()).unwrap().flatten();
    let left: Vec<_> = left
        .map(|file| file.file_name())
        .filter(|name| name.to_string_lossy().contains("new-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_check_that_hangs_or_does_not_exist_has_refused() {
    let consul = Consul::start();
    register(&consul, [1]);
    let fields = json!({ "check": { "exec": ["./check"], "timeout": "300ms" } });
    let hanging = program(&consul.address(), PLACES, &fields, &[]);
    let run = start(&hanging.script("check", "sleep 1000"));
    let failure = await_template(&run, "failed")["failure"].to_string();
    assert!(failure.contains("longer than 300ms"), "{failure}");
    let fields = json!({ "check": "./nowhere" });
    let run = start(&program(&consul.address(), PLACES, &fields, &[]));
    let failure = await_template(&run, "failed")["failure"].to_string();
    assert!(failure.contains("cannot be started") && failure.contains("nowhere"), "{failure}");
    assert_eq!(run.read("places.txt"), None);
}

/// What a template lacks is no error, and its end is none of the program's.
#[test]
fn a_program_stops_while_a_candidate_is_tried() {
    let consul = Consul::start();
    register(&consul, [1]);
    let fields = json!({ "check": ["./check"] });
    let program = program(&consul.address(), PLACES, &fields, &[]);
    let mut run = start(&program.script("check", "echo $$ >>checks.pids; sleep 1000"));
    let check = support::last_process(&run, "checks.pids");
    let (finished, took) = support::stop(&mut run);
    assert_eq!(support::exit_code(&finished), 0, "{finished:?}");
    assert!(took < PATIENCE / 4, "{took:?}");
    wait_until("the check is gone", PATIENCE, || !check.lives());
    assert!(run.read("places.txt").is_none());
}
