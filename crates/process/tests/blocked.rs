//! The reader of our output stops, is slow, or goes away.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod support;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use process::{Capture, ExitStatus, Signal, Sink, Source, Streams, Tail};
use support::{Bench, LONG, children, descriptors, lines, reap_until, run};

/// A bench whose sink is a pipe, and the pipe's other end, which nobody reads yet.
fn piped() -> (Bench, File) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap_or_else(|error| panic!("{error}"));
    let mut options = File::options();
    let reader = options.read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(&path);
    let bench = Bench::with_sink(folder, Sink::File(path));
    (bench, reader.unwrap_or_else(|error| panic!("{error}")))
}

/// Reads until the output has been finished and the pipe is empty, a piece at a time.
fn read_to_the_end(bench: &Bench, reader: &mut File, piece: usize, pause: Duration) -> String {
    let output = bench.output.clone();
    let finish = std::thread::spawn(move || output.finish(Duration::from_secs(2)));
    let text = read_until(reader, &|| finish.is_finished(), piece, pause);
    assert!(finish.join().is_ok_and(|complete| complete), "finish gave up on a living reader");
    text
}

fn read_until(
    reader: &mut File,
    finished: &dyn Fn() -> bool,
    piece: usize,
    pause: Duration,
) -> String {
    let mut text = Vec::new();
    let mut buffer = vec![0; piece];
    let start = Instant::now();
    loop {
        // Looked at before the read: what was finished then is in the pipe.
        let finished = finished();
        match reader.read(&mut buffer) {
            // No writer for now.
            Ok(0) if finished => break,
            Ok(count) => text.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock && finished => break,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        std::thread::sleep(pause);
        assert!(start.elapsed() < LONG, "it hangs");
    }
    String::from_utf8_lossy(&text).into_owned()
}

const SOON: Duration = Duration::from_micros(50);

#[test]
fn a_blocked_reader_stops_nothing_and_loses_nothing() {
    run(async {
        let (mut bench, mut reader) = piped();
        let gate = bench.folder.path().join("gate");
        let writer = bench.script(
            &format!("echo >{}; seq 1 400000; echo end; exit 5", gate.display()),
            lines("writer"),
        );
        reap_until(&mut bench.processes, || gate.exists()).await;
        // Meanwhile everything else works, and takes no longer.
        let start = Instant::now();
        for i in 0..50 {
            let pid = bench.script(&format!("echo check {i}; exit 3"), lines("check"));
            assert_eq!(bench.exit(pid).await.status, ExitStatus::Code(3));
            assert_eq!(bench.captured("echo captured").await, "captured\n");
        }
        let pid = bench.script("exec sleep 1000", lines("sleeper"));
        bench.processes.signal_group(pid, Signal::SIGTERM);
        assert_eq!(bench.exit(pid).await.status, ExitStatus::Signal(15));
        assert!(start.elapsed() < Duration::from_secs(20));
        // The writer is the one who waits.
        assert_eq!(children(), [writer.as_raw()]);
        assert_eq!(bench.processes.running(), 1);
        // The reader wakes up.
        let finished = Arc::new(AtomicBool::new(false));
        let reading = std::thread::spawn({
            let finished = Arc::clone(&finished);
            move || read_until(&mut reader, &|| finished.load(Ordering::SeqCst), 1 << 16, SOON)
        });
        assert_eq!(bench.exit(writer).await.status, ExitStatus::Code(5));
        assert!(bench.output.finish(LONG));
        finished.store(true, Ordering::SeqCst);
        let text = reading.join().unwrap();
        let mut expected = 1;
        let mut checks = BTreeSet::new();
        for line in text.lines() {
            if let Some(check) = line.strip_prefix("check|INFO|check ") {
                checks.insert(check.to_owned());
            } else if expected <= 400_000 {
                assert_eq!(line, format!("writer|INFO|{expected}"));
                expected += 1;
            } else {
                assert_eq!(line, "writer|INFO|end");
            }
        }
        assert!(text.contains("writer|INFO|end\n"));
        assert_eq!(checks.len(), 50);
    });
}

#[test]
fn checks_do_not_use_up_descriptors_while_the_reader_is_blocked() {
    run(async {
        let (mut bench, mut reader) = piped();
        bench.script("exec yes", lines("chatty"));
        let before = descriptors();
        for i in 0..600 {
            let pid = bench.script(&format!("echo {i}"), lines("check"));
            bench.exit(pid).await;
        }
        reap_until(&mut bench.processes, || descriptors() < before + 20).await;
        for pid in children() {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL)
                .unwrap_or_else(|error| panic!("{error}"));
        }
        bench.processes.next_exit().await;
        let text = read_to_the_end(&bench, &mut reader, 1 << 16, SOON);
        let checks: Vec<usize> = text
            .lines()
            .filter_map(|line| line.strip_prefix("check|INFO|"))
            .filter_map(|number| number.parse().ok())
            .collect();
        assert_eq!(checks, (0..600).collect::<Vec<_>>());
    });
}

