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

/// A duration as Go writes it: `1m30s`, `1.5s`, `100ms`.
pub(crate) fn show(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let seconds = |rest: Duration| format!("{}s", rest.as_secs_f64());
    match nanos {
        0 => "0s".into(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", duration.as_secs_f64() * 1e6),
        1_000_000..1_000_000_000 => format!("{}ms", duration.as_secs_f64() * 1e3),
        _ => {
            let (minutes, rest) = (duration.as_secs() / 60, duration.as_secs() % 60);
            let rest = seconds(Duration::new(rest, duration.subsec_nanos()));
            match (minutes / 60, minutes % 60) {
                (0, 0) => rest,
                (0, minutes) => format!("{minutes}m{rest}"),
                (hours, minutes) => format!("{hours}h{minutes}m{rest}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_writes_them() {
        for text in ["0s", "1ns", "1.5µs", "100ms", "1.5s", "1m0s", "1h0m1.25s", "24h0m0s"] {
            assert_eq!(parse(text).map(show).as_deref(), Some(text));
        }
    }

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
