//! What is asked on the control socket and at the metrics endpoint, and what we answer.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use control::{Call, Reply, Request, Server, Switch};
use tokio::sync::mpsc;

use super::Engine;
use crate::{
    machine::{Input, Maintenance},
    telemetry::{Ask, Page},
};

/// The control socket at work.
pub(super) struct Control {
    path: PathBuf,
    calls: mpsc::Receiver<Call>,
    server: Server,
}

impl Control {
    pub(super) fn new(path: PathBuf, server: Server, calls: mpsc::Receiver<Call>) -> Control {
        Control { path, calls, server }
    }

    /// Where it is, as the configuration has it.
    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// The end: whoever listens hears all that has happened, and that it is over. Takes a second
    /// at most.
    pub(super) async fn close(self) {
        let Control { calls, server, .. } = self;
        // Whoever asks now is told that the program is stopping.
        drop(calls);
        server.close().await;
    }

    /// The next request. Cancel safe.
    pub(super) async fn next(&mut self) -> Call {
        match self.calls.recv().await {
            Some(call) => call,
            // The server has ended: nothing more will come.
            None => std::future::pending().await,
        }
    }
}

/// Where a configuration without a word about it has its socket. If that cannot be had (the folder
/// belongs to somebody else, another of us has it), the program goes on without.
pub(super) fn is_optional(path: &Path) -> bool {
    path == Path::new(config::CONTROL_SOCKET)
}

impl Engine {
    /// Answers a request on the control socket. `Some`: something follows from it.
    pub(super) fn called(&mut self, call: Call) -> Option<Input> {
        let Call { request, reply } = call;
        let (answer, input) = self.answer(request);
        // Nobody may be waiting for it any more.
        let _ = reply.send(answer);
        input
    }

    fn answer(&mut self, request: Request) -> (Reply, Option<Input>) {
        match request {
            Request::Ping => (Reply::Done, None),
            Request::Status => (Reply::Status(Box::new(self.status())), None),
            Request::Environ(changes) => {
                log::info!(
                    "environment: changed for future processes: {}",
                    changes.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
                );
                self.environment.change(changes);
                (Reply::Done, None)
            }
            Request::Metric(values) => {
                let recorded = match &self.metrics {
                    Some(metrics) => metrics.record(&values, Instant::now()),
                    None => Err("the configuration has no telemetry, hence no metrics".to_owned()),
                };
                (recorded.map_or_else(Reply::Refused, |()| Reply::Done), None)
            }
            Request::Maintenance(switch) => {
                let wanted = match switch {
                    Switch::Enable => Maintenance::On,
                    Switch::Disable => Maintenance::Off,
                };
                (Reply::Done, Some(Input::Maintenance(wanted)))
            }
            Request::Reload => match self.reload() {
                Ok(input) => (Reply::Done, input),
                Err(errors) => (Reply::Invalid(errors), None),
            },
        }
    }

    /// Answers a request at the metrics endpoint.
    pub(super) fn asked(&mut self, ask: Ask) {
        let text = match ask.page {
            Page::Status => self.status_page(),
            Page::Metrics => self.metrics_page(),
        };
        let _ = ask.reply.send(text);
    }
}
