//! Names of services and jobs.

use std::collections::{BTreeMap, BTreeSet};

/// What a service's name should look like.
pub(crate) const RULE: &str =
    "want a lower-case letter, then letters, digits and -, at least two in all";

/// Whether a name is `^[a-z][a-zA-Z0-9\-]+$`: fit for DNS and for variables.
pub(crate) fn is_service_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    first && name.len() > 1 && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Names that are taken, and new ones that differ from them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: BTreeSet<String>,
    /// The last number that was added to a name.
    numbers: BTreeMap<String, usize>,
}

impl Names {
    /// Takes a name; false if it was taken already.
    pub(crate) fn take(&mut self, name: &str) -> bool {
        self.taken.insert(name.into())
    }

    /// Takes `name`, or, if that is taken, `name[2]`, `name[3]` and so on.
    pub(crate) fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        while !self.take(&unique) {
            let number = self.numbers.entry(name.into()).or_insert(1);
            *number += 1;
            unique = format!("{name}[{number}]");
        }
        unique
    }
}
