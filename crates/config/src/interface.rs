//! Which of the host's addresses a service is advertised with.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use crate::InterfaceAddress;

/// What is looked for when a file says nothing.
pub(crate) const DEFAULT: [&str; 2] = ["eth0:inet", "inet"];

/// What a specification may be.
pub(crate) const RULE: &str = "want eth0, eth0:inet, eth0:inet6, eth0[1], a network like 10.0.0.0/8, inet, inet6 or static:ADDRESS";

/// One parsed specification.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Specification {
    /// Any interface's first address of a family, loopback excluded.
    Any(Family),
    /// The first address of a family of one interface.
    Interface(String, Family),
    /// The address with this number, from 0, of one interface.
    Index(String, usize),
    /// The first address in a network.
    Network(IpAddr, u8),
    /// This address.
    Static(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// Why there is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterfaceError {
    /// A specification that has none of the forms.
    #[error("{0:?} is not an interface: {RULE}")]
    Form(String),
    /// No address fits.
    #[error("no address matches {}: there are {}", .specifications.join(", "), Found(.addresses))]
    NoMatch {
        /// What was looked for.
        specifications: Vec<String>,
        /// What there is.
        addresses: Vec<InterfaceAddress>,
    },
}

/// A list of addresses for a message.
struct Found<'a>(&'a [InterfaceAddress]);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no addresses");
        }
        for (index, InterfaceAddress { interface, address }) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{interface} {address}")?;
        }
        Ok(())
    }
}

/// The address that the first matching specification finds. Candidates are ordered by the
/// interface's name, then by the address in its 16-byte form.
///
/// # Errors
/// A specification has none of the forms, or none of them matches.
pub fn check_interface(
    specifications: &[String],
    addresses: &[InterfaceAddress],
) -> Result<IpAddr, InterfaceError> {
    let mut addresses = addresses.to_vec();
    addresses.sort_by(|a, b| {
        (&a.interface, long(a.address).octets()).cmp(&(&b.interface, long(b.address).octets()))
    });
    addresses.dedup();
    let parsed: Result<Vec<_>, _> = specifications.iter().map(|text| parse(text)).collect();
    parsed?.iter().find_map(|wanted| wanted.find(&addresses)).ok_or_else(|| {
        InterfaceError::NoMatch { specifications: specifications.to_vec(), addresses }
    })
}

/// The 16-byte form, in which an IPv4 address is `::ffff:a.b.c.d`.
fn long(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

impl Specification {
    fn find(&self, sorted: &[InterfaceAddress]) -> Option<IpAddr> {
        let fits = |candidate: &&InterfaceAddress| match self {
            Self::Any(family) => {
                Family::of(candidate.address) == *family && !candidate.address.is_loopback()
            }
            Self::Interface(name, family) => {
                candidate.interface == *name && Family::of(candidate.address) == *family
            }
            Self::Index(name, _) => candidate.interface == *name,
            Self::Network(network, length) => contains(*network, *length, candidate.address),
            Self::Static(_) => false,
        };
        let skip = if let Self::Index(_, index) = self { *index } else { 0 };
        match self {
            Self::Static(address) => Some(*address),
            _ => sorted.iter().filter(fits).nth(skip).map(|candidate| candidate.address),
        }
    }
}

/// Whether a network of so many bits contains an address.
fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    let shift = |bits: u32| bits.saturating_sub(length.into());
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let differ = network.to_bits() ^ address.to_bits();
            differ.checked_shr(shift(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let differ = network.to_bits() ^ address.to_bits();
            differ.checked_shr(shift(128)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// Whether a text has the form of a specification.
pub(crate) fn is_specification(text: &str) -> bool {
    parse(text).is_ok()
}

fn parse(text: &str) -> Result<Specification, InterfaceError> {
    let parsed = match text.trim() {
        "inet" => Some(Specification::Any(Family::V4)),
        "inet6" => Some(Specification::Any(Family::V6)),
        text => special(text),
    };
    parsed.ok_or_else(|| InterfaceError::Form(text.into()))
}

fn special(text: &str) -> Option<Specification> {
    if let Some(address) = text.strip_prefix("static:") {
        return Some(Specification::Static(address.parse().ok()?));
    }
    if let Some((network, length)) = text.split_once('/') {
        let network: IpAddr = network.parse().ok()?;
        let length: u8 = length.parse().ok()?;
        let longest = if network.is_ipv4() { 32 } else { 128 };
        return (length <= longest).then_some(Specification::Network(network, length));
    }
    if let Some(indexed) = text.strip_suffix(']') {
        let (name, index) = indexed.split_once('[')?;
        return Some(Specification::Index(interface_name(name)?, index.parse().ok()?));
    }
    match text.split_once(':') {
        Some((name, "inet")) => Some(Specification::Interface(interface_name(name)?, Family::V4)),
        Some((name, "inet6")) => Some(Specification::Interface(interface_name(name)?, Family::V6)),
        Some(_) => None,
        None => Some(Specification::Interface(interface_name(text)?, Family::V4)),
    }
}

/// A name that a network interface can have.
fn interface_name(name: &str) -> Option<String> {
    let allowed = |char: char| char.is_alphanumeric() || "._-@+".contains(char);
    (!name.is_empty() && name.chars().all(allowed)).then(|| name.to_owned())
}

#[cfg(test)]
#[path = "interface/tests.rs"]
mod tests;
