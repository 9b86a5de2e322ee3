//! `eq` and its relatives, with Go's rules for what can be compared.

use crate::gofmt;
use crate::item::Item;
use crate::value::Value;
use std::cmp::Ordering;
use std::rc::Rc;

const BAD_TYPE: &str = "invalid type for comparison";
const BAD_COMPARISON: &str = "incompatible types for comparison";

/// Whether the first value equals one of the others.
///
/// # Errors
/// Go's message if two types cannot be compared.
pub(crate) fn equals_any(first: &Value, others: &[Item]) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if equals(first, &other.value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Go's kinds of what `eq` compares by identity or not at all.
#[derive(PartialEq, Eq)]
enum Kind {
    Basic,
    Nil,
    List,
    Map,
    Func,
    Object,
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Nil => Kind::Nil,
        Value::List(_) => Kind::List,
        Value::Map(_) => Kind::Map,
        Value::Func(_) => Kind::Func,
        Value::Object(object) if object.as_list().is_some() => Kind::List,
        Value::Object(_) => Kind::Object,
        _ => Kind::Basic,
    }
}

fn equals(a: &Value, b: &Value) -> Result<bool, String> {
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Uint(a), Value::Uint(b)) => a == b,
        (Value::Int(i), Value::Uint(u)) | (Value::Uint(u), Value::Int(i)) => {
            u64::try_from(*i).is_ok_and(|i| i == *u)
        }
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Nil, Value::Nil) => true,
        (Value::Nil, _) | (_, Value::Nil) => false,
        _ => match (kind(a), kind(b)) {
            (Kind::Basic, _) | (_, Kind::Basic) => return Err(BAD_COMPARISON.to_owned()),
            (a_kind, b_kind) if a_kind != b_kind => {
                return Err(format!(
                    "non-comparable types {}: {}, {}: {}",
                    gofmt::show(a, 's'),
                    a.type_name(),
                    b.type_name(),
                    gofmt::show(b, 'v')
                ));
            }
            _ => match (a, b) {
                (Value::Object(a), Value::Object(b)) if a.as_list().is_none() => Rc::ptr_eq(a, b),
                _ => {
                    let shown = gofmt::show(b, 's');
                    return Err(format!("non-comparable type {shown}: {}", b.type_name()));
                }
            },
        },
    })
}

/// `a < b`
///
/// # Errors
/// Go's message if the types have no order.
pub(crate) fn less(a: &Value, b: &Value) -> Result<bool, String> {
    if kind(a) != Kind::Basic || kind(b) != Kind::Basic {
        return Err(BAD_TYPE.to_owned());
    }
    let order = match (a, b) {
        (Value::Bool(_), Value::Bool(_)) => return Err(BAD_TYPE.to_owned()),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
        (Value::Int(i), Value::Uint(u)) => {
            Some(u64::try_from(*i).map_or(Ordering::Less, |i| i.cmp(u)))
        }
        (Value::Uint(u), Value::Int(i)) => {
            Some(u64::try_from(*i).map_or(Ordering::Greater, |i| u.cmp(&i)))
        }
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => return Err(BAD_COMPARISON.to_owned()),
    };
    Ok(order == Some(Ordering::Less))
}

/// `a <= b`
///
/// # Errors
/// Go's message if the types have no order.
pub(crate) fn less_or_equal(a: &Value, b: &Item) -> Result<bool, String> {
    Ok(less(a, &b.value)? || equals(a, &b.value)?)
}
