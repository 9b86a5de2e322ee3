//! Nodes that answers speak of.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use catalog::Node;

/// Forgotten nodes are looked for when there are twice as many as were left last, and not below.
const FEW: usize = 64;

/// Each node once, for as long as an answer speaks of it: thousands of instances run on a few
/// nodes, and each comes with all that is known of its own.
#[derive(Default)]
pub(crate) struct Nodes(Mutex<Known>);

#[derive(Default)]
struct Known {
    nodes: HashSet<Arc<Node>>,
    /// How many were left when forgotten ones were looked for last.
    left: usize,
}

impl Nodes {
    /// The same node, as others have it already.
    pub(crate) fn share(&self, node: Node) -> Arc<Node> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.nodes.get(&node) {
            return Arc::clone(known);
        }
        if known.nodes.len() >= FEW.max(2 * known.left) {
            known.nodes.retain(|node| Arc::strong_count(node) > 1);
            known.left = known.nodes.len();
        }
        let node = Arc::new(node);
        known.nodes.insert(Arc::clone(&node));
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: usize) -> Node {
        Node { name: number.to_string(), ..Node::default() }
    }

    #[test]
    fn equal_nodes_are_one_and_forgotten_ones_do_not_pile_up() {
        let nodes = Nodes::default();
        let kept: Vec<_> = (0..100).map(|number| nodes.share(node(number))).collect();
        assert!(Arc::ptr_eq(&kept[7], &nodes.share(node(7))));
        assert!(!Arc::ptr_eq(&kept[7], &nodes.share(Node { id: "x".into(), ..node(7) })));
        for number in 0..10_000 {
            nodes.share(node(number));
        }
        let count = nodes.0.lock().unwrap().nodes.len();
        assert!((100..=200).contains(&count), "{count}");
    }
}
