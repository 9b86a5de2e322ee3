//! Arithmetic. What is subtracted and what divides come first, so that the other can be piped.

use gotemplate::{Signature, Value};

use super::{ANY, Entry, Returned};
use crate::session::Session;

const TWO: Signature = Signature::fixed(&[ANY, ANY]);

pub(super) const TABLE: &[Entry] = &[
    ("add", TWO, |_, arguments| {
        compute(arguments, i64::wrapping_add, u64::wrapping_add, |a, b| a + b)
    }),
    ("subtract", TWO, |_, arguments| {
        compute(arguments, i64::wrapping_sub, u64::wrapping_sub, |a, b| a - b)
    }),
    ("multiply", TWO, |_, arguments| {
        compute(arguments, i64::wrapping_mul, u64::wrapping_mul, |a, b| a * b)
    }),
    ("divide", TWO, divide),
    ("modulo", TWO, modulo),
    ("minimum", TWO, |_, arguments| compute(arguments, i64::min, u64::min, f64::min)),
    ("maximum", TWO, |_, arguments| compute(arguments, i64::max, u64::max, f64::max)),
];

/// Two numbers of one kind.
enum Pair {
    Ints(i64, i64),
    Uints(u64, u64),
    Floats(f64, f64),
}

/// The last argument and the first. Signed and unsigned numbers are signed together; a whole
/// number and a fraction are fractions.
fn pair(arguments: &[Value]) -> Result<Pair, String> {
    let [second, first] = arguments else { return Err("want 2 numbers".to_owned()) };
    Ok(match (first, second) {
        (Value::Uint(a), Value::Uint(b)) => Pair::Uints(*a, *b),
        (Value::Float(_), _) | (_, Value::Float(_)) => Pair::Floats(float(first)?, float(second)?),
        _ => Pair::Ints(int(first)?, int(second)?),
    })
}

fn int(value: &Value) -> Result<i64, String> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Uint(number) => Ok(number.cast_signed()),
        other => Err(no_number(other)),
    }
}

fn float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Int(number) => Ok(*number as f64),
        Value::Uint(number) => Ok(*number as f64),
        Value::Float(number) => Ok(*number),
        other => Err(no_number(other)),
    }
}

fn no_number(value: &Value) -> String {
    match value {
        Value::String(text) => {
            format!("want a number but got the text {text:?}: parseInt and parseFloat read numbers")
        }
        other => format!("want a number but got a {}", other.type_name()),
    }
}

fn compute(
    arguments: &[Value],
    ints: fn(i64, i64) -> i64,
    uints: fn(u64, u64) -> u64,
    floats: fn(f64, f64) -> f64,
) -> Returned {
    Ok(match pair(arguments)? {
        Pair::Ints(a, b) => ints(a, b).into(),
        Pair::Uints(a, b) => uints(a, b).into(),
        Pair::Floats(a, b) => floats(a, b).into(),
    })
}

const BY_ZERO: &str = "runtime error: integer divide by zero";

fn divide(_: &Session, arguments: &[Value]) -> Returned {
    match pair(arguments)? {
        Pair::Ints(_, 0) | Pair::Uints(_, 0) => Err(BY_ZERO.to_owned()),
        Pair::Ints(a, b) => Ok(a.wrapping_div(b).into()),
        Pair::Uints(a, b) => Ok(a.wrapping_div(b).into()),
        Pair::Floats(a, b) => Ok((a / b).into()),
    }
}

fn modulo(_: &Session, arguments: &[Value]) -> Returned {
    match pair(arguments)? {
        Pair::Ints(_, 0) | Pair::Uints(_, 0) => Err(BY_ZERO.to_owned()),
        Pair::Ints(a, b) => Ok(a.wrapping_rem(b).into()),
        Pair::Uints(a, b) => Ok(a.wrapping_rem(b).into()),
        Pair::Floats(..) => Err("want whole numbers".to_owned()),
    }
}
