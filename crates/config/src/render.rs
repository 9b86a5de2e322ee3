//! Go templates over the environment.
//!
//! The environment is a `map[string]string`: a missing variable is the empty string. Besides
//! Go's own functions there are those of the originals, their argument orders made for pipes:
//! `default`, `split`, `join`, `replaceAll`, `regexReplaceAll`, and 3.x's `env` and `loop`.

mod functions;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, rc::Rc};

use gotemplate::{Limits, Map, MissingKey, Options, Template, Value};

use crate::source::LONGEST;

/// What rendering may take: a slip in a template must neither hold up the start nor exhaust the
/// memory. A hundred times of what the largest of files need. The result may be as long as a file.
const LIMITS: Limits = Limits { steps: 4_000_000, output: LONGEST, made: 16 << 20 };

/// A template that cannot be parsed or executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}{}", .advice.as_ref().map(|it| format!(": {it}")).unwrap_or_default())]
pub struct Error {
    /// What is wrong, in the words of Go's `text/template`.
    pub message: String,
    /// What these do not say, if that is known.
    pub advice: Option<String>,
    /// The line of the template, counted from 1.
    pub line: usize,
    /// The byte of that line, counted from 0; `None` if it is not known.
    pub column: Option<usize>,
}

/// Renders a text with the environment as its data; a missing variable renders as nothing.
///
/// # Errors
/// The template is not well-formed, or something in it fails.
pub fn render(text: &str, environment: &BTreeMap<String, String>) -> Result<String, Error> {
    // Most texts have no templates, and start-up time counts.
    if !text.contains("{{") {
        return Ok(text.into());
    }
    let environment = Map::of_strings(environment.iter().map(|(name, value)| (&**name, &**value)));
    let environment = Rc::new(environment);
    let functions = functions::functions(&environment);
    let options = Options { missing_key: MissingKey::Zero, limits: LIMITS, ..Options::default() };
    let template = Template::parse_with("config", text, &functions, &options).map_err(|error| {
        let advice = error.advice().map(str::to_owned);
        Error { message: bare(&error.to_string()), advice, line: line(error.line()), column: None }
    })?;
    template.execute(&Value::Map(environment)).map_err(|error| Error {
        message: bare(&error.to_string()),
        advice: error.advice().map(str::to_owned),
        line: line(error.line()),
        column: usize::try_from(error.column()).ok(),
    })
}

fn line(line: u32) -> usize {
    usize::try_from(line).unwrap_or(1).max(1)
}

/// Go's message without the place, `template: config:1:2: `, which [`Error`] says by itself.
fn bare(message: &str) -> String {
    let place = |char: char| char.is_ascii_digit() || char == ':';
    match message.strip_prefix("template: config:") {
        Some(rest) => rest.trim_start_matches(place).trim_start().into(),
        None => message.into(),
    }
}
