//! A value as the execution holds it.

use crate::value::{Type, Value};

/// A value, and whether Go would hold it in an `interface {}`.
///
/// Go tells an element of a `[]interface {}` that is nil from no value at all, and names the
/// type of the former `interface {}`; both shows in errors.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) value: Value,
    pub(crate) boxed: bool,
}

impl Item {
    /// No value at all.
    pub(crate) fn none() -> Item {
        Item::plain(Value::Nil)
    }

    /// A value of its own type.
    pub(crate) fn plain(value: Value) -> Item {
        Item { value, boxed: false }
    }

    /// An element of a list or map of that element type.
    pub(crate) fn element(value: Value, element: Type) -> Item {
        Item { value, boxed: element == Type::Any }
    }

    /// What a function, method or field gives: nil can only come in an interface.
    pub(crate) fn result(value: Value) -> Item {
        let boxed = value.is_nil();
        Item { value, boxed }
    }

    /// What is in the interface.
    pub(crate) fn unboxed(self) -> Item {
        Item { boxed: false, ..self }
    }

    /// Whether there is no value at all.
    pub(crate) fn is_none(&self) -> bool {
        self.value.is_nil() && !self.boxed
    }

    /// The name of the type under which Go holds it.
    pub(crate) fn type_name(&self) -> String {
        if self.boxed { Type::Any.to_string() } else { self.value.type_name() }
    }
}
