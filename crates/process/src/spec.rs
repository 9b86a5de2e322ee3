//! What is to be started, and how it is connected to us.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use crate::Capture;

/// A process to start.
#[derive(Debug)]
pub struct Spec<'a> {
    /// A path if it has a slash, else a name to look up in the `PATH` of `environment`. The child
    /// sees it, as written here, as its `argv[0]`.
    pub program: &'a str,
    /// The arguments after `argv[0]`.
    pub args: &'a [String],
    /// The whole environment: nothing is inherited beside it.
    pub environment: &'a BTreeMap<OsString, OsString>,
    /// Where its three standard streams go.
    pub streams: Streams,
    /// Whose process group it belongs to.
    pub group: Group,
}

/// Where a child's standard streams go.
#[derive(Clone, Debug)]
pub enum Streams {
    /// All three are ours, stdin included: for the application.
    Inherit,
    /// Stdout and stderr are ours, byte for byte; stdin is empty.
    Raw,
    /// Nothing to read, and what it writes is discarded.
    Null,
    /// Stdout and stderr become log lines; stdin is empty.
    Lines {
        /// Whose lines they are.
        source: Arc<Source>,
    },
    /// Stdout is collected; stderr becomes log lines if the capture names a source, and is
    /// discarded otherwise; stdin is empty.
    Capture(Capture),
}

/// The process group of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A new one, which the child leads: it can be signalled with all its descendants.
    Own,
    /// Ours: what a terminal sends to its foreground group reaches the child too, and it may read
    /// from that terminal.
    Ours,
}

/// Whose lines are logged, and how loud. The pid is added when the process has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name that the lines carry.
    pub name: String,
    /// The level of lines written to stdout.
    pub stdout: log::Level,
    /// The level of lines written to stderr.
    pub stderr: log::Level,
}
