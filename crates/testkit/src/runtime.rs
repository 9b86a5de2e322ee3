//! A runtime for asynchronous code under test.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Longer than anything takes that a test waits for by itself.
const LONG: Duration = Duration::from_secs(30);

/// A runtime of one thread, as the programs have it, driven by a thread of its own: a test looks on
/// from another. What it runs ends when it is dropped.
pub struct Runtime {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Runtime {
    /// Starts it.
    #[allow(clippy::new_without_default, reason = "it starts a thread")]
    pub fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        });
        Self { handle, stop: Some(stop), thread: Some(thread) }
    }

    /// Runs something that spawns.
    pub fn enter<T>(&self, f: impl FnOnce() -> T) -> T {
        let _guard = self.handle.enter();
        f()
    }

    /// Starts a future.
    pub fn start_one<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Pending<T> {
        let (done, result) = mpsc::channel();
        let task = self.handle.spawn(async move { drop(done.send(future.await)) });
        Pending { result, task: task.abort_handle() }
    }

    /// Runs a future to its end.
    ///
    /// # Panics
    /// If it has not come to it after thirty seconds.
    #[track_caller]
    pub fn wait<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        self.start_one(future).get()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A future under way; dropping this drops it.
pub struct Pending<T> {
    result: mpsc::Receiver<T>,
    task: tokio::task::AbortHandle,
}

impl<T> Pending<T> {
    /// What it yields.
    ///
    /// # Panics
    /// If that is nothing after thirty seconds.
    #[track_caller]
    pub fn get(self) -> T {
        self.result.recv_timeout(LONG).expect("a future that resolves")
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
