//! What templates can call besides Go's own functions.
//!
//! The engine counts what functions read and make. What a single call could multiply (a text
//! that is put between all parts of another) is refused here before it is made.

mod regex;

use std::{cell::Cell, rc::Rc};

use gotemplate::{Functions, List, Map, Signature, Type, Value};

use super::LIMITS;

/// `loop` gives at most so many numbers, `split` so many parts: a slip must not exhaust the memory.
const LONGEST_LIST: usize = 100_000;

pub(super) fn functions(environment: &Rc<Map>) -> Functions {
    let mut functions = Functions::new();
    let environment = Rc::clone(environment);
    let work = Cell::new(regex::WORK);
    functions
        .add_typed("default", Signature::fixed(&[Type::Any, Type::Any]), default)
        .add_typed("split", Signature::fixed(&[Type::String, Type::String]), split)
        .add_typed("join", Signature::fixed(&[Type::String, Type::Any]), join)
        .add_typed("replaceAll", Signature::fixed(&[Type::String; 3]), replace_all)
        .add_typed("regexReplaceAll", Signature::fixed(&[Type::String; 3]), move |arguments| {
            let [pattern, to, text] = strings(arguments)?;
            regex::replace_all(pattern, to, text, &work).map(Value::from)
        })
        .add_typed("loop", Signature::variadic(&[Type::Any], Type::Any), loop_)
        .add_typed("env", Signature::fixed(&[Type::String]), move |arguments| {
            let [name] = strings(arguments)?;
            Ok(environment.get(name).cloned().unwrap_or_else(|| Value::String("".into())))
        });
    functions
}

type Returned = Result<Value, String>;

/// The arguments, all of them strings. The engine has checked them against the signature.
fn strings<const N: usize>(arguments: &[Value]) -> Result<[&str; N], String> {
    let strings: Option<Vec<&str>> = arguments.iter().map(Value::as_str).collect();
    strings
        .and_then(|strings| <[&str; N]>::try_from(strings).ok())
        .ok_or_else(|| format!("want {N} strings"))
}

/// Refuses a text before it is made.
fn check_length(length: usize) -> Result<(), String> {
    let limit = LIMITS.made;
    if length > limit {
        return Err(format!("makes too much text: more than {limit} bytes"));
    }
    Ok(())
}

/// `{{ .NAME | default "value" }}`: the value stands in for what is missing or empty.
fn default(arguments: &[Value]) -> Returned {
    match arguments {
        [default, Value::Nil] => Ok(default.clone()),
        [default, Value::String(text)] if text.is_empty() => Ok(default.clone()),
        [_, value] => Ok(value.clone()),
        _ => Err("want a default and a value".into()),
    }
}

/// `{{ .LIST | split "," }}`; nothing is an empty list.
fn split(arguments: &[Value]) -> Returned {
    let [separator, text] = strings(arguments)?;
    let text = text.trim();
    let most = LONGEST_LIST + 1;
    let items: Vec<Value> = match (text, separator) {
        ("", _) => Vec::new(),
        (text, "") => text.chars().map(|char| Value::from(char.to_string())).take(most).collect(),
        _ => text.split(separator).map(Value::from).take(most).collect(),
    };
    if items.len() > LONGEST_LIST {
        return Err(format!("the text is too long: want at most {LONGEST_LIST} parts"));
    }
    Ok(Value::List(Rc::new(List::new(Type::String, items))))
}

/// `{{ .LIST | split "," | join ";" }}`
fn join(arguments: &[Value]) -> Returned {
    let [Value::String(separator), list] = arguments else {
        return Err("want a separator and a list".into());
    };
    let list = list.as_list().ok_or("want a list to join, as split gives it")?;
    let items: Option<Vec<&str>> = list.items().iter().map(Value::as_str).collect();
    let items = items.ok_or("want a list of strings")?;
    let separators = items.len().saturating_mul(separator.len());
    check_length(items.iter().map(|item| item.len()).fold(separators, usize::saturating_add))?;
    Ok(Value::from(items.join(separator)))
}

/// `{{ .NAME | replaceAll "from" "to" }}`
fn replace_all(arguments: &[Value]) -> Returned {
    let [from, to, text] = strings(arguments)?;
    let added = text.matches(from).count().saturating_mul(to.len());
    check_length(text.len().saturating_add(added))?;
    Ok(Value::from(text.replace(from, to)))
}

/// `loop 3` is 0 1 2, `loop 1 4` is 1 2 3, `loop 4 1` is 4 3 2; numbers may be strings, for they
/// may come from the environment.
fn loop_(arguments: &[Value]) -> Returned {
    let (from, to) = match arguments {
        [to] => (0, integer(to)?),
        [from, to] => (integer(from)?, integer(to)?),
        _ => return Err(format!("want 1 or 2 numbers but got {}", arguments.len())),
    };
    if usize::try_from(from.abs_diff(to)).map_or(true, |length| length > LONGEST_LIST) {
        return Err(format!("{from} to {to} is too long: want at most {LONGEST_LIST} numbers"));
    }
    let items: Vec<Value> = if from <= to {
        (from..to).map(Value::Int).collect()
    } else {
        (to + 1..=from).rev().map(Value::Int).collect()
    };
    Ok(Value::List(Rc::new(List::new(Type::Int, items))))
}

fn integer(value: &Value) -> Result<i64, String> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::String(text) => {
            text.trim().parse().map_err(|_| format!("{text:?} is not a whole number"))
        }
        other => Err(format!("want a whole number but got a {}", other.type_name())),
    }
}
