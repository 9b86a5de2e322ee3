//! What is to be rendered, and where to.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A file to be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// For the log, and for errors if its text comes from no file.
    pub name: String,
    /// Where its text comes from.
    pub source: Source,
    /// Where the result goes.
    pub destination: Destination,
    /// How long it waits for changes to come to rest, before its first rendering too; `None`: not
    /// at all.
    pub wait: Option<Wait>,
    /// Whether its owner looks at each new text before it takes the file's place:
    /// [`crate::Event::Candidate`]. Only of [`Destination::File`].
    pub checked: bool,
    /// Fewest passing instances of services, by name: a rendering in which one of these has fewer,
    /// and had as many in the one that stands, is refused, for as long as `shrink_after`. What
    /// counts is what the template itself has asked about the service; a service that it does not
    /// ask about (any more) has none.
    pub minimum: BTreeMap<String, usize>,
    /// How long a catalog is not believed that shows fewer. Time in which it does not answer does not
    /// count.
    pub shrink_after: Duration,
    /// What opens an action; empty: `{{`.
    pub left_delimiter: String,
    /// What closes an action; empty: `}}`.
    pub right_delimiter: String,
    /// A missing key of a map is an error.
    pub error_on_missing_key: bool,
    /// Functions that it must not use.
    pub denied: Vec<String>,
}

/// Where a template's text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, read once.
    File(PathBuf),
    /// The text itself.
    Text(String),
}

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into a file.
    File(Target),
    /// To the owner alone: [`crate::Event::Printed`].
    Print,
}

/// A file to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which. A symbolic link stays: what it points to is replaced.
    pub path: PathBuf,
    /// Its permissions; `None`: as before, 0644 if it is new.
    pub mode: Option<u32>,
    /// Its owner; `None`: as before.
    pub user: Option<u32>,
    /// Its group; `None`: as before.
    pub group: Option<u32>,
    /// The old file is kept under the name with `.bak`.
    pub backup: bool,
    /// Missing folders above it are made.
    pub create_folders: bool,
}

/// How long to wait for changes to come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Without a further change.
    pub min: Duration,
    /// At the latest after the first change.
    pub max: Duration,
}
