//! Reading numbers and truth values from text, in Go's words where they are wrong.

use gotemplate::{List, Signature, Type, Value};

use super::{ANY, Entry, Returned, TEXT, check_count, strings};
use crate::session::Session;

const ONE: Signature = Signature::fixed(&[TEXT]);

pub(super) const TABLE: &[Entry] = &[
    ("parseBool", ONE, parse_bool),
    ("parseFloat", ONE, parse_float),
    ("parseInt", ONE, parse_int),
    ("parseUint", ONE, parse_uint),
    ("loop", Signature::variadic(&[ANY], ANY), loop_),
];

fn parse_bool(_: &Session, arguments: &[Value]) -> Returned {
    let [text] = strings(arguments)?;
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true.into()),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false.into()),
        _ => Err(syntax("ParseBool", text)),
    }
}

fn parse_int(_: &Session, arguments: &[Value]) -> Returned {
    let [text] = strings(arguments)?;
    if text.is_empty() {
        return Ok(Value::Int(0));
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(syntax("ParseInt", text));
    }
    text.parse().map(Value::Int).map_err(|_| range("ParseInt", text))
}

fn parse_uint(_: &Session, arguments: &[Value]) -> Returned {
    let [text] = strings(arguments)?;
    if text.is_empty() {
        return Ok(Value::Uint(0));
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(syntax("ParseUint", text));
    }
    text.parse().map(Value::Uint).map_err(|_| range("ParseUint", text))
}

fn parse_float(_: &Session, arguments: &[Value]) -> Returned {
    let [text] = strings(arguments)?;
    if text.is_empty() {
        return Ok(Value::Float(0.0));
    }
    let number: f64 = text.parse().map_err(|_| syntax("ParseFloat", text))?;
    let finite = text.bytes().any(|byte| byte.is_ascii_digit());
    if finite && number.is_infinite() {
        return Err(range("ParseFloat", text));
    }
    Ok(Value::Float(number))
}

fn syntax(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {text:?}: invalid syntax")
}

fn range(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {text:?}: value out of range")
}

/// `loop 3` is 0 1 2, `loop 1 4` is 1 2 3; there is nothing from a number to a smaller one. Numbers
/// may be text, for they may come from the catalog.
fn loop_(_: &Session, arguments: &[Value]) -> Returned {
    let (from, to) = match arguments {
        [to] => (0, whole(to)?),
        [from, to] => (whole(from)?, whole(to)?),
        _ => return Err(format!("want 1 or 2 numbers but got {}", arguments.len())),
    };
    if from < to {
        check_count(usize::try_from(from.abs_diff(to)).unwrap_or(usize::MAX))?;
    }
    Ok(List::new(Type::Int, (from..to).map(Value::Int).collect()).into())
}

fn whole(value: &Value) -> Result<i64, String> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Uint(number) => i64::try_from(*number).map_err(|_| format!("{number} is too large")),
        Value::String(text) => {
            text.trim().parse().map_err(|_| format!("{text:?} is not a whole number"))
        }
        other => Err(format!("want a whole number but got a {}", other.type_name())),
    }
}
