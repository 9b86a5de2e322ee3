//! `/v1/kv`: keys and values.

use std::rc::Rc;

use hyper::Method;
use serde_json::json;
use tokio::time::Instant;

use super::{Refusal, Reply, Request};
use crate::app::App;
use crate::store::{Store, Topic};
use crate::view;

pub(crate) async fn answer(
    app: &Rc<App>,
    request: &mut Request,
    key: &str,
) -> Result<Reply, Refusal> {
    let method = request.allow("GET,PUT,DELETE")?.clone();
    let many = request.has("recurse") || (method == Method::GET && request.has("keys"));
    if key.is_empty() && !many {
        return Err(Refusal::bad("Missing key name"));
    }
    request.own_datacenter(app)?;
    match method {
        Method::PUT => put(app, request, key).await,
        Method::DELETE => delete(app, request, key),
        _ => get(app, request, key).await,
    }
}

async fn get(app: &Rc<App>, request: &Request, key: &str) -> Result<Reply, Refusal> {
    let own = key.to_owned();
    if request.has("keys") {
        let separator = request.parameter("separator").unwrap_or_default();
        let show = |store: &Store| {
            let mut keys = Vec::new();
            for (found, _) in store.kv().below(key) {
                let keep = up_to(found, key.len(), separator);
                if keys.last() != Some(&keep) {
                    keys.push(keep);
                }
            }
            // The root is always there.
            let absent = keys.is_empty() && !key.is_empty();
            if absent { Reply::empty().status(404) } else { Reply::json(json!(keys)) }
        };
        request.query(app, Topic::Prefix(own), show).await
    } else if request.has("recurse") {
        let show = |store: &Store| {
            let pairs: Vec<_> = store.kv().below(key).map(|(k, p)| view::pair(k, p)).collect();
            if pairs.is_empty() { Reply::empty().status(404) } else { Reply::json(pairs) }
        };
        request.query(app, Topic::Prefix(own), show).await
    } else {
        let show = |store: &Store| match store.kv().get(key) {
            None => Reply::empty().status(404),
            // A value shown in a browser must not become a page of this server.
            Some(pair) if request.has("raw") => Reply::raw(pair.value.clone(), "text/plain")
                .header("content-security-policy", "sandbox")
                .header("x-content-type-options", "nosniff"),
            Some(pair) => Reply::json(json!([view::pair(key, pair)])),
        };
        request.query(app, Topic::Key(own), show).await
    }
}

/// The part of a key that a listing shows: to the first separator after the prefix.
fn up_to<'a>(key: &'a str, prefix: usize, separator: &str) -> &'a str {
    let found = key.get(prefix..).filter(|_| !separator.is_empty()).and_then(|r| r.find(separator));
    found.and_then(|at| key.get(..prefix + at + separator.len())).unwrap_or(key)
}

async fn put(app: &Rc<App>, request: &mut Request, key: &str) -> Result<Reply, Refusal> {
    request.one_of(&["cas", "acquire", "release"])?;
    let flags = request.number("flags")?.unwrap_or(0);
    let cas = request.number("cas")?;
    let value = request.body().await?;
    let session = |name| request.parameter(name);
    let done = app.store.borrow_mut().transaction(Instant::now(), |keys| {
        if let Some(index) = cas {
            return Ok(keys.set_unchanged(key, value, flags, index));
        }
        match (session("acquire"), session("release")) {
            (Some(session), _) => keys.lock(key, value, flags, session),
            (None, Some(session)) => keys.unlock(key, value, flags, session),
            (None, None) => {
                keys.set(key, value, flags);
                Ok(true)
            }
        }
    })?;
    Ok(Reply::json(done))
}

fn delete(app: &Rc<App>, request: &Request, key: &str) -> Result<Reply, Refusal> {
    request.one_of(&["recurse", "cas"])?;
    let cas = request.number("cas")?;
    let done = app.store.borrow_mut().transaction(Instant::now(), |keys| {
        match cas {
            Some(index) => return Ok::<_, Refusal>(keys.delete_unchanged(key, index)),
            None if request.has("recurse") => keys.delete_below(key),
            None => keys.delete(key),
        }
        Ok(true)
    })?;
    Ok(Reply::json(done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_ends_at_the_separator() {
        assert_eq!(up_to("a/b/c", 2, "/"), "a/b/");
        assert_eq!(up_to("a/b", 2, "/"), "a/b");
        assert_eq!(up_to("a/b", 0, ""), "a/b");
    }
}
