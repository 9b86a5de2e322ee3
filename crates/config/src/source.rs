//! Where the text of the configuration comes from.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, Read},
};

/// The variable that is read when there is no `-config`.
pub const VARIABLE: &str = "CONTAINERPILOT";

/// A larger file is not a configuration but a slip (`/dev/zero`).
pub(crate) const LONGEST: usize = 1 << 20;

/// A configuration before anything has been done to it. Its `Debug` does not show the text, in
/// which tokens may stand.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// How errors call it: the file's path, or the option that held the text itself.
    pub name: String,
    /// The text, its templates not rendered.
    pub text: String,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Neither the flag nor the variable.
    #[error(
        "no configuration: want -config, or the variable CONTAINERPILOT, with file://PATH, a path, or the JSON text itself"
    )]
    Missing,
    /// A value that is none of the three forms.
    #[error("{option}: {value:?} is neither of file://PATH, a path, JSON text: {rule}")]
    Form {
        /// Which of the two ways was used.
        option: &'static str,
        /// What it held.
        value: String,
        /// What would be right.
        rule: &'static str,
    },
    /// The file cannot be read.
    #[error("{option}: cannot read {path}: {error}: want a readable file of JSON5")]
    Unreadable {
        /// Which of the two ways was used.
        option: &'static str,
        /// The file.
        path: String,
        /// Why not.
        error: io::Error,
    },
}

/// Finds and reads the configuration: the value of `-config` wins over the variable
/// `CONTAINERPILOT`; either is `file://PATH`, JSON text (its first non-blank character is `{`), or
/// a path.
///
/// # Errors
/// Neither is set, the value has another form, or the file cannot be read.
pub fn read(
    flag: Option<&str>,
    environment: &BTreeMap<String, String>,
) -> Result<Source, SourceError> {
    read_from(flag, environment, |_| Ok(()))
}

/// [`read`] once more, by a program that is at work and must not wait: what is no regular file (a
/// FIFO without a writer) is refused.
///
/// # Errors
/// As [`read`], and if the file is not a regular one.
pub fn reread(
    flag: Option<&str>,
    environment: &BTreeMap<String, String>,
) -> Result<Source, SourceError> {
    read_from(flag, environment, |path| match std::fs::metadata(path)?.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file, and reading it once more could last for ever",
        )),
    })
}

fn read_from(
    flag: Option<&str>,
    environment: &BTreeMap<String, String>,
    admits: impl Fn(&str) -> io::Result<()>,
) -> Result<Source, SourceError> {
    let variable = environment.get(VARIABLE).filter(|value| !value.trim().is_empty());
    let (option, value) = match (flag, variable) {
        (Some(value), _) => ("-config", value),
        (None, Some(value)) => (VARIABLE, value.as_str()),
        (None, None) => return Err(SourceError::Missing),
    };
    let trimmed = value.trim_start_matches('\u{feff}').trim();
    if trimmed.starts_with('{') {
        return Ok(Source { name: option.into(), text: value.into() });
    }
    let form = |rule| {
        // The beginning tells enough, and what follows may be nobody's business.
        let value = trimmed.chars().take_while(|char| *char != '\n').take(40).collect();
        SourceError::Form { option, value, rule }
    };
    let path = match trimmed.strip_prefix("file://") {
        Some("") => return Err(form("want a path after file://")),
        Some(path) => path,
        None if trimmed.is_empty() => return Err(form("want a value")),
        None if trimmed.contains("://") => {
            return Err(form("want file:// in place of that scheme"));
        }
        None if trimmed.contains('\n') || trimmed.starts_with('[') => {
            return Err(form("want JSON text to begin with {"));
        }
        None => trimmed,
    };
    let unreadable = |error| SourceError::Unreadable { option, path: path.into(), error };
    admits(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > LONGEST {
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, "more than 1 MiB")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let message = format!("not UTF-8 from byte {at} on");
        unreadable(io::Error::new(io::ErrorKind::InvalidData, message))
    })?;
    Ok(Source { name: path.into(), text })
}
