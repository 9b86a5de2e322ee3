//! The line of a problem with a caret under the value.

use std::fmt;

use super::Mask;
use crate::json5::Span;

/// Longer lines are cut around the caret.
const WIDEST: usize = 120;
/// How much of a long line is kept before the caret.
const BEFORE: usize = 50;

/// One line of the text, or the part of it around a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    line: String,
    /// Characters before the caret.
    indent: usize,
    /// Length of the caret.
    width: usize,
}

impl Excerpt {
    pub(crate) fn new(text: &str, span: Span, mask: &Mask) -> Self {
        let (before, after) = text.split_at_checked(span.start).unwrap_or((text, ""));
        let before = before.rsplit('\n').next().unwrap_or("");
        let after = after.split('\n').next().unwrap_or("").trim_end();
        // Of a long line only the part around the caret is looked at.
        let is_long = before.chars().chain(after.chars()).nth(WIDEST).is_some();
        let (shown_before, shown_after) = if is_long {
            let before = last_characters(before, BEFORE);
            (before, first_characters(after, WIDEST - before.chars().count()))
        } else {
            (before, after)
        };
        let start = span.start - shown_before.len();
        let part = mask.apply(text, Span { start, end: span.start + shown_after.len() });
        let mut line: String =
            part.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        let mut indent = shown_before.chars().count();
        if shown_before.len() < before.len() {
            line.insert(0, '…');
            indent += 1;
        }
        if shown_after.len() < after.len() {
            line.push('…');
        }
        let value = shown_after.get(..span.end.saturating_sub(span.start)).unwrap_or(shown_after);
        Self { line, indent, width: value.chars().count().max(1) }
    }

    pub(crate) fn write(&self, number: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, indent, width } = self;
        let number = number.to_string();
        write!(f, "\n  {number} | {line}\n  ")?;
        write!(f, "{:1$} | {2:3$}", "", number.len(), "", *indent)?;
        (0..*width).try_for_each(|_| f.write_str("^"))
    }
}

fn first_characters(text: &str, count: usize) -> &str {
    let end = text.char_indices().nth(count).map_or(text.len(), |(offset, _)| offset);
    text.get(..end).unwrap_or(text)
}

fn last_characters(text: &str, count: usize) -> &str {
    let start =
        text.char_indices().rev().take(count).last().map_or(text.len(), |(offset, _)| offset);
    text.get(start..).unwrap_or(text)
}
