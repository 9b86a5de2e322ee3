//! `/v1/event`: small messages that clients leave for each other.

use std::rc::Rc;

use regex_lite::Regex;

use super::{Refusal, Reply, Request};
use crate::app::{App, OWN_SERVICE};
use crate::random;
use crate::store::{Event, Node, Store, Topic};
use crate::view;

/// How long an event may be, in bytes of its name, payload and filters. Consul's limit is 512 with
/// what it adds.
const LONGEST: usize = 400;

pub(crate) async fn answer(
    app: &Rc<App>,
    request: &mut Request,
    endpoint: &str,
    name: &str,
) -> Result<Reply, Refusal> {
    match endpoint {
        "fire" => {
            request.allow("PUT")?;
            request.own_datacenter(app)?;
            fire(app, request, name).await
        }
        "list" => {
            request.allow("GET")?;
            request.own_datacenter(app)?;
            list(app, request).await
        }
        _ => Err(Refusal::unknown()),
    }
}

async fn fire(app: &Rc<App>, request: &mut Request, name: &str) -> Result<Reply, Refusal> {
    if name.is_empty() {
        return Err(Refusal::bad("Missing name"));
    }
    let filter = |name: &str| request.parameter(name).unwrap_or_default().to_owned();
    let (node, service, tag) = (filter("node"), filter("service"), filter("tag"));
    let payload = request.body().await?;
    let event =
        Event { id: random::uuid(), name: name.to_owned(), payload, node, service, tag, time: 0 };
    if event.service.is_empty() && !event.tag.is_empty() {
        return Err(Refusal::internal("Cannot provide tag filter without service filter"));
    }
    let filters = Filters {
        node: expression("node", &event.node)?,
        service: expression("service", &event.service)?,
        tag: expression("tag", &event.tag)?,
    };
    let texts = [&event.name, &event.node, &event.service, &event.tag];
    let length = event.payload.len() + texts.map(String::len).iter().sum::<usize>();
    if length > LONGEST {
        return Err(Refusal::internal(&format!(
            "user event exceeds limit of {LONGEST} bytes: {length} in its name, filters and payload"
        )));
    }
    let reply = Reply::json(view::event(&event));
    // Only those that are meant hear of it, and there is one agent.
    if app.with_node(|node| filters.matches(node)) == Some(true) {
        app.store.borrow_mut().add_event(event);
    }
    Ok(reply)
}

async fn list(app: &Rc<App>, request: &Request) -> Result<Reply, Refusal> {
    let name = request.parameter("name").unwrap_or_default();
    let (index, wait) = request.patience()?;
    let seen = |store: &Store| index > 0 && store.event_index(name) == index;
    app.wait_while(&Topic::Events, wait, &seen).await?;
    let store = app.store.borrow();
    let events: Vec<_> = store.events(name).map(view::event).collect();
    Ok(Reply::json(events).header("x-consul-index", store.event_index(name)))
}

/// Whom an event is meant for.
struct Filters {
    node: Option<Regex>,
    service: Option<Regex>,
    tag: Option<Regex>,
}

impl Filters {
    fn matches(&self, node: &Node) -> bool {
        let fits = |filter: &Option<Regex>, text: &str| {
            filter.as_ref().is_none_or(|filter| filter.is_match(text))
        };
        let serves = || {
            node.services.values().filter(|service| service.id != OWN_SERVICE).any(|service| {
                fits(&self.service, &service.name)
                    && (self.tag.is_none() || service.tags.iter().any(|tag| fits(&self.tag, tag)))
            })
        };
        fits(&self.node, &node.name) && (self.service.is_none() || serves())
    }
}

fn expression(what: &str, text: &str) -> Result<Option<Regex>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let expression = Regex::new(text);
    let invalid = |error| Refusal::internal(&format!("Invalid {what} filter: {error}"));
    expression.map(Some).map_err(invalid)
}
