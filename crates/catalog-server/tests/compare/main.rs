//! The same requests to this catalog and to a real Consul get the same answers: status, body and
//! the headers that clients read. Needs Consul: scripts/install-consul.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

mod entries;
mod locks;
mod pair;
mod registrations;

use pair::Pair;

#[test]
fn events() {
    let pair = Pair::start();
    pair.get("/v1/event/list");
    for (path, body) in [
        ("/v1/event/fire/", ""),
        ("/v1/event/fire/deploy", "hello"),
        ("/v1/event/fire/deploy?node=elsewhere", "not for us"),
        ("/v1/event/fire/deploy?node=node-.*", "for us"),
        ("/v1/event/fire/restart?service=consul", ""),
        ("/v1/event/fire/restart?service=nope&tag=x", ""),
        ("/v1/event/fire/restart?tag=x", ""),
    ] {
        pair.same("PUT", path, body);
        pair.get("/v1/event/list");
    }
    for query in ["/v1/event/list?name=deploy", "/v1/event/list?name=nope", "/v1/event/nope"] {
        pair.get(query);
    }
}
