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

/// All keys in order.
#[derive(Debug, Default)]
pub(crate) struct Kv {
    pairs: BTreeMap<String, Pair>,
    /// When keys were deleted.
    graves: BTreeMap<String, u64>,
    /// The last change of any key that is no longer remembered.
    floor: u64,
    /// The last change of any key.
    last: u64,
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

    /// When the key last changed; a key that is not there is as old as the last change of any,
    /// since its deletion need not be remembered.
    pub(crate) fn key_index(&self, key: &str) -> u64 {
        self.pairs.get(key).map_or(self.last, |pair| pair.modify).max(1)
    }

    /// When a key below the prefix last changed or was deleted.
    pub(crate) fn prefix_index(&self, prefix: &str) -> u64 {
        let living = self.below(prefix).map(|(_, pair)| pair.modify).max().unwrap_or_default();
        let dead = below(&self.graves, prefix).map(|(_, index)| *index).max().unwrap_or_default();
        // Nothing there and nothing remembered: as old as the last change of any key.
        let floor = if living.max(dead) == 0 { self.last } else { self.floor };
        living.max(dead).max(floor).max(1)
    }

    /// Sets a key. `index` is the store's; the change takes the next.
    pub(crate) fn set(&mut self, index: &mut u64, key: &str, value: Vec<u8>, flags: u64) {
        let old = self.pairs.get(key).cloned().unwrap_or_default();
        let next = Pair { value, flags, ..old.clone() };
        if old.create != 0 && old == next {
            return;
        }
        *index += 1;
        let create = if old.create == 0 { *index } else { old.create };
        self.pairs.insert(key.to_owned(), Pair { create, modify: *index, ..next });
        self.graves.remove(key);
        self.changed(key, *index);
    }

    /// Deletes a key; false if it was not there.
    pub(crate) fn delete(&mut self, index: &mut u64, key: &str) -> bool {
        if self.pairs.remove(key).is_none() {
            return false;
        }
        *index += 1;
        self.graves.insert(key.to_owned(), *index);
        if self.graves.len() > GRAVES {
            let oldest = self.graves.iter().min_by_key(|(_, index)| **index);
            if let Some((key, index)) = oldest.map(|(key, index)| (key.clone(), *index)) {
                self.graves.remove(&key);
                self.floor = self.floor.max(index);
            }
        }
        self.changed(key, *index);
        true
    }

    fn changed(&mut self, key: &str, index: u64) {
        self.last = index;
        self.keys.ring(key);
        if self.prefixes.len() > 0 {
            self.prefixes.ring("");
            for (at, c) in key.char_indices() {
                if let Some(prefix) = key.get(..at + c.len_utf8()) {
                    self.prefixes.ring(prefix);
                }
            }
        }
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
            kv.set(&mut index, key, b"x".to_vec(), 0);
        }
        (kv, index)
    }

    #[test]
    fn a_prefix_has_an_index_of_its_own() {
        let (mut kv, mut index) = keys(&["a/1", "a/2", "b"]);
        assert_eq!((kv.prefix_index("a/"), kv.prefix_index("b"), kv.prefix_index("")), (2, 3, 3));
        assert_eq!((kv.key_index("a/1"), kv.prefix_index("none")), (1, 3));
        kv.delete(&mut index, "a/1");
        assert_eq!((kv.prefix_index("a/"), kv.prefix_index("b")), (4, 3));
        kv.set(&mut index, "b", b"x".to_vec(), 0);
        assert_eq!(index, 4, "the same value is no change");
    }

    #[test]
    fn forgotten_deletions_do_not_turn_an_index_back() {
        let names: Vec<String> = (0..GRAVES + 2).map(|n| format!("gone/{n}")).collect();
        let (mut kv, mut index) = keys(&["gone/x", "kept"]);
        for name in &names {
            kv.set(&mut index, name, Vec::new(), 0);
        }
        let mut last = kv.prefix_index("gone/");
        for (n, name) in names.iter().enumerate() {
            kv.delete(&mut index, name);
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
