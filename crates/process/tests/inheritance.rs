//! What a child gets from us, and what it does not.

mod support;

use std::collections::BTreeSet;

use nix::sys::signal::{SigSet, Signal};
use process::{Capture, Group, Streams};
use support::{Bench, run};

#[test]
fn the_environment_is_exactly_what_was_given() {
    run(async {
        let mut bench = Bench::new();
        bench.environment.insert("EQUAL".into(), "a=b=c".into());
        bench.environment.insert("EMPTY".into(), "".into());
        bench.environment.insert("LINES".into(), "one\ntwo \u{fc}".into());
        let capture = Capture::new(1 << 20);
        let pid = bench.start("env", &["-0"], Streams::Capture(capture.clone()), Group::Own);
        assert!(bench.exit(pid).await.status.success());
        let text = String::from_utf8(capture.finished().await).unwrap();
        let mut seen: Vec<&str> = text.split_terminator('\0').collect();
        seen.sort_unstable();
        let given: Vec<String> = bench
            .environment
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        assert_eq!(seen, given);
    });
}

#[test]
fn signals_are_as_at_birth() {
    run(async {
        // As a careless parent may have left us.
        let mut blocked = SigSet::empty();
        blocked.add(Signal::SIGTERM);
        blocked.add(Signal::SIGCHLD);
        blocked.thread_block().unwrap();
        let mut bench = Bench::new();
        let status = bench.captured("exec cat /proc/self/status").await;
        let field = |status: &str, name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
        };
        assert_eq!(field(&status, "SigBlk:"), 0, "{status}");
        assert_eq!(field(&status, "SigCgt:"), 0, "{status}");
        // We ignore SIGPIPE, as Rust's runtime does; what else is ignored, whoever started these
        // tests has chosen.
        let ours = field(&std::fs::read_to_string("/proc/self/status").unwrap(), "SigIgn:");
        let pipe = 1 << (Signal::SIGPIPE as u32 - 1);
        assert_ne!(ours & pipe, 0);
        // 32 and 33 are glibc's own, with which it does as it likes.
        let mask = !(0b11 << 31);
        assert_eq!(field(&status, "SigIgn:") & mask, ours & mask & !pipe, "{status}");
    });
}

#[test]
fn none_of_our_descriptors_is_inherited() {
    run(async {
        // Whoever started these tests may have left something open: that is not ours.
        let birth: BTreeSet<String> = (0..1024)
            .filter_map(|number| {
                let link = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
                Some(format!("{number} {}", link.display()))
            })
            .collect();
        let mut bench = Bench::new();
        for streams in [Streams::Null, Streams::Raw, Streams::Inherit, support::lines("other")] {
            // A neighbour, whose pipes are open meanwhile.
            let neighbour = bench.script("exec sleep 100", streams);
            let list =
                "cd /proc/$$/fd; for f in *; do printf '%s ' $f; readlink $f || echo gone; done";
            let listed = bench.captured(list).await;
            assert!(listed.lines().count() >= 3, "{listed}");
            // The shell's own, while it looked through the folder.
            let listed_now = listed.lines().filter(|line| !line.ends_with(" gone"));
            for line in listed_now.filter(|line| !birth.contains(*line)) {
                let number = line.split(' ').next().unwrap();
                assert!(["0", "1", "2"].contains(&number), "{line} in {listed}");
            }
            bench.processes.signal_group(neighbour, Signal::SIGKILL);
            bench.exit(neighbour).await;
        }
    });
}

#[test]
fn streams_go_where_they_should() {
    run(async {
        let mut bench = Bench::new();
        let file = bench.folder.path().join("links");
        let script = format!(
            "for i in 0 1 2; do readlink /proc/$$/fd/$i; done >{0}.new; mv {0}.new {0}",
            file.display()
        );
        let ours: Vec<String> = (0..3)
            .map(|i| std::fs::read_link(format!("/proc/self/fd/{i}")).unwrap())
            .map(|link| link.to_string_lossy().into_owned())
            .collect();
        let null = "/dev/null".to_owned();
        for (streams, expected) in [
            (Streams::Null, [null.clone(), null.clone(), null.clone()]),
            (Streams::Raw, [null.clone(), "1".to_owned(), ours[2].clone()]),
            (Streams::Inherit, [ours[0].clone(), "1".to_owned(), ours[2].clone()]),
        ] {
            let pid = bench.script(&script, streams);
            assert!(bench.exit(pid).await.status.success());
            let seen = std::fs::read_to_string(&file).unwrap();
            let mut seen: Vec<&str> = seen.lines().collect();
            // The script's own stdout is the file while it looks.
            if expected[1] == "1" {
                seen[1] = "1";
            } else {
                assert!(seen[1].ends_with("links.new"));
                seen[1] = "/dev/null";
            }
            assert_eq!(seen, expected);
        }
    });
}

#[test]
fn unwanted_lines_cost_no_pipe() {
    run(async {
        let mut bench = Bench::new();
        let source = process::Source::new("quiet".to_owned(), log::Level::Info, log::Level::Debug);
        let streams = Streams::Lines { source: source.into() };
        let pid = bench.script("readlink /proc/$$/fd/2; echo unwanted >&2", streams);
        assert!(bench.exit(pid).await.status.success());
        assert_eq!(bench.log_text(), "quiet|INFO|/dev/null\n");
    });
}

#[test]
fn arguments_arrive_as_given() {
    run(async {
        let mut bench = Bench::new();
        let capture = Capture::new(1000);
        let args = ["-c", "printf '<%s>' \"$0\" \"$@\"", "zero", "a b", "", "*", "-x"];
        let pid = bench.start("sh", &args, Streams::Capture(capture.clone()), Group::Own);
        assert!(bench.exit(pid).await.status.success());
        assert_eq!(capture.finished().await, b"<zero><a b><><*><-x>");
        // argv[0] is the name that was asked for, not the path that was found.
        let told = bench.captured("tr '\\0' ' ' </proc/$$/cmdline").await;
        assert!(told.starts_with("sh -c "), "{told}");
    });
}
