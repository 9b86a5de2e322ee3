//! Times: from RFC 3339, and as how long ago.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads `2026-11-21T10:46:12.345Z`: UTC, with or without a fraction, from 1970 on.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let (year, month, day) = three(date, '-')?;
    let (hour, minute, second) = three(time, ':')?;
    // 60: a leap second.
    let valid = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let fraction: f64 = match fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("0.{fraction}").parse().ok()?,
        false => return None,
    };
    if !valid || !(1970..=9999).contains(&year) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds) + Duration::from_secs_f64(fraction))
}

/// Three numbers, digits only.
fn three(text: &str, separator: char) -> Option<(u64, u64, u64)> {
    let mut parts = text.split(separator).map(|part| {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse::<u64>().ok() } else { None }
    });
    let numbers = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(numbers)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of a month from 1 to 12.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
    years + months + day - 1
}

/// How long ago that was: `12s`, `3m12s`, `5h03m`, `2d04h`. What lies ahead (a clock was set) is
/// now; what is no time is empty.
pub(crate) fn since(then: &str, now: SystemTime) -> String {
    let Some(then) = parse(then) else { return String::new() };
    let seconds = now.duration_since(then).unwrap_or_default().as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m{:02}s", seconds % 60),
        3_600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        parse(text).map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64())
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(seconds("2000-02-28T23:59:59Z"), Some(951_782_399.0));
        assert_eq!(seconds("2000-02-29T00:00:00.25Z"), Some(951_782_400.25));
        assert_eq!(seconds("2100-03-01T00:00:00Z"), Some(4_107_542_400.0));
        assert_eq!(seconds("2026-11-21T10:46:12.000Z"), Some(1_795_257_972.0));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "Z",
            "2026-11-21",
            "2026-11-21T10:46:12",
            "2026-11-21T10:46:12+01:00",
            "2026-13-21T10:46:12Z",
            "2026-02-29T10:46:12Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:46:12.xZ",
            "2026-11-+1T10:46:12Z",
            "1969-12-31T00:00:00Z",
            "2026-11-21T10:46:12:13Z",
            "99999999999999999999-01-01T00:00:00Z",
            "18446744073709551615-01-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn how_long_ago_has_two_parts() {
        let then = "2026-11-21T10:00:00Z";
        let after = |seconds| since(then, parse(then).unwrap() + Duration::from_secs(seconds));
        assert_eq!(after(0), "0s");
        assert_eq!(after(59), "59s");
        assert_eq!(after(192), "3m12s");
        assert_eq!(after(3_600 * 5 + 180), "5h03m");
        assert_eq!(after(86_400 * 2 + 3_600 * 4), "2d04h");
        assert_eq!(since(then, UNIX_EPOCH), "0s");
        assert_eq!(since("never", UNIX_EPOCH), "");
    }
}
