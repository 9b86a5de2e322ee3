//! The time of a log line, as RFC 3339 in UTC with milliseconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// A time as RFC 3339.
pub fn timestamp(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut text = Vec::new();
    Clock::default().at(since.as_secs(), since.subsec_millis(), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Formats the current time. Children write many lines a second, so the text of the last second
/// is kept.
#[derive(Default)]
pub struct Clock {
    second: Option<u64>,
    text: Vec<u8>,
}

impl Clock {
    /// Appends the current time.
    pub fn now(&mut self, out: &mut Vec<u8>) {
        // A clock before 1970 is shown as 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.at(since.as_secs(), since.subsec_millis(), out);
    }

    fn at(&mut self, second: u64, millis: u32, out: &mut Vec<u8>) {
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = date(second).into_bytes();
        }
        out.extend_from_slice(&self.text);
        let digit = |value: u32| b'0' + u8::try_from(value % 10).unwrap_or(0);
        out.extend_from_slice(&[
            b'.',
            digit(millis / 100),
            digit(millis / 10),
            digit(millis),
            b'Z',
        ]);
    }
}

/// Seconds since 1970 as `2026-11-21T10:46:12`, after the proleptic Gregorian calendar: years
/// are counted from March so that a leap day is the last day of its year.
fn date(second: u64) -> String {
    let (days, time) = (second / 86_400, second % 86_400);
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153; // from March
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        time / 3_600,
        time / 60 % 60,
        time % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01T00:00:00");
        assert_eq!(date(951_782_399), "2000-02-28T23:59:59");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00");
        assert_eq!(date(4_107_542_400), "2100-03-01T00:00:00");
        assert_eq!(date(1_795_257_972), "2026-11-21T10:46:12");
    }

    #[test]
    fn milliseconds_have_three_digits() {
        let mut out = Vec::new();
        Clock::default().at(0, 7, &mut out);
        assert_eq!(out, b"1970-01-01T00:00:00.007Z");
    }
}
