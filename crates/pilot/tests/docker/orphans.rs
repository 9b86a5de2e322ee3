//! What an init program owes to processes that are not its own.

use std::time::Duration;

use testkit::wait_until;

use crate::container::{Container, Setup};

/// Forking takes its time on a laptop under load.
const WHILE: Duration = Duration::from_secs(60);

/// How much the memory of PID 1 may grow, in KiB: a table of 5,000 entries would show.
const GROWTH: u64 = 256;

/// File descriptors and memory (in KiB, program text aside) of PID 1.
#[track_caller]
fn footprint(container: &Container) -> (u64, u64) {
    let number = |command: &str| {
        let text = container.shell(command);
        text.parse().unwrap_or_else(|_| panic!("{command}: {text:?}"))
    };
    assert_eq!(container.shell("cat /proc/1/comm"), "containerpilot");
    (number("ls /proc/1/fd | wc -l"), number("awk '/^RssAnon/ { print $2 }' /proc/1/status"))
}

/// Every process inside but those of `docker exec` (whose parent is 0): state and name.
#[track_caller]
fn processes(container: &Container) -> Vec<String> {
    let text = container.shell(
        "for stat in /proc/[0-9]*/stat; do
           read -r pid name state parent rest 2>/dev/null <$stat || continue
           [ $pid = 1 ] || [ $parent = 0 ] || [ $parent = $$ ] || echo $state $name
         done",
    );
    text.lines().map(str::to_owned).collect()
}

#[test]
fn five_thousand_orphans_leave_nothing_behind() {
    let config = r#"{ consul: "127.0.0.1:1", logging: { output: "stderr" } }"#;
    let container = Setup::isolated().start(
        config,
        &[
            "sh",
            "-c",
            "until [ -e /shared/begin ]; do sleep 0.05; done; exec /fixtures/orphans 5000",
        ],
    );
    let (descriptors, resident) = footprint(&container);

    container.write("begin", "");
    wait_until("all orphans are made", WHILE, || {
        let events = container.events();
        if events == ["left 5000"] { Ok(()) } else { Err(format!("{events:?}")) }
    });
    wait_until("PID 1 was parent of all", WHILE, || {
        let seen = container.read("orphans").len();
        if seen == 5000 { Ok(()) } else { Err(seen) }
    });
    // What is left is the application, and the pause that it makes.
    wait_until("all orphans are reaped", WHILE, || {
        let seen = processes(&container);
        let ours = |process: &String| ["S (orphans)", "S (sleep)"].contains(&process.as_str());
        if seen.iter().all(ours) && !seen.is_empty() { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    let (descriptors_after, resident_after) = footprint(&container);
    assert_eq!(descriptors_after, descriptors, "file descriptors of PID 1");
    assert!(
        resident_after <= resident + GROWTH,
        "PID 1 has grown from {resident} to {resident_after} KiB"
    );

    container.write("go", "");
    assert_eq!(container.exit_code(), 42, "the application's");
}

#[test]
fn the_zombie_count_can_tell() {
    // A shell as PID 1 that does not wait: the scan that the other test relies on finds it.
    let container = Setup::isolated().start_bare("sh", &["-c", "sleep 0 & exec tail -f /dev/null"]);
    wait_until("a zombie is seen", WHILE, || {
        let seen = processes(&container);
        if seen == ["Z (sleep)"] { Ok(()) } else { Err(format!("{seen:?}")) }
    });
}
