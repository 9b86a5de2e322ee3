//! Nothing is left open.

mod support;

use process::{Capture, Group, Spec, Streams};
use support::{Bench, descriptors, reap_until, run};

#[test]
fn two_thousand_processes_leave_no_descriptor() {
    run(async {
        let mut bench = Bench::new();
        let before = descriptors();
        for i in 0..2000 {
            let streams = match i % 5 {
                0 => Streams::Null,
                1 => Streams::Raw,
                2 => Streams::Capture(Capture::new(10)),
                3 => Streams::Capture(Capture::new(10).with_stderr(support::source("e"))),
                _ => support::lines("x"),
            };
            let pid = bench.start("true", &[], streams, Group::Own);
            assert!(bench.exit(pid).await.status.success());
            if i % 10 == 0 {
                let environment = &bench.environment;
                let streams = support::lines("y");
                let spec = Spec {
                    program: "/etc/passwd",
                    args: &[],
                    environment,
                    directory: None,
                    identity: None,
                    streams,
                    group: Group::Own,
                };
                assert!(bench.processes.spawn(&spec).is_err());
            }
        }
        // The output thread sees the ends of files a little later.
        reap_until(&mut bench.processes, || descriptors() <= before).await;
        assert_eq!(descriptors(), before);
        drop(bench);
    });
}
