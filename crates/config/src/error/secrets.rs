//! What must not be shown of a configuration, not even in an error about the value beside it.

use std::collections::BTreeMap;

use crate::json5::Span;

/// Shorter values of variables are not looked for: they would hide half of the file.
const SHORTEST: usize = 6;

/// Knows which parts of a text are secret: the values of keys called `token`, the values of
/// variables whose names speak of secrets wherever a template has put them, and passwords in URLs.
/// It reads the raw text and not its tree, for there may be no tree: tokens must not show in
/// syntax errors either.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    spans: Vec<Span>,
}

impl Mask {
    pub(crate) fn new(text: &str, environment: &BTreeMap<String, String>) -> Self {
        let mut spans = tokens(text);
        spans.extend(passwords(text));
        for (_, value) in secret_variables(environment) {
            let found = text.match_indices(value.as_str());
            spans.extend(found.map(|(start, _)| Span { start, end: start + value.len() }));
        }
        Self { spans }
    }

    /// Whether any of `span` is secret.
    pub(crate) fn hides(&self, span: Span) -> bool {
        self.spans.iter().any(|secret| secret.start < span.end && span.start < secret.end)
    }

    /// The part of the text at `span` with `*` for every secret character.
    pub(crate) fn apply(&self, text: &str, span: Span) -> String {
        let part = text.get(span.start..span.end).unwrap_or("");
        let secret = |offset: usize| {
            self.spans.iter().any(|secret| (secret.start..secret.end).contains(&offset))
        };
        let show = |(offset, char)| if secret(span.start + offset) { '*' } else { char };
        part.char_indices().map(show).collect()
    }
}

/// A message in which the values of secret variables are replaced.
pub(crate) fn without_values(message: &str, environment: &BTreeMap<String, String>) -> String {
    let mut message = message.to_owned();
    for (_, value) in secret_variables(environment) {
        message = message.replace(value, "***");
    }
    message
}

/// The variables whose names speak of secrets, and whose values are long enough to be told from
/// other words.
pub(crate) fn secret_variables(
    environment: &BTreeMap<String, String>,
) -> impl Iterator<Item = (&String, &String)> {
    environment.iter().filter(|(name, value)| value.len() >= SHORTEST && speaks_of_secrets(name))
}

fn speaks_of_secrets(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "PRIVATE", "API_KEY", "ACCESS_KEY"]
        .iter()
        .any(|word| name.contains(word))
}

/// What follows `token:`, in any of the key's forms.
fn tokens(text: &str) -> Vec<Span> {
    let lower = text.to_ascii_lowercase();
    let mut spans = Vec::new();
    for (found, word) in lower.match_indices("token") {
        let behind = found + word.len();
        let rest = text.get(behind..).unwrap_or("");
        let value = rest.trim_start_matches(['"', '\'', '\u{201c}', '\u{201d}']).trim_start();
        let Some(value) = value.strip_prefix(':').map(str::trim_start) else { continue };
        let quote = value.chars().next().filter(|char| !char.is_alphanumeric());
        let inside = quote.map_or(value, |quote| value.get(quote.len_utf8()..).unwrap_or(""));
        let is_end = |char: char| match quote {
            Some(quote) => char == quote || char == '\n',
            None => char.is_whitespace() || matches!(char, ',' | '}'),
        };
        let length = unescaped_find(inside, is_end).unwrap_or(inside.len());
        let start = text.len() - inside.len();
        spans.push(Span { start, end: start + length });
    }
    spans
}

/// The first place in `text` that `is_end` accepts and that has no backslash before it.
fn unescaped_find(text: &str, is_end: impl Fn(char) -> bool) -> Option<usize> {
    let mut escaped = false;
    for (offset, char) in text.char_indices() {
        if !escaped && is_end(char) {
            return Some(offset);
        }
        escaped = !escaped && char == '\\';
    }
    None
}

/// `PASSWORD` of `scheme://user:PASSWORD@host`.
fn passwords(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    for (found, separator) in text.match_indices("://") {
        let start = found + separator.len();
        let rest = text.get(start..).unwrap_or("");
        let length = rest
            .find(|char: char| char.is_whitespace() || matches!(char, '/' | '"' | '\'' | ','))
            .unwrap_or(rest.len());
        let authority = rest.get(..length).unwrap_or("");
        if let Some(at) = authority.rfind('@')
            && let Some(colon) = authority.find(':').filter(|colon| *colon < at)
        {
            spans.push(Span { start: start + colon + 1, end: start + at });
        }
    }
    spans
}
