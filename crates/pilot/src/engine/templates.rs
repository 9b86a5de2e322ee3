//! Templates at work: files rendered from the catalog, each new text tried before it takes its
//! file's place.
//!
//! A reload that changes nothing about templates leaves the renderer at its work: what it knows of
//! the catalog, and of the texts that stand, is worth keeping. Otherwise there is a new one, and it
//! begins when the old one has put its things away, so that two never write one file.

mod orders;
mod rendering;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::Catalog;
use config::{
    Config,
    job::{Frequency, JobId, TemplateEvent, Trigger, When},
    template::TemplateId,
};
use control::wire;
use process::{ExitStatus, Pid, Tail};
use render::{Opening, Outcome};
use tokio::task::JoinHandle;

use super::{Engine, until};
use crate::{
    environment::Environment,
    machine::{Input, JobView, State as JobState},
};
use orders::Orders;
pub(crate) use orders::faults;
use rendering::{Rendering, program};

/// After this long the log tells what templates still wait for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Until sources are read again that could not be read.
const RETRY: Duration = Duration::from_secs(10);

/// What a template waits for whose source is being read.
const UNREAD: &str = "the templates' sources are being read";

/// All templates of one configuration.
pub(super) struct Templates {
    orders: Orders,
    /// One for each.
    states: Vec<State>,
    stage: Stage,
    /// The end of a renderer that was here before.
    clearing: Option<Clearing>,
    /// Files that it has replaced at the last moment, and nobody has been told.
    left: Vec<TemplateId>,
}

/// A renderer that puts its things away.
struct Clearing {
    /// Answers with what it has come to and nobody has been told.
    task: JoinHandle<Vec<render::Event>>,
    /// Which of its templates are which of ours.
    heirs: Vec<(usize, TemplateId)>,
}

/// Which of ours a template of a renderer is.
fn heir(heirs: &[(usize, TemplateId)], place: usize) -> Option<TemplateId> {
    heirs.iter().find(|(other, _)| *other == place).map(|(_, id)| *id)
}

impl Clearing {
    /// Files that were replaced while it was asked to end: its successor finds them unchanged.
    async fn replaced(&mut self) -> Vec<TemplateId> {
        // It cannot fail, and if it did it would be over.
        let events = (&mut self.task).await.unwrap_or_default();
        let replaced = events.into_iter().filter_map(|event| match event {
            render::Event::Rendered(id, Outcome::Replaced) => heir(&self.heirs, id.0),
            _ => None,
        });
        replaced.collect()
    }
}

/// What has become of a template's file.
#[derive(Clone, Default)]
struct State {
    /// When it became what it is, or was found so; `None`: it was never rendered.
    since: Option<Instant>,
    /// What was wrong the last time, unless it was right since then.
    failure: Option<Failure>,
    /// From how many instances the text was made that stands, as the last renderer has known it.
    standing: BTreeMap<String, usize>,
}

/// Why a template could not be rendered.
#[derive(Clone)]
struct Failure {
    why: String,
    /// When that was found.
    since: Instant,
}

enum Stage {
    /// Nothing is rendered: not yet, or not any more.
    Still,
    /// The renderer before this one puts its things away; then it begins with this catalog.
    Ready(Arc<dyn Catalog>),
    /// The sources are read, until when the log is told if that takes long.
    Opening(Box<Opening>, Option<Instant>, Arc<dyn Catalog>),
    /// They could not be read, although they could a moment ago: until they are read again.
    Broken(Arc<dyn Catalog>, Option<Instant>),
    Rendering(Box<Rendering>),
}

/// What a template has come to.
pub(super) enum News {
    /// Its file is as it should be.
    Rendered(TemplateId, Outcome),
    /// It could not be rendered: why.
    Failed(TemplateId, String),
    /// A text waits at this path to be tried.
    Candidate(TemplateId, PathBuf),
    /// The check of a candidate has taken too long.
    Overdue(Pid),
    /// These have waited for long, and for what.
    Missing(Vec<(TemplateId, String)>),
    /// None can be rendered: why.
    Broken(String),
}

impl Templates {
    /// Reads and parses all. Nothing is rendered yet.
    ///
    /// # Errors
    /// A user or group does not exist, a source cannot be read, or is no template.
    pub(super) fn build(config: &Config, environment: &Environment) -> Result<Templates, String> {
        let orders = Orders::build(&config.templates, environment.texts())?;
        let states = vec![State::default(); config.templates.len()];
        Ok(Templates { orders, states, stage: Stage::Still, clearing: None, left: Vec::new() })
    }

