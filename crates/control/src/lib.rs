//! The control socket: what is asked and answered there, the server in the program, and the
//! client of its sub-commands.
//!
//! # Theory of operation
//!
//! [`Socket`] takes the path, [`Server`] answers on it. A request is read and checked by
//! [`parse()`], which knows no network; what it makes, a [`Request`], goes as a [`Call`] through a
//! bounded queue to the engine, which alone knows the answer and gives it as a [`Reply`]. Even
//! `ping` takes that way, so that its answer says that the engine's loop is alive. An engine that
//! does not answer in time costs the client a 503, and nobody anything else.
//!
//! [`Events`] is a hub: the engine publishes and never waits; each stream has a short queue of
//! its own, and one whose client is slow is told how many events it has missed.
//!
//! [`Client`] is the other end, [`wire`] is what both agree on, [`table`] shows a status on a
//! terminal and [`live`] keeps it there.
//!
//! This crate is forbidden to know the engine: names and states come as text and enums of its own.

mod client;
mod events;
pub mod live;
mod parse;
mod server;
mod socket;
pub mod table;
mod time;
mod width;
pub mod wire;

pub use client::{Client, Error, News};
pub use events::{Events, Filter};
pub use parse::{Refusal, Routed, parse};
pub use server::{Call, Observer, Reply, Request, Server, Switch};
pub use socket::{BindError, Socket};
