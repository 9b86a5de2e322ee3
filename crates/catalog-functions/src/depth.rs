//! How deep values may nest: what walks or drops them recurses.

use gotemplate::{Type, Value};

/// The deepest that is made here. Printing goes down to twice that.
pub(crate) const DEEPEST: usize = 100;

/// What is said of deeper data.
pub(crate) fn too_deep() -> String {
    format!("nested more than {DEEPEST} levels deep")
}

/// How many lists and maps are within each other.
pub(crate) fn depth(value: &Value) -> usize {
    match value {
        Value::List(list) if list.element() == Type::Any => {
            1 + list.items().iter().map(depth).max().unwrap_or(0)
        }
        Value::Map(map) if matches!(map.element(), Type::Any | Type::List(_) | Type::Map(_)) => {
            1 + map.iter().map(|(_, value)| depth(value)).max().unwrap_or(0)
        }
        Value::List(_) | Value::Map(_) => 1,
        _ => 0,
    }
}
