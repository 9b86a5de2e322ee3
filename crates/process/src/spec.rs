//! What is to be started, and how it is connected to us.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use crate::{Capture, Identity, Source};

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
    /// Where it starts; `None`: where we are. A program that is given by a relative path is looked
    /// for from there.
    pub directory: Option<&'a Path>,
    /// As whom it runs; `None`, or our own: as we do. Another one takes privileges that we may not
    /// have.
    pub identity: Option<&'a Identity>,
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
