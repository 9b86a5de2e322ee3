//! Process groups.

mod support;

use std::path::Path;

use process::{Capture, ExitStatus, Group, Signal, Streams};
use support::{Bench, children, group, reap_until, run};

#[test]
fn a_group_is_killed_with_its_grandchildren() {
    run(async {
        let mut bench = Bench::new();
        let file = bench.folder.path().join("pids");
        let pid = bench.script(
            &format!(
                "sleep 1000 & a=$!; (sleep 1000 & echo $a $! >{0}.new); mv {0}.new {0}; wait",
                file.display()
            ),
            Streams::Null,
        );
        reap_until(&mut bench.processes, || file.exists()).await;
        let text = std::fs::read_to_string(&file).unwrap();
        let descendants: Vec<i32> =
            text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        assert_eq!(descendants.len(), 2);
        for &descendant in &descendants {
            assert_eq!(group(descendant), pid.as_raw());
        }
        bench.processes.signal_group(pid, Signal::SIGKILL);
        assert_eq!(bench.exit(pid).await.status, ExitStatus::Signal(9));
        reap_until(&mut bench.processes, || children().is_empty()).await;
        for descendant in descendants {
            assert!(!Path::new(&format!("/proc/{descendant}")).exists());
        }
    });
}

#[test]
fn a_process_of_our_group_is_signalled_alone() {
    run(async {
        let mut bench = Bench::new();
        let capture = Capture::new(100);
        let pid = bench.start("sleep", &["1000"], Streams::Capture(capture.clone()), Group::Ours);
        assert_eq!(group(pid.as_raw()), group(std::process::id() as i32));
        // Were it sent to the group, it would be the end of this test.
        bench.processes.signal_group(pid, Signal::SIGTERM);
        assert_eq!(bench.exit(pid).await.status, ExitStatus::Signal(15));
        assert_eq!(capture.finished().await, b"");
    });
}