    /// Begins with what this catalog says, if there is anything to render.
    pub(super) fn begin(&mut self, catalog: Option<&Arc<dyn Catalog>>) {
        if let Some(catalog) = catalog
            && !self.orders.settings().is_empty()
            && matches!(self.stage, Stage::Still)
        {
            self.stage = Stage::Ready(Arc::clone(catalog));
        }
    }

    /// Nothing is rendered any more. Answers with the checks that are to be killed.
    fn end(&mut self) -> Vec<Pid> {
        // One that only reads has nothing in hand; if it hangs it is left behind.
        let Stage::Rendering(rendering) = std::mem::replace(&mut self.stage, Stage::Still) else {
            return Vec::new();
        };
        let (renderer, checks) = rendering.end();
        for (index, state) in self.states.iter_mut().enumerate() {
            state.standing = renderer.standing(render::TemplateId(index));
        }
        // It may be about to write a file, and waits for that.
        let task = tokio::task::spawn_blocking(move || renderer.close());
        let heirs = (0..self.states.len()).map(|index| (index, TemplateId(index))).collect();
        self.clearing = Some(Clearing { task, heirs });
        checks
    }

    /// Whatever was here has put its things away: some seconds at most.
    pub(super) async fn ended(&mut self) {
        if let Some(mut clearing) = self.clearing.take() {
            // It takes a second at most, once there is a thread for it.
            let _ = tokio::time::timeout(PATIENCE, clearing.replaced()).await;
        }
    }

    /// Whether these are the same, and would be rendered alike.
    pub(super) fn are_as(&self, other: &Templates) -> bool {
        self.orders.are_as(&other.orders)
    }

    /// What has become of the same templates in the previous configuration still stands. If its
    /// renderer was not ended it goes on as this one's.
    pub(super) fn inherit(&mut self, previous: &mut Templates) {
        let mut heirs = Vec::new();
        for (new, state) in self.states.iter_mut().enumerate() {
            let place = self.orders.place_in(TemplateId(new), &previous.orders);
            if let Some((place, before)) =
                place.and_then(|place| Some((place, previous.states.get(place.0)?)))
            {
                state.clone_from(before);
                heirs.push((place.0, TemplateId(new)));
            }
        }
        self.stage = std::mem::replace(&mut previous.stage, Stage::Still);
        let ours = |id: &TemplateId| heir(&heirs, id.0);
        self.left = previous.left.iter().filter_map(ours).collect();
        self.clearing = previous.clearing.take().map(|Clearing { task, heirs }| {
            let heirs = heirs.into_iter().filter_map(|(old, id)| Some((old, ours(&id)?)));
            Clearing { task, heirs: heirs.collect() }
        });
    }

    /// Events that a job learns which comes later than they have.
    pub(super) fn facts(&self, id: TemplateId) -> Vec<TemplateEvent> {
        let Some(state) = self.states.get(id.0) else { return Vec::new() };
        let changed = state.since.map(|_| TemplateEvent::Changed);
        let failed = state.failure.as_ref().map(|_| TemplateEvent::Failed);
        changed.into_iter().chain(failed).collect()
    }

    /// Why a template was never rendered: `waits: service "db"`; `None`: it was, or it is not
    /// known.
    pub(super) fn obstacle(&self, id: TemplateId) -> Option<String> {
        let state = self.states.get(id.0).filter(|state| state.since.is_none())?;
        if state.failure.is_some() {
            return Some("has failed".to_owned());
        }
        let rendering = match &self.stage {
            Stage::Rendering(rendering) => rendering,
            Stage::Opening(..) => return Some(format!("waits: {UNREAD}")),
            Stage::Still | Stage::Ready(_) | Stage::Broken(..) => return None,
        };
        let mut waiting = rendering.renderer.waiting().into_iter();
        let (_, missing) = waiting.find(|(other, _)| TemplateId(other.0) == id)?;
        Some(format!("waits: {missing}"))
    }

    /// Whether what it waits for is worth a word: of one that has failed the reason is known.
    fn is_missing_something(&self, index: usize) -> bool {
        let has_failed = self.states.get(index).is_some_and(|state| state.failure.is_some());
        !has_failed
            || match &self.stage {
                Stage::Rendering(rendering) => rendering.renderer.lacks(render::TemplateId(index)),
                _ => false,
            }
    }

