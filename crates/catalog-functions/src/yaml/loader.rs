//! Reads YAML: the parser's events as values.

use gotemplate::{Map, Type, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::scalar::resolve;
use crate::depth::{DEEPEST, depth, too_deep};

/// How many values a document may have, where those that are referred to count each time.
const MOST: usize = 1_000_000;

/// Reads the first document.
///
/// # Errors
/// What is wrong, and in which line.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut loader = Loader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event
            .map_err(|error| format!("yaml: line {}: {}", error.marker().line(), error.info()))?;
        let done = matches!(event, Event::DocumentEnd);
        loader.hear(event).map_err(|error| format!("yaml: line {}: {error}", span.start.line()))?;
        if done {
            break;
        }
    }
    Ok(loader.document)
}

/// A list or map that has not ended.
struct Open {
    anchor: usize,
    /// How many values are in it.
    size: usize,
    entries: Entries,
}

enum Entries {
    List(Vec<Value>),
    /// With the key whose value comes next, and what `<<` merges into it.
    Map {
        map: Map,
        key: Option<Key>,
        merged: Vec<Value>,
    },
}

enum Key {
    Name(String),
    /// `<<`, not in quotes.
    Merge,
}

#[derive(Default)]
struct Loader {
    document: Value,
    open: Vec<Open>,
    /// What can be referred to, by its number, and how many values it has.
    anchors: Vec<Option<(Value, usize)>>,
    size: usize,
}

impl Loader {
    fn hear(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                if plain && &*text == "<<" && self.takes_merge() {
                    return Ok(());
                }
                let value = scalar(&text, plain, tag.as_deref())?;
                self.put(value, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.start(anchor, Entries::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                let map = Map::new(Type::Any);
                self.start(anchor, Entries::Map { map, key: None, merged: Vec::new() })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let known = self.anchors.get(anchor).cloned().flatten();
                let (value, size) = known.ok_or("an anchor's value contains itself")?;
                self.size = self.size.saturating_add(size);
                self.check_size()?;
                if self.open.len().saturating_add(depth(&value)) > DEEPEST {
                    return Err(too_deep());
                }
                self.put(value, 0, size)
            }
            _ => Ok(()),
        }
    }

    fn check_size(&self) -> Result<(), String> {
        if self.size > MOST {
            return Err("document contains excessive aliasing".to_owned());
        }
        Ok(())
    }

    /// Whether `<<` is a key here; then it is taken.
    fn takes_merge(&mut self) -> bool {
        let entries = self.open.last_mut().map(|open| &mut open.entries);
        let Some(Entries::Map { key: key @ None, .. }) = entries else { return false };
        *key = Some(Key::Merge);
        true
    }

    fn start(&mut self, anchor: usize, entries: Entries) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(too_deep());
        }
        self.open.push(Open { anchor, size: 1, entries });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.entries {
            Entries::List(items) => items.into(),
            Entries::Map { mut map, merged, .. } => {
                for source in merged {
                    merge(&mut map, &source);
                }
                map.into()
            }
        };
        self.put(value, open.anchor, open.size)
    }

    /// A value is complete.
    fn put(&mut self, value: Value, anchor: usize, size: usize) -> Result<(), String> {
        self.size = self.size.saturating_add(1);
        self.check_size()?;
        if anchor > 0 {
            // They are counted.
            if self.anchors.len() <= anchor {
                self.anchors.resize(anchor + 1, None);
            }
            if let Some(known) = self.anchors.get_mut(anchor) {
                *known = Some((value.clone(), size));
            }
        }
        let Some(open) = self.open.last_mut() else {
            self.document = value;
            return Ok(());
        };
        open.size = open.size.saturating_add(size);
        match &mut open.entries {
            Entries::List(items) => items.push(value),
            Entries::Map { map, key, merged } => match key.take() {
                None => *key = Some(Key::Name(name(&value)?)),
                Some(Key::Name(key)) => map.insert(key, value),
                Some(Key::Merge) if can_be_merged(&value) => merged.push(value),
                Some(Key::Merge) => {
                    let want = "map merge requires map or sequence of maps as the value";
                    return Err(want.to_owned());
                }
            },
        }
        Ok(())
    }
}

/// Puts in what `<<` names. What is there already stays.
fn merge(map: &mut Map, source: &Value) {
    match source {
        Value::Map(source) => {
            for (key, value) in source.iter() {
                if map.get(key).is_none() {
                    map.insert(key.clone(), value.clone());
                }
            }
        }
        Value::List(list) => list.items().iter().for_each(|source| merge(map, source)),
        _ => {}
    }
}

/// Whether `<<` can name it: a map, or several.
fn can_be_merged(source: &Value) -> bool {
    match source {
        Value::Map(_) => true,
        Value::List(list) => list.items().iter().all(|item| matches!(item, Value::Map(_))),
        _ => false,
    }
}

/// A key as text.
fn name(key: &Value) -> Result<String, String> {
    Ok(match key {
        Value::String(text) => text.to_string(),
        Value::Nil => "null".to_owned(),
        Value::Bool(key) => key.to_string(),
        Value::Int(key) => key.to_string(),
        Value::Uint(key) => key.to_string(),
        Value::Float(key) => key.to_string(),
        _ => return Err("want text as a key, not a list or map".to_owned()),
    })
}

fn scalar(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Value, String> {
    let tag = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    match tag {
        Some("str") => Ok(text.into()),
        Some("binary") => {
            let packed: String = text.split_ascii_whitespace().collect();
            let bytes = catalog::base64::decode(&packed).ok_or("!!binary value is not base64")?;
            let text = String::from_utf8(bytes);
            Ok(text.map_err(|_| "the bytes of !!binary are not UTF-8 text")?.into())
        }
        Some("float") => Ok(match resolve(text) {
            Value::Int(number) => (number as f64).into(),
            other => other,
        }),
        Some("int" | "bool" | "null") => Ok(resolve(text)),
        _ if plain => Ok(resolve(text)),
        _ => Ok(text.into()),
    }
}
