//! Keeps files as templates over the catalog say. It runs no processes and knows no jobs.
//!
//! # Theory of operation
//! [`Renderer::open`] reads templates. A [`Renderer`] follows what they ask for
//! ([`catalog::Survey`]) and renders on a thread of its own, so that neither a large template nor a
//! slow disk delays whoever waits for [`Renderer::next`]. When all that a template asks for is
//! known, and nothing has changed for as long as its [`Wait`] says, the text is written beside the
//! destination and takes its place by a rename; if the template is [`Template::checked`] its owner
//! decides in between.
//!
//! Four parts share the work:
//!
//! * `workshop` (on the thread, `worker`) has the templates, what is known, and the files. It gets
//!   one `order` at a time and reports. What is known changes only between two executions, so that
//!   no text mixes two states of the world. Passes go on until nothing new is asked: each execution
//!   asks all that it can with what is known; a template that waits for answers is mostly not
//!   executed before they are there; what is not asked any more is dropped.
//! * `progress` knows how far each template is, and decides: whether changes have come to rest
//!   (`quiescence`), whether the catalog is to be believed (`shrinkage`), what was written, judged,
//!   refused, and what the owner knows. It is pure; the clock is a parameter.
//! * `conductor` brings answers, reports, deadlines and the owner's verdicts to the right place, in
//!   the future that [`Renderer::next`] returns. There is no task.
//! * `replacement` puts a text in the place of a file.
//!
//! An error is never an answer: what was known stands, and so does the file. That a catalog answers
//! that there is nothing is an answer, however; [`Template::minimum`] is against one that says so
//! because it has lost its memory.

mod conductor;
mod event;
mod host;
mod inputs;
mod order;
mod progress;
mod quiescence;
mod replacement;
mod shrinkage;
mod template;
mod waiting;
mod worker;
mod workshop;

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc::sync_channel},
};

use catalog::Catalog;
use tokio::sync::oneshot;

pub use event::{Effort, Event, Outcome, TemplateId};
pub use template::{Destination, Source, Target, Template, Wait};

use conductor::Conductor;
use worker::Thread;
use workshop::Workshop;

/// The thread has not said anything, and will not.
const GONE: &str = "the rendering thread has ended";

/// Keeps files rendered. Dropping it ends that: what is being written is finished, candidates are
/// removed. It waits for that, but no longer than a second.
pub struct Renderer {
    conductor: Conductor<Thread>,
}

/// A renderer whose thread reads the templates, which takes as long as a disk likes. Whoever drops
/// it leaves the thread behind: that ends when it has read, and writes nothing.
pub struct Opening {
    catalog: Arc<dyn Catalog>,
    templates: Arc<Vec<Template>>,
    /// `None`: it has become a renderer.
    thread: Option<Thread>,
    opened: oneshot::Receiver<Result<(), String>>,
}

impl Opening {
    fn begin(
        catalog: Arc<dyn Catalog>,
        templates: Vec<Template>,
        environment: BTreeMap<String, String>,
        tell: Box<dyn FnOnce(Result<(), String>) + Send>,
        opened: oneshot::Receiver<Result<(), String>>,
    ) -> Result<Opening, String> {
        let templates = Arc::new(templates);
        let theirs = Arc::clone(&templates);
        let open = move || Workshop::open(&theirs, &Arc::new(environment)).map_err(in_lines);
        let thread = Some(Thread::start(open, tell)?);
        Ok(Opening { catalog, templates, thread, opened })
    }

    /// Waits until the templates are read. Must be called within a tokio runtime, and not again
    /// when it has answered. Cancel safe.
    ///
    /// # Errors
    /// A source cannot be read, or is no template; two have the same destination: all that are so,
    /// one on a line.
    pub async fn renderer(&mut self) -> Result<Renderer, String> {
        let opened = (&mut self.opened).await;
        self.become_renderer(opened.unwrap_or_else(|_| Err(GONE.to_owned())))
    }

    fn become_renderer(&mut self, opened: Result<(), String>) -> Result<Renderer, String> {
        opened?;
        let thread = self.thread.take().ok_or_else(|| GONE.to_owned())?;
        let conductor = Conductor::new(Arc::clone(&self.catalog), &self.templates, thread);
        Ok(Renderer { conductor })
    }
}

