//! Values that are not lists or objects, and commands.

use std::{path::PathBuf, time::Duration};

use super::{
    Field,
    duration::{self, DurationError},
    suggestion::{did_you_mean, one_of},
};
use crate::{Command, job::Restarts, json5::Value, keys::Kind};

const DURATION: &str = "want a number of seconds or like \"1m30s\"";

impl<'a> Field<'a> {
    pub(crate) fn string(&self) -> Option<String> {
        match &self.node.value {
            Value::String(string) => Some(string.clone()),
            Value::Number(_) | Value::Bool(_) => {
                self.refuse("is not a string", "want quotes around it");
                None
            }
            _ => {
                self.refuse("is not a string", "want \"…\"");
                None
            }
        }
    }

    /// A string that is not empty. What a template renders to nothing counts as not given.
    pub(crate) fn text(&self) -> Option<String> {
        self.string().filter(|string| !string.is_empty())
    }

    /// Whether this is `""`, which a template leaves of an unset variable.
    pub(crate) fn is_empty_string(&self) -> bool {
        matches!(&self.node.value, Value::String(text) if text.is_empty())
    }

    /// A string; or a number or a boolean, which count as they are written.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.node.value {
            Value::String(string) => Some(string.clone()),
            Value::Number(_) | Value::Bool(_) => {
                let span = self.node.span;
                Some(self.report.text.get(span.start..span.end).unwrap_or("").to_owned())
            }
            _ => {
                self.refuse("is not a string", "want \"…\", a number or a boolean");
                None
            }
        }
    }

    /// A path from the root; an empty string counts as not given.
    pub(crate) fn absolute_path(&self) -> Option<String> {
        self.assert_kind(|kind| matches!(kind, Kind::Path));
        let path = self.text()?;
        if !path.starts_with('/') || path.contains('\0') {
            self.refuse("is not an absolute path", "want it from the root on, \"/…\"");
            return None;
        }
        Some(path)
    }

    /// A path from the root that is given: an empty one is an error.
    pub(crate) fn given_path(&self) -> Option<PathBuf> {
        if self.is_empty_string() {
            self.refuse("is empty", "want a path from the root on, \"/…\"");
        }
        self.absolute_path().map(PathBuf::from)
    }

    /// A string that must not be empty.
    pub(crate) fn name(&self) -> Option<String> {
        let name = self.string()?;
        if name.trim().is_empty() {
            self.refuse("is empty", "want a name");
            return None;
        }
        Some(name)
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        self.assert_kind(|kind| matches!(kind, Kind::Bool));
        let Value::Bool(value) = self.node.value else {
            self.refuse("is not a boolean", "want true or false");
            return None;
        };
        Some(value)
    }

    /// A string that is one of some words, in any case of letters.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        self.assert_kind(|kind| match kind {
            Kind::Words(words) => words.iter().eq(choices.iter().map(|(word, _)| word)),
            _ => false,
        });
        let text = self.string()?;
        let found = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text));
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let want = format!("want {}", one_of(&words));
            self.refuse("is unknown", did_you_mean(&text, words).unwrap_or(want));
        }
        found.map(|(_, value)| *value)
    }

    /// An integer, or a string with one.
    pub(crate) fn integer(&self) -> Option<i64> {
        match &self.node.value {
            // Exact: integers of this size are all floats.
            Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(*number as i64)
            }
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A whole number from 1 on.
    pub(crate) fn count(&self) -> Option<u32> {
        self.assert_kind(|kind| matches!(kind, Kind::Count | Kind::Counts));
        let count = self.integer().and_then(|integer| u32::try_from(integer).ok());
        let count = count.filter(|count| *count > 0);
        if count.is_none() {
            self.refuse("is not a number from 1 on", "want a whole one");
        }
        count
    }

    /// A number, or a string with one.
    pub(crate) fn number(&self) -> Option<f64> {
        self.assert_kind(|kind| matches!(kind, Kind::Numbers | Kind::Quantiles));
        let number = match &self.node.value {
            Value::Number(number) => Some(*number),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.refuse("is not a number", "want one");
        }
        number
    }

    /// Whether this is an integer below 0, or a duration below nothing.
    pub(crate) fn is_negative(&self) -> bool {
        match &self.node.value {
            Value::Number(number) => *number < 0.0 && number.fract() == 0.0,
            Value::String(text) => duration::parse(text) == Err(DurationError::Negative),
            _ => false,
        }
    }

    /// A port from 1 on; 0 too if `lowest` is.
    pub(crate) fn port(&self, lowest: u16) -> Option<u16> {
        self.assert_kind(|kind| matches!(kind, Kind::Port(port) if *port == lowest));
        let port = self.integer().and_then(|integer| u16::try_from(integer).ok());
        let port = port.filter(|port| *port >= lowest);
        if port.is_none() {
            self.refuse("is not a port", format!("want a whole number from {lowest} to 65535"));
        }
        port
    }

    /// A duration that is at least so long.
    pub(crate) fn duration(&self, shortest: Duration) -> Option<Duration> {
        let duration = self.any_duration()?;
        if duration < shortest {
            let rule = match shortest.as_millis() {
                1 => "want at least 1ms",
                _ => "want at least 1s",
            };
            self.refuse("is too short", rule);
            return None;
        }
        Some(duration)
    }

    /// A duration that is at least 1 ms; an empty string counts as not given.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        if self.is_empty_string() {
            return None;
        }
        self.duration(Duration::from_millis(1))
    }

    /// A duration.
    pub(crate) fn any_duration(&self) -> Option<Duration> {
        self.assert_kind(|kind| matches!(kind, Kind::Duration(_) | Kind::Wait));
        let parsed = match &self.node.value {
            Value::String(text) => duration::parse(text),
            Value::Number(number) if number.fract() != 0.0 => {
                self.refuse("is not a whole number of seconds", "want one, or like \"1500ms\"");
                return None;
            }
            Value::Number(_) => match self.integer() {
                Some(seconds) => match u64::try_from(seconds) {
                    Ok(seconds) if seconds <= 9_223_372_036 => Ok(Duration::from_secs(seconds)),
                    Ok(_) => Err(DurationError::TooLong),
                    Err(_) => Err(DurationError::Negative),
                },
                None => Err(DurationError::TooLong),
            },
            _ => Err(DurationError::Form),
        };
        let fault = match parsed {
            Ok(duration) => return Some(duration),
            Err(DurationError::Form) => "is not a duration",
            Err(DurationError::Negative) => "is negative",
            Err(DurationError::TooLong) => "is longer than 292 years",
        };
        self.refuse(fault, DURATION);
        None
    }

    /// A command: a string, split on white space, or a list of strings.
    pub(crate) fn command(&self) -> Option<Command> {
        self.assert_kind(|kind| matches!(kind, Kind::Command));
        let words = match &self.node.value {
            Value::String(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
            Value::Array(_) => {
                // All items, so that every wrong one is reported.
                let words: Vec<Option<String>> = self.items().iter().map(Field::string).collect();
                words.into_iter().collect::<Option<Vec<String>>>()
            }
            _ => {
                self.refuse("is not a command", "want a string, or a list of strings");
                None
            }
        }?;
        let mut words = words.into_iter();
        match words.next() {
            Some(program) if !program.trim().is_empty() => {
                Some(Command { program, args: words.collect() })
            }
            _ => {
                let rule = "want a program and its arguments, \"…\" or [\"…\", \"…\"]";
                self.refuse("is an empty command", rule);
                None
            }
        }
    }

    /// One string or a list of them, none of them empty.
    pub(crate) fn strings(&self) -> Vec<Field<'a>> {
        self.assert_kind(|kind| matches!(kind, Kind::Strings));
        match &self.node.value {
            Value::String(_) => vec![*self],
            Value::Array(_) => self.items(),
            _ => {
                self.refuse("is not a list of strings", "want [\"…\", \"…\"]");
                Vec::new()
            }
        }
    }

    /// How often something is started again.
    pub(crate) fn restarts(&self) -> Option<Restarts> {
        self.assert_kind(|kind| matches!(kind, Kind::Restarts));
        if let Value::String(text) = &self.node.value {
            match text.trim() {
                "unlimited" => return Some(Restarts::Unlimited),
                "never" => return Some(Restarts::Never),
                _ => {}
            }
        }
        let restarts = match self.integer().map(u32::try_from) {
            Some(Ok(0)) => Some(Restarts::Never),
            Some(Ok(limit)) => Some(Restarts::Limit(limit)),
            _ => None,
        };
        if restarts.is_none() {
            let rule = "want a whole number from 0 on, \"unlimited\" or \"never\"";
            self.refuse("is not a number of restarts", rule);
        }
        restarts
    }
}
