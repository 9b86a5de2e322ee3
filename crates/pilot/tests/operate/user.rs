//! As whom a job runs. Needs root, as the tests' container has it.

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};
use testkit::{Running, wait_until};

use crate::support::{PATIENCE, await_lines, jobs, output, pilot, run_to_end};
use crate::{SERVE, await_job, look, refused, reload_with, rewrite, serving};

/// Tells who it is, from a folder that everybody may enter.
const WHO: [&str; 3] =
    ["sh", "-c", "echo who=$(id -u):$(id -g):$(id -G | tr ' ' ,):$HOME:$USER:$(pwd); sleep 1000"];

/// The user that a process runs as.
fn owner(pid: &Value) -> u32 {
    std::fs::metadata(format!("/proc/{pid}")).unwrap().uid()
}

#[track_caller]
fn await_line(run: &Running, line: &str) {
    assert_eq!(owner(&std::process::id().into()), 0, "this test needs root");
    wait_until(&format!("it says {line}"), PATIENCE, || {
        let there = run.stdout_so_far().lines().any(|said| said.ends_with(line));
        if there { Ok(()) } else { Err(output(run)) }
    });
}

fn who(user: Value, group: Value) -> Value {
    let mut job = json!({ "name": "who", "exec": WHO, "workdir": "/" });
    for (key, value) in [("user", user), ("group", group)] {
        if !value.is_null() {
            job[key] = value;
        }
    }
    job
}

/// `name:x:uid:gid:comment:home:shell` of Debian, whose ids do not change.
#[test]
fn it_has_the_users_ids_and_home() {
    for (user, group, said) in [
        (json!("www-data"), json!(null), "who=33:33:33:/var/www:www-data:/"),
        (json!(33), json!(null), "who=33:33:33:/var/www:www-data:/"),
        (json!("www-data"), json!("daemon"), "who=33:1:1:/var/www:www-data:/"),
        (json!("nobody"), json!(7777), "who=65534:7777:7777:/nonexistent:nobody:/"),
        (json!("4321"), json!("4322"), "who=4321:4322:4322:/::/"),
    ] {
        let run = pilot(jobs(json!([who(user, group)]))).spawn();
        await_line(&run, said);
    }
}

#[test]
fn a_group_alone_leaves_the_user_and_its_home() {
    let run = pilot(jobs(json!([who(json!(null), json!("daemon"))]))).spawn();
    let home = run.dir().to_str().unwrap().to_owned();
    await_line(&run, &format!("who=0:1:1:{home}::/"));
}

#[test]
fn its_check_is_the_same_user() {
    let mut job = who(json!("www-data"), json!(null));
    job["exec"] = json!(["sleep", "1000"]);
    let check = ["sh", "-c", "echo check=$(id -u):$(id -g):$HOME; [ $(id -u) = 33 ]"];
    job["health"] = json!({ "exec": check, "interval": 1 });
    let run = pilot(jobs(json!([job, serving("root")]))).script("serve", SERVE).spawn();
    await_line(&run, "check=33:33:/var/www");
    let healthy = await_job(&run, "who", "/health/status", "healthy");
    assert_eq!(owner(&healthy["pid"]), 33);
    let others = await_job(&run, "root", "/state", "running");
    assert_eq!(owner(&others["pid"]), 0);
}

#[test]
fn nobody_of_that_name_is_refused_at_start_and_at_a_reload() {
    for (user, group, missing) in [
        (json!("no-such-user"), json!(null), "no-such-user"),
        (json!("nobody"), json!("no-such-group"), "no-such-group"),
    ] {
        let bad = jobs(json!([serving("app"), who(user, group)]));
        let (code, finished) = run_to_end(&pilot(bad.clone()).script("serve", SERVE));
        assert_eq!(code, 1, "{finished:?}");
        assert!(finished.stderr.contains(missing) && finished.stderr.contains("who"));
        assert_eq!(finished.stdout, "", "nothing has been started");

        let run = pilot(jobs(json!([serving("app")]))).script("serve", SERVE).spawn();
        await_lines(&run, "app.pids", 1);
        let before = look(&run);
        rewrite(&run, bad);
        let error = refused(&run, &["-reload"]);
        assert!(error.contains(missing) && error.contains("who"), "{error}");
        assert_eq!(look(&run), before);
        reload_with(&run, jobs(json!([serving("app"), who(json!("nobody"), json!(null))])));
        await_line(&run, "who=65534:65534:65534:/nonexistent:nobody:/");
        assert_eq!(await_lines(&run, "app.pids", 1).len(), 1);
    }
}
