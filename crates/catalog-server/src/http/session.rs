//! `/v1/session`: what holds locks.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Refusal, Reply, Request};
use crate::app::{App, OWN_CHECK};
use crate::duration;
use crate::fields::{Fields, Malformed};
use crate::random;
use crate::store::{Behavior, LOCK_DELAY, LockError, Session, SessionChecks, Topic};
use crate::view;

/// A lock delay below this, as a number, counts seconds; else nanoseconds.
const LEAST_NANOS: u64 = 1000;
const LONGEST_TTL: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) async fn answer(
    app: &Rc<App>,
    request: &mut Request,
    endpoint: &str,
    name: &str,
) -> Result<Reply, Refusal> {
    match endpoint {
        "create" | "destroy" | "renew" => request.allow("PUT")?,
        "info" | "node" | "list" => request.allow("GET")?,
        _ => return Err(Refusal::unknown()),
    };
    let missing = match endpoint {
        "node" => "Missing node name",
        "destroy" | "renew" | "info" => "Missing session",
        _ => "",
    };
    if name.is_empty() && !missing.is_empty() {
        return Err(Refusal::bad(missing));
    }
    request.own_datacenter(app)?;
    if missing == "Missing session" && name.len() != 36 {
        return Err(LockError::NoUuid.into());
    }
    let name = name.to_owned();
    match endpoint {
        "create" => create(app, request).await,
        "destroy" => {
            app.store.borrow_mut().end_session(&name, Instant::now());
            Ok(Reply::json(true))
        }
        "renew" => match app.store.borrow_mut().renew_session(&name, Instant::now()) {
            Some(session) => Ok(Reply::json(json!([view::session(session)]))),
            None => Err(Refusal::new(404, format!("Session id '{name}' not found"))),
        },
        "info" => {
            request
                .query(app, Topic::Session(name.clone()), |store| {
                    Reply::json(
                        store.session(&name).map(view::session).into_iter().collect::<Vec<_>>(),
                    )
                })
                .await
        }
        "node" => {
            request
                .query(app, Topic::NodeSessions(name.clone()), |store| {
                    let own = store.sessions().filter(|session| session.node == name);
                    Reply::json(own.map(view::session).collect::<Vec<_>>())
                })
                .await
        }
        _ => {
            request
                .query(app, Topic::Sessions, |store| {
                    Reply::json(store.sessions().map(view::session).collect::<Vec<_>>())
                })
                .await
        }
    }
}

async fn create(app: &Rc<App>, request: &mut Request) -> Result<Reply, Refusal> {
    let body = request.body().await?;
    let mut session = match body.is_empty() {
        true => Fields::from(serde_json::Map::new()),
        false => Fields::parse(&body)?,
    };
    let session = read(app, &mut session)?;
    let id = session.id.clone();
    let added = app.store.borrow_mut().add_session(session, Instant::now());
    added.map_err(|error| Refusal::new(500, error.to_string()))?;
    Ok(Reply::json(json!({ "ID": id })))
}

fn read(app: &App, fields: &mut Fields) -> Result<Session, Refusal> {
    let lock_delay = match fields.value("LockDelay") {
        None => LOCK_DELAY,
        Some(Value::String(text)) => duration::parse(&text)
            .ok_or_else(|| Malformed(format!("time: invalid duration {text:?}")))?,
        Some(number) => match number.as_u64() {
            Some(seconds @ ..LEAST_NANOS) => Duration::from_secs(seconds),
            Some(nanos) => Duration::from_nanos(nanos),
            None => return Err(Malformed(format!("unknown type {number} of LockDelay")).into()),
        },
    };
    let behavior = match fields.text("Behavior")?.as_str() {
        "" | "release" => Behavior::Release,
        "delete" => Behavior::Delete,
        other => return Err(Refusal::internal(&format!("Invalid Behavior setting '{other}'"))),
    };
    let ttl = fields.text("TTL")?;
    let lifetime = lifetime(app, &ttl)?;
    let node = fields.text("Node")?;
    let any = fields.has("Checks").then(|| fields.texts("Checks")).transpose()?;
    let own = fields.has("NodeChecks").then(|| fields.texts("NodeChecks")).transpose()?;
    let mut service = Vec::new();
    for mut check in fields.objects("ServiceChecks")? {
        service.push(check.text("ID")?);
    }
    // Who names no check wants the node's; who names none in an empty list wants none.
    let emptied = any.as_ref().is_some_and(Vec::is_empty);
    let default = || if emptied { Vec::new() } else { vec![OWN_CHECK.to_owned()] };
    Ok(Session {
        id: random::uuid(),
        name: fields.text("Name")?,
        node: if node.is_empty() { app.node.clone() } else { node },
        lock_delay,
        behavior,
        ttl,
        lifetime,
        checks: SessionChecks {
            node: own.unwrap_or_else(default),
            service,
            any: any.unwrap_or_default(),
        },
        create: 0,
    })
}

fn lifetime(app: &App, ttl: &str) -> Result<Duration, Refusal> {
    if ttl.is_empty() {
        return Ok(Duration::ZERO);
    }
    let lifetime = duration::parse(ttl).ok_or_else(|| {
        Refusal::internal(&format!("Session TTL '{ttl}' invalid: time: invalid duration {ttl:?}"))
    })?;
    let shortest = app.options.min_session_ttl;
    if lifetime.is_zero() || (shortest..=LONGEST_TTL).contains(&lifetime) {
        return Ok(lifetime);
    }
    Err(Refusal::internal(&format!(
        "Invalid Session TTL '{}', must be between [{}=24h0m0s]",
        lifetime.as_nanos(),
        duration::show(shortest)
    )))
}
