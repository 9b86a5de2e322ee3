//! The keys and their values.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::topics::Waiters;

/// How many deleted keys are remembered so that queries below their prefix notice. Beyond that
/// the oldest are forgotten, which may answer a query once more than needed.
const GRAVES: usize = 4096;

/// A key's value and its history.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pair {
    pub(crate) value: Vec<u8>,
    /// For the client's own use.
    pub(crate) flags: u64,
    /// How often it was locked.
    pub(crate) lock_index: u64,
    /// The session that holds it.
    pub(crate) session: Option<String>,
    pub(crate) create: u64,
    pub(crate) modify: u64,
}

/// All keys in order. Changes are made at an index to come, and are kept or taken back together.
#[derive(Debug, Default)]
pub(crate) struct Kv {
    pairs: BTreeMap<String, Pair>,
    /// When keys were deleted.
    graves: BTreeMap<String, u64>,
    /// The last change of any key that is no longer remembered.
    floor: u64,
    /// The last change of any key.
    last: u64,
    /// With what this run began: what has become of keys before is not known.
    base: u64,
    /// What was changed and is not kept yet, in order: the key as it was, and its grave.
    journal: Vec<(String, Option<Pair>, Option<u64>)>,
    pub(crate) keys: Waiters<String>,
    pub(crate) prefixes: Waiters<String>,
}

impl Kv {
    /// A key's value.
    pub(crate) fn get(&self, key: &str) -> Option<&Pair> {
        self.pairs.get(key)
    }

    /// The keys that begin with `prefix`, in order.
    pub(crate) fn below<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Pair)> {
        below(&self.pairs, prefix)
    }

    /// The keys that a session holds.
    pub(crate) fn held_by(&self, session: &str) -> Vec<String> {
        let held = self.pairs.iter().filter(|(_, pair)| pair.session.as_deref() == Some(session));
        held.map(|(key, _)| key.clone()).collect()
    }

    /// When the key last changed; a key that is not there is as old as the last change of any,
    /// since its deletion need not be remembered.
    pub(crate) fn key_index(&self, key: &str) -> u64 {
        self.pairs.get(key).map_or(self.last, |pair| pair.modify).max(self.base).max(1)
    }

    /// When a key below the prefix last changed or was deleted.
    pub(crate) fn prefix_index(&self, prefix: &str) -> u64 {
        let living = self.below(prefix).map(|(_, pair)| pair.modify).max().unwrap_or_default();
        let dead = below(&self.graves, prefix).map(|(_, index)| *index).max().unwrap_or_default();
        // Nothing there and nothing remembered: as old as the last change of any key.
        let floor = if living.max(dead) == 0 { self.last } else { self.floor };
        living.max(dead).max(floor).max(1)
    }

    /// Begins with an index and with these keys.
    pub(crate) fn begin(&mut self, index: u64, keys: Vec<(String, Pair)>) {
        self.pairs = keys.into_iter().collect();
        (self.base, self.floor, self.last) = (index, index, index);
    }

    /// Sets a key at the index `next`, unless it is so already. The pair's own indexes are ignored.
    pub(crate) fn set(&mut self, next: u64, key: &str, pair: Pair) {
        let old = self.pairs.get(key);
        let create = old.map_or(next, |old| old.create);
        if old.is_some_and(|old| Pair { create, modify: old.modify, ..pair.clone() } == *old) {
            return;
        }
        let old = self.pairs.insert(key.to_owned(), Pair { create, modify: next, ..pair });
        let grave = self.graves.remove(key);
        self.journal.push((key.to_owned(), old, grave));
    }

    /// Deletes a key at the index `next`, if it is there.
    pub(crate) fn delete(&mut self, next: u64, key: &str) {
        if let Some(old) = self.pairs.remove(key) {
            let grave = self.graves.insert(key.to_owned(), next);
            self.journal.push((key.to_owned(), Some(old), grave));
        }
    }

    /// Keeps the changes that were made at the index `next`; false if there are none.
    pub(crate) fn keep(&mut self, next: u64) -> bool {
        let changed = std::mem::take(&mut self.journal);
        for (key, ..) in &changed {
            self.last = next;
            self.keys.ring(key.as_str());
            if self.prefixes.len() > 0 {
                self.prefixes.ring("");
                for (at, c) in key.char_indices() {
                    if let Some(prefix) = key.get(..at + c.len_utf8()) {
                        self.prefixes.ring(prefix);
                    }
                }
            }
        }
        while self.graves.len() > GRAVES {
            self.forget();
        }
        !changed.is_empty()
    }

    /// Takes back the changes that were not kept.
    pub(crate) fn take_back(&mut self) {
        while let Some((key, pair, grave)) = self.journal.pop() {
            match grave {
                Some(index) => self.graves.insert(key.clone(), index),
                None => self.graves.remove(&key),
            };
            match pair {
                Some(pair) => self.pairs.insert(key, pair),
                None => self.pairs.remove(&key),
            };
        }
    }

    /// Forgets the oldest eighth of the deletions: looking for them takes a while.
    fn forget(&mut self) {
        let mut indexes: Vec<u64> = self.graves.values().copied().collect();
        let at = indexes.len() / 8;
        let (_, last, _) = indexes.select_nth_unstable(at);
        let last = *last;
        self.graves.retain(|_, index| *index > last);
        self.floor = self.floor.max(last);
    }
}

