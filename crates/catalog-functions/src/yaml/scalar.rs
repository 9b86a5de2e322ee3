//! What a plain word of YAML 1.1 stands for.

use gotemplate::Value;

/// What a word without quotes stands for: nothing, a truth value, a number, or text.
pub(super) fn resolve(word: &str) -> Value {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Nil,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return true.into();
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return false.into();
        }
        ".nan" | ".NaN" | ".NAN" => return f64::NAN.into(),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return f64::INFINITY.into(),
        "-.inf" | "-.Inf" | "-.INF" => return f64::NEG_INFINITY.into(),
        _ => {}
    }
    if !word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) || is_timestamp(word) {
        return word.into();
    }
    let plain = word.replace('_', "");
    integer(&plain).or_else(|| float(&plain)).unwrap_or_else(|| word.into())
}

/// A whole number, whose prefix tells its base.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return Some(Value::Int(0i64.checked_sub_unsigned(magnitude)?));
    }
    Some(i64::try_from(magnitude).map_or(Value::Uint(magnitude), Value::Int))
}

/// A number with a fraction or an exponent.
fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let last = fraction.unwrap_or(whole);
    if !all_digits(whole) || last.is_empty() && fraction.is_none_or(|_| whole.is_empty()) {
        return None;
    }
    if !all_digits(last) {
        return None;
    }
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() || !all_digits(digits) {
            return None;
        }
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Float)
}

/// Whether it is a date, with or without a time: text to templates, but never written plainly.
fn is_timestamp(word: &str) -> bool {
    let mut numbers = word.splitn(2, |c: char| !c.is_ascii_digit());
    if numbers.next().is_none_or(|year| year.len() != 4) {
        return false;
    }
    let rest = word.get(4..).unwrap_or("");
    let Some(rest) = one_or_two(rest, '-').and_then(|rest| one_or_two(rest, '-')) else {
        return false;
    };
    if rest.is_empty() {
        return true;
    }
    let zone_needed = rest.starts_with(['T', 't']);
    let Some(rest) = ['T', 't', ' '].into_iter().find_map(|mark| one_or_two(rest, mark)) else {
        return false;
    };
    let Some(rest) = one_or_two(rest, ':').and_then(|rest| one_or_two(rest, ':')) else {
        return false;
    };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    match rest {
        "" => !zone_needed,
        "Z" => zone_needed,
        zone => {
            let zone = zone_needed.then(|| zone.strip_prefix(['+', '-'])).flatten();
            zone.is_some_and(|zone| matches!(zone.as_bytes(), [_, _, b':', _, _]))
        }
    }
}

/// What follows a mark and one or two digits.
fn one_or_two(text: &str, mark: char) -> Option<&str> {
    let digits = text.strip_prefix(mark)?;
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    matches!(digits.len() - rest.len(), 1 | 2).then_some(rest)
}

/// Whether text would be read as something else if it had no quotes.
pub(super) fn needs_quotes(text: &str) -> bool {
    !matches!(resolve(text), Value::String(_))
        || text.starts_with(|c: char| c.is_ascii_digit()) && is_timestamp(text)
        || is_base_sixty(text)
}

/// `1:30:00`: a number to others who read YAML 1.1.
fn is_base_sixty(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut parts = whole.split(':');
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let first = parts.next().unwrap_or("");
    let sixty = |part: &str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    whole.contains(':')
        && first.starts_with(|c: char| c.is_ascii_digit())
        && digits(first)
        && parts.all(sixty)
        && digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_version_1_1_says() {
        let cases = [
            ("yes", "Bool(true)"),
            ("off", "Bool(false)"),
            ("~", "Nil"),
            ("12", "Int(12)"),
            ("-12", "Int(-12)"),
            ("010", "Int(8)"),
            ("0x1F", "Int(31)"),
            ("1_000", "Int(1000)"),
            ("18446744073709551615", "Uint(18446744073709551615)"),
            ("1.5", "Float(1.5)"),
            (".5", "Float(0.5)"),
            ("1.", "Float(1)"),
            ("1e+3", "Float(1000)"),
            ("1e3", "Float(1000)"),
            ("1e", "String(\"1e\")"),
            ("2020-01-02", "String(\"2020-01-02\")"),
            ("1.2.3", "String(\"1.2.3\")"),
            ("-", "String(\"-\")"),
            (".", "String(\".\")"),
            ("yEs", "String(\"yEs\")"),
        ];
        for (word, shown) in cases {
            assert_eq!(format!("{:?}", resolve(word)), shown, "{word}");
        }
    }

    #[test]
    fn what_would_be_something_else_has_quotes() {
        for text in ["", "yes", "1", "1.5", "2020-01-02", "1:30", "null", "2001-1-1 1:1:1"] {
            assert!(needs_quotes(text), "{text:?}");
        }
        for text in ["a", "1.2.3.4", "10.0.0.1:80", "yess", "v1", "1:99", "2020-01"] {
            assert!(!needs_quotes(text), "{text:?}");
        }
    }
}
