//! Durations in Go's notation.

use std::time::Duration;

/// The longest duration of Go's, some 292 years.
const LONGEST: u128 = i64::MAX.unsigned_abs() as u128;

/// What is wrong with a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It does not have the form of one.
    #[error("is not a duration")]
    Form,
    /// It is less than nothing.
    #[error("is less than nothing")]
    Negative,
    /// It is longer than 292 years.
    #[error("is longer than 292 years")]
    TooLong,
}

/// A number and a unit, as often as one likes (`1h30m`, `1.5s`, `-2ms`), or an integer, which
/// means seconds.
///
/// # Errors
/// It is none.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut rest = magnitude;
    let mut nanoseconds: u128 = 0;
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds: u128 = rest.parse().map_err(|_| DurationError::TooLong)?;
        nanoseconds = seconds.checked_mul(1_000_000_000).ok_or(DurationError::TooLong)?;
        rest = "";
    } else if rest.is_empty() {
        return Err(DurationError::Form);
    }
    while !rest.is_empty() {
        let (term, behind) = term(rest)?;
        nanoseconds = nanoseconds.checked_add(term).ok_or(DurationError::TooLong)?;
        rest = behind;
    }
    if negative && nanoseconds > 0 {
        return Err(DurationError::Negative);
    }
    if nanoseconds > LONGEST {
        return Err(DurationError::TooLong);
    }
    let nanoseconds = u64::try_from(nanoseconds).map_err(|_| DurationError::TooLong)?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// The first number with its unit, in nanoseconds, and what is behind it.
fn term(text: &str) -> Result<(u128, &str), DurationError> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::Form);
    }
    let is_number = |char: char| char.is_ascii_digit() || char == '.';
    let unit_length = rest.find(is_number).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at_checked(unit_length).ok_or(DurationError::Form)?;
    let unit: u128 = match unit {
        "ns" => 1,
        // The micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return Err(DurationError::Form),
    };
    let whole: u128 = match whole {
        "" => 0,
        digits => digits.parse().map_err(|_| DurationError::TooLong)?,
    };
    // Digits behind the 18th are less than a nanosecond.
    let mut part = 0;
    let mut scale: u128 = 1;
    for digit in fraction.bytes().take(18) {
        part = part * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    let whole = whole.checked_mul(unit).ok_or(DurationError::TooLong)?;
    Ok((whole.saturating_add(part * unit / scale), rest))
}

/// The digits that `text` begins with, and the rest.
fn digits(text: &str) -> (&str, &str) {
    let length = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(length).unwrap_or(("", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_in_go() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("10", 10_000_000_000),
            ("+5", 5_000_000_000),
            ("1500ms", 1_500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("7ns", 7),
            ("7us", 7_000),
            ("7\u{b5}s", 7_000),
            ("7\u{3bc}s", 7_000),
            ("1m0.000000001s", 60_000_000_001),
            ("0.1000000000000000000001s", 100_000_000),
            ("-0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration() {
        for text in ["", "5x", "s", ".s", "1 s", "1.5", "5S", "1h 30m", "--1s", "1e3s", "1d", "+"] {
            assert_eq!(parse(text), Err(DurationError::Form), "{text}");
        }
        assert_eq!(parse("-1s"), Err(DurationError::Negative));
        assert_eq!(parse("-1"), Err(DurationError::Negative));
        for text in
            ["300000h0m300000000h", "99999999999999999999999999999999999999999", "9223372037"]
        {
            assert_eq!(parse(text), Err(DurationError::TooLong), "{text}");
        }
    }
}
