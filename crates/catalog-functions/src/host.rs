//! What templates may see of the machine. They ask when they are executed, not before.

use std::{net::IpAddr, time::SystemTime};

/// Where facts about the machine come from.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The time, for `timestamp`.
    pub now: fn() -> SystemTime,
    /// The addresses of all interfaces, for `sockaddr`.
    pub interfaces: fn() -> Vec<Interface>,
}

/// An address of an interface. One with several addresses is there several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// One of its addresses.
    pub address: IpAddr,
    /// How many bits of the address are its network's.
    pub prefix: u8,
    /// Whether it is up.
    pub up: bool,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Whether the default route leads through it.
    pub default: bool,
}
