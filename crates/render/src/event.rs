//! What a renderer tells its owner.

use std::{path::PathBuf, sync::Arc};

/// Index of a template in the list given to [`crate::Renderer::start`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(pub usize);

/// What a renderer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The file is as it should be: replaced; or found so at the first rendering, or at the first
    /// after it has failed.
    Rendered(TemplateId, Outcome),
    /// A text waits at this path to be judged: [`crate::Renderer::accept`] or
    /// [`crate::Renderer::refuse`]. Until then there is no other of this template. Only of checked
    /// templates.
    Candidate(TemplateId, PathBuf),
    /// The text, which is another than before. Only of [`crate::Destination::Print`].
    Printed(TemplateId, Arc<str>),
    /// It could not be rendered or written, or it was refused: why. The old file stands. Told once
    /// for each reason in a row.
    Failed(TemplateId, String),
    /// It needs something that is not there any more, such as a key: the old file stands until it
    /// is there again ([`crate::Renderer::waiting`] says what). Not of a template that has come to
    /// nothing yet.
    Lacks(TemplateId),
}

/// What has become of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was replaced.
    Replaced,
    /// It was so before.
    Unchanged,
}

/// How much work has been done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// How often a template was executed.
    pub passes: u64,
    /// How many texts were written, offered or printed, or found to be in the file already.
    pub texts: u64,
}
