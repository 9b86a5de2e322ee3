//! As whom a process runs, seen from the kernel. Needs root, as the tests' container has; the rest
//! is tested as somebody else by running this program again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use nix::unistd::geteuid;
use process::{Capture, Group, Identity, SpawnError, Spec, Streams};
use support::{Bench, lines, run};

/// Some ids that nobody has, with groups beside.
const PASSWD: &str = "app:x:4321:4322::/home/app:/bin/sh\n";
const GROUPS: &str = "one:x:4400:app\ntwo:x:4401:other,app\n";

fn ours() -> Identity {
    Identity::ours().unwrap()
}

fn identity(user: &str, group: Option<&str>) -> Identity {
    Identity::lookup_in(Some(PASSWD), Some(GROUPS), Some(user), group, &ours()).unwrap()
}

impl Bench {
    /// Starts a shell script as somebody, somewhere.
    fn try_as(
        &mut self,
        program: &str,
        script: &str,
        identity: &Identity,
        directory: Option<&Path>,
        streams: Streams,
    ) -> Result<process::Pid, SpawnError> {
        let (args, environment) = (["-c".to_owned(), script.to_owned()], &self.environment);
        let (identity, group) = (Some(identity), Group::Own);
        let spec = Spec { program, args: &args, environment, directory, identity, streams, group };
        self.processes.spawn(&spec)
    }

    /// What it writes.
    async fn told_as(
        &mut self,
        script: &str,
        identity: &Identity,
        directory: Option<&Path>,
    ) -> String {
        let capture = Capture::new(1 << 20);
        let streams = Streams::Capture(capture.clone());
        let pid = self.try_as("sh", script, identity, directory, streams).unwrap();
        assert!(self.exit(pid).await.status.success());
        String::from_utf8(capture.finished().await).unwrap()
    }

    /// Why a program cannot be started.
    fn refused_as(
        &mut self,
        program: &str,
        identity: &Identity,
        directory: Option<&Path>,
    ) -> String {
        let error =
            self.try_as(program, "", identity, directory, Streams::Null).expect_err("a refusal");
        assert_eq!(error.exit_code(), 126, "{error}");
        assert_eq!(self.processes.running(), 0);
        assert!(support::children().is_empty(), "a failed start left a child");
        error.to_string()
    }
}

/// The lines of /proc/PID/status by their names.
fn fields(status: &str) -> BTreeMap<&str, String> {
    let words = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ");
    status.lines().filter_map(|line| line.split_once(':')).map(|(k, v)| (k, words(v))).collect()
}

#[track_caller]
fn assert_root() {
    assert!(geteuid().is_root(), "this test needs root");
}

#[test]
fn a_child_has_its_ids_and_nothing_of_ours() {
    run(async {
        assert_root();
        let mut bench = Bench::new();
        for (identity, uid, gid, groups) in [
            (identity("app", None), 4321, 4322, "4322 4400 4401"),
            (identity("app", Some("one")), 4321, 4400, "4400"),
            (identity("9876", None), 9876, 0, "0"),
            (identity("0", Some("4401")), 0, 4401, "4401"),
        ] {
            let status = bench.told_as("exec cat /proc/self/status", &identity, None).await;
            let fields = fields(&status);
            assert_eq!(fields["Uid"], [uid; 4].map(|id| id.to_string()).join(" "));
            assert_eq!(fields["Gid"], [gid; 4].map(|id| id.to_string()).join(" "));
            assert_eq!(fields["Groups"], groups);
            if uid != 0 {
                for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                    assert_eq!(fields[set], "0000000000000000", "{set}");
                }
            }
            // As without an identity.
            assert_eq!(fields["SigBlk"], "0000000000000000");
            let ignored = u64::from_str_radix(&fields["SigIgn"], 16).unwrap();
            assert_eq!(ignored & 1 << 12, 0, "SIGPIPE");
            assert_eq!(fields["SigCgt"], "0000000000000000");
        }
        let told = bench.told_as("ps -o pgid= -p $$; echo $$", &identity("app", None), None).await;
        let words: Vec<&str> = told.split_whitespace().collect();
        assert_eq!(words[0], words[1], "a group of its own");
    });
}

#[test]
fn what_it_writes_is_read_and_dev_stdout_is_its_own() {
    run(async {
        assert_root();
        let mut bench = Bench::new();
        let script = "echo plain; echo opened >/dev/stdout; echo error >/dev/stderr";
        let pid = bench.try_as("sh", script, &identity("app", None), None, lines("web")).unwrap();
        assert!(bench.exit(pid).await.status.success());
        let log = bench.log_text();
        for line in ["web|INFO|plain\n", "web|INFO|opened\n", "web|WARN|error\n"] {
            assert!(log.contains(line), "{log}");
        }
    });
}

