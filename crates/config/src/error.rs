//! What is wrong with a configuration: all of it at once, each with its place in the file.

mod excerpt;
mod mask;

use std::fmt;

use crate::{
    json5::{Position, Span},
    secrets::Secrets,
};
use excerpt::Excerpt;
pub(crate) use mask::Mask;

/// Of a text that is longer only so many characters are shown.
const LONGEST: usize = 1000;

/// Everything that is wrong with one configuration. Its display is several lines long and ends
/// without a newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    source: String,
    templated: bool,
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the configuration, `jobs[2] (db).when.timeout`; the name of a variable of the
    /// environment; empty: the file as a whole.
    pub path: String,
    /// The value that is wrong, as it is written; `None` if it is missing or must not be shown.
    pub value: Option<String>,
    /// What is wrong, naming the value.
    pub fault: String,
    /// What would be right.
    pub rule: String,
    /// Where in the rendered text; `None` if it is not about a place there.
    pub position: Option<Position>,
    excerpt: Option<Excerpt>,
}

impl Problem {
    /// A problem that is not about a place in the rendered text.
    pub(crate) fn nowhere(path: &str, fault: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            value: None,
            fault: fault.into(),
            rule: rule.into(),
            position: None,
            excerpt: None,
        }
    }

    /// The same problem without the secrets that its words quote, each of its texts on one line of
    /// reasonable length. The excerpt is so already.
    fn fit_to_show(mut self, secrets: &Secrets) -> Self {
        for text in [&mut self.path, &mut self.fault, &mut self.rule] {
            *text = one_line(&secrets.hide(text));
        }
        self.value = self.value.map(|value| secrets.hide(&value));
        self
    }

    /// The same problem, with the value that is wrong.
    pub(crate) fn with_value(self, value: Option<String>) -> Self {
        Self { value, ..self }
    }

    /// The same problem, at `span` of `text`; what `mask` knows to be secret is not shown.
    pub(crate) fn at(mut self, text: &str, span: Span, mask: &Mask) -> Self {
        self.position = Some(Position::of(text, span.start));
        self.excerpt = Some(Excerpt::new(text, span, mask));
        self
    }
}

/// What a text quotes may be as long as the file, and hold line ends and what terminals obey.
fn one_line(text: &str) -> String {
    let shown = |char: char| if char.is_control() { ' ' } else { char };
    let mut chars = text.chars().map(shown);
    let mut line: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        line.push('…');
    }
    line
}

impl Errors {
    /// All problems of one source, in the order of the text, without what must not be shown.
    pub(crate) fn new(
        source: &str,
        templated: bool,
        problems: Vec<Problem>,
        secrets: &Secrets,
    ) -> Self {
        let mut problems: Vec<Problem> =
            problems.into_iter().map(|problem| problem.fit_to_show(secrets)).collect();
        let place = |problem: &Problem| {
            problem.position.map_or((usize::MAX, 0), |position| (position.line, position.column))
        };
        problems.sort_by_key(place);
        Self { source: source.into(), templated, problems }
    }

    /// The problems, in the order of the text; at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.source)?;
            if let Some(position) = problem.position {
                write!(f, ":{}:{}", position.line, position.column)?;
            }
            if !problem.path.is_empty() {
                write!(f, ": {}", problem.path)?;
            }
            write!(f, ": {}: {}", problem.fault, problem.rule)?;
            if let (Some(position), Some(excerpt)) = (problem.position, &problem.excerpt) {
                excerpt.write(position.line, f)?;
            }
        }
        if self.templated && self.problems.iter().any(|problem| problem.position.is_some()) {
            f.write_str("\nline numbers are those of the rendered file; see it with -template")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
