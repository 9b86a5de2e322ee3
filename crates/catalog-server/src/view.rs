//! The shapes in which queries show the store: Consul's field names.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::base64;
use crate::store::{Check, Event, Node, Pair, Service, Session};

/// A node by itself.
pub(crate) fn node(node: &Node, datacenter: &str) -> Value {
    json!({
        "ID": node.id,
        "Node": node.name,
        "Address": node.address,
        "Datacenter": datacenter,
        "TaggedAddresses": some(&node.tagged_addresses),
        "Meta": some(&node.meta),
        "CreateIndex": node.create,
        "ModifyIndex": node.modify,
    })
}

/// A node's meta or addresses; none are `null`, as Go writes them.
fn some(map: &BTreeMap<String, String>) -> Value {
    if map.is_empty() { Value::Null } else { json!(map) }
}

fn weights(service: &Service) -> Value {
    json!({ "Passing": service.weights.0, "Warning": service.weights.1 })
}

/// A service as the agent shows it.
pub(crate) fn agent_service(service: &Service) -> Value {
    let mut value = json!({
        "ID": service.id,
        "Service": service.name,
        "Tags": service.tags,
        "Meta": service.meta,
        "Port": service.port,
        "Address": service.address,
        "Weights": weights(service),
        "EnableTagOverride": service.enable_tag_override,
    });
    add_tagged(&mut value, "TaggedAddresses", &service.tagged_addresses);
    value
}

/// A service as the catalog shows it below a node.
pub(crate) fn service(service: &Service) -> Value {
    let mut value = agent_service(service);
    if let Value::Object(map) = &mut value {
        map.insert("Proxy".into(), proxy());
        map.insert("Connect".into(), json!({}));
        map.insert("CreateIndex".into(), service.create.into());
        map.insert("ModifyIndex".into(), service.modify.into());
    }
    value
}

/// An instance as `/v1/catalog/service/NAME` shows it.
pub(crate) fn catalog_service(node: &Node, service: &Service, datacenter: &str) -> Value {
    let mut value = json!({
        "ID": node.id,
        "Node": node.name,
        "Address": node.address,
        "Datacenter": datacenter,
        "TaggedAddresses": some(&node.tagged_addresses),
        "NodeMeta": some(&node.meta),
        "ServiceKind": "",
        "ServiceID": service.id,
        "ServiceName": service.name,
        "ServiceTags": service.tags,
        "ServiceAddress": service.address,
        "ServiceWeights": weights(service),
        "ServiceMeta": service.meta,
        "ServicePort": service.port,
        "ServiceEnableTagOverride": service.enable_tag_override,
        "ServiceProxy": proxy(),
        "ServiceConnect": {},
        "CreateIndex": service.create,
        "ModifyIndex": service.modify,
    });
    add_tagged(&mut value, "ServiceTaggedAddresses", &service.tagged_addresses);
    value
}

fn proxy() -> Value {
    json!({ "MeshGateway": {}, "Expose": {} })
}

fn add_tagged(value: &mut Value, name: &str, addresses: &Map<String, Value>) {
    if let (Value::Object(map), false) = (value, addresses.is_empty()) {
        map.insert(name.into(), addresses.clone().into());
    }
}

/// A check; its service's name and tags come from the service.
pub(crate) fn check(node: &Node, check: &Check) -> Value {
    let service = node.services.get(&check.service_id);
    json!({
        "Node": node.name,
        "CheckID": check.id,
        "Name": check.name,
        "Status": check.status.as_str(),
        "Notes": check.notes,
        "Output": check.output,
        "ServiceID": check.service_id,
        "ServiceName": service.map_or("", |service| &service.name),
        "ServiceTags": service.map_or(&[][..], |service| &service.tags),
        "Type": check.kind,
        "Definition": check.definition,
        "CreateIndex": check.create,
        "ModifyIndex": check.modify,
    })
}

/// A check as the agent shows it: it knows no indexes.
pub(crate) fn agent_check(node: &Node, one: &Check) -> Value {
    let mut value = check(node, one);
    if let Value::Object(map) = &mut value {
        map.insert("CreateIndex".into(), 0.into());
        map.insert("ModifyIndex".into(), 0.into());
    }
    value
}

/// An instance with the checks that decide about it.
pub(crate) fn health(of: &Node, instance: &Service, datacenter: &str) -> Value {
    json!({
        "Node": node(of, datacenter),
        "Service": service(instance),
        "Checks": of.deciding(&instance.id).map(|one| check(of, one)).collect::<Vec<_>>(),
    })
}

/// A node with its services by id.
pub(crate) fn node_services(of: &Node, datacenter: &str) -> Value {
    let services: BTreeMap<&str, Value> =
        of.services.iter().map(|(id, one)| (id.as_str(), service(one))).collect();
    json!({ "Node": node(of, datacenter), "Services": services })
}

/// A node with everything on it.
pub(crate) fn ui_node(of: &Node) -> Value {
    let mut shown = node(of, "");
    if let Value::Object(map) = &mut shown {
        for name in ["Datacenter", "CreateIndex", "ModifyIndex"] {
            map.remove(name);
        }
        map.insert("Services".into(), of.services.values().map(service).collect());
        map.insert("Checks".into(), of.checks.values().map(|one| check(of, one)).collect());
    }
    shown
}

/// A key with its value.
pub(crate) fn pair(key: &str, pair: &Pair) -> Value {
    let mut shown = json!({
        "LockIndex": pair.lock_index,
        "Key": key,
        "Flags": pair.flags,
        "Value": value(&pair.value),
        "CreateIndex": pair.create,
        "ModifyIndex": pair.modify,
    });
    if let (Value::Object(map), Some(session)) = (&mut shown, &pair.session) {
        map.insert("Session".into(), session.clone().into());
    }
    shown
}

/// A session.
pub(crate) fn session(session: &Session) -> Value {
    let mut shown = json!({
        "ID": session.id,
        "Name": session.name,
        "Node": session.node,
        "LockDelay": session.lock_delay.as_nanos() as u64,
        "Behavior": session.behavior.as_str(),
        "TTL": session.ttl,
        "NodeChecks": session.checks.node,
        "ServiceChecks": null,
        "CreateIndex": session.create,
        "ModifyIndex": session.create,
    });
    if let Value::Object(map) = &mut shown {
        let checks = &session.checks;
        let service: Vec<_> =
            checks.service.iter().map(|id| json!({ "ID": id, "Namespace": "" })).collect();
        if !service.is_empty() {
            map.insert("ServiceChecks".into(), service.into());
        }
        if !checks.any.is_empty() {
            map.insert("Checks".into(), checks.any.clone().into());
        }
    }
    shown
}

/// An event.
pub(crate) fn event(event: &Event) -> Value {
    json!({
        "ID": event.id,
        "Name": event.name,
        "Payload": value(&event.payload),
        "NodeFilter": event.node,
        "ServiceFilter": event.service,
        "TagFilter": event.tag,
        "Version": 1,
        "LTime": event.time,
    })
}

/// Bytes; none are `null`, as Go writes them.
fn value(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { base64::encode(bytes).into() }
}
