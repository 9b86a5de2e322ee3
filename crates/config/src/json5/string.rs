//! Strings and their escapes.

use super::{Parsed, Parser, Span, is_line_end};

impl Parser<'_> {
    pub(super) fn string(&mut self) -> Parsed<String> {
        let start = self.position;
        let quote = self.next();
        let mut string = String::new();
        loop {
            let here = self.position;
            match self.next() {
                None | Some('\n' | '\r') => {
                    // The caret under what stands on the first line.
                    let span = Span { start, end: here };
                    let fault = "this string has no end on its line";
                    let close = quote.unwrap_or('"');
                    let rule = format!("want {close} after it, or \\ before the line's end");
                    return Err(self.error(span, fault, rule));
                }
                Some('\\') => self.escape(here, &mut string)?,
                char if char == quote => return Ok(string),
                Some(char) => string.push(char),
            }
        }
    }

    /// What follows a backslash that stands at `start`.
    fn escape(&mut self, start: usize, string: &mut String) -> Parsed<()> {
        match self.next() {
            Some('b') => string.push('\u{8}'),
            Some('f') => string.push('\u{c}'),
            Some('n') => string.push('\n'),
            Some('r') => string.push('\r'),
            Some('t') => string.push('\t'),
            Some('v') => string.push('\u{b}'),
            Some('0') if !self.peek().is_some_and(|next| next.is_ascii_digit()) => {
                string.push('\0')
            }
            Some('x') => {
                let code = self.hex(start, 2)?;
                string.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some('u') => string.push(self.unicode_escape(start)?),
            Some('\r') => {
                self.eat('\n');
            }
            Some(char) if is_line_end(char) => {}
            Some(char) if char.is_ascii_digit() => {
                let fault = format!("\\{char} is not an escape");
                return Err(self.error(self.from(start), fault, "want \\\\ for a backslash"));
            }
            Some(char) => string.push(char),
            // The caller sees the end of the text and says that the string has none.
            None => {}
        }
        Ok(())
    }

    /// What follows `\u`: one code unit, or a pair of surrogates. One without its partner becomes
    /// U+FFFD, as in Go.
    pub(super) fn unicode_escape(&mut self, start: usize) -> Parsed<char> {
        let first = self.hex(start, 4)?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after_first = self.position;
        if self.eat('\\') && self.eat('u') {
            let second = self.hex(after_first, 4)?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        self.position = after_first;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self, start: usize, digits: u32) -> Parsed<u32> {
        let mut code = 0;
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|char| char.to_digit(16)) else {
                let fault = "this escape is not complete";
                let rule = format!("want {digits} hexadecimal digits, or \\\\ for a backslash");
                return Err(self.error(self.from(start), fault, rule));
            };
            code = code * 16 + digit;
            self.next();
        }
        Ok(code)
    }
}
