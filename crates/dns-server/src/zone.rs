//! What is asked of whoever knows the answers.

use std::net::IpAddr;

/// Knows services and nodes. Lookups must not wait for anything; they run between two requests on
/// the server's thread.
///
/// Names and tags arrive in lower case and are to be compared without regard to ASCII case; they
/// may hold any character, dots included.
pub trait Zone {
    /// The name of the one datacenter that is known: others do not exist.
    fn datacenter(&self) -> String;

    /// The node that answers, named in NS records.
    fn server(&self) -> Node;

    /// The instances of a service that may be used, those with the tag if one is given. None: the
    /// name does not exist.
    fn service(&self, name: &str, tag: Option<&str>) -> Vec<Instance>;

    /// A node.
    fn node(&self, name: &str) -> Option<Node>;
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name, in its own case.
    pub name: String,
    /// Where it is.
    pub address: Address,
}

/// An instance of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The node that it runs on.
    pub node: Node,
    /// Its own address; without one it is where its node is.
    pub address: Option<Address>,
    /// Its port.
    pub port: u16,
    /// Its weight among the others, for SRV records.
    pub weight: u16,
}

/// Where something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP: answered with A or AAAA.
    Ip(IpAddr),
    /// The name of a host elsewhere: answered with CNAME.
    Host(String),
}

impl From<&str> for Address {
    /// What is no IP is a host.
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Address::Host(text.to_owned()), Address::Ip)
    }
}
