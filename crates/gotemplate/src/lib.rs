//! Go's `text/template`, faithful to the letter of its output and of its errors.
//!
//! # Theory of operation
//! `lexer` cuts the text into tokens, `parser` builds from them one tree (`node`) for the text
//! and one for each definition in it. A [`Template`] keeps the trees; functions are looked up
//! while parsing, so that executing is cheap and can be repeated. `exec` walks the nodes, `eval`
//! computes the pipelines in them, `builtins` (with `compare`, `escape` and `gofmt`, which is
//! Go's `fmt`) are the functions that every template has. Data is a [`Value`], a small dynamic
//! counterpart of Go's reflected values; what is more than data is an [`Object`]. Embedders add
//! [`Functions`].
//!
//! Two things look odd and are there for Go's error messages: the node at which an error is
//! reported is simply the last one that was looked at (`Exec::at`), and a value knows whether Go
//! would hold it in an `interface {}` (`item`).
//!
//! Hostile text is harmless, on a stack of 2 MB too: blocks and invocations of templates are
//! kept on a stack of the execution's own, whatever recurses natively (parentheses, nested
//! blocks in the parser, printing of nested data, functions that execute templates) has a limit,
//! and one execution ends with an error when it has taken more steps, or written or made more
//! bytes, than [`Limits`] say. What an embedder's own function takes in one call is the
//! embedder's to bound.
//!
//! # Fidelity
//! The reference is Go 1.19. `tests/golden` holds cases with Go's results, all of which come out
//! identical; `tests/golden/generate.sh` writes the results anew. What would help beyond Go's words
//! stands beside them (`advice`: [`ParseError::advice`], [`ExecError::advice`]). On top of it there are
//! `else with` (Go 1.23) and `range` over an integer (Go 1.22).
//!
//! Known differences:
//! - Strings are UTF-8. A literal that is not (`"\xff"`) and a `slice` that cuts a character in
//!   two are errors.
//! - Complex constants are refused when parsing.
//! - Integers are `int` and `uint64`; a byte of a string (`index "abc" 0`) is a `uint64`, not a
//!   `uint8`. Keys of maps are strings.
//! - There are no nil lists and maps: a missing list is an empty one, and prints as such in Go
//!   syntax. The capacity of a list is its length.
//! - A function value is named `func(...) (interface {}, error)` whatever its results are.
//! - `range` assigning to existing variables (`range $x = .`) assigns by name, as Go does since
//!   1.20; before, it assigned to whichever variables came last.
//! - Which characters are letters and printable is Rust's Unicode version's matter; `²` counts
//!   as a digit in names.
//! - Blocks and parentheses nest at most 200 deep; printing shows at most 200 levels of data.
//!
//! ```
//! use gotemplate::{Functions, Map, Template};
//!
//! let template = Template::parse("config", "port: {{or .PORT 80}}", &Functions::new())?;
//! let environment = Map::of_strings([("PORT", "8080")]).into();
//! assert_eq!(template.execute(&environment)?, "port: 8080");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod advice;
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
mod limits;
mod node;
mod number;
mod object;
mod parser;
mod quote;
mod template;
mod token;
mod value;

pub use advice::nearest;
pub use error::{ExecError, ParseError};
pub use function::{Function, Functions, Signature};
pub use limits::Limits;
pub use object::Object;
pub use template::{MissingKey, Options, Template};
pub use value::{List, Map, Type, Value};
