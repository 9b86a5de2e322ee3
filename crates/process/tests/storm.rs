//! Many at once, with orphans among them: no status is lost, nobody stays a zombie.

mod support;

use std::collections::HashMap;

use process::{ExitStatus, Streams};
use support::{Bench, children, reap_until, run};

#[test]
fn eight_hundred_at_once_with_four_hundred_orphans() {
    run(async {
        let mut bench = Bench::new();
        let gate = bench.folder.path().join("gate");
        let gate_path = gate.display();
        let mut expected = HashMap::new();
        for i in 0..800_u32 {
            let code = (i % 256) as u8;
            // All wait for the gate, so that they are concurrent indeed. Every second one leaves an
            // orphan by a double fork, some of which outlive their parents.
            // Not for ever, should this test die.
            let wait =
                format!("until [ -e {gate_path} ] || [ $((t+=1)) -gt 60 ]; do sleep 0.5; done");
            let script = match i % 4 {
                0 => format!("{wait}; (true &); exit {code}"),
                2 => format!("{wait}; (sleep 0.2 &); exit {code}"),
                _ => format!("{wait}; exit {code}"),
            };
            expected.insert(bench.script(&script, Streams::Null), code);
        }
        assert_eq!(bench.processes.running(), 800);
        std::fs::write(&gate, "").unwrap();
        while bench.processes.running() > 0 {
            let exit = bench.processes.next_exit().await;
            let code = expected.remove(&exit.pid).expect("reported once, and one of ours");
            assert_eq!(exit.status, ExitStatus::Code(code));
        }
        assert!(expected.is_empty());
        reap_until(&mut bench.processes, || children().is_empty()).await;
    });
}

#[test]
fn an_orphan_falls_to_us_and_is_reaped() {
    run(async {
        let mut bench = Bench::new();
        // The orphan tells its own pid and waits for a file to appear.
        let gate = bench.folder.path().join("gate2");
        let told = bench
            .captured(&format!(
                "(sh -c 'echo $$; exec >&-; until [ -e {} ]; do sleep 0.02; done' &)",
                gate.display()
            ))
            .await;
        let orphan: i32 = told.trim().parse().unwrap();
        reap_until(&mut bench.processes, || children().contains(&orphan)).await;
        std::fs::write(&gate, "").unwrap();
        reap_until(&mut bench.processes, || children().is_empty()).await;
    });
}
