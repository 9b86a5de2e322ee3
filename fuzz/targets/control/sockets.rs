//! Two ends of a socket on one thread, in time that passes only when nothing else can happen.

use std::future::Future;
use std::path::PathBuf;
use std::sync::LazyLock;

use nix::sys::signal::{SigSet, Signal};
use tempfile::TempDir;
use tokio::runtime::Builder;

static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::Builder::new().prefix("fuzz-control").tempdir().expect("a folder"));

/// Once for each process: who writes to an end that is gone gets an error.
pub(crate) fn prepare() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGPIPE);
    signals.thread_block().expect("a signal mask");
}

/// Where the socket is.
pub(crate) fn path() -> PathBuf {
    FOLDER.path().join("control.socket")
}

pub(crate) fn run<T>(what: impl Future<Output = T>) -> T {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_io().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(what)
}
