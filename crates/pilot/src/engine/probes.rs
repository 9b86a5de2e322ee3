//! Checks that are no processes: a request by HTTP or gRPC, a connection, a look at a file.
//!
//! Each asks anew, on a connection of its own: a server that accepts none any more must not pass
//! for healthy because an old connection lives on. None waits on the event loop: each runs in a
//! task with a deadline, names are resolved and files looked at by threads of the runtime.

mod file;
mod grpc;
mod http;
mod tcp;

use std::time::Duration;

use config::job::Health;

use file::File;
use grpc::Grpc;
use http::Http;
use tcp::Tcp;

/// What a job's check does by itself, ready to be done.
pub(super) struct Probe {
    kind: Kind,
    /// For everything.
    deadline: Duration,
}

enum Kind {
    Http(Http),
    Tcp(Tcp),
    File(File),
    Grpc(Grpc),
}

impl Probe {
    /// Prepares a check. `None`: it is a command, or always passes.
    ///
    /// # Errors
    /// Certificates cannot be read, or a header is none.
    pub(super) fn build(health: &Health) -> Result<Option<Probe>, String> {
        let kind = match &health.probe {
            config::job::Probe::Always | config::job::Probe::Exec(_) => return Ok(None),
            config::job::Probe::Http(probe) => Kind::Http(Http::build(probe)?),
            config::job::Probe::Tcp { host, port } => Kind::Tcp(Tcp::new(host, *port)),
            config::job::Probe::File { path, younger_than } => {
                Kind::File(File::new(path, *younger_than))
            }
            config::job::Probe::Grpc { host, port, service, tls } => {
                Kind::Grpc(Grpc::build(host, *port, service, tls.as_deref())?)
            }
        };
        // One without a time limit may wait as long as until the next one.
        let deadline = health.timeout.unwrap_or(health.interval);
        Ok(Some(Probe { kind, deadline }))
    }

    /// Does it: what is well, or what is not. Ends within the deadline.
    pub(super) async fn find_out(&self) -> Result<String, String> {
        let deadline = self.deadline;
        let found = async {
            match &self.kind {
                Kind::Http(probe) => probe.find_out(deadline).await,
                Kind::Tcp(probe) => probe.find_out(deadline).await,
                Kind::File(probe) => probe.find_out().await,
                Kind::Grpc(probe) => probe.find_out(deadline).await,
            }
        };
        match tokio::time::timeout(deadline, found).await {
            Ok(found) => found,
            Err(_) => Err(self.overdue()),
        }
    }

    /// What is wrong if it takes longer than it may.
    pub(super) fn overdue(&self) -> String {
        let what = match &self.kind {
            Kind::Http(probe) => probe.place(),
            Kind::Tcp(probe) => probe.place(),
            Kind::File(probe) => probe.place(),
            Kind::Grpc(probe) => probe.place(),
        };
        format!("no answer from {what} within {:?}", self.deadline)
    }
}

/// `host:port` as it is written in a URL.
fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// The system's words, without its numbers.
fn plain(error: &str) -> String {
    let mut text = error.to_owned();
    while let Some(start) = text.find(" (os error ")
        && let Some(length) = text.get(start..).and_then(|rest| rest.find(')'))
    {
        text.replace_range(start..=start + length, "");
    }
    text
}

/// The same of an error.
fn reason(error: &std::io::Error) -> String {
    plain(&error.to_string()).to_lowercase()
}

#[cfg(test)]
mod tests;
