//! `templates`: files rendered from the catalog.
//!
//! What is in a template is not looked at: that takes its file, and the functions that it can call.
//! The pilot does, before anything starts.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use crate::{
    Command, Template,
    decode::{Field, Object, duration, name::Names, surroundings::account},
    json5::Value,
    keys::Kind,
    template::{Check, Source, Wait},
};

/// Of a check.
const TIMEOUT: Duration = Duration::from_secs(10);
const SHRINK_AFTER: Duration = Duration::from_secs(5 * 60);
/// How many times the shortest wait the longest one is.
const PATIENCE: u32 = 4;
/// What opens and closes an action if nothing is said.
const DELIMITERS: [&str; 2] = ["{{", "}}"];
/// Nobody needs more; special bits belong to programs.
const ALL_PERMISSIONS: u32 = 0o777;

/// Reads all templates.
pub(super) fn templates(fields: &[Field<'_>]) -> Vec<Template> {
    let mut taken = Taken::default();
    let mut templates: Vec<Template> = Vec::new();
    for field in fields {
        if let Some(mut object) = field.object() {
            let template = template(&mut object, &mut taken);
            object.finish();
            templates.push(template);
        }
    }
    templates
}

/// What a template cannot have any more.
#[derive(Default)]
struct Taken {
    names: Names,
    /// Each with the template that has it.
    destinations: BTreeMap<PathBuf, String>,
}

/// The next template.
fn template(object: &mut Object<'_>, taken: &mut Taken) -> Template {
    let name_field = object.require("name", "want what events call it, like \"nginx\"");
    let name = name_field.as_ref().and_then(Field::name).unwrap_or_default();
    if let Some(field) = name_field.filter(|_| !name.is_empty() && !taken.names.take(&name)) {
        field.refuse("is the name of another template", "want every name once");
    }
    let source = source(object);
    let destination = destination(object, &name, &source, taken).unwrap_or_default();
    let (left_delimiter, right_delimiter) = delimiters(object);
    let minimum = object.take("minimum").map_or_else(BTreeMap::new, |field| minimum(&field));
    let shrink_after = object.given("shrinkAfter");
    if let Some(field) = shrink_after.as_ref().filter(|_| minimum.is_empty()) {
        field.warn("is not used: there is no \"minimum\"");
    }
    Template {
        name,
        source,
        left_delimiter,
        right_delimiter,
        destination,
        mode: object.given("mode").and_then(|field| mode(&field)),
        user: object.take("user").and_then(|field| account(&field, "user")),
        group: object.take("group").and_then(|field| account(&field, "group")),
        wait: object.given("wait").and_then(|field| wait(&field)),
        check: object.take("check").map(|field| check(&field)),
        minimum,
        shrink_after: shrink_after.and_then(|field| field.timeout()).unwrap_or(SHRINK_AFTER),
    }
}

/// `source` or `contents`.
fn source(object: &mut Object<'_>) -> Source {
    let file = object.take("source");
    let contents = object.take("contents");
    let Some(file) = file else {
        let Some(contents) = contents else {
            let rule = "want \"source\", the file that has it, or \"contents\"";
            object.problem("the template has no text", rule);
            return Source::File(PathBuf::new());
        };
        return Source::Contents(text(&contents));
    };
    if let Some(contents) = contents {
        let fault = "stands beside \"source\", the file that has the template";
        match contents.node.value {
            // Nobody wants to read all of it.
            Value::String(_) => contents.problem(fault, "want one of the two"),
            _ => contents.refuse(fault, "want one of the two"),
        }
    }
    Source::File(path(&file).unwrap_or_default())
}

/// A string, or a list of lines.
fn text(field: &Field<'_>) -> String {
    if let Value::String(text) = &field.node.value
        && !text.is_empty()
    {
        return text.clone();
    }
    const RULE: &str = "want the text of the template, or a list of its lines";
    let lines = match &field.node.value {
        Value::Array(items) if !items.is_empty() => field.strings(),
        Value::Array(_) | Value::String(_) => {
            field.refuse("is empty", RULE);
            return String::new();
        }
        _ => {
            field.refuse("is not a text", RULE);
            return String::new();
        }
    };
    lines.iter().filter_map(Field::string).map(|line| line + "\n").collect()
}

/// The file, which is nobody else's.
fn destination(
    object: &mut Object<'_>,
    name: &str,
    source: &Source,
    taken: &mut Taken,
) -> Option<PathBuf> {
    let field = object.require("destination", "want the file that is rendered")?;
    let path = path(&field)?;
    let text = path.to_str().unwrap_or("");
    if text.ends_with('/') || text.ends_with("/.") || path.file_name().is_none() {
        field.refuse("is a folder", "want the name of a file");
    } else if matches!(source, Source::File(source) if plain(source) == plain(&path)) {
        field.refuse("is the template itself", "want another file");
    } else if let Some(other) = taken.destinations.get(&plain(&path)) {
        let fault = format!("is the destination of the template {other:?} too");
        field.refuse(&fault, "want a file for each");
    } else {
        taken.destinations.insert(plain(&path), name.to_owned());
    }
    Some(path)
}

/// A path, from the root or from where the program runs.
fn path(field: &Field<'_>) -> Option<PathBuf> {
    let text = field.string()?;
    if text.trim().is_empty() || text.contains('\0') {
        field.refuse("is no path", "want that of a file");
        return None;
    }
    Some(PathBuf::from(text))
}

/// A path in its plainest spelling, as far as that can be told without looking.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|step| *step != Component::CurDir).collect()
}

