//! Where a process starts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use process::{Capture, Group, SpawnError, Spec, Streams};
use support::{Bench, run};

fn start(
    bench: &mut Bench,
    program: &str,
    args: &[&str],
    directory: &Path,
    streams: Streams,
) -> Result<process::Pid, SpawnError> {
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    let (environment, directory, identity) = (&bench.environment, Some(directory), None);
    let group = Group::Own;
    let spec = Spec { program, args: &args, environment, directory, identity, streams, group };
    bench.processes.spawn(&spec)
}

async fn told(bench: &mut Bench, program: &str, args: &[&str], directory: &Path) -> String {
    let capture = Capture::new(1 << 20);
    let pid = start(bench, program, args, directory, Streams::Capture(capture.clone())).unwrap();
    assert!(bench.exit(pid).await.status.success());
    String::from_utf8(capture.finished().await).unwrap()
}

fn script(path: PathBuf, content: &str) {
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_process_starts_in_its_directory() {
    run(async {
        let mut bench = Bench::new();
        let folder = fs::canonicalize(bench.folder.path()).unwrap();
        let before = std::env::current_dir().unwrap();
        assert_eq!(
            told(&mut bench, "pwd", &["-P"], &folder).await.trim_end(),
            folder.to_str().unwrap()
        );
        // A relative one is relative to ours.
        assert_eq!(
            told(&mut bench, "pwd", &["-P"], Path::new("tests")).await.trim_end(),
            before.join("tests").to_str().unwrap()
        );
        assert_eq!(std::env::current_dir().unwrap(), before);
    });
}

#[test]
fn relative_programs_are_looked_for_from_there() {
    run(async {
        let mut bench = Bench::new();
        let folder = fs::canonicalize(bench.folder.path()).unwrap();
        fs::create_dir(folder.join("bin")).unwrap();
        script(folder.join("bin/tool"), "#!/bin/sh\necho tool in $(pwd -P)\n");
        let expected = format!("tool in {}\n", folder.display());
        assert_eq!(told(&mut bench, "./bin/tool", &[], &folder).await, expected);
        assert_eq!(told(&mut bench, "bin/tool", &[], &folder).await, expected);
        // An empty or relative part of the PATH, too.
        bench.environment.insert("PATH".into(), "/bin:bin".into());
        assert_eq!(told(&mut bench, "tool", &[], &folder).await, expected);
        bench.environment.insert("PATH".into(), "/bin:".into());
        let bin = folder.join("bin");
        assert_eq!(
            told(&mut bench, "tool", &[], &bin).await,
            format!("tool in {}\n", bin.display())
        );

        let error = start(&mut bench, "./none", &[], &folder, Streams::Null).unwrap_err();
        assert_eq!(error.exit_code(), 127);
        assert_eq!(
            error.to_string(),
            format!(
                "cannot run \"./none\": no such file (from its working directory, {})",
                folder.display()
            )
        );
        // One that is ours and not the child's is none.
        assert!(Path::new("tests/directory.rs").exists());
        let error = start(&mut bench, "tests/directory.rs", &[], &folder, Streams::Null);
        assert_eq!(error.unwrap_err().exit_code(), 127);
    });
}

#[test]
fn a_directory_that_cannot_be_entered_is_not_a_missing_program() {
    run(async {
        let mut bench = Bench::new();
        let folder = bench.folder.path().to_owned();
        fs::write(folder.join("file"), "").unwrap();
        for (name, words) in [
            ("missing", "does not exist"),
            ("file", "is not a directory"),
            ("file/below", "cannot be entered: Not a directory"),
        ] {
            let directory = folder.join(name);
            for program in ["true", "/bin/true", "./true"] {
                let error = start(&mut bench, program, &[], &directory, Streams::Null).unwrap_err();
                assert_eq!(error.exit_code(), 126);
                let start = format!(
                    "cannot run {program:?}: its working directory {} {words}",
                    directory.display()
                );
                assert!(error.to_string().starts_with(&start), "{error}");
            }
        }
    });
}
