//! Nodes and what runs on them.

use std::sync::Arc;

use catalog::{Finding, Node, NodeService, NodeServices};
use gotemplate::{Object, Type, Value};

use super::{Fields, Part, Place, list, map, service::tags, text};

const NODE: &Type = &Type::Named("*dep.Node");
const NODES: &str = "[]*dep.Node";

/// What `nodes` gives.
pub(crate) fn nodes(finding: Option<&Arc<Finding>>) -> Value {
    match finding.map(|finding| (finding, &**finding)) {
        Some((finding, Finding::Nodes(nodes))) => {
            let places = (0..nodes.len()).map(|index| (index, 0));
            Part::list(finding, node_of, places)
        }
        _ => list(NODES, NODE, Vec::new()),
    }
}

/// What `node` gives. One that does not exist is false, and has empty fields.
pub(crate) fn node(finding: &Arc<Finding>) -> Value {
    match &**finding {
        Finding::Node(Some(_)) => Value::object(Whole { finding: finding.clone(), exists: true }),
        _ => no_node(),
    }
}

/// A node that does not exist.
pub(crate) fn no_node() -> Value {
    let nothing = NodeServices { node: Arc::default(), services: Vec::new() };
    let finding = Arc::new(Finding::Node(Some(nothing)));
    Value::object(Whole { finding, exists: false })
}

/// A node and what runs there.
struct Whole {
    finding: Arc<Finding>,
    exists: bool,
}

impl Object for Whole {
    fn type_name(&self) -> &str {
        "*dep.CatalogNode"
    }

    fn field(&self, name: &str) -> Option<Value> {
        let services = match &*self.finding {
            Finding::Node(Some(node)) => node.services.len(),
            _ => 0,
        };
        let finding = &self.finding;
        Some(match name {
            "Node" => {
                Value::object(Part { finding: finding.clone(), place: (0, 0), find: node_of })
            }
            "Services" => Part::list(finding, service_of, (0..services).map(|index| (index, 0))),
            _ => return None,
        })
    }

    fn field_names(&self) -> &[&str] {
        &["Node", "Services"]
    }

    fn truth(&self) -> bool {
        self.exists
    }
}

fn node_of(finding: &Finding, place: Place) -> Option<&Node> {
    match finding {
        Finding::Nodes(nodes) => nodes.get(place.0).map(|node| &**node),
        Finding::Node(Some(node)) => Some(&node.node),
        _ => None,
    }
}

fn service_of(finding: &Finding, place: Place) -> Option<&NodeService> {
    match finding {
        Finding::Node(Some(node)) => node.services.get(place.0),
        _ => None,
    }
}

impl Fields for Node {
    const TYPE: &'static Type = NODE;
    const LIST: &'static str = NODES;
    const NAMES: &'static [&'static str] =
        &["ID", "Node", "Address", "Datacenter", "TaggedAddresses", "Meta"];

    fn field(&self, name: &str, _: &Arc<Finding>, _: Place) -> Option<Value> {
        Some(match name {
            "ID" => text(&self.id),
            "Node" => text(&self.name),
            "Address" => text(&self.address),
            "Datacenter" => text(&self.datacenter),
            "TaggedAddresses" => map(&self.tagged_addresses),
            "Meta" => map(&self.meta),
            _ => return None,
        })
    }
}

impl Fields for NodeService {
    const TYPE: &'static Type = &Type::Named("*dep.CatalogNodeService");
    const LIST: &'static str = "[]*dep.CatalogNodeService";
    const NAMES: &'static [&'static str] =
        &["ID", "Service", "Tags", "Meta", "Port", "Address", "EnableTagOverride"];

    fn field(&self, name: &str, _: &Arc<Finding>, _: Place) -> Option<Value> {
        Some(match name {
            "ID" => text(&self.id),
            "Service" => text(&self.name),
            "Tags" => tags(&self.tags),
            "Meta" => map(&self.meta),
            "Port" => i64::from(self.port).into(),
            "Address" => text(&self.address),
            "EnableTagOverride" => self.enable_tag_override.into(),
            _ => return None,
        })
    }
}
