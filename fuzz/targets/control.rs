//! Whatever comes over the control socket, at either end.
//!
//! The first byte of an input says who gets the rest:
//! `0` the reader of requests, `1` the table of `-status`, `2` the client's reader of events, `3`
//! the client, as a raw answer, `4` a server on a socket, from a client that then sends no more,
//! `5` the same from one that keeps its connection open.
//!
//! Sockets are real and clocks are not: both ends live on one thread whose time stands still while
//! there is anything to do. So it can be asserted how long something takes, and deadlines cost
//! nothing.

#![no_main]

#[path = "control/client.rs"]
mod client;
#[path = "control/request.rs"]
mod request;
#[path = "control/server.rs"]
mod server;
#[path = "control/sockets.rs"]
mod sockets;
#[path = "control/status.rs"]
mod status;

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: sockets::prepare(), |input: &[u8]| {
    let Some((kind, input)) = input.split_first() else { return };
    match kind.wrapping_sub(b'0') % 6 {
        0 => request::check(input),
        1 => status::check(input),
        2 => client::check_events(input),
        3 => client::check_answer(input),
        4 => server::check(input, server::Client::Ends),
        _ => server::check(input, server::Client::Lingers),
    }
});
