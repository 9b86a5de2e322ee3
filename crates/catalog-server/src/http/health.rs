//! `/v1/health`: services with the checks that decide about them.

use std::rc::Rc;

use serde_json::json;

use super::catalog::matches;
use super::{Refusal, Reply, Request};
use crate::app::App;
use crate::store::{Check, Node, Status, Topic};
use crate::view;

pub(crate) async fn answer(
    app: &Rc<App>,
    request: &Request,
    endpoint: &str,
    name: &str,
) -> Result<Reply, Refusal> {
    let missing = match endpoint {
        "service" | "checks" | "connect" => "Missing service name",
        "node" => "Missing node name",
        "state" => "Missing check state",
        _ => return Err(Refusal::unknown()),
    };
    request.allow("GET")?;
    if name.is_empty() {
        return Err(Refusal::bad(missing));
    }
    let name = name.to_owned();
    match endpoint {
        "service" => {
            let passing = passing(request)?;
            request
                .query(app, Topic::Health(name.clone()), |store| {
                    let dc = &app.options.datacenter;
                    let all = store
                        .instances(&name)
                        .filter(|(node, service)| matches(request, node, service))
                        .filter(|(node, service)| {
                            !passing || node.deciding(&service.id).all(is_passing)
                        });
                    Reply::json(all.map(|(n, s)| view::health(n, s, dc)).collect::<Vec<_>>())
                })
                .await
        }
        "connect" => request.query(app, Topic::Health(name), |_| Reply::json(json!([]))).await,
        "checks" => {
            request
                .query(app, Topic::ServiceChecks(name.clone()), |store| {
                    let checks = store.instances(&name).flat_map(|(node, service)| {
                        node.checks_of(&service.id).map(move |check| view::check(node, check))
                    });
                    Reply::json(checks.collect::<Vec<_>>())
                })
                .await
        }
        "node" => {
            request
                .query(app, Topic::NodeChecks(name.clone()), |store| {
                    Reply::json(
                        store.node(&name).map(|node| checks(node, |_| true)).unwrap_or_default(),
                    )
                })
                .await
        }
        _ => {
            request
                .query(app, Topic::State(name.clone()), |store| {
                    let wanted = |check: &Check| name == "any" || check.status.as_str() == name;
                    Reply::json(store.nodes().flat_map(|n| checks(n, wanted)).collect::<Vec<_>>())
                })
                .await
        }
    }
}

fn is_passing(check: &Check) -> bool {
    check.status == Status::Passing
}

fn checks(node: &Node, wanted: impl Fn(&Check) -> bool) -> Vec<serde_json::Value> {
    node.checks.values().filter(|c| wanted(c)).map(|c| view::check(node, c)).collect()
}

/// `passing` alone means yes; with a value it is a truth value as Go reads it.
fn passing(request: &Request) -> Result<bool, Refusal> {
    match request.parameter("passing") {
        None => Ok(false),
        Some("") => Ok(true),
        Some(text) => truth(text).ok_or_else(|| Refusal::bad("Invalid value for ?passing")),
    }
}

/// A truth value as Go reads it.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
