//! YAML as Go's `yaml.v2` reads and writes it: version 1.1's words for truth values and numbers,
//! with a parser of version 1.2 below.

mod emitter;
mod loader;
mod scalar;

pub(crate) use emitter::write;
pub(crate) use loader::parse;
