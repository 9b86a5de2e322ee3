//! `/v1/kv`: keys and values.

use std::rc::Rc;

use hyper::Method;
use serde_json::json;

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
    let flags = request.number("flags")?.unwrap_or(0);
    let cas = request.number("cas")?;
    if request.has("acquire") || request.has("release") {
        return Err(Refusal::new(501, "the development catalog has no sessions yet"));
    }
    let value = request.body().await?;
    let mut store = app.store.borrow_mut();
    if cas.is_some_and(|index| !unchanged(&store, key, index)) {
        return Ok(Reply::json(false));
    }
    let (kv, index) = store.kv_mut();
    kv.set(index, key, value, flags);
    Ok(Reply::json(true))
}

fn delete(app: &Rc<App>, request: &Request, key: &str) -> Result<Reply, Refusal> {
    let cas = request.number("cas")?;
    let mut store = app.store.borrow_mut();
    if request.has("recurse") {
        let keys: Vec<String> = store.kv().below(key).map(|(key, _)| key.clone()).collect();
        let (kv, index) = store.kv_mut();
        for key in keys {
            kv.delete(index, &key);
        }
        return Ok(Reply::json(true));
    }
    // What is not there needs no deleting, whatever its index was expected to be.
    let there = store.kv().get(key).is_some();
    if there && cas.is_some_and(|index| !unchanged(&store, key, index)) {
        return Ok(Reply::json(false));
    }
    let (kv, index) = store.kv_mut();
    kv.delete(index, key);
    Ok(Reply::json(true))
}

/// Whether a key is as it was at an index; at 0 it was not there.
fn unchanged(store: &Store, key: &str, index: u64) -> bool {
    store.kv().get(key).map_or(0, |pair| pair.modify) == index
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
