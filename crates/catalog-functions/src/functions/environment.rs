//! What is around a template: variables, files, its own parts, its scratch pad.

use gotemplate::{Limits, Signature, Value};

use super::{ANY, Entry, Returned, TEXT, strings};
use crate::{
    advised,
    answers::{Need, View},
    depth::DEEPEST,
    session::Session,
};

pub(super) const TABLE: &[Entry] = &[
    ("env", Signature::fixed(&[TEXT]), env),
    ("mustEnv", Signature::fixed(&[TEXT]), must_env),
    ("envOrDefault", Signature::fixed(&[TEXT, TEXT]), env_or_default),
    ("file", Signature::fixed(&[TEXT]), file),
    ("executeTemplate", Signature::variadic(&[TEXT], ANY), execute_template),
    ("scratch", Signature::fixed(&[]), |session, _| Ok(session.scratch())),
];

fn env(session: &Session, arguments: &[Value]) -> Returned {
    let [name] = strings(arguments)?;
    Ok(session.environment.get(name).map_or("", String::as_str).into())
}

fn must_env(session: &Session, arguments: &[Value]) -> Returned {
    let [name] = strings(arguments)?;
    match session.environment.get(name) {
        Some(value) => Ok(value.as_str().into()),
        None => Err(format!("the variable {name} is not set")),
    }
}

/// The default also stands for an empty value.
fn env_or_default(session: &Session, arguments: &[Value]) -> Returned {
    let [name, default] = strings(arguments)?;
    let value = session.environment.get(name).filter(|value| !value.is_empty());
    Ok(value.map_or(default, String::as_str).into())
}

fn file(session: &Session, arguments: &[Value]) -> Returned {
    let [path] = strings(arguments)?;
    if path.is_empty() {
        return Ok("".into());
    }
    let answer = session.ask(Need::File(path.into()));
    Ok(answer.map_or_else(
        || "".into(),
        |answer| answer.value(View::Whole, || answer.text().map_or("", |text| text).into()),
    ))
}

fn execute_template(session: &Session, arguments: &[Value]) -> Returned {
    let (name, data) = match arguments {
        [Value::String(name)] => (name, &Value::Nil),
        [Value::String(name), data] => (name, data),
        _ => return Err(format!("want a name and data but got {} arguments", arguments.len())),
    };
    let Some(template) = session.template.borrow().upgrade() else {
        return Err("the template is gone".to_owned());
    };
    let level = session.level.get();
    if level >= DEEPEST {
        return Err(format!("templates execute each other more than {DEEPEST} levels deep"));
    }
    session.level.set(level + 1);
    // What it executes in its turn takes from the session's as well.
    let before = session.limits.get();
    let mut after = before;
    let mut text = String::new();
    let result = template.execute_within(&mut after, name, &mut text, data);
    session.level.set(level);
    let left = session.limits.get();
    session.limits.set(Limits {
        steps: left.steps.saturating_sub(before.steps.saturating_sub(after.steps)),
        output: left.output.saturating_sub(before.output.saturating_sub(after.output)),
        made: left.made.saturating_sub(before.made.saturating_sub(after.made)),
    });
    result.map_err(|error| advised(innermost(&error.to_string()).to_owned(), error.advice()))?;
    Ok(text.into())
}

/// Of templates that execute each other only the last one says what is wrong.
fn innermost(error: &str) -> &str {
    error.rsplit(": error calling executeTemplate: ").next().unwrap_or(error)
}
