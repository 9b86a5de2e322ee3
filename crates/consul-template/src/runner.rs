//! The run: one loop that hears of texts, exits, signals and times, and does what follows.

use std::{
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use catalog::Catalog;
use process::{Exit, Output, Processes, Signal};
use render::{Event, Outcome, Renderer, TemplateId};

use crate::{
    arguments::Arguments,
    beside::Beside,
    exit,
    hooks::{Hooks, later},
    logging,
    pid_file::PidFile,
    plan::{Plan, Surroundings},
    signals::Signals,
};

/// Files that change together are told one by one: commands wait until no more is being written,
/// which is looked at so often.
const LOOK: Duration = Duration::from_millis(10);

/// If not all is rendered by then, the log says what is missing.
const PATIENCE: Duration = Duration::from_secs(5);

/// A run, from its first text to its end.
pub(crate) struct Runner {
    arguments: Arguments,
    surroundings: Surroundings,
    plan: Plan,
    catalog: Arc<dyn Catalog>,
    /// `None`: it is no longer needed.
    renderer: Option<Renderer>,
    processes: Processes,
    signals: Signals,
    hooks: Hooks,
    beside: Option<Beside>,
    /// Whether it is rendered, for each template.
    rendered: Vec<bool>,
    /// When to say what is missing.
    complaint: Option<Instant>,
    /// The same, when all was rendered and something is not there any more.
    lack: Option<Instant>,
    ending: Option<Ending>,
    pid_file: Option<PidFile>,
}

/// How it ends.
struct Ending {
    code: u8,
    /// The code is that of the program beside, if it ends with one of its own.
    theirs: bool,
}

impl Runner {
    /// Begins. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The exit code, and why nothing can be done.
    pub(crate) fn start(
        arguments: Arguments,
        surroundings: Surroundings,
        plan: Plan,
        signals: Signals,
        output: &Output,
    ) -> Result<Runner, (u8, String)> {
        let system = |error: std::io::Error| (exit::SYSTEM, format!("cannot start: {error}"));
        let processes = Processes::start(output.clone()).map_err(system)?;
        let pid_file = plan.pid_file.as_deref().map(pid_file).transpose()?;
        let (catalog, renderer) = renderer(&plan, &surroundings)?;
        let beside = plan.exec.clone().map(Beside::new);
        let rendered = vec![false; plan.templates.len()];
        Ok(Runner {
            arguments,
            surroundings,
            plan,
            catalog,
            renderer: Some(renderer),
            processes,
            signals,
            hooks: Hooks::default(),
            beside,
            rendered,
            complaint: Some(later(Instant::now(), PATIENCE)),
            lack: None,
            ending: None,
            pid_file,
        })
    }

    /// Runs to the end; answers with the exit code.
    pub(crate) async fn run(mut self) -> u8 {
        loop {
            if let Some(code) = self.advance() {
                return code;
            }
            let deadline = self.deadline();
            tokio::select! {
                event = next(&mut self.renderer) => self.heard(event),
                exit = self.processes.next_exit() => self.exited(&exit),
                signal = self.signals.next() => self.signalled(signal),
                () = until(deadline) => self.due(Instant::now()),
            }
        }
    }

    /// Does what can be done now. `Some`: nothing is left to be done.
    fn advance(&mut self) -> Option<u8> {
        if let Some(Ending { code, .. }) = self.ending {
            let is_over = self.hooks.is_idle() && self.beside.as_ref().is_none_or(Beside::is_gone);
            return is_over.then_some(code);
        }
        if self.is_quiet()
            && let Err(problem) = self.hooks.start_next(&mut self.processes)
        {
            self.fail(&problem);
            return self.advance();
        }
        if !self.is_rendered() || !self.is_quiet() {
            return None;
        }
        if !self.hooks.is_idle() {
            return None;
        }
        if self.complaint.take().is_some() && !self.plan.once {
            log::debug!("all is rendered");
            // What follows is mostly waiting, and needs little of what the start has needed.
            process::release_code();
        }
        match &mut self.beside {
            Some(beside) if beside.is_waiting() => {
                let started = beside.start(&mut self.processes);
                if self.plan.once {
                    self.renderer = None;
                }
                if let Err((code, problem)) = started {
                    log::error!("{problem}");
                    self.end(code, None);
                    return self.advance();
                }
            }
            Some(_) => {}
            None if self.plan.once => {
                self.end(exit::OK, None);
                return self.advance();
            }
            None => {}
        }
        None
    }

    /// Whether all are rendered.
    fn is_rendered(&self) -> bool {
        self.rendered.iter().all(|is| *is)
    }

    fn count(&mut self, TemplateId(index): TemplateId) {
        if let Some(is) = self.rendered.get_mut(index) {
            *is = true;
        }
    }

    /// Whether no more changes are about to be told.
    fn is_quiet(&self) -> bool {
        !self.renderer.as_ref().is_some_and(Renderer::is_busy)
    }

    fn heard(&mut self, event: Event) {
        match event {
            Event::Rendered(id, outcome) => {
                self.count(id);
                let name = self.name(id);
                match outcome {
                    Outcome::Replaced => log::info!("{name}: rendered"),
                    Outcome::Unchanged => log::debug!("{name}: was so before"),
                }
                if outcome == Outcome::Replaced {
                    self.changed(id);
                }
            }
            Event::Printed(id, text) => {
                self.count(id);
                let heading = self.plan.headings.get(id.0).and_then(Option::as_deref);
                if let Err(error) = print(heading, &text) {
                    self.fail(&format!("cannot print: {error}"));
                } else {
                    self.changed(id);
                }
            }
            Event::Failed(id, why) => {
                // The words name the file.
                log::error!("{why}");
                if self.plan.once {
                    log::debug!("{} has failed", self.name(id));
                    self.end(exit::RENDERING, None);
                }
            }
            // It is told if it lasts.
            Event::Lacks(_) => self.lack = Some(later(Instant::now(), PATIENCE)),
            // None of ours is to be judged.
            Event::Candidate(id, _) => {
                if let Some(renderer) = &mut self.renderer {
                    renderer.accept(id);
                }
            }
        }
    }

    /// A file is another than before, or was not there.
    fn changed(&mut self, id: TemplateId) {
        if let Some(Some(hook)) = self.plan.hooks.get(id.0) {
            self.hooks.add(hook);
        }
        // Before it is started this does nothing.
        if let Some(beside) = &mut self.beside {
            beside.changed(&self.processes);
        }
    }

    fn name(&self, id: TemplateId) -> &str {
        self.plan.templates.get(id.0).map_or("a template", |template| &template.name)
    }

    fn exited(&mut self, exit: &Exit) {
        if let Some(result) = self.hooks.exited(exit) {
            if let Err(problem) = result {
                self.fail(&problem);
            }
            return;
        }
        let Some(beside) = &mut self.beside else { return };
        let code = match beside.exited(exit, &mut self.processes) {
            Ok(None) => return,
            Ok(Some(code)) => code,
            Err((code, problem)) => {
                log::error!("{problem}");
                code
            }
        };
        match &mut self.ending {
            Some(ending) if ending.theirs => ending.code = code,
            Some(_) => {}
            None => self.end(code, None),
        }
    }

    fn signalled(&mut self, signal: Signal) {
        log::debug!("{signal} received");
        let is = |other: Option<Signal>| other == Some(signal);
        let has_beside = self.beside.as_ref().is_some_and(|beside| !beside.is_gone());
        if self.ending.is_some() {
            if let Some(beside) = &self.beside {
                beside.pass(signal, &self.processes);
            }
        } else if is(self.plan.reload_signal) && self.renderer.is_some() {
            self.reload();
        } else if signal == Signal::SIGTERM
            || is(self.plan.kill_signal)
            || (signal == Signal::SIGQUIT && !has_beside)
        {
            let code =
                if self.plan.once && !self.is_rendered() { exit::INTERRUPTED } else { exit::OK };
            if code == exit::INTERRUPTED {
                self.say_what_is_missing();
                log::error!("{signal}: not everything is rendered");
            }
            self.end(code, Some(signal));
        } else if let Some(beside) = &self.beside {
            beside.pass(signal, &self.processes);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let look = self.hooks.is_waiting() || self.is_rendered();
        let look = (look && !self.is_quiet()).then(|| later(Instant::now(), LOOK));
        let beside = self.beside.as_ref().and_then(Beside::deadline);
        [look, self.hooks.deadline(), beside, self.complaint, self.lack].into_iter().flatten().min()
    }

    fn due(&mut self, now: Instant) {
        let mut is_late = false;
        self.hooks.due(&self.processes, now);
        if let Some(beside) = &mut self.beside {
            beside.due(&self.processes, now);
        }
        for moment in [&mut self.complaint, &mut self.lack] {
            if moment.take_if(|moment| *moment <= now).is_none() {
                continue;
            }
            // While the catalog does not answer that is all there is to say, and it has been said.
            if self.catalog.reachability().outage().is_some() {
                *moment = Some(later(now, PATIENCE));
            } else {
                is_late = true;
            }
        }
        if is_late {
            self.say_what_is_missing();
        }
    }

    fn say_what_is_missing(&self) {
        for (id, what) in self.renderer.as_ref().map(Renderer::waiting).unwrap_or_default() {
            log::warn!("{} waits: {what}", self.name(id));
        }
    }

    /// Reads everything again. What is bad changes nothing.
    fn reload(&mut self) {
        log::info!("reading the settings again");
        let next = Plan::make(&self.arguments, &self.surroundings)
            .map_err(|problems| problems.join("\n"))
            .and_then(|plan| {
                let next = renderer(&plan, &self.surroundings).map_err(|(_, error)| error)?;
                Ok((plan, next))
            });
        let (plan, (catalog, renderer)) = match next {
            Ok(next) => next,
            Err(problem) => {
                // One entry for each.
                for problem in problem.lines() {
                    log::error!("nothing has changed: {problem}");
                }
                return;
            }
        };
        // What has just been written is news that the next renderer cannot have: it finds the file so.
        for event in self.renderer.take().map(Renderer::close).unwrap_or_default() {
            if !matches!(event, Event::Failed(..)) {
                self.heard(event);
            }
        }
        if self.ending.is_some() {
            return;
        }
        logging::change(plan.log_level);
        for warning in &plan.warnings {
            log::warn!("{warning}");
        }
        if plan.pid_file != self.plan.pid_file {
            self.pid_file = None;
            match plan.pid_file.as_deref().map(pid_file).transpose() {
                Ok(file) => self.pid_file = file,
                Err((_, problem)) => log::error!("{problem}"),
            }
        }
        match (&mut self.beside, &plan.exec) {
            (Some(beside), Some(exec)) if beside.is(exec) => {}
            (Some(beside), Some(exec)) => beside.become_another(exec.clone(), &self.processes),
            (None, Some(exec)) => self.beside = Some(Beside::new(exec.clone())),
            // Its end would be ours.
            (Some(_), None) => log::warn!("exec: stays until the end, as it was"),
            (None, None) => {}
        }
        self.plan = plan;
        self.catalog = catalog;
        self.renderer = Some(renderer);
        self.rendered = vec![false; self.plan.templates.len()];
        (self.complaint, self.lack) = (Some(later(Instant::now(), PATIENCE)), None);
    }

    /// Something that must not fail has failed.
    fn fail(&mut self, problem: &str) {
        log::error!("{problem}");
        self.end(exit::RENDERING, None);
    }

    /// Ends with this code; after a signal with that of the program beside, if there is one.
    fn end(&mut self, code: u8, by: Option<Signal>) {
        if self.ending.is_some() {
            return;
        }
        self.renderer = None;
        self.ending = Some(Ending { code, theirs: by.is_some() });
        self.hooks.stop(&self.processes);
        if let Some(beside) = &mut self.beside {
            beside.stop(by, &self.processes);
        }
    }
}

/// What a renderer is made of, and what it asks.
type Rendering = (Arc<dyn Catalog>, Renderer);

fn renderer(plan: &Plan, surroundings: &Surroundings) -> Result<Rendering, (u8, String)> {
    let catalog = registry::client_with_login(&plan.catalog, plan.login.clone())
        .map_err(|error| (exit::SETTINGS, error))?;
    let (templates, environment) = (plan.templates.clone(), surroundings.text.clone());
    let renderer = Renderer::start(Arc::clone(&catalog), templates, environment)
        .map_err(|error| (exit::RENDERING, error))?;
    Ok((catalog, renderer))
}

fn pid_file(path: &Path) -> Result<PidFile, (u8, String)> {
    PidFile::write(path).map_err(|error| {
        (exit::SYSTEM, format!("pid file {}: cannot be written: {error}", path.display()))
    })
}

/// As the original prints: what would be written, below the name of its file.
fn print(heading: Option<&Path>, text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(path) = heading {
        writeln!(out, "> {}", path.display())?;
    }
    out.write_all(text.as_bytes())?;
    out.flush()
}

async fn next(renderer: &mut Option<Renderer>) -> Event {
    match renderer {
        Some(renderer) => renderer.next().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
