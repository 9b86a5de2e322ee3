//! A byte that is the terminal's width (255: unknown), and the JSON of a status: it is read or
//! not; what is read fits the terminal and does nothing else to it.

use std::time::{Duration, SystemTime};

use control::table::{Style, render};
use control::wire::Status;
use unicode_width::UnicodeWidthChar;

/// 2026-11-21T12:00:00Z.
const NOW: Duration = Duration::from_secs(1_795_262_400);
/// What a terminal is told: all that the table is coloured with.
const COLOURS: [&str; 6] = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"];

pub(crate) fn check(input: &[u8]) {
    let Some((&width, json)) = input.split_first() else { return };
    let Ok(status) = serde_json::from_slice::<Status>(json) else { return };
    let again = serde_json::to_vec(&status).expect("JSON");
    assert_eq!(serde_json::from_slice::<Status>(&again).expect("a status"), status);

    let width = (width < u8::MAX).then_some(usize::from(width));
    let now = SystemTime::UNIX_EPOCH + NOW;
    let plain = render(&status, width, Style::Plain, now);
    assert_eq!(plain, render(&status, width, Style::Plain, now));
    assert!(plain.ends_with('\n'));
    for line in plain.split('\n') {
        assert!(!line.chars().any(does_something), "{line:?}");
        let columns: usize = line.chars().map(columns).sum();
        // There is always room for a sign that something has been cut.
        assert!(width.is_none_or(|width| columns <= width.max(1)), "{columns}: {line:?}");
        assert!(!line.ends_with(' '), "{line:?}");
    }

    let mut colour = render(&status, width, Style::Colour, now);
    for sequence in COLOURS {
        colour = colour.replace(sequence, "");
    }
    assert_eq!(colour, plain);
}

/// How many columns a character takes. Of two of Khmer the crate says more than terminals do.
fn columns(char: char) -> usize {
    if matches!(char, '\u{17a4}' | '\u{17d8}') { 1 } else { char.width().unwrap_or(0) }
}

/// Whether a terminal may do something else than to show the character: move the cursor, or write
/// in another direction.
fn does_something(char: char) -> bool {
    let turns = matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}');
    let breaks = matches!(char, '\u{2028}' | '\u{2029}');
    char.is_control() || turns || breaks
}
