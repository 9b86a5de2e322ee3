//! What the tests of real processes share. Waiting is process-wide, so tests in one file take turns.

#![allow(dead_code, reason = "no test file uses all of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use process::{
    Capture, Exit, Group, LineFormat, Output, Pid, Processes, Signal, Sink, Source, Spec, Streams,
};

/// Nothing in these tests takes this long, unless it hangs.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Lets one test of the file run at a time.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs it on a runtime like the program's, under a deadline.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let _turn = turn();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LONG, test).await.expect("it hangs") })
}

/// `name|level|line`; DEBUG and below are not wanted.
pub(crate) struct Plain;

impl LineFormat for Plain {
    fn wants(&self, level: log::Level) -> bool {
        level <= log::Level::Info
    }

    fn line(
        &mut self,
        source: &Source,
        _pid: Pid,
        level: log::Level,
        line: &[u8],
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(source.name.as_bytes());
        out.extend_from_slice(format!("|{level}|").as_bytes());
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}

/// A log file, and the processes that write to it.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) output: Output,
    pub(crate) processes: Processes,
    pub(crate) environment: BTreeMap<OsString, OsString>,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::File(folder.path().join("log"));
        Bench::with_sink(folder, sink)
    }

    pub(crate) fn with_sink(folder: tempfile::TempDir, sink: Sink) -> Bench {
        let output = Output::start(sink, Box::new(Plain)).unwrap();
        let processes = Processes::start(output.clone()).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let environment = BTreeMap::from([("PATH".into(), path)]);
        Bench { folder, output, processes, environment }
    }

    /// Starts a shell script in a group of its own.
    pub(crate) fn script(&mut self, script: &str, streams: Streams) -> Pid {
        self.start("sh", &["-c", script], streams, Group::Own)
    }

    pub(crate) fn start(
        &mut self,
        program: &str,
        args: &[&str],
        streams: Streams,
        group: Group,
    ) -> Pid {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let environment = &self.environment;
        let (directory, identity) = (None, None);
        let spec = Spec { program, args: &args, environment, directory, identity, streams, group };
        self.processes.spawn(&spec).unwrap()
    }

    /// The exit of a process that is the only one to run.
    pub(crate) async fn exit(&mut self, pid: Pid) -> Exit {
        let exit = self.processes.next_exit().await;
        assert_eq!(exit.pid, pid);
        exit
    }

    /// What a script writes to stdout.
    pub(crate) async fn captured(&mut self, script: &str) -> String {
        let capture = Capture::new(1 << 20);
        let pid = self.script(script, Streams::Capture(capture.clone()));
        assert!(self.exit(pid).await.status.success());
        String::from_utf8(capture.finished().await).unwrap()
    }

    /// Finishes and reads the log.
    pub(crate) fn log(&self) -> Vec<u8> {
        assert!(self.output.finish(LONG));
        std::fs::read(self.folder.path().join("log")).unwrap()
    }

    pub(crate) fn log_text(&self) -> String {
        String::from_utf8(self.log()).unwrap()
    }
}

/// A test that fails leaves nobody behind.
impl Drop for Bench {
    fn drop(&mut self) {
        for pid in children() {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::killpg(pid, Signal::SIGKILL);
            let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
        }
    }
}

/// Stdout at INFO, stderr at WARN.
pub(crate) fn lines(name: &str) -> Streams {
    Streams::Lines { source: source(name) }
}

pub(crate) fn source(name: &str) -> Arc<Source> {
    let name = name.to_owned();
    Arc::new(Source::new(name, log::Level::Info, log::Level::Warn))
}

/// How many descriptors we have open.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Children that have not been reaped, of any thread, ours or not.
pub(crate) fn children() -> Vec<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let lists = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")));
    // A thread may end in between.
    let lists = lists.map(Result::unwrap_or_default).collect::<Vec<_>>().join(" ");
    lists.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Reaps until a condition holds; nobody that we started may exit meanwhile.
pub(crate) async fn reap_until(processes: &mut Processes, condition: impl Fn() -> bool) {
    while !condition() {
        tokio::select! {
            exit = processes.next_exit() => panic!("unexpected {exit:?}"),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
}

/// The group of a process that we can see.
pub(crate) fn group(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(2).unwrap().parse().unwrap()
}