/// What opens and what closes an action.
fn delimiters(object: &mut Object<'_>) -> (String, String) {
    let [left, right] = DELIMITERS.map(str::to_owned);
    let Some(field) = object.given("delimiters") else { return (left, right) };
    let given: Vec<String> = field.strings().iter().filter_map(Field::string).collect();
    match <[String; 2]>::try_from(given) {
        Ok([left, right]) if is_delimiter(&left) && is_delimiter(&right) && left != right => {
            return (left, right);
        }
        _ => {
            let rule = "want what opens and what closes an action, like [\"<<\", \">>\"]";
            field.refuse("is not two delimiters", rule);
        }
    }
    (left, right)
}

fn is_delimiter(text: &str) -> bool {
    !text.is_empty() && !text.contains(|char: char| char.is_whitespace() || char.is_control())
}

/// Permissions. JSON5 has no octal numbers, so that a number would be another one.
fn mode(field: &Field<'_>) -> Option<u32> {
    const RULE: &str = "want octal digits in quotes, like \"0640\"";
    field.assert_kind(|kind| matches!(kind, Kind::Mode));
    let Value::String(text) = &field.node.value else {
        let digits = matches!(field.node.value, Value::Number(_)).then(|| field.scalar()).flatten();
        let digits = digits.filter(|digits| octal(digits).is_some());
        let rule = digits.map(|digits| format!("want it as text: \"0{digits}\""));
        field.refuse("is not a mode", rule.unwrap_or_else(|| RULE.into()));
        return None;
    };
    let mode = octal(text);
    if mode.is_none() {
        field.refuse("is not a mode", RULE);
    }
    mode
}

/// Three octal digits, perhaps with a zero before them.
fn octal(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('0').filter(|rest| rest.len() == 3).unwrap_or(text);
    let mode = u32::from_str_radix(digits, 8).ok()?;
    (digits.len() == 3 && !digits.starts_with('+') && mode <= ALL_PERMISSIONS).then_some(mode)
}

/// `MIN`, `MIN:MAX` or `{min, max}`; nothing is not to wait.
fn wait(field: &Field<'_>) -> Option<Wait> {
    let (min, max, place) = match &field.node.value {
        Value::Object(_) => {
            let mut object = field.object()?;
            let min = object.require("min", "want how long nothing must change, like \"2s\"");
            let max = object.given("max");
            object.finish();
            let longest = max.as_ref().and_then(|field| field.timeout());
            (min?.timeout()?, longest, max.unwrap_or(*field))
        }
        Value::String(text) if text.contains(':') => {
            let times = text.split_once(':');
            let times = times.map(|(min, max)| (duration::parse(min), duration::parse(max)));
            let Some((Ok(min), Ok(max))) = times else {
                field.refuse("is not a wait", "want \"MIN\" or \"MIN:MAX\", like \"2s:10s\"");
                return None;
            };
            (min, Some(max), *field)
        }
        _ => (field.any_duration()?, None, *field),
    };
    if min.is_zero() {
        return None;
    }
    let max = max.unwrap_or_else(|| min.saturating_mul(PATIENCE));
    if max < min {
        place.refuse(
            "ends before it begins",
            "want the longest wait to be longer than the shortest",
        );
        return None;
    }
    Some(Wait { min, max })
}

/// A command, or `{exec, timeout}`.
fn check(field: &Field<'_>) -> Check {
    let command = |field: &Field<'_>| field.command().unwrap_or_else(Command::stand_in);
    if !matches!(field.node.value, Value::Object(_)) {
        return Check { command: command(field), timeout: TIMEOUT };
    }
    let Some(mut object) = field.object() else {
        return Check { command: Command::stand_in(), timeout: TIMEOUT };
    };
    let exec = object.require("exec", "want the command that decides, \"…\" or [\"…\", \"…\"]");
    let timeout = object.given("timeout").and_then(|field| field.timeout());
    object.finish();
    Check {
        command: exec.as_ref().map_or_else(Command::stand_in, command),
        timeout: timeout.unwrap_or(TIMEOUT),
    }
}

/// Names of services, as templates ask for them, and numbers.
fn minimum(field: &Field<'_>) -> BTreeMap<String, u32> {
    let mut minimum = BTreeMap::new();
    if !matches!(field.node.value, Value::Object(_)) {
        field.refuse("is not an object", "want services and numbers, { \"web\": 2 }");
        return minimum;
    }
    for entry in field.entries() {
        let name = entry.key;
        let letter = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-');
        if name.is_empty() || !name.chars().all(letter) {
            let rule = "want its name alone, without a tag or a datacenter";
            entry.refuse_key(&format!("{name:?} is not the name of a service"), rule);
        }
        if entry.value.node.value != Value::Null && !entry.value.is_empty_string() {
            minimum.extend(entry.value.count().map(|count| (name.to_owned(), count)));
        }
    }
    minimum
}
