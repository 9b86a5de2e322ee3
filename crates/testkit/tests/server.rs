//! Registries in hosts of their own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

use std::time::{Duration, Instant};

use testkit::{Host, Network, Server, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster elects another leader when it loses the one that it has, and serves again when the
/// lost one is back.
fn loses_its_leader(start: fn(&[Host]) -> Vec<Server>) {
    let network = Network::new(&["one", "two", "three"]);
    let hosts = ["one", "two", "three"].map(|name| network.host(name));
    let begun = Instant::now();
    let mut servers = start(&hosts);
    println!("a leader after {:?}", begun.elapsed());
    let leader = servers.iter().position(Server::leads).unwrap();
    servers[leader].kill();
    let killed = Instant::now();
    wait_until("another leads", PATIENCE, || {
        servers.iter().enumerate().any(|(index, server)| index != leader && server.leads())
    });
    println!("another after {:?}", killed.elapsed());
    servers[leader].restart();
    servers[leader].await_ready();
    assert_eq!(servers.iter().filter(|server| server.leads()).count(), 1);
}

#[test]
fn consul_loses_its_leader() {
    loses_its_leader(Server::consuls);
}

#[test]
fn etcd_loses_its_leader() {
    loses_its_leader(Server::etcds);
}
