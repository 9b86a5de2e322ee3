//! Transactions: if all conditions hold do this, else that.

use catalog::{Error, base64};
use serde_json::Value;
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::wire::{self, Span, revision};

/// Conditions and requests, as fields of JSON.
#[derive(Default)]
pub(crate) struct Txn {
    conditions: Vec<String>,
    then: Vec<String>,
    otherwise: Vec<String>,
}

/// What came of it.
pub(crate) enum Outcome {
    /// The conditions held and it was done, at this revision.
    Done(i64),
    /// They did not: the answers to the requests for that case.
    Otherwise(Vec<Value>),
}

impl Txn {
    /// A key that is not there.
    pub(crate) fn if_absent(self, key: &str) -> Txn {
        self.condition("CREATE", key, "create_revision", 0)
    }

    /// A key that was last written at this revision.
    pub(crate) fn if_unmoved(self, key: &str, revision: i64) -> Txn {
        self.condition("MOD", key, "mod_revision", revision)
    }

    /// A key under this lease.
    pub(crate) fn if_under(self, key: &str, lease: i64) -> Txn {
        self.condition("LEASE", key, "lease", lease)
    }

    fn condition(mut self, target: &str, key: &str, field: &str, is: i64) -> Txn {
        let key = base64::encode(key.as_bytes());
        self.conditions.push(format!(r#"{{"target":"{target}","key":"{key}","{field}":"{is}"}}"#));
        self
    }

    pub(crate) fn put(mut self, key: &str, value: &[u8], lease: i64) -> Txn {
        let fields = wire::put(key, value, lease);
        self.then.push(format!(r#"{{"request_put":{{{fields}}}}}"#));
        self
    }

    pub(crate) fn delete(mut self, key: &str) -> Txn {
        let fields = Span::one(key).fields();
        self.then.push(format!(r#"{{"request_delete_range":{{{fields}}}}}"#));
        self
    }

    pub(crate) fn otherwise_read(mut self, key: &str) -> Txn {
        let fields = Span::one(key).fields();
        self.otherwise.push(format!(r#"{{"request_range":{{{fields}}}}}"#));
        self
    }

    pub(crate) async fn send(self, gateway: &Gateway, until: Instant) -> Result<Outcome, Error> {
        let body = format!(
            r#"{{"compare":[{}],"success":[{}],"failure":[{}]}}"#,
            self.conditions.join(","),
            self.then.join(","),
            self.otherwise.join(",")
        );
        let mut answer = gateway.call("/v3/kv/txn", body, until).await?;
        if answer.get("succeeded").and_then(Value::as_bool) == Some(true) {
            return Ok(Outcome::Done(revision(&answer)));
        }
        let answers = answer.get_mut("responses").and_then(Value::as_array_mut);
        Ok(Outcome::Otherwise(answers.map(std::mem::take).unwrap_or_default()))
    }
}
