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
use http_client::Address;
use tcp::{Tcp, known_addresses};

/// What a job's check does by itself, ready to be done.
pub(super) struct Probe {
    kind: Kind,
    /// For everything.
    deadline: Duration,
    timer: Timer,
}

/// Who sees to the deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// The machine: it ends a check that has a timeout. Another timer for each check would be
    /// another system call to set it up.
    Machine,
    /// The check itself, which has no timeout and may take as long as until the next one.
    Own,
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
        let (deadline, timer) = match health.timeout {
            Some(timeout) => (timeout, Timer::Machine),
            None => (health.interval, Timer::Own),
        };
        Ok(Some(Probe { kind, deadline, timer }))
    }

    /// Does it: what is well, or what is not. If it is not over when its time is up the machine
    /// ends it.
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
        match self.timer {
            Timer::Machine => found.await,
            Timer::Own => {
                let found = tokio::time::timeout(deadline, found).await;
                found.unwrap_or_else(|_| Err(self.overdue()))
            }
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

/// Where requests for a host go: to each address that is known without a resolver.
fn each(host: &str, address: impl Fn(String) -> Address) -> Vec<Address> {
    let known: Vec<Address> = known_addresses(host).map(|ip| address(ip.to_string())).collect();
    match known.is_empty() {
        true => vec![address(host.to_owned())],
        false => known,
    }
}

/// `host:port` as it is written in a URL.
fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// Why there is no connection: the system's words without its capitals. What TLS says has names in
/// it.
fn unreachable(why: &str) -> String {
    let why = plain(why);
    if why.contains("TLS: ") { why } else { why.to_lowercase() }
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
