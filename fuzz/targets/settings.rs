//! Any text as a file of settings of consul-template, in HCL or JSON.
//!
//! All ends soon, in little memory, and the same way each time. What is wrong has a place that exists,
//! and words that do nothing to a terminal. What JSON says HCL says too.

#![no_main]

use std::fmt::Write as _;

use consul_template::settings_of;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let read = settings_of("f", text);
    assert!(read == settings_of("f", text), "the second time it is another");
    if let Err(problems) = &read {
        assert!(!problems.is_empty());
        for problem in problems {
            check(problem, text);
        }
    }
    if let Ok(Value::Object(members)) = serde_json::from_str(text) {
        // Keys that stand twice count twice, and are one in this tree.
        let json = Value::Object(members).to_string();
        let Some(hcl) = hcl(&json) else { return };
        match (settings_of("f", &json), settings_of("f", &hcl)) {
            (Ok(json), Ok(hcl)) => assert_eq!(json, hcl),
            (Err(json), Err(hcl)) => {
                assert_eq!(json.len(), hcl.len(), "{json:#?} {hcl:#?}");
            }
            (json, hcl) => panic!("{json:#?} is not {hcl:#?}"),
        }
    }
});

/// Whether the place of a problem exists, and its words are for everybody.
fn check(problem: &str, text: &str) {
    assert!(!problem.chars().any(char::is_control), "{problem:?}");
    let mut parts = problem.splitn(4, ':');
    assert_eq!(parts.next(), Some("f"), "{problem}");
    let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok());
    let (Some(line), Some(column)) = (number(), number()) else { panic!("{problem}") };
    let there = text.split('\n').nth(line.wrapping_sub(1));
    let there = there.unwrap_or_else(|| panic!("there is no such line: {problem}"));
    assert!((1..=there.chars().count() + 1).contains(&column), "{problem}");
}

/// The same in HCL; `None`: it cannot be said, or differs for a reason.
fn hcl(json: &str) -> Option<String> {
    let Ok(Value::Object(members)) = serde_json::from_str(json) else { return None };
    let mut hcl = String::new();
    for (name, value) in &members {
        member(&mut hcl, name, value)?;
    }
    Some(hcl)
}

fn member(hcl: &mut String, name: &str, value: &Value) -> Option<()> {
    // A block of no name has none to be told by.
    if name.is_empty() {
        return None;
    }
    text(hcl, name)?;
    hcl.push_str(" = ");
    write(hcl, value)?;
    hcl.push('\n');
    Some(())
}

fn write(hcl: &mut String, value: &Value) -> Option<()> {
    match value {
        Value::Object(members) => {
            hcl.push_str("{\n");
            for (name, value) in members {
                member(hcl, name, value)?;
            }
            hcl.push('}');
        }
        Value::Array(items) => {
            hcl.push('[');
            for item in items {
                write(hcl, item)?;
                hcl.push(',');
            }
            hcl.push(']');
        }
        Value::String(string) => text(hcl, string)?,
        Value::Bool(is) => hcl.push_str(if *is { "true" } else { "false" }),
        // HCL has octal numbers, and no null.
        Value::Number(number) if number.is_u64() => write!(hcl, "{number}").ok()?,
        Value::Number(_) | Value::Null => return None,
    }
    Some(())
}

fn text(hcl: &mut String, text: &str) -> Option<()> {
    // What this opens is text to its end.
    if text.contains("${") {
        return None;
    }
    hcl.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => write!(hcl, "\\{char}").ok()?,
            char if char.is_control() => write!(hcl, "\\u{:04x}", u32::from(char)).ok()?,
            char => hcl.push(char),
        }
    }
    hcl.push('"');
    Some(())
}
