//! Cuts a template's text into tokens, and removes the space that trim markers ask to remove.
//!
//! The shape of tokens, and where a token starts, show in error messages; they follow Go's.

use crate::quote::{Escape, code_point, quote};
use crate::token::{Kind, Token, Tokens};

/// The delimiters, and which keywords functions hide.
pub(crate) struct Syntax<'a> {
    pub(crate) left: &'a str,
    pub(crate) right: &'a str,
    pub(crate) break_is_keyword: bool,
    pub(crate) continue_is_keyword: bool,
}

/// Cuts the whole text.
pub(crate) fn tokenize(text: &str, syntax: &Syntax<'_>) -> Tokens {
    let mut lexer = Lexer {
        text,
        syntax,
        pos: 0,
        start: 0,
        line: 1,
        counted: 0,
        parens: 0,
        tokens: Tokens { list: Vec::new(), error: String::new() },
    };
    // An error has been recorded as the last token.
    let _ = lexer.run();
    lexer.tokens
}

/// The error token has been pushed; nothing more follows.
struct Stop;

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

fn is_space(c: char) -> bool {
    SPACES.contains(&c)
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Whether the text starts with the trim marker of a left delimiter: a minus and a space.
fn has_left_trim_marker(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_space))
}

/// What follows the trim marker of a right delimiter, a space and a minus.
fn after_right_trim_marker(text: &str) -> Option<&str> {
    text.strip_prefix(is_space)?.strip_prefix('-')
}

/// The length of both kinds of trim marker.
const MARKER: usize = 2;

