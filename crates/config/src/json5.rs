//! JSON5 into a tree in which every key and every value knows where it stands.
//!
//! Errors stop at the first: after a syntax error nothing that follows can be trusted. What is
//! said about them is written for people whose file went through a word processor, a web page or
//! a YAML habit: typographic quotes, dashes, `#` comments, durations without quotes.
//!
//! Keys given twice are kept: whether `Name` and `name` are one key is the reader's to decide.

mod number;
mod string;

#[cfg(test)]
mod tests;

/// Deeper nesting than this is refused, so that no input can exhaust the stack.
const DEEPEST: usize = 64;

/// More values than this are refused: a text of a megabyte can hold half a million, and what is
/// made of them is a thousand times larger.
const MOST: usize = 50_000;

/// A stretch of the text, in bytes; `end` is behind the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

/// Where a byte stands, counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Position {
    /// The position of byte `offset` of `text`.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count()) + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where.
    pub span: Span,
    /// What.
    pub value: Value,
}

/// A JSON5 value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string, escapes resolved.
    String(String),
    /// A list.
    Array(Vec<Node>),
    /// An object, in the file's order; keys may repeat.
    Object(Vec<Member>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The key, escapes resolved.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// What is wrong with the text's form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}: {rule}")]
pub struct SyntaxError {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub fault: String,
    /// What would be right.
    pub rule: String,
}

/// Parses a whole text.
///
/// # Errors
/// The first place that is not JSON5, or that is nested too deeply.
pub fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut parser = Parser { text, position: 0, values: 0 };
    parser.blank()?;
    if parser.peek().is_none() {
        return Err(parser.error_here(0, "the text is empty", "want an object, { … }"));
    }
    let node = parser.value(0)?;
    parser.blank()?;
    match parser.peek() {
        None => Ok(node),
        Some(other) => Err(parser.unexpected(other, "after the end of the value", "nothing more")),
    }
}

type Parsed<T> = Result<T, SyntaxError>;

