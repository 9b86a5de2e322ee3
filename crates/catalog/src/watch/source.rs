//! What a watch asks for, and what counts as a change of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as cell;

use crate::{
    Answer, Catalog, Entries, Entry, Index, Instance, KeyQuery, Operation, Query, Snapshot,
};

/// One query. Whatever it finds goes to the watch's reader.
pub(super) trait Source: Send + Sync {
    /// For the log.
    fn name(&self) -> &str;

    /// For the log: what it finds, in the plural.
    fn things(&self) -> &'static str;

    /// The longest time that a change may go unnoticed should a notification be lost.
    fn max_staleness(&self) -> Duration;

    /// What a read counts as.
    fn operation(&self, after: Option<Index>) -> Operation;

    /// Reads, and tells the reader if something has changed.
    fn ask<'a>(
        &'a self,
        catalog: &'a dyn Catalog,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Index>;
}

/// The passing instances of a service.
pub(super) struct Services {
    pub(super) query: Query,
    pub(super) tell: cell::Sender<Arc<[Instance]>>,
}

/// Keys and their values.
pub(super) struct Keyed {
    pub(super) query: KeyQuery,
    pub(super) tell: cell::Sender<Arc<[Entry]>>,
}

impl Source for Services {
    fn name(&self) -> &str {
        &self.query.service
    }

    fn things(&self) -> &'static str {
        "instances"
    }

    fn max_staleness(&self) -> Duration {
        self.query.max_staleness
    }

    fn operation(&self, after: Option<Index>) -> Operation {
        if after.is_some() { Operation::Wait } else { Operation::Instances }
    }

    fn ask<'a>(
        &'a self,
        catalog: &'a dyn Catalog,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Index> {
        Box::pin(async move {
            let Snapshot { mut instances, index } =
                catalog.instances(&self.query, after, wait).await?;
            if self.query.near.is_none() {
                instances.sort_by(|a, b| a.key().cmp(&b.key()));
                instances.dedup_by(|a, b| a.key() == b.key());
            }
            publish(&self.tell, instances, same_instances);
            Ok(index)
        })
    }
}

impl Source for Keyed {
    fn name(&self) -> &str {
        self.query.keys.as_str()
    }

    fn things(&self) -> &'static str {
        "values"
    }

    fn max_staleness(&self) -> Duration {
        self.query.max_staleness
    }

    fn operation(&self, after: Option<Index>) -> Operation {
        if after.is_some() { Operation::Wait } else { Operation::Entries }
    }

    fn ask<'a>(
        &'a self,
        catalog: &'a dyn Catalog,
        after: Option<Index>,
        wait: Duration,
    ) -> Answer<'a, Index> {
        Box::pin(async move {
            let Entries { entries, index } = catalog.entries(&self.query, after, wait).await?;
            publish(&self.tell, entries, same_entries);
            Ok(index)
        })
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

/// Equal in everything that counts as a change, in whatever order.
pub(super) fn same_instances(a: &[Instance], b: &[Instance]) -> bool {
    let in_order = a.iter().map(Instance::key).eq(b.iter().map(Instance::key));
    in_order || keys(a) == keys(b)
}

fn keys(set: &[Instance]) -> BTreeSet<(&str, &str, u16)> {
    set.iter().map(Instance::key).collect()
}

/// Registries hand entries out in the order of their keys.
pub(super) fn same_entries(a: &[Entry], b: &[Entry]) -> bool {
    a == b
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
        publish(&tell, vec![a.clone(), b.clone()], same_instances);
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        for other in [vec![b.clone(), a.clone()], vec![instance("a", "y"), b.clone()]] {
            publish(&tell, other.clone(), same_instances);
            assert!(!news.has_changed().unwrap());
            assert_eq!(**news.borrow(), *other);
        }
        publish(&tell, vec![b.clone(), instance("c", "x")], same_instances);
        assert!(news.has_changed().unwrap());
    }
}
