//! Number literals: Go's untyped constants.

use crate::quote::{Escape, quote, unquote_char};

/// A number literal under every type that can hold it.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    /// As it was written.
    pub(crate) text: Box<str>,
    /// Its value if it is a signed integer.
    pub(crate) int: Option<i64>,
    /// Its value if it is an unsigned integer.
    pub(crate) uint: Option<u64>,
    /// Its value as a floating-point number.
    pub(crate) float: Option<f64>,
}

impl Number {
    /// Reads a character constant such as `'a'`.
    ///
    /// # Errors
    /// Go's message.
    pub(crate) fn from_char(text: &str) -> Result<Number, String> {
        let code = unquote_char(text)?;
        Ok(Number {
            text: text.into(),
            int: Some(code.into()),
            uint: Some(code.into()),
            float: Some(code.into()),
        })
    }

    /// Reads an integer or floating-point constant.
    ///
    /// # Errors
    /// Go's message; imaginary constants are refused in ours.
    pub(crate) fn parse(text: &str) -> Result<Number, String> {
        if text.ends_with('i') {
            return Err(format!("complex constants are not supported: {text}"));
        }
        let mut number = Number { text: text.into(), int: None, uint: None, float: None };
        let (negative, digits) = match text.strip_prefix(['+', '-']) {
            Some(digits) => (text.starts_with('-'), digits),
            None => (false, text),
        };
        let magnitude = parse_uint(digits);
        if let Some(magnitude) = magnitude {
            number.int = if negative {
                0i64.checked_sub_unsigned(magnitude)
            } else {
                i64::try_from(magnitude).ok()
            };
            // A sign makes a constant signed, but minus zero is zero.
            if digits.len() == text.len() || magnitude == 0 {
                number.uint = Some(magnitude);
            }
        }
        if let Some(int) = number.int {
            number.float = Some(int as f64);
        } else if let Some(uint) = number.uint {
            number.float = Some(uint as f64);
        } else if let Some(float) = parse_float(digits) {
            let float = if negative { -float } else { float };
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", quote(text, Escape::Unprintable)));
            }
            number.float = Some(float);
            let whole = float.fract() == 0.0;
            // Both bounds are exact in floating point.
            if whole && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float)
            {
                number.int = Some(float as i64);
            }
            if whole && (0.0..18_446_744_073_709_551_616.0).contains(&float) {
                number.uint = Some(float as u64);
            }
        } else {
            return Err(format!("illegal number syntax: {}", quote(text, Escape::Unprintable)));
        }
        Ok(number)
    }

    /// Whether the way it is written makes it a `float64` where no type is asked for.
    pub(crate) fn is_written_as_float(&self) -> bool {
        let text = &self.text;
        let hex = text.len() > 2 && (text.starts_with("0x") || text.starts_with("0X"));
        if text.starts_with('\'') || hex && !text.contains(['p', 'P']) {
            return false;
        }
        text.contains(['.', 'e', 'E', 'p', 'P'])
    }
}

/// Whether underscores stand only between digits, or between the base prefix and a digit.
fn underscores_ok(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    let prefixed = matches!(bytes, [b'0', b'b' | b'B' | b'o' | b'O' | b'x' | b'X', ..]);
    let hex = matches!(bytes, [b'0', b'x' | b'X', ..]);
    let is_digit = |b: u8| b.is_ascii_digit() || hex && b.is_ascii_hexdigit();
    let mut after_digit = prefixed;
    let mut after_underscore = false;
    for &byte in bytes.iter().skip(if prefixed { 2 } else { 0 }) {
        if byte == b'_' {
            if !after_digit {
                return false;
            }
            (after_digit, after_underscore) = (false, true);
        } else {
            let digit = is_digit(byte);
            if after_underscore && !digit {
                return false;
            }
            (after_digit, after_underscore) = (digit, false);
        }
    }
    !after_underscore
}

/// Reads an unsigned integer whose prefix tells its base.
fn parse_uint(digits: &str) -> Option<u64> {
    let (radix, body) = match digits.as_bytes() {
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if body.is_empty() || !underscores_ok(digits) {
        return None;
    }
    body.chars().filter(|c| *c != '_').try_fold(0u64, |value, c| {
        value.checked_mul(u64::from(radix))?.checked_add(u64::from(c.to_digit(radix)?))
    })
}

/// Reads an unsigned floating-point number, decimal or hexadecimal; `None` if it is malformed or
/// too large.
fn parse_float(digits: &str) -> Option<f64> {
    if !underscores_ok(digits) {
        return None;
    }
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    let value = if plain.starts_with("0x") || plain.starts_with("0X") {
        parse_hex_float(plain.get(2..)?)?
    } else {
        if !plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        plain.parse::<f64>().ok()?
    };
    value.is_finite().then_some(value)
}

/// Reads `h.hhhp±d`; the exponent is required.
fn parse_hex_float(body: &str) -> Option<f64> {
    let (mantissa_text, exponent_text) = body.split_once(['p', 'P'])?;
    let mut exponent: i64 = exponent_text.parse::<i64>().ok()?.clamp(-1_000_000, 1_000_000);
    let (whole, fraction) = mantissa_text.split_once('.').unwrap_or((mantissa_text, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // 60 bits of the mantissa, the last of which stands for everything below it, so that the
    // conversion below rounds once and rounds right.
    let mut mantissa: u64 = 0;
    for (i, c) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(c.to_digit(16)?);
        let fractional = i >= whole.len();
        if mantissa >> 56 == 0 {
            mantissa = mantissa << 4 | digit;
            exponent -= if fractional { 4 } else { 0 };
        } else {
            mantissa |= u64::from(digit != 0);
            exponent += if fractional { 0 } else { 4 };
        }
    }
    Some(scale(mantissa, exponent))
}

/// `mantissa × 2^exponent`, rounded to the nearest.
fn scale(mantissa: u64, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    // Bring the mantissa to 64 bits, then cut to the precision that the exponent leaves.
    let shift = i64::from(mantissa.leading_zeros());
    let mantissa = mantissa << shift;
    let exponent = exponent - shift;
    let top = exponent + 63;
    if top > 1023 {
        return f64::INFINITY;
    }
    let precision = if top >= -1022 { 53 } else { 53 - (-1022 - top) };
    if precision < 0 {
        return 0.0;
    }
    let dropped = 64 - precision;
    let wide = u128::from(mantissa);
    let kept = wide >> dropped;
    let rest = wide & ((1u128 << dropped) - 1);
    let half = 1u128 << (dropped - 1);
    let rounded = kept + u128::from(rest > half || rest == half && kept & 1 == 1);
    // At most 54 bits: exact. The two powers of two are exact as well, unless the result is not.
    let power = i32::try_from(exponent + dropped).unwrap_or(0);
    let first = power.clamp(-1000, 1000);
    rounded as f64 * 2f64.powi(first) * 2f64.powi(power - first)
}