impl Renderer {
    /// Begins to read the templates, on the thread of the renderer to be.
    ///
    /// # Errors
    /// There can be no thread.
    pub fn open(
        catalog: Arc<dyn Catalog>,
        templates: Vec<Template>,
        environment: BTreeMap<String, String>,
    ) -> Result<Opening, String> {
        let (tell, opened) = oneshot::channel();
        let told = Box::new(|result| drop(tell.send(result)));
        Opening::begin(catalog, templates, environment, told, opened)
    }

    /// The same, and waits for it without a limit. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// As of [`Opening::renderer`].
    pub fn start(
        catalog: Arc<dyn Catalog>,
        templates: Vec<Template>,
        environment: BTreeMap<String, String>,
    ) -> Result<Renderer, String> {
        let (tell, told) = sync_channel(1);
        let tell = Box::new(move |result| drop(tell.send(result)));
        let mut opening =
            Opening::begin(catalog, templates, environment, tell, oneshot::channel().1)?;
        opening.become_renderer(told.recv().unwrap_or_else(|_| Err(GONE.to_owned())))
    }

    /// The next thing to tell. Cancel safe. Pending while there is nothing. What a renderer does it
    /// does while this is waited for; of what it has begun, the part on its thread goes on without.
    pub async fn next(&mut self) -> Event {
        self.conductor.next().await
    }

    /// Ends it, as dropping does, and answers with what it has come to and nobody has been told: a
    /// file that was just being replaced is another one now, and a successor would find it unchanged.
    /// Waits for that, but no longer than a second.
    #[must_use]
    pub fn close(self) -> Vec<Event> {
        self.conductor.close()
    }

    /// From how many passing instances the text was made that stands, of the services that have a
    /// minimum: for a successor, which would have nothing to compare with.
    #[must_use]
    pub fn standing(&self, id: TemplateId) -> BTreeMap<String, usize> {
        self.conductor.standing(id)
    }

    /// The file that is there was made from at least so many, as a predecessor has said. To be told
    /// before [`Renderer::next`] is waited for.
    pub fn assume(&mut self, id: TemplateId, standing: &BTreeMap<String, usize>) {
        self.conductor.assume(id, standing);
    }

    /// The candidate takes the file's place; [`Event::Rendered`] or [`Event::Failed`] follows.
    /// Nothing happens if there is none.
    pub fn accept(&mut self, id: TemplateId) {
        self.conductor.accept(id);
    }

    /// The candidate is dropped; [`Event::Failed`] follows with this reason, unless it was the last
    /// one told. The same text is not offered again until another has been. Nothing happens if there
    /// is none.
    pub fn refuse(&mut self, id: TemplateId, reason: &str) {
        self.conductor.refuse(id, reason);
    }

    /// Templates whose files are not as they should be, and why: what is missing, or what has failed
    /// last. Until a template is rendered for the first time it is always among them.
    #[must_use]
    pub fn waiting(&self) -> Vec<(TemplateId, String)> {
        self.conductor.waiting()
    }

    /// Whether what it waits for is something that it needs, and no failure.
    #[must_use]
    pub fn lacks(&self, id: TemplateId) -> bool {
        self.conductor.lacks(id)
    }

    /// Whether something is being executed or written of which [`Renderer::next`] may tell soon. Not
    /// while it only waits: for answers, for changes to come to rest, for a verdict.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.conductor.is_busy()
    }

    /// How much work has been done since the start.
    #[must_use]
    pub fn effort(&self) -> Effort {
        self.conductor.effort()
    }
}

/// Reads and parses templates, and does nothing with them.
///
/// # Errors
/// As of [`Opening::renderer`].
pub fn check(templates: &[Template], environment: &BTreeMap<String, String>) -> Result<(), String> {
    let problems = problems(templates, environment);
    if problems.is_empty() { Ok(()) } else { Err(in_lines(problems)) }
}

/// The same, and what is wrong with which.
#[must_use]
pub fn problems(
    templates: &[Template],
    environment: &BTreeMap<String, String>,
) -> Vec<(TemplateId, String)> {
    Workshop::open(templates, &Arc::new(environment.clone())).err().unwrap_or_default()
}

fn in_lines(problems: Vec<(TemplateId, String)>) -> String {
    problems.into_iter().map(|(_, error)| error).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its owner may be a task on any thread.
    #[test]
    fn a_renderer_and_what_it_does_can_be_sent() {
        fn is_send<T: Send>(_: T) {}
        fn of(renderer: &mut Renderer) {
            is_send(renderer.next());
        }
        let _ = of;
    }
}
