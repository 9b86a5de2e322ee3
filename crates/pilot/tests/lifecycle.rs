//! From start to stop, on the whole program: what runs when, what ends it, and which exit code
//! comes out. One module for each generation of the configuration.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

mod support;

#[path = "lifecycle/departure.rs"]
mod departure;
#[path = "lifecycle/exits.rs"]
mod exits;
#[path = "lifecycle/reload.rs"]
mod reload;
#[path = "lifecycle/version_2.rs"]
mod version_2;
#[path = "lifecycle/version_3.rs"]
mod version_3;
#[path = "lifecycle/version_3_stop.rs"]
mod version_3_stop;

use serde_json::{Value, json};

/// A process that only lives, and a grandchild of the program with its id in `grandchild.pids`,
/// for what must be killed with its whole group.
const HANGING: &str = "sleep 1000 >/dev/null 2>&1 &\necho $! >>grandchild.pids\nwait";

/// A 2.x service that nothing is wrong with.
fn service(name: &str) -> Value {
    json!({ "name": name, "port": 8000, "interfaces": "static:127.0.0.1",
        "health": "./check", "poll": 1, "ttl": 5 })
}
