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

use gotemplate::{Functions, Signature, Type, Value, nearest};

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

const TABLES: [&[Entry]; 11] = [
    arithmetic::TABLE,
    catalog::TABLE,
    collections::TABLE,
    digests::TABLE,
    environment::TABLE,
    numbers::TABLE,
    regex::TABLE,
    sockaddr::TABLE,
    structured::TABLE,
    texts::TABLE,
    timestamp::TABLE,
];

fn entries() -> impl Iterator<Item = &'static Entry> {
    TABLES.into_iter().flatten()
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
        "default" => return Some("want envOrDefault \"NAME\" \"VALUE\", or `or`".to_owned()),
        _ => {}
    }
    if let Some(plain) = name.strip_prefix("sprig_") {
        return Some(format!("sprig's functions, such as {plain}, are not supported"));
    }
    let functions = entries().map(|(known, ..)| *known);
    let known = WORDS.into_iter().chain(functions).chain(BUILTINS);
    nearest(name, known).map(|meant| format!("did you mean {meant}?"))
}

/// What begins an action and is no function.
const WORDS: [&str; 8] = ["range", "if", "with", "else", "end", "template", "define", "block"];

/// Go's own.
const BUILTINS: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or",
    "print", "printf", "println", "slice", "urlquery",
];

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
        assert_eq!(unknown("en").as_deref(), Some("did you mean end?"));
        assert_eq!(unknown("ned").as_deref(), Some("did you mean end?"));
        assert!(unknown("default").is_some_and(|words| words.contains("envOrDefault")));
        assert_eq!(unknown("somethingElse"), None);
        assert!(unknown("secret").is_some_and(|words| words.contains("Vault")));
    }
}
