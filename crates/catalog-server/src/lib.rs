//! The development catalog: Consul's HTTP API in one process and in memory, for a laptop, a demo
//! and tests. Production uses a real Consul.
//!
//! # Theory of operation
//!
//! One thread runs everything. Connections, checks and the reaper are tasks on it that share one
//! `App`: the `store` (nodes, services, checks, keys) and the agent's running checks. Since no
//! task holds a borrow across an await, every request sees and leaves a whole state, and there
//! are no locks.
//!
//! The `store` is plain data. Each change takes the next index and *touches* the topics that it
//! belongs to: the instances of one service, the checks of one node, the list of names, one key,
//! each prefix of a key. A query names the topic that it asks for; its `X-Consul-Index` is when
//! that topic last changed, and a blocked query sleeps on the topic's bell, so a change wakes
//! those who asked for it and nobody else. A blocked query costs about 11 KiB, nearly all of it
//! its connection's buffers.
//!
//! `http` has one file for each area of the API; `definition` reads and validates what clients
//! register; `view` writes the store in Consul's field names; `checks` waits for heartbeats, makes
//! requests, and removes services that have been critical for too long. Statuses and messages of
//! errors are Consul's (1.8), because clients look at them.
//!
//! Different from Consul on purpose: a query whose index lies in the future (this catalog was
//! restarted) is answered at once instead of waiting for its time to pass, and every body is
//! limited to the size of a key's value.

mod app;
mod base64;
mod checks;
mod definition;
mod duration;
mod fields;
mod http;
mod options;
mod random;
mod registration;
mod server;
mod state;
mod store;
mod view;
mod zone;

pub use definition::ScriptChecks;
pub use duration::parse as parse_duration;
pub use options::{Dns, Log, Options};
pub use server::{Background, Error, Server};
pub use state::StateError;
