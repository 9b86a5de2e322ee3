//! `/v1/agent`: this agent, its services, and their maintenance.

use std::rc::Rc;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::health::truth;
use super::{Refusal, Reply, Request, agent_checks};
use crate::app::{App, OWN_CHECK, OWN_SERVICE};
use crate::definition::ServiceDefinition;
use crate::state;
use crate::store::{Check, Node, Service, Status};
use crate::view;

/// The version of Consul that this speaks like; some clients look.
const SPEAKS: &str = "1.8.7";

pub(crate) async fn answer(
    app: &Rc<App>,
    request: &mut Request,
    endpoint: &str,
    name: &str,
) -> Result<Reply, Refusal> {
    match endpoint {
        "self" | "members" | "services" | "checks" => {
            request.allow("GET")?;
            Ok(Reply::json(match endpoint {
                "self" => about(app),
                "members" => json!([member(app)]),
                "services" => services(app),
                _ => checks(app),
            }))
        }
        "service" => {
            let (verb, id) = name.split_once('/').unwrap_or((name, ""));
            match verb {
                "register" => register(app, request).await,
                "deregister" => {
                    request.allow("PUT")?;
                    if id.is_empty() {
                        return Err(Refusal::internal("ServiceID missing"));
                    }
                    app.stop_service(id);
                    Ok(Reply::empty())
                }
                "maintenance" => service_maintenance(app, request, id),
                _ => one_service(app, request, name),
            }
        }
        "maintenance" => {
            request.allow("PUT")?;
            maintain(app, request, "_node_maintenance", "Node", "")
        }
        "health" => {
            request.allow("GET")?;
            health(app, request, name)
        }
        "check" => agent_checks::answer(app, request, name).await,
        "reload" => {
            request.allow("PUT")?;
            Ok(Reply::empty())
        }
        _ => Err(Refusal::unknown()),
    }
}

fn about(app: &App) -> Value {
    let id = app.with_node(|node| node.id.clone());
    json!({
        "Config": {
            "Datacenter": app.options.datacenter,
            "NodeName": app.node,
            "NodeID": id,
            "Revision": "",
            "Server": true,
            "Version": SPEAKS,
        },
        "DebugConfig": {
            "Blocked": app.blocked(),
            // Consul's limit is for each address, ours for all together.
            "HTTPMaxConnsPerClient": app.options.max_connections.min(app.options.max_blocked),
            "State": state::figures(app),
        },
        "Coord": null,
        "Member": member(app),
        "Stats": { "agent": { "checks": app.checks.borrow().len().to_string() } },
        "Meta": {},
    })
}

fn member(app: &App) -> Value {
    let (host, port) = app.address.rsplit_once(':').unwrap_or((&app.address, "0"));
    let tags = json!({ "dc": app.options.datacenter, "role": "consul", "port": port,
        "build": format!("{SPEAKS}:"), "segment": "" });
    json!({
        "Name": app.node, "Addr": host, "Port": port.parse::<u16>().unwrap_or(0), "Tags": tags,
        "Status": 1, "ProtocolMin": 1, "ProtocolMax": 5, "ProtocolCur": 2,
        "DelegateMin": 2, "DelegateMax": 5, "DelegateCur": 4,
    })
}

/// Whether the agent shows a service: its own entry is the catalog's alone.
fn shown(service: &&Service) -> bool {
    service.id != OWN_SERVICE
}

fn services(app: &App) -> Value {
    let shown = app.with_node(|node| {
        let services = node.services.values().filter(shown);
        services.map(|s| (s.id.clone(), view::agent_service(s))).collect::<Map<_, _>>()
    });
    shown.unwrap_or_default().into()
}

fn checks(app: &App) -> Value {
    let shown = app.with_node(|node| {
        let checks = node.checks.values().filter(|check| check.id != OWN_CHECK);
        checks.map(|c| (c.id.clone(), view::agent_check(node, c))).collect::<Map<_, _>>()
    });
    shown.unwrap_or_default().into()
}

fn one_service(app: &App, request: &Request, id: &str) -> Result<Reply, Refusal> {
    request.allow("GET")?;
    let found = app.with_node(|node| {
        node.services
            .get(id)
            .filter(shown)
            .map(|service| (service.modify, view::agent_service(service)))
    });
    let Some((modify, mut value)) = found.flatten() else {
        return Err(Refusal::new(404, format!("unknown service ID: {id}")));
    };
    let hash = format!("{modify:016x}");
    if let Value::Object(map) = &mut value {
        map.insert("ContentHash".into(), hash.clone().into());
    }
    Ok(Reply::json(value).header("x-consul-contenthash", hash))
}

