//! `timestamp`: the time in Go's layouts, always UTC.

use std::{fmt::Write as _, time::UNIX_EPOCH};

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
        let short = |name: &'static str| name.get(..3).unwrap_or(name);
        let twelve = match self.hour % 12 {
            0 => 12,
            hour => hour,
        };
        let half = if self.hour < 12 { ["AM", "am"] } else { ["PM", "pm"] };
        let lower = |length: usize| {
            layout
                .get(length..)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
        };
        // Writing into a string cannot fail. Of two elements that begin alike the longer comes first.
        let starts = |element: &str| layout.starts_with(element).then_some(element.len());
        macro_rules! element {
            ($element:literal => $($format:tt)*) => {
                if let Some(length) = starts($element) {
                    let _ = write!(out, $($format)*);
                    return Some(length);
                }
            };
        }
        element!("January" => "{month}");
        if !lower(3) {
            element!("Jan" => "{}", short(month));
        }
        element!("Monday" => "{}", self.weekday);
        if !lower(3) {
            element!("Mon" => "{}", short(self.weekday));
        }
        element!("MST" => "UTC");
        element!("2006" => "{:04}", self.year);
        element!("002" => "{:03}", self.day_of_year);
        element!("01" => "{:02}", self.month);
        element!("02" => "{:02}", self.day);
        element!("03" => "{twelve:02}");
        element!("04" => "{:02}", self.minute);
        element!("05" => "{:02}", self.second);
        element!("06" => "{:02}", self.year % 100);
        element!("15" => "{:02}", self.hour);
        element!("1" => "{}", self.month);
        element!("_2006" => "_{:04}", self.year);
        element!("__2" => "{:3}", self.day_of_year);
        element!("_2" => "{:2}", self.day);
        element!("2" => "{}", self.day);
        element!("3" => "{twelve}");
        element!("4" => "{}", self.minute);
        element!("5" => "{}", self.second);
        element!("PM" => "{}", half[0]);
        element!("pm" => "{}", half[1]);
        element!("-07:00:00" => "+00:00:00");
        element!("-07:00" => "+00:00");
        element!("-070000" => "+000000");
        element!("-0700" => "+0000");
        element!("-07" => "+00");
        element!("Z07:00:00" => "Z");
        element!("Z07:00" => "Z");
        element!("Z070000" => "Z");
        element!("Z0700" => "Z");
        element!("Z07" => "Z");
        self.fraction(layout, out)
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
