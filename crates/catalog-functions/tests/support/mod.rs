//! What the golden cases and the templates of articles see: a catalog that never changes.
#![allow(dead_code)] // Each test file uses its part.
#![allow(clippy::unwrap_used)] // It serves tests.

pub(crate) mod world;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use catalog_functions::{Host, Interface, Options};

/// 2026-03-05 07:08:09.120345 UTC; `generate/main.go` has the same.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_772_694_489, 120_345_000)
}

fn interfaces() -> Vec<Interface> {
    let interface = |name: &str, address: &str, prefix, default| Interface {
        name: name.to_owned(),
        address: address.parse().unwrap(),
        prefix,
        up: true,
        loopback: name == "lo",
        default,
    };
    vec![
        interface("lo", "127.0.0.1", 8, false),
        interface("lo", "::1", 128, false),
        interface("eth0", "172.17.0.5", 16, false),
        interface("eth1", "192.168.1.9", 24, true),
        interface("eth1", "fe80::1", 64, true),
        interface("eth2", "93.184.216.34", 24, false),
        interface("eth2", "2a00::1", 64, false),
    ]
}

pub(crate) fn options() -> Options {
    let environment = BTreeMap::from([
        ("NAME".to_owned(), "value".to_owned()),
        ("EMPTY".to_owned(), String::new()),
    ]);
    Options {
        left_delimiter: String::new(),
        right_delimiter: String::new(),
        error_on_missing_key: false,
        environment: Arc::new(environment),
        denied: Vec::new(),
        host: Host { now, interfaces },
    }
}
