//! Children's output becomes log lines, all of it.

mod support;

use std::time::{Duration, Instant};

use process::{Capture, Signal, Streams};
use support::{Bench, LONG, lines, reap_until, run};

#[test]
fn both_streams_become_lines_of_their_level() {
    run(async {
        let mut bench = Bench::new();
        let pid = bench.script("echo out; echo; printf 'a\\r\\n'", lines("web"));
        bench.exit(pid).await;
        let pid = bench.script("echo err >&2", lines("web"));
        bench.exit(pid).await;
        bench.output.write(b"our own\n");
        assert!(bench.output.finish(LONG));
        let mut log = bench.log_text();
        // Two pipes have no order between them.
        let own = log.find("our own\n").unwrap();
        log.replace_range(own..own + 8, "");
        let error = log.find("web|WARN|err\n").unwrap();
        log.replace_range(error..error + 13, "");
        assert_eq!(log, "web|INFO|out\nweb|INFO|\nweb|INFO|a\r\n");
    });
}

#[test]
fn the_last_bytes_of_a_process_that_exits_at_once_are_there() {
    run(async {
        let mut bench = Bench::new();
        let mut expected = String::new();
        for i in 0..200 {
            let pid = bench.script(&format!("printf '{i}\\nlast {i}'"), lines("a"));
            bench.exit(pid).await;
            expected += &format!("a|INFO|{i}\na|INFO|last {i}\n");
            // At once: whether the thread has seen anything yet is left to chance.
            assert_eq!(bench.log_text(), expected);
        }
    });
}

#[test]
fn a_long_line_is_whole() {
    run(async {
        let mut bench = Bench::new();
        let pid = bench.script("head -c 70000 /dev/zero | tr '\\0' x; echo; echo next", lines("a"));
        bench.exit(pid).await;
        let expected = format!("a|INFO|{}\na|INFO|next\n", "x".repeat(70_000));
        assert!(bench.log_text() == expected);
    });
}

#[test]
fn a_line_of_3_mib_loses_nothing() {
    run(async {
        let mut bench = Bench::new();
        // Numbers, so that a piece that is missing or in the wrong place shows.
        let script = "seq -w 450000 | tr '\\n' ' ' | head -c 3145728; echo; echo next";
        let pid = bench.script(script, lines("a"));
        bench.exit(pid).await;
        let log = bench.log_text();
        let pieces: Vec<&str> =
            log.lines().map(|line| line.strip_prefix("a|INFO|").unwrap()).collect();
        assert_eq!(pieces.last(), Some(&"next"));
        let joined = pieces[..pieces.len() - 1].concat();
        let numbers: String = (1..=450_000).map(|i| format!("{i:06} ")).collect();
        assert!(joined == numbers[..3 << 20]);
        assert!(pieces.len() <= 5, "cut into {} pieces", pieces.len());
        assert!(!pieces.contains(&""), "an end of line after a piece is no empty line");
    });
}

#[test]
fn an_end_of_line_after_a_piece_is_no_line() {
    run(async {
        let mut bench = Bench::new();
        // Usually the pause lets the line be cut right before its end; it is the same without.
        let script = "head -c 1048576 /dev/zero | tr '\\0' x; sleep 0.2; echo; echo; echo next";
        let pid = bench.script(script, lines("a"));
        bench.exit(pid).await;
        let expected = format!("a|INFO|{}\na|INFO|\na|INFO|next\n", "x".repeat(1 << 20));
        assert!(bench.log_text() == expected);
    });
}

#[test]
fn any_byte_passes() {
    run(async {
        let mut bench = Bench::new();
        let script = "printf 'nul \\000 bad \\377\\376 esc \\033[0m\\n\\000\\n'; printf '\\303'";
        let pid = bench.script(script, lines("a"));
        bench.exit(pid).await;
        let expected: &[u8] = b"a|INFO|nul \0 bad \xff\xfe esc \x1b[0m\na|INFO|\0\na|INFO|\xc3\n";
        assert_eq!(bench.log(), expected);
    });
}

#[test]
fn a_descendant_that_keeps_the_pipe_does_not_hang_the_end() {
    run(async {
        let mut bench = Bench::new();
        // The one is silent for ever, the other never is.
        let silent = bench.script("echo first; sleep 1000 & printf last", lines("a"));
        bench.exit(silent).await;
        let gate = bench.folder.path().join("gate");
        let noisy = bench.script(&format!("yes & echo $! >{}", gate.display()), lines("b"));
        bench.exit(noisy).await;
        reap_until(&mut bench.processes, || gate.exists()).await;
        let start = Instant::now();
        assert!(bench.output.finish(LONG));
        assert!(start.elapsed() < Duration::from_secs(20));
        let log = bench.log_text();
        assert!(log.contains("a|INFO|first\n"));
        assert!(log.contains("a|INFO|last\n"));
        // The groups' leaders are gone, so it must be done one by one.
        for pid in support::children() {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        }
        reap_until(&mut bench.processes, || support::children().is_empty()).await;
    });
}

#[test]
fn lines_of_many_writers_never_mix() {
    run(async {
        let mut bench = Bench::new();
        let line = |name: &str| name.repeat(300);
        for name in ["a", "b", "c", "d", "e", "f"] {
            bench.script(&format!("yes {} | head -n 3000", line(name)), lines(name));
        }
        let mut own = 0;
        while bench.processes.running() > 0 {
            tokio::select! {
                exit = bench.processes.next_exit() => assert!(exit.status.success()),
                () = tokio::task::yield_now() => if own < 1000 {
                    bench.output.write(b"own\n");
                    own += 1;
                }
            }
        }
        let log = bench.log_text();
        let mut counts = std::collections::BTreeMap::new();
        for text in log.lines() {
            if text != "own" {
                let (name, rest) = text.split_once("|INFO|").unwrap();
                assert_eq!(rest, line(name));
            }
            *counts.entry(text.chars().next().unwrap()).or_insert(0) += 1;
        }
        assert_eq!(counts.remove(&'o').unwrap_or(0), own);
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&count| count == 3000), "{counts:?}");
    });
}

#[test]
fn a_capture_takes_stdout_up_to_its_limit() {
    run(async {
        let mut bench = Bench::new();
        let capture = Capture::new(1000).with_stderr(support::source("sensor"));
        let script = "echo 42.5; echo why >&2; head -c 1000000 /dev/zero";
        let pid = bench.script(script, Streams::Capture(capture.clone()));
        assert!(bench.exit(pid).await.status.success());
        let bytes = capture.finished().await;
        assert_eq!(bytes.len(), 1000);
        assert!(bytes.starts_with(b"42.5\n\0"));
        assert_eq!(bench.log_text(), "sensor|WARN|why\n");
    });
}

#[test]
fn a_capture_can_be_given_up() {
    run(async {
        let mut bench = Bench::new();
        let capture = Capture::new(1000);
        let pid = bench.script("echo so far; exec sleep 1000", Streams::Capture(capture.clone()));
        let deadline = tokio::time::timeout(Duration::from_millis(300), capture.finished());
        assert!(deadline.await.is_err());
        bench.processes.signal_group(pid, Signal::SIGKILL);
        bench.exit(pid).await;
        assert_eq!(capture.finished().await, b"so far\n");
    });
}
