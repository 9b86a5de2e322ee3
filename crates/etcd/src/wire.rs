//! The gateway's JSON: what we write, and how we read it.
//!
//! Numbers of 64 bits come as strings, keys and values as base64, and what is zero or empty does
//! not come at all.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use catalog::{Error, Instance, Registered, Registration, Status, base64};

/// One key, or all that begin with something.
#[derive(Clone)]
pub(crate) struct Span {
    first: Vec<u8>,
    /// The first key behind it; empty: it is one key.
    end: Vec<u8>,
}

impl Span {
    pub(crate) fn one(key: &str) -> Span {
        Span { first: key.as_bytes().to_vec(), end: Vec::new() }
    }

    pub(crate) fn under(prefix: &str) -> Span {
        let mut end = prefix.as_bytes().to_vec();
        while end.pop_if(|last| *last == 0xff).is_some() {}
        match end.last_mut() {
            Some(last) => *last += 1,
            // Beyond all keys.
            None => end.push(0),
        }
        // No key is empty.
        let first = if prefix.is_empty() { vec![0] } else { prefix.as_bytes().to_vec() };
        Span { first, end }
    }

    /// The fields of a request that name it.
    pub(crate) fn fields(&self) -> String {
        let key = base64::encode(&self.first);
        if self.end.is_empty() {
            return format!(r#""key":"{key}""#);
        }
        format!(r#""key":"{key}","range_end":"{}""#, base64::encode(&self.end))
    }
}

/// The fields of a request that writes a key. Without a lease (0) it stays until it is removed.
pub(crate) fn put(key: &str, value: &[u8], lease: i64) -> String {
    let (key, value) = (base64::encode(key.as_bytes()), base64::encode(value));
    format!(r#""key":"{key}","value":"{value}","lease":"{lease}""#)
}

/// A key as it is stored.
pub(crate) struct Kv {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// 0: none.
    pub(crate) lease: i64,
    pub(crate) create_revision: i64,
    pub(crate) mod_revision: i64,
}

/// What a range yields.
pub(crate) fn kvs(range: &Value) -> Result<Vec<Kv>, Error> {
    let found = range.get("kvs").and_then(Value::as_array);
    found.map_or_else(|| Ok(Vec::new()), |found| found.iter().map(kv).collect())
}

fn kv(value: &Value) -> Result<Kv, Error> {
    Ok(Kv {
        key: bytes(value, "key")?,
        value: bytes(value, "value")?,
        lease: number(value, "lease"),
        create_revision: number(value, "create_revision"),
        mod_revision: number(value, "mod_revision"),
    })
}

fn bytes(value: &Value, field: &str) -> Result<Vec<u8>, Error> {
    base64::decode(text(value, field))
        .ok_or_else(|| Error::Failed(format!("the answer makes no sense: {field} is no base64")))
}

/// A field that is a string, or else an empty one.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A field that is an integer in whatever form, or else 0.
pub(crate) fn number(value: &Value, field: &str) -> i64 {
    match value.get(field) {
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        Some(Value::Number(number)) => number.as_i64().unwrap_or_default(),
        _ => 0,
    }
}

/// The state of the store at which an answer is true.
pub(crate) fn revision(answer: &Value) -> i64 {
    answer.get("header").map_or(0, |header| number(header, "revision"))
}

/// The member that has answered.
pub(crate) fn member(answer: &Value) -> &str {
    answer.get("header").map_or("", |header| text(header, "member_id"))
}

#[derive(Serialize)]
struct Stored<'a> {
    id: &'a str,
    name: &'a str,
    address: &'a str,
    port: u16,
    tags: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    meta: &'a BTreeMap<String, String>,
    /// Absent: passing.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

/// What stands under an instance's key.
pub(crate) fn stored(wanted: &Registration, status: Status) -> Result<Vec<u8>, Error> {
    encode(&Stored {
        id: &wanted.id,
        name: &wanted.name,
        address: &wanted.address,
        port: wanted.port,
        tags: &wanted.tags,
        meta: &wanted.meta,
        status: (status != Status::Passing).then(|| status.as_str()),
    })
}

/// The same with another status; `None`: it has that status. Whatever else stands there stays.
pub(crate) fn restated(stored: &[u8], to: Status) -> Result<Option<Vec<u8>>, Error> {
    // Somebody has written something else there: it is not our instance any more.
    let mut value: Value = serde_json::from_slice(stored).map_err(|_| Error::Unknown)?;
    if status(&value) == to.as_str() {
        return Ok(None);
    }
    let fields = value.as_object_mut().ok_or(Error::Unknown)?;
    fields.remove("status");
    if to != Status::Passing {
        fields.insert("status".to_owned(), to.as_str().into());
    }
    encode(&value).map(Some)
}

fn status(stored: &Value) -> &str {
    stored.get("status").and_then(Value::as_str).unwrap_or(Status::Passing.as_str())
}

/// What an instance's key says, if it can be understood.
pub(crate) fn registered(stored: &[u8]) -> Option<Registered> {
    described(&serde_json::from_slice(stored).ok()?)
}

fn described(stored: &Value) -> Option<Registered> {
    let own = |value: &Value| value.as_str().map(str::to_owned);
    let tags = stored.get("tags").and_then(Value::as_array);
    let meta = stored.get("meta").and_then(Value::as_object);
    let pair = |(key, value): (&String, &Value)| Some((key.clone(), own(value)?));
    Some(Registered {
        name: own(stored.get("name")?)?,
        address: own(stored.get("address")?)?,
        // Others may write here too: one port that is none must not hide the others.
        port: u16::try_from(number(stored, "port")).unwrap_or_default(),
        tags: tags.into_iter().flatten().filter_map(own).collect(),
        meta: meta.into_iter().flatten().filter_map(pair).collect(),
    })
}

/// An instance that can be understood, and its status.
pub(crate) fn instance(kv: &Kv) -> Option<(Instance, Status)> {
    let stored: Value = serde_json::from_slice(&kv.value).ok()?;
    let found = described(&stored)?;
    let status = match status(&stored) {
        "passing" => Status::Passing,
        "warning" => Status::Warning,
        _ => Status::Critical,
    };
    let instance = Instance {
        id: stored.get("id")?.as_str()?.to_owned(),
        name: found.name,
        address: found.address,
        port: found.port,
        tags: found.tags,
        meta: found.meta,
        node: String::new(),
    };
    Some((instance, status))
}

/// An instance that is passing and can be understood.
pub(crate) fn passing(kv: &Kv) -> Option<Instance> {
    instance(kv).filter(|(_, status)| *status == Status::Passing).map(|(instance, _)| instance)
}

fn encode(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(|error| Error::Refused(format!("cannot be sent: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn registration() -> Registration {
        Registration {
            id: "app-1".into(),
            name: "app".into(),
            check_id: "service:app-1".into(),
            address: "10.0.0.1".into(),
            port: 80,
            tags: vec!["a".into()],
            meta: BTreeMap::new(),
            ttl: Duration::from_secs(10),
            enable_tag_override: false,
            deregister_critical_after: None,
        }
    }

    #[test]
    fn an_instance_is_stored_in_the_layout_that_others_read() {
        let mut wanted = registration();
        let plain = stored(&wanted, Status::Passing).unwrap();
        assert_eq!(
            String::from_utf8(plain).unwrap(),
            r#"{"id":"app-1","name":"app","address":"10.0.0.1","port":80,"tags":["a"]}"#
        );
        wanted.meta.insert("k".into(), "v".into());
        let critical = stored(&wanted, Status::Critical).unwrap();
        assert_eq!(
            String::from_utf8(critical.clone()).unwrap(),
            concat!(
                r#"{"id":"app-1","name":"app","address":"10.0.0.1","port":80,"tags":["a"],"#,
                r#""meta":{"k":"v"},"status":"critical"}"#
            )
        );
        assert!(registered(&critical).unwrap().matches(&wanted));
    }

    #[test]
    fn a_new_status_keeps_what_others_have_written() {
        let mut value = json!({"id": "i", "tags": ["theirs"], "more": {"x": 1}});
        let is = |value: &Value, to| {
            let changed = restated(value.to_string().as_bytes(), to).unwrap();
            changed.map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap())
        };
        assert_eq!(is(&value, Status::Passing), None);
        let warning = is(&value, Status::Warning).unwrap();
        assert_eq!(is(&warning, Status::Warning), None);
        assert_eq!(is(&warning, Status::Passing), Some(value.clone()));
        value["status"] = "warning".into();
        assert_eq!(warning, value);
        assert_eq!(restated(b"else", Status::Passing), Err(Error::Unknown));
        assert_eq!(restated(b"[]", Status::Critical), Err(Error::Unknown));
    }

    #[test]
    fn only_passing_instances_that_can_be_understood_count() {
        let seen = |value: &str| {
            let value = value.as_bytes().to_vec();
            passing(&Kv { key: vec![], value, lease: 0, create_revision: 0, mod_revision: 0 })
                .map(|instance| format!("{}:{}", instance.id, instance.port))
        };
        let full = r#"{"id":"i","name":"n","address":"a","port":1,"tags":["t"]}"#;
        assert_eq!(seen(full).unwrap(), "i:1");
        assert_eq!(seen(r#"{"id":"i","name":"n","address":"a","port":"77"}"#).unwrap(), "i:77");
        assert_eq!(seen(r#"{"id":"i","name":"n","address":"a","port":-1}"#).unwrap(), "i:0");
        assert_eq!(seen(&full.replace("\"id\"", "\"status\":\"critical\",\"id\"")), None);
        for strange in ["", "[]", "{}", r#"{"id":"i","name":"n"}"#, r#"{"name":"n","address":""}"#]
        {
            assert_eq!(seen(strange), None, "{strange}");
        }
    }

    #[test]
    fn a_folder_ends_before_the_next_one() {
        let ends = |prefix: &str| Span::under(prefix).end;
        assert_eq!(ends("/a/"), b"/a0");
        assert_eq!((ends(""), Span::under("").first), (vec![0], vec![0]));
        assert_eq!(ends("a\u{10ffff}"), [b'a', 0xf4, 0x8f, 0xbf, 0xc0]);
        assert_eq!(Span::one("k").fields(), r#""key":"aw==""#);
        assert_eq!(Span::under("k").fields(), r#""key":"aw==","range_end":"bA==""#);
    }

    #[test]
    fn numbers_come_in_every_form() {
        let value = json!({"a": "-1", "b": 2, "c": "x", "d": null});
        let all = ["a", "b", "c", "d", "e"].map(|field| number(&value, field));
        assert_eq!(all, [-1, 2, 0, 0, 0]);
        assert!(kvs(&json!({"kvs": [{"key": "%"}]})).is_err());
    }
}
