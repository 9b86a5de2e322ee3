//! The functions that Go's templates bring along.

use crate::compare;
use crate::escape;
use crate::function::Function;
use crate::gofmt;
use crate::item::Item;
use crate::value::{List, Type, Value};
use std::rc::Rc;

/// A function of Go's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    And,
    Call,
    Eq,
    Ge,
    Gt,
    Html,
    Index,
    Js,
    Le,
    Len,
    Lt,
    Ne,
    Not,
    Or,
    Print,
    Printf,
    Println,
    Slice,
    UrlQuery,
}

use Builtin::*;

impl Builtin {
    /// The function of that name.
    pub(crate) fn of(name: &str) -> Option<Builtin> {
        Some(match name {
            "and" => And,
            "call" => Call,
            "eq" => Eq,
            "ge" => Ge,
            "gt" => Gt,
            "html" => Html,
            "index" => Index,
            "js" => Js,
            "le" => Le,
            "len" => Len,
            "lt" => Lt,
            "ne" => Ne,
            "not" => Not,
            "or" => Or,
            "print" => Print,
            "printf" => Printf,
            "println" => Println,
            "slice" => Slice,
            "urlquery" => UrlQuery,
            _ => return None,
        })
    }

    /// How many arguments it takes at least, and whether it takes more.
    pub(crate) fn arity(self) -> (usize, bool) {
        match self {
            Len | Not => (1, false),
            Ne | Lt | Le | Gt | Ge => (2, false),
            Html | Js | UrlQuery | Print | Println => (0, true),
            And | Or | Call | Index | Slice | Printf | Eq => (1, true),
        }
    }

    /// The type of an argument, where the function is not content with anything.
    pub(crate) fn param(self, index: usize) -> Param {
        match self {
            Printf if index == 0 => Param::Typed(Type::String),
            Html | Js | UrlQuery | Print | Println | Printf => Param::Typed(Type::Any),
            _ => Param::Reflected,
        }
    }

    /// Calls the function; the number of arguments is right. `And` and `Or` get here with their
    /// deciding argument only. Text may come out cut short if it is longer than `room` bytes.
    ///
    /// # Errors
    /// Go's message.
    pub(crate) fn call(self, args: &[Item], room: usize) -> Result<Item, String> {
        let none = Item::none();
        let first = args.first().unwrap_or(&none);
        let rest = args.get(1..).unwrap_or(&[]);
        let second = rest.first().unwrap_or(&none);
        let values = || args.iter().map(|arg| arg.value.clone()).collect::<Vec<_>>();
        Ok(Item::plain(match self {
            And | Or => return Ok(first.clone()),
            Not => Value::Bool(!first.value.truth()),
            Len => length(first)?,
            Index => return index(first, rest),
            Slice => slice(first, rest)?,
            Call => return call(first, rest),
            Html => escape::html(&printed(values(), room)?).into(),
            Js => escape::js(&printed(values(), room)?).into(),
            UrlQuery => escape::url_query(&printed(values(), room)?).into(),
            Print => gofmt::sprint(&values(), room)?.into(),
            Println => gofmt::sprintln(&values(), room)?.into(),
            Printf => {
                let values = values();
                let format = first.value.as_str().unwrap_or("");
                gofmt::sprintf(format, values.get(1..).unwrap_or(&[]), room)?.into()
            }
            Eq => Value::Bool(compare::equals_any(&first.value, rest)?),
            Ne => Value::Bool(!compare::equals_any(&first.value, rest)?),
            Lt => Value::Bool(compare::less(&first.value, &second.value)?),
            Le => Value::Bool(compare::less_or_equal(&first.value, second)?),
            Gt => Value::Bool(!compare::less_or_equal(&first.value, second)?),
            Ge => Value::Bool(!compare::less(&first.value, &second.value)?),
        }))
    }
}

/// What an argument must be.
#[derive(Clone, Copy)]
pub(crate) enum Param {
    /// A Go type.
    Typed(Type),
    /// Anything, of which the function wants to know how it is held.
    Reflected,
}

/// The arguments as text: what the escaping functions escape.
fn printed(mut args: Vec<Value>, room: usize) -> Result<String, String> {
    if let [Value::String(text)] = args.as_slice() {
        return Ok(text.to_string());
    }
    for arg in &mut args {
        if arg.is_nil() {
            *arg = Value::from("<no value>");
        }
    }
    gofmt::sprint_pointees(&args, room)
}

