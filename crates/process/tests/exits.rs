//! Exit statuses are exact, whatever happens around them.

mod support;

use std::time::Duration;

use process::{ExitStatus, Signal, Streams};
use support::{Bench, run};

#[test]
fn every_exit_code_is_reported_as_it_is() {
    run(async {
        let mut bench = Bench::new();
        for code in 0..=255 {
            let pid = bench.script(&format!("exit {code}"), Streams::Null);
            let status = bench.exit(pid).await.status;
            assert_eq!(status, ExitStatus::Code(code));
            assert_eq!(status.code(), code);
            assert_eq!(status.success(), code == 0);
        }
        assert_eq!(bench.processes.running(), 0);
    });
}

#[test]
fn a_deadly_signal_is_reported_with_its_number() {
    run(async {
        let mut bench = Bench::new();
        for (signal, code, text) in [
            (9, 137, "was killed by SIGKILL"),
            (11, 139, "was killed by SIGSEGV"),
            (15, 143, "was killed by SIGTERM"),
            // Real-time signals have no name and must not be lost for that.
            (35, 163, "was killed by signal 35"),
            (64, 192, "was killed by signal 64"),
        ] {
            // ulimit: no core file of the tests' making.
            let pid = bench.script(&format!("ulimit -c 0; kill -{signal} $$"), Streams::Null);
            let status = bench.exit(pid).await.status;
            assert_eq!(status, ExitStatus::Signal(signal));
            assert_eq!(status.code(), code);
            assert_eq!(status.to_string(), text);
            assert!(!status.success());
        }
    });
}

#[test]
fn an_exit_code_reads_well() {
    assert_eq!(ExitStatus::Code(3).to_string(), "exited with 3");
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    run(async {
        let mut bench = Bench::new();
        let mut running: Vec<_> = (0..40)
            .map(|i| bench.script(&format!("sleep 0.0{i:02}; exit {i}"), Streams::Null))
            .collect();
        let started = running.clone();
        while !running.is_empty() {
            tokio::select! {
                biased;
                () = tokio::time::sleep(Duration::from_micros(300)) => {}
                exit = bench.processes.next_exit() => {
                    let index = started.iter().position(|&pid| pid == exit.pid).unwrap();
                    assert_eq!(exit.status, ExitStatus::Code(index as u8));
                    running.retain(|&pid| pid != exit.pid);
                }
            }
        }
    });
}

#[test]
fn a_reaped_process_is_not_signalled() {
    run(async {
        let mut bench = Bench::new();
        let gone = bench.script("exit 0", Streams::Null);
        // Ended but not reaped: a signal is allowed and changes nothing.
        bench.processes.signal(gone, Signal::SIGKILL);
        bench.exit(gone).await;
        bench.processes.signal(gone, Signal::SIGKILL);
        bench.processes.signal_group(gone, Signal::SIGKILL);
        let alive = bench.script("sleep 100", Streams::Null);
        assert_eq!(bench.processes.running(), 1);
        bench.processes.signal(alive, Signal::SIGTERM);
        assert_eq!(bench.exit(alive).await.status, ExitStatus::Signal(15));
        assert_eq!(bench.processes.running(), 0);
    });
}
