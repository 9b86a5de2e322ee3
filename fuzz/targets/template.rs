//! Any text as a template, over any environment: it renders or is refused, soon, in little
//! memory, and the same way each time.
//!
//! An input is `NAME=value` lines, a line `---`, and the template; without such a line all of it
//! is the template.

#![no_main]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;

/// What takes longer is not rendered again.
const SHORT: Duration = Duration::from_millis(50);

fuzz_target!(|input: &str| {
    let (environment, text) = input.split_once("\n---\n").unwrap_or(("", input));
    let environment: BTreeMap<String, String> = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();

    let start = Instant::now();
    let rendered = config::render(text, &environment);
    let is_short = start.elapsed() < SHORT;

    if let Err(error) = &rendered {
        assert!(!error.message.is_empty());
        let line = text.split('\n').nth(error.line - 1);
        let line = line.unwrap_or_else(|| panic!("no line {}: {error}", error.line));
        let column = error.column.unwrap_or(0);
        assert!(column <= line.len(), "no column {column} in {line:?}: {error}");
    }
    if is_short {
        let again = config::render(text, &environment);
        // An address (%p) is another one each time, as in Go.
        let may_differ = text.contains('p') && input.contains('%');
        assert!(may_differ || again == rendered, "{rendered:?} first, then {again:?}");
    }
});
