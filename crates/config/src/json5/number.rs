//! Numbers: decimal with an optional point at either end, hexadecimal, Infinity, NaN.

use super::{Parsed, Parser, is_word_part};

impl Parser<'_> {
    pub(super) fn number(&mut self) -> Parsed<f64> {
        let start = self.position;
        let negative = self.peek() == Some('-');
        if matches!(self.peek(), Some('+' | '-')) {
            self.next();
        }
        let digits_start = self.position;
        // Everything that could belong to a number is taken first, so that an error shows the
        // whole of `10s` or `1.2.3` and not its tail.
        while let Some(char) = self.peek() {
            let in_exponent = matches!(char, '+' | '-') && self.behind_exponent(digits_start);
            if !(is_word_part(char) || char == '.' || in_exponent) {
                break;
            }
            self.next();
        }
        let digits = self.text.get(digits_start..self.position).unwrap_or("");
        let Some(magnitude) = magnitude(digits) else {
            let whole = self.text.get(start..self.position).unwrap_or("");
            let rule = match digits {
                "" => "want digits after the sign".into(),
                "." => "want digits beside the point".into(),
                _ if digits.len() == 4
                    && digits.starts_with('0')
                    && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7')) =>
                {
                    format!("want no zeros in front, or quotes around permissions: \"{whole}\"")
                }
                _ if digits.starts_with('0')
                    && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
                {
                    "want no zeros in front".into()
                }
                _ => format!("a string needs quotes, \"{whole}\""),
            };
            return Err(self.error(self.from(start), format!("{whole} is not a number"), rule));
        };
        Ok(if negative { -magnitude } else { magnitude })
    }

    /// Whether the last character taken is the `e` of a decimal number.
    fn behind_exponent(&self, digits_start: usize) -> bool {
        let taken = self.text.get(digits_start..self.position).unwrap_or("");
        taken.ends_with(['e', 'E']) && !taken.starts_with("0x") && !taken.starts_with("0X")
    }
}

/// The value of an unsigned number, if it is one.
fn magnitude(digits: &str) -> Option<f64> {
    match digits {
        "Infinity" => return Some(f64::INFINITY),
        "NaN" => return Some(f64::NAN),
        _ => {}
    }
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        if hex.is_empty() {
            return None;
        }
        let add = |sum: f64, char: char| Some(sum * 16.0 + f64::from(char.to_digit(16)?));
        return hex.chars().try_fold(0.0, add);
    }
    // Rust's grammar for floats is JSON5's, but for the words (`inf`) and leading zeros.
    let (whole, _) =
        digits.split_at_checked(digits.find(['.', 'e', 'E']).unwrap_or(digits.len()))?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if !plain || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    digits.parse().ok()
}
