//! Templates: files rendered from the catalog.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use crate::{
    Command,
    secrets::{Text, masked_debug},
};

/// Index of a template in [`crate::Config::templates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(pub usize);

/// A file that is rendered whenever what it asks the catalog for changes.
#[derive(Clone, PartialEq)]
pub struct Template {
    /// Its name; as a source of events `template.NAME`.
    pub name: String,
    /// Where its text comes from.
    pub source: Source,
    /// What opens an action, `{{` unless it is said.
    pub left_delimiter: String,
    /// What closes an action, `}}` unless it is said.
    pub right_delimiter: String,
    /// The file; no two have the same. From where the program runs if it is not from the root.
    pub destination: PathBuf,
    /// The file's permissions; `None`: as before, 0644 if it is new.
    pub mode: Option<u32>,
    /// The file's owner, a name or a number; `None`: as before.
    pub user: Option<String>,
    /// The file's group, a name or a number; `None`: as before.
    pub group: Option<String>,
    /// How long it waits for changes to come to rest; `None`: not at all.
    pub wait: Option<Wait>,
    /// Decides about a new text before it takes the file's place: the path of a file with that text
    /// is added as its last argument; exit code 0 means yes.
    pub check: Option<Check>,
    /// Fewest instances of services, by name. A catalog that has lost its memory shows fewer.
    pub minimum: BTreeMap<String, u32>,
    /// How long a catalog that shows fewer than the minimum is not believed.
    pub shrink_after: Duration,
}

masked_debug!(Template { text name, part source, text left_delimiter, text right_delimiter, text destination, part mode, text user, text group, part wait, part check, text minimum, part shrink_after });

/// Where a template's text comes from.
#[derive(Clone, PartialEq)]
pub enum Source {
    /// A file; from where the program runs if its path is not from the root.
    File(PathBuf),
    /// The configuration itself.
    Contents(String),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(&Text(path)).finish(),
            // A file of its own, in which secrets may stand that nothing else knows to be some.
            Self::Contents(_) => f.write_str("Contents(…)"),
        }
    }
}

/// How long to wait for changes to come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Without a further change.
    pub min: Duration,
    /// At the latest.
    pub max: Duration,
}

/// A command that decides about a candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Without the path.
    pub command: Command,
    /// SIGKILL to its process group after this long; it has then said no.
    pub timeout: Duration,
}
