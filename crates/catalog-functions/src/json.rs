//! JSON as Go's `encoding/json` reads and writes it, to the letter of its errors.

use std::fmt::Write as _;

use gotemplate::{Map, Type, Value};

use crate::{
    LIMITS,
    depth::{DEEPEST, too_deep},
};

/// Reads one value.
///
/// # Errors
/// Go's message; ours if it is nested too deeply.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.value()?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(byte) => Err(unexpected(byte, "after top-level value")),
    }
}

const END: &str = "unexpected end of JSON input";

/// Go names bytes, as if each were a character.
fn unexpected(byte: u8, place: &str) -> String {
    let shown = match byte {
        b'\'' => r"\'".to_owned(),
        b'"' => "\"".to_owned(),
        b'\n' => "\\n".to_owned(),
        b'\r' => "\\r".to_owned(),
        b'\t' => "\\t".to_owned(),
        b'\\' => "\\\\".to_owned(),
        0x07 => "\\a".to_owned(),
        0x08 => "\\b".to_owned(),
        0x0b => "\\v".to_owned(),
        0x0c => "\\f".to_owned(),
        0..0x20 | 0x7f => format!("\\x{byte:02x}"),
        0x80..=0xa0 | 0xad => format!("\\u00{byte:02x}"),
        byte => char::from(byte).to_string(),
    };
    format!("invalid character '{shown}' {place}")
}

/// The text ends within a word: Go takes the end for a space.
fn cut_off(place: &str) -> String {
    unexpected(b' ', place)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte that is not white space.
    fn token(&mut self) -> Result<u8, String> {
        self.space();
        self.peek().ok_or_else(|| END.to_owned())
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.token()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.string().map(Value::from),
            b't' => self.literal("true", true.into()),
            b'f' => self.literal("false", false.into()),
            b'n' => self.literal("null", Value::Nil),
            b'-' | b'0'..=b'9' => self.number(),
            byte => Err(unexpected(byte, "looking for beginning of value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, String>) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(too_deep());
        }
        self.at += 1;
        let value = read(self)?;
        self.at += 1;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, String> {
        let mut map = Map::new(Type::Any);
        if self.token()? == b'}' {
            return Ok(map.into());
        }
        loop {
            match self.token()? {
                b'"' => {}
                byte => return Err(unexpected(byte, "looking for beginning of object key string")),
            }
            let key = self.string()?;
            match self.token()? {
                b':' => self.at += 1,
                byte => return Err(unexpected(byte, "after object key")),
            }
            let value = self.value()?;
            map.insert(key, value);
            match self.token()? {
                b',' => self.at += 1,
                b'}' => return Ok(map.into()),
                byte => return Err(unexpected(byte, "after object key:value pair")),
            }
        }
    }

    fn array(&mut self) -> Result<Value, String> {
        let mut items: Vec<Value> = Vec::new();
        if self.token()? == b']' {
            return Ok(items.into());
        }
        loop {
            items.push(self.value()?);
            match self.token()? {
                b',' => self.at += 1,
                b']' => return Ok(items.into()),
                byte => return Err(unexpected(byte, "after array element")),
            }
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for expected in word.chars() {
            match self.peek() {
                Some(byte) if char::from(byte) == expected => self.at += 1,
                Some(byte) => {
                    let place = format!("in literal {word} (expecting '{expected}')");
                    return Err(unexpected(byte, &place));
                }
                None => {
                    return Err(cut_off(&format!("in literal {word} (expecting '{expected}')")));
                }
            }
        }
        Ok(value)
    }

    fn digits(&mut self, place: &str) -> Result<(), String> {
        match self.peek() {
            Some(b'0'..=b'9') => {}
            Some(byte) => return Err(unexpected(byte, place)),
            None => return Err(cut_off(place)),
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = self.text.get(start..self.at).unwrap_or("");
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number.into()),
            _ => Err(format!("json: cannot unmarshal number {text} into Go value of type float64")),
        }
    }

    /// A string, from quote to quote.
    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or("");
            let plain = rest.find(|c| c == '"' || c == '\\' || c < ' ').ok_or(END)?;
            string.push_str(rest.get(..plain).unwrap_or(""));
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let escaped = self.escape()?;
                    string.push(escaped);
                }
                Some(byte) => return Err(unexpected(byte, "in string literal")),
                None => return Err(END.to_owned()),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, String> {
        let byte = self.peek().ok_or_else(|| cut_off("in string escape code"))?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.hexadecimal()?;
                if !(0xd800..0xe000).contains(&unit) {
                    return Ok(char::from_u32(unit).unwrap_or('\u{fffd}'));
                }
                // Two halves are one character; one half alone is none.
                let low = self.text.get(self.at..).and_then(|rest| rest.strip_prefix("\\u"));
                let low = low.and_then(|rest| u32::from_str_radix(rest.get(..4)?, 16).ok());
                match low {
                    Some(low @ 0xdc00..0xe000) if unit < 0xdc00 => {
                        self.at += 6;
                        let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        char::from_u32(code).unwrap_or('\u{fffd}')
                    }
                    _ => '\u{fffd}',
                }
            }
            byte => return Err(unexpected(byte, "in string escape code")),
        })
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        const PLACE: &str = "in \\u hexadecimal character escape";
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.peek().ok_or_else(|| cut_off(PLACE))?;
            let digit = char::from(byte).to_digit(16);
            let digit = digit.ok_or_else(|| unexpected(byte, PLACE))?;
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }
}

