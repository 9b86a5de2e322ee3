//! Go's `text/template`, faithful to the letter of its output and of its errors.

mod builtins;
mod compare;
mod error;
mod escape;
mod eval;
mod exec;
mod function;
mod gofmt;
mod item;
mod lexer;
mod node;
mod number;
mod object;
mod parser;
mod quote;
mod template;
mod value;

pub use error::{ExecError, ParseError};
pub use function::{Function, Functions, Signature};
pub use object::Object;
pub use template::{MissingKey, Options, Template};
pub use value::{List, Map, Type, Value};
