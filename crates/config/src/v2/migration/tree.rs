//! The file as its user wrote it, from which values are taken over unchanged.

use super::{
    document::{Object, Out},
    template::{Marked, Segment, has_actions, quoted},
};
use crate::json5::{Member, Node, Value};

/// Keys of an object as 3.x spells them, and those inside of their values.
pub(super) struct Keys(pub(super) &'static [(&'static str, Keys)]);

/// No keys below.
pub(super) const LEAF: Keys = Keys(&[]);

/// The file with its actions marked.
pub(super) struct Tree<'a> {
    pub(super) marked: &'a Marked,
}

/// The value of a key, in any case of letters; `None` if it is null or not there.
pub(super) fn member<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Object(members) = &node.value else { return None };
    let found = members.iter().find(|member| member.key.eq_ignore_ascii_case(key))?;
    Some(&found.value).filter(|node| node.value != Value::Null)
}

/// The objects of a list.
pub(super) fn items<'n>(node: &'n Node, key: &str) -> Vec<&'n Node> {
    match member(node, key).map(|node| &node.value) {
        Some(Value::Array(items)) => items.iter().collect(),
        _ => Vec::new(),
    }
}

impl Tree<'_> {
    /// A value as it is, its keys spelled as in 3.x.
    pub(super) fn copy(&self, node: &Node, keys: &Keys) -> Out {
        match &node.value {
            Value::String(text) => Out::Scalar(self.string(node, text)),
            Value::Null => Out::Scalar("null".into()),
            Value::Bool(_) | Value::Number(_) => Out::Scalar(self.written(node).to_owned()),
            Value::Array(items) => {
                Out::List(items.iter().map(|item| self.copy(item, keys)).collect())
            }
            Value::Object(members) => {
                let mut object = Object::default();
                for Member { key, value, .. } in members {
                    let known = keys.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
                    let (key, keys) =
                        known.map_or((key.as_str(), &LEAF), |(key, keys)| (key, keys));
                    object.set(key, self.copy(value, keys));
                }
                Out::Object(object)
            }
        }
    }

    /// The value of a key as it is, if it is there.
    pub(super) fn take(&self, node: &Node, key: &str, keys: &Keys) -> Option<Out> {
        member(node, key).map(|node| self.copy(node, keys))
    }

    /// A string with its actions.
    fn string(&self, node: &Node, text: &str) -> String {
        let segments = self.marked.segments(text);
        // What an action renders may have quotes in it that only the other ones can hold.
        let quote =
            if self.written(node).starts_with('\'') && has_actions(text) { '\'' } else { '"' };
        quoted(&segments, quote)
    }

    fn written(&self, node: &Node) -> &str {
        self.marked.text.get(node.span.start..node.span.end).unwrap_or("")
    }
}

/// A string without actions. One with double quotes in it is easier to read in single ones.
pub(super) fn literal(text: &str) -> Out {
    let quote = if text.contains('"') && !text.contains('\'') { '\'' } else { '"' };
    Out::Scalar(quoted(&[Segment::Literal(text)], quote))
}

/// Whether two trees differ in nothing but what actions have rendered.
pub(crate) fn same_shape(marked: &Node, rendered: &Node) -> bool {
    match (&marked.value, &rendered.value) {
        (Value::String(text), other) if has_actions(text) => {
            matches!(other, Value::String(_) | Value::Number(_))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same =
                |(a, b): (&Member, &Member)| a.key == b.key && same_shape(&a.value, &b.value);
            a.len() == b.len() && a.iter().zip(b).all(same)
        }
        (a, b) => a == b,
    }
}
