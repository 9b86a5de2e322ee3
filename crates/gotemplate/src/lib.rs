//! Go's `text/template`, faithful to the letter of its output and of its errors.

mod error;
mod function;
mod object;
mod template;
mod value;

pub use error::{ExecError, ParseError};
pub use function::{Function, Functions, Signature};
pub use object::Object;
pub use template::{MissingKey, Options, Template};
pub use value::{List, Map, Type, Value};