async fn register(app: &Rc<App>, request: &mut Request) -> Result<Reply, Refusal> {
    request.allow("PUT")?;
    let definition = ServiceDefinition::parse(&request.body().await?, app.options.script_checks)?;
    let id = definition.service.id.clone();
    if request.has("replace-existing-checks") {
        let kept: Vec<&str> = definition.checks.iter().map(|check| check.id.as_str()).collect();
        let own = |node: &Node| node.checks_of(&id).map(|c| c.id.clone()).collect::<Vec<_>>();
        for check in app.with_node(own).unwrap_or_default() {
            if !kept.contains(&check.as_str()) {
                app.stop_check(&check);
            }
        }
    }
    app.store.borrow_mut().set_service(&app.node, definition.service);
    for check in definition.checks {
        app.start_check(check);
    }
    Ok(Reply::empty())
}

fn service_maintenance(app: &Rc<App>, request: &Request, id: &str) -> Result<Reply, Refusal> {
    request.allow("PUT")?;
    if id.is_empty() {
        return Err(Refusal::bad("Missing service ID"));
    }
    maintain(app, request, &format!("_service_maintenance:{id}"), "Service", id)
}

/// Adds or removes the critical check that stands for maintenance.
fn maintain(
    app: &Rc<App>,
    request: &Request,
    check: &str,
    what: &str,
    service: &str,
) -> Result<Reply, Refusal> {
    let enable = request.parameter("enable").filter(|text| !text.is_empty());
    let enable = enable.ok_or_else(|| Refusal::bad("Missing value for enable"))?;
    let enable = truth(enable)
        .ok_or_else(|| Refusal::bad(&format!("Invalid value for enable: {enable:?}")))?;
    let known = app.with_node(|node| service.is_empty() || node.services.contains_key(service));
    if known != Some(true) {
        let text = format!("No service registered with ID {service:?}");
        return Err(Refusal::new(404, text));
    }
    if !enable {
        app.stop_check(check);
        return Ok(Reply::empty());
    }
    let notes = match request.parameter("reason").unwrap_or_default() {
        "" => format!(
            "Maintenance mode is enabled for this {}, but no reason was provided. This is a default message.",
            what.to_lowercase()
        ),
        reason => reason.to_owned(),
    };
    let check = Check {
        id: check.to_owned(),
        name: format!("{what} Maintenance Mode"),
        status: Status::Critical,
        notes,
        output: String::new(),
        service_id: service.to_owned(),
        kind: "maintenance",
        definition: serde_json::Map::new(),
        create: 0,
        modify: 0,
    };
    app.store.borrow_mut().set_check(&app.node, check, Instant::now());
    Ok(Reply::empty())
}

/// `health/service/name/NAME` and `health/service/id/ID`: the worst state as status code.
fn health(app: &App, request: &Request, path: &str) -> Result<Reply, Refusal> {
    let (by, name) = path
        .strip_prefix("service/")
        .and_then(|rest| rest.split_once('/'))
        .filter(|(by, _)| ["name", "id"].contains(by))
        .ok_or_else(Refusal::unknown)?;
    if name.is_empty() {
        return Err(Refusal::bad(&format!(
            "Missing service {}",
            if by == "id" { "id" } else { "name" }
        )));
    }
    let found = app.with_node(|node| {
        let wanted = |service: &&Service| match by {
            "id" => service.id == name,
            _ => service.name == name,
        };
        let services = node.services.values().filter(shown).filter(wanted);
        services.map(|service| aggregate(node, service)).collect::<Vec<_>>()
    });
    let found = found.unwrap_or_default();
    let order = ["passing", "warning", "critical", "maintenance"];
    let worst =
        found.iter().map(|(status, _)| *status).max_by_key(|s| order.iter().position(|o| o == s));
    let (code, reason) = match worst {
        Some("passing") => (200, "passing".to_owned()),
        Some("warning") => (429, "warning".to_owned()),
        Some(other) => (503, other.to_owned()),
        None if by == "id" => (404, format!("ServiceId {name} not found")),
        None => (404, format!("ServiceName {name} Not Found")),
    };
    let reply = if request.parameter("format") == Some("text") {
        match worst {
            Some(status) => Reply::raw(status, "text/plain"),
            None => Reply::json(reason.as_str()),
        }
    } else if by == "name" {
        Reply::json(found.into_iter().map(|(_, value)| value).collect::<Vec<_>>())
    } else {
        let none = || json!({ "AggregatedStatus": "critical", "Service": null, "Checks": null });
        Reply::json(found.into_iter().next().map_or_else(none, |(_, value)| value))
    };
    Ok(reply.status(code).header("x-consul-reason", reason))
}

fn aggregate(node: &Node, service: &Service) -> (&'static str, Value) {
    let deciding = || node.deciding(&service.id).filter(|check| check.id != OWN_CHECK);
    let worst = deciding().map(|check| check.status).max().unwrap_or(Status::Passing);
    let maintained = deciding().any(|check| check.kind == "maintenance");
    let status = if maintained { "maintenance" } else { worst.as_str() };
    let mut checks: Vec<_> = deciding().map(|check| view::agent_check(node, check)).collect();
    for check in &mut checks {
        // Here, and only here, Consul keeps the kind of a check to itself.
        check["Type"] = "".into();
    }
    let value = json!({ "AggregatedStatus": status, "Service": view::agent_service(service),
        "Checks": checks });
    (status, value)
}
