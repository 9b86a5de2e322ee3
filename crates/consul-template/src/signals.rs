//! The signals that we hear: to stop, to read the settings again, or to pass on.

use std::{future::poll_fn, io, task::Poll};

use process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// All of them. They are caught from the first moment on, so that none that arrives early takes its
/// default effect.
pub(crate) const HEARD: [Signal; 8] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGWINCH,
];

/// The signals that have not been taken yet.
pub(crate) struct Signals(Vec<(Signal, tokio::signal::unix::Signal)>);

impl Signals {
    /// Catches them from now on. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The kernel refuses a handler.
    pub(crate) fn catch() -> io::Result<Signals> {
        let catch = |name: Signal| Ok((name, signal(SignalKind::from_raw(name as i32))?));
        HEARD.into_iter().map(catch).collect::<io::Result<_>>().map(Signals)
    }

    /// The next signal. Cancel safe.
    pub(crate) async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            for (name, stream) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(*name);
                }
            }
            Poll::Pending
        })
        .await
    }
}
