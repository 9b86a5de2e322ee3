//! The development catalog: Consul's HTTP API and DNS in one process and in memory, with a page, for
//! a laptop, a demo and tests. Production uses a real Consul. docs/catalog-server.md is for users.
//!
//! # Theory of operation
//!
//! One thread runs everything. Connections, checks and the reaper are tasks on it that share one
//! `App`: the `store` (nodes, services, checks, keys, sessions, events) and the agent's running
//! checks. Since no task holds a borrow across an await, every request sees and leaves a whole
//! state, and there are no locks.
//!
//! The `store` is plain data and knows no clock: whoever changes it says what time it is. Each
//! change takes the next index and *touches* the topics that it belongs to: the instances of one
//! service, the checks of one node, the list of names, one key, each prefix of a key. A query names
//! the topic that it asks for; its `X-Consul-Index` is when that topic last changed, and a blocked
//! query sleeps on the topic's bell, so a change wakes those who asked for it and nobody else.
//! Changes of keys are made in transactions, which are kept or taken back as a whole; a key that is
//! set alone is a transaction of one. A session ends when it is not renewed for twice its TTL, when
//! one of its checks turns critical, or with its node; then its keys are released or deleted, and
//! locked to nobody for its lock delay.
//!
//! `connection` reads ordinary requests and leaves the rest to hyper: a blocked query costs 4 KiB
//! with its connection. `http` has one file for each area of the API; `definition` and
//! `registration` read and validate what clients register with the agent and with the catalog;
//! `view` writes the store in Consul's field names; `checks` waits for heartbeats, makes requests,
//! runs scripts, and removes services that have been critical for too long. `zone` shows the store
//! to the DNS server, `http::ui` is the page, and `state` is the file that outlives a run. Statuses
//! and messages of errors are Consul's (1.8), because clients look at them.
//!
//! Different from Consul on purpose: a query whose index lies in the future (this catalog was
//! restarted without a state file) is answered at once instead of waiting for its time to pass;
//! every body is limited to the size of a key's value; a status of a check that Consul does not
//! know is refused everywhere.

mod app;
mod base64;
mod checks;
mod connection;
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
