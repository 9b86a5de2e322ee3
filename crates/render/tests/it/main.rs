//! Renderers with their threads, on real registries, in real time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test reports by panicking"
)]

mod consul;
mod kills;
mod support;
mod threads;
