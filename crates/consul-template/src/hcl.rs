//! HCL into the tree that JSON is read into, so that one reader serves both.
//!
//! The files are of HCL's first version, in which `${…}` is text like any other, settings need no
//! line of their own and names may stand in quotes. The parsers that are kept know the second
//! version, which is another language in these points.
//!
//! A value that is wrong is passed over, and what follows is read; after a mistake in the structure
//! nothing that follows can be trusted.

use std::borrow::Cow;

use config::json5::{Member, Node, Span, Value};

mod text;

#[cfg(test)]
mod tests;

/// Deeper nesting than this is refused, so that no input can exhaust the stack.
const DEEPEST: usize = 64;

/// More mistakes than this are not told.
const MOST: usize = 100;

/// One thing that is no HCL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// Where, in bytes.
    pub(crate) offset: usize,
    /// What is wrong, and what would be right.
    pub(crate) message: String,
}

/// Reads a file. Blocks are objects; those of one name stand beside each other. What is wrong is in
/// the list, and the tree is without it.
pub(crate) fn parse(text: &str) -> (Node, Vec<SyntaxError>) {
    let mut parser = Parser { text, position: 0, errors: Vec::new() };
    let members = parser.members(None, 0);
    let errors = parser.errors;
    let span = Span { start: 0, end: text.len() };
    (Node { span, value: Value::Object(members) }, errors)
}

/// The structure is wrong, which has been told: there is no going on.
struct Lost;

