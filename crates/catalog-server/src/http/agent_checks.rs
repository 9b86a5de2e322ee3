//! `/v1/agent/check`: registering checks, and clients' words about them.

use std::rc::Rc;

use super::{Refusal, Reply, Request};
use crate::app::App;
use crate::definition::{self, CheckDefinition};
use crate::store::Status;

pub(crate) async fn answer(
    app: &Rc<App>,
    request: &mut Request,
    path: &str,
) -> Result<Reply, Refusal> {
    let (verb, id) = path.split_once('/').unwrap_or((path, ""));
    if !["register", "deregister", "pass", "warn", "fail", "update"].contains(&verb) {
        return Err(Refusal::unknown());
    }
    request.allow("PUT")?;
    if verb == "register" {
        let check = CheckDefinition::parse(&request.body().await?, app.options.script_checks)?;
        let service = &check.service_id;
        let known = app.with_node(|node| service.is_empty() || node.services.contains_key(service));
        if known != Some(true) {
            return Err(Refusal::new(500, format!("ServiceID {service:?} does not exist")));
        }
        app.start_check(check);
        return Ok(Reply::empty());
    }
    if id.is_empty() {
        return Err(Refusal::internal("CheckID missing"));
    }
    let note = || request.parameter("note").unwrap_or_default().to_owned();
    match verb {
        "deregister" => {
            app.stop_check(id);
        }
        "pass" => app.heartbeat(id, Status::Passing, note())?,
        "warn" => app.heartbeat(id, Status::Warning, note())?,
        "fail" => app.heartbeat(id, Status::Critical, note())?,
        _ => {
            let (status, output) = definition::update(&request.body().await?)?;
            app.heartbeat(id, status, output)?;
        }
    }
    Ok(Reply::empty())
}