/// How JSON is written.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    /// Safe within HTML, as Go does it unless it is told not to.
    pub(crate) for_html: bool,
    /// Each entry on a line of its own.
    pub(crate) pretty: bool,
}

/// Writes one value.
///
/// # Errors
/// Go's message for what JSON cannot say; ours if it is too much.
pub(crate) fn write(value: &Value, style: Style) -> Result<String, String> {
    let mut writer = Writer { out: String::new(), style, depth: 0 };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    style: Style,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), String> {
        if self.out.len() > LIMITS.made {
            return Err(format!("makes too much text: more than {} bytes", LIMITS.made));
        }
        match value {
            Value::Nil => self.out.push_str("null"),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Int(number) => self.display(number),
            Value::Uint(number) => self.display(number),
            Value::Float(number) => self.float(*number)?,
            Value::String(text) => self.string(text),
            Value::List(list) => self.list(list.items())?,
            Value::Map(map) => {
                self.entries('{', '}', map.iter(), |writer, (key, value)| {
                    writer.key(key);
                    writer.value(value)
                })?;
            }
            Value::Func(_) => return Err(format!("json: unsupported type: {}", value.type_name())),
            Value::Object(object) => {
                if let Some(list) = object.as_list() {
                    return self.list(list.items());
                }
                let names = object.field_names();
                self.entries('{', '}', names.iter(), |writer, name| {
                    // A field that cannot be had is a method that fails.
                    let field = match object.method(name) {
                        Some(_) => object.call_method(name, &[])?,
                        None => object.field(name).unwrap_or_default(),
                    };
                    writer.key(name);
                    writer.value(&field)
                })?;
            }
        }
        Ok(())
    }

    fn list(&mut self, items: &[Value]) -> Result<(), String> {
        self.entries('[', ']', items.iter(), Writer::value)
    }

    fn entries<T>(
        &mut self,
        open: char,
        close: char,
        entries: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Writer, T) -> Result<(), String>,
    ) -> Result<(), String> {
        self.depth += 1;
        // Objects add a few levels to what values may have.
        if self.depth > 2 * DEEPEST {
            return Err(too_deep());
        }
        self.out.push(open);
        let mut empty = true;
        for entry in entries {
            if !empty {
                self.out.push(',');
            }
            empty = false;
            self.line();
            write(self, entry)?;
        }
        self.depth -= 1;
        if !empty {
            self.line();
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if self.style.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn key(&mut self, key: &str) {
        self.string(key);
        self.out.push_str(if self.style.pretty { ": " } else { ":" });
    }

    fn display(&mut self, number: impl std::fmt::Display) {
        // Writing into a string cannot fail.
        let _ = write!(self.out, "{number}");
    }

    fn float(&mut self, number: f64) -> Result<(), String> {
        if !number.is_finite() {
            let shown = if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            return Err(format!("json: unsupported value: {shown}"));
        }
        let size = number.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let text = format!("{number:e}");
            // Go writes the sign of a positive exponent.
            self.out.push_str(&if size < 1.0 { text } else { text.replace('e', "e+") });
        } else {
            self.display(number);
        }
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for letter in text.chars() {
            match letter {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\0'..' ' | '\u{2028}' | '\u{2029}' => self.code(letter),
                '<' | '>' | '&' if self.style.for_html => self.code(letter),
                letter => self.out.push(letter),
            }
        }
        self.out.push('"');
    }

    fn code(&mut self, letter: char) {
        let _ = write!(self.out, "\\u{:04x}", u32::from(letter));
    }
}
