//! The registry against a real etcd, and against a server that is something else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

mod access;
mod cluster;
mod faults;
mod locks;
mod questions;
mod registration;
mod support;
mod watching;
