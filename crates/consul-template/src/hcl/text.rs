//! Texts: in quotes, and as heredocs.

use super::{Lost, Parser};

impl Parser<'_> {
    /// A text in quotes. Of `${…}` every character is meant as it stands, quotes too. `None`: an
    /// escape in it is none, which has been told.
    pub(super) fn string(&mut self) -> Result<Option<String>, Lost> {
        let start = self.position;
        self.eat('"');
        let mut text = String::new();
        let mut is_good = true;
        // How many braces of `${` are open.
        let mut braces = 0_usize;
        loop {
            let at = self.position;
            let Some(char) = self.peek() else {
                return self.lost(start, "the text does not end: want \" behind it");
            };
            self.go(at + char.len_utf8());
            match char {
                '"' if braces == 0 => return Ok(is_good.then_some(text)),
                '\n' if braces == 0 => {
                    let rule = "want \" before the end of the line, \\n for one, or <<END";
                    return self.lost(start, format!("the text does not end: {rule}"));
                }
                '\\' if braces == 0 => match self.escape() {
                    Some(char) => text.push(char),
                    None => {
                        let rule = "want \\n, \\t, \\\", \\\\ or \\u and four digits";
                        self.error(at, format!("the \\ begins no escape: {rule}"));
                        is_good = false;
                    }
                },
                '$' if braces == 0 && self.eat('{') => {
                    text.push_str("${");
                    braces = 1;
                }
                char => {
                    match char {
                        '{' if braces > 0 => braces += 1,
                        '}' if braces > 0 => braces -= 1,
                        _ => {}
                    }
                    text.push(char);
                }
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.eat(char);
        match char {
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '\\' | '"' => Some(char),
            'x' => self.code(2, 16),
            'u' => self.code(4, 16),
            'U' => self.code(8, 16),
            '0'..='7' => {
                self.position -= 1;
                self.code(3, 8)
            }
            _ => None,
        }
    }

    /// A character by its number, which has so many digits.
    fn code(&mut self, digits: usize, radix: u32) -> Option<char> {
        let written = self.rest().get(..digits)?;
        if !written.chars().all(|char| char.is_digit(radix)) {
            return None;
        }
        self.go(self.position + digits);
        char::from_u32(u32::from_str_radix(written, radix).ok()?)
    }

    /// `<<END` or `<<-END`, and the lines to the one that is END alone, blanks before it or not. The
    /// second form loses the blanks of that line before each, if all have them. `None`: what stands
    /// here is neither, which has been told.
    pub(super) fn heredoc(&mut self) -> Result<Option<String>, Lost> {
        let start = self.position;
        let rest = self.rest();
        let (head, body) = rest.split_once('\n').unwrap_or((rest, ""));
        let marker = head.trim_end_matches('\r').strip_prefix("<<").unwrap_or("");
        let (is_indented, marker) = match marker.strip_prefix('-') {
            Some(marker) => (true, marker),
            None => (false, marker),
        };
        if marker.is_empty() || !marker.chars().all(|char| char.is_alphanumeric() || char == '_') {
            let rule = "want <<END or <<-END at the end of the line";
            return self.lost(start, format!("the text has no name for its end: {rule}"));
        }
        let mut length = 0;
        for line in body.split_inclusive('\n') {
            let end = line.trim_end_matches(['\r', '\n']);
            if end.trim_start() == marker {
                self.go(start + head.len() + 1 + length + end.len());
                let lines = body.get(..length).unwrap_or("");
                let blanks = end.strip_suffix(marker).unwrap_or("");
                return Ok(Some(if is_indented { unindent(lines, blanks) } else { lines.into() }));
            }
            length += line.len();
        }
        self.lost(start, format!("the text does not end: want a line that is {marker} alone"))
    }
}

fn unindent(lines: &str, blanks: &str) -> String {
    let without: Option<Vec<&str>> =
        lines.split_inclusive('\n').map(|line| line.strip_prefix(blanks)).collect();
    without.map_or_else(|| lines.to_owned(), |lines| lines.concat())
}
