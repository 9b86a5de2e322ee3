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
        let start = text.get(..span.start).unwrap_or(text);
        let line_start = start.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = text.get(line_start..).unwrap_or("");
        let line_end = line_start + rest.find('\n').unwrap_or(rest.len());
        let characters = |from: usize, to: usize| {
            text.get(from..to.max(from)).map_or(0, |part| part.chars().count())
        };
        let mut indent = characters(line_start, span.start);
        let mut width = characters(span.start, span.end.min(line_end)).max(1);
        let shown = |char: char| if char.is_control() { ' ' } else { char };
        let masked = mask.apply(text, Span { start: line_start, end: line_end });
        let mut line: Vec<char> = masked.trim_end().chars().map(shown).collect();
        if line.len() > WIDEST {
            let cut = indent.saturating_sub(BEFORE);
            let mut window: Vec<char> = line.iter().skip(cut).take(WIDEST).copied().collect();
            if cut + window.len() < line.len() {
                window.push('…');
            }
            indent -= cut;
            if cut > 0 {
                window.insert(0, '…');
                indent += 1;
            }
            width = width.min(window.len().saturating_sub(indent).max(1));
            line = window;
        }
        Self { line: line.into_iter().collect(), indent, width }
    }

    pub(crate) fn write(&self, number: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, indent, width } = self;
        let number = number.to_string();
        write!(f, "\n  {number} | {line}\n  ")?;
        write!(f, "{:1$} | {2:3$}", "", number.len(), "", *indent)?;
        (0..*width).try_for_each(|_| f.write_str("^"))
    }
}