struct Parser<'a> {
    text: &'a str,
    position: usize,
    /// How many values have begun.
    values: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.position += char.len_utf8();
        Some(char)
    }

    fn eat(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.position += expected.len_utf8();
        }
        found
    }

    fn from(&self, start: usize) -> Span {
        Span { start, end: self.position }
    }

    fn error(&self, span: Span, fault: impl Into<String>, rule: impl Into<String>) -> SyntaxError {
        SyntaxError { span, fault: fault.into(), rule: rule.into() }
    }

    /// An error about the next `length` bytes.
    fn error_here(&self, length: usize, fault: &str, rule: &str) -> SyntaxError {
        let span = Span { start: self.position, end: self.position + length };
        self.error(span, fault, rule)
    }

    /// An error about a character that cannot stand here.
    fn unexpected(&self, found: char, place: &str, want: &str) -> SyntaxError {
        let rule = match found {
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2018}' | '\u{2019}' | '\u{ab}'
            | '\u{bb}' => {
                return self.error_here(
                    found.len_utf8(),
                    &format!("{found} is a typographic quote"),
                    "want a straight one, \" or '",
                );
            }
            '\u{2013}' | '\u{2014}' | '\u{2212}' => {
                "want the ASCII minus sign, -, in its place".into()
            }
            '#' => "comments begin with //".into(),
            _ => format!("want {want}"),
        };
        let shown = if found.is_control() {
            format!("the character U+{:04X}", u32::from(found))
        } else {
            format!("{found:?}")
        };
        self.error_here(found.len_utf8(), &format!("{shown} cannot stand {place}"), &rule)
    }

    /// Skips white space and comments.
    fn blank(&mut self) -> Parsed<()> {
        loop {
            let rest = self.rest();
            if rest.starts_with("//") {
                self.position += rest.find(is_line_end).unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                match rest.get(2..).and_then(|inside| inside.find("*/")) {
                    Some(length) => self.position += length + 4,
                    None => {
                        return Err(self.error_here(
                            2,
                            "this comment has no end",
                            "want */ after it",
                        ));
                    }
                }
            } else if self.peek().is_some_and(|char| char.is_whitespace() || char == '\u{feff}') {
                self.next();
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Parsed<Node> {
        let start = self.position;
        if depth > DEEPEST {
            let fault = format!("lists and objects are nested more than {DEEPEST} deep");
            return Err(self.error_here(1, &fault, "want fewer levels"));
        }
        self.values += 1;
        if self.values > MOST {
            let fault = format!("there are more than {MOST} values");
            return Err(self.error_here(1, &fault, "want fewer, in all lists and objects"));
        }
        let value = match self.peek() {
            Some('{') => Value::Object(self.object(depth)?),
            Some('[') => Value::Array(self.array(depth)?),
            Some('"' | '\'') => Value::String(self.string()?),
            Some('+' | '-' | '.' | '0'..='9') => Value::Number(self.number()?),
            Some(char) if is_word_start(char) => self.word()?,
            Some(char) => return Err(self.unexpected(char, "where a value begins", "a value")),
            None => return Err(self.error_here(0, "the text ends here", "want a value")),
        };
        Ok(Node { span: self.from(start), value })
    }

    /// A value that is a word.
    fn word(&mut self) -> Parsed<Value> {
        let start = self.position;
        while self.peek().is_some_and(is_word_part) {
            self.next();
        }
        let span = self.from(start);
        let word = self.text.get(start..self.position).unwrap_or("");
        let rule = match word {
            "null" => return Ok(Value::Null),
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            "Infinity" => return Ok(Value::Number(f64::INFINITY)),
            "NaN" => return Ok(Value::Number(f64::NAN)),
            "True" | "TRUE" | "yes" | "on" => "did you mean true?".into(),
            "False" | "FALSE" | "no" | "off" => "did you mean false?".into(),
            "None" | "nil" | "NULL" | "Null" | "undefined" => "did you mean null?".into(),
            _ => format!("a string needs quotes, \"{word}\""),
        };
        Err(self.error(span, format!("{word} is not a value"), rule))
    }

    fn array(&mut self, depth: usize) -> Parsed<Vec<Node>> {
        let open = self.position;
        self.next();
        let mut items = Vec::new();
        loop {
            self.blank()?;
            if self.eat(']') {
                return Ok(items);
            }
            if self.peek().is_none() {
                return Err(self.unclosed(open, "list", ']'));
            }
            items.push(self.value(depth + 1)?);
            self.separator(open, "list", ']')?;
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Vec<Member>> {
        let open = self.position;
        self.next();
        let mut members = Vec::new();
        loop {
            self.blank()?;
            if self.eat('}') {
                return Ok(members);
            }
            let start = self.position;
            let key = self.key(open)?;
            let key_span = self.from(start);
            self.blank()?;
            if !self.eat(':') {
                return Err(match self.peek() {
                    Some(char)
                        if matches!(char, ',' | '}' | '"' | '\'' | '=') || !char.is_ascii() =>
                    {
                        self.unexpected(char, "after a key", "a colon, :")
                    }
                    Some('-') => self.error(
                        key_span,
                        "a key with a - in it stands here",
                        "want quotes around it",
                    ),
                    Some(char) => self.unexpected(char, "after a key", "a colon, :"),
                    None => self.unclosed(open, "object", '}'),
                });
            }
            self.blank()?;
            let value = self.value(depth + 1)?;
            members.push(Member { key, key_span, value });
            self.separator(open, "object", '}')?;
        }
    }

    /// The comma after an item, or the view of the closing bracket.
    fn separator(&mut self, open: usize, what: &str, close: char) -> Parsed<()> {
        self.blank()?;
        match self.peek() {
            Some(',') => {
                self.next();
                Ok(())
            }
            Some(char) if char == close => Ok(()),
            Some(char) => {
                let want = format!("a comma or {close}");
                Err(self.unexpected(char, "after a value", &want))
            }
            None => Err(self.unclosed(open, what, close)),
        }
    }

    /// The text has ended inside of what began at `open`.
    fn unclosed(&self, open: usize, what: &str, close: char) -> SyntaxError {
        let fault = format!("this {what} has no end");
        self.error(Span { start: open, end: open + 1 }, fault, format!("want {close} after it"))
    }

    fn key(&mut self, open: usize) -> Parsed<String> {
        match self.peek() {
            Some('"' | '\'') => self.string(),
            Some(char) if is_word_start(char) || char == '\\' => self.identifier(),
            Some(char) => Err(self.unexpected(char, "where a key begins", "a key or }")),
            None => Err(self.unclosed(open, "object", '}')),
        }
    }

    fn identifier(&mut self) -> Parsed<String> {
        let mut name = String::new();
        while let Some(char) = self.peek() {
            if char == '\\' {
                let start = self.position;
                self.next();
                let unescaped = if self.eat('u') { self.unicode_escape(start)? } else { '\\' };
                if !is_word_part(unescaped) {
                    let fault = "this escape cannot stand in a key without quotes";
                    return Err(self.error(self.from(start), fault, "want quotes around the key"));
                }
                name.push(unescaped);
            } else if is_word_part(char) {
                self.next();
                name.push(char);
            } else {
                break;
            }
        }
        Ok(name)
    }
}

fn is_line_end(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

fn is_word_start(char: char) -> bool {
    char.is_alphabetic() || matches!(char, '$' | '_')
}

fn is_word_part(char: char) -> bool {
    is_word_start(char) || char.is_alphanumeric() || matches!(char, '\u{200c}' | '\u{200d}')
}
