//! The two errors: of parsing a template and of executing it.

use std::fmt;

/// A template that cannot be parsed. It displays as Go's message,
/// `template: NAME:LINE: what is wrong`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    pub(crate) message: String,
    pub(crate) line: u32,
    pub(crate) column: Option<u32>,
}

impl ParseError {
    /// The line, counted from 1, at which parsing stopped.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column in bytes, counted from 0, which Go does not tell; `None` if it is not known.
    pub fn column(&self) -> Option<u32> {
        self.column
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

/// A template that failed while it was executed. It displays as Go's message,
/// `template: NAME:LINE:COLUMN: executing "NAME" at <.X>: what went wrong`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecError {
    pub(crate) message: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl ExecError {
    /// The line, counted from 1; 0 if the error has no place in the text.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column in bytes, counted from 0 as in Go's message.
    pub fn column(&self) -> u32 {
        self.column
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExecError {}
