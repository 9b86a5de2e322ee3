//! The two errors: of parsing a template and of executing it.

use std::fmt;

/// A template that cannot be parsed. It displays as Go's message,
/// `template: NAME:LINE: what is wrong`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError(pub(crate) Box<ParseTrouble>);

/// What is wrong with a text. In a box: nearly every function of the parser could return it, and
/// they call each other deeply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParseTrouble {
    pub(crate) message: String,
    pub(crate) line: u32,
    pub(crate) column: Option<u32>,
    pub(crate) action: String,
    pub(crate) advice: Option<String>,
}

impl ParseError {
    /// The line, counted from 1, at which parsing stopped.
    pub fn line(&self) -> u32 {
        self.0.line
    }

    /// The column in bytes, counted from 0, which Go does not tell; `None` if it is not known.
    pub fn column(&self) -> Option<u32> {
        self.0.column
    }

    /// The action that is wrong, as it is written, in one short line that is fit for a log; empty if
    /// it is none.
    pub fn action(&self) -> &str {
        &self.0.action
    }

    /// What Go does not say and would help.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    pub(crate) fn advised(mut self, advice: Option<String>) -> ParseError {
        self.0.advice = advice;
        self
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for ParseError {}

/// A template that failed while it was executed. It displays as Go's message,
/// `template: NAME:LINE:COLUMN: executing "NAME" at <.X>: what went wrong`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecError(pub(crate) Box<ExecTrouble>);

/// What went wrong. In a box: see [`ParseTrouble`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecTrouble {
    pub(crate) message: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) advice: Option<String>,
}

impl ExecError {
    /// The line, counted from 1; 0 if the error has no place in the text.
    pub fn line(&self) -> u32 {
        self.0.line
    }

    /// The column in bytes, counted from 0 as in Go's message.
    pub fn column(&self) -> u32 {
        self.0.column
    }

    /// What Go does not say and would help.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    pub(crate) fn new(message: String, line: u32, column: u32) -> ExecError {
        ExecError(Box::new(ExecTrouble { message, line, column, advice: None }))
    }

    pub(crate) fn advised(mut self, advice: Option<String>) -> ExecError {
        self.0.advice = advice;
        self
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for ExecError {}
