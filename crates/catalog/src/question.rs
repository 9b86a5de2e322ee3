//! What templates ask a registry: everything that it knows, not only who is healthy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{Index, Keys, Status};

/// A question to a registry. Equal questions have one answer, so that whoever asks the same twice
/// needs one query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// The instances of a service.
    Service(ServiceQuestion),
    /// The names of all services, with all tags that any instance has.
    Services {
        /// `None`: the agent's own.
        datacenter: Option<String>,
    },
    /// One node and what runs there.
    Node {
        /// `None`: the agent's own.
        name: Option<String>,
        /// `None`: the agent's own.
        datacenter: Option<String>,
    },
    /// All nodes.
    Nodes {
        /// `None`: the agent's own.
        datacenter: Option<String>,
        /// Sorted by the distance from this node; `None`: by name.
        near: Option<String>,
    },
    /// The names of all datacenters.
    Datacenters,
    /// One key, or all that begin with a prefix.
    Keys {
        /// Which.
        keys: Keys,
        /// `None`: the agent's own.
        datacenter: Option<String>,
    },
}

/// In the words of a log: `service "web" with tag "a"`.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (datacenter, near) = match self {
            Question::Service(wanted) => {
                write!(f, "service {:?}", wanted.name)?;
                if let Some(tag) = &wanted.tag {
                    write!(f, " with tag {tag:?}")?;
                }
                (&wanted.datacenter, &wanted.near)
            }
            Question::Services { datacenter } => {
                f.write_str("the names of all services")?;
                (datacenter, &None)
            }
            Question::Node { name, datacenter } => {
                match name {
                    Some(name) => write!(f, "node {name:?}")?,
                    None => f.write_str("the agent's own node")?,
                }
                (datacenter, &None)
            }
            Question::Nodes { datacenter, near } => {
                f.write_str("all nodes")?;
                (datacenter, near)
            }
            Question::Datacenters => return f.write_str("the names of all datacenters"),
            Question::Keys { keys, datacenter } => {
                match keys {
                    Keys::One(key) => write!(f, "key {key:?}")?,
                    Keys::Under(prefix) => write!(f, "keys under {prefix:?}")?,
                }
                (datacenter, &None)
            }
        };
        if let Some(datacenter) = datacenter {
            write!(f, " in datacenter {datacenter:?}")?;
        }
        if let Some(near) = near {
            write!(f, " near {near:?}")?;
        }
        Ok(())
    }
}

/// A question about the instances of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceQuestion {
    /// The service.
    pub name: String,
    /// Only instances with this tag.
    pub tag: Option<String>,
    /// `None`: the agent's own.
    pub datacenter: Option<String>,
    /// Sorted by the distance from this node; `None`: by node and id.
    pub near: Option<String>,
    /// In which state of health.
    pub health: Health,
}

/// Which instances are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Those whose checks all pass.
    Passing,
    /// All, whatever their checks say.
    Any,
}

/// What a registry answers to a [`Question`], of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Answers [`Question::Service`]: by node, then id, unless the question wants another order.
    Service(Vec<Endpoint>),
    /// Answers [`Question::Services`]: by name.
    Services(Vec<Listed>),
    /// Answers [`Question::Node`]. `None`: there is no such node.
    Node(Option<NodeServices>),
    /// Answers [`Question::Nodes`].
    Nodes(Vec<Arc<Node>>),
    /// Answers [`Question::Datacenters`]: by name.
    Datacenters(Vec<String>),
    /// Answers [`Question::Keys`]: by key.
    Keys(Vec<Pair>),
}

/// An instance of a service, with its node and its health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Unique on its node.
    pub id: String,
    /// The service.
    pub name: String,
    /// Where it is reached: its own address, or its node's if it has none.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Its tags, in the registry's order.
    pub tags: Vec<String>,
    /// Its metadata.
    pub meta: BTreeMap<String, String>,
    /// How much of the load it should get.
    pub weights: Weights,
    /// Its node, shared by all that run there.
    pub node: Arc<Node>,
    /// Its checks and its node's.
    pub checks: Vec<HealthCheck>,
}

impl Endpoint {
    /// The worst of its checks; passing if it has none. A check in maintenance counts as critical.
    #[must_use]
    pub fn status(&self) -> Status {
        let severity = |status: &Status| match status {
            Status::Passing => 0,
            Status::Warning => 1,
            Status::Critical => 2,
        };
        let worst = self.checks.iter().map(|check| check.status).max_by_key(severity);
        worst.unwrap_or(Status::Passing)
    }
}

/// How much of the load an instance should get, relative to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// While all its checks pass.
    pub passing: i64,
    /// While one of them warns.
    pub warning: i64,
}

/// A check of an instance or of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Unique on its node.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it says.
    pub status: Status,
    /// For people, from whoever has defined it.
    pub notes: String,
    /// What it has written last.
    pub output: String,
    /// The instance that it is about; empty: the whole node.
    pub service_id: String,
    /// Its service's name; empty: the whole node.
    pub service_name: String,
}

/// A node. Registries without nodes leave all empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its datacenter.
    pub datacenter: String,
    /// Its addresses by where they are meant for: `lan`, `wan`.
    pub tagged_addresses: BTreeMap<String, String>,
    /// Its metadata.
    pub meta: BTreeMap<String, String>,
}

/// A node and what runs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeServices {
    /// The node.
    pub node: Arc<Node>,
    /// What runs there, by name, then id.
    pub services: Vec<NodeService>,
}

/// An instance as its node has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeService {
    /// Unique on its node.
    pub id: String,
    /// The service.
    pub name: String,
    /// Its own address; empty if it has none.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata.
    pub meta: BTreeMap<String, String>,
    /// Others may change its tags.
    pub enable_tag_override: bool,
}

/// A service's name and all tags that any of its instances has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The service.
    pub name: String,
    /// By name.
    pub tags: Vec<String>,
}

/// A key, its value and what the registry keeps about it. Numbers that a registry does not keep
/// are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The whole key.
    pub key: String,
    /// Any bytes.
    pub value: Vec<u8>,
    /// Any number that whoever has set the key has put there.
    pub flags: u64,
    /// When it was set first.
    pub create_index: u64,
    /// When it was set last.
    pub modify_index: u64,
    /// How often it was locked.
    pub lock_index: u64,
    /// The session that holds it; empty: none.
    pub session: String,
}

/// Answer to [`crate::Catalog::find`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Of the question's kind.
    pub finding: Finding,
    /// What to wait for the next change after; `None`: the registry cannot wait for a change of
    /// this, ask again after a while.
    pub index: Option<Index>,
}
