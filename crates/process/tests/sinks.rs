//! Files as sinks: rotation, replacement, a full disk.

mod support;

use std::fs;

use process::{ExitStatus, LineFormat, Output, Pid, Sink, Source};
use support::{Bench, LONG, Plain, lines, run};

#[test]
fn a_rotated_file_is_opened_anew() {
    run(async {
        let mut bench = Bench::new();
        let at = |name: &str| bench.folder.path().join(name);
        let (log, old) = (at("log"), at("log.1"));
        bench.output.write(b"one\n");
        assert!(bench.output.finish(LONG));
        fs::rename(&log, &old).unwrap();
        // Until it is told, it writes on to the file that it has.
        bench.output.write(b"two\n");
        assert!(bench.output.finish(LONG));
        bench.output.reopen();
        let pid = bench.script("echo three", lines("a"));
        bench.exit(pid).await;
        assert_eq!(bench.log_text(), "a|INFO|three\n");
        assert_eq!(fs::read_to_string(old).unwrap(), "one\ntwo\n");
    });
}

#[test]
fn a_file_that_cannot_be_opened_anew_is_kept() {
    run(async {
        let bench = Bench::new();
        let log = bench.folder.path().join("log");
        let old = bench.folder.path().join("log.1");
        fs::rename(&log, &old).unwrap();
        fs::create_dir(&log).unwrap();
        bench.output.reopen();
        bench.output.write(b"on\n");
        assert!(bench.output.finish(LONG));
        let text = fs::read_to_string(old).unwrap();
        assert!(text.starts_with("log file not reopened: cannot open /"), "{text}");
        assert!(text.ends_with("Is a directory (os error 21)\non\n"), "{text}");
    });
}

#[test]
fn a_file_is_appended_to() {
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::write(&log, "before\n").unwrap();
    let output = Output::start(Sink::File(log.clone()), Box::new(Plain)).unwrap();
    output.write(b"after\n");
    assert!(output.finish(LONG));
    assert_eq!(fs::read_to_string(log).unwrap(), "before\nafter\n");
}

#[test]
fn a_sink_that_cannot_be_opened_is_an_error_that_names_it() {
    let sink = Sink::File("/no/such/folder/log".into());
    let error = Output::start(sink, Box::new(Plain)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().contains("/no/such/folder/log"), "{error}");
}

struct Loud;

impl LineFormat for Loud {
    fn wants(&self, _level: log::Level) -> bool {
        true
    }

    fn line(&mut self, _: &Source, pid: Pid, _: log::Level, line: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{pid}: ").as_bytes());
        out.extend(line.to_ascii_uppercase());
        out.push(b'\n');
    }
}

#[test]
fn sink_and_format_are_replaced_together() {
    run(async {
        let mut bench = Bench::new();
        let other = bench.folder.path().join("other");
        let pid = bench.script("echo one", lines("a"));
        bench.exit(pid).await;
        assert_eq!(bench.log_text(), "a|INFO|one\n");
        bench.output.replace(Sink::File(other.clone()), Box::new(Loud)).unwrap();
        let pid = bench.script("echo two", lines("a"));
        bench.exit(pid).await;
        assert_eq!(bench.log_text(), "a|INFO|one\n");
        assert_eq!(fs::read_to_string(other).unwrap(), format!("{pid}: TWO\n"));
    });
}

#[test]
fn a_full_disk_kills_nobody() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Bench::with_sink(folder, Sink::File("/dev/full".into()));
        let pid = bench.script("seq 1 100000; exit 6", lines("a"));
        assert_eq!(bench.exit(pid).await.status, ExitStatus::Code(6));
        assert!(bench.output.finish(LONG));
        // There is room again.
        let log = bench.folder.path().join("log");
        bench.output.replace(Sink::File(log), Box::new(Plain)).unwrap();
        bench.output.write(b"again\n");
        let text = bench.log_text();
        assert!(text.starts_with("again\n100000 log lines were lost: No space left"), "{text}");
    });
}

#[test]
fn the_thread_ends_with_its_last_handle() {
    let threads = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let names = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")));
        names.filter(|name| name.as_ref().is_ok_and(|name| name == "output\n")).count()
    };
    let _turn = support::turn();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let output = Output::start(Sink::File(log.clone()), Box::new(Plain)).unwrap();
    let start = std::time::Instant::now();
    let wait_for = |count| {
        while threads() != count {
            assert!(start.elapsed() < LONG, "{} threads instead of {count}", threads());
            std::thread::yield_now();
        }
    };
    // It takes its name after it has started.
    wait_for(1);
    output.write(b"last words\n");
    drop(output);
    wait_for(0);
    assert_eq!(fs::read_to_string(log).unwrap(), "last words\n");
}
