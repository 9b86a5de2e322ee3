//! Tokens: the pieces of a template's text, and how error messages show them.

use crate::quote::{Escape, quote};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The text is wrong from here on; the message is the lexer's.
    Error,
    Bool,
    /// A printable ASCII character with no other role, such as a comma.
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    /// `.Name`
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    /// What lies outside the actions.
    Text,
    Variable,
    // The keywords.
    Block,
    Break,
    Continue,
    Define,
    Dot,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

/// A token: a piece of the text, by byte offsets, and the line on which it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) line: u32,
}

/// All tokens of a text. The last is `Eof`, or `Error` with a message.
pub(crate) struct Tokens {
    pub(crate) list: Vec<Token>,
    pub(crate) error: String,
}

impl Tokens {
    /// How messages show the token.
    pub(crate) fn describe(&self, token: &Token, text: &str) -> String {
        let value = text.get(token.start..token.end).unwrap_or("");
        match token.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.error.clone(),
            Kind::Block
            | Kind::Break
            | Kind::Continue
            | Kind::Define
            | Kind::Dot
            | Kind::Else
            | Kind::End
            | Kind::If
            | Kind::Nil
            | Kind::Range
            | Kind::Template
            | Kind::With => format!("<{value}>"),
            _ if value.len() > 10 => {
                let start: String = value.chars().take(10).collect();
                quote(&start, Escape::Unprintable) + "..."
            }
            _ => quote(value, Escape::Unprintable),
        }
    }
}
