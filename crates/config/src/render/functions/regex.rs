//! `regexReplaceAll`, bounded: a regular expression can be made to search for hours.

use std::cell::Cell;

use regex_lite::{Regex, RegexBuilder};

use super::check_length;

/// How much searching one rendering may do: states of the pattern times characters of the text,
/// once for every match. About a second's worth, under the fuzzer too, which is far slower.
pub(super) const WORK: u64 = if cfg!(fuzzing) { 10_000_000 } else { 200_000_000 };

/// A compiled pattern may take so many bytes; counted repetitions multiply it.
const LARGEST: usize = 64 << 10;

/// To compile a state takes as long as to visit it so many times.
const COMPILING: usize = 256;

/// No pattern takes less.
const SMALLEST: usize = 256;

/// What one state of a compiled pattern takes at least, in bytes.
const STATE: usize = 32;

/// `{{ .NAME | regexReplaceAll "fr(.)m" "t${1}" }}`. `work` is what may still be searched.
pub(super) fn replace_all(
    pattern: &str,
    to: &str,
    text: &str,
    work: &Cell<u64>,
) -> Result<String, String> {
    let spend = |states: usize, times: usize| {
        let cost = u64::try_from(states.saturating_mul(times)).unwrap_or(u64::MAX);
        let left = work.get().checked_sub(cost);
        work.set(left.ok_or("the text is too long, or the pattern too complex")?);
        Ok::<(), String>(())
    };
    let (regex, size) = compile(pattern)?;
    spend(size / STATE, COMPILING)?;
    // What is captured is copied along from state to state.
    let states = (size / STATE).saturating_mul(8 + regex.captures_len()) / 8;
    let references = to.matches('$').count();
    let mut result = String::new();
    let mut copied = 0;
    let mut matches = regex.captures_iter(text);
    loop {
        spend(states, text.len() - copied + 1)?;
        let Some(captures) = matches.next() else { break };
        let Some(found) = captures.get(0) else { break };
        result.push_str(text.get(copied..found.start()).unwrap_or(""));
        // What is captured lies within the match.
        let added = references.saturating_mul(found.len()).saturating_add(to.len());
        check_length(result.len().saturating_add(added))?;
        captures.expand(to, &mut result);
        copied = found.end();
    }
    result.push_str(text.get(copied..).unwrap_or(""));
    Ok(result)
}

/// The pattern, and how many bytes it takes: up to the next power of two, for the crate does not
/// tell.
fn compile(pattern: &str) -> Result<(Regex, usize), String> {
    let build = |size| {
        let regex = RegexBuilder::new(pattern).size_limit(size).build();
        regex.map(|regex| (regex, size)).map_err(|error| format!("{pattern:?}: {error}"))
    };
    let mut size = SMALLEST;
    loop {
        match build(size) {
            Err(_) if size < LARGEST => size *= 2,
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searching_ends_when_its_work_is_used_up() {
        let replace = |pattern, text, work| {
            let work = Cell::new(work);
            replace_all(pattern, "-", text, &work).map(|text| (text, work.get()))
        };
        let refused = Err("the text is too long, or the pattern too complex".to_owned());
        let text = "a".repeat(1000);
        // Every match looks at all that follows: a million characters.
        assert_eq!(replace("a*b|a", &text, 4_000_000), refused);
        // One match.
        assert_eq!(replace("a+", &text, 40_000).map(|(text, _)| text).as_deref(), Ok("-"));
        // A pattern that is large when compiled.
        assert_eq!(replace("((a|b){0,9}){0,9}", "", 40_000), refused);
        // What is left is for the next one.
        let (_, left) = replace("a", "b", 40_000).expect("enough");
        assert!((30_000..40_000).contains(&left), "{left}");
    }

    #[test]
    fn what_is_captured_costs_too() {
        let used = |pattern: String| {
            let work = Cell::new(WORK);
            replace_all(&pattern, "", &"a".repeat(1000), &work).expect("enough");
            WORK - work.get()
        };
        assert!(used("()".repeat(40) + "b") > 2 * used("x".repeat(120) + "b"));
    }
}