#[test]
fn its_directory_is_entered_with_its_own_rights() {
    run(async {
        assert_root();
        let mut bench = Bench::new();
        let app = identity("app", None);
        let folder = fs::canonicalize(bench.folder.path()).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        for (name, owner, group, mode) in
            [("own", 4321, 0, 0o700), ("shared", 0, 4401, 0o710), ("closed", 0, 0, 0o700)]
        {
            fs::create_dir(folder.join(name)).unwrap();
            chown(folder.join(name), Some(owner), Some(group)).unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        for name in ["own", "shared"] {
            let told = bench.told_as("pwd", &app, Some(&folder.join(name))).await;
            assert_eq!(told.trim(), folder.join(name).to_str().unwrap());
        }
        let closed = folder.join("closed");
        let shown = closed.display();
        let whom = "user \"app\" (uid 4321, gid 4322)";
        assert_eq!(
            bench.refused_as("sh", &app, Some(&closed)),
            format!(
                "cannot run \"sh\": its working directory {shown} cannot be entered: {shown} is \
                 closed to {whom}: mode 0700, owner 0:0"
            )
        );
        let missing = folder.join("missing");
        assert_eq!(
            bench.refused_as("sh", &app, Some(&missing)),
            format!(
                "cannot run \"sh\": its working directory {} does not exist",
                missing.display()
            )
        );
    });
}

#[test]
fn what_only_we_may_execute_is_explained() {
    run(async {
        assert_root();
        let mut bench = Bench::new();
        let app = identity("app", None);
        let folder = fs::canonicalize(bench.folder.path()).unwrap();
        let whom = "user \"app\" (uid 4321, gid 4322)";
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let put = |name: &str, content: &str, mode| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.display().to_string()
        };
        let tool = put("tool", "#!/bin/sh\n", 0o700);
        assert_eq!(
            bench.refused_as(&tool, &app, None),
            format!(
                "cannot run {tool:?}: {tool} is not executable for {whom}: mode 0700, owner 0:0"
            )
        );
        let inner = put("secret/deep/tool", "#!/bin/sh\n", 0o755);
        let secret = folder.join("secret");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o750)).unwrap();
        let reason = format!("{} is closed to {whom}: mode 0750, owner 0:0", secret.display());
        assert_eq!(bench.refused_as(&inner, &app, None), format!("cannot run {inner:?}: {reason}"));
        // By way of a link.
        let link = folder.join("link").display().to_string();
        std::os::unix::fs::symlink(&inner, &link).unwrap();
        assert_eq!(bench.refused_as(&link, &app, None), format!("cannot run {link:?}: {reason}"));
        // By way of the first line.
        let script = put("script", &format!("#!{inner}\n"), 0o755);
        assert_eq!(
            bench.refused_as(&script, &app, None),
            format!("cannot run {script:?}: {reason}")
        );
        // A directory that one of its groups may pass is not to blame.
        let shared = put("group/tool", "#!/bin/sh\n", 0o700);
        chown(folder.join("group"), Some(0), Some(4401)).unwrap();
        fs::set_permissions(folder.join("group"), fs::Permissions::from_mode(0o710)).unwrap();
        assert_eq!(
            bench.refused_as(&shared, &app, None),
            format!(
                "cannot run {shared:?}: {shared} is not executable for {whom}: mode 0700, owner 0:0"
            )
        );
        let plain = put("plain", "", 0o644);
        assert!(bench.refused_as(&plain, &app, None).contains("not executable for anybody"));
        // Group and owner count, and root as ever.
        let shared = put("shared", "#!/bin/sh\n", 0o750);
        chown(&shared, Some(0), Some(4400)).unwrap();
        for identity in [&app, &identity("0", Some("5"))] {
            let pid = bench.try_as(&shared, "", identity, None, Streams::Null).unwrap();
            assert!(bench.exit(pid).await.status.success());
        }
    });
}

