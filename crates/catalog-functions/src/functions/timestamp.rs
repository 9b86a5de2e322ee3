//! `timestamp`: the time in Go's layouts, always UTC.

use std::time::UNIX_EPOCH;

use gotemplate::{Signature, Value};

use super::{Entry, Returned, TEXT, optional};
use crate::session::Session;

pub(super) const TABLE: &[Entry] = &[("timestamp", Signature::variadic(&[], TEXT), timestamp)];

/// RFC 3339.
const DEFAULT: &str = "2006-01-02T15:04:05Z07:00";

fn timestamp(session: &Session, arguments: &[Value]) -> Returned {
    let layout = optional(arguments, DEFAULT)?;
    let since = (session.host.now)().duration_since(UNIX_EPOCH).unwrap_or_default();
    if layout == "unix" {
        return Ok(since.as_secs().to_string().into());
    }
    let moment = Moment::new(since.as_secs(), since.subsec_nanos());
    Ok(moment.format(layout).into())
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Elements that are always the same. Of two that begin alike the longer comes first, here and below.
static TEXTS: [(&str, &str); 12] = [
    ("MST", "UTC"),
    ("-07:00:00", "+00:00:00"),
    ("-07:00", "+00:00"),
    ("-070000", "+000000"),
    ("-0700", "+0000"),
    ("-07", "+00"),
    ("Z07:00:00", "Z"),
    ("Z07:00", "Z"),
    ("Z070000", "Z"),
    ("Z0700", "Z"),
    ("Z07", "Z"),
    // The year follows.
    ("_2006", "_"),
];

/// A number of a moment.
type Number = fn(&Moment) -> u64;

/// Elements that are numbers, and what short ones are filled up with from the left.
static NUMBERS: [(&str, Number, &str); 16] = [
    ("2006", |it| it.year, "0000"),
    ("002", |it| it.day_of_year, "000"),
    ("01", |it| it.month, "00"),
    ("02", |it| it.day, "00"),
    ("03", |it| it.hour_of_twelve(), "00"),
    ("04", |it| it.minute, "00"),
    ("05", |it| it.second, "00"),
    ("06", |it| it.year % 100, "00"),
    ("15", |it| it.hour, "00"),
    ("1", |it| it.month, ""),
    ("__2", |it| it.day_of_year, "   "),
    ("_2", |it| it.day, "  "),
    ("2", |it| it.day, ""),
    ("3", |it| it.hour_of_twelve(), ""),
    ("4", |it| it.minute, ""),
    ("5", |it| it.second, ""),
];

/// A time of the Gregorian calendar.
struct Moment {
    year: u64,
    /// From 1.
    month: u64,
    /// From 1.
    day: u64,
    /// From 1.
    day_of_year: u64,
    weekday: &'static str,
    hour: u64,
    minute: u64,
    second: u64,
    nanosecond: u32,
}

impl Moment {
    /// Seconds since 1970.
    fn new(seconds: u64, nanosecond: u32) -> Moment {
        let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
        // 1970-01-01 was a Thursday.
        let weekday = usize::try_from((days + 4) % 7).unwrap_or_default();
        let leap = |year: u64| {
            year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
        };
        // The calendar repeats itself every 400 years, of 146,097 days.
        let mut year = 1970 + days / 146_097 * 400;
        days %= 146_097;
        while days >= 365 + u64::from(leap(year)) {
            days -= 365 + u64::from(leap(year));
            year += 1;
        }
        let day_of_year = days + 1;
        let mut month = 1;
        let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for length in lengths {
            if days < length {
                break;
            }
            days -= length;
            month += 1;
        }
        Moment {
            year,
            month,
            day: days + 1,
            day_of_year,
            weekday: DAYS.get(weekday).copied().unwrap_or(""),
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            nanosecond,
        }
    }

    fn hour_of_twelve(&self) -> u64 {
        match self.hour % 12 {
            0 => 12,
            hour => hour,
        }
    }

    fn format(&self, layout: &str) -> String {
        let mut out = String::new();
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            match self.element(rest, &mut out) {
                Some(length) => rest = rest.get(length..).unwrap_or(""),
                None => {
                    out.push(first);
                    rest = rest.get(first.len_utf8()..).unwrap_or("");
                }
            }
        }
        out
    }

    /// Writes the element at the start of the layout, if there is one: its length.
    fn element(&self, layout: &str, out: &mut String) -> Option<usize> {
        let month = usize::try_from(self.month).unwrap_or(1);
        let month = MONTHS.get(month.saturating_sub(1)).copied().unwrap_or("");
        let half = if self.hour < 12 { ["AM", "am"] } else { ["PM", "pm"] };
        let names =
            [("January", month), ("Monday", self.weekday), ("PM", half[0]), ("pm", half[1])];
        let mut texts = names.iter().chain(&TEXTS);
        if let Some((element, text)) = texts.find(|(element, _)| layout.starts_with(element)) {
            out.push_str(text);
            return Some(if *text == "_" { 1 } else { element.len() });
        }
        for (element, name) in [("Jan", month), ("Mon", self.weekday)] {
            let rest = layout.strip_prefix(element);
            if rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase())) {
                out.push_str(name.get(..3).unwrap_or(name));
                return Some(element.len());
            }
        }
        let number = NUMBERS.iter().find(|(element, ..)| layout.starts_with(element));
        let Some((element, number, padding)) = number else { return self.fraction(layout, out) };
        let number = number(self).to_string();
        out.push_str(padding.get(number.len()..).unwrap_or(""));
        out.push_str(&number);
        Some(element.len())
    }

    /// `.000` shows so many digits, `.999` leaves out zeros at the end.
    fn fraction(&self, layout: &str, out: &mut String) -> Option<usize> {
        let point = layout.chars().next().filter(|c| ".,".contains(*c))?;
        let digits = layout.get(1..)?;
        let digit = digits.chars().next().filter(|c| "09".contains(*c))?;
        let count = digits.len() - digits.trim_start_matches(digit).len();
        if digits.get(count..)?.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let nanoseconds = format!("{:09}", self.nanosecond);
        let mut shown = nanoseconds.get(..count.min(9)).unwrap_or("").to_owned();
        if digit == '9' {
            shown.truncate(shown.trim_end_matches('0').len());
            if shown.is_empty() {
                return Some(count + 1);
            }
        }
        out.push(point);
        out.push_str(&shown);
        Some(count + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_two_halves() {
        let at = |hour: u64| Moment::new(hour * 3600, 0).format("3PM 03pm 15 _2006");
        assert_eq!(at(0), "12AM 12am 00 _1970");
        assert_eq!(at(1), "1AM 01am 01 _1970");
        assert_eq!(at(12), "12PM 12pm 12 _1970");
        assert_eq!(at(23), "11PM 11pm 23 _1970");
    }
}
