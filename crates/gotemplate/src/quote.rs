//! Go's quoted strings and characters: writing them (`%q`) and reading literals.

use std::fmt::Write as _;

/// Whether Go would show the character as it is: letters, marks, numbers, punctuation, symbols
/// and the plain space.
pub(crate) fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // The standard library keeps its table of printable characters to itself; escaping shows it.
    // The leading letter keeps a combining mark from being escaped for its own reasons.
    let mut buffer = [b'a'; 5];
    let (_, rest) = buffer.split_at_mut(1);
    let length = 1 + c.encode_utf8(rest).len();
    let text = buffer.get(..length).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or("");
    text.escape_debug().count() == 2
}

/// Which characters are written as escapes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Those that do not print.
    Unprintable,
    /// Also those outside ASCII (`%+q`).
    NonAscii,
}

/// Appends one character as it stands between `quote`s.
fn push_escaped(out: &mut String, c: char, quote: char, escape: Escape) {
    if c == quote || c == '\\' {
        out.push('\\');
        out.push(c);
        return;
    }
    if is_print(c) && (c.is_ascii() || escape == Escape::Unprintable) {
        out.push(c);
        return;
    }
    // Writing into a string cannot fail.
    let _ = match c {
        '\x07' => out.write_str("\\a"),
        '\x08' => out.write_str("\\b"),
        '\x0c' => out.write_str("\\f"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\x0b' => out.write_str("\\v"),
        '\0'..='\x1f' | '\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
        '\u{80}'..='\u{ffff}' => write!(out, "\\u{:04x}", u32::from(c)),
        _ => write!(out, "\\U{:08x}", u32::from(c)),
    };
}

/// The text as a double-quoted Go string.
pub(crate) fn quote(text: &str, escape: Escape) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    text.chars().for_each(|c| push_escaped(&mut out, c, '"', escape));
    out.push('"');
    out
}

/// The character as a single-quoted Go character.
pub(crate) fn quote_char(c: char, escape: Escape) -> String {
    let mut out = String::from("'");
    push_escaped(&mut out, c, '\'', escape);
    out.push('\'');
    out
}

/// Whether the text can stand between back quotes unchanged.
pub(crate) fn can_backquote(text: &str) -> bool {
    text.chars().all(|c| match c {
        '\t' => true,
        '`' | '\x7f' | '\u{feff}' => false,
        c => c >= ' ',
    })
}

/// The code point and the character, as `%#U` prints them.
pub(crate) fn code_point(c: char) -> String {
    if is_print(c) {
        format!("U+{:04X} '{c}'", u32::from(c))
    } else {
        format!("U+{:04X}", u32::from(c))
    }
}

/// One unit of a literal: a whole character, or one byte given by `\x` or octal digits.
enum Unit {
    Char(char),
    Byte(u8),
}

/// What Go says of a malformed literal.
const SYNTAX: &str = "invalid syntax";

/// Reads `count` digits onto the value `first`.
fn take_digits(
    rest: &mut std::str::Chars<'_>,
    count: usize,
    radix: u32,
    first: u32,
) -> Option<u32> {
    (0..count).try_fold(first, |value, _| {
        value.checked_mul(radix)?.checked_add(rest.next()?.to_digit(radix)?)
    })
}

/// Takes one character or escape from the front of `rest`.
fn take_unit(rest: &mut std::str::Chars<'_>, quote: char) -> Option<Unit> {
    let c = rest.next().filter(|c| *c != quote)?;
    if c != '\\' {
        return Some(Unit::Char(c));
    }
    let c = rest.next()?;
    Some(match c {
        'a' => Unit::Char('\x07'),
        'b' => Unit::Char('\x08'),
        'f' => Unit::Char('\x0c'),
        'n' => Unit::Char('\n'),
        'r' => Unit::Char('\r'),
        't' => Unit::Char('\t'),
        'v' => Unit::Char('\x0b'),
        '\\' => Unit::Char('\\'),
        '\'' | '"' if c == quote => Unit::Char(c),
        'x' => Unit::Byte(u8::try_from(take_digits(rest, 2, 16, 0)?).ok()?),
        'u' => Unit::Char(char::from_u32(take_digits(rest, 4, 16, 0)?)?),
        'U' => Unit::Char(char::from_u32(take_digits(rest, 8, 16, 0)?)?),
        '0'..='7' => Unit::Byte(u8::try_from(take_digits(rest, 2, 8, c.to_digit(8)?)?).ok()?),
        _ => return None,
    })
}

/// The text of a string literal in double or back quotes.
///
/// # Errors
/// Go's message if the literal is malformed; ours if its bytes are not UTF-8.
pub(crate) fn unquote(literal: &str) -> Result<String, &'static str> {
    if let Some(raw) = literal.strip_prefix('`').and_then(|l| l.strip_suffix('`')) {
        return Ok(raw.replace('\r', ""));
    }
    let inner = literal.strip_prefix('"').and_then(|l| l.strip_suffix('"')).ok_or(SYNTAX)?;
    let mut rest = inner.chars();
    let mut bytes = Vec::with_capacity(inner.len());
    while !rest.as_str().is_empty() {
        match take_unit(&mut rest, '"').ok_or(SYNTAX)? {
            Unit::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Unit::Byte(b) => bytes.push(b),
        }
    }
    String::from_utf8(bytes).map_err(|_| "string literal is not valid UTF-8")
}

/// The code point of a character literal in single quotes.
///
/// # Errors
/// Go's message if the literal is malformed.
pub(crate) fn unquote_char(literal: &str) -> Result<u32, String> {
    let inner = literal.strip_prefix('\'').ok_or(SYNTAX)?;
    let mut rest = inner.chars();
    let unit = take_unit(&mut rest, '\'').ok_or(SYNTAX)?;
    if rest.as_str() != "'" {
        return Err(format!("malformed character constant: {literal}"));
    }
    Ok(match unit {
        Unit::Char(c) => u32::from(c),
        Unit::Byte(b) => u32::from(b),
    })
}