struct Parser<'a> {
    text: &'a str,
    position: usize,
    errors: Vec<SyntaxError>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.position += expected.len_utf8();
        }
        found
    }

    /// Goes to this place, which is between two characters and not before where we are.
    fn go(&mut self, position: usize) {
        self.position = position.min(self.text.len());
    }

    fn from(&self, start: usize) -> Span {
        Span { start, end: self.position }
    }

    fn error(&mut self, offset: usize, message: impl Into<String>) {
        if self.errors.len() < MOST {
            self.errors.push(SyntaxError { offset, message: message.into() });
        }
    }

    fn lost<T>(&mut self, offset: usize, message: impl Into<String>) -> Result<T, Lost> {
        self.error(offset, message);
        Err(Lost)
    }

    /// What stands here, for a message.
    fn found(&self) -> String {
        match self.peek() {
            None => "the end of the file".to_owned(),
            Some('\n' | '\r') => "the end of the line".to_owned(),
            Some(char) if char.is_control() => format!("the character U+{:04X}", u32::from(char)),
            Some(char) => format!("{char:?}"),
        }
    }

    /// Skips white space and comments.
    fn blank(&mut self) -> Result<(), Lost> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']);
            self.go(self.position + rest.len() - trimmed.len());
            if trimmed.starts_with('#') || trimmed.starts_with("//") {
                let line = trimmed.find('\n').unwrap_or(trimmed.len());
                self.go(self.position + line);
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                let Some(end) = comment.find("*/") else {
                    return self.lost(self.position, "the comment does not end: want */ behind it");
                };
                self.go(self.position + end + 4);
            } else {
                return Ok(());
            }
        }
    }

    /// The settings of the file, or of the block that was opened there, to its end.
    fn members(&mut self, opened: Option<usize>, depth: usize) -> Vec<Member> {
        let mut members = Vec::new();
        loop {
            match self.member(opened, depth) {
                Ok(Some(member)) => members.extend(member),
                Ok(None) => return members,
                Err(Lost) => {
                    self.go(self.text.len());
                    return members;
                }
            }
        }
    }

    /// The next setting; `Some(None)`: one that is wrong; `None`: there is no other.
    fn member(
        &mut self,
        opened: Option<usize>,
        depth: usize,
    ) -> Result<Option<Option<Member>>, Lost> {
        self.blank()?;
        if self.eat(',') {
            return Ok(Some(None));
        }
        match (self.peek(), opened) {
            (None, None) => return Ok(None),
            // After a mistake everything that was open does not end.
            (None, Some(_)) if !self.errors.is_empty() => return Ok(None),
            (None, Some(opened)) => {
                return self.lost(opened, "the { has no }: want one at the end of the block");
            }
            (Some('}'), Some(_)) => {
                self.eat('}');
                return Ok(None);
            }
            (Some('}'), None) => {
                return self.lost(self.position, "the } has no {: want as many of both");
            }
            (Some(_), _) => {}
        }
        let start = self.position;
        let key = self.key()?;
        let key_span = self.from(start);
        self.blank()?;
        let is_word = |char: char| char == '"' || is_first_of_name(char);
        if self.peek().is_some_and(is_word) {
            return self.label(&key, depth).map(|()| Some(None));
        }
        let value = if self.peek() == Some('{') {
            self.value(depth)?
        } else if self.eat('=') {
            self.blank()?;
            self.value(depth)?
        } else {
            let (found, key) = (self.found(), shown(&key));
            let message =
                format!("{found} cannot stand behind {key}: want {key} = VALUE or {key} {{ … }}");
            return self.lost(self.position, message);
        };
        Ok(Some(value.map(|value| Member { key, key_span, value })))
    }

    /// The name of a setting, in quotes or not.
    fn key(&mut self) -> Result<String, Lost> {
        let start = self.position;
        if self.peek() == Some('"') {
            return match self.string()? {
                Some(name) => Ok(name),
                None => Ok(String::new()),
            };
        }
        if !self.peek().is_some_and(is_first_of_name) {
            let message = format!("{} cannot stand here: want the name of a setting", self.found());
            return self.lost(start, message);
        }
        Ok(self.word().to_owned())
    }

    /// A block with a name, which none of ours has.
    fn label(&mut self, key: &str, depth: usize) -> Result<(), Lost> {
        let start = self.position;
        self.key()?;
        self.blank()?;
        let key = shown(key);
        if self.peek() != Some('{') {
            let message = format!("is no value of {key}: want {key} = VALUE or {key} {{ … }}");
            return self.lost(start, message);
        }
        self.error(start, format!("{key} has a name: want {key} {{ … }} without one"));
        self.value(depth).map(drop)
    }

    /// Letters, digits and what may stand between them.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|char: char| !is_in_name(char)).unwrap_or(rest.len());
        self.go(self.position + length);
        rest.get(..length).unwrap_or("")
    }

    /// A value; `None`: it is wrong, and we are behind it.
    fn value(&mut self, depth: usize) -> Result<Option<Node>, Lost> {
        let start = self.position;
        if depth > DEEPEST {
            let message = format!("is nested too deeply: want at most {DEEPEST} levels");
            return self.lost(start, message);
        }
        let value = match self.peek() {
            Some('{') => {
                self.eat('{');
                Some(Value::Object(self.members(Some(start), depth + 1)))
            }
            Some('[') => Some(self.list(depth)?),
            Some('"') => self.string()?.map(Value::String),
            Some('<') => self.heredoc()?.map(Value::String),
            Some(char) if char.is_ascii_digit() || matches!(char, '-' | '+' | '.') => self.number(),
            Some(char) if is_first_of_name(char) => match self.word() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                word => {
                    self.error(start, format!("{word} is no value: want it in double quotes"));
                    None
                }
            },
            _ => {
                let message = format!(
                    "{} is no value: want text in double quotes, a number, true, false, [ … ] or \
                     {{ … }}",
                    self.found()
                );
                return self.lost(start, message);
            }
        };
        let span = self.from(start);
        Ok(value.map(|value| Node { span, value }))
    }

    fn list(&mut self, depth: usize) -> Result<Value, Lost> {
        let start = self.position;
        self.eat('[');
        let mut items = Vec::new();
        loop {
            self.blank()?;
            if self.eat(']') {
                return Ok(Value::Array(items));
            }
            items.extend(self.value(depth + 1)?);
            self.blank()?;
            match self.peek() {
                Some(',') => {
                    self.eat(',');
                }
                Some(']') => {}
                None => return self.lost(start, "the [ has no ]: want one at the end of the list"),
                Some(_) => {
                    let message = format!("{} cannot stand in a list: want , or ]", self.found());
                    return self.lost(self.position, message);
                }
            }
        }
    }

    /// A number in decimal, in octal with a zero before it, or in hexadecimal.
    fn number(&mut self) -> Option<Value> {
        let start = self.position;
        let rest = self.rest();
        let is_in = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '+' | '.');
        let length = rest.find(|char: char| !is_in(char)).unwrap_or(rest.len());
        self.go(start + length);
        let written = rest.get(..length).unwrap_or("");
        let (sign, digits) = match written.strip_prefix('-') {
            Some(digits) => (-1.0, digits),
            None => (1.0, written),
        };
        let radix = |digits, radix| i64::from_str_radix(digits, radix).ok().map(|n| n as f64);
        let is_octal = digits.len() > 1 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
            Some(digits) => radix(digits, 16),
            None if is_octal && digits.starts_with('0') => radix(digits, 8),
            None => digits.parse().ok().filter(|_| !digits.starts_with(['+', '-'])),
        };
        match number {
            Some(number) => Some(Value::Number(sign * number)),
            None => {
                let message =
                    format!("{written} is no number: want digits, or text in double quotes");
                self.error(start, message);
                None
            }
        }
    }
}

/// The name of a setting for a message: as it is, if it could stand without quotes. Others may do
/// something to a terminal.
fn shown(key: &str) -> Cow<'_, str> {
    match !key.is_empty() && key.chars().all(is_in_name) {
        true => Cow::Borrowed(key),
        false => Cow::Owned(format!("{key:?}")),
    }
}

/// What may stand in the name of a setting.
fn is_in_name(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '-' | '.')
}

/// What the name of a setting begins with.
fn is_first_of_name(char: char) -> bool {
    char.is_alphabetic() || char == '_'
}
