//! Durations as Go writes them: `1h15m30.5s`, `100ms`.

use std::time::Duration;

/// Parses a Go duration; `None` if it is none, or negative.
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = tail;
    }
    // Go's durations end at 292 years as well.
    Duration::try_from_secs_f64(total).ok().filter(|d| d.as_nanos() <= i64::MAX as u128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_reads_them() {
        let ms = |text| parse(text).map(|d| d.as_millis());
        assert_eq!(ms("10s"), Some(10_000));
        assert_eq!(ms("1h1m1.5s"), Some(3_661_500));
        assert_eq!((ms("0"), ms("100ms"), ms(".5s")), (Some(0), Some(100), Some(500)));
        for bad in ["", "10", "s", "-1s", "1x", "1.2.3s", "1s ", "1e9h", "999999999999h", "é"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
