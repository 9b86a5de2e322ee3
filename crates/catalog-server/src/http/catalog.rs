//! `/v1/catalog`: nodes and services.

use std::rc::Rc;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Refusal, Reply, Request};
use crate::app::App;
use crate::registration::{Deregistered, Deregistration, Registration};
use crate::store::{Node, Service, Topic};
use crate::view;

pub(crate) async fn answer(
    app: &Rc<App>,
    request: &mut Request,
    endpoint: &str,
    name: &str,
) -> Result<Reply, Refusal> {
    match endpoint {
        "register" => return register(app, request).await,
        "deregister" => return deregister(app, request).await,
        _ => {}
    }
    let request = &*request;
    let known = ["datacenters", "services", "service", "nodes", "node", "connect", "node-services"];
    if !known.contains(&endpoint) {
        return Err(Refusal::unknown());
    }
    request.allow("GET")?;
    let dc = app.options.datacenter.as_str();
    let missing = |what: &str| match name {
        "" => Err(Refusal::bad(&format!("Missing {what} name"))),
        name => Ok(name.to_owned()),
    };
    match endpoint {
        "datacenters" => Ok(Reply::json(json!([dc]))),
        "services" => {
            request
                .query(app, Topic::Services, |store| {
                    let names = store.service_names().filter(|(name, _)| {
                        store.instances(name).any(|(node, _)| meta_matches(request, node))
                    });
                    Reply::json(
                        names.map(|(n, tags)| (n.to_owned(), json!(tags))).collect::<Value>(),
                    )
                })
                .await
        }
        "service" => {
            let name = missing("service")?;
            request
                .query(app, Topic::Service(name.clone()), |store| {
                    let all = store.instances(&name).filter(|(n, s)| matches(request, n, s));
                    Reply::json(
                        all.map(|(n, s)| view::catalog_service(n, s, dc)).collect::<Vec<_>>(),
                    )
                })
                .await
        }
        "connect" => {
            let name = missing("service")?;
            request.query(app, Topic::Service(name), |_| Reply::json(json!([]))).await
        }
        "nodes" => {
            request
                .query(app, Topic::Nodes, |store| {
                    let nodes = store.nodes().filter(|node| meta_matches(request, node));
                    Reply::json(nodes.map(|node| view::node(node, dc)).collect::<Vec<_>>())
                })
                .await
        }
        _ => {
            let name = missing("node")?;
            request
                .query(app, Topic::Node(name.clone()), |store| {
                    let Some(node) = store.node(&name) else { return Reply::json(Value::Null) };
                    let mut value = view::node_services(node, dc);
                    if let ("node-services", Some(services)) = (endpoint, value.get_mut("Services"))
                    {
                        *services = node.services.values().map(view::service).collect();
                    }
                    Reply::json(value)
                })
                .await
        }
    }
}

async fn register(app: &Rc<App>, request: &mut Request) -> Result<Reply, Refusal> {
    request.allow("PUT")?;
    request.own_datacenter(app)?;
    let Registration { node, keep_node, service, checks } =
        Registration::parse(&request.body().await?, &app.options.datacenter)?;
    let mut store = app.store.borrow_mut();
    let name = node.name.clone();
    let known = store.node(&name);
    let added = service.as_ref().map(|service| service.id.as_str());
    let lost = checks.iter().find(|check| {
        let of = check.service_id.as_str();
        let there = known.is_some_and(|node| node.services.contains_key(of));
        !(of.is_empty() || there || added == Some(of))
    });
    if lost.is_some() {
        let text = format!("failed inserting check: Missing service registration on node {name:?}");
        return Err(Refusal::internal(&text));
    }
    // This agent knows its own node best.
    if known.is_none() || !(keep_node || name == app.node) {
        store.set_node(node);
    }
    if let Some(service) = service {
        store.set_service(&name, service);
    }
    for check in checks {
        store.set_check(&name, check, Instant::now());
    }
    Ok(Reply::json(true))
}

async fn deregister(app: &Rc<App>, request: &mut Request) -> Result<Reply, Refusal> {
    request.allow("PUT")?;
    request.own_datacenter(app)?;
    let Deregistration { node, what } =
        Deregistration::parse(&request.body().await?, &app.options.datacenter)?;
    // An agent would put itself back, and what is registered with it.
    if node == app.node {
        match what {
            Deregistered::Service(id) => app.stop_service(&id),
            Deregistered::Check(id) => app.stop_check(&id),
            Deregistered::Node => false,
        };
        return Ok(Reply::json(true));
    }
    let (mut store, now) = (app.store.borrow_mut(), Instant::now());
    match what {
        Deregistered::Service(id) => store.remove_service(&node, &id, now),
        Deregistered::Check(id) => store.remove_check(&node, &id, now),
        Deregistered::Node => store.remove_node(&node, now),
    };
    Ok(Reply::json(true))
}

/// Whether an instance has every tag that is asked for, and its node the meta.
pub(crate) fn matches(request: &Request, node: &Node, service: &Service) -> bool {
    // As in Consul, the case of a tag does not matter here.
    let has = |tag: &str| service.tags.iter().any(|own| own.eq_ignore_ascii_case(tag));
    request.parameters("tag").all(has) && meta_matches(request, node)
}

fn meta_matches(request: &Request, node: &Node) -> bool {
    request.parameters("node-meta").all(|pair| {
        let (name, value) = pair.split_once(':').unwrap_or((pair, ""));
        node.meta.get(name).is_some_and(|own| own == value)
    })
}
