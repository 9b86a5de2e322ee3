//! The functions that templates may call besides Go's own.
//!
//! One table for each kind. The engine counts what functions read and make; what a single call
//! could multiply is refused here before it is made ([`check_length`]).

mod arithmetic;
mod catalog;
mod collections;
mod digests;
mod environment;
mod numbers;
pub(crate) mod regex;
mod sockaddr;
mod structured;
mod texts;
mod timestamp;

use std::rc::Rc;

use gotemplate::{Functions, Signature, Type, Value};

use crate::{LIMITS, session::Session};

/// `interface {}`.
const ANY: Type = Type::Any;
/// `string`.
const TEXT: Type = Type::String;
/// `[]string`.
const TEXTS: Type = Type::List(&Type::String);
/// `map[string]interface {}`.
const MAP: Type = Type::Map(&Type::Any);

/// A list must not exhaust the memory because of a slip.
const LONGEST_LIST: usize = 100_000;

type Returned = Result<Value, String>;

/// A function: its name, what it takes, and what it does with that. The engine has checked the
/// arguments against the signature.
type Entry = (&'static str, Signature, fn(&Session, &[Value]) -> Returned);

const TABLES: [&[Entry]; 10] = [
    arithmetic::TABLE,
    catalog::TABLE,
    collections::TABLE,
    digests::TABLE,
    environment::TABLE,
    numbers::TABLE,
    regex::TABLE,
    structured::TABLE,
    texts::TABLE,
    timestamp::TABLE,
];

fn entries() -> impl Iterator<Item = &'static Entry> {
    TABLES.into_iter().flatten().chain(sockaddr::TABLE)
}

/// All functions, working on that session. Those that are denied fail when they are called.
pub(crate) fn functions(session: &Rc<Session>, denied: &[String]) -> Functions {
    let mut functions = Functions::new();
    for (name, signature, call) in entries() {
        let session = Rc::clone(session);
        functions.add_typed(name, *signature, move |arguments| call(&session, arguments));
    }
    for name in denied {
        functions.add(name, |_| Err("this function is denied".to_owned()));
    }
    functions
}

/// Why there is no function of that name, and what to do about it.
pub(crate) fn unknown(name: &str) -> Option<String> {
    let of = |what: &str| Some(format!("{name} is a function of {what}, which is not supported"));
    match name {
        "secret" | "secrets" | "vault" | "pkiCert" => return of("Vault"),
        "nomadService" | "nomadServices" | "nomadVar" | "nomadVarList" | "nomadVarExists"
        | "nomadVarListSafe" => return of("Nomad"),
        "connect" | "caLeaf" | "caRoots" | "partitions" | "peerings" | "exportedServices"
        | "importedServices" => {
            return of("Consul's service mesh or its editions with partitions");
        }
        "plugin" | "writeToFile" => {
            return Some(format!(
                "{name} is not supported: templates run no programs and write nothing but their \
                 result"
            ));
        }
        _ => {}
    }
    if let Some(plain) = name.strip_prefix("sprig_") {
        return Some(format!("sprig's functions, such as {plain}, are not supported"));
    }
    let distance = |known: &str| distance(&name.to_lowercase(), &known.to_lowercase());
    let nearest = entries()
        .map(|(known, ..)| *known)
        .chain(BUILTINS)
        .chain(WORDS)
        .min_by_key(|n| distance(n))?;
    let close = distance(nearest) <= 1 + name.len() / 4;
    close.then(|| format!("did you mean {nearest}?"))
}

/// What begins an action and is no function.
const WORDS: [&str; 7] = ["range", "if", "with", "else", "template", "define", "block"];

/// Go's own.
const BUILTINS: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or",
    "print", "printf", "println", "slice", "urlquery",
];

/// How many letters must be changed, added or left out to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (b, above) in to.iter().zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(a != *b);
            left = changed.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// The arguments, all of them strings.
fn strings<const N: usize>(arguments: &[Value]) -> Result<[&str; N], String> {
    let strings: Option<Vec<&str>> = arguments.iter().map(Value::as_str).collect();
    strings
        .and_then(|strings| <[&str; N]>::try_from(strings).ok())
        .ok_or_else(|| format!("want {N} strings"))
}

/// The one string that may be left out.
fn optional<'a>(arguments: &'a [Value], default: &'a str) -> Result<&'a str, String> {
    match arguments {
        [] => Ok(default),
        [Value::String(text)] => Ok(text),
        _ => Err(format!("want at most 1 argument but got {}", arguments.len())),
    }
}

/// Refuses a text before it is made.
fn check_length(length: usize) -> Result<(), String> {
    let limit = LIMITS.made;
    if length > limit {
        return Err(format!("makes too much text: more than {limit} bytes"));
    }
    Ok(())
}

/// Refuses a list before it is made.
fn check_count(count: usize) -> Result<(), String> {
    if count > LONGEST_LIST {
        return Err(format!("makes too long a list: more than {LONGEST_LIST} elements"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_name_each_function_once() {
        let mut names: Vec<&str> = entries().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count > 70, "{count} functions");
    }

    #[test]
    fn a_slip_is_told_from_something_else() {
        assert_eq!(unknown("servce").as_deref(), Some("did you mean service?"));
        assert_eq!(unknown("tojson").as_deref(), Some("did you mean toJSON?"));
        assert_eq!(unknown("prinf").as_deref(), Some("did you mean print?"));
        assert_eq!(unknown("somethingElse"), None);
        assert!(unknown("secret").is_some_and(|words| words.contains("Vault")));
    }
}
