//! What must not be shown of the text, not even in an error about the value beside it.

use std::collections::BTreeMap;

use crate::{
    json5::Span,
    secrets::{ENDS, Secrets, WORDS, speaks_of_a_file},
};

/// Knows which parts of a text are secret: the values of keys that speak of secrets (`token`), those
/// of variables whose names do so, wherever a template has put them, and passwords in URLs.
/// It reads the raw text and not its tree, for there may be no tree: tokens must not show in
/// syntax errors either.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    /// In order; no two touch.
    spans: Vec<Span>,
}

impl Mask {
    pub(crate) fn new(text: &str, environment: &BTreeMap<String, String>) -> Self {
        let mut found = values(text);
        found.extend(passwords(text));
        found.extend(Secrets::of(environment).places(text));
        found.sort_unstable_by_key(|span| span.start);
        let mut spans: Vec<Span> = Vec::new();
        for span in found {
            match spans.last_mut().filter(|last| span.start <= last.end) {
                Some(last) => last.end = last.end.max(span.end),
                None => spans.push(span),
            }
        }
        Self { spans }
    }

    /// Whether any of `span` is secret.
    pub(crate) fn hides(&self, span: Span) -> bool {
        self.behind(span.start).first().is_some_and(|secret| secret.start < span.end)
    }

    /// The part of the text at `span` with `*` for every secret character.
    pub(crate) fn apply(&self, text: &str, span: Span) -> String {
        let part = text.get(span.start..span.end).unwrap_or("");
        let mut secrets = self.behind(span.start).iter().peekable();
        let show = |(offset, char)| {
            let offset = span.start + offset;
            while secrets.next_if(|secret| secret.end <= offset).is_some() {}
            if secrets.peek().is_some_and(|secret| secret.start <= offset) { '*' } else { char }
        };
        part.char_indices().map(show).collect()
    }

    /// What is secret and ends behind `offset`.
    fn behind(&self, offset: usize) -> &[Span] {
        let first = self.spans.partition_point(|span| span.end <= offset);
        self.spans.get(first..).unwrap_or(&[])
    }
}

/// What follows `token:` or `DB_PASSWORD_2:`, in any of the key's forms; not what follows
/// `tokenFile:`.
fn values(text: &str) -> Vec<Span> {
    let lower = text.to_ascii_lowercase();
    let mut spans = Vec::new();
    for word in WORDS.iter().chain(&ENDS) {
        // One key may hold a word very often, and so may what is no value of its own.
        let mut key_end = 0;
        let mut bare = Span::default();
        for (found, _) in lower.match_indices(word) {
            if found >= key_end {
                let rest = text.get(found..).unwrap_or("");
                key_end = text.len() - rest.trim_start_matches(is_in_key).len();
            }
            if lower.get(found..key_end).is_some_and(speaks_of_a_file) {
                continue;
            }
            let rest = text.get(key_end..).unwrap_or("");
            let value = rest.trim_start_matches(['"', '\'', '\u{201c}', '\u{201d}']).trim_start();
            let Some(value) = value.strip_prefix(':').map(str::trim_start) else { continue };
            let quote = value.chars().next().filter(|char| !char.is_alphanumeric());
            let inside = quote.map_or(value, |quote| value.get(quote.len_utf8()..).unwrap_or(""));
            let start = text.len() - inside.len();
            let is_end = |char: char| match quote {
                Some(quote) => char == quote || char == '\n',
                None => char.is_whitespace() || matches!(char, ',' | '}'),
            };
            if quote.is_none() && (bare.start..bare.end).contains(&start) {
                continue;
            }
            let length = unescaped_find(inside, is_end).unwrap_or(inside.len());
            let span = Span { start, end: start + length };
            if quote.is_none() {
                bare = span;
            }
            spans.push(span);
        }
    }
    spans
}

fn is_in_key(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.')
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
