//! Functions that ask the catalog.

use std::{rc::Rc, sync::Arc};

use catalog::{Finding, Keys, Question};
use gotemplate::{Signature, Type, Value};

use super::{Entry, Returned, TEXT, optional, strings};
use crate::{
    answers::{Answer, Need, View},
    objects, query,
    session::Session,
};

const MAYBE_TEXT: Signature = Signature::variadic(&[], TEXT);

pub(super) const TABLE: &[Entry] = &[
    ("service", Signature::variadic(&[TEXT], TEXT), service),
    ("services", MAYBE_TEXT, services),
    ("node", MAYBE_TEXT, node),
    ("nodes", MAYBE_TEXT, nodes),
    ("datacenters", Signature::variadic(&[], Type::Bool), datacenters),
    ("key", Signature::fixed(&[TEXT]), key),
    ("keyExists", Signature::fixed(&[TEXT]), key_exists),
    ("keyExistsGet", Signature::fixed(&[TEXT]), key_exists_get),
    ("keyOrDefault", Signature::fixed(&[TEXT, TEXT]), key_or_default),
    ("ls", Signature::fixed(&[TEXT]), |session, arguments| {
        below(session, arguments, View::Level, Empty::Fine)
    }),
    ("safeLs", Signature::fixed(&[TEXT]), |session, arguments| {
        below(session, arguments, View::Level, Empty::Unsafe)
    }),
    ("tree", Signature::fixed(&[TEXT]), |session, arguments| {
        below(session, arguments, View::Tree, Empty::Fine)
    }),
    ("safeTree", Signature::fixed(&[TEXT]), |session, arguments| {
        below(session, arguments, View::Tree, Empty::Unsafe)
    }),
];

/// The answer to a question and what the catalog has found.
fn ask(session: &Session, question: Question) -> Option<(Rc<Answer>, Arc<Finding>)> {
    let answer = session.ask(Need::Catalog(question))?;
    let finding = answer.finding()?.clone();
    Some((answer, finding))
}

fn service(session: &Session, arguments: &[Value]) -> Returned {
    let query = match arguments {
        [Value::String(query)] => query.to_string(),
        // The filter may stand for itself.
        [Value::String(query), Value::String(filter)] => format!("{query}|{filter}"),
        _ => {
            return Err(format!("want a query and a filter but got {} arguments", arguments.len()));
        }
    };
    let Some((question, filter)) = query::service(&query)? else {
        return Ok(objects::no_instances());
    };
    Ok(match ask(session, Question::Service(question)) {
        Some((answer, finding)) => {
            answer.value(View::Instances(filter), || objects::instances(&finding, filter))
        }
        None => objects::no_instances(),
    })
}

fn services(session: &Session, arguments: &[Value]) -> Returned {
    let question = query::services(optional(arguments, "")?)?;
    Ok(match ask(session, question) {
        Some((answer, finding)) => answer.value(View::Whole, || objects::listed(&finding)),
        None => objects::no_services(),
    })
}

fn node(session: &Session, arguments: &[Value]) -> Returned {
    let question = query::node(optional(arguments, "")?)?;
    Ok(match ask(session, question) {
        Some((answer, finding)) => answer.value(View::Whole, || objects::node(&finding)),
        None => objects::no_node(),
    })
}

fn nodes(session: &Session, arguments: &[Value]) -> Returned {
    let question = query::nodes(optional(arguments, "")?)?;
    Ok(match ask(session, question) {
        Some((answer, finding)) => answer.value(View::Whole, || objects::nodes(Some(&finding))),
        None => objects::nodes(None),
    })
}

/// Whether to leave out those that do not answer is the catalog's to know: it names only those
/// that it knows.
fn datacenters(session: &Session, arguments: &[Value]) -> Returned {
    if arguments.len() > 1 {
        return Err(format!("want at most 1 argument but got {}", arguments.len()));
    }
    let names = |finding: &Finding| match finding {
        Finding::Datacenters(names) => names.clone(),
        _ => Vec::new(),
    };
    Ok(match ask(session, Question::Datacenters) {
        Some((answer, finding)) => answer.value(View::Whole, || names(&finding).into()),
        None => Vec::<String>::new().into(),
    })
}

/// What is known of a key.
enum Key {
    /// Nothing yet.
    Unknown,
    /// There is none.
    Absent(Need),
    Text(String),
}

fn look_up(session: &Session, query: &str) -> Result<Key, String> {
    let Some(question) = query::key(query)? else { return Ok(Key::Text(String::new())) };
    let need = Need::Catalog(question);
    let Some(answer) = session.ask(need.clone()) else { return Ok(Key::Unknown) };
    match answer.finding().map(|finding| &**finding) {
        Some(Finding::Keys(pairs)) => match pairs.first() {
            None => Ok(Key::Absent(need)),
            Some(pair) => match std::str::from_utf8(&pair.value) {
                Ok(value) => Ok(Key::Text(value.to_owned())),
                Err(_) => Err(objects::not_text(&pair.key)),
            },
        },
        _ => Ok(Key::Unknown),
    }
}

fn key(session: &Session, arguments: &[Value]) -> Returned {
    let [query] = strings(arguments)?;
    Ok(match look_up(session, query)? {
        Key::Text(value) => value.into(),
        Key::Unknown => "".into(),
        Key::Absent(need) => {
            session.hold_back(&need);
            "".into()
        }
    })
}

fn key_or_default(session: &Session, arguments: &[Value]) -> Returned {
    let [query, default] = strings(arguments)?;
    Ok(match look_up(session, query)? {
        // A key without a value says no more than none.
        Key::Text(value) if !value.is_empty() => value.into(),
        _ => default.into(),
    })
}

fn key_exists(session: &Session, arguments: &[Value]) -> Returned {
    let found = key_exists_get(session, arguments)?;
    let Value::Object(pair) = found else { return Ok(false.into()) };
    Ok(pair.field("Exists").unwrap_or(Value::Bool(false)))
}

fn key_exists_get(session: &Session, arguments: &[Value]) -> Returned {
    let [query] = strings(arguments)?;
    let Some(question) = query::key(query)? else { return Ok(objects::absent_key("")) };
    let name = name(&question);
    let found = ask(session, question);
    let found = found.and_then(|(_, finding)| objects::key(&finding));
    Ok(found.unwrap_or_else(|| objects::absent_key(&name)))
}

/// Whether a folder without keys is an answer to go by.
#[derive(Clone, Copy, PartialEq)]
enum Empty {
    Fine,
    Unsafe,
}

fn below(session: &Session, arguments: &[Value], view: View, empty: Empty) -> Returned {
    let [query] = strings(arguments)?;
    let make = match view {
        View::Level => objects::level,
        _ => objects::tree,
    };
    let nothing = || make(&Arc::new(Finding::Keys(Vec::new())), "");
    let Some(question) = query::prefix(query)? else { return Ok(nothing()) };
    let prefix = name(&question);
    let Some((answer, finding)) = ask(session, question.clone()) else { return Ok(nothing()) };
    let value = answer.value(view, || make(&finding, &prefix));
    if empty == Empty::Unsafe && !value.truth() {
        session.hold_back(&Need::Catalog(question));
    }
    Ok(value)
}

/// The key or the prefix that a question names.
fn name(question: &Question) -> String {
    match question {
        Question::Keys { keys: Keys::One(name) | Keys::Under(name), .. } => name.clone(),
        _ => String::new(),
    }
}