struct Lexer<'a> {
    text: &'a str,
    syntax: &'a Syntax<'a>,
    /// Where reading goes on.
    pos: usize,
    /// Where the current token starts.
    start: usize,
    /// The line of the offset `counted`.
    line: u32,
    counted: usize,
    parens: u32,
    tokens: Tokens,
}

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<(), Stop> {
        loop {
            let Some(offset) = self.rest().find(self.syntax.left) else {
                self.pos = self.text.len();
                if self.pos > self.start {
                    self.emit(Kind::Text);
                }
                self.emit(Kind::Eof);
                return Ok(());
            };
            let left = self.pos + offset;
            let after = left + self.syntax.left.len();
            let trim = has_left_trim_marker(self.text.get(after..).unwrap_or(""));
            let text = self.text.get(self.pos..left).unwrap_or("");
            self.pos += if trim { text.trim_end_matches(SPACES).len() } else { text.len() };
            if self.pos > self.start {
                self.emit(Kind::Text);
            }
            (self.pos, self.start) = (left, left);
            self.pos = after;
            let body = after + if trim { MARKER } else { 0 };
            if self.text.get(body..).is_some_and(|t| t.starts_with("/*")) {
                (self.pos, self.start) = (body, body);
                self.comment()?;
            } else {
                self.emit(Kind::LeftDelim);
                (self.pos, self.start) = (body, body);
                self.parens = 0;
                self.action()?;
            }
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek().is_some_and(|c| set.contains(c));
        if found {
            self.pos += 1; // All sets are ASCII.
        }
        found
    }

    fn accept_run(&mut self, set: &str) {
        while self.accept(set) {}
    }

    /// The line of the current token. Tokens start in ascending order, so each byte of the text
    /// is looked at once.
    fn start_line(&mut self) -> u32 {
        let passed = self.text.as_bytes().get(self.counted..self.start).unwrap_or(&[]);
        let newlines = passed.iter().filter(|b| **b == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        self.counted = self.start.max(self.counted);
        self.line
    }

    fn emit(&mut self, kind: Kind) {
        let line = self.start_line();
        self.tokens.list.push(Token { kind, start: self.start, end: self.pos, line });
        self.start = self.pos;
    }

    fn error(&mut self, message: impl Into<String>) -> Stop {
        self.tokens.error = message.into();
        self.emit(Kind::Error);
        Stop
    }

    /// The length of the right delimiter here, and whether a trim marker stands before it.
    fn right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if after_right_trim_marker(rest).is_some_and(|t| t.starts_with(self.syntax.right)) {
            return Some(true);
        }
        rest.starts_with(self.syntax.right).then_some(false)
    }

    fn comment(&mut self) -> Result<(), Stop> {
        self.pos += 2;
        let Some(length) = self.rest().find("*/") else {
            return Err(self.error("unclosed comment"));
        };
        self.pos += length + 2;
        let Some(trim) = self.right_delim() else {
            return Err(self.error("comment ends before closing delimiter"));
        };
        self.pos += if trim { MARKER } else { 0 } + self.syntax.right.len();
        if trim {
            self.skip_spaces();
        }
        self.start = self.pos;
        Ok(())
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.pos += rest.len() - rest.trim_start_matches(SPACES).len();
    }

    /// The inside of an action up to and including its right delimiter.
    fn action(&mut self) -> Result<(), Stop> {
        loop {
            if let Some(trim) = self.right_delim() {
                if self.parens > 0 {
                    return Err(self.error("unclosed left paren"));
                }
                if trim {
                    self.pos += MARKER;
                    self.start = self.pos;
                }
                self.pos += self.syntax.right.len();
                self.emit(Kind::RightDelim);
                if trim {
                    self.skip_spaces();
                    self.start = self.pos;
                }
                return Ok(());
            }
            let Some(c) = self.peek() else {
                return Err(self.error("unclosed action"));
            };
            self.element(c)?;
        }
    }

    /// One token inside an action; `c` is its first character.
    fn element(&mut self, c: char) -> Result<(), Stop> {
        match c {
            c if is_space(c) => self.space(),
            '"' => return self.quoted(Kind::String),
            '\'' => return self.quoted(Kind::CharConstant),
            '.' if !self
                .rest()
                .get(1..)
                .is_none_or(|t| t.is_empty() || t.starts_with(|c: char| c.is_ascii_digit())) =>
            {
                self.pos += 1;
                return self.name(Kind::Field, Kind::Dot);
            }
            '.' | '+' | '-' | '0'..='9' => return self.number(),
            '$' => {
                self.pos += 1;
                return self.name(Kind::Variable, Kind::Variable);
            }
            c if is_alphanumeric(c) => return self.identifier(),
            _ => {
                self.pos += c.len_utf8();
                return self.symbol(c);
            }
        }
        Ok(())
    }

    /// A token that its first character decides; `c` has been taken.
    fn symbol(&mut self, c: char) -> Result<(), Stop> {
        match c {
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return Err(self.error("expected :="));
                }
                self.emit(Kind::Declare);
            }
            '|' => self.emit(Kind::Pipe),
            '`' => {
                let Some(length) = self.rest().find('`') else {
                    return Err(self.error("unterminated raw quoted string"));
                };
                self.pos += length + 1;
                self.emit(Kind::RawString);
            }
            '(' => {
                self.emit(Kind::LeftParen);
                self.parens = self.parens.saturating_add(1);
            }
            ')' => {
                self.emit(Kind::RightParen);
                let Some(parens) = self.parens.checked_sub(1) else {
                    return Err(self.error(format!("unexpected right paren {}", code_point(c))));
                };
                self.parens = parens;
            }
            '!'..='~' => self.emit(Kind::Char),
            _ => {
                let shown = code_point(c);
                return Err(self.error(format!("unrecognized character in action: {shown}")));
            }
        }
        Ok(())
    }

    /// A run of spaces. The last of them may belong to the trim marker of a right delimiter.
    fn space(&mut self) {
        self.skip_spaces();
        // All spaces are one byte long.
        let last = self.pos - 1;
        let marker = after_right_trim_marker(self.text.get(last..).unwrap_or(""));
        if marker.is_some_and(|t| t.starts_with(self.syntax.right)) {
            self.pos = last;
        }
        if self.pos > self.start {
            self.emit(Kind::Space);
        }
    }

    /// A string or character constant; whether its escapes are right is not looked at here.
    fn quoted(&mut self, kind: Kind) -> Result<(), Stop> {
        let quote = self.next();
        loop {
            let mut c = self.next();
            let escaped = c == Some('\\');
            if escaped {
                c = self.next();
            }
            if c.is_none() || c == Some('\n') {
                return Err(self.error(if kind == Kind::String {
                    "unterminated quoted string"
                } else {
                    "unterminated character constant"
                }));
            }
            if c == quote && !escaped {
                self.emit(kind);
                return Ok(());
            }
        }
    }

    /// Whether what comes next may follow a name.
    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) => is_space(c) || self.rest().starts_with(self.syntax.right),
        }
    }

    fn alphanumerics(&mut self) -> Result<(), Stop> {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        if self.at_terminator() {
            return Ok(());
        }
        let shown = self.peek().map(code_point).unwrap_or_default();
        Err(self.error(format!("bad character {shown}")))
    }

    /// A field or variable, whose dot or dollar has been taken.
    fn name(&mut self, kind: Kind, alone: Kind) -> Result<(), Stop> {
        if self.at_terminator() {
            self.emit(alone);
            return Ok(());
        }
        self.alphanumerics()?;
        self.emit(kind);
        Ok(())
    }

    fn identifier(&mut self) -> Result<(), Stop> {
        self.alphanumerics()?;
        let kind = match self.text.get(self.start..self.pos).unwrap_or("") {
            "true" | "false" => Kind::Bool,
            "block" => Kind::Block,
            "break" if self.syntax.break_is_keyword => Kind::Break,
            "continue" if self.syntax.continue_is_keyword => Kind::Continue,
            "define" => Kind::Define,
            "else" => Kind::Else,
            "end" => Kind::End,
            "if" => Kind::If,
            "nil" => Kind::Nil,
            "range" => Kind::Range,
            "template" => Kind::Template,
            "with" => Kind::With,
            _ => Kind::Identifier,
        };
        self.emit(kind);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Stop> {
        let mut kind = Kind::Number;
        let mut good = self.scan_number();
        if good && self.peek().is_some_and(|c| c == '+' || c == '-') {
            kind = Kind::Complex;
            good =
                self.scan_number() && self.text.get(..self.pos).is_some_and(|t| t.ends_with('i'));
        }
        if !good {
            let text =
                quote(self.text.get(self.start..self.pos).unwrap_or(""), Escape::Unprintable);
            return Err(self.error(format!("bad number syntax: {text}")));
        }
        self.emit(kind);
        Ok(())
    }

    /// Takes what looks like a number; the parser has a closer look.
    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }
}
