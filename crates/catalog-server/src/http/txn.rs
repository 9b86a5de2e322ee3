//! `/v1/txn`: several changes of keys, all or none.

use std::rc::Rc;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Refusal, Reply, Request};
use crate::app::App;
use crate::base64;
use crate::fields::{Fields, Malformed};
use crate::store::{Pair, Transaction};
use crate::view;

/// As many as Consul allows.
const LONGEST: usize = 64;

/// One operation on a key.
#[derive(Debug)]
struct Operation {
    verb: String,
    key: String,
    value: Vec<u8>,
    flags: u64,
    index: u64,
    session: String,
}

/// What an operation shows: keys, with their values or without.
type Shown = Vec<Value>;

pub(crate) async fn answer(app: &Rc<App>, request: &mut Request) -> Result<Reply, Refusal> {
    request.allow("PUT")?;
    request.own_datacenter(app)?;
    let operations = read(&request.body().await?)?;
    if operations.len() > LONGEST {
        let text =
            format!("Transaction contains too many operations ({} > {LONGEST})", operations.len());
        return Err(Refusal::new(413, text));
    }
    let writes = operations.iter().any(Operation::writes);
    let done = app.store.borrow_mut().transaction(Instant::now(), |keys| {
        refused(&operations, keys)?;
        let mut shown = Vec::new();
        let mut errors = Vec::new();
        for (at, operation) in operations.into_iter().enumerate() {
            match operation.perform(keys) {
                Ok(pairs) => shown.extend(pairs),
                Err(what) => errors.push(failure(at, &what)),
            }
        }
        if errors.is_empty() { Ok(shown) } else { Err(errors) }
    });
    let (status, mut value) = match done {
        Ok(shown) => (200, json!({ "Results": shown, "Errors": null })),
        Err(errors) => (409, json!({ "Results": null, "Errors": errors })),
    };
    if writes {
        return Ok(Reply::json(value).status(status));
    }
    // What only reads is answered like a query, in the body as well.
    if let Value::Object(map) = &mut value {
        map.insert("Index".into(), 0.into());
        map.insert("LastContact".into(), 0.into());
        map.insert("KnownLeader".into(), true.into());
        map.insert("ConsistencyLevel".into(), "".into());
    }
    Ok(Reply::json(value)
        .status(status)
        .header("x-consul-knownleader", "true")
        .header("x-consul-lastcontact", "0"))
}

fn read(body: &[u8]) -> Result<Vec<Operation>, Refusal> {
    let malformed = |Malformed(text)| Refusal::new(400, format!("Failed to parse body: {text}"));
    let value = Fields::json(body).map_err(malformed)?;
    let Value::Array(items) = value else {
        let kind = Fields::kind(&value);
        let text = format!("json: cannot unmarshal {kind} into Go value of type api.TxnOps");
        return Err(malformed(Malformed(text)));
    };
    let mut operations = Vec::new();
    for item in items {
        let mut item = Fields::of(item, "TxnOp").map_err(malformed)?;
        if ["Node", "Service", "Check"].iter().any(|kind| item.has(kind)) {
            let text = "the development catalog's transactions change keys only (KV)";
            return Err(Refusal::bad(text));
        }
        if let Some(fields) = item.object("KV").map_err(malformed)? {
            operations.push(Operation::read(fields).map_err(malformed)?);
        }
        item.finish().map_err(malformed)?;
    }
    Ok(operations)
}

/// What is refused before anything is tried.
fn refused(operations: &[Operation], keys: &Transaction<'_>) -> Result<(), Vec<Value>> {
    let mut errors = Vec::new();
    for (at, operation) in operations.iter().enumerate() {
        if operation.key.is_empty() && operation.verb != "delete-tree" {
            errors.push(failure(at, "Must provide key"));
        } else if operation.verb == "lock" && keys.delayed(&operation.key) {
            let text = format!("failed to lock key {:?} due to lock delay", operation.key);
            errors.push(failure(at, &text));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn failure(at: usize, what: &str) -> Value {
    json!({ "OpIndex": at, "What": what })
}

impl Operation {
    fn read(mut fields: Fields) -> Result<Self, Malformed> {
        let value = base64::decode(&fields.text("Value")?);
        let operation = Self {
            verb: fields.text("Verb")?,
            key: fields.text("Key")?,
            value: value.map_err(|error| Malformed(error.to_string()))?,
            flags: fields.number("Flags")?,
            index: fields.number("Index")?,
            session: fields.text("Session")?,
        };
        fields.ignore(&["Namespace"]);
        fields.finish()?;
        Ok(operation)
    }

    fn writes(&self) -> bool {
        ["set", "cas", "lock", "unlock", "delete", "delete-cas", "delete-tree"]
            .contains(&self.verb.as_str())
    }

    /// Performs it; the errors' texts are Consul's.
    fn perform(self, keys: &mut Transaction<'_>) -> Result<Shown, String> {
        let Self { verb, key, value, flags, index, session } = self;
        let wrong = |text: &str| Err(text.replace("KEY", &format!("{key:?}")));
        match verb.as_str() {
            "set" => keys.set(&key, value, flags),
            "cas" => {
                if !keys.set_unchanged(&key, value, flags, index) {
                    return wrong("failed to set key KEY, index is stale");
                }
            }
            "lock" => match keys.lock(&key, value, flags, &session) {
                Ok(true) => {}
                Ok(false) => return wrong("failed to lock key KEY, lock is already held"),
                Err(error) => return Err(error.to_string()),
            },
            "unlock" => match keys.unlock(&key, value, flags, &session) {
                Ok(true) => {}
                Ok(false) => {
                    let text =
                        "failed to unlock key KEY, lock isn't held, or is held by another session";
                    return wrong(text);
                }
                Err(error) => return Err(error.to_string()),
            },
            "delete" | "delete-tree" | "delete-cas" => {
                match verb.as_str() {
                    "delete" => keys.delete(&key),
                    "delete-tree" => keys.delete_below(&key),
                    _ if keys.delete_unchanged(&key, index) => {}
                    _ => return wrong("failed to delete key KEY, index is stale"),
                }
                return Ok(Vec::new());
            }
            "get-tree" => {
                return Ok(keys.keys().below(&key).map(|(key, pair)| full(key, pair)).collect());
            }
            "check-not-exists" => {
                let there = keys.keys().get(&key).is_some();
                return if there { wrong("key KEY exists") } else { Ok(Vec::new()) };
            }
            "get" | "check-index" | "check-session" => {}
            _ => return Err(format!("unknown KV verb {verb:?}")),
        }
        let Some(pair) = keys.keys().get(&key) else {
            return match verb.as_str() {
                "check-index" => wrong("failed to check index, key KEY doesn't exist"),
                "check-session" => wrong("failed to check session, key KEY doesn't exist"),
                _ => wrong("key KEY doesn't exist"),
            };
        };
        let holder = pair.session.as_deref().unwrap_or_default();
        match verb.as_str() {
            "get" => Ok(vec![full(&key, pair)]),
            "check-index" if pair.modify != index => wrong(&format!(
                "failed index check for key KEY, current modify index {} != {index}",
                pair.modify
            )),
            "check-session" if holder != session => wrong(&format!(
                "failed session check for key KEY, current session {holder:?} != {session:?}"
            )),
            _ => Ok(vec![full(&key, &Pair { value: Vec::new(), ..pair.clone() })]),
        }
    }
}

fn full(key: &str, pair: &Pair) -> Value {
    json!({ "KV": view::pair(key, pair) })
}
