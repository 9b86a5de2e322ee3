//! Command lines in the style of Go's flag package, from one table: `-flag value`, `-flag=value`,
//! one dash or two, and nothing after the first other word is a flag.
//!
//! # Theory of operation
//! A program lists its [`Flag`]s in [`Group`]s. [`parse`] takes the words apart by that table, and
//! the program's `-help` is written from the same table ([`describe`]), so that no flag is read that
//! is not described. What the values mean is the program's business.

use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// How wide the column of flags is in [`describe`].
const COLUMN: usize = 22;

/// One flag.
#[derive(Debug)]
pub struct Flag {
    /// Without dashes.
    pub name: &'static str,
    /// What stands after it; empty: nothing.
    pub value: &'static str,
    /// Values to choose from, if there are few.
    pub choices: &'static [&'static str],
    /// What it does, lines of at most 74 characters; empty: it is understood, and not shown.
    pub help: &'static str,
}

/// Flags that belong together.
#[derive(Debug)]
pub struct Group {
    /// Its heading.
    pub title: &'static str,
    /// In the order in which they are shown.
    pub flags: &'static [Flag],
}

/// A flag without a value.
#[must_use]
pub const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, value: "", choices: &[], help }
}

/// A flag with a value.
#[must_use]
pub const fn valued(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { name, value, choices: &[], help }
}

/// A flag as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// One without a value: `-once`, `-once=false`.
    Switch(&'static str, bool),
    /// One with its value.
    Value(&'static str, String),
}

/// A command line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The flags in their order; one may be there more than once.
    pub given: Vec<Given>,
    /// The first word that is none, and all behind it.
    pub rest: Vec<String>,
}

/// Why a command line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such flag.
    #[error("{0}: no such flag; see -help")]
    Unknown(String),
    /// A flag at the end of the line has no value.
    #[error("-{0}: want a value after it; see -help")]
    NoValue(&'static str),
    /// The value is none of those to choose from.
    #[error("-{0}: {1:?}: want one of {choices}", choices = .2.join(", "))]
    Choice(&'static str, String, &'static [&'static str]),
    /// A flag without a value was given one that is no bool.
    #[error("-{0}: {1:?} is no bool: want true or false")]
    NoBool(&'static str, String),
}

/// Takes the words after the program's name apart. `-h` is `-help`.
///
/// # Errors
/// The first flag that does not exist, lacks its value, or has one that it cannot have.
pub fn parse(
    table: &'static [Group],
    words: impl IntoIterator<Item = String>,
) -> Result<Words, Error> {
    let mut words = words.into_iter().peekable();
    let mut given = Vec::new();
    while let Some(word) = words.next_if(|word| word.starts_with('-') && word != "-") {
        if word == "--" {
            break;
        }
        let flag = word.strip_prefix("--").or(word.strip_prefix('-')).unwrap_or(&word);
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        let name = if name == "h" { "help" } else { name };
        let Some(Flag { name, value: wanted, choices, .. }) = find(table, name) else {
            return Err(Error::Unknown(word));
        };
        if wanted.is_empty() {
            given.push(Given::Switch(name, boolean(name, value)?));
            continue;
        }
        let value = value.or_else(|| words.next()).ok_or(Error::NoValue(name))?;
        if !choices.is_empty() && !choices.contains(&value.as_str()) {
            return Err(Error::Choice(name, value, choices));
        }
        given.push(Given::Value(name, value));
    }
    Ok(Words { given, rest: words.collect() })
}

/// The names of all flags that are shown, in the table's order.
pub fn names(table: &'static [Group]) -> impl Iterator<Item = &'static str> {
    let flags = table.iter().flat_map(|group| group.flags);
    flags.filter(|flag| !flag.help.is_empty()).map(|flag| flag.name)
}

/// All groups with their flags and what these do, for `-help`.
#[must_use]
pub fn describe(table: &'static [Group]) -> String {
    let mut text = String::new();
    for Group { title, flags } in table {
        let _ = writeln!(text, "\n{title}:");
        for flag in flags.iter().filter(|flag| !flag.help.is_empty()) {
            let head = head(flag);
            let mut head = if head.len() > COLUMN {
                let _ = writeln!(text, "  {head}");
                ""
            } else {
                &head
            };
            for line in flag.help.lines() {
                let _ = writeln!(text, "  {head:<COLUMN$} {line}");
                head = "";
            }
        }
    }
    text
}

/// A flag with what stands after it: `-config VALUE`, `-completion bash|zsh|fish`.
#[must_use]
pub fn head(flag: &Flag) -> String {
    match flag.value {
        "" => format!("-{}", flag.name),
        value if flag.choices.is_empty() => format!("-{} {value}", flag.name),
        _ => format!("-{} {}", flag.name, flag.choices.join("|")),
    }
}

fn find(table: &'static [Group], name: &str) -> Option<&'static Flag> {
    table.iter().flat_map(|group| group.flags).find(|flag| flag.name == name)
}

/// A flag without a value, or with one of those that Go takes for a bool.
fn boolean(name: &'static str, value: Option<String>) -> Result<bool, Error> {
    match value.as_deref() {
        None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(Error::NoBool(name, other.to_owned())),
    }
}