fn below<'a, V>(
    map: &'a BTreeMap<String, V>,
    prefix: &'a str,
) -> impl Iterator<Item = (&'a String, &'a V)> {
    map.range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
        .take_while(move |(key, _)| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pairs: &[&str]) -> (Kv, u64) {
        let (mut kv, mut index) = (Kv::default(), 0);
        for key in pairs {
            set(&mut kv, &mut index, key);
        }
        (kv, index)
    }

    fn set(kv: &mut Kv, index: &mut u64, key: &str) {
        kv.set(*index + 1, key, Pair { value: b"x".to_vec(), ..Pair::default() });
        *index += u64::from(kv.keep(*index + 1));
    }

    fn delete(kv: &mut Kv, index: &mut u64, key: &str) {
        kv.delete(*index + 1, key);
        *index += u64::from(kv.keep(*index + 1));
    }

    #[test]
    fn a_prefix_has_an_index_of_its_own() {
        let (mut kv, mut index) = keys(&["a/1", "a/2", "b"]);
        assert_eq!((kv.prefix_index("a/"), kv.prefix_index("b"), kv.prefix_index("")), (2, 3, 3));
        assert_eq!((kv.key_index("a/1"), kv.prefix_index("none")), (1, 3));
        delete(&mut kv, &mut index, "a/1");
        assert_eq!((kv.prefix_index("a/"), kv.prefix_index("b")), (4, 3));
        set(&mut kv, &mut index, "b");
        assert_eq!(index, 4, "the same value is no change");
    }

    #[test]
    fn changes_are_taken_back_as_if_they_had_never_been() {
        let (mut kv, mut index) = keys(&["a/1", "a/2", "dead"]);
        delete(&mut kv, &mut index, "dead");
        let before = format!("{kv:?}");
        kv.set(9, "a/1", Pair { flags: 7, ..Pair::default() });
        kv.set(9, "a/1", Pair::default());
        kv.set(9, "dead", Pair::default());
        kv.delete(9, "dead");
        kv.delete(9, "a/2");
        kv.set(9, "new", Pair::default());
        assert_ne!(format!("{kv:?}"), before);
        kv.take_back();
        assert_eq!(format!("{kv:?}"), before);
        assert!(!kv.keep(9), "nothing was left to keep");
    }

    #[test]
    fn forgotten_deletions_do_not_turn_an_index_back() {
        let names: Vec<String> = (0..GRAVES + 2).map(|n| format!("gone/{n}")).collect();
        let (mut kv, mut index) = keys(&["gone/x", "kept"]);
        for name in &names {
            set(&mut kv, &mut index, name);
        }
        let mut last = kv.prefix_index("gone/");
        for (n, name) in names.iter().enumerate() {
            delete(&mut kv, &mut index, name);
            if n % 16 > 0 && n + 16 < names.len() {
                continue;
            }
            let now = kv.prefix_index("gone/");
            assert!(now > last, "{name}");
            last = now;
        }
        assert!(kv.graves.len() <= GRAVES);
        assert!(kv.prefix_index("gone/0") >= 2);
    }
}
