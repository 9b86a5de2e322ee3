//! What is kept and counted of children's lines.

mod support;

use std::fmt::Write as _;
use std::sync::Arc;

use process::{Capture, Source, Streams, Tail, Traffic};
use support::{Bench, LONG, run};

/// Stdout is logged, stderr is not.
fn source(tail: Option<&Tail>) -> Arc<Source> {
    let source = Source::new("job".to_owned(), log::Level::Info, log::Level::Debug);
    Arc::new(match tail {
        Some(tail) => source.with_tail(tail.clone()),
        None => source,
    })
}

#[test]
fn the_last_lines_of_both_streams_are_kept_and_only_wanted_ones_are_logged() {
    run(async {
        let mut bench = Bench::new();
        let tail = Tail::new();
        assert_eq!(tail.text(), "");
        let source = source(Some(&tail));
        for script in ["echo one", "echo two >&2", "printf 'three\\n\\nfour'", "printf five >&2"] {
            let streams = Streams::Lines { source: Arc::clone(&source) };
            let pid = bench.script(script, streams);
            bench.exit(pid).await;
            assert!(bench.output.finish(LONG));
        }
        assert_eq!(tail.text(), "one\ntwo\nthree\n\nfour\nfive");
        assert_eq!(bench.log_text(), "job|INFO|one\njob|INFO|three\njob|INFO|\njob|INFO|four\n");
        // What was not logged does not count.
        assert_eq!(source.traffic(), Traffic { lines: 4, bytes: 4 + 6 + 1 + 4 });
        tail.clear();
        assert_eq!(tail.text(), "");
        // The stderr beside a captured stdout.
        let capture = Capture::new(100).with_stderr(Arc::clone(&source));
        let pid = bench.script("echo value; echo why >&2", Streams::Capture(capture.clone()));
        bench.exit(pid).await;
        assert_eq!(capture.finished().await, b"value\n");
        assert!(bench.output.finish(LONG));
        assert_eq!(tail.text(), "why");
    });
}

/// Nothing else tells when the last line has been read: not the exit, and not the pump.
#[test]
fn a_tail_is_finished_when_nobody_can_write_to_it_any_more() {
    run(async {
        let mut bench = Bench::new();
        let tail = Tail::new();
        let script = "echo first; (sleep 0.2; echo last >&2) &";
        let pid = bench.script(script, Streams::Lines { source: source(Some(&tail)) });
        bench.exit(pid).await;
        tail.finished().await;
        assert_eq!(tail.text(), "first\nlast");
        // It stays so.
        tail.finished().await;
    });
}

#[test]
fn much_output_leaves_its_last_lines_and_exact_counts() {
    run(async {
        let mut bench = Bench::new();
        for stream in ["", ">&2"] {
            let tail = Tail::new();
            let source = source(Some(&tail));
            let streams = Streams::Lines { source: Arc::clone(&source) };
            let pid = bench.script(&format!("seq 200000 {stream}"), streams);
            bench.exit(pid).await;
            assert!(bench.output.finish(LONG));
            let all = (1..=200_000).fold(String::new(), |mut all, n| {
                let _ = writeln!(all, "{n}");
                all
            });
            // 146 lines of seven bytes fit into 1024.
            assert_eq!(tail.text() + "\n", all[all.len() - 7 * 146..]);
            let logged = stream.is_empty();
            let expected = Traffic { lines: 200_000, bytes: all.len() as u64 };
            assert_eq!(source.traffic(), if logged { expected } else { Traffic::default() });
        }
    });
}

#[test]
fn of_an_endless_line_the_beginning_is_kept_and_the_next_line_is_whole() {
    run(async {
        let mut bench = Bench::new();
        for stream in ["", ">&2"] {
            let tail = Tail::new();
            let source = source(Some(&tail));
            let script = "printf begin; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo next";
            let streams = Streams::Lines { source: Arc::clone(&source) };
            let pid = bench.script(&format!("({script}) {stream}"), streams);
            bench.exit(pid).await;
            assert!(bench.output.finish(LONG));
            assert_eq!(tail.text(), "next");
            if stream.is_empty() {
                assert_eq!(source.traffic().bytes, 3_000_005 + 1 + 5);
            }
            tail.clear();
            let streams = Streams::Lines { source };
            let pid = bench.script(
                &format!("(printf 'a\\nbegin'; head -c 3000000 /dev/zero) {stream}"),
                streams,
            );
            bench.exit(pid).await;
            assert!(bench.output.finish(LONG));
            assert_eq!(tail.text().len(), 1023);
            assert!(tail.text().starts_with("begin\0"), "{:?}", tail.text());
        }
    });
}

#[test]
fn without_a_tail_traffic_counts_all_the_same() {
    run(async {
        let mut bench = Bench::new();
        let source = source(None);
        let streams = Streams::Lines { source: Arc::clone(&source) };
        let pid = bench.script("echo one; printf two", streams);
        bench.exit(pid).await;
        assert!(bench.output.finish(LONG));
        assert_eq!(source.traffic(), Traffic { lines: 2, bytes: 7 });
    });
}
