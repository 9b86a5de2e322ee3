//! Objects: what the embedder gives to templates beyond plain data.

use crate::function::Signature;
use crate::value::{List, Value};
use std::rc::Rc;

/// Something with fields and methods: Go's structs.
///
/// A template reaches a field as `.Name` and a method as `.Name` or `.Name arg arg`.
pub trait Object {
    /// The type's name as Go would print it, such as `*dep.HealthService`.
    fn type_name(&self) -> &str;

    /// The field of that name, or `None` if there is no such field.
    fn field(&self, name: &str) -> Option<Value> {
        let _ = name;
        None
    }

    /// The names of the fields in the order in which they are printed.
    fn field_names(&self) -> &[&str] {
        &[]
    }

    /// What the method of that name takes, or `None` if there is no such method. A method hides
    /// a field of its name. The engine has checked the arguments when it calls the method.
    fn method(&self, name: &str) -> Option<Signature> {
        let _ = name;
        None
    }

    /// Calls a method that [`Object::method`] knows.
    ///
    /// # Errors
    /// What the method says went wrong; the template stops with it.
    fn call_method(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let _ = args;
        Err(format!("no method {name}"))
    }

    /// How the object prints itself (Go's `String` method). `None`: as its list, or its fields.
    fn display(&self) -> Option<String> {
        None
    }

    /// Whether `if` takes it for true. By default: its list is not empty, or it has none.
    fn truth(&self) -> bool {
        self.as_list().is_none_or(|list| !list.items().is_empty())
    }

    /// The elements of an object that is a list with methods: `range`, `len`, `index`, `slice`
    /// and functions that take a list work on them.
    fn as_list(&self) -> Option<Rc<List>> {
        None
    }
}
