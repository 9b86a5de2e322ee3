//! Children's lines that are log entries themselves: one JSON object a line
//! (`logging: {format: "json"}`). Their fields become fields of our entry.

use log::Level;
use serde_json::{Map, Value};

/// What a line says of itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// Its level, if it has one that we know.
    pub(super) level: Option<Level>,
    /// Its message; empty if it has none.
    pub(super) message: String,
    /// Its time, if it is text.
    pub(super) time: Option<String>,
    /// Everything else, by name.
    pub(super) fields: Map<String, Value>,
}

impl Entry {
    /// Reads a line. `None`: it is not a JSON object, and hence a message.
    pub(super) fn read(line: &[u8]) -> Option<Entry> {
        // Most lines that are none are recognized at once.
        let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
        if first != Some(&b'{') {
            return None;
        }
        let mut fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let level = fields.get("level").and_then(level);
        if level.is_some() {
            fields.remove("level");
        }
        let message = ["msg", "message"].into_iter().find_map(|name| text(&mut fields, name));
        let time = text(&mut fields, "time");
        // What we say ourselves must stay true: nothing of theirs is lost, it has another name.
        for name in ["job", "pid", "level", "msg", "time"] {
            if let Some(value) = fields.remove(name) {
                fields.insert(format!("fields.{name}"), value);
            }
        }
        Some(Entry { level, message: message.unwrap_or_default(), time, fields })
    }
}

/// Takes a field that is text.
fn text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    match fields.remove(name)? {
        Value::String(text) => Some(text),
        other => {
            fields.insert(name.to_owned(), other);
            None
        }
    }
}

/// The levels of the usual loggers, by word or (bunyan, pino) by number.
fn level(value: &Value) -> Option<Level> {
    match value {
        Value::String(word) => match word.to_ascii_lowercase().as_str() {
            "trace" | "debug" => Some(Level::Debug),
            "info" | "notice" | "information" => Some(Level::Info),
            "warn" | "warning" => Some(Level::Warn),
            "error" | "err" | "fatal" | "panic" | "critical" | "crit" | "alert" | "emerg" => {
                Some(Level::Error)
            }
            _ => None,
        },
        Value::Number(number) => match number.as_u64()? {
            10 | 20 => Some(Level::Debug),
            30 => Some(Level::Info),
            40 => Some(Level::Warn),
            50 | 60 => Some(Level::Error),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Entry {
        Entry::read(line.as_bytes()).expect("an entry")
    }

    #[test]
    fn the_usual_loggers_are_understood() {
        let logrus =
            read(r#"{"level":"warning","msg":"slow","time":"2026-01-01T00:00:00Z","ms":7}"#);
        assert_eq!((logrus.level, logrus.message.as_str()), (Some(Level::Warn), "slow"));
        assert_eq!(logrus.time.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(Value::from(logrus.fields), serde_json::json!({ "ms": 7 }));
        let pino = read(r#"{"level":50,"time":1531171074631,"pid":657,"msg":"no"}"#);
        assert_eq!((pino.level, pino.message.as_str()), (Some(Level::Error), "no"));
        let fields = serde_json::json!({ "fields.pid": 657, "fields.time": 1_531_171_074_631_u64 });
        assert_eq!(Value::from(pino.fields), fields);
    }

    #[test]
    fn what_is_no_object_is_a_message() {
        for line in ["", "hello", "[1]", "{", "{\"a\":1} and more", "  12"] {
            assert_eq!(Entry::read(line.as_bytes()), None, "{line}");
        }
        assert_eq!(read("{}"), Entry::default());
        assert_eq!(read(r#"{"level":"odd"}"#).fields.get("fields.level"), Some(&"odd".into()));
    }
}
