//! Functions that templates may call.

use crate::value::{Type, Value};
use std::fmt::Write as _;
use std::rc::Rc;

/// The parameters of a function or method. The engine checks arguments against them before the
/// call, and reports a mismatch as Go does.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    pub(crate) params: &'static [Type],
    pub(crate) rest: Option<Type>,
}

impl Signature {
    /// Any number of arguments of any type.
    pub const ANY: Signature = Signature { params: &[], rest: Some(Type::Any) };

    /// Exactly these parameters.
    pub const fn fixed(params: &'static [Type]) -> Signature {
        Signature { params, rest: None }
    }

    /// These parameters, then any number of arguments of type `rest`.
    pub const fn variadic(params: &'static [Type], rest: Type) -> Signature {
        Signature { params, rest: Some(rest) }
    }

    /// The type that the argument number `index` must have.
    pub(crate) fn param(&self, index: usize) -> Type {
        self.params.get(index).copied().or(self.rest).unwrap_or(Type::Any)
    }
}

/// What a function does.
type Body = dyn Fn(&[Value]) -> Result<Value, String>;

/// A function with its signature.
#[derive(Clone)]
pub struct Function {
    pub(crate) signature: Signature,
    body: Rc<Body>,
}

impl Function {
    /// A function that takes what `signature` says.
    pub fn new(
        signature: Signature,
        body: impl Fn(&[Value]) -> Result<Value, String> + 'static,
    ) -> Function {
        Function { signature, body: Rc::new(body) }
    }

    /// Runs the function. Arguments are not checked here.
    ///
    /// # Errors
    /// What the function says went wrong.
    pub fn call(&self, args: &[Value]) -> Result<Value, String> {
        (self.body)(args)
    }

    /// The Go type of a function with these parameters that returns anything or an error.
    pub(crate) fn type_name(&self) -> String {
        let mut name = "func(".to_owned();
        for (i, param) in self.signature.params.iter().enumerate() {
            let _ = write!(name, "{}{param}", if i > 0 { ", " } else { "" });
        }
        if let Some(rest) = self.signature.rest {
            let separator = if self.signature.params.is_empty() { "" } else { ", " };
            let _ = write!(name, "{separator}...{rest}");
        }
        name + ") (interface {}, error)"
    }
}

/// The functions that an embedder adds to Go's own. Cloning is cheap.
///
/// A function of a built-in's name hides the built-in (`and` and `or` then no longer
/// short-circuit), one named `break` or `continue` hides the keyword, as in Go.
#[derive(Clone, Default)]
pub struct Functions {
    list: Rc<Vec<(String, Rc<Function>)>>,
}

impl Functions {
    /// No functions but Go's own.
    pub fn new() -> Functions {
        Functions::default()
    }

    /// Adds a function that takes any arguments.
    pub fn add(
        &mut self,
        name: &str,
        body: impl Fn(&[Value]) -> Result<Value, String> + 'static,
    ) -> &mut Functions {
        self.add_typed(name, Signature::ANY, body)
    }

    /// Adds a function whose arguments the engine checks: too few, too many and of the wrong
    /// type never reach it, and are reported in Go's words.
    pub fn add_typed(
        &mut self,
        name: &str,
        signature: Signature,
        body: impl Fn(&[Value]) -> Result<Value, String> + 'static,
    ) -> &mut Functions {
        let function = Rc::new(Function::new(signature, body));
        let list = Rc::make_mut(&mut self.list);
        match list.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = function,
            None => list.push((name.to_owned(), function)),
        }
        self
    }

    /// The function of that name; not one of Go's own.
    pub fn get(&self, name: &str) -> Option<&Rc<Function>> {
        self.list.iter().find(|(known, _)| known == name).map(|(_, function)| function)
    }
}
