//! Commands after changes.

use std::{fs, time::Instant};

use testkit::{Consul, Ended, Signal, wait_until};

use crate::support::{PATIENCE, await_file, end, program, put, run, stop, without_times};

fn lines(path: std::path::PathBuf) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn a_command_runs_after_a_change_and_only_then() {
    let program =
        program(&["-once", "-template", "in:out:cat out >>ran; echo a:b >>ran"]).file("in", "1\n");
    assert_eq!(run(&program).0, 0);
    assert_eq!(lines(program.path("ran")), ["1", "a:b"]);
    assert_eq!(run(&program).0, 0);
    assert_eq!(lines(program.path("ran")).len(), 2, "the file was so before");
}

#[test]
fn templates_with_the_same_command_run_it_once() {
    let program = program(&["-once", "-template", "in:a:echo all >>ran"])
        .args(["-template", "in:b:echo all >>ran", "-template", "in:c:echo c >>ran"])
        .file("in", "1\n");
    assert_eq!(run(&program).0, 0);
    let mut ran = lines(program.path("ran"));
    ran.sort();
    assert_eq!(ran, ["all", "c"]);
}

#[test]
fn a_command_that_fails_is_said_and_the_file_stays() {
    for once in ["-once=true", "-once=false"] {
        let program = program(&[once, "-template", "in:out:echo no >&2; exit 3"]).file("in", "1\n");
        let (code, finished) = run(&program);
        assert_eq!(code, 14, "{}", finished.stderr);
        let expected = "no\n[ERR] \"echo no >&2; exit 3\": exited with 3\n";
        assert_eq!(without_times(&finished.stderr), expected);
        assert_eq!(fs::read_to_string(program.path("out")).unwrap(), "1\n");
    }
}

#[test]
fn a_command_that_does_not_end_is_killed_with_all_that_it_started() {
    let settings =
        "template {\n source = \"in\"\n destination = \"out\"\n command_timeout = \"200ms\"
        command = \"sleep 1000 & echo $! >pid; wait\"\n}\n";
    let program = program(&["-once", "-config", "c.hcl"]).file("in", "1").file("c.hcl", settings);
    let (code, finished) = run(&program);
    assert_eq!(code, 14);
    assert!(finished.stderr.contains("had not ended after 200ms"), "{}", finished.stderr);
    let pid = lines(program.path("pid")).pop().expect("it began");
    wait_until("the sleeper is gone", PATIENCE, || {
        !fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
    });
}

#[test]
fn without_a_timeout_a_command_goes_on_in_the_background() {
    let settings = "template {\n source = \"in\"\n destination = \"out\"\n command_timeout = \"0s\"
        command = [\"sh\", \"-c\", \"while ! [ -e go ]; do sleep 0.1; done; echo done >ran\"]\n}\n";
    let program = program(&["-once", "-config", "c.hcl"]).file("in", "1").file("c.hcl", settings);
    let mut running = program.spawn();
    assert_eq!(end(&mut running).0, 0);
    running.write("go", "");
    await_file(&running, "ran", "done\n");
}

#[test]
fn the_environment_of_commands() {
    let settings = r#"
        consul { address = "127.0.0.1:1" }
        template {
            source = "in"
            destination = "out"
            exec {
                command = "env >ran"
                env { custom = ["A=b=c"], denylist = ["SECRET*"] }
            }
        }"#;
    let program = program(&["-once", "-config", "c.hcl"])
        .env("SECRET_KEY", "x")
        .file("in", "1")
        .file("c.hcl", settings);
    assert_eq!(run(&program).0, 0);
    let env = lines(program.path("ran"));
    assert!(env.contains(&"A=b=c".to_owned()), "{env:?}");
    assert!(env.contains(&"CONSUL_HTTP_ADDR=127.0.0.1:1".to_owned()), "{env:?}");
    assert!(!env.iter().any(|variable| variable.starts_with("SECRET_KEY")), "{env:?}");
}

#[test]
fn the_daemon_runs_it_after_each_change_and_stops_when_asked() {
    let consul = Consul::start();
    put(&consul, "colour", "blue");
    let mut running = program(&["-consul", &consul.address(), "-pid-file", "pid"])
        .args(["-template", "in:out:cat out >>ran"])
        .file("in", "{{ key \"colour\" }}\n")
        .spawn();
    await_file(&running, "ran", "blue\n");
    assert_eq!(running.read("pid"), Some(format!("{}\n", running.pid())));
    put(&consul, "colour", "red");
    await_file(&running, "ran", "blue\nred\n");
    for signal in [Signal::SIGUSR1, Signal::SIGTERM] {
        running.signal(signal);
    }
    let (code, finished) = end(&mut running);
    assert_eq!((code, finished.stderr.as_str()), (0, ""));
    assert_eq!(running.read("pid"), None, "the pid file is gone");
}

#[test]
fn a_running_command_does_not_delay_the_end() {
    let mut running =
        program(&["-template", "in:out:touch began; sleep 1000"]).file("in", "1").spawn();
    await_file(&running, "began", "");
    let begin = Instant::now();
    assert_eq!(stop(&mut running).0, 0);
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

#[test]
fn once_that_is_interrupted_says_so() {
    let program = program(&["-once", "-consul", "127.0.0.1:1", "-template", "in:out"])
        .file("in", "{{ key \"a\" }}");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut running = program.spawn();
        running.wait_for_line("does not answer");
        running.signal(signal);
        let finished = running.wait(PATIENCE);
        assert_eq!(finished.ended, Ended::Code(12));
        // At once, not only after the time after which it would have been said anyway.
        let said = "in waits: key \"a\"; the catalog does not answer: ";
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
    }
}

#[test]
fn changes_come_to_rest_first() {
    let consul = Consul::start();
    put(&consul, "a", "1");
    let running = program(&["-consul", &consul.address(), "-wait", "2s:60s"])
        .args(["-template", "in:out:cat out >>ran"])
        .file("in", "{{ key \"a\" }}\n")
        .spawn();
    await_file(&running, "ran", "1\n");
    for value in ["2", "3", "4", "5"] {
        put(&consul, "a", value);
    }
    await_file(&running, "ran", "1\n5\n");
}
