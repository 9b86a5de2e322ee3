//! Regular expressions, bounded: they can be made to search for hours.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use gotemplate::{Signature, Value};
use regex_lite::{Regex, RegexBuilder};

use super::{Entry, Returned, TEXT, check_length, strings};
use crate::session::Session;

pub(super) const TABLE: &[Entry] = &[
    ("regexMatch", Signature::fixed(&[TEXT, TEXT]), matches),
    ("regexReplaceAll", Signature::fixed(&[TEXT, TEXT, TEXT]), replace_all),
];

/// How much searching one execution may do: bytes of a pattern times bytes of the text, once for
/// every match. A few seconds' worth. The fuzzer is far slower.
const WORK: u64 = if cfg!(fuzzing) { 50_000_000 } else { 2_000_000_000 };

/// A compiled pattern may take so many bytes; counted repetitions multiply it.
const LARGEST: usize = 64 << 10;

/// So many are kept compiled.
const KEPT: usize = 32;

/// Patterns that were compiled, and what may still be searched.
#[derive(Default)]
pub(crate) struct Patterns {
    compiled: RefCell<HashMap<String, Rc<Regex>>>,
    work: Cell<u64>,
}

impl Patterns {
    /// An execution begins.
    pub(crate) fn begin(&self) {
        self.work.set(WORK);
    }

    fn spend(&self, bytes: usize, times: usize) -> Result<(), String> {
        let cost = u64::try_from(bytes.saturating_mul(times)).unwrap_or(u64::MAX);
        let left = self.work.get().checked_sub(cost);
        self.work.set(left.ok_or("the text is too long, or the pattern too complex")?);
        Ok(())
    }

    fn compile(&self, pattern: &str) -> Result<Rc<Regex>, String> {
        let mut compiled = self.compiled.borrow_mut();
        if let Some(regex) = compiled.get(pattern) {
            return Ok(regex.clone());
        }
        let regex = RegexBuilder::new(pattern).size_limit(LARGEST).build();
        let regex = Rc::new(regex.map_err(|error| format!("{pattern:?}: {error}"))?);
        if compiled.len() >= KEPT {
            compiled.clear();
        }
        compiled.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }
}

/// What a byte of a pattern costs: short ones can be repeated until they fill what they may.
fn states(pattern: &str) -> usize {
    let counted = pattern.contains('{');
    if counted { LARGEST / 32 } else { pattern.len().saturating_mul(2).saturating_add(8) }
}

/// `{{ if "foo.bar" | regexMatch "foo([.a-z]+)" }}`
fn matches(session: &Session, arguments: &[Value]) -> Returned {
    let [pattern, text] = strings(arguments)?;
    let regex = session.patterns.compile(pattern)?;
    session.patterns.spend(states(pattern), text.len().saturating_add(1))?;
    Ok(regex.is_match(text).into())
}

/// `{{ "foo.bar" | regexReplaceAll "foo([.a-z]+)" "$1" }}`
fn replace_all(session: &Session, arguments: &[Value]) -> Returned {
    let [pattern, to, text] = strings(arguments)?;
    let regex = session.patterns.compile(pattern)?;
    let states = states(pattern);
    let references = to.matches('$').count();
    let mut result = String::new();
    let mut copied = 0;
    let mut matches = regex.captures_iter(text);
    loop {
        // A match that is not found has looked at all that follows.
        session.patterns.spend(states, text.len().saturating_sub(copied).saturating_add(1))?;
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
    Ok(result.into())
}
