//! A small HTTP/1.1 client: kept connections, deadlines, bounded answers, TLS, unix sockets. And
//! one question of gRPC's ([`grpc`]).
//!
//! # Theory of operation
//!
//! A [`Client`] talks to one of several servers that are as good as each other ([`Address`]). What
//! can be wrong with the options is found when it is built ([`BuildError`]); after that a request
//! ([`Call`]) ends within its deadline with the whole answer ([`Client::send`]) or its head
//! ([`Client::open`]), or with an [`Error`] that tells whether it may have been carried out.
//!
//! Requests begin with the *current* server. One that cannot be connected to is passed over, at most
//! once each in a request and each within its share of the deadline, and the first that can be is
//! the current one from then on: nothing goes back to an earlier one by itself. A request whose
//! answer breaks or is late fails, for what it has done is unknown; the next one begins with the
//! next server, unless the server has answered others in the meantime. A name is resolved for each
//! connection, so a server may change its address.
//!
//! A request that fails on a kept connection before its answer has begun is sent once more on a
//! fresh one, since the server may have closed the old one long ago. So it may reach servers twice;
//! where that does harm, the call says so ([`Repeat::Forbidden`]).
//!
//! A request that waits for its answer costs little: no task and no buffer, some 2 KB in all. That
//! is why answers are read here ([`Connection`]) and not by hyper, from which come only the words
//! of HTTP.

mod address;
mod answer;
mod client;
mod connection;
mod endpoint;
mod error;
pub mod grpc;
mod hpack;
mod http2;
mod names;
mod tls;

pub use address::Address;
pub use client::{Call, Client, EndpointId, Repeat, Reply, Stream, encode};
pub use connection::Connection;
pub use error::{BuildError, Error};
pub use names::Name;
pub use tls::Tls;
