//! As PID 1 of a container: the same duties, without being told.

mod support;

use process::{Capture, ExitStatus, Group, Pid, Signal, Streams};
use support::{Bench, children, reap_until, run};

/// Set in the copy of this test that is PID 1.
const INSIDE: &str = "PROCESS_TEST_INSIDE";

#[test]
fn the_first_process_reaps_orphans_and_loses_no_status() {
    run(async {
        let mut bench = Bench::new();
        if std::env::var_os(INSIDE).is_some() {
            assert_eq!(Pid::ours().as_raw(), 1);
            as_init(&mut bench).await;
            println!("as PID 1: done");
            return;
        }
        let unshare = ["-pf", "--mount-proc", "--kill-child"];
        let can = bench.script("unshare -pf --mount-proc --kill-child true", Streams::Null);
        if !bench.exit(can).await.status.success() {
            println!("skipped: no right to make a pid namespace here");
            return;
        }
        let test = std::env::current_exe().unwrap().display().to_string();
        let name = "the_first_process_reaps_orphans_and_loses_no_status";
        let mut args = unshare.to_vec();
        args.extend([&test, "--exact", name, "--nocapture", "--test-threads=1"]);
        bench.environment.insert(INSIDE.into(), "yes".into());
        let capture = Capture::new(1 << 16).with_stderr(support::source("inside"));
        let pid = bench.start("unshare", &args, Streams::Capture(capture.clone()), Group::Own);
        let exit = bench.exit(pid).await;
        let told = String::from_utf8(capture.finished().await).unwrap();
        assert!(exit.status.success(), "{told}{}", bench.log_text());
        assert!(told.contains("as PID 1: done"), "{told}");
    });
}

async fn as_init(bench: &mut Bench) {
    // Orphans of orphans, all of which fall to us, around children with codes.
    for code in 0..100 {
        let pid = bench.script(&format!("((true &) &); (sleep 0.1 &); exit {code}"), Streams::Null);
        assert_eq!(bench.exit(pid).await.status, ExitStatus::Code(code));
    }
    reap_until(&mut bench.processes, || children().is_empty()).await;
    // One that daemonises has us as its parent.
    let daemon = bench.captured("setsid sh -c 'echo $$; exec >&- sleep 0.3' & exit 0").await;
    let daemon: i32 = daemon.trim().parse().unwrap_or_default();
    assert!(daemon > 1);
    reap_until(&mut bench.processes, || children().is_empty()).await;
    // A number that is used again: its new owner is a stranger and is not signalled.
    let gone = bench.script("exit 0", Streams::Null);
    bench.exit(gone).await;
    let stranger = gone.as_raw() + 100;
    std::fs::write("/proc/sys/kernel/ns_last_pid", (stranger - 1).to_string()).unwrap_or_default();
    let known = bench.script("exit 0", Streams::Null);
    bench.exit(known).await;
    assert_eq!(known.as_raw(), stranger, "the kernel does not let us choose a pid");
    // The shell gets the number before, and its orphan the known one.
    std::fs::write("/proc/sys/kernel/ns_last_pid", (stranger - 2).to_string()).unwrap_or_default();
    let shell = bench.script("sleep 1000 & exit 0", Streams::Null);
    bench.exit(shell).await;
    assert_eq!(children(), [stranger]);
    bench.processes.signal(known, Signal::SIGKILL);
    bench.processes.signal_group(known, Signal::SIGKILL);
    // Were it killed, it would be a zombie from the moment that kill returned, and reaped here.
    let short =
        tokio::time::timeout(std::time::Duration::from_millis(50), bench.processes.next_exit());
    assert!(short.await.is_err());
    assert_eq!(children(), [stranger], "a stranger was killed");
}
