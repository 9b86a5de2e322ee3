//! A small authoritative DNS server for the zone `consul.`: where the instances of a service are,
//! and where a node is.
//!
//! # Theory of operation
//!
//! A [`Zone`] answers lookups by name and knows nothing of DNS; [`Server`] knows nothing of where
//! the zone gets its answers from. Between them stands one pure function, `reply`: from the bytes
//! of a request and what the zone says to the bytes of an answer. It awaits nothing, so a zone may
//! be a view of state that lives on one thread, without any lock.
//!
//! `reply` reads the message (the wire format is `hickory-proto`'s), `subject` understands the
//! name, `records` turns what the zone found into records, and `reply` cuts their number to what
//! the client can take: over UDP the size that it states by EDNS, 512 bytes without.
//!
//! Names: `[TAG.]NAME.service[.DC].consul`, `_NAME._TAG.service[.DC].consul` (RFC 2782; the tag
//! `_tcp` means none), `NODE.node[.DC].consul`, and `HEX.addr[.DC].consul`, the target of an SRV
//! record whose instance has an IP of its own. Letter case does not matter.
//!
//! Statuses, sections, orders and limits are those of Consul 1.8; `tests/compare.rs` asks it the
//! same. Different on purpose: a name that exists is answered for the types that it has only (Consul
//! answers TXT with A, and AAAA of an IPv4 address with A); every empty answer carries the zone's
//! SOA; there are no TXT records of a node's metadata and no reverse lookups; other classes, zone
//! transfers and anything but queries are refused.
//!
//! Everything is bounded by [`Limits`]. Malformed requests are answered with FORMERR if they have a
//! header, and not at all otherwise; nor are answers that come as requests.

mod limits;
mod records;
mod reply;
mod server;
mod shuffle;
mod subject;
mod zone;

pub use limits::{Cut, Limits};
pub use server::{Error, Server, Sockets};
pub use zone::{Address, Instance, Node, Zone};
