//! What a watch asks for, and what counts as a change of it.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch as cell;
use tokio::time::Instant;

use super::Freshness;
use crate::follow::Source;
use crate::{Answer, Catalog, Entry, Error, Index, Instance, KeyQuery, Operation, Query};

/// A query that can be watched.
pub(super) trait Followed: Send + Sync + 'static {
    /// What it finds, any number of these.
    type Item: Clone + PartialEq + Send + Sync + 'static;

    /// For the log: what it finds, in the plural.
    const THINGS: &'static str;

    /// What a read counts as that does not wait.
    const OPERATION: Operation;

    /// For the log.
    fn name(&self) -> &dyn Display;

    /// The longest time that a change may go unnoticed should a notification be lost.
    fn max_staleness(&self) -> Duration;

    /// What is there, in an order that means something.
    fn find<'a>(
        &'a self,
        catalog: &'a dyn Catalog,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, (Vec<Self::Item>, Index)>;

    /// Equal in everything that counts as a change.
    fn same(a: &[Self::Item], b: &[Self::Item]) -> bool;
}

impl Followed for Query {
    type Item = Instance;
    const THINGS: &'static str = "instances";
    const OPERATION: Operation = Operation::Instances;

    fn name(&self) -> &dyn Display {
        &self.service
    }

    fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    fn find<'a>(
        &'a self,
        catalog: &'a dyn Catalog,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, (Vec<Instance>, Index)> {
        Box::pin(async move {
            let mut found = catalog.instances(self, after, wait).await?;
            if self.near.is_none() {
                found.instances.sort_by(|a, b| a.key().cmp(&b.key()));
                found.instances.dedup_by(|a, b| a.key() == b.key());
            }
            Ok((found.instances, found.index))
        })
    }

    fn same(a: &[Instance], b: &[Instance]) -> bool {
        let in_order = a.iter().map(Instance::key).eq(b.iter().map(Instance::key));
        in_order || keys(a) == keys(b)
    }
}

fn keys(set: &[Instance]) -> BTreeSet<(&str, &str, u16)> {
    set.iter().map(Instance::key).collect()
}

impl Followed for KeyQuery {
    type Item = Entry;
    const THINGS: &'static str = "values";
    const OPERATION: Operation = Operation::Entries;

    fn name(&self) -> &dyn Display {
        match &self.keys {
            crate::Keys::One(key) | crate::Keys::Under(key) => key,
        }
    }

    fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    fn find<'a>(
        &'a self,
        catalog: &'a dyn Catalog,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, (Vec<Entry>, Index)> {
        Box::pin(async move {
            let found = catalog.entries(self, after, wait).await?;
            Ok((found.entries, found.index))
        })
    }

    /// Registries hand entries out in the order of their keys.
    fn same(a: &[Entry], b: &[Entry]) -> bool {
        a == b
    }
}

/// A query and its reader.
pub(super) struct Listened<Q: Followed> {
    pub(super) query: Q,
    pub(super) tell: cell::Sender<Arc<[Q::Item]>>,
    pub(super) freshness: Freshness,
    /// The log has been told of trouble.
    pub(super) told: AtomicBool,
}

impl<Q: Followed> Source for Listened<Q> {
    fn name(&self) -> &dyn Display {
        self.query.name()
    }

    fn operation(&self, after: Option<Index>) -> Operation {
        if after.is_some() { Operation::Wait } else { Q::OPERATION }
    }

    fn ask<'a>(
        &'a self,
        catalog: &'a dyn Catalog,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Option<Index>> {
        Box::pin(async move {
            let (found, index) = self.query.find(catalog, after, wait).await?;
            self.freshness.confirm(Instant::now());
            publish(&self.tell, found, Q::same);
            Ok(Some(index))
        })
    }

    fn troubled(&self, error: &Error) {
        if self.told.swap(true, Ordering::Relaxed) {
            return;
        }
        let (name, things) = (self.name(), Q::THINGS);
        log::warn!("watch on {name}: {error}; the last known {things} stand");
    }

    fn recovered(&self) {
        self.told.store(false, Ordering::Relaxed);
        log::info!("watch on {}: works again", self.name());
    }
}

/// Wakes the reader only for a change. What is no change, such as another order, replaces what the
/// reader will find there.
fn publish<T: PartialEq>(
    tell: &cell::Sender<Arc<[T]>>,
    found: Vec<T>,
    same: fn(&[T], &[T]) -> bool,
) {
    tell.send_if_modified(|last| {
        let changed = !same(last, &found);
        if changed || **last != *found {
            *last = found.into();
        }
        changed
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn instance(id: &str, tag: &str) -> Instance {
        Instance {
            id: id.into(),
            name: "app".into(),
            address: "10.0.0.1".into(),
            port: 80,
            tags: vec![tag.into()],
            meta: BTreeMap::new(),
            node: String::new(),
        }
    }

    #[test]
    fn another_order_and_other_tags_are_handed_out_and_no_change() {
        let (tell, mut news) = cell::channel(Arc::from([]));
        let (a, b) = (instance("a", "x"), instance("b", "x"));
        publish(&tell, vec![a.clone(), b.clone()], <Query as Followed>::same);
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        for other in [vec![b.clone(), a.clone()], vec![instance("a", "y"), b.clone()]] {
            publish(&tell, other.clone(), <Query as Followed>::same);
            assert!(!news.has_changed().unwrap());
            assert_eq!(**news.borrow(), *other);
        }
        publish(&tell, vec![b.clone(), instance("c", "x")], <Query as Followed>::same);
        assert!(news.has_changed().unwrap());
    }
}
