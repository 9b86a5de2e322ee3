//! What a file may say: every object with its keys.
//!
//! The decoders take no key that is not here, and leave none unread (they assert both); error
//! messages list these keys; the JSON Schema is made of them. So none of the three can be wrong
//! about the others.

mod catalog;
mod file;
mod health;
mod job;
mod older;
mod source;
mod telemetry;
mod template;

pub(crate) use file::{V2, V3};

/// The whole of a 3.x file.
pub(crate) static ROOT_V3: Kind = Kind::Object(&V3);
/// The whole of a 1.x or 2.x file.
pub(crate) static ROOT_V2: Kind = Kind::Object(&V2);

/// An object of a file.
#[derive(Debug)]
pub(crate) struct Table {
    /// What it is called in the schema.
    pub(crate) name: &'static str,
    /// Its keys, and those that it shares with others.
    groups: &'static [&'static [Key]],
}

/// A key of an object.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One line for those who write files.
    pub(crate) doc: &'static str,
    pub(crate) is_required: bool,
}

/// What a value may be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// A string that is not blank.
    Name,
    /// A path from the root.
    Path,
    /// The name of an event.
    Event,
    Bool,
    /// `false`, for what is not wanted.
    False,
    /// From a lowest one on.
    Port(u16),
    /// A number of seconds from a lowest one on, or a string in Go's notation.
    Duration(i64),
    /// How long to wait: `MIN` or `MIN:MAX`, each a duration.
    Wait,
    Command,
    Restarts,
    /// A whole number from 1 on.
    Count,
    /// Permissions in octal digits.
    Mode,
    /// Status codes: a number, a range, or a list of both.
    Statuses,
    /// A name or a number of a user or a group.
    Account,
    /// A name or a number of a signal.
    Signal,
    /// One of some words, in any case of letters.
    Words(&'static [&'static str]),
    /// A string, or a list of strings.
    Strings,
    /// Ascending numbers.
    Numbers,
    /// Ascending numbers between 0 and 1.
    Quantiles,
    /// Names and values of variables.
    Variables,
    /// Keys and values of metadata.
    Metadata,
    /// Names and values of headers.
    Headers,
    /// Names of services, and how many instances each.
    Counts,
    /// A list of objects, of one at least if there is a 1.
    List(&'static Table, u8),
    Object(&'static Table),
    OneOf(&'static [Kind]),
}

/// A duration of 0 or more.
const TIME: Kind = Kind::Duration(0);
/// A duration of at least a second, or a millisecond if it is a string.
const SPAN: Kind = Kind::Duration(1);

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc, is_required: false }
}

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, doc, is_required: true }
}

/// `static NAME: Table` of its name in the schema and one or more groups of keys.
macro_rules! table {
    ($const:ident, $name:literal, $($group:expr),+ $(,)?) => {
        pub(crate) static $const: crate::keys::Table =
            crate::keys::Table { name: $name, groups: &[$($group),+] };
    };
}
use table;

impl Table {
    /// The table of an object of which nothing is known.
    pub(crate) const NONE: Table = Table { name: "", groups: &[] };

    /// All of them.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.groups.iter().copied().flatten()
    }

    /// What the value of a key may be.
    pub(crate) fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.keys().find(|key| key.name == name).map(|key| &key.kind)
    }
}

impl Kind {
    /// The objects that it, or each of its items, may be.
    pub(crate) fn table(&self) -> Option<&'static Table> {
        match self {
            Kind::Object(table) | Kind::List(table, _) => Some(table),
            Kind::OneOf(kinds) => kinds.iter().find_map(Kind::table),
            _ => None,
        }
    }

    /// Whether it is, or may be, such a one.
    pub(crate) fn may_be(&self, is: impl Fn(&Kind) -> bool + Copy) -> bool {
        match self {
            Kind::OneOf(kinds) => kinds.iter().any(|kind| kind.may_be(is)),
            kind => is(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All tables that a value of this kind can lead to.
    fn below(kind: &'static Kind, found: &mut Vec<&'static Table>) {
        match kind {
            Kind::Object(table) | Kind::List(table, _)
                if !found.iter().any(|known| std::ptr::eq(*known, *table)) =>
            {
                found.push(table);
                table.keys().for_each(|key| below(&key.kind, found));
            }
            Kind::OneOf(kinds) => kinds.iter().for_each(|kind| below(kind, found)),
            _ => {}
        }
    }

    #[test]
    fn names_are_unique() {
        for (root, least) in [(&ROOT_V2, 16), (&ROOT_V3, 22)] {
            let mut tables = Vec::new();
            below(root, &mut tables);
            assert!(tables.len() >= least, "only {} tables", tables.len());
            let mut names: Vec<&str> = tables.iter().map(|table| table.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
            for table in tables {
                let mut keys: Vec<String> =
                    table.keys().map(|key| key.name.to_lowercase()).collect();
                keys.sort_unstable();
                assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{}: {keys:?}", table.name);
            }
        }
    }
}
