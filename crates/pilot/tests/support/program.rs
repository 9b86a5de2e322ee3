//! Which program is tested where the network matters.

use std::path::PathBuf;

/// The static program, if it was built: it is what goes into containers, and resolves names in its
/// own way. Else the one that was built with the test.
pub(crate) fn program() -> PathBuf {
    let built = std::env::var_os("CONTAINERPILOT_STATIC");
    built.map_or_else(|| env!("CARGO_BIN_EXE_containerpilot").into(), PathBuf::from)
}