    /// All as they are now.
    pub(super) fn status(&self, time: impl Fn(Instant) -> String) -> Vec<wire::TemplateStatus> {
        let waiting = match &self.stage {
            Stage::Rendering(rendering) => rendering.renderer.waiting(),
            _ => Vec::new(),
        };
        let missing = |index| match &self.stage {
            Stage::Opening(..) => Some(UNREAD.to_owned()),
            _ => waiting.iter().find(|(id, _)| id.0 == index).map(|(_, what)| what.clone()),
        };
        let status = |(index, (template, state)): (usize, (&config::Template, &State))| {
            wire::TemplateStatus {
                name: template.name.clone(),
                destination: template.destination.display().to_string(),
                state: match (&state.failure, state.since) {
                    (Some(_), _) => wire::TemplateState::Failed,
                    (None, Some(_)) => wire::TemplateState::Current,
                    (None, None) => wire::TemplateState::Waiting,
                },
                since: state.failure.as_ref().map(|it| it.since).or(state.since).map(&time),
                waiting_for: missing(index).filter(|_| self.is_missing_something(index)),
                failure: state.failure.as_ref().map(|it| it.why.clone()),
            }
        };
        self.orders.settings().iter().zip(&self.states).enumerate().map(status).collect()
    }

    /// The check of a candidate has ended.
    pub(super) fn tried(&mut self, id: TemplateId, check: Pid, status: ExitStatus) {
        if let Stage::Rendering(rendering) = &mut self.stage {
            rendering.tried(id, check, status);
        }
    }

    /// What comes next. Cancel safe.
    pub(super) async fn next(&mut self) -> News {
        if let Stage::Broken(catalog, again) = &self.stage {
            let catalog = Arc::clone(catalog);
            until(*again).await;
            self.stage = Stage::Ready(catalog);
        }
        if let Stage::Ready(catalog) = &self.stage {
            if let Some(before) = &mut self.clearing {
                self.left.extend(before.replaced().await);
                self.clearing = None;
            }
            if let Some(id) = self.left.pop() {
                return News::Rendered(id, Outcome::Replaced);
            }
            let (catalog, patience) = (Arc::clone(catalog), Instant::now().checked_add(PATIENCE));
            match self.orders.open(&catalog) {
                Ok(opening) => self.stage = Stage::Opening(Box::new(opening), patience, catalog),
                Err(error) => return self.broken(catalog, error),
            }
        }
        if let Stage::Opening(opening, patience, catalog) = &mut self.stage {
            let opened = tokio::select! {
                biased;
                opened = opening.renderer() => opened,
                _ = until(*patience) => {
                    *patience = None;
                    let all = (0..self.states.len()).map(TemplateId);
                    return News::Missing(all.map(|id| (id, UNREAD.to_owned())).collect());
                }
            };
            match opened {
                Ok(mut renderer) => {
                    for (index, state) in self.states.iter().enumerate() {
                        renderer.assume(render::TemplateId(index), &state.standing);
                    }
                    self.stage = Stage::Rendering(Box::new(Rendering::new(renderer)));
                }
                Err(error) => {
                    let catalog = Arc::clone(catalog);
                    return self.broken(catalog, error);
                }
            }
        }
        match &mut self.stage {
            Stage::Rendering(rendering) => rendering.next().await,
            _ => std::future::pending().await,
        }
    }

    fn broken(&mut self, catalog: Arc<dyn Catalog>, error: String) -> News {
        self.stage = Stage::Broken(catalog, Instant::now().checked_add(RETRY));
        News::Broken(error)
    }
}

impl Engine {
    /// Nothing is rendered any more, nor tried.
    pub(super) fn end_templates(&mut self) {
        for check in self.templates.end() {
            self.children.kill_trial(check);
        }
    }

