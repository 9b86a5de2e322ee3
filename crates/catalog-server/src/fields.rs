//! Reading the JSON that clients send, the way Consul's Go code does: names in any case and with
//! underscores, `null` as absent, unknown names refused.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::duration;

/// What is wrong with a body; the text is what the client reads.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Request decode failed: {0}")]
pub(crate) struct Malformed(pub(crate) String);

/// An object's fields; each is taken out, and what is left in the end is unknown.
#[derive(Debug)]
pub(crate) struct Fields {
    /// By the name in lower case without underscores; with the name as sent.
    left: BTreeMap<String, (String, Value)>,
}

impl Fields {
    /// A body as an object.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        Self::of(Self::json(body)?, "")
    }

    /// A body as JSON of any kind.
    pub(crate) fn json(body: &[u8]) -> Result<Value, Malformed> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Malformed("EOF".into()));
        }
        serde_json::from_slice(body).map_err(|error| {
            Malformed(if error.is_eof() { "unexpected EOF".into() } else { error.to_string() })
        })
    }

    /// A value as an object; `name` is its field, for the error.
    pub(crate) fn of(value: Value, name: &str) -> Result<Self, Malformed> {
        match value {
            Value::Object(map) => Ok(Self::from(map)),
            other => Err(mismatch(&other, name, "object")),
        }
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, Malformed> {
        match self.take(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(mismatch(&other, name, "string")),
        }
    }

    /// Takes a whole number.
    pub(crate) fn int(&mut self, name: &str) -> Result<Option<i64>, Malformed> {
        self.take(name)
            .map(|value| value.as_i64().ok_or_else(|| mismatch(&value, name, "int")))
            .transpose()
    }

    /// Takes a number without a sign; absent is 0.
    pub(crate) fn number(&mut self, name: &str) -> Result<u64, Malformed> {
        self.take(name)
            .map_or(Ok(0), |value| value.as_u64().ok_or_else(|| mismatch(&value, name, "uint64")))
    }

    /// Takes a truth value.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Malformed> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(mismatch(&other, name, "bool")),
        }
    }

    /// Takes a duration: a Go duration, or a number of nanoseconds. Absent is zero.
    pub(crate) fn duration(&mut self, name: &str) -> Result<Duration, Malformed> {
        match self.take(name) {
            None => Ok(Duration::ZERO),
            Some(Value::String(text)) if text.is_empty() => Ok(Duration::ZERO),
            Some(Value::String(text)) => duration::parse(&text)
                .ok_or_else(|| Malformed(format!("time: invalid duration {text:?}"))),
            Some(other) => other
                .as_u64()
                .map(Duration::from_nanos)
                .ok_or_else(|| mismatch(&other, name, "duration")),
        }
    }

    /// Takes a list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, Malformed> {
        self.list(name)?
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                other => Err(mismatch(&other, name, "string")),
            })
            .collect()
    }

    /// Takes texts by name.
    pub(crate) fn text_map(&mut self, name: &str) -> Result<BTreeMap<String, String>, Malformed> {
        self.map(name)?
            .into_iter()
            .map(|(key, value)| match value {
                Value::String(text) => Ok((key, text)),
                other => Err(mismatch(&other, name, "string")),
            })
            .collect()
    }

    /// Takes an object as it is.
    pub(crate) fn map(&mut self, name: &str) -> Result<Map<String, Value>, Malformed> {
        match self.take(name) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(other) => Err(mismatch(&other, name, "object")),
        }
    }

    /// Takes an object with fields.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Malformed> {
        self.take(name).map(|value| Self::of(value, name)).transpose()
    }

    /// Takes a list of objects with fields.
    pub(crate) fn objects(&mut self, name: &str) -> Result<Vec<Self>, Malformed> {
        self.list(name)?.into_iter().map(|item| Self::of(item, name)).collect()
    }

    /// Takes a value as it is; `null` is none.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.take(name)
    }

    /// Whether there is a field of that name that is not `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.get(&plain(name)).is_some_and(|(_, value)| !value.is_null())
    }

    /// Takes what is accepted and has no effect here.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.take(name);
        }
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// What was not taken yet, in JSON, as it was sent.
    pub(crate) fn source(&self) -> String {
        let left = self.left.values().cloned();
        Value::Object(left.collect()).to_string()
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        match self.left.into_values().next() {
            None => Ok(()),
            Some((name, _)) => Err(Malformed(format!("json: unknown field {name:?}"))),
        }
    }

    /// What JSON calls a value's kind.
    pub(crate) fn kind(value: &Value) -> &'static str {
        match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
    }

    fn list(&mut self, name: &str) -> Result<Vec<Value>, Malformed> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(mismatch(&other, name, "array")),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let (_, value) = self.left.remove(&plain(name))?;
        (!value.is_null()).then_some(value)
    }
}

impl From<Map<String, Value>> for Fields {
    fn from(map: Map<String, Value>) -> Self {
        Self { left: map.into_iter().map(|(name, value)| (plain(&name), (name, value))).collect() }
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

fn mismatch(value: &Value, name: &str, wanted: &str) -> Malformed {
    let kind = Fields::kind(value);
    Malformed(format!(
        "json: cannot unmarshal {kind} into Go struct field .{name} of type {wanted}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T, Malformed>) -> String {
        result.expect_err("malformed").to_string()
    }

    #[test]
    fn names_in_any_spelling() {
        let body = br#"{"enable_tag_override": true, "NAME": "n", "Port": null, "Ttl": "1m"}"#;
        let mut fields = Fields::parse(body).unwrap();
        assert_eq!(fields.flag("EnableTagOverride"), Ok(true));
        assert_eq!(fields.text("Name").as_deref(), Ok("n"));
        assert_eq!(fields.int("Port"), Ok(None));
        assert_eq!(fields.duration("TTL"), Ok(Duration::from_secs(60)));
        assert_eq!(fields.finish(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(message(Fields::parse(b" ")), "Request decode failed: EOF");
        assert_eq!(message(Fields::parse(b"{")), "Request decode failed: unexpected EOF");
        assert!(message(Fields::parse(b"{]")).contains("line 1 column 2"));
        assert!(message(Fields::parse(b"[]")).contains("array"));
        let mut fields = Fields::parse(br#"{"Port": "80", "Foo": 1, "TTL": "zz"}"#).unwrap();
        assert_eq!(
            message(fields.int("Port")),
            "Request decode failed: json: cannot unmarshal string into Go struct field .Port of type int"
        );
        assert!(message(fields.duration("TTL")).ends_with(r#"time: invalid duration "zz""#));
        assert!(message(fields.finish()).ends_with(r#"json: unknown field "Foo""#));
    }
}
