//! `METHOD PATH?QUERY`, a line feed, and the body: what is accepted is what the contract promises
//! to the engine, and what was meant; what is refused is refused in words.

use std::collections::BTreeSet;
use std::fmt;

use control::wire::EVENTS;
use control::{Filter, Refusal, Request, Routed, parse};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

pub(crate) fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (line, body) = input.split_at(end);
    let body = body.get(1..).unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let (method, target) = line.split_once(' ').unwrap_or((&line, ""));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let outcome = parse(method, path, query, body);
    assert_eq!(outcome, parse(method, path, query, body));
    match outcome {
        Ok(Routed::Call(request)) => {
            check_promises(&request);
            check_meaning(&request, body);
        }
        Ok(Routed::Events(filter)) => check_filter(&filter),
        Err(refusal) => check_refusal(&refusal),
    }
}

/// What the engine may rely on.
pub(crate) fn check_promises(request: &Request) {
    match request {
        Request::Environ(variables) => {
            for (name, value) in variables {
                let first = name.chars().next().expect("a name");
                assert!(first.is_ascii_alphabetic() || first == '_', "{name:?}");
                assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name:?}");
                let Some(value) = value else { continue };
                assert!(!value.is_empty() && !value.contains('\0'), "{name}: {value:?}");
            }
        }
        Request::Metric(values) => {
            let names: BTreeSet<&String> = values.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), values.len(), "{values:?}");
            assert!(values.iter().all(|(_, value)| value.is_finite()), "{values:?}");
        }
        Request::Ping | Request::Reload | Request::Maintenance(_) | Request::Status => {}
    }
}

/// The body, read once more by somebody else.
fn check_meaning(request: &Request, body: &[u8]) {
    let entries: Entries = match request {
        Request::Environ(_) | Request::Metric(_) => match serde_json::from_slice(body) {
            Ok(entries) => entries,
            // A number that no float can hold is good enough for a variable.
            Err(error) => {
                assert!(error.to_string().contains("number out of range"), "{error}");
                return;
            }
        },
        _ => return,
    };
    match request {
        Request::Environ(variables) => {
            assert_eq!(variables.len(), entries.0.len(), "a name twice");
            for (name, value) in entries.0 {
                let set = variables[&name].as_deref();
                match value {
                    Value::Null => assert_eq!(set, None),
                    Value::Bool(value) => assert_eq!(set, Some(value.to_string()).as_deref()),
                    Value::String(text) if text.is_empty() => assert_eq!(set, None),
                    Value::String(text) => assert_eq!(set, Some(text.as_str())),
                    Value::Number(number) => {
                        let set: f64 = set.expect("a value").parse().expect("a number");
                        assert_eq!(Some(set), number.as_f64());
                    }
                    other => panic!("{name} is {other}"),
                }
            }
        }
        Request::Metric(values) => {
            assert_eq!(values.len(), entries.0.len());
            for ((name, value), (known, meant)) in values.iter().zip(entries.0) {
                assert_eq!(*name, known, "another order");
                match meant {
                    Value::Number(number) => assert_eq!(Some(*value), number.as_f64()),
                    Value::String(text) => assert_eq!(Ok(*value), text.trim().parse()),
                    other => panic!("{name} is {other}"),
                }
            }
        }
        _ => {}
    }
}

/// All entries of an object, those of one name too.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// What is asked for exists, and asked for in other words it is the same.
fn check_filter(filter: &Filter) {
    assert!(filter.sources.iter().all(|source| !source.is_empty()), "{filter:?}");
    assert!(filter.events.iter().all(|event| EVENTS.contains(&event.as_str())), "{filter:?}");
    let mut query = String::new();
    let sources = filter.sources.iter().map(|source| ("source", source));
    for (name, value) in sources.chain(filter.events.iter().map(|event| ("event", event))) {
        let value: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        query += &format!("{name}={value}&");
    }
    let again = parse("GET", "/v3/events", Some(&query), b"");
    assert_eq!(again, Ok(Routed::Events(filter.clone())), "{query}");
}

fn check_refusal(refusal: &Refusal) {
    let Refusal { status, message, allow } = refusal;
    assert!([400, 404, 405].contains(status), "{refusal:?}");
    assert_eq!(allow.is_some(), *status == 405, "{refusal:?}");
    assert!(!message.is_empty() && !message.contains(char::is_control), "{refusal:?}");
}