#[test]
fn finish_gives_up_on_a_dead_reader_only() {
    run(async {
        let (mut bench, mut reader) = piped();
        let pid = bench.script("seq 1 15000", lines("a"));
        bench.exit(pid).await;
        let start = Instant::now();
        let patience = Duration::from_millis(300);
        assert!(!bench.output.finish(patience));
        assert!(start.elapsed() >= patience);
        assert!(start.elapsed() < Duration::from_secs(5));
        // A slow one is waited for, though the whole takes longer than the patience does.
        let text = read_to_the_end(&bench, &mut reader, 4096, Duration::from_millis(40));
        assert!(start.elapsed() > Duration::from_secs(2));
        let expected: String = (1..=15_000).map(|i| format!("a|INFO|{i}\n")).collect();
        assert!(text == expected);
    });
}

#[test]
fn our_own_log_is_bounded_and_says_what_it_dropped() {
    run(async {
        let (bench, mut reader) = piped();
        let line = format!("own {}\n", "x".repeat(995));
        let start = Instant::now();
        for _ in 0..20_000 {
            bench.output.write(line.as_bytes());
        }
        assert!(start.elapsed() < Duration::from_secs(10));
        let text = read_to_the_end(&bench, &mut reader, 1 << 16, SOON);
        let kept = text.lines().filter(|line| line.starts_with("own ")).count();
        let dropped: usize = text
            .lines()
            .filter_map(|line| line.split_once(" lines of our own log were dropped"))
            .map(|(count, _)| count.parse::<usize>().unwrap_or(0))
            .sum();
        assert_eq!(kept + dropped, 20_000);
        assert_eq!(bench.output.dropped(), dropped as u64);
        assert!(dropped > 15_000, "the bound is about 1 MiB, and {kept} kB were kept");
        assert!(kept > 1000, "only {kept} kB were kept");
        bench.output.write(b"after\n");
        assert_eq!(read_to_the_end(&bench, &mut reader, 1 << 16, SOON), "after\n");
    });
}

#[test]
fn a_reader_that_goes_away_kills_nobody() {
    run(async {
        let (mut bench, reader) = piped();
        drop(reader);
        let pid = bench.script("seq 1 200000; exit 4", lines("a"));
        assert_eq!(bench.exit(pid).await.status, ExitStatus::Code(4));
        assert!(bench.output.finish(LONG));
        // Another one comes.
        let path = bench.folder.path().join("pipe");
        let mut options = File::options();
        let mut reader = options
            .read(true)
            .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
            .open(path)
            .unwrap_or_else(|error| panic!("{error}"));
        bench.output.write(b"again\n");
        let text = read_to_the_end(&bench, &mut reader, 1 << 16, SOON);
        assert!(text.starts_with("again\n200000 log lines were lost: Broken pipe"), "{text}");
    });
}

#[test]
fn a_capture_is_read_while_the_reader_is_blocked() {
    run(async {
        let (mut bench, _reader) = piped();
        let chatty = bench.script("exec yes", lines("chatty"));
        // Larger than a pipe, so that somebody must read.
        let capture = Capture::new(1 << 20);
        let script = "head -c 300000 /dev/zero";
        let pid = bench.script(script, Streams::Capture(capture.clone()));
        bench.exit(pid).await;
        assert_eq!(capture.finished().await.len(), 300_000);
        bench.processes.signal_group(chatty, Signal::SIGKILL);
        bench.exit(chatty).await;
    });
}

#[test]
fn a_tail_of_what_is_not_logged_is_read_while_the_reader_is_blocked() {
    run(async {
        let (mut bench, _reader) = piped();
        let chatty = bench.script("exec yes", lines("chatty"));
        let tail = Tail::new();
        let source = Source::new("quiet".to_owned(), log::Level::Debug, log::Level::Debug);
        let streams = Streams::Lines { source: Arc::new(source.with_tail(tail.clone())) };
        // More than a pipe holds, so that it ends only if somebody reads.
        let pid = bench.script("seq 100000; echo end", streams);
        assert!(bench.exit(pid).await.status.success());
        reap_until(&mut bench.processes, || tail.text().ends_with("100000\nend")).await;
        bench.processes.signal_group(chatty, Signal::SIGKILL);
        bench.exit(chatty).await;
    });
}