#[test]
fn what_only_we_find_in_path_does_not_hide_what_it_can_run() {
    run(async {
        assert_root();
        let mut bench = Bench::new();
        let app = identity("app", None);
        let folder = fs::canonicalize(bench.folder.path()).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        for (name, mode) in [("home", 0o700), ("bin", 0o755)] {
            fs::create_dir(folder.join(name)).unwrap();
            let tool = folder.join(name).join("tool");
            fs::write(&tool, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let (home, bin) = (folder.join("home"), folder.join("bin"));
        let path = |directories: &[&Path]| std::env::join_paths(directories).unwrap();
        bench.environment.insert("PATH".into(), path(&[&home, &bin]));
        let pid = bench.try_as("tool", "", &app, None, Streams::Null).unwrap();
        assert!(bench.exit(pid).await.status.success());
        bench.environment.insert("PATH".into(), path(&[&home]));
        let reason = format!("{} is closed to", home.display());
        assert!(bench.refused_as("tool", &app, None).contains(&reason));
    });
}

#[test]
fn what_the_kernel_does_not_take_is_said() {
    run(async {
        assert_root();
        let mut bench = Bench::new();
        // More groups than the kernel takes.
        let many: String = (0..70_000).map(|n| format!("g{n}:x:{}:app\n", 100_000 + n)).collect();
        let app =
            Identity::lookup_in(Some(PASSWD), Some(&many), Some("app"), None, &ours()).unwrap();
        let message = bench.refused_as("sh", &app, None);
        let expected = "cannot run \"sh\" as user \"app\" (uid 4321, gid 4322): its supplementary \
                        groups cannot be set: ";
        assert!(message.starts_with(expected), "{message}");
    });
}

/// Runs one of the ignored tests below as somebody else: `setpriv` with these options.
fn again(options: &[&str], test: &str) {
    assert_root();
    // Where it was built may be closed to them.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let copy = folder.path().join("again");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    run(async {
        let mut bench = Bench::new();
        bench.environment.insert("TMPDIR".into(), folder.path().into());
        let test = ["--ignored", "--exact", test, "--nocapture"];
        let args: Vec<&str> =
            options.iter().copied().chain([copy.to_str().unwrap()]).chain(test).collect();
        let streams = support::lines("again");
        let pid = bench.start("setpriv", &args, streams, Group::Own);
        let exit = bench.exit(pid).await;
        let log = bench.log_text();
        assert!(exit.status.success(), "{log}");
        assert!(log.contains("1 passed"), "{log}");
    });
}

#[test]
fn without_root_we_stay_who_we_are_and_become_nobody_else() {
    again(&["--reuid=4321", "--regid=4322", "--groups=4400,4401"], "as_app");
}

#[test]
#[ignore = "run by the test above"]
fn as_app() {
    run(async {
        let mut bench = Bench::new();
        let app = identity("app", None);
        let told = bench.told_as("id -u; id -g; id -G", &app, Some(Path::new("/usr"))).await;
        assert_eq!(told, "4321\n4322\n4322 4400 4401\n");
        let reason = "we run as uid 4321, and only root may do that";
        for (other, whom) in [
            (identity("9876", None), "uid 9876, gid 0"),
            // The same user with fewer groups would be somebody else.
            (identity("app", Some("4322")), "user \"app\" (uid 4321, gid 4322)"),
        ] {
            assert_eq!(
                bench.refused_as("sh", &other, None),
                format!(
                    "cannot run \"sh\" as {whom}: its supplementary groups cannot be set: {reason}"
                )
            );
        }
    });
}

#[test]
fn root_without_capabilities_is_told_which_one_is_missing() {
    again(&["--bounding-set=-setuid", "--inh-caps=-setuid"], "as_root_without_setuid");
}

#[test]
#[ignore = "run by the test above"]
fn as_root_without_setuid() {
    run(async {
        let mut bench = Bench::new();
        assert_eq!(
            bench.refused_as("sh", &identity("app", None), None),
            "cannot run \"sh\" as user \"app\" (uid 4321, gid 4322): its user cannot be set: we \
             are root, but without the capability CAP_SETUID"
        );
    });
}

#[test]
fn capabilities_that_we_have_without_being_root_are_not_handed_on() {
    let caps = ["--inh-caps=+setuid,+setgid,+kill", "--ambient-caps=+setuid,+setgid,+kill"];
    again(&["--reuid=5000", "--regid=5000", "--clear-groups", caps[0], caps[1]], "as_capable");
}

#[test]
#[ignore = "run by the test above"]
fn as_capable() {
    run(async {
        let mut bench = Bench::new();
        let status = bench.captured("exec cat /proc/self/status").await;
        assert_ne!(fields(&status)["CapEff"], "0000000000000000", "the scene is not as meant");
        let script = "exec cat /proc/self/status";
        let status = bench.told_as(script, &identity("app", None), None).await;
        let fields = fields(&status);
        assert_eq!(fields["Uid"], "4321 4321 4321 4321");
        assert_eq!(fields["Groups"], "4322 4400 4401");
        for set in ["CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(fields[set], "0000000000000000", "{set}");
        }
    });
}

#[test]
fn real_files_are_looked_at() {
    let root = Identity::lookup(Some("root"), None).unwrap();
    assert_eq!((root.uid(), root.name(), root.home()), (0, Some("root"), Path::new("/root")));
    let error = Identity::lookup(Some("no-such-user"), None).unwrap_err().to_string();
    assert_eq!(error, "no such user \"no-such-user\" in /etc/passwd");
    let ours = Identity::lookup(None, None).unwrap();
    assert_eq!(ours.uid(), geteuid().as_raw());
}
