//! What the catalog holds of a node, a service and a check.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The state of a check; the order is from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Status {
    /// It serves.
    Passing,
    /// It serves, but somebody should look.
    Warning,
    /// It does not serve.
    Critical,
}

impl Status {
    /// As Consul spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// From Consul's spelling.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "passing" => Some(Self::Passing),
            "warning" => Some(Self::Warning),
            "critical" => Some(Self::Critical),
            _ => None,
        }
    }
}

/// A machine, or what stands for one, with what runs on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    /// A UUID.
    pub(crate) id: String,
    pub(crate) name: String,
    /// An IP address or a host's name.
    pub(crate) address: String,
    pub(crate) meta: BTreeMap<String, String>,
    /// By kind (`lan`, `wan`).
    pub(crate) tagged_addresses: BTreeMap<String, String>,
    /// By id.
    pub(crate) services: BTreeMap<String, Service>,
    /// By id.
    pub(crate) checks: BTreeMap<String, Check>,
    pub(crate) create: u64,
    pub(crate) modify: u64,
}

impl Node {
    /// Whether the node's own data are the same, whatever runs on it.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.id == other.id
            && self.address == other.address
            && self.meta == other.meta
            && self.tagged_addresses == other.tagged_addresses
    }

    /// A service's own checks.
    pub(crate) fn checks_of(&self, service: &str) -> impl Iterator<Item = &Check> {
        self.checks.values().filter(move |check| check.service_id == service)
    }

    /// The checks that decide about a service: the node's and its own.
    pub(crate) fn deciding(&self, service: &str) -> impl Iterator<Item = &Check> {
        self.checks
            .values()
            .filter(move |check| check.service_id.is_empty() || check.service_id == service)
    }
}

/// An instance of a service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    /// Empty: the node's.
    pub(crate) address: String,
    pub(crate) port: i64,
    pub(crate) meta: BTreeMap<String, String>,
    /// By kind (`lan`, `wan`), as sent.
    pub(crate) tagged_addresses: Map<String, Value>,
    /// How many shares of the DNS answers it gets while passing, and while warning.
    pub(crate) weights: (i64, i64),
    pub(crate) enable_tag_override: bool,
    pub(crate) create: u64,
    pub(crate) modify: u64,
}

impl Service {
    /// Whether everything but the indexes is the same.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Self { create: self.create, modify: self.modify, ..other.clone() } == *self
    }
}

/// A check's definition as queries show it, and its state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) notes: String,
    pub(crate) output: String,
    /// Empty: the check is the node's.
    pub(crate) service_id: String,
    /// `ttl`, `http`, `tcp`, `maintenance`, or empty.
    pub(crate) kind: &'static str,
    /// How somebody else makes it, as sent with what was put into the catalog past the agent.
    pub(crate) definition: Map<String, Value>,
    pub(crate) create: u64,
    pub(crate) modify: u64,
}

impl Check {
    /// Whether everything but the indexes is the same.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Self { create: self.create, modify: self.modify, ..other.clone() } == *self
    }
}
