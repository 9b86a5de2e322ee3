//! Functions on lists and maps: grouping, nesting, merging, finding.

use std::rc::Rc;

use gotemplate::{List, Map, Object, Signature, Type, Value};

use super::{ANY, Entry, MAP, Returned};
use crate::{
    depth::{DEEPEST, too_deep},
    objects,
    session::Session,
};

const TWO: Signature = Signature::fixed(&[ANY, ANY]);

pub(super) const TABLE: &[Entry] = &[
    ("byKey", Signature::fixed(&[ANY]), by_key),
    ("byTag", Signature::fixed(&[ANY]), by_tag),
    ("byMeta", Signature::fixed(&[Type::String, ANY]), by_meta),
    ("contains", TWO, |_, arguments| match arguments {
        [needle, list] => has(list, needle).map(Value::from),
        _ => Err("want a value and a list".to_owned()),
    }),
    ("in", TWO, |_, arguments| match arguments {
        [list, needle] => has(list, needle).map(Value::from),
        _ => Err("want a list and a value".to_owned()),
    }),
    ("containsAll", TWO, |_, arguments| Ok(found(arguments)?.0.into())),
    ("containsNotAll", TWO, |_, arguments| Ok((!found(arguments)?.0).into())),
    ("containsAny", TWO, |_, arguments| Ok(found(arguments)?.1.into())),
    ("containsNone", TWO, |_, arguments| Ok((!found(arguments)?.1).into())),
    ("explode", Signature::fixed(&[ANY]), explode),
    ("explodeMap", Signature::fixed(&[MAP]), explode_map),
    ("mergeMap", Signature::fixed(&[MAP, MAP]), |_, arguments| merge(arguments, Winner::First)),
    ("mergeMapWithOverride", Signature::fixed(&[MAP, MAP]), |_, arguments| {
        merge(arguments, Winner::Second)
    }),
];

fn elements(value: &Value, want: &str) -> Result<Rc<List>, String> {
    match value {
        Value::Nil => Ok(Rc::new(List::new(ANY, Vec::new()))),
        other => {
            other.as_list().ok_or_else(|| format!("want {want} but got a {}", other.type_name()))
        }
    }
}

fn object<'v>(value: &'v Value, want: &str) -> Result<&'v Rc<dyn Object>, String> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(format!("want {want} but got a {}", other.type_name())),
    }
}

/// A field of an object, where a method that fails stands for one that cannot be had.
fn field(object: &Rc<dyn Object>, name: &str) -> Result<Option<Value>, String> {
    match object.method(name) {
        Some(_) => object.call_method(name, &[]).map(Some),
        None => Ok(object.field(name)),
    }
}

/// Adds to the list of that name in a `map[string][]interface {}`.
fn add(groups: &mut Map, name: &str, item: &Value) {
    if let Value::List(list) = groups.entry(name, || Vec::<Value>::new().into()) {
        Rc::make_mut(list).push(item.clone());
    }
}

/// The element of such a map.
const GROUP: Type = Type::List(&Type::Any);

/// `{{ range $tag, $services := service "web" | byTag }}`
fn by_tag(_: &Session, arguments: &[Value]) -> Returned {
    const WANT: &str = "a list of services";
    let mut groups = Map::new(GROUP);
    for list in arguments {
        for item in elements(list, WANT)?.items() {
            let list = object(item, WANT)?.field("Tags").and_then(|tags| tags.as_list());
            let list = list.ok_or_else(|| format!("want {WANT} but got a {}", item.type_name()))?;
            for tag in list.items().iter().filter_map(Value::as_str) {
                add(&mut groups, tag, item);
            }
        }
    }
    Ok(groups.into())
}

/// `{{ range $group, $services := service "web" | byMeta "rack,shard|int" }}`
fn by_meta(_: &Session, arguments: &[Value]) -> Returned {
    const WANT: &str = "a list of instances of services";
    let [Value::String(keys), list] = arguments else {
        return Err("want keys of metadata and a list of services".to_owned());
    };
    let mut groups = Map::new(GROUP);
    for item in elements(list, WANT)?.items() {
        let meta = object(item, WANT)?.field("ServiceMeta");
        let meta = meta.as_ref().and_then(Value::as_map);
        let meta = meta.ok_or_else(|| format!("want {WANT} but got a {}", item.type_name()))?;
        let mut parts = Vec::new();
        for key in keys.split(',').map(str::trim) {
            let (key, number) = match key.split_once('|') {
                None => (key, false),
                Some((key, "int")) => (key, true),
                Some((_, other)) => {
                    return Err(format!("{other:?} is no form of a number: want |int"));
                }
            };
            let value = meta.get(key).and_then(Value::as_str).unwrap_or_default();
            parts.push(match number {
                false => value.to_owned(),
                true => {
                    let number: i64 = value.parse().map_err(|_| {
                        format!("the metadata {key:?} of a service is {value:?}, no whole number")
                    })?;
                    format!("{number:05}")
                }
            });
        }
        add(&mut groups, &parts.join("_"), item);
    }
    Ok(groups.into())
}

/// `{{ range $folder, $pairs := tree "groups" | byKey }}`: by the first part of the key.
fn by_key(_: &Session, arguments: &[Value]) -> Returned {
    const WANT: &str = "a list of keys, as ls and tree give it";
    let mut folders = Map::new(Type::Map(objects::KEY_PAIR));
    for list in arguments {
        for item in elements(list, WANT)?.items() {
            let pair = object(item, WANT)?;
            let key = pair.field("Key");
            let key = key.as_ref().and_then(Value::as_str);
            let key = key.ok_or_else(|| format!("want {WANT} but got a {}", item.type_name()))?;
            // What is in no folder is in no group.
            let Some((folder, rest)) = key.split_once('/') else { continue };
            let pairs = folders.entry(folder, || Map::new(*objects::KEY_PAIR).into());
            if let Value::Map(pairs) = pairs {
                Rc::make_mut(pairs).insert(rest, objects::key_below(pair, rest));
            }
        }
    }
    Ok(folders.into())
}

