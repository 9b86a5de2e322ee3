//! A small HTTP/1.1 server: what the control socket, the metrics endpoint and the development
//! catalog have in common.
//!
//! # Theory of operation
//!
//! [`accept()`] owns a listener and a set of tasks, one for each connection; the set dies with it.
//! [`Server`] is `accept` in a task of its own with a [`Handler`]: dropping it ends everything at
//! once, [`Server::close`] lets requests that have arrived be answered first.
//!
//! Everything is bounded by [`Limits`]. *Connections*: the next one waits in the kernel's queue
//! until a place is free, or is told 503. *Asking*: head and body must arrive in time, and the
//! handler must answer in time, or the client is told 503. *Taking*: a client that does not read
//! its answer is cut off. A streaming answer may last for ever; it is asked for more only when
//! the client has taken what there was, and cut off only if that client takes nothing for long.
//!
//! A client that closes its sending half after a request (as `nc -N` does) is answered, unless
//! the limits say otherwise.
//!
//! A program whose state lives on one thread takes `accept` and spawns on a `LocalSet`: each
//! connection then goes to a hyper service, which sees to the times and sizes of requests itself.
//!
//! The connection's code exists once in the pilot: listeners are of two kinds behind one boxed
//! stream, and handlers are boxed too.

mod accept;
mod limits;
mod listener;
mod patience;
mod request;
mod response;
mod server;

pub use accept::{Accepted, accept};
pub use hyper::body::{Bytes, Frame};
pub use hyper::service::service_fn;
pub use hyper::{Method, StatusCode, body::Body as Stream};
pub use limits::{HalfClosed, Limits, Overflow};
pub use listener::Listener;
pub use request::{BodyError, Request};
pub use response::{Body, Response, empty, json, stream, text};
pub use server::{Answer, Handler, Server, handler};
