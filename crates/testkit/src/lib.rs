//! What the integration tests of the other crates share: run a program with files, a real Consul,
//! etcd and Prometheus on free ports, an HTTP server that answers as told, a small HTTP client,
//! an address that swallows what is sent, a load of requests of which each is counted, and waiting;
//! and networks of hosts, with clusters in them, that can be cut.
//!
//! # Theory of operation
//!
//! A test reads: files, command, what came out. Everything here is blocking and made of threads
//! of the standard library, so that a test needs no runtime of its own, and a runtime under test
//! ([`Runtime`]) is never the one that tests it. What a helper starts, its `Drop` kills. Everything listens on
//! 127.0.0.1 only, on ports from [`free_port`]; or in the hosts of a [`Network`], which is nobody
//! else's, on the ports that are usual there.
//!
//! There is one way to wait, [`wait_until`]: it asks every few milliseconds and panics at its
//! deadline with what was awaited and what was seen last. No helper sleeps for a fixed time, and
//! none retries an action that failed.
//!
//! Helpers panic when they cannot do their work: in a test that is the clearest failure.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs of their own; the process crate is itself under test"
)]

mod consul;
mod etcd;
mod http;
mod load;
mod network;
mod port;
mod program;
mod prometheus;
mod proxy;
mod runtime;
mod script;
mod server;
mod stub;
mod swallower;
mod tree;
mod wait;

pub use consul::Consul;
pub use etcd::{Etcd, EtcdTls};
pub use http::{Response, http, http_within};
pub use load::{Client, Connections, Load, Look, Tally};
pub use network::{Host, Network};
pub use nix::sys::signal::Signal;
pub use port::{free_port, free_ports};
pub use program::{Ended, Finished, Program, Running};
pub use prometheus::{MetricsCheck, Prometheus, Sample};
pub use proxy::{Mood, Proxy};
pub use runtime::{Pending, Runtime};
pub use script::write_script;
pub use server::Server;
pub use stub::HttpStub;
pub use swallower::Swallower;
pub use wait::{Observation, wait_until};

/// [`Program`] by the name that the init program's tests use.
pub type Pilot = Program;
