//! What templates can call besides Go's own functions.

use std::rc::Rc;

use gotemplate::{Functions, List, Map, Signature, Type, Value};
use regex_lite::Regex;

/// `loop` gives at most so many numbers: a slip must not exhaust the memory.
const LONGEST_LOOP: u64 = 100_000;

pub(super) fn functions(environment: &Rc<Map>) -> Functions {
    let mut functions = Functions::new();
    let environment = Rc::clone(environment);
    functions
        .add_typed("default", Signature::fixed(&[Type::Any, Type::Any]), default)
        .add_typed("split", Signature::fixed(&[Type::String, Type::String]), split)
        .add_typed("join", Signature::fixed(&[Type::String, Type::Any]), join)
        .add_typed("replaceAll", Signature::fixed(&[Type::String; 3]), replace_all)
        .add_typed("regexReplaceAll", Signature::fixed(&[Type::String; 3]), regex_replace_all)
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
    let items: Vec<Value> = match (text, separator) {
        ("", _) => Vec::new(),
        (text, "") => text.chars().map(|char| Value::from(char.to_string())).collect(),
        _ => text.split(separator).map(Value::from).collect(),
    };
    Ok(Value::List(Rc::new(List::new(Type::String, items))))
}

/// `{{ .LIST | split "," | join ";" }}`
fn join(arguments: &[Value]) -> Returned {
    let [Value::String(separator), list] = arguments else {
        return Err("want a separator and a list".into());
    };
    let list = list.as_list().ok_or("want a list to join, as split gives it")?;
    let items: Option<Vec<&str>> = list.items().iter().map(Value::as_str).collect();
    Ok(Value::from(items.ok_or("want a list of strings")?.join(separator)))
}

/// `{{ .NAME | replaceAll "from" "to" }}`
fn replace_all(arguments: &[Value]) -> Returned {
    let [from, to, text] = strings(arguments)?;
    Ok(Value::from(text.replace(from, to)))
}

/// `{{ .NAME | regexReplaceAll "fr(.)m" "t${1}" }}`
fn regex_replace_all(arguments: &[Value]) -> Returned {
    let [pattern, to, text] = strings(arguments)?;
    let pattern = Regex::new(pattern).map_err(|error| format!("{pattern:?}: {error}"))?;
    Ok(Value::from(&*pattern.replace_all(text, to)))
}

/// `loop 3` is 0 1 2, `loop 1 4` is 1 2 3, `loop 4 1` is 4 3 2; numbers may be strings, for they
/// may come from the environment.
fn loop_(arguments: &[Value]) -> Returned {
    let (from, to) = match arguments {
        [to] => (0, integer(to)?),
        [from, to] => (integer(from)?, integer(to)?),
        _ => return Err(format!("want 1 or 2 numbers but got {}", arguments.len())),
    };
    if from.abs_diff(to) > LONGEST_LOOP {
        return Err(format!("{from} to {to} is too long: want at most {LONGEST_LOOP} numbers"));
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
