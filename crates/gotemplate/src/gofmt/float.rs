//! Floating-point numbers in Go's formats.

use std::fmt::Write as _;

/// No `f64` has more digits than this behind its decimal point, or significant ones.
const MAX_DIGITS: usize = 1100;

/// The absolute value of a finite number as its verb shows it, without flags other than the
/// precision. `None` if the verb is not one for floating-point numbers.
pub(super) fn format(value: f64, verb: char, precision: Option<usize>) -> Option<String> {
    let value = value.abs();
    Some(match verb {
        'v' | 'g' => general(value, precision, 'e'),
        'G' => general(value, precision, 'E'),
        'e' | 'E' => {
            let precision = precision.unwrap_or(6);
            let (digits, exponent) = significant(value, Some(precision.saturating_add(1)));
            scientific(&digits, exponent, precision, verb)
        }
        'f' | 'F' => {
            let precision = precision.unwrap_or(6);
            let exact = precision.min(MAX_DIGITS);
            let mut text = format!("{value:.exact$}");
            text.extend(std::iter::repeat_n('0', precision - exact));
            text
        }
        'b' => binary(value),
        'x' | 'X' => hexadecimal(value, precision, verb),
        _ => return None,
    })
}

/// The significant digits without trailing zeros, and the exponent of the first of them: as many
/// as it takes, or so many at most. Zero has none.
fn significant(value: f64, count: Option<usize>) -> (String, i32) {
    if value == 0.0 {
        return (String::new(), 0);
    }
    let text = match count {
        None => format!("{value:e}"),
        Some(count) => {
            let behind = count.clamp(1, MAX_DIGITS) - 1;
            format!("{value:.behind$e}")
        }
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    (digits.trim_end_matches('0').to_owned(), exponent.parse().unwrap_or(0))
}

/// `d.ddde±dd` with so many digits behind the point.
fn scientific(digits: &str, exponent: i32, precision: usize, e: char) -> String {
    let mut rest = digits.chars();
    let mut text = String::from(rest.next().unwrap_or('0'));
    if precision > 0 {
        text.push('.');
        text.extend(rest.chain(std::iter::repeat('0')).take(precision));
    }
    push_exponent(&mut text, e, exponent);
    text
}

/// An exponent has a sign and two digits at least.
fn push_exponent(text: &mut String, e: char, exponent: i32) {
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(text, "{e}{sign}{:02}", exponent.unsigned_abs());
}

/// The shorter of the scientific and the plain form.
fn general(value: f64, precision: Option<usize>, e: char) -> String {
    let wanted = precision.map(|p| p.max(1));
    let (digits, exponent) = significant(value, wanted);
    let count = digits.len();
    // Where the decimal point stands, counted from the first digit.
    let point = if count == 0 { 0 } else { exponent + 1 };
    let whole = usize::try_from(point).unwrap_or(0);
    // From which exponent on the scientific form is taken.
    let threshold = match wanted {
        None => 6,
        Some(precision) if precision > count && count >= whole => count,
        Some(precision) => precision,
    };
    if point < -3 || whole > threshold {
        return scientific(&digits, exponent, count.saturating_sub(1), e);
    }
    let mut text = String::new();
    let mut rest = digits.chars();
    text.extend(rest.by_ref().chain(std::iter::repeat('0')).take(whole));
    if text.is_empty() {
        text.push('0');
    }
    if count > whole {
        text.push('.');
        let zeros = usize::try_from(-point).unwrap_or(0);
        text.extend(std::iter::repeat_n('0', zeros));
        text.extend(digits.chars().skip(whole));
    }
    text
}

/// The mantissa as an integer and the power of two by which it is multiplied.
fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let biased = i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
    if biased == 0 { (fraction, -1022 - 52) } else { (fraction | 1 << 52, biased - 1023 - 52) }
}

/// `%b`: a decimal mantissa and a power of two.
fn binary(value: f64) -> String {
    let (mantissa, exponent) = parts(value);
    format!("{mantissa}p{exponent:+}")
}

/// `%x`: a hexadecimal mantissa between 1 and 2, and a power of two.
fn hexadecimal(value: f64, precision: Option<usize>, verb: char) -> String {
    let (mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // The leading one goes to bit 52, below it are 13 digits.
        let shift = mantissa.leading_zeros().saturating_sub(11);
        mantissa <<= shift;
        exponent += 52 - i32::try_from(shift).unwrap_or(0);
    }
    if let Some(precision) = precision.filter(|p| *p < 13) {
        let dropped = 4 * (13 - precision);
        let rest = mantissa & ((1 << dropped) - 1);
        let half = 1 << (dropped - 1);
        mantissa >>= dropped;
        mantissa += u64::from(rest > half || rest == half && mantissa & 1 == 1);
        mantissa <<= dropped;
        if mantissa >> 53 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(precision) => digits.chars().chain(std::iter::repeat('0')).take(precision).collect(),
    };
    let mut text = format!("0x{}", mantissa >> 52);
    if !digits.is_empty() {
        text.push('.');
        text.push_str(&digits);
    }
    push_exponent(&mut text, 'p', exponent);
    if verb == 'X' { text.to_ascii_uppercase() } else { text }
}

/// What the flag `#` does to an unsigned number: it keeps the decimal point and, where the
/// precision counts significant digits, the trailing zeros.
pub(super) fn with_point(number: &str, verb: char, precision: Option<usize>) -> String {
    let mut wanted = match verb {
        'v' | 'g' | 'G' => precision.unwrap_or(6),
        'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let hex = matches!(verb, 'x' | 'X');
    let exponent = number.find(|c| matches!(c, 'p' | 'P') || !hex && matches!(c, 'e' | 'E'));
    let (mantissa, tail) =
        number.split_at_checked(exponent.unwrap_or(number.len())).unwrap_or((number, ""));
    let mut started = false;
    for c in mantissa.chars().filter(|c| *c != '.') {
        started |= c != '0';
        if started {
            wanted = wanted.saturating_sub(1);
        }
    }
    let mut text = mantissa.to_owned();
    if !mantissa.contains('.') {
        if mantissa == "0" {
            wanted = wanted.saturating_sub(1);
        }
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', wanted));
    text.push_str(tail);
    text
}
