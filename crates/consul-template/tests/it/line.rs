//! The command line: what it says, what it refuses, where things go.

use testkit::Program;

use crate::support::{program, run, without_times};

#[test]
fn help_and_version() {
    for flag in ["-help", "--help", "-h"] {
        let (code, finished) = run(&program(&[flag]));
        assert_eq!(code, 0);
        for word in ["-template SOURCE:DESTINATION[:COMMAND]", "-consul-addr", "exit code", "14"] {
            assert!(finished.stdout.contains(word), "{flag}: {}", finished.stdout);
        }
    }
    for flag in ["-version", "-v"] {
        let (code, finished) = run(&program(&[flag]));
        assert_eq!((code, finished.stdout.starts_with("consul-template of")), (0, true), "{flag}");
    }
}

#[test]
fn the_folder_is_made_and_the_mode_is_the_usual_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = program(&["-once", "-template", "in:new/folder/out"]).file("in", "a {{ 1 }}\n");
    let (code, finished) = run(&program);
    assert_eq!((code, finished.stderr.as_str()), (0, ""));
    let out = program.path("new/folder/out");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "a 1\n");
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o7777, 0o644);
}

#[test]
fn without_a_destination_the_text_is_printed() {
    let (code, finished) = run(&program(&["-once", "-template", "in"]).file("in", "a {{ 1 }}\n"));
    assert_eq!((code, finished.stdout.as_str()), (0, "a 1\n"));
}

#[test]
fn dry_prints_and_neither_writes_nor_runs() {
    let program =
        program(&["-once", "-dry", "-template", "in:out:touch ran", "-exec", "touch ran"])
            .file("in", "a\n");
    let (code, finished) = run(&program);
    assert_eq!((code, finished.stdout.as_str()), (0, "> out\na\n"), "{}", finished.stderr);
    assert!(!program.path("out").exists() && !program.path("ran").exists());
}

#[test]
fn delimiters_and_the_environment() {
    let program =
        program(&["-once", "-default-left-delimiter=<<", "-default-right-delimiter", ">>"])
            .args(["-template", "in"])
            .env("COLOUR", "blue")
            .file("in", "<< env \"COLOUR\" >> {{ x }}");
    assert_eq!(run(&program).1.stdout, "blue {{ x }}");
}

#[test]
fn parse_only_reads_and_does_nothing() {
    let good = program(&["-parse-only", "-template", "in:out"]).file("in", "{{ key \"a\" }}");
    assert_eq!(run(&good).0, 0);
    assert!(!good.path("out").exists());
    let bad = program(&["-parse-only", "-template", "in:out"]).file("in", "{{ keey \"a\" }}");
    let (code, finished) = run(&bad);
    assert_eq!(code, 14);
    assert!(finished.stderr.contains("keey"), "{}", finished.stderr);
}

/// What is said of lines that cannot be used, and the exit code.
#[test]
fn what_is_wrong_is_said() {
    let mut told = String::new();
    for line in [
        &[] as &[&str],
        &["-tempalte", "a:b"],
        &["-template"],
        &["-template", "", "-wait", "5", "-log-level", "loud", "-exec-kill-signal", "HUB"],
        &["-template", "in:out", "-template", "in:out"],
        &["-template", "in:out", "-template", "in:./out"],
        &["-template", "in:out", "extra"],
        &["-template", "in:out", "-once=perhaps"],
        &["-template", "in:out", "-consul", "consul"],
        &["-template", "in:out", "-consul", "http://me:secret@consul:8500"],
        &["-template", "in:out", "-consul", "http://consul:8500", "-consul-ssl"],
        &["-template", "in:out", "-consul-ssl-cert", "x", "-consul", "consul:8500"],
        &["-template", "in:out", "-consul-ssl-cert", "x", "-etcd", "etcd:2379"],
        &["-template", "in:out", "-etcd", "etcd:2379", "-consul", "consul:8500"],
        &["-template", "in:out", "-etcd", "etcd"],
        &["-template", "in:out", "-kill-signal", "SIGKILL"],
        &["-template", "in:out", "-vault-addr", "http://vault:8200"],
        &["-template", "in:out", "-config", "missing"],
        &["-template", "missing:out"],
        &["-template", "bad:out"],
        &["-template", "vault:out"],
        &["-template", "open:out"],
        &["-template", "typo:out"],
        &["-template", "in:out", "-pid-file", "missing/pid"],
        &["-template", "in:folder/in"],
    ] {
        // Some of these would run for ever if they were right.
        let program = Program::new(env!("CARGO_BIN_EXE_consul-template"))
            .file("in", "x")
            .file("folder/in/x", "")
            .file("bad", "{{ if }}")
            .file("vault", "{{ with secret \"a\" }}{{ end }}")
            .file("open", "{{ range loop 3 }}\n{{ if . }}\n{{ end }}\n")
            .file("typo", "{{ scratch.set \"a\" 1 }}")
            .arg("-once")
            .args(line);
        let (code, finished) = run(&program);
        let error =
            without_times(&finished.stderr).replace(&program.dir().display().to_string(), "FOLDER");
        told.push_str(&format!(
            "$ consul-template {}\n{error}exit code {code}\n\n",
            line.join(" ")
        ));
    }
    insta::assert_snapshot!(told);
}
