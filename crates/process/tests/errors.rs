//! What cannot be started is told apart, with the code that a shell would use and a clear message.

#![allow(clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use process::{Group, SpawnError, Spec, Streams};
use support::{Bench, children, run};

fn file(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(path, permissions).unwrap_or_else(|error| panic!("{error}"));
}

/// Expects that it cannot be started, with this code and all these words in the message.
fn refused(bench: &mut Bench, program: &str, args: &[String], code: u8, words: &[&str]) {
    let environment = &bench.environment;
    let (directory, identity, streams, group) = (None, None, Streams::Null, Group::Own);
    let spec = Spec { program, args, environment, directory, identity, streams, group };
    let Err(error) = bench.processes.spawn(&spec) else { panic!("{program} was started") };
    let message = error.to_string();
    assert_eq!(error.exit_code(), code, "{message}");
    match (&error, code) {
        (SpawnError::NotFound { .. }, 127) => {}
        (SpawnError::NotExecutable { .. } | SpawnError::Other { .. }, 126) => {}
        _ => panic!("{error:?}"),
    }
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    assert!(message.contains(&format!("{program:?}")), "{message}");
    assert_eq!(bench.processes.running(), 0);
    assert!(children().is_empty(), "a failed start left a child");
}

#[test]
fn every_refusal_says_why() {
    run(async {
        let mut bench = Bench::new();
        let folder = bench.folder.path().to_owned();
        let at = |name: &str| folder.join(name).display().to_string();
        file(&folder.join("plain"), b"#!/bin/sh\n", 0o644);
        file(&folder.join("text"), b"no first line of a script\n", 0o755);
        file(&folder.join("empty"), b"", 0o755);
        file(&folder.join("lost"), b"#! /no/such/interpreter -x\nexit\n", 0o755);
        file(&folder.join("dos"), b"#!/bin/sh\r\nexit\r\n", 0o755);
        let mut elf = fs::read("/bin/true").unwrap();
        elf[18] = 0xff; // the machine
        elf[19] = 0xff;
        file(&folder.join("alien"), &elf, 0o755);
        fs::create_dir(folder.join("folder")).unwrap();
        symlink("/nowhere", folder.join("dangling")).unwrap();
        let none: &[String] = &[];

        refused(&mut bench, "", none, 127, &["empty"]);
        refused(&mut bench, &at("missing"), none, 127, &["no such file"]);
        refused(&mut bench, &at("none/missing"), none, 127, &["no directory", "none"]);
        refused(&mut bench, &at("dangling"), none, 127, &["symbolic link to nowhere"]);
        refused(&mut bench, &at("plain/below"), none, 127, &["ot a directory"]);
        refused(&mut bench, &at("plain"), none, 126, &["not executable", "permission"]);
        refused(&mut bench, &at("folder"), none, 126, &["is a directory"]);
        refused(&mut bench, "/dev/null", none, 126, &["not a regular file"]);
        refused(&mut bench, &at("lost"), none, 126, &["interpreter", "\"/no/such/interpreter\""]);
        refused(&mut bench, &at("dos"), none, 126, &["interpreter", r#""/bin/sh\r""#]);
        refused(&mut bench, &at("text"), none, 126, &["neither", "#!"]);
        refused(&mut bench, &at("empty"), none, 126, &["neither", "#!"]);
        refused(&mut bench, &at("alien"), none, 126, &["another machine"]);
        refused(&mut bench, "/bin/true", &["a\0b".to_owned()], 126, &["nul byte"]);
        let long = vec!["x".repeat(100_000); 100];
        refused(&mut bench, "/bin/true", &long, 126, &["too long"]);
    });
}

#[test]
fn the_path_is_searched_as_by_a_shell() {
    run(async {
        let mut bench = Bench::new();
        let folder = bench.folder.path().to_owned();
        for name in ["first", "second", "third"] {
            fs::create_dir(folder.join(name)).unwrap();
        }
        // Neither a directory nor a file without permission is in the way of the right one.
        fs::create_dir(folder.join("first/tool")).unwrap();
        file(&folder.join("second/tool"), b"", 0o644);
        let join = |names: &[&str]| {
            let paths: Vec<String> =
                names.iter().map(|name| folder.join(name).display().to_string()).collect();
            paths.join(":")
        };
        bench.environment.insert("PATH".into(), join(&["first", "second", "third"]).into());
        refused(&mut bench, "tool", &[], 126, &["first/tool is a directory"]);
        refused(&mut bench, "other", &[], 127, &["no such program in PATH", &join(&["first"])]);
        file(&folder.join("third/tool"), b"#!/bin/sh\nexit 7\n", 0o755);
        let pid = bench.start("tool", &[], Streams::Null, Group::Own);
        assert_eq!(bench.exit(pid).await.status.code(), 7);

        bench.environment.remove(std::ffi::OsStr::new("PATH"));
        refused(&mut bench, "tool", &[], 127, &["the environment has none", "/usr/bin"]);
        let pid = bench.start("true", &[], Streams::Null, Group::Own);
        assert!(bench.exit(pid).await.status.success());
    });
}
