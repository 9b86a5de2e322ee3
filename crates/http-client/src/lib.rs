//! A small HTTP/1.1 client: kept connections, deadlines, bounded answers, TLS, unix sockets.
//!
//! # Theory of operation
//!
//! A [`Client`] talks to one server ([`Address`]). What can be wrong with the options is found when
//! it is built ([`BuildError`]); after that a request ([`Call`]) ends within its deadline with the
//! whole answer or an [`Error`] that tells whether it may have been carried out.
//!
//! Every request that is sent here may be sent twice without harm. One that fails on a kept
//! connection before its answer has begun is therefore sent once more on a fresh one: the server
//! may have closed the old one long ago.

mod address;
mod client;
mod endpoint;
mod error;
mod tls;

pub use address::Address;
pub use client::{Call, Client, Reply, encode};
pub use error::{BuildError, Error};
pub use tls::Tls;
