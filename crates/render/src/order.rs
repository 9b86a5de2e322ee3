//! What the rendering thread is asked to do, one thing at a time, and what it reports.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use catalog::{Finding, Question};
use catalog_functions::Need;

use crate::{Outcome, TemplateId, shrinkage::Counts};

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Order {
    /// Learns the news and executes what depends on them.
    Pass {
        news: Vec<(Question, Arc<Finding>)>,
        /// Looks whether files have changed that templates read.
        look: bool,
        /// Executes those templates too that wait for answers.
        partial: bool,
    },
    /// Something with the newest text of a template.
    Text(TemplateId, Task),
}

/// What is to be done with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Brings the newest to its place, or offers it as a candidate.
    Write,
    /// The candidate takes the file's place.
    Install,
    /// The candidate is removed.
    Discard,
}

/// What has come of an order.
#[derive(Debug)]
pub(crate) enum Report {
    Pass(PassReport),
    Text(TemplateId, Written),
}

/// What has come of a pass.
#[derive(Debug, Default)]
pub(crate) struct PassReport {
    /// Of those templates that were executed.
    pub(crate) results: Vec<(TemplateId, Execution)>,
    /// All that is asked of the catalog from now on, if that is something else than before.
    pub(crate) questions: Option<BTreeSet<Question>>,
    /// Templates read files, which may change.
    pub(crate) reads_files: bool,
    /// A template has news, but was not executed since it waits for further answers.
    pub(crate) waits: bool,
    /// How long it took, by the clock on the wall.
    pub(crate) took: Duration,
}

/// What has come of executing a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Execution {
    /// Something is not known.
    Lacking(Vec<Lack>),
    /// The template is wrong, or its data are.
    Wrong(String),
    /// A text, which the thread keeps.
    Text(Text),
}

/// A text, for those who do not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) fingerprint: Fingerprint,
    /// What it was made from.
    pub(crate) counts: Counts,
}

impl Text {
    /// Whether this is the same text.
    pub(crate) fn is(&self, other: &Text) -> bool {
        self.fingerprint == other.fingerprint
    }
}

/// Equal for equal texts, and else only by a chance of one in 2^64. It only spares looks at the
/// file: that is compared byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) u64);

/// Something that a template needs and that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    pub(crate) need: Need,
    pub(crate) why: Why,
}

/// Why it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// There was no answer yet.
    Unanswered,
    /// The catalog has answered that there is no such thing.
    Absent,
    /// The file cannot be read.
    Unreadable(String),
}

/// What has become of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It stands.
    Stands(Outcome),
    /// It is to be printed.
    Printed(Arc<str>),
    /// It waits here.
    Candidate(PathBuf),
    /// The candidate is gone.
    Discarded,
    /// Nothing has changed.
    Failed(String),
}