/// Whether the list has the value, or the text that part.
fn has(list: &Value, needle: &Value) -> Result<bool, String> {
    if let (Value::String(text), Value::String(part)) = (list, needle) {
        return Ok(text.contains(&**part));
    }
    let items = elements(list, "a list or text")?;
    Ok(items.items().iter().any(|item| equal(item, needle)))
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Uint(a), Value::Uint(b)) => a == b,
        (Value::Int(a), Value::Uint(b)) | (Value::Uint(b), Value::Int(a)) => {
            u64::try_from(*a).is_ok_and(|a| a == *b)
        }
        (Value::Float(a), Value::Float(b)) => a == b,
        // A whole number written where a list from JSON has fractions only.
        (Value::Float(a), Value::Int(b)) | (Value::Int(b), Value::Float(a)) => *a == *b as f64,
        (Value::Nil, Value::Nil) => true,
        _ => false,
    }
}

/// Whether all of the needles are in the list, and whether one is.
fn found(arguments: &[Value]) -> Result<(bool, bool), String> {
    let [needles, list] = arguments else { return Err("want 2 lists".to_owned()) };
    let (mut all, mut any) = (true, false);
    for needle in elements(needles, "a list of what to look for")?.items() {
        let has = has(list, needle)?;
        all &= has;
        any |= has;
    }
    Ok((all, any))
}

/// Puts a value under a path of maps. A map and another value cannot have the same name: the map
/// stays.
fn put(folder: &mut Map, path: &str, value: Value) -> Result<(), String> {
    let parts: Vec<&str> = path.split('/').collect();
    if parts.len() >= DEEPEST {
        return Err(format!("the key {path:?} is {}", too_deep()));
    }
    let Some((last, folders)) = parts.split_last() else { return Ok(()) };
    let mut folder = folder;
    for name in folders {
        let node = folder.entry(name, || Value::Nil);
        if node.as_map().is_none() {
            *node = Map::new(ANY).into();
        }
        let Value::Map(inner) = node else { return Ok(()) };
        folder = Rc::make_mut(inner);
    }
    // What ends in a slash stands for its folder.
    if !last.is_empty() && folder.get(last).is_none_or(|there| there.as_map().is_none()) {
        folder.insert(*last, value);
    }
    Ok(())
}

/// `{{ with tree "config" | explode }}{{ .a.b.c }}{{ end }}`
fn explode(_: &Session, arguments: &[Value]) -> Returned {
    const WANT: &str = "a list of keys, as ls and tree give it";
    let mut folder = Map::new(ANY);
    for list in arguments {
        for item in elements(list, WANT)?.items() {
            let pair = object(item, WANT)?;
            let key = pair.field("Key");
            let key = key.as_ref().and_then(Value::as_str);
            let key = key.ok_or_else(|| format!("want {WANT} but got a {}", item.type_name()))?;
            let value = field(pair, "Value")?.unwrap_or_default();
            put(&mut folder, key, value)?;
        }
    }
    Ok(folder.into())
}

/// The same for a map whose keys are paths.
fn explode_map(_: &Session, arguments: &[Value]) -> Returned {
    let mut folder = Map::new(ANY);
    for map in arguments.iter().filter_map(Value::as_map) {
        for (key, value) in map.iter() {
            if crate::depth::depth(value).saturating_add(key.matches('/').count()) >= DEEPEST {
                return Err(format!("the key {key:?} is {}", too_deep()));
            }
            put(&mut folder, key, value.clone())?;
        }
    }
    Ok(folder.into())
}

/// Whose entries stay where both have one.
#[derive(Clone, Copy, PartialEq)]
enum Winner {
    First,
    Second,
}

/// `{{ $base | mergeMap $over }}`: all entries of both, maps within them merged in their turn.
fn merge(arguments: &[Value], winner: Winner) -> Returned {
    let [Value::Map(first), Value::Map(second)] = arguments else {
        return Err("want 2 maps".to_owned());
    };
    Ok(merged(first, second, winner).into())
}

fn merged(first: &Map, second: &Map, winner: Winner) -> Map {
    let mut result = first.clone();
    for (key, theirs) in second.iter() {
        let value = match (first.get(key), theirs) {
            (Some(Value::Map(ours)), Value::Map(theirs)) => merged(ours, theirs, winner).into(),
            // What is empty says nothing, on either side.
            (Some(ours), _) if winner == Winner::First && ours.truth() => continue,
            (Some(_), theirs) if winner == Winner::Second && !theirs.truth() => continue,
            _ => theirs.clone(),
        };
        result.insert(key.clone(), value);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_wins_over_a_value_of_its_name_in_any_order() {
        for paths in [["a", "a/b"], ["a/b", "a"]] {
            let mut map = Map::new(ANY);
            for path in paths {
                put(&mut map, path, path.into()).expect("not too deep");
            }
            let inner = map.get("a").and_then(Value::as_map).expect("a folder");
            assert_eq!(inner.get("b").and_then(Value::as_str), Some("a/b"));
        }
        let deep = "a/".repeat(DEEPEST);
        assert!(put(&mut Map::new(ANY), &deep, Value::Nil).is_err());
    }
}
