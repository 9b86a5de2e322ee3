//! The registrar and watches against a real Consul, and against a server that misbehaves.

mod faults;
mod outage;
mod registration;
mod support;
mod transport;
mod watching;
