//! The init program as PID 1 of real Docker containers.
//!
//! # Theory of operation
//!
//! `scripts/build-test-image` makes one image of the static program ([`image::Image`]), the
//! scripts of `fixtures/` and a shell. A test writes a configuration into a folder that its
//! container sees as `/shared`, starts the container ([`container::Setup`]), and treats it as an
//! operator would: `docker stop`, `docker kill`, `docker logs`, `docker inspect`. What happens
//! inside is noted, with the time, by `fixtures/note` in `/shared/events`, where the test reads
//! it. Where a catalog is needed it is a real Consul on the host, and the container shares the
//! host's network.
//!
//! Every call of `docker` has a deadline. Containers and the image are removed when they are
//! dropped, so also by a test that fails. A run that is killed leaves some behind:
//! `docker rm -f $(docker ps -aq --filter label=containerpilot-test)`.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

mod container;
mod engine;
mod exits;
mod image;
mod orphans;
mod output;
mod relay;
mod reload;
mod stopping;