fn length(item: &Item) -> Result<Value, String> {
    let length = match &item.value {
        Value::Nil if item.boxed => return Err("len of nil pointer".to_owned()),
        Value::Nil => {
            return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
        }
        Value::String(text) => text.len(),
        Value::Map(map) => map.len(),
        other => match other.as_list() {
            Some(list) => list.items().len(),
            None => return Err(format!("len of type {}", other.type_name())),
        },
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// An index that lies between 0 and `limit`.
fn index_argument(index: &Item, limit: usize) -> Result<usize, String> {
    let number = match &index.value {
        // How Go converts it.
        Value::Int(i) => *i,
        Value::Uint(u) => u.cast_signed(),
        Value::Nil => return Err("cannot index slice/array with nil".to_owned()),
        other => {
            return Err(format!("cannot index slice/array with type {}", other.type_name()));
        }
    };
    usize::try_from(number)
        .ok()
        .filter(|n| *n <= limit)
        .ok_or_else(|| format!("index out of range: {number}"))
}

fn index(item: &Item, indexes: &[Item]) -> Result<Item, String> {
    if item.value.is_nil() {
        return Err("index of untyped nil".to_owned());
    }
    let mut item = item.clone();
    for index in indexes {
        item = match &item.value {
            Value::Nil => return Err("index of nil pointer".to_owned()),
            Value::String(text) => {
                let i = index_argument(index, text.len())?;
                let byte = text.as_bytes().get(i);
                let byte = byte.ok_or("reflect: string index out of range")?;
                Item::plain(Value::Uint(u64::from(*byte)))
            }
            Value::Map(map) => {
                let key = match &index.value {
                    Value::String(key) => key,
                    Value::Nil => return Err("value is nil; should be of type string".to_owned()),
                    other => {
                        let name = other.type_name();
                        return Err(format!("value has type {name}; should be string"));
                    }
                };
                let value = map.get(key).cloned().unwrap_or_else(|| map.element().zero());
                Item::element(value, map.element())
            }
            other => {
                let Some(list) = other.as_list() else {
                    return Err(format!("can't index item of type {}", other.type_name()));
                };
                let i = index_argument(index, list.items().len())?;
                let value = list.items().get(i).ok_or("reflect: slice index out of range")?;
                Item::element(value.clone(), list.element())
            }
        };
    }
    Ok(item)
}

fn slice(item: &Item, indexes: &[Item]) -> Result<Value, String> {
    if item.value.is_nil() {
        return Err("slice of untyped nil".to_owned());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let list = item.value.as_list();
    let length = match (&item.value, &list) {
        (Value::String(_), _) if indexes.len() == 3 => {
            return Err("cannot 3-index slice a string".to_owned());
        }
        (Value::String(text), _) => text.len(),
        (_, Some(list)) => list.items().len(),
        (other, None) => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        if index.boxed {
            return Err("cannot index slice/array with type interface {}".to_owned());
        }
        *bound = index_argument(index, length)?;
    }
    let [start, end, capacity] = bounds;
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}"));
    }
    if end > capacity {
        return Err(format!("invalid slice index: {end} > {capacity}"));
    }
    if let Value::String(text) = &item.value {
        let part = text.get(start..end).ok_or("slice bounds split a character")?;
        return Ok(Value::from(part));
    }
    let (element, items) = match &list {
        Some(list) => (list.element(), list.items().get(start..end).unwrap_or(&[])),
        None => (Type::Any, &[][..]),
    };
    Ok(Value::List(Rc::new(List::new(element, items.to_vec()))))
}

fn call(function: &Item, args: &[Item]) -> Result<Item, String> {
    let function: &Rc<Function> = match &function.value {
        Value::Func(function) => function,
        Value::Nil => return Err("call of nil".to_owned()),
        other => return Err(format!("non-function of type {}", other.type_name())),
    };
    let signature = function.signature;
    let wanted = signature.params.len();
    let got = args.len();
    if signature.rest.is_some() && got < wanted {
        return Err(format!("wrong number of args: got {got} want at least {wanted}"));
    }
    if signature.rest.is_none() && got != wanted {
        return Err(format!("wrong number of args: got {got} want {wanted}"));
    }
    let mut values = Vec::with_capacity(args.len());
    for (i, arg) in args.iter().enumerate() {
        let value = convert(&arg.value, signature.param(i)).map_err(|e| format!("arg {i}: {e}"))?;
        values.push(value);
    }
    Ok(Item::result(function.call(&values)?))
}

/// The value as an argument of that type; integers may change their sign.
fn convert(value: &Value, wanted: Type) -> Result<Value, String> {
    match (value, wanted) {
        (Value::Nil, _) if wanted.can_be_nil() => Ok(wanted.zero()),
        (Value::Nil, _) => Err(format!("value is nil; should be of type {wanted}")),
        (Value::Int(i), Type::Uint) => Ok(Value::Uint(i.cast_unsigned())),
        (Value::Uint(u), Type::Int) => Ok(Value::Int(u.cast_signed())),
        _ if value.fits(wanted) => Ok(value.clone()),
        _ => Err(format!("value has type {}; should be {wanted}", value.type_name())),
    }
}
