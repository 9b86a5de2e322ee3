//! What a job says about its processes' surroundings: `user`, `group`, `workdir`, `env`; and
//! `stopSignal`.

use std::collections::BTreeMap;

use super::{Field, Object, suggestion::did_you_mean};
use crate::{
    job::{StopSignal, Surroundings},
    json5::Value,
    keys::Kind,
};

/// Variables that we set ourselves begin so.
const OWN_VARIABLES: &str = "CONTAINERPILOT_";
/// The highest number that a user can have; the one above means "leave it" to the system.
const HIGHEST_ACCOUNT: i64 = 4_294_967_294;

/// Name, number and meaning.
pub(crate) const SIGNALS: [(&str, i64, StopSignal); 9] = [
    ("SIGTERM", 15, StopSignal::Term),
    ("SIGINT", 2, StopSignal::Int),
    ("SIGQUIT", 3, StopSignal::Quit),
    ("SIGHUP", 1, StopSignal::Hup),
    ("SIGUSR1", 10, StopSignal::Usr1),
    ("SIGUSR2", 12, StopSignal::Usr2),
    ("SIGWINCH", 28, StopSignal::Winch),
    ("SIGABRT", 6, StopSignal::Abrt),
    ("SIGKILL", 9, StopSignal::Kill),
];

/// `user`, `group`, `workdir` and `env`.
pub(crate) fn surroundings(object: &mut Object<'_>) -> Surroundings {
    Surroundings {
        user: object.take("user").and_then(|field| account(&field, "user")),
        group: object.take("group").and_then(|field| account(&field, "group")),
        workdir: object.take("workdir").and_then(|field| field.absolute_path()).map(Into::into),
        env: object.take("env").map_or_else(BTreeMap::new, |field| variables(&field)),
    }
}

/// A name or a number of a user or a group.
pub(crate) fn account(field: &Field<'_>, what: &str) -> Option<String> {
    field.assert_kind(|kind| matches!(kind, Kind::Account));
    let text = match &field.node.value {
        Value::String(text) if text.is_empty() => return None,
        Value::String(text) => text.clone(),
        Value::Number(_) => field.integer().map_or_else(String::new, |number| number.to_string()),
        _ => String::new(),
    };
    let rule = match what {
        "user" if text.contains(':') => "want what stands behind the : as \"group\"",
        _ => "want a name or a number",
    };
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let good = match text.parse::<i64>() {
        Ok(number) => is_number && number <= HIGHEST_ACCOUNT,
        Err(_) => {
            !is_number && !text.contains([':', '/', '\0']) && !text.contains(char::is_whitespace)
        }
    };
    if !good {
        field.refuse(&format!("is not a {what}"), rule);
    }
    good.then_some(text)
}

/// The variables of `env`; `None` unsets one.
fn variables(field: &Field<'_>) -> BTreeMap<String, Option<String>> {
    let mut variables = BTreeMap::new();
    for entry in field.entries() {
        let name = entry.key;
        if name.is_empty() || name.contains(['=', '\0']) || name.contains(char::is_whitespace) {
            let rule = "want a name without spaces and =";
            entry.refuse_key(&format!("{name:?} is not the name of a variable"), rule);
        } else if name.starts_with(OWN_VARIABLES) {
            let rule = "want another name: those with CONTAINERPILOT_ are set by the program";
            entry.refuse_key(&format!("{name:?} is reserved"), rule);
        }
        let value = match &entry.value.node.value {
            Value::Null => None,
            _ => entry.value.scalar(),
        };
        if value.as_ref().is_some_and(|value| value.contains('\0')) {
            entry.value.refuse("has a character that no variable can hold", "want no U+0000 in it");
        }
        variables.insert(name.to_owned(), value);
    }
    variables
}

/// `stopSignal`: a name, with or without `SIG`, or a number.
pub(crate) fn stop_signal(object: &mut Object<'_>) -> Option<StopSignal> {
    let field = object.take("stopSignal").filter(|field| !field.is_empty_string())?;
    field.assert_kind(|kind| matches!(kind, Kind::Signal));
    let number = field.integer();
    let name = match &field.node.value {
        Value::String(name) => name.trim().to_ascii_uppercase(),
        _ => String::new(),
    };
    let found = SIGNALS.iter().find(|(long, code, _)| {
        number == Some(*code) || name == *long || long.strip_prefix("SIG") == Some(&name)
    });
    if found.is_none() {
        let names: Vec<&str> = SIGNALS.iter().map(|(name, _, _)| *name).collect();
        let want = || format!("want one of {}", names.join(", "));
        let meant = (!name.is_empty()).then(|| {
            let long = if name.starts_with("SIG") { name.clone() } else { format!("SIG{name}") };
            did_you_mean(&long, names.iter().copied())
        });
        let rule = meant.flatten().unwrap_or_else(want);
        field.refuse("is not a signal that stops a job", rule);
    }
    found.map(|(_, _, signal)| *signal)
}
