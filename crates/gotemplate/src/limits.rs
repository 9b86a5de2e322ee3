//! What one execution may take. Data is finite, but loops, recursion and text that is put
//! together with itself multiply it without end.

use crate::value::Value;
use std::mem::size_of;

/// How many blocks and variables may be open at once: recursion opens them without writing
/// anything. Go's limit of 100000 invocations leaves room for ten each.
pub(crate) const MAX_OPEN: usize = 1_000_000;

/// How many bytes a function reads or makes in the time of one step.
const BYTES_PER_STEP: usize = 16;

/// How much one execution may take before it ends with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps: a node, an iteration, an argument, or sixteen bytes that a function reads or makes.
    /// Ten million take about a second.
    pub steps: u64,
    /// Bytes of output.
    pub output: usize,
    /// Bytes of text and lists that functions make, in all.
    pub made: usize,
}

impl Default for Limits {
    /// Ten million steps, and 64 MiB of both.
    fn default() -> Limits {
        Limits { steps: 10_000_000, output: 64 << 20, made: 64 << 20 }
    }
}

/// How many bytes a value takes, roughly; what does not grow takes none.
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(list) => list.items().len().saturating_mul(size_of::<Value>()),
        _ => 0,
    }
}

/// How many steps it takes to read or make so many bytes.
pub(crate) fn steps(bytes: usize) -> u64 {
    u64::try_from(bytes / BYTES_PER_STEP).unwrap_or(u64::MAX)
}
