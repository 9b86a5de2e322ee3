//! The registrar and watches against a real Consul, and against a server that misbehaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

mod agents;
mod credentials;
mod fake;
mod faults;
mod insight;
mod keys;
mod locks;
mod outage;
mod questions;
mod registration;
mod staleness;
mod support;
mod survey;
mod transport;
mod watching;
