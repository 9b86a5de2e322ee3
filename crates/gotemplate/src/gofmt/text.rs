//! The flags of a verb, and how integers and strings look under them.

use super::float;
use crate::quote::{Escape, can_backquote, code_point, quote, quote_char};

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%+v`, which then no longer asks for signs.
    pub(super) plus_v: bool,
    /// `%#v`: Go syntax.
    pub(super) sharp_v: bool,
}

impl Flags {
    fn fill(&self, out: &mut String, count: usize) {
        let fill = if self.zero { '0' } else { ' ' };
        out.extend(std::iter::repeat_n(fill, count));
    }

    /// Appends the text, filled up to the width.
    pub(super) fn pad(&self, out: &mut String, text: &str) {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        if self.minus {
            out.push_str(text);
            self.fill(out, missing);
        } else {
            self.fill(out, missing);
            out.push_str(text);
        }
    }

    /// Appends the text, filled up with spaces even where zeros are asked for.
    fn pad_spaces(&self, out: &mut String, text: &str) {
        Flags { zero: false, ..*self }.pad(out, text);
    }

    /// The text cut to the precision, counted in characters.
    fn truncate<'t>(&self, text: &'t str) -> &'t str {
        let end = self.precision.and_then(|n| text.char_indices().nth(n)).map(|(i, _)| i);
        end.and_then(|end| text.get(..end)).unwrap_or(text)
    }

    pub(super) fn pad_truncated(&self, out: &mut String, text: &str) {
        self.pad(out, self.truncate(text));
    }

    /// Appends a string; false if the verb is not one for strings.
    pub(super) fn string(&self, out: &mut String, text: &str, verb: char) -> bool {
        match verb {
            'v' if self.sharp_v => self.quoted(out, text),
            'v' | 's' => self.pad_truncated(out, text),
            'x' | 'X' => self.hex(out, text.as_bytes(), verb == 'X'),
            'q' => self.quoted(out, text),
            _ => return false,
        }
        true
    }

    fn quoted(&self, out: &mut String, text: &str) {
        let text = self.truncate(text);
        if self.sharp && can_backquote(text) {
            self.pad(out, &format!("`{text}`"));
        } else {
            self.pad(out, &quote(text, self.escape()));
        }
    }

    fn escape(&self) -> Escape {
        if self.plus { Escape::NonAscii } else { Escape::Unprintable }
    }

    /// The bytes in hexadecimal.
    fn hex(&self, out: &mut String, bytes: &[u8], upper: bool) {
        let bytes = self.precision.and_then(|n| bytes.get(..n)).unwrap_or(bytes);
        let mut text = String::new();
        for (i, byte) in bytes.iter().enumerate() {
            if self.space && i > 0 {
                text.push(' ');
            }
            if self.sharp && (self.space || i == 0) {
                text.push_str(if upper { "0X" } else { "0x" });
            }
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(digit.into(), 16).unwrap_or('0');
                text.push(if upper { digit.to_ascii_uppercase() } else { digit });
            }
        }
        self.pad(out, &text);
    }

    /// An address in hexadecimal.
    pub(super) fn address(&self, out: &mut String, address: u64, prefix: bool) {
        Flags { sharp: prefix, ..*self }.integer(out, address, false, 'x');
    }

    /// Appends an integer; false if the verb is not one for integers.
    pub(super) fn integer(
        &self,
        out: &mut String,
        magnitude: u64,
        negative: bool,
        verb: char,
    ) -> bool {
        // What a negative number looks like to the verbs that show characters.
        let code = if negative { magnitude.wrapping_neg() } else { magnitude };
        let c = u32::try_from(code).ok().and_then(char::from_u32);
        let shown = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        match verb {
            'v' | 'd' => self.digits(out, &magnitude.to_string(), negative, ""),
            'b' => {
                let prefix = if self.sharp { "0b" } else { "" };
                self.digits(out, &format!("{magnitude:b}"), negative, prefix);
            }
            'o' | 'O' => {
                let prefix = if verb == 'O' { "0o" } else { "" };
                self.octal(out, magnitude, negative, prefix);
            }
            'x' => {
                let prefix = if self.sharp { "0x" } else { "" };
                self.digits(out, &format!("{magnitude:x}"), negative, prefix);
            }
            'X' => {
                let prefix = if self.sharp { "0X" } else { "" };
                self.digits(out, &format!("{magnitude:X}"), negative, prefix);
            }
            'c' => self.pad(out, shown.encode_utf8(&mut [0; 4])),
            'q' => self.pad(out, &quote_char(shown, self.escape())),
            'U' => self.unicode(out, code, c),
            _ => return false,
        }
        true
    }

    /// Octal digits; `#` asks for a zero in front if there is none yet.
    fn octal(&self, out: &mut String, magnitude: u64, negative: bool, prefix: &str) {
        let mut digits = format!("{magnitude:o}");
        if self.sharp && magnitude != 0 && self.least_digits(negative) <= digits.len() {
            digits.insert(0, '0');
        }
        self.digits(out, &digits, negative, prefix);
    }

    /// How many digits an integer must have: by the precision, or by the width if that is to be
    /// filled with zeros.
    fn least_digits(&self, negative: bool) -> usize {
        match (self.precision, self.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if self.zero => {
                width.saturating_sub(usize::from(negative || self.plus || self.space))
            }
            _ => 0,
        }
    }

    /// Digits with their leading zeros, prefix and sign.
    fn digits(&self, out: &mut String, digits: &str, negative: bool, prefix: &str) {
        if self.precision == Some(0) && digits == "0" {
            return self.pad_spaces(out, "");
        }
        let zeros = self.least_digits(negative).saturating_sub(digits.len());
        let mut text = String::with_capacity(digits.len() + zeros + 3);
        if negative {
            text.push('-');
        } else if self.plus {
            text.push('+');
        } else if self.space {
            text.push(' ');
        }
        text.push_str(prefix);
        text.extend(std::iter::repeat_n('0', zeros));
        text.push_str(digits);
        self.pad_spaces(out, &text);
    }

    /// `U+0041`, and with `#` the character behind it.
    fn unicode(&self, out: &mut String, code: u64, c: Option<char>) {
        let least = self.precision.unwrap_or(0).max(4);
        let mut text = format!("U+{code:0least$X}");
        if let Some(c) = c.filter(|_| self.sharp) {
            // The same two parts, with more digits.
            if let Some((_, quoted)) = code_point(c).split_once(' ') {
                text.push(' ');
                text.push_str(quoted);
            }
        }
        self.pad_spaces(out, &text);
    }

    /// Appends a floating-point number; false if the verb is not one for those.
    pub(super) fn float(&self, out: &mut String, value: f64, verb: char) -> bool {
        let magnitude = if value.is_finite() { value } else { 0.0 };
        let Some(mut unsigned) = float::format(magnitude, verb, self.precision) else {
            return false;
        };
        let mut sign = match (value.is_sign_negative() && !value.is_nan(), self.plus, self.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        if !value.is_finite() {
            // What is not a number is not filled up with zeros; infinity always has its sign.
            if value.is_infinite() && sign.is_empty() {
                sign = "+";
            }
            let name = if value.is_nan() { "NaN" } else { "Inf" };
            self.pad_spaces(out, &format!("{sign}{name}"));
            return true;
        }
        if self.sharp && verb != 'b' {
            unsigned = float::with_point(&unsigned, verb, self.precision);
        }
        if self.zero && !sign.is_empty() {
            // The sign goes before the zeros.
            out.push_str(sign);
            let width = self.width.map(|w| w.saturating_sub(1));
            Flags { width, ..*self }.pad(out, &unsigned);
        } else {
            self.pad(out, &format!("{sign}{unsigned}"));
        }
        true
    }
}
