//! `/v1/status`: who leads. It is always this one.

use serde_json::json;

use super::{Refusal, Reply, Request};
use crate::app::App;

pub(crate) fn answer(app: &App, request: &Request, endpoint: &str) -> Result<Reply, Refusal> {
    match endpoint {
        "leader" => {
            request.allow("GET")?;
            Ok(Reply::json(app.address.as_str()))
        }
        "peers" => {
            request.allow("GET")?;
            Ok(Reply::json(json!([app.address])))
        }
        _ => Err(Refusal::unknown()),
    }
}
