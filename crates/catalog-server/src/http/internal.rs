//! `/v1/internal/ui`: what a page about everything needs, in one answer.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::{Value, json};

use super::{Refusal, Reply, Request};
use crate::app::App;
use crate::store::{Status, Store, Topic};
use crate::view;

pub(crate) async fn answer(
    app: &Rc<App>,
    request: &Request,
    endpoint: &str,
) -> Result<Reply, Refusal> {
    let show: fn(&Store) -> Value = match endpoint {
        "nodes" => |store| store.nodes().map(view::ui_node).collect(),
        "services" => {
            |store| store.service_names().map(|(name, tags)| summary(store, name, &tags)).collect()
        }
        _ => return Err(Refusal::unknown()),
    };
    request.allow("GET")?;
    request.query(app, Topic::Everything, |store| Reply::json(show(store))).await
}

/// A service over all its instances.
fn summary(store: &Store, name: &str, tags: &BTreeSet<&str>) -> Value {
    let instances = || store.instances(name);
    let checks = |status: Status| {
        let deciding = instances().flat_map(|(node, service)| node.deciding(&service.id));
        deciding.filter(|check| check.status == status).count()
    };
    let nodes: BTreeSet<&str> = instances().map(|(node, _)| node.name.as_str()).collect();
    json!({
        "Name": name,
        "Tags": tags,
        "Nodes": nodes,
        "InstanceCount": instances().count(),
        "ChecksPassing": checks(Status::Passing),
        "ChecksWarning": checks(Status::Warning),
        "ChecksCritical": checks(Status::Critical),
        "ExternalSources": null,
        "GatewayConfig": {},
    })
}
