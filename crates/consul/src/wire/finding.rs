//! The agent's JSON about everything that templates ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use catalog::{
    Endpoint, Error, HealthCheck, Listed, Node, NodeService, NodeServices, Pair, Status, Weights,
};

use super::object::objects;
use super::{ServiceIn, nonsense, port, value};
use crate::nodes::Nodes;

/// How Consul weighs a service that says nothing.
const UNWEIGHED: Weights = Weights { passing: 1, warning: 1 };

objects! {
    struct EndpointIn {
        needs {
            "Node" => node: NodeIn,
            "Service" => service: ServiceIn,
        }
        takes { "Checks" => checks: Vec<CheckIn> }
    }

    struct NodeIn {
        needs {}
        takes {
            "ID" => id: String,
            "Node" => node: String,
            "Address" => address: String,
            "Datacenter" => datacenter: String,
            "TaggedAddresses" => tagged_addresses: BTreeMap<String, String>,
            "Meta" => meta: BTreeMap<String, String>,
        }
    }

    struct CheckIn {
        needs {}
        takes {
            "CheckID" => check_id: String,
            "Name" => name: String,
            "Status" => status: String,
            "Notes" => notes: String,
            "Output" => output: String,
            "ServiceID" => service_id: String,
            "ServiceName" => service_name: String,
        }
    }

    struct NodeServicesIn {
        needs { "Node" => node: NodeIn }
        takes { "Services" => services: BTreeMap<String, ServiceIn> }
    }

    struct SelfIn {
        needs { "Config" => config: ConfigIn }
        takes { "DebugConfig" => debug_config: DebugConfigIn }
    }

    struct ConfigIn {
        needs { "NodeName" => node_name: String }
        takes {}
    }

    #[derive(Default)]
    struct DebugConfigIn {
        needs {}
        takes { "HTTPMaxConnsPerClient" => http_max_conns_per_client: usize }
    }
}

/// Answer of `health/service/NAME`.
pub(crate) fn endpoints(body: &[u8], nodes: &Nodes) -> Result<Vec<Endpoint>, Error> {
    let found: Vec<EndpointIn> = read(body)?;
    Ok(exactly(found.into_iter().map(|found| endpoint(found, nodes))))
}

/// In memory of exactly that size: answers stay, and collecting would go on using the memory of
/// what was read, which is larger.
fn exactly<T>(items: impl ExactSizeIterator<Item = T>) -> Vec<T> {
    let mut all = Vec::with_capacity(items.len());
    all.extend(items);
    all
}

fn endpoint(found: EndpointIn, nodes: &Nodes) -> Endpoint {
    let EndpointIn { node, service, checks } = found;
    Endpoint {
        id: service.id,
        name: service.service,
        address: if service.address.is_empty() { node.address.clone() } else { service.address },
        port: port(service.port),
        tags: exactly(service.tags.into_iter()),
        meta: service.meta,
        weights: service.weights.map_or(UNWEIGHED, |it| Weights {
            passing: it.passing.unwrap_or(UNWEIGHED.passing),
            warning: it.warning.unwrap_or(UNWEIGHED.warning),
        }),
        node: nodes.share(self::node(node)),
        checks: exactly(checks.into_iter().map(check)),
    }
}

fn node(found: NodeIn) -> Node {
    Node {
        id: found.id,
        name: found.node,
        address: found.address,
        datacenter: found.datacenter,
        tagged_addresses: found.tagged_addresses,
        meta: found.meta,
    }
}

fn check(found: CheckIn) -> HealthCheck {
    HealthCheck {
        id: found.check_id,
        name: found.name,
        status: match found.status.as_str() {
            "passing" => Status::Passing,
            "warning" => Status::Warning,
            // Maintenance is a critical check. What has another name is not known to be well.
            _ => Status::Critical,
        },
        notes: found.notes,
        output: found.output,
        service_id: found.service_id,
        service_name: found.service_name,
    }
}

/// Answer of `catalog/services`.
pub(crate) fn listed(body: &[u8]) -> Result<Vec<Listed>, Error> {
    let found: BTreeMap<String, Option<Vec<String>>> = read(body)?;
    let listed = |(name, tags): (String, Option<Vec<String>>)| {
        let mut tags = tags.unwrap_or_default();
        // Consul has them in another order each time.
        tags.sort_unstable();
        Listed { name, tags }
    };
    Ok(found.into_iter().map(listed).collect())
}

/// Answer of `catalog/node/NAME`.
pub(crate) fn node_services(body: &[u8], nodes: &Nodes) -> Result<Option<NodeServices>, Error> {
    let found: Option<NodeServicesIn> = read(body)?;
    let Some(NodeServicesIn { node, services }) = found else { return Ok(None) };
    let service = |service: ServiceIn| NodeService {
        id: service.id,
        name: service.service,
        address: service.address,
        port: port(service.port),
        tags: exactly(service.tags.into_iter()),
        meta: service.meta,
        enable_tag_override: service.enable_tag_override,
    };
    let mut services: Vec<NodeService> = services.into_values().map(service).collect();
    services.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(Some(NodeServices { node: nodes.share(self::node(node)), services }))
}

/// Answer of `catalog/nodes`.
pub(crate) fn nodes(body: &[u8], nodes: &Nodes) -> Result<Vec<Arc<Node>>, Error> {
    let found: Vec<NodeIn> = read(body)?;
    Ok(found.into_iter().map(|found| nodes.share(node(found))).collect())
}

/// Answer of `catalog/datacenters`.
pub(crate) fn datacenters(body: &[u8]) -> Result<Vec<String>, Error> {
    let mut found: Vec<String> = read(body)?;
    // Consul has them in the order of their distances.
    found.sort_unstable();
    Ok(found)
}

/// Answer of `kv/KEY` with all that is known of the keys.
pub(crate) fn pairs(body: &[u8]) -> Result<Vec<Pair>, Error> {
    let pair = |found: super::PairIn| {
        Ok(Pair {
            value: value(&found)?,
            key: found.key,
            flags: found.flags,
            create_index: found.create_index,
            modify_index: found.modify_index,
            lock_index: found.lock_index,
            session: found.session,
        })
    };
    super::pairs(body)?.into_iter().map(pair).collect()
}

/// The node's name in the answer of `agent/self`.
pub(crate) fn own_name(body: &[u8]) -> Result<String, Error> {
    let found: SelfIn = read(body)?;
    Ok(found.config.node_name)
}

/// How many connections the agent takes from one address, in the answer of `agent/self`. `None`: any
/// number, or nobody says.
pub(crate) fn connections(body: &[u8]) -> Result<Option<usize>, Error> {
    let found: SelfIn = read(body)?;
    Ok(Some(found.debug_config.http_max_conns_per_client).filter(|limit| *limit > 0))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(nonsense)
}