    /// A template has come to something. `Some`: an event follows.
    pub(super) fn rendered(&mut self, news: News) -> Option<Input> {
        match news {
            News::Rendered(id, outcome) => self.is_right(id, outcome),
            News::Failed(id, why) => self.is_wrong(id, why),
            News::Candidate(id, path) => {
                self.try_candidate(id, &path);
                None
            }
            News::Overdue(check) => {
                self.children.kill_trial(check);
                None
            }
            News::Missing(all) => {
                for (id, what) in all {
                    if let Some(template) = self.templates.orders.settings().get(id.0)
                        && self.templates.is_missing_something(id.0)
                    {
                        log::info!("template {} waits: {what}", template.name);
                    }
                }
                None
            }
            News::Broken(error) => {
                let known =
                    |state: &State| state.failure.as_ref().is_some_and(|it| it.why == error);
                if self.templates.states.iter().all(known) {
                    return None;
                }
                log::error!("templates cannot be rendered: {error}");
                for index in 0..self.templates.states.len() {
                    let input = self.is_wrong(TemplateId(index), error.clone());
                    self.inputs.extend(input);
                }
                None
            }
        }
    }

    fn is_right(&mut self, id: TemplateId, outcome: Outcome) -> Option<Input> {
        let template = self.templates.orders.settings().get(id.0)?;
        let state = self.templates.states.get_mut(id.0)?;
        let (name, file) = (&template.name, template.destination.display());
        let first = state.since.is_none();
        let failed = state.failure.take().is_some();
        let result = match outcome {
            Outcome::Replaced => {
                log::info!("template {name}: {file} is written");
                "written"
            }
            Outcome::Unchanged => {
                if first || failed {
                    log::info!("template {name}: {file} is as it should be");
                }
                "unchanged"
            }
        };
        if let Some(metrics) = &self.metrics {
            metrics.template_renders.with([name, result]).inc();
        }
        // The first rendering is news whatever was there: some wait for it.
        if first || outcome == Outcome::Replaced {
            state.since = Some(Instant::now());
            return Some(Input::Rendered(id, TemplateEvent::Changed));
        }
        None
    }

    fn is_wrong(&mut self, id: TemplateId, why: String) -> Option<Input> {
        let waiting = self.waiting_for(id);
        let template = self.templates.orders.settings().get(id.0)?;
        let state = self.templates.states.get_mut(id.0)?;
        let (name, file) = (&template.name, template.destination.display());
        let so = match (state.since, waiting.len()) {
            (Some(_), _) => "stays as it is".to_owned(),
            (None, 0) => "is not written yet".to_owned(),
            (None, 1) => format!("is not written yet ({} waits for it)", waiting.join("")),
            (None, _) => format!("is not written yet ({} wait for it)", waiting.join(", ")),
        };
        log::warn!("template {name} has failed, {file} {so}: {why}");
        if let Some(metrics) = &self.metrics {
            metrics.template_renders.with([template.name.as_str(), "failed"]).inc();
        }
        state.failure = Some(Failure { why, since: Instant::now() });
        Some(Input::Rendered(id, TemplateEvent::Failed))
    }

    /// Jobs that do not start before this template has been rendered; not those that only react
    /// to each rendering.
    fn waiting_for(&self, id: TemplateId) -> Vec<String> {
        let rendered = Trigger::Template(id, TemplateEvent::Changed);
        let once = |when: &When| match when {
            When::On { conditions, .. } => conditions.iter().any(|condition| {
                condition.trigger == rendered && condition.frequency == Frequency::Once
            }),
            When::Every { after, .. } => *after == rendered,
        };
        let waits = |id: JobId| {
            let is_waiting = |view: JobView| view.state == JobState::Waiting;
            self.machine.view(id).is_some_and(is_waiting)
                && self.machine.awaited(id).contains(&rendered)
        };
        let jobs = self.machine.config().jobs.iter().enumerate();
        jobs.filter(|(index, job)| once(&job.when) && waits(JobId(*index)))
            .map(|(_, job)| job.name.clone())
            .collect()
    }

    fn try_candidate(&mut self, id: TemplateId, candidate: &Path) {
        let Stage::Rendering(rendering) = &mut self.templates.stage else { return };
        let template = self.templates.orders.settings().get(id.0);
        let Some((template, check)) =
            template.and_then(|template| Some((template, template.check.as_ref()?)))
        else {
            return rendering.renderer.accept(render::TemplateId(id.0));
        };
        let said = Tail::new();
        let program = program(&template.name, check, candidate, &said);
        match self.children.try_candidate(id, &program, &self.environment) {
            Ok(pid) => {
                let check = (pid, check.timeout);
                rendering.try_candidate(template, (id, candidate), check, said);
            }
            Err(error) => {
                let reason = format!("its check cannot be started: {error}");
                rendering.renderer.refuse(render::TemplateId(id.0), &reason);
            }
        }
    }
}
