//! The link by which the program is another one.

#![allow(dead_code, reason = "each test binary uses another part of this")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A link `consul-template` to the program, in a folder of its own, which goes with this.
pub(crate) struct Link(TempDir);

impl Link {
    pub(crate) fn new() -> Link {
        let folder = tempfile::Builder::new().prefix("testkit-").tempdir().expect("a folder");
        symlink(env!("CARGO_BIN_EXE_containerpilot"), folder.path().join("consul-template"))
            .expect("a link");
        Link(folder)
    }

    /// The folder, for `PATH`.
    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// The link.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("consul-template")
    }
}
